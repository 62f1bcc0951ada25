"""Open a fitted source: what prepares its input, which network sits at its end, what its rows are keyed by."""

import copy
import io
import pickle
import warnings
from functools import cached_property
from hashlib import blake2b

import joblib
import numpy as np
import pandas as pd
import sklearn
import torch
from scipy.sparse import issparse
from sklearn.base import TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet

from sktaag.base import StructureTransformer
from sktaag.nn import linear_outputs
from sktaag.sources._graph_estimator import GraphEstimator
from sktaag.sources._graph_input import GraphReader
from sktaag.sources._graph_networks import own_tensors
from sktaag.sources._shotgun_ensemble import ShotgunEnsemble
from sktaag.structures import InvalidRowsWarning
from sktaag.transfer._named_sources import open_source


class Chain:
    """One fitted source, from its X to its hidden layers.

    Parameters
    ----------
    source : Pipeline, fitted network, torch.nn.Module, FrozenEstimator or path
        As the `source` of `FrozenFeaturizer`.
    member : int or None, default=None
        Which network of a `PyramidEnsemble`.
    libraries : dict of ModelLibrary or None, default=None
        As those of `open_source`; chains that are opened one after another share them.

    Attributes
    ----------
    steps : list of transformers
        What comes before the network.
    network : object
        Fitted network estimator or torch module.
    reads_structures : bool
        Whether X is a column of structures rather than a numeric array.
    reads_graphs : bool
        Whether the network reads graphs rather than rows of numbers.
    feature_names : ndarray of str or None
        Names of the columns of X, if the source was fitted on a frame.
    widths : list of int
        Number of units of each hidden layer, first to last, then of the output.
    """

    def __init__(self, source, member=None, libraries=None):
        *steps, network = flatten(open_source(source, {} if libraries is None else libraries))
        if member is not None or isinstance(network, ShotgunEnsemble):
            network = _pick_member(network, member)
        self.steps = copy.deepcopy(steps)
        self.network = _open_network(network)
        self.reads_graphs = isinstance(self.network, GraphEstimator)
        if self.reads_graphs:
            self.steps.append(GraphReader(self.network))
        self.reads_structures = bool(self.steps) and _reads_structures(self.steps[0])
        self.feature_names = getattr([*self.steps, self.network][0], "feature_names_in_", None)
        self.widths = _widths(self.network)

    @cached_property
    def key(self):
        """Digest of everything that decides the rows: weights, learned state and parameters of every step."""
        digest = blake2b(digest_size=16)
        for step in [*self.steps, self.network]:
            digest.update(_state(step))
        return digest.hexdigest()

    def __getstate__(self):
        # the key names versions of libraries, too, and those may be others where a pickle is opened
        return {name: value for name, value in vars(self).items() if name != "key"}

    def hidden(self, X, activation, described=None):
        """Compute the hidden layers and the prediction.

        Parameters
        ----------
        X : column of structures or array of shape (n_samples, n_features)
        activation : {"pre", "post"}
        described : dict or None, default=None
            Descriptors of the same X that other chains have computed, and where this one leaves its own.

        Returns
        -------
        layers : ndarray of shape (n_samples, sum(widths)) and dtype float32
            First hidden layer to last, then the output. Rows of invalid structures are NaN.
        invalid : list of (int, object, str)
            Row number, value and reason of the structures that the source turns into NaN.
        """
        n_rows = X.shape[0]
        X, valid, invalid = self._prepare(X, described)
        layers = np.full((n_rows, sum(self.widths)), np.nan, np.float32)
        if len(valid) > 0:
            layers[valid] = np.concatenate(self._layers(X, activation), axis=1)
        return layers, invalid

    def _prepare(self, X, described):
        """Run the steps before the network; rows that become NaN leave at once, for few steps can take them."""
        valid, invalid = np.arange(X.shape[0]), []
        for i, step in enumerate(self.steps):
            X, rows = _transform(step, X) if i > 0 else self.describe(X, described)
            if rows:
                invalid += [(int(valid[row]), value, reason) for row, value, reason in rows]
                left = np.setdiff1d(np.arange(len(valid)), [row for row, _, _ in rows])
                X, valid = (X.iloc[left] if hasattr(X, "iloc") else X[left]), valid[left]
            if len(valid) == 0:
                break
        return (X.tocsr() if issparse(X) else X), valid, invalid

    def describe(self, X, described=None):
        """Run the first step.

        Parameters
        ----------
        X : column of structures or array of shape (n_samples, n_features)
        described : dict or None, default=None
            As in `hidden`.

        Returns
        -------
        X : array, sparse matrix or DataFrame
        invalid : list of (int, object, str)
            Row number, value and reason of each structure that is NaN now.
        """
        step = self.steps[0]
        if described is None or not isinstance(step, (StructureTransformer, GraphReader)):
            return _transform(step, X)
        key = (step.cache_name(), step.on_invalid, str(getattr(step, "_sklearn_output_config", None)))
        if key not in described:
            described[key] = _transform(step, X)
        X, rows = described[key]
        return copy.deepcopy(X), rows  # a scaler may be allowed to work in place

    def _layers(self, X, activation):
        if not isinstance(self.network, torch.nn.Module):
            X, predict = _named(X, self.network), getattr(self.network, "predict_proba", self.network.predict)
            return [*self.network.hidden_outputs(X, activation=activation), predict(X).reshape(X.shape[0], -1)]
        weight = next(self.network.parameters())
        # a copy, for torch warns of arrays that it could not write to
        batch = torch.tensor(X.toarray() if issparse(X) else np.asarray(X), dtype=weight.dtype, device=weight.device)
        hidden = linear_outputs(self.network, batch, activation=activation)
        with torch.no_grad():
            output = self.network(batch).reshape(len(batch), -1)
        return [layer.cpu().numpy() for layer in (*hidden, output)]


