"""An energy that is linear in the states of a frozen graph network, fitted to energies and forces in closed form."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sktaag.cache import cache_folder
from sktaag.heads._neural_regressor import NeuralRegressor
from sktaag.heads._torch_state import resolve_device
from sktaag.sources._conservative import ConservativeMixin, known_forces
from sktaag.sources._graph_input import GraphInputMixin
from sktaag.sources._graph_net import strain_gradient
from sktaag.sources._graph_networks import evaluation_copy
from sktaag.sources._target_scaler import TargetScaler
from sktaag.sources._tokens import graph_tokens, run_batches
from sktaag.transfer._depths import pick_depths
from sktaag.transfer._frozen_backbone import FrozenBackboneMixin
from sktaag.transfer._frozen_source import FrozenSourceMixin
from sktaag.transfer._graph_source import check_readout, keeps_readout, open_graph_source
from sktaag.transfer._layer_evidence import Rows, maximise_evidence
from sktaag.transfer._linear_energy import LinearEnergy
from sktaag.transfer._pooled_jacobians import pooled_jacobians

_CHUNK = 64  # structures whose Jacobians are in memory at a time
_CONSTANT = 1e-6  # of its mean: spread of a state in single precision that does not vary


class LinearPotential(
    FrozenSourceMixin, FrozenBackboneMixin, GraphInputMixin, ConservativeMixin, RegressorMixin, BaseEstimator
):
    r"""Energies and forces from tens of structures: linear in the states of a frozen network at all depths.

    .. math::
        E = \sum_i \Big[ e(z_i) + r(x_i) + \sum_t w_{z_i t} \cdot (x_{it} - \bar x_{z_i t}) \Big], \qquad F = -\nabla E

    with the state :math:`x_{it}` of atom i after block t, of each element a reference energy e and the mean state
    :math:`\bar x`, and the trained readout r of the source, if it is kept: then w says how the target differs from the
    source. Energies and forces are linear in w, so that w follows from both in closed form, without a training loop.
    The prior variance of w is one number for each depth; these and the noise of energies and of forces are where the
    marginal likelihood is highest [1]_. A depth that does not help gets no variance. The mean energy of an atom is not
    known and has a wide one.

    Parameters
    ----------
    source : fitted estimator, Pipeline, Backbone, str or path
        A fitted `sktaag.sources.GNNRegressor` (or any other estimator over graphs), a Pipeline that ends in one, its
        file, ``"folder#id"`` for a model in a library, the name of a backbone with pretrained weights, such as
        ``"chgnet"``, or a `sktaag.nn.Backbone` with weights. It is not changed, and clones share it.
    layers : int, list of int or "all", default="all"
        Which depths: k takes the last k, from L(-k) to L(-1); a list picks some of them by that number; "all" takes
        every one, from the embedding to the last block.
    readout : {"auto", "source", "fresh"}, default="auto"
        Whether the trained readout of the source stays in the energy. "auto" keeps it where it is for one extensive
        target and what it says leaves less to explain of the training energies than the elements alone do.
    use_forces : bool, default=True
        False fits to energies alone, even if structures carry forces.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Makes graphs of structures; it is cloned. None is that of the source.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps states and their derivatives of the structures of `fit`, so that those of a cross-validation
        or a search are computed once. Predictions are computed anew, in double precision.
    device : str or torch.device, default="auto"
        Of the source: "auto" is CUDA where there is one, else the CPU.

    Attributes
    ----------
    coef_ : ndarray of shape (n_elements, T, d)
        w, in the unit of y; T depths, from the embedding to the last block, d channels. Zero where `layers` leaves a
        depth out.
    reference_energies_ : ndarray of shape (119,)
        e by atomic number; elements that no structure had have the mean energy of an atom.
    elements_ : ndarray of int of shape (n_elements,)
        Atomic numbers.
    layer_weights_ : ndarray of shape (T,)
        Share of each depth in the prior variance of the energies; they sum to one.
    noise_ : float
        Standard deviation of the noise of energies, in the unit of y.
    force_noise_ : float or None
        That of forces, in the unit of y for each Å; None if there were none.
    log_likelihood_ : float
        Log marginal likelihood at its maximum.
    uses_forces_ : bool
        Whether it was fitted to forces.
    backbone_ : sktaag.nn.Backbone
        The source's, on the CPU.
    readout_ : torch.nn.Module or None
        The source's, likewise; None if it was not kept.
    graphs_ : AtomGraphs or MoleculeGraphs
        The fitted transformer of structures.
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    InvalidRowsError
        If structures cannot be read, unless `graphs` lets them pass; then they are left out of `fit`, and their
        predictions are NaN.
    NotFittedError
        In `fit`, if the source is not fitted.
    ValueError
        In `fit`, if the source has fewer depths than asked for, a readout that is to be kept and cannot be, or forces
        do not fit the structures or have no meaning for the source, which reads no positions.

    See Also
    --------
    TAAGRegressor : Attention over the depths, trained by gradients: slower, and better where the states have to change.
    sktaag.heads.LayerKernelRegressor : The same for any property, linear or not, without forces.
    EnergyCalculator : Relaxation and dynamics with the fitted model.

    Notes
    -----
    With :math:`P = n_\mathrm{elements} T d` weights: derivatives of the states of a structure with n atoms take
    3 n passes through the source, and 12 n P bytes. Those of 64 structures are kept at a time; rows beyond P are
    condensed by QR factorisation, without loss. The fit then takes about :math:`8 P^2 (T + 5)` bytes and 100 times
    :math:`P^3` operations, whatever the number of structures: 0.1 GB and a minute of one core for three elements and
    the 5 x 64 states of CHGNet; backbones with 1024 channels want energies only.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer (2006), section 3.5.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from sktaag.sources import GNNRegressor
    >>> from sktaag.transfer import LinearPotential
    >>> names = ["H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO"]
    >>> X = [molecule(name) for name in names]
    >>> energies = [-14.2, -24.0, -19.5, -40.5, -30.2, -31.9, -22.9, -22.1]  # eV
    >>> source = GNNRegressor("schnet", module__n_layers=2, module__n_features=16, max_epochs=5, random_state=0)
    >>> model = LinearPotential(source.fit(X, energies)).fit(X, energies)
    >>> model.coef_.shape  # H, C, N and O; embedding and two blocks; 16 channels
    (4, 3, 16)
    >>> model.predict_forces(X[:1])[0].shape
    (3, 3)
    """

    target = "extensive"
    _n_energies = 1

    def __init__(
        self, source, *, layers="all", readout="auto", use_forces=True, graphs=None, cache=None, device="auto"
    ):
        self.source = source
        self.layers = layers
        self.readout = readout
        self.use_forces = use_forces
        self.graphs = graphs
        self.cache = cache
        self.device = device

    def fit(self, X, y, forces=None):
        """Find the weights.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        y : array-like of shape (n_samples,)
            Energies.
        forces : list of array-like of shape (n_atoms, 3), or None, default=None
            Minus the derivatives of y with respect to the positions, one array for each structure, in the unit of y
            for each Å; None or NaN where there are none. If None, those that the structures carry are taken, provided
            that y is the energy that they carry. For metadata routing: ``set_fit_request(forces=True)``.

        Returns
        -------
        self : LinearPotential
        """
        cache_folder(self.cache)
        check_readout(self.readout)
        y = column_or_1d(self._check_y(y), warn=True)
        check_consistent_length(X, y)
        start = open_graph_source(self.source)
        self.backbone_ = start.backbone.eval().requires_grad_(False)
        depths = pick_depths(self.layers, self.backbone_.n_layers + 1)
        graphs = self._fit_graphs(X, start)
        forces = self._check_forces(forces, graphs, y[:, None], self.backbone_) if self.use_forces else None
        there = [row for row, graph in enumerate(graphs) if graph is not None and not np.isnan(y[row])]
        if not there:
            raise ValueError("No row has both a valid structure and an energy: nothing to fit.")
        forces = known_forces(forces, there)
        self.uses_forces_ = forces is not None
        graphs, y = [graphs[row] for row in there], y[there]

        numbers = [graph.z.numpy() for graph in graphs]
        self._scaler = TargetScaler().fit(numbers, y[:, None])
        self.elements_ = np.flatnonzero(self._scaler.elements_)
        said, slopes = self._keep_readout(start, graphs, numbers, y)
        if slopes is not None:
            forces = [force - slope for force, slope in zip(forces, slopes, strict=True)]
        device = resolve_device(self.device)
        backbone = self.backbone_.to(device)
        try:
            rest = y - said - self._scaler.baseline(numbers)[:, 0]
            kinds = [self._energy_rows(backbone, graphs, numbers, rest, depths, device)]
            if self.uses_forces_:
                kinds.append(self._force_rows(backbone, graphs, forces, device))
        finally:
            self.backbone_.cpu()
        self._keep(maximise_evidence(kinds, self._blocks, wide=True, loose=self._loose))
        return self

    def predict(self, X, return_std=False):
        """Predict energies.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        return_std : bool, default=False
            Whether to return the standard deviation too, that of the noise included.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            NaN for invalid structures if `graphs` lets them pass.
        std : ndarray of shape (n_samples,)
            If `return_std`.
        """
        check_is_fitted(self)
        graphs = self._to_graphs(X, self.backbone_)
        y, _, pooled = self._evaluate(graphs)
        if not return_std:
            return y
        there = [row for row, graph in enumerate(graphs) if graph is not None]
        counts = self._counts([graphs[row].z.numpy() for row in there])
        rows = np.column_stack([counts, pooled[there]])[:, self._active]
        std = np.full(len(graphs), np.nan)
        variance = rows**2 @ self._prior - np.square(rows @ self._root.T).sum(axis=1)
        std[there] = np.sqrt(variance.clip(0) + self.noise_**2)
        return y, std

    def predict_forces(self, X):
        """Predict forces: minus the derivative of the predicted energy.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs.AtomGraphs` makes them.

        Returns
        -------
        forces : list of ndarray of shape (n_atoms, 3)
            In the unit of y for each Å; None for invalid structures.

        Raises
        ------
        ValueError
            If the source reads no positions.
        """
        check_is_fitted(self)
        self._check_conservative(self.backbone_, 1)
        return self._evaluate(self._to_graphs(X, self.backbone_), forces=True)[1]

    @property
    def reference_energies_(self):
        """Reference energies of the elements in the unit of y, ndarray of shape (119,) by atomic number."""
        references = self._scaler.reference_energies_[:, 0].copy()
        references[self.elements_] += self._reference_shift
        return references

    _check_y = NeuralRegressor._check_y

    # ---------------------------------------------------------------- rows of the least squares

    def _keep_readout(self, start, graphs, numbers, y):
        """Keep the readout of the source or not, with the references beside it.

        Return the energies that it says, or zeros, and the forces, or None if there are none to learn or it is not
        kept.
        """
        self.readout_, self._unit = None, 1.0
        nothing = np.zeros(len(y)), None
        network = {"n_targets": 1, "target": "extensive", "attention": self.backbone_.plain}
        if not keeps_readout(self.readout, start, network):
            return nothing
        readout, unit = start.readout.eval().requires_grad_(False), float(start.scale[0])
        zeros = np.zeros((len(self.elements_), self.backbone_.n_layers + 1, self.backbone_.n_features))
        alone = LinearEnergy(self.backbone_, self.elements_, zeros, zeros, readout, unit)
        said, slopes, _ = self._run(graphs, self.uses_forces_, evaluation_copy(alone, resolve_device(self.device)))
        scaler = TargetScaler().fit(numbers, y[:, None], said[:, None])
        if self.readout == "auto" and scaler.spread_ >= self._scaler.spread_:
            return nothing
        self._scaler, self.readout_, self._unit = scaler, readout, unit
        return said, slopes if self.uses_forces_ else None

    def _energy_rows(self, backbone, graphs, numbers, rest, depths, device):
        """Rows of the energies; finds the means of the states on the way, and which of the picked ones vary."""
        tokens = graph_tokens(backbone, graphs, device, self.cache)
        whole, of_element = (
            np.concatenate(tokens).astype(float),
            np.searchsorted(self.elements_, np.concatenate(numbers)),
        )
        parts = [whole[of_element == e] for e in range(len(self.elements_))]
        self._means = np.array([part.mean(axis=0) for part in parts])  # (elements, depths, channels)
        varies = np.array([part.std(axis=0) for part in parts]) > _CONSTANT * np.abs(self._means)
        varies &= np.isin(np.arange(whole.shape[1]), depths)[:, None]
        n_elements = len(self.elements_)
        self._active = np.r_[np.ones(1 + n_elements, bool), varies.ravel()]
        depth_of = np.broadcast_to(np.arange(whole.shape[1])[:, None], varies.shape).ravel()
        labels = np.r_[-2, np.full(n_elements, -1), depth_of]  # an energy for every atom, references, states
        self._depths, self._blocks = np.unique(labels[self._active], return_inverse=True)

        whole -= self._means[of_element]
        spread = np.square(whole).sum(axis=(0, 2)) / len(graphs)  # of sums of independent atoms
        self._loose = np.r_[0.0, 0.0, spread[self._depths[2:]]]
        pooled = np.zeros((len(graphs), *varies.shape))
        np.add.at(pooled, (np.repeat(np.arange(len(graphs)), [len(z) for z in numbers]), of_element), whole)
        design = np.column_stack([self._counts(numbers), pooled.reshape(len(graphs), -1)])[:, self._active]
        rows = Rows(design.shape[1])
        rows.add(design, rest)
        return rows

    def _force_rows(self, backbone, graphs, forces, device):
        rows = Rows(int(self._active.sum()))
        for begin in range(0, len(graphs), _CHUNK):
            chunk = graphs[begin : begin + _CHUNK]
            for graph, jacobian, force in zip(
                chunk, pooled_jacobians(backbone, chunk, device, self.cache), forces[begin:], strict=False
            ):
                force = force.ravel()
                known = ~np.isnan(force)
                design = np.zeros((len(force), *self._means.shape))
                design[:, np.searchsorted(self.elements_, np.unique(graph.z.numpy()))] = -jacobian
                references = np.zeros((len(force), 1 + len(self.elements_)))
                design = np.column_stack([references, design.reshape(len(force), -1)])
                rows.add(design[known][:, self._active], force[known])
        return rows

    def _keep(self, found):
        weights = np.zeros(len(self._active))
        weights[self._active] = found.weights
        n_elements = len(self.elements_)
        self._reference_shift = weights[0] + weights[1 : 1 + n_elements]
        self.coef_ = weights[1 + n_elements :].reshape(self._means.shape)
        shares = np.zeros(self._means.shape[1])
        shares[self._depths[2:]] = found.explained[2:]
        self.layer_weights_ = shares / (shares.sum() or 1.0)
        self.noise_ = float(found.noises[0])
        self.force_noise_ = float(found.noises[1]) if self.uses_forces_ else None
        self.log_likelihood_ = found.log_likelihood
        self._prior, self._root = found.prior, found.root
        del self._blocks, self._depths, self._loose

    def _counts(self, numbers):
        """Count the known atoms of each structure, all together and by element."""
        counts = np.zeros((len(numbers), len(self.elements_)))
        for row, z in zip(counts, numbers, strict=True):
            row += (z[:, None] == self.elements_).sum(axis=0)
        return np.column_stack([counts.sum(axis=1), counts])

    # ---------------------------------------------------------------- prediction

    def _evaluation_network(self):
        energy = LinearEnergy(self.backbone_, self.elements_, self.coef_, self._means, self.readout_, self._unit)
        return evaluation_copy(energy, resolve_device(self.device))

    def _predict_graphs(self, graphs, forces, network):
        return self._evaluate(graphs, forces, network)[:2]

    def _evaluate(self, graphs, forces=False, network=None):
        """Compute energies, forces (None if not asked for) and pooled centred states; warns of new elements."""
        there = [row for row, graph in enumerate(graphs) if graph is not None]
        numbers = [graphs[row].z.numpy() for row in there]
        unknown = self._scaler.unknown(numbers)
        if len(unknown):
            self._warn_of_elements([there[i] for i in unknown])
        y, found, pooled = self._run(graphs, forces, self._evaluation_network() if network is None else network)
        y[there] += self._scaler.baseline(numbers)[:, 0] + self._counts(numbers)[:, 1:] @ self._reference_shift
        return y, found, pooled

    def _run(self, graphs, forces, network):
        """Compute energies without those of the elements, forces and pooled centred states."""

        def run(batch):
            if forces:
                batch.pos = batch.pos.detach().requires_grad_()
            with torch.set_grad_enabled(forces):
                energies, pooled = network(batch)
            parts = [None] * batch.num_graphs
            if forces:
                (gradient,) = torch.autograd.grad(energies.sum(), batch.pos)
                parts = np.split(-gradient.cpu().numpy(), batch.ptr[1:-1].cpu().numpy())
            return energies.detach(), pooled.detach(), parts

        shape = (len(self.elements_), self.backbone_.n_layers + 1, self.backbone_.n_features)
        y, pooled, found = np.full(len(graphs), np.nan), np.zeros((len(graphs), np.prod(shape))), [None] * len(graphs)
        for indices, (energies, sums, parts) in run_batches(graphs, run, network.device):
            y[indices] = energies.cpu().numpy()
            pooled[indices] = sums.flatten(1).cpu().numpy()
            for i, part in zip(indices, parts, strict=True):
                found[i] = part
        return y, found, pooled

    def _strain_gradient(self, graph, network):
        return strain_gradient(lambda batch: network(batch)[0], graph, network.device)
