"""What every regressor over graphs shares: reference energies, missing labels, forces."""

from numbers import Real

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sktaag.heads._known_r2 import known_r2
from sktaag.heads._neural_regressor import NeuralRegressor
from sktaag.heads._torch_state import resolve_device
from sktaag.sources._conservative import ConservativeMixin, known_forces
from sktaag.sources._graph_estimator import GraphEstimator
from sktaag.sources._graph_net import GraphLoss, strain_gradient
from sktaag.sources._graph_networks import evaluation_copy
from sktaag.sources._target_scaler import TargetScaler

_CRITERIA = ("auto", "mse", "mae", "huber")


class GraphRegression(ConservativeMixin, MultiOutputMixin, RegressorMixin, GraphEstimator):
    """Regression with a `GraphNetwork`; energies with forces.

    A subclass writes `_start`.
    """

    def __init__(self, *, criterion, force_weight, **params):
        super().__init__(**params)
        self.criterion = criterion
        self.force_weight = force_weight

    def fit(self, X, y, forces=None):
        """Train the network.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. In a 2-D y, NaN is a missing label; rows without any label are left out.
        forces : list of array-like of shape (n_atoms, 3), or None, default=None
            Minus the derivatives of y with respect to the positions, one array for each structure, in the unit of y
            for each Å; None or NaN where there are none. If None, those that the structures carry are taken, provided
            that y is the energy that they carry. For metadata routing: ``set_fit_request(forces=True)``.

        Returns
        -------
        self : object
        """
        self._check_params()
        y = self._check_y(y)
        check_consistent_length(X, y)
        self._y_ndim = y.ndim
        targets = y.reshape(len(y), -1)
        rng = check_random_state(self.random_state)
        network, start = self._make_network(X, targets.shape[1], rng)
        graphs = self._fit_graphs(X, start)
        forces = self._check_forces(forces, graphs, targets, network.backbone) if self.force_weight else None

        labelled = np.array([graph is not None for graph in graphs]) & ~np.isnan(targets).all(axis=1)
        graphs, targets = list(graphs[labelled]), targets[labelled]
        known = ~np.isnan(targets)
        if not len(targets) or not known.any(axis=0).all():
            columns = ", ".join(map(str, np.flatnonzero(~known.any(axis=0))))
            raise ValueError(
                f"Input y has no label at all in column {columns}: every value is NaN, or its structure is invalid. "
                "Drop that target."
            )
        forces = known_forces(forces, np.flatnonzero(labelled))
        self.uses_forces_ = forces is not None
        numbers = [graph.z.numpy() for graph in graphs]
        graphs = self._training_graphs(network, graphs, self.uses_forces_)
        self.target_scaler_ = TargetScaler(self.target).fit(numbers, targets)
        scale = start.scale
        if scale is not None:
            scale = self._keep_readout(network, start, graphs, numbers, targets)
        scaler = self.target_scaler_
        force_unit = 1.0
        if forces is not None:
            forces = np.concatenate(forces)
            force_unit = float(np.sqrt(np.nanmean(np.square(forces)))) or 1.0
            if scale is None:  # with forces their size is the natural scale of what an atom contributes, over 1 Å
                scaler.scale_ = np.array([force_unit])
        labels = {"y": ((targets - scaler.baseline(numbers)) / scaler.scale_).astype(np.float32)}
        loss = ("mse" if forces is None else "mae") if self.criterion == "auto" else self.criterion
        criterion_params = {"loss": loss, "unit": (scaler.spread_ / scaler.scale_).astype(np.float32)}
        if forces is not None:
            labels["forces"] = (forces / scaler.scale_).astype(np.float32)
            criterion_params["force_weight"] = float(self.force_weight)
            criterion_params["force_unit"] = force_unit / float(scaler.scale_[0])
        valid = self._train(
            network,
            graphs,
            labels,
            rng,
            GraphLoss,
            criterion_params,
            forces=forces is not None,
            known=None if known.all() else known,
        )
        self.validation_score_ = None
        if valid is not None:
            self.validation_score_ = known_r2(targets[valid], self._predict_graphs([graphs[i] for i in valid])[0])
        return self

    def predict(self, X):
        """Predict the targets.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the units and the shape of the y of `fit`; NaN for invalid structures if `graphs` lets them pass.
        """
        check_is_fitted(self)
        y, _ = self._predict_graphs(self._to_graphs(X, self.backbone_))
        return y.ravel() if self._y_ndim == 1 else y

    def predict_forces(self, X):
        """Predict forces: minus the derivative of the predicted energy, by automatic differentiation.

        They are conservative, whether or not the model was trained on forces.

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
            If the model has several targets, intensive ones, or no positions.
        """
        check_is_fitted(self)
        self._check_conservative(self.backbone_, self._n_energies)
        return self._predict_graphs(self._to_graphs(X, self.backbone_), forces=True)[1]

    def score(self, X, y, sample_weight=None):
        """Return R2, averaged over targets; missing labels are left out.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True targets. NaN is a missing label.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row.

        Returns
        -------
        score : float
        """
        y, predicted = self._check_y(y), self.predict(X)
        check_consistent_length(y, predicted)
        return known_r2(y, predicted, sample_weight)

    @property
    def reference_energies_(self):
        """Reference energies of the elements in the unit of y, ndarray of shape (119, n_targets) by atomic number."""
        return self.target_scaler_.reference_energies_

    def _keep_readout(self, network, start, graphs, numbers, targets):
        """Refit the references to what the trained readout leaves, or put a new one in its place; return its scale."""
        copy = evaluation_copy(network, resolve_device(self.device))
        outputs, _ = self._run(graphs, copy, n_outputs=targets.shape[1])
        scaler = TargetScaler(self.target).fit(numbers, targets, outputs * start.scale, start.scale)
        if start.fallback is not None and not (scaler.spread_ < self.target_scaler_.spread_).all():
            network.head = start.fallback
            self._network_config["network"]["fresh_readout"] = True
            return None
        self.target_scaler_ = scaler
        return start.scale

    def _predict_graphs(self, graphs, forces=False, network=None):
        scaler = self.target_scaler_
        outputs, gradients = self._run(graphs, network, n_outputs=scaler.scale_.size, forces=forces)
        there = [i for i, graph in enumerate(graphs) if graph is not None]
        numbers = [graphs[i].z.numpy() for i in there]
        if self.target == "extensive":
            unknown = scaler.unknown(numbers)
            if len(unknown):
                self._warn_of_elements([there[i] for i in unknown])
        y = outputs * scaler.scale_
        y[there] += scaler.baseline(numbers)
        return y, [None if part is None else part * scaler.scale_[0] for part in gradients]

    @property
    def _n_energies(self):
        return self.target_scaler_.scale_.size

    def _evaluation_network(self):
        return evaluation_copy(self.module_, resolve_device(self.device))

    def _strain_gradient(self, graph, network):
        device = resolve_device(self.device)
        return strain_gradient(network, graph, device) * self.target_scaler_.scale_[0]

    def _check_params(self):
        super()._check_params()
        if not isinstance(self.force_weight, Real) or not 0 <= self.force_weight < np.inf:
            raise ValueError(f"force_weight must be in [0, inf), got {self.force_weight!r}.")
        if self.criterion not in _CRITERIA and not callable(self.criterion):
            raise ValueError(
                f"criterion must be one of {', '.join(_CRITERIA)}, or a torch loss class, got {self.criterion!r}."
            )

    _check_y = NeuralRegressor._check_y
