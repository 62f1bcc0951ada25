"""Weights of layers in closed form, for tens of samples."""

from numbers import Integral

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

_BOUNDS = (-12.0, 7.0)  # of the logarithms of weights and noise, in units of the variance of y
_MEAN = 1e3  # prior variance of the mean, in the same units: wide, for the mean was taken off y and is not known
_STARTS = (-6.0, -3.0, 0.0)  # of the logarithm of the noise: the likelihood has a maximum for little and one for much


class LayerKernelRegressor(RegressorMixin, BaseEstimator):
    r"""Gaussian process, or ridge regression, whose kernel is a sum of one kernel for each layer.

    .. math:: K = \sum_t w_t K_t + \sigma^2 I + c, \qquad w_t \ge 0

    The weights say how much of each depth of a source the target takes, as layer attention does, but there are as many
    of them as layers, and they are found without a training loop: by the marginal likelihood, or by the
    leave-one-out error, both in closed form [1]_. Tens of samples are enough for that, where an attention that is
    trained by gradients overfits. The constant c is wide and stands for a mean that is not known, as the intercept of
    ridge regression.

    Parameters
    ----------
    layers : None, int or array-like of shape (n_features,), default=None
        Layer of each column. None reads the names of the columns up to the first underscore, ``L(-2)`` of
        ``L(-2)_mean_7``: for a DataFrame, such as ``GNNFeaturizer(...).set_output(transform="pandas")`` makes. What a
        FeatureUnion or several sources put before it, up to a double underscore, tells layers apart. An integer is a
        number of equal blocks.
    kernel : {"linear", "rbf"}, default="linear"
        Linear is ridge regression with one penalty for each layer. The width of "rbf" is the median distance of the
        training rows in that layer.
    criterion : {"likelihood", "loo"}, default="likelihood"
        What the weights maximise: the log marginal likelihood, or minus the mean squared leave-one-out error. As that
        leaves a common factor of weights and noise open, it is the one that gives the errors unit variance.

    Attributes
    ----------
    layers_ : ndarray of shape (n_layers,)
        Names of the layers.
    layer_weights_ : ndarray of shape (n_layers,)
        Share of each layer in the variance that the kernels explain; they sum to one.
    noise_ : float
        :math:`\sigma`, in the unit of y.
    log_likelihood_ : float
        Log marginal likelihood of the standardised y.
    loo_predictions_ : ndarray of shape (n_samples,)
        Prediction of each training row without it, at these weights.
    n_features_in_ : int

    Raises
    ------
    ValueError
        In `fit`, if a parameter is out of its range, or `layers` does not fit X.

    See Also
    --------
    sktaag.transfer.TAAGRegressor : Weights by attention, for hundreds of samples and more.
    sklearn.gaussian_process.GaussianProcessRegressor : One kernel for all columns.

    Notes
    -----
    Columns are standardised, and each kernel is divided by its mean diagonal, so that weights of wide and narrow layers
    can be compared.

    References
    ----------
    .. [1] C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press (2006), equations
       5.8, 5.9, 5.12 and 5.13.

    Examples
    --------
    >>> import numpy as np
    >>> from sktaag.heads import LayerKernelRegressor
    >>> X = np.random.RandomState(0).randn(30, 12)
    >>> y = X[:, 4:8] @ [1.0, -1.0, 2.0, 0.5]  # the second of three layers
    >>> LayerKernelRegressor(layers=3).fit(X, y).layer_weights_.round(2)
    array([0., 1., 0.])
    """

    def __init__(self, layers=None, *, kernel="linear", criterion="likelihood"):
        self.layers = layers
        self.kernel = kernel
        self.criterion = criterion

    def fit(self, X, y):
        """Find the weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, those of several layers side by side.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        self : LayerKernelRegressor
        """
        for name, allowed in (("kernel", ("linear", "rbf")), ("criterion", ("likelihood", "loo"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}.")
        X, y = validate_data(self, X, y, dtype=np.float64, order="C", y_numeric=True, ensure_min_samples=2)
        labels = self._labels(X.shape[1])
        self._means, spread = X.mean(axis=0), X.std(axis=0)
        tiny = np.finfo(np.float32).eps * np.abs(X).max(axis=0)  # rounding of features in single precision
        self._spreads = np.where(spread > tiny, spread, np.inf)  # constants vanish
        self._rows = self._scale(X)
        self.layers_ = np.array(list(dict.fromkeys(labels)))
        self._columns = [np.flatnonzero(labels == name) for name in self.layers_]
        self._widths = [self._width(self._rows[:, columns]) for columns in self._columns]
        self._varies = np.array([np.isfinite(self._spreads[columns]).any() for columns in self._columns], dtype=float)
        self._sizes, kernels = np.ones(len(self.layers_)), self._kernels(self._rows)
        self._sizes = np.array([np.trace(kernel) / len(y) or 1.0 for kernel in kernels])
        kernels = kernels / self._sizes[:, None, None]

        self._y_mean, self._y_spread = y.mean(), y.std() or 1.0
        scaled = (y - self._y_mean) / self._y_spread
        loss = _likelihood_loss if self.criterion == "likelihood" else _loo_loss
        n_layers = len(kernels)
        found = [
            minimize(
                loss, np.r_[np.full(n_layers, -np.log(n_layers)), start], args=(kernels, scaled), jac=True,
                method="L-BFGS-B", bounds=[_BOUNDS] * (n_layers + 1),
            )
            for start in _STARTS
        ]  # fmt: skip
        best = min(found, key=lambda result: result.fun)
        logs = best.x
        if self.criterion == "loo":  # it does not see a factor common to weights and noise
            inverse, dual, _ = _solve(logs, kernels, scaled)
            logs = logs + np.log(np.mean(dual**2 / np.diag(inverse)) or 1.0)
        self._weights, noise = np.exp(logs[:-1]), np.exp(logs[-1])
        inverse, self._dual, self._factor = _solve(logs, kernels, scaled)
        self.noise_ = float(np.sqrt(noise) * self._y_spread)
        shares = self._weights * np.array([np.trace(kernel) > 0 for kernel in kernels])
        self.layer_weights_ = shares / (shares.sum() or 1.0)
        self.log_likelihood_ = -float(_likelihood_loss(logs, kernels, scaled)[0])
        self.loo_predictions_ = y - self._dual / np.diag(inverse) * self._y_spread
        return self

    def predict(self, X, return_std=False):
        """Predict.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False
            Whether to return the standard deviation too, that of the noise included.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        std : ndarray of shape (n_samples,)
            If `return_std`.
        """
        check_is_fitted(self)
        rows = self._scale(validate_data(self, X, dtype=np.float64, order="C", reset=False))
        scale = (self._weights / self._sizes)[:, None, None]
        cross = (scale * self._kernels(rows, self._rows)).sum(axis=0) + _MEAN
        y = cross @ self._dual * self._y_spread + self._y_mean
        if not return_std:
            return y
        if self.kernel == "linear":
            own = np.array([(rows[:, columns] ** 2).sum(axis=1) for columns in self._columns])
        else:
            own = np.repeat(self._varies[:, None], len(rows), axis=1)
        variance = (scale[:, 0] * own).sum(axis=0) + _MEAN - (cross * cho_solve(self._factor, cross.T).T).sum(axis=1)
        return y, np.sqrt(variance.clip(0) * self._y_spread**2 + self.noise_**2)

    def _labels(self, n_features):
        if self.layers is None:
            names = getattr(self, "feature_names_in_", None)
            if names is None:
                raise ValueError(
                    "layers=None reads the names of the columns, and X has none. Pass a DataFrame "
                    '(set_output(transform="pandas") on the featurizer), a number of equal blocks, or a label for each '
                    "column."
                )
            parts = [name.rpartition("__") for name in names]  # what stands before may have underscores too
            return np.array([step + dunder + rest.partition("_")[0] for step, dunder, rest in parts])
        if isinstance(self.layers, Integral):
            if not 1 <= self.layers <= n_features or n_features % self.layers:
                raise ValueError(f"X has {n_features} columns, which are not {self.layers} equal blocks.")
            return np.repeat(np.arange(self.layers), n_features // self.layers)
        labels = np.asarray(self.layers)
        if labels.shape != (n_features,):
            raise ValueError(f"layers has shape {labels.shape}; X has {n_features} columns.")
        return labels

    def _scale(self, X):
        return (X - self._means) / self._spreads

    def _width(self, rows):
        distances = cdist(rows, rows)
        return np.median(distances[distances > 0]) if (distances > 0).any() else 1.0

    def _kernels(self, left, right=None):
        right = left if right is None else right
        if self.kernel == "linear":
            return np.array([left[:, columns] @ right[:, columns].T for columns in self._columns])
        return np.array(
            [
                varies * np.exp(-0.5 * (cdist(left[:, columns], right[:, columns]) / width) ** 2)
                for columns, width, varies in zip(self._columns, self._widths, self._varies, strict=True)
            ]
        )


def _solve(logs, kernels, y):
    """Inverse of the whole kernel, the dual coefficients, and the factor."""
    whole = np.tensordot(np.exp(logs[:-1]), kernels, axes=1) + np.exp(logs[-1]) * np.eye(len(y)) + _MEAN
    factor = cho_factor(whole, lower=True)
    inverse = cho_solve(factor, np.eye(len(y)))
    return inverse, inverse @ y, factor


def _likelihood_loss(logs, kernels, y):
    """Minus the log marginal likelihood and its gradient by the logarithms of the weights and of the noise."""
    inverse, dual, factor = _solve(logs, kernels, y)
    loss = 0.5 * y @ dual + np.log(np.diag(factor[0])).sum() + 0.5 * len(y) * np.log(2 * np.pi)
    slope = 0.5 * (inverse - np.outer(dual, dual))
    return loss, np.exp(logs) * np.r_[np.einsum("ij,tij->t", slope, kernels), np.trace(slope)]


def _loo_loss(logs, kernels, y):
    """Mean squared leave-one-out error and its gradient."""
    inverse, dual, _ = _solve(logs, kernels, y)
    diagonal = np.diag(inverse)
    errors = dual / diagonal
    gradient = np.empty(len(logs))
    for t, weight in enumerate(np.exp(logs)):
        moved = inverse @ kernels[t] if t < len(kernels) else inverse  # times the derivative of the kernel
        by_dual = -moved @ dual
        by_diagonal = -np.einsum("ij,ij->i", moved, inverse)
        gradient[t] = weight * 2 * np.mean(errors * (by_dual - errors * by_diagonal) / diagonal)
    return np.mean(errors**2), gradient
