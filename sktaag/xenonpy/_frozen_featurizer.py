"""XenonPy's FrozenFeaturizer."""

import copy
import warnings
from numbers import Integral

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin

from sktaag.heads._torch_state import resolve_device
from sktaag.nn import linear_outputs
from sktaag.xenonpy._on_errors import check_on_errors, handle_errors

_RETURN_TYPES = ("any", "array", "df", "custom")


class FrozenFeaturizer(TransformerMixin, BaseEstimator):
    """Hidden layers of a torch network as features, by XenonPy's names.

    The features are the outputs of the linear layers, before dropout, batch norm and activation. The network runs in
    evaluation mode whatever its mode was, and neither it nor the featurizer is changed. `transform` needs no `fit`.

    Parameters
    ----------
    model : torch.nn.Module
        Source network of at least two linear layers; the last one is the output.
    cuda : bool, str or torch.device, default=False
        Device to run on: True is the default GPU, False the CPU. The network itself stays where it is.
    depth : int or None, default=None
        Take the last `depth` hidden layers, L(-depth) to L(-1). None takes all of them; so does a number that is too
        large, with a warning.
    n_layer : int or None, default=None
        Of these layers, take the first `n_layer` from the input side. None takes all of them; so does a number that
        is too large, with a warning.
    on_errors : {"raise", "nan", "keep"}, default="raise"
        What to do with rows of X that are not finite: raise one error that names them all, make them NaN and warn, or
        put the exception in place of every feature.
    return_type : {"any", "array", "df", "custom"}, default="any"
        "any" returns a DataFrame for a DataFrame, with its index, and an array for all else. "custom" is an array.
    target_col : list of str or None, default=None
        Columns of a DataFrame to use; None is all of them.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns that the network takes.

    Raises
    ------
    TypeError
        In `fit` and `transform`, if `model` is no torch module.
    ValueError
        If it has no hidden layer, or `depth` or `n_layer` is not positive.

    See Also
    --------
    sktaag.transfer.FrozenFeaturizer : The same for whole chains that begin at structures, with a cache.

    Notes
    -----
    XenonPy's own class refuses lists, gives random features once somebody calls ``model.train()``, never moves its
    input to the GPU, keeps `on_errors` without using it, and forgets ``depth=None`` after the first call.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktaag.xenonpy import FrozenFeaturizer, SequentialLinear
    >>> model = SequentialLinear(4, 1, h_neurons=(3, 2))
    >>> descriptors = pd.DataFrame(0.0, index=["NaCl", "KCl"], columns=list("abcd"))
    >>> FrozenFeaturizer(model).transform(descriptors, depth=1, return_type="df").shape
    (2, 2)
    >>> FrozenFeaturizer(model, depth=2, n_layer=1).get_feature_names_out().tolist()
    ['L(-2)_1', 'L(-2)_2', 'L(-2)_3']
    """

    def __init__(
        self,
        model=None,
        *,
        cuda=False,
        depth=None,
        n_layer=None,
        on_errors="raise",
        return_type="any",
        target_col=None,
    ):
        self.model = model
        self.cuda = cuda
        self.depth = depth
        self.n_layer = n_layer
        self.on_errors = on_errors
        self.return_type = return_type
        self.target_col = target_col

    def fit(self, X, y=None):
        """Check the parameters and the width of X; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Descriptors, as the network was trained on.
        y : None
            Ignored.

        Returns
        -------
        self : FrozenFeaturizer
        """
        check_on_errors(self.on_errors)
        _check_return_type(self.return_type)
        self._names(self.depth, self.n_layer)
        self.n_features_in_ = self._values(X, self.target_col)[0].shape[1]
        return self

    def transform(self, X, *, return_type=None, target_col=None, depth=None, n_layer=None):
        """Run X through the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Descriptors, as the network was trained on.
        return_type, target_col, depth, n_layer : default=None
            In place of the constructor's, for this call alone.

        Returns
        -------
        features : ndarray or DataFrame of shape (n_samples, n_features_out)
            float32, in the order of X.
        """
        check_on_errors(self.on_errors)
        return_type = self.return_type if return_type is None else return_type
        _check_return_type(return_type)
        depth = self.depth if depth is None else depth
        n_layer = self.n_layer if n_layer is None else n_layer
        values, index = self._values(X, self.target_col if target_col is None else target_col)

        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        layers = self._layers(np.nan_to_num(values, posinf=0.0, neginf=0.0) if len(bad) else values)
        picked = _pick(len(layers), depth, n_layer, warn=True)
        features = np.concatenate([layers[i] for i in picked], axis=1)
        rows = [(int(row), values[row], "has values that are not finite") for row in bad]
        features = handle_errors(features, rows, self.on_errors)
        if return_type == "df" or (return_type == "any" and index is not None):
            return pd.DataFrame(features, index=index, columns=self._names(depth, n_layer))
        return features

    def get_feature_names_out(self, input_features=None):
        """Name the columns ``L(-k)_j``: unit j of the k-th hidden layer from the end, j from 1.

        Parameters
        ----------
        input_features : None
            Ignored; there as in every transformer of scikit-learn.

        Returns
        -------
        names : ndarray of str, of shape (n_features_out,)
        """
        return np.asarray(self._names(self.depth, self.n_layer), dtype=object)

    @property
    def feature_labels(self):
        """The same names as a list, as in XenonPy."""
        return self.get_feature_names_out().tolist()

    def _layers(self, values):
        """Run the network; returns one array for each hidden layer, from the input side."""
        model, device = self._checked_model(), _device(self.cuda)
        first = next(model.parameters())
        if first.device != device:
            model = copy.deepcopy(model).to(device)  # the user's network stays where it is
        batch = torch.as_tensor(values, dtype=first.dtype, device=device)
        return [layer.float().cpu().numpy() for layer in linear_outputs(model, batch)]

    def _names(self, depth, n_layer):
        widths = [layer.shape[1] for layer in self._layers(np.zeros((1, self._width()), np.float32))]
        picked = _pick(len(widths), depth, n_layer)
        return [f"L({i - len(widths)})_{j}" for i in picked for j in range(1, widths[i] + 1)]

    def _checked_model(self):
        if not isinstance(self.model, torch.nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(self.model).__name__}.")
        return self.model

    def _width(self):
        parts = self._checked_model().modules()
        return next((part.in_features for part in parts if isinstance(part, torch.nn.Linear)), 1)

    def _values(self, X, target_col):
        """Return X as an array, and its index if it is a DataFrame."""
        index = None
        if isinstance(X, pd.DataFrame):
            X = X if target_col is None else X[list(target_col)]
            index = X.index
        values = np.ascontiguousarray(X, dtype=np.float32)  # rounding depends on the layout
        if values.ndim != 2 or len(values) == 0:
            raise ValueError(f"X must be a table of at least one row, got an array of shape {values.shape}.")
        if values.shape[1] != self._width():
            raise ValueError(f"X has {values.shape[1]} columns, the network takes {self._width()}.")
        return values, index

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _pick(n_layers, depth, n_layer, warn=False):
    """Positions of the layers, in the order of the network."""
    for name, value in (("depth", depth), ("n_layer", n_layer)):
        if value is not None and (not isinstance(value, Integral) or value < 1):
            raise ValueError(f"{name} must be a positive integer or None, got {value!r}.")
    if warn and depth is not None and depth > n_layers:
        warnings.warn(f"depth={depth} is more than the {n_layers} hidden layers; all are taken.", stacklevel=3)
    depth = n_layers if depth is None else min(depth, n_layers)
    if warn and n_layer is not None and n_layer > depth:
        warnings.warn(f"n_layer={n_layer} is more than the {depth} layers of the depth; all are taken.", stacklevel=3)
    return range(n_layers - depth, n_layers - depth + (depth if n_layer is None else min(n_layer, depth)))


def _device(cuda):
    if isinstance(cuda, bool):
        cuda = "cuda" if cuda else "cpu"
    device = resolve_device(cuda)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    return device


def _check_return_type(return_type):
    if return_type not in _RETURN_TYPES:
        raise ValueError(f"return_type must be one of {', '.join(map(repr, _RETURN_TYPES))}, got {return_type!r}.")
