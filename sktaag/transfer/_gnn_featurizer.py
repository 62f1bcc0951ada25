"""The states of a trained graph network, at every depth, as features."""

import warnings

import numpy as np
from ase.data import chemical_symbols
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sktaag.cache import cache_folder
from sktaag.graphs._batches import bounded
from sktaag.heads._torch_state import resolve_device
from sktaag.sources._graph_input import GraphInputMixin
from sktaag.sources._tokens import graph_tokens
from sktaag.transfer._depths import pick_depths
from sktaag.transfer._frozen_backbone import FrozenBackboneMixin
from sktaag.transfer._frozen_source import FrozenSourceMixin
from sktaag.transfer._graph_source import open_graph_source
from sktaag.transfer._pooling import check_pooling, pool_atoms

_CHUNK = 2**25  # numbers of the states that are in memory at once, 128 MB; pooling takes a few times as much


class GNNFeaturizer(FrozenSourceMixin, FrozenBackboneMixin, GraphInputMixin, TransformerMixin, BaseEstimator):
    """Frozen features of a graph network: the states of the atoms at chosen depths, pooled to one row a structure.

    The source is never fitted again; `fit` learns nothing but the names of the elements, if they are kept apart. What
    follows is any head of scikit-learn: `RidgeCV`, a Gaussian process, a forest.

    Parameters
    ----------
    source : fitted estimator, Pipeline, Backbone, str or path
        A fitted `sktaag.sources.GNNRegressor` (or any other estimator over graphs), a Pipeline that ends in one, its
        file, ``"folder#id"`` for a model in a library, the name of a backbone with pretrained weights, such as
        ``"chgnet"``, or a `sktaag.nn.Backbone` with weights. It is not changed, and clones share it.
    layers : int, list of int or "all", default="all"
        Which depths: k takes the last k, from L(-k) to L(-1); a list picks some of them by that number; "all" takes
        every one, from the embedding to the last block.
    pooling : str or sequence of {"mean", "std", "sum", "max"}, default=("mean", "std")
        How the states of the atoms become those of the structure; several are put side by side. Extensive targets such
        as energies want "sum".
    by_element : bool, default=False
        Pool the atoms of each element by themselves, as an energy with contributions of its own for each element
        does. Elements are those that `fit` sees; atoms of others are left out, with a warning.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Makes graphs of structures; it is cloned. None is that of the source.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps the states of each structure at all depths, so that a search over `layers` and `pooling` runs
        each structure through the source once.
    device : str or torch.device, default="auto"
        "auto" is CUDA where there is one, else the CPU. Batches are halved where a GPU runs out of memory.

    Attributes
    ----------
    backbone_ : sktaag.nn.Backbone
        The source's, on the CPU.
    graphs_ : AtomGraphs or MoleculeGraphs
        The fitted transformer of structures.
    elements_ : ndarray of int
        Atomic numbers, with `by_element`.
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    InvalidRowsError
        If structures cannot be read, unless `graphs` lets them pass; then their rows are NaN.
    NotFittedError
        In `fit`, if the source is not fitted.
    ValueError
        In `fit`, if the source has fewer depths than asked for, or a parameter is out of its range.

    See Also
    --------
    FrozenFeaturizer : The same for networks over descriptors.
    TAAGFeaturizer : Depths weighed as the target asks.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktaag.sources import GNNRegressor
    >>> from sktaag.transfer import GNNFeaturizer
    >>> names = ["H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO"]
    >>> X = [molecule(name) for name in names]
    >>> energies = [-14.2, -24.0, -19.5, -40.5, -30.2, -31.9, -22.9, -22.1]  # eV
    >>> source = GNNRegressor("schnet", module__n_layers=2, module__n_features=16, max_epochs=5, random_state=0)
    >>> featurizer = GNNFeaturizer(source.fit(X, energies), layers=2, pooling=["mean", "max"])
    >>> featurizer.fit_transform(X).shape  # two depths, two pools, 16 channels
    (8, 64)
    >>> featurizer.get_feature_names_out()[[0, -1]]
    array(['L(-2)_mean_1', 'L(-1)_max_16'], dtype=object)
    >>> model = make_pipeline(featurizer, Ridge()).fit(X, energies)
    """

    def __init__(
        self,
        source,
        layers="all",
        *,
        pooling=("mean", "std"),
        by_element=False,
        graphs=None,
        cache=None,
        device="auto",
    ):
        self.source = source
        self.layers = layers
        self.pooling = pooling
        self.by_element = by_element
        self.graphs = graphs
        self.cache = cache
        self.device = device

    def fit(self, X, y=None):
        """Open the source and check that it has the depths.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        y : None
            Ignored.

        Returns
        -------
        self : GNNFeaturizer
        """
        self._open(X)
        return self

    def fit_transform(self, X, y=None):
        """Open the source and run X through it; structures become graphs once.

        Parameters
        ----------
        X, y : object
            As in `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
        """
        return self._features(self._open(X))

    def transform(self, X):
        """Run X through the source.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            float32; rows of NaN for invalid structures if `graphs` lets them pass.
        """
        check_is_fitted(self)
        return self._features(self._to_graphs(X, self.backbone_))

    def get_feature_names_out(self, input_features=None):
        """Name the columns ``L(-k)_pool_j``, or ``L(-k)_pool_element_j``.

        Parameters
        ----------
        input_features : None
            Ignored; there as in every transformer of scikit-learn.

        Returns
        -------
        names : ndarray of str, of shape (n_features_out,)
        """
        check_is_fitted(self)
        parts = [f"_{chemical_symbols[z]}" for z in self.elements_] if self.by_element else [""]
        names = [
            f"L(-{self.backbone_.n_layers + 1 - depth})_{pool}{part}_{j}"
            for depth in self._picked
            for pool in check_pooling(self.pooling)
            for part in parts
            for j in range(1, self.backbone_.n_features + 1)
        ]
        return np.array(names, dtype=object)

    def _open(self, X):
        check_pooling(self.pooling)
        cache_folder(self.cache)
        start = open_graph_source(self.source)
        self.backbone_ = start.backbone.eval().requires_grad_(False)
        self._picked = pick_depths(self.layers, self.backbone_.n_layers + 1)
        graphs = self._fit_graphs(X, start)
        if self.by_element:
            numbers = [graph.z.numpy() for graph in graphs if graph is not None]
            self.elements_ = np.unique(np.concatenate(numbers or [[]])).astype(int)
        return graphs

    def _features(self, graphs):
        device = resolve_device(self.device)
        backbone = self.backbone_.to(device)
        n_parts = len(self.elements_) if self.by_element else 1
        width = len(self._picked) * len(check_pooling(self.pooling)) * n_parts * backbone.n_features
        rows = np.full((len(graphs), width), np.nan, np.float32)
        try:
            for chunk in bounded(graphs, _CHUNK // ((backbone.n_layers + 1) * backbone.n_features)):
                rows[chunk] = self._pooled(backbone, [graphs[i] for i in chunk], device, n_parts)
        finally:
            self.backbone_.cpu()
        if self.by_element:
            self._warn_of_elements(graphs)
        return rows

    def _pooled(self, backbone, graphs, device, n_parts):
        tokens = graph_tokens(backbone, graphs, device, self.cache)
        states = np.concatenate(tokens)[:, self._picked]  # (n_atoms, depths, channels)
        group = np.repeat(np.arange(len(graphs)), [len(part) for part in tokens])
        if self.by_element:
            numbers = np.concatenate([graph.z.numpy() for graph in graphs])
            known = np.isin(numbers, self.elements_)
            states, group = states[known], group[known] * n_parts + np.searchsorted(self.elements_, numbers[known])
        pooled = pool_atoms(states, group, len(graphs) * n_parts, check_pooling(self.pooling))
        by_part = pooled.reshape(len(graphs), n_parts, *pooled.shape[1:])  # (graphs, parts, pools, depths, channels)
        return by_part.transpose(0, 3, 2, 1, 4).reshape(len(graphs), -1)

    def _warn_of_elements(self, graphs):
        known = set(self.elements_)
        found = {
            i: sorted(set(graph.z.tolist()) - known)
            for i, graph in enumerate(graphs)
            if graph is not None and not set(graph.z.tolist()) <= known
        }
        if found:
            row, numbers = next(iter(found.items()))
            symbols = ", ".join(chemical_symbols[z] for z in numbers)
            warnings.warn(
                f"{len(found)} structures have elements that fit did not see (row {row}: {symbols}); their atoms are "
                "left out.",
                stacklevel=4,
            )
