"""What a network learned on a source property, as features for a target property."""

import reprlib
from copy import copy
from numbers import Integral

import joblib
import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from sktaag.cache import RowCache, cache_folder, content_key, decode_rows, encode_rows
from sktaag.structures import InvalidRowsError, as_column, handle_invalid
from sktaag.transfer._chain import Chain
from sktaag.transfer._drawing import draw_beside, drawn_sources
from sktaag.transfer._frozen_source import FrozenSourceMixin
from sktaag.transfer._named_sources import for_file, parts_of


class FrozenFeaturizer(FrozenSourceMixin, TransformerMixin, BaseEstimator):
    """Hidden layers of a fitted source network as features.

    The recipe of XenonPy.MDL [1]_: a network is trained where data are plenty, and its last hidden layers describe
    the few samples of the target. The source is never fitted again: `fit` learns nothing, and `clone` keeps the
    fitted source, as `sklearn.frozen.FrozenEstimator` does.

    Parameters
    ----------
    source : fitted Pipeline, network or ensemble, torch.nn.Module, path, or a list, dict or DataFrame of these
        A source is a whole chain: with a Pipeline that begins at structures, X is a column of structures; with a bare
        network, X is the numeric array that the network was fitted on. A graph network reads structures too; its hidden
        layers are the means over the atoms after each block, and `GNNFeaturizer` has other ways to pool. One that
        others trained goes by its name, such as ``"chgnet"``, or is a `sktaag.nn.Backbone` with its own readout. A path
        is a file written by `sktaag.sources.save_source`, or a model in a `sktaag.sources.ModelLibrary`; a DataFrame is
        what `search` of a library returns. Several sources stand side by side, each under a name: the key of the dict,
        property and unit in the library, the stem of the path, or the place in the list.
    layers : int, list of int, "all" or "output", default=1
        Which hidden layers: k takes the last k, from L(-k) to L(-1); a list picks some of them by that number; "all"
        takes every one; "output" is the predicted property itself (probabilities for a classifier). The properties that
        several sources predict are a fingerprint in words and units.
    member : int, list of int, "all" or None, default=None
        Which network to take, if the source is a `sktaag.sources.PyramidEnsemble` or a Pipeline that ends in one.
        Several stand side by side; "all" leaves out those whose training diverged.
    activation : {"pre", "post"}, default="pre"
        Values before the batch norm and activation function of each layer, as in XenonPy, or after them.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps all layers of each structure, so that a search over `layers` and heads runs each structure
        through each source once.

    Attributes
    ----------
    n_features_in_ : int
        1 for a column of structures.
    reads_structures_ : bool
        Whether X is a column of structures.

    Raises
    ------
    InvalidRowsError
        In `transform`, if structures cannot be read and the source's own `on_invalid` is "raise"; with "nan" their
        rows are NaN.
    NotFittedError
        In `fit`, if a source is not fitted.
    ValueError
        In `fit`, if a source has fewer layers than asked for, sources do not go together, `member` is given without an
        ensemble or missing with one, or a network of others has no weights or no readout.

    See Also
    --------
    sktaag.sources.PyramidRegressor : Trains source networks.
    sklearn.frozen.FrozenEstimator : The same idea for any estimator.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.linear_model import Ridge
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.sources import PyramidRegressor
    >>> from sktaag.transfer import FrozenFeaturizer
    >>> alkanes, boiling_points = ["C" * n for n in range(1, 9)], [112, 185, 231, 273, 309, 342, 372, 399]  # K
    >>> network = PyramidRegressor(hidden=(8, 4), max_epochs=3, random_state=0)
    >>> source = make_pipeline(Fingerprints(counts=True), network).fit(alkanes, boiling_points)
    >>> model = make_pipeline(FrozenFeaturizer(source, layers=2), Ridge())
    >>> model = model.fit(["CCO", "CCCO", "CCCCO"], [351.0, 370.0, 391.0])
    >>> model[0].get_feature_names_out()[[0, -1]]
    array(['L(-2)_1', 'L(-1)_4'], dtype=object)

    Predicted properties as features:

    >>> several = FrozenFeaturizer({"boiling point (K)": source, "the same again (K)": source}, layers="output")
    >>> several.fit(alkanes).get_feature_names_out()
    array(['boiling point (K)', 'the same again (K)'], dtype=object)
    """

    def __init__(self, source, layers=1, *, member=None, activation="pre", cache=None):
        self.source = source
        self.layers = layers
        self.member = member
        self.activation = activation
        self.cache = cache

    def fit(self, X, y=None):
        """Open the sources and check that they have the layers; nothing is learned.

        Parameters
        ----------
        X : column of structures, or array of shape (n_samples, n_features)
            What the source takes.
        y : None
            Ignored.

        Returns
        -------
        self : FrozenFeaturizer
        """
        if self.activation not in ("pre", "post"):
            raise ValueError(f'activation must be "pre" or "post", got {self.activation!r}.')
        cache_folder(self.cache)
        source, member, chains = vars(self).get("_opened", (None, None, {}))
        if not chains or source is not self.source or member is not self.member:
            parts, libraries = parts_of(self.source, self.member), {}
            chains = {name: Chain(*part, libraries) for name, part in parts.items()}
        self._chains = chains
        kinds = {chain.reads_structures for chain in self._chains.values()}
        if len(kinds) != 1:
            raise ValueError("Some sources take structures and some take numeric arrays; use those of one kind.")
        self.reads_structures_ = kinds.pop()
        self._picked = {name: self._pick(chain, name) for name, chain in self._chains.items()}
        self.n_features_in_ = 1 if self.reads_structures_ else self._check_input(X).shape[1]
        if self.reads_structures_:
            as_column(X)
        return self

    def transform(self, X):
        """Run X through the sources.

        Parameters
        ----------
        X : column of structures, or array of shape (n_samples, n_features)
            What the source takes.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            float32, in the order of X.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        blocks, invalid = [], {}
        described = {} if len(self._chains) > 1 else None  # sources of the same descriptors compute them once
        for name, chain in self._chains.items():
            layers, failures = self._all_layers(chain, X, described)
            invalid |= {row: (row, value, reason) for row, value, reason in failures}
            ends = np.cumsum(chain.widths)
            blocks += [layers[:, ends[i] - chain.widths[i] : ends[i]] for i in self._picked[name]]
        handle_invalid([invalid[row] for row in sorted(invalid)], X.shape[0], "nan")
        return np.concatenate(blocks, axis=1)

    def get_feature_names_out(self, input_features=None):
        """Name the columns ``L(-k)_j`` as XenonPy does, j from 1, or ``output_j``.

        With several sources it is ``name__L(-k)_j``, and a predicted property has the name of its source, with ``_j``
        only if the source predicts several.

        Parameters
        ----------
        input_features : None
            Ignored; there as in every transformer of scikit-learn.

        Returns
        -------
        names : ndarray of str, of shape (n_features_out,)
        """
        check_is_fitted(self)
        names = []
        for name, chain in self._chains.items():
            n_hidden = len(chain.widths) - 1
            for i in self._picked[name]:
                if i == n_hidden and name and chain.widths[i] == 1:
                    names.append(name)
                    continue
                label = (name or "output") if i == n_hidden else f"{name and f'{name}__'}L(-{n_hidden - i})"
                names += [f"{label}_{j}" for j in range(1, chain.widths[i] + 1)]
        return np.asarray(names, dtype=object)

    def cache_name(self):
        """Name of the rows that this featurizer makes: its fitted sources and the parameters that change them."""
        check_is_fitted(self)
        sources = {name: chain.key for name, chain in self._chains.items()}
        return f"{type(self).__name__}-{joblib.hash((sources, self._picked, self.activation))}"

    def _take_opened(self, chains):
        """Let `fit`, of clones too, take the chains that another featurizer has opened from this source."""
        self._opened = (self.source, self.member, chains)
        return self

    def __sklearn_clone__(self):
        other = super().__sklearn_clone__()
        if hasattr(self, "_opened"):
            other._opened = self._opened
        return other

    def _sk_visual_block_(self):
        return draw_beside(drawn_sources(self.source))

    def _for_file(self):
        other = copy(self)
        vars(other).pop("_opened", None)
        other.source = for_file(self.source)
        return other

    def _pick(self, chain, name):
        """Positions in `chain.widths` of the layers asked for, in the order of the network."""
        n_hidden = len(chain.widths) - 1
        if isinstance(self.layers, str) and self.layers in ("all", "output"):
            return list(range(n_hidden)) if self.layers == "all" else [n_hidden]
        depths = range(1, self.layers + 1) if isinstance(self.layers, Integral) else self.layers
        if not isinstance(depths, (list, tuple, range, np.ndarray)):
            raise ValueError(f'layers must be an integer, a list of integers, "all" or "output", got {self.layers!r}.')
        for depth in depths:
            if not isinstance(depth, Integral) or not 1 <= depth <= n_hidden:
                raise ValueError(
                    f"layers={self.layers!r} asks for hidden layer {depth!r}, counted from the last one; "
                    f"{f'source {name!r}' if name else 'the source'} has {n_hidden}."
                )
        if len(depths) == 0:
            raise ValueError(f"layers={self.layers!r} picks no layer.")
        return sorted({n_hidden - depth for depth in depths})

    def _check_input(self, X):
        if self.reads_structures_:
            return as_column(X)
        columns = list(getattr(X, "columns", ()))
        for chain in self._chains.values():
            if columns and chain.feature_names is not None and columns != chain.feature_names.tolist():
                raise ValueError(
                    "X must have the columns that the source was fitted on, in their order: "
                    f"{reprlib.repr(chain.feature_names.tolist())}, got {reprlib.repr(columns)}."
                )
        return check_array(X, accept_sparse="csr", dtype=(np.float32, np.float64))

    def _all_layers(self, chain, X, described=None):
        """Every layer of every row, from the cache where it is known, and the rows that are invalid."""
        folder = cache_folder(self.cache)
        if folder is None:
            return chain.hidden(X, self.activation, described)
        keys = _keys(X)
        failed = {}

        def compute(missing):
            of_missing = None if described is None else described.setdefault(tuple(missing), {})
            layers, invalid = chain.hidden(X[missing], self.activation, of_missing)
            rows = encode_rows(layers)
            for row, _, reason in invalid:
                failed[keys[missing[row]]] = reason
                rows[row] = None
            return rows

        cache = RowCache(folder, f"{type(self).__name__}-{self.activation}-{chain.key}")
        try:
            rows = cache.rows(keys, list(range(X.shape[0])), compute)
        except InvalidRowsError as error:  # its row numbers are those of the missing rows, not of X
            reasons = {content_key(value): reason for _, value, reason in error.rows}
            bad = [(i, X[i], reasons[key]) for i, key in enumerate(keys) if key in reasons]
            raise InvalidRowsError(bad, X.shape[0]) from None
        layers = decode_rows(rows, sum(chain.widths), np.dtype(np.float32))
        invalid = [(i, X[i], failed[keys[i]]) for i, row in enumerate(rows) if row is None]
        layers[[i for i, _, _ in invalid]] = np.nan
        return layers, invalid

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.no_validation = True
        return tags


def _keys(X):
    if X.ndim == 1:
        return [content_key(structure) for structure in X]
    rows = X.toarray() if issparse(X) else X
    return [content_key(np.ascontiguousarray(row).tobytes()) for row in rows]
