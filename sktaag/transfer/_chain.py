"""Open a fitted source: what prepares its input, which network sits at its end, what its rows are keyed by."""

import copy
import warnings
from hashlib import blake2b
from pathlib import Path

import joblib
import numpy as np
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
from sktaag.sources import load_source
from sktaag.structures import InvalidRowsWarning


class Chain:
    """One fitted source, from its X to its hidden layers.

    Parameters
    ----------
    source : Pipeline, fitted network, torch.nn.Module, FrozenEstimator or path
        As the `source` of `FrozenFeaturizer`.

    Attributes
    ----------
    steps : list of transformers
        What comes before the network.
    network : object
        Fitted network estimator or torch module.
    reads_structures : bool
        Whether X is a column of structures rather than a numeric array.
    widths : list of int
        Number of units of each hidden layer, first to last, then of the output.
    """

    def __init__(self, source):
        if isinstance(source, (str, Path)):
            source = load_source(source)
        source = _thaw(source)
        *steps, network = [step for _, step in source.steps] if isinstance(source, Pipeline) else [source]
        self.steps = [_thaw(step) for step in steps if step is not None and step != "passthrough"]
        self.network = _open_network(_thaw(network))
        self.reads_structures = bool(self.steps) and _reads_structures(self.steps[0])
        zeros = np.zeros((1, _n_inputs(self.network)), np.float32)
        self.widths = [layer.shape[1] for layer in self._layers(zeros, "pre")]

    def key(self):
        """Digest of everything that decides the rows: weights, learned state and parameters of every step."""
        digest = blake2b(digest_size=16)
        for step in [*self.steps, self.network]:
            digest.update(_state(step))
        return digest.hexdigest()

    def hidden(self, X, activation):
        """Compute the hidden layers and the prediction.

        Parameters
        ----------
        X : column of structures or array of shape (n_samples, n_features)
        activation : {"pre", "post"}

        Returns
        -------
        layers : ndarray of shape (n_samples, sum(widths)) and dtype float32
            First hidden layer to last, then the output. Rows of invalid structures are NaN.
        invalid : list of (int, object, str)
            Row number, value and reason of the structures that the source turns into NaN.
        """
        X, invalid = self._prepare(X)
        valid = np.setdiff1d(np.arange(X.shape[0]), [row for row, _, _ in invalid])
        layers = np.full((X.shape[0], sum(self.widths)), np.nan, np.float32)
        if len(valid) > 0:
            X = X if len(valid) == X.shape[0] else X[valid]
            layers[valid] = np.concatenate(self._layers(X, activation), axis=1)
        return layers, invalid

    def _prepare(self, X):
        """Run the steps before the network and collect the structures that became NaN."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InvalidRowsWarning)
            for step in self.steps:
                X = step.transform(X)
        invalid = []
        for warning in caught:
            if isinstance(warning.message, InvalidRowsWarning):
                invalid += warning.message.rows
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return (X.tocsr() if issparse(X) else np.asarray(X)), invalid

    def _layers(self, X, activation):
        if not isinstance(self.network, torch.nn.Module):
            predict = getattr(self.network, "predict_proba", self.network.predict)
            return [*self.network.hidden_outputs(X, activation=activation), predict(X).reshape(X.shape[0], -1)]
        weight = next(self.network.parameters())
        batch = torch.as_tensor(X.toarray() if issparse(X) else X, dtype=weight.dtype, device=weight.device)
        hidden = linear_outputs(self.network, batch, activation=activation)
        with torch.no_grad():
            output = self.network(batch).reshape(len(batch), -1)
        return [layer.cpu().numpy() for layer in (*hidden, output)]


def _thaw(estimator):
    """Unwrap what only protects an estimator from being fitted again."""
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def _open_network(network):
    """Check that a network is fitted; a torch module is copied, so that training it further changes no features."""
    if isinstance(network, NeuralNet):
        network.check_is_fitted(["module_"])
        network = network.module_
    if isinstance(network, torch.nn.Module):
        return copy.deepcopy(network).eval()
    if not hasattr(network, "hidden_outputs"):
        raise TypeError(
            f"The source ends in {type(network).__name__}, which has no hidden layers. End it in a PyramidRegressor, "
            "a PyramidClassifier, a NeuralRegressor, a NeuralClassifier, a skorch net or a torch module."
        )
    try:
        check_is_fitted(network)
    except NotFittedError as error:
        raise NotFittedError(
            f"The source ends in a {type(network).__name__} that is not fitted. Fit the source first. If you did: "
            "GridSearchCV clones the values of its grid, and a clone is unfitted; write FrozenEstimator(source) "
            "(sklearn.frozen) or FrozenFeaturizer(source) in the grid."
        ) from error
    return network


def _n_inputs(network):
    if not isinstance(network, torch.nn.Module):
        return network.n_features_in_
    return next((part.in_features for part in network.modules() if isinstance(part, torch.nn.Linear)), 1)


def _reads_structures(step):
    if isinstance(step, Pipeline):
        return _reads_structures(step.steps[0][1])
    if isinstance(step, FeatureUnion):
        return any(_reads_structures(part) for _, part in step.transformer_list)
    return isinstance(step, StructureTransformer)


def _state(step):
    """Bytes that tell two fitted steps apart in every process."""
    if isinstance(step, StructureTransformer):
        return step.cache_name().encode()
    if isinstance(step, Pipeline):
        return b"".join(_state(part) for _, part in step.steps)
    if isinstance(step, FeatureUnion):
        return b"".join(_state(part) for _, part in step.transformer_list)
    if isinstance(step, torch.nn.Module):
        weights = {name: tensor.cpu().numpy() for name, tensor in step.state_dict().items()}
        return joblib.hash((repr(step), weights)).encode()
    if hasattr(step, "hidden_outputs"):
        scalers = {name: value for name, value in vars(step).items() if isinstance(value, TransformerMixin)}
        return _state(step.module_) + joblib.hash((type(step).__name__, scalers)).encode()
    return joblib.hash(step).encode()
