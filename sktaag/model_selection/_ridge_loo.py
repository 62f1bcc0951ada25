"""Leave-one-out score of ridge regression from one decomposition."""

import numpy as np
from scipy.linalg import svd

from sktaag.model_selection._features_and_targets import check_features, check_targets

_SCORINGS = ("r2", "neg_root_mean_squared_error")


def ridge_loo(X, y, *, alphas=(1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5), scoring="r2", classification=False):
    r"""Leave-one-out score of ridge regression with an intercept, at the best of several penalties.

    No model is fitted n times: with the hat matrix H of the penalty, the residual of a row that is left out is
    :math:`(y_i - \hat y_i) / (1 - H_{ii})` [1]_, and one singular value decomposition serves all penalties.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features. Penalties act on them as they are: standardise columns of different scales. If all are constant, the
        score is that of the mean of the other rows.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Numeric targets, whose scores are averaged, or classes.
    alphas : array-like of float
        Penalties, positive. Each target takes its best, as in `sklearn.linear_model.RidgeCV`; the score is a little
        optimistic for that.
    scoring : {"r2", "neg_root_mean_squared_error"}, default="r2"
        Computed once over all left-out predictions.
    classification : bool, default=False
        Whether y holds classes; the scores of "is of this class" as zero and one are then averaged.

    Returns
    -------
    score : float
        Higher is better.

    Raises
    ------
    ValueError
        If y is constant or not numeric, either is not finite, or a parameter is out of range.

    See Also
    --------
    log_me : Evidence of the same model without an intercept.
    sklearn.linear_model.RidgeCV : The estimator.

    References
    ----------
    .. [1] G. H. Golub, M. Heath, G. Wahba, "Generalized Cross-Validation as a Method for Choosing a Good Ridge
       Parameter", Technometrics 21, 215 (1979). :doi:`10.1080/00401706.1979.10489751`

    Examples
    --------
    >>> import numpy as np
    >>> from sktaag.model_selection import ridge_loo
    >>> rng = np.random.RandomState(0)
    >>> X = rng.randn(30, 100)
    >>> y = X[:, :5].sum(axis=1) + 0.1 * rng.randn(30)
    >>> bool(ridge_loo(X[:, :5], y) > ridge_loo(X, y) > ridge_loo(X[:, 5:], y))
    True
    """
    X = check_features(X, y)
    targets = check_targets(y, classification)
    alphas = np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    if alphas.ndim != 1 or alphas.size == 0 or not (np.isfinite(alphas) & (alphas > 0)).all():
        raise ValueError(f"alphas must be positive numbers, got {alphas.tolist()!r}.")
    if scoring not in _SCORINGS:
        raise ValueError(f"scoring must be one of {', '.join(map(repr, _SCORINGS))}, got {scoring!r}.")

    left, singular, _ = svd(X - X.mean(axis=0), full_matrices=False)
    kept = singular > singular[0] * max(X.shape) * np.finfo(np.float64).eps
    kept[len(X) - 1 :] = False  # what rounding leaves of the mean
    left, strengths = left[:, kept], singular[kept] ** 2
    centred = targets - targets.mean(axis=0)
    projected = left.T @ centred
    # what the intercept and the features cannot reach: exactly nothing once they span all rows
    spanned = left.shape[1] == len(X) - 1
    unreached = 0.0 if spanned else centred - left @ projected
    free = 0.0 if spanned else np.maximum(1 - 1 / len(X) - (left**2).sum(axis=1), 0)[:, None]
    errors = []
    for alpha in alphas:
        shrunk = alpha / (strengths + alpha)
        residuals = unreached + left @ (shrunk[:, None] * projected)
        errors.append(((residuals / (free + (left**2 @ shrunk)[:, None])) ** 2).mean(axis=0))
    lowest = np.min(errors, axis=0)
    scores = 1 - lowest / centred.var(axis=0) if scoring == "r2" else -np.sqrt(lowest)
    return float(scores.mean())