def flatten(estimator):
    """List the steps of nested Pipelines, without what only protects an estimator from being fitted again."""
    if isinstance(estimator, FrozenEstimator):
        return flatten(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return [part for _, step in estimator.steps for part in flatten(step)]
    return [] if estimator is None or isinstance(estimator, str) else [estimator]


def _pick_member(ensemble, member):
    if not isinstance(ensemble, ShotgunEnsemble):
        raise ValueError(
            f"member={member!r} picks from a PyramidEnsemble; the source ends in {type(ensemble).__name__}."
        )
    if member is None:
        raise ValueError(
            f"The source ends in an ensemble of {len(ensemble)} networks. Set member to the number of one; "
            "members_ of the ensemble lists them. A SourceSearchCV takes the ensemble itself as its sources."
        )
    return ensemble[member]


def _transform(step, X):
    """Run one step and return what it gives and the invalid rows that it warned of."""
    rows = []
    # a fitted source must not depend on what others ask scikit-learn for
    with warnings.catch_warnings(record=True) as caught, sklearn.config_context(transform_output="default"):
        warnings.simplefilter("always", InvalidRowsWarning)
        X = step.transform(_named(X, step))
    for warning in caught:
        if isinstance(warning.message, InvalidRowsWarning):
            rows += warning.message.rows
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return X, rows


def _named(X, estimator):
    """Give an array the column names that an estimator was fitted with."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or hasattr(X, "columns"):
        return X
    return pd.DataFrame(X.toarray() if issparse(X) else X, columns=names)


def _open_network(network):
    """Check that a network is fitted, and copy it: the features stay if the user trains or fits it again."""
    if isinstance(network, NeuralNet):
        network.check_is_fitted(["module_"])
        network = network.module_
    if isinstance(network, torch.nn.Module):
        return copy.deepcopy(network).eval()
    if not hasattr(network, "hidden_outputs"):
        raise TypeError(
            f"The source ends in {type(network).__name__}, which has no hidden layers. End it in a PyramidRegressor, "
            "a PyramidClassifier, a NeuralRegressor, a NeuralClassifier, a GNNRegressor, a GNNClassifier, a skorch net "
            "or a torch module. Of a ModelLibrary, search(hidden='*') finds networks alone."
        )
    try:
        check_is_fitted(network)
    except NotFittedError as error:
        raise NotFittedError(
            f"The source ends in a {type(network).__name__} that is not fitted. Fit the source first. If you did: "
            "GridSearchCV clones the values of its grid, and a clone is unfitted; write FrozenEstimator(source) "
            "(sklearn.frozen) or FrozenFeaturizer(source) in the grid."
        ) from error
    return copy.copy(network)  # shallow, for `fit` puts a new net in place of the old one


def _widths(network):
    """Count the units of each hidden layer and of the output, by a row of zeros where they are not known."""
    if isinstance(network, GraphEstimator):
        return [*network.hidden_sizes_, network.n_outputs_]
    module = network if isinstance(network, torch.nn.Module) else network.module_
    n_inputs = getattr(network, "n_features_in_", None) or next(
        (part.in_features for part in module.modules() if isinstance(part, torch.nn.Linear)), 1
    )
    weight = next(module.parameters())
    zeros = torch.zeros((1, n_inputs), dtype=weight.dtype, device=weight.device)
    hidden = [layer.shape[1] for layer in linear_outputs(module, zeros)]
    if hasattr(network, "classes_"):
        return [*hidden, len(network.classes_)]
    training = [part for part in module.modules() if part.training]
    with torch.no_grad():
        output = module.eval()(zeros)
    for part in training:  # it is the user's own module
        part.training = True
    return [*hidden, output.reshape(1, -1).shape[1]]


def _reads_structures(step):
    if isinstance(step, Pipeline):
        return _reads_structures(step.steps[0][1])
    if isinstance(step, FeatureUnion):
        return any(_reads_structures(part) for _, part in step.transformer_list)
    return getattr(step, "reads_structures_", False)


def _state(step):
    """Bytes that tell two fitted steps apart in every process."""
    if hasattr(step, "cache_name"):
        return step.cache_name().encode()
    if isinstance(step, Pipeline):
        return b"".join(_state(part) for _, part in step.steps)
    if isinstance(step, FeatureUnion):
        return b"".join(_state(part) for _, part in step.transformer_list)
    if isinstance(step, torch.nn.Module):
        weights = {name: tensor.cpu().contiguous().numpy() for name, tensor in step.state_dict().items()}
        return joblib.hash((repr(step), weights)).encode()
    if isinstance(step, GraphEstimator):
        config, weights = step._network_config, own_tensors(step.module_)
        scaler = vars(step.target_scaler_) if hasattr(step, "target_scaler_") else None
        return joblib.hash((config, {name: tensor.cpu().numpy() for name, tensor in weights.items()}, scaler)).encode()
    if hasattr(step, "hidden_outputs"):
        scalers = {name: value for name, value in vars(step).items() if isinstance(value, TransformerMixin)}
        return _state(step.module_) + joblib.hash((type(step).__name__, scalers)).encode()
    return joblib.hash(_in_c_order(step)).encode()


def _in_c_order(step):
    """Copy a step with all arrays in C order: joblib hashes their layout, which changes in copies and pickles."""
    content = io.BytesIO()
    try:
        _ArrayPickler(content).dump(step)
    except Exception as error:
        raise TypeError(
            f"{type(step).__name__}, a step of the source, cannot be pickled ({error}), so that a cache cannot tell it "
            "from others. Set cache=None or build the step of importable functions."
        ) from error
    return pickle.loads(content.getvalue())


class _ArrayPickler(pickle.Pickler):
    def reducer_override(self, obj):
        if type(obj) is np.ndarray and not obj.dtype.hasobject:
            return _array, (obj.tobytes(), obj.dtype, obj.shape)
        return NotImplemented


def _array(content, dtype, shape):
    return np.frombuffer(content, dtype).reshape(shape)
