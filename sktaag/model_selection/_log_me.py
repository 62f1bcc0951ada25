"""How well features explain a target by the evidence of a linear model."""

import numpy as np
from scipy.linalg import svd

from sktaag.model_selection._features_and_targets import check_features, check_targets


def log_me(X, y, *, classification=False, fit_intercept=False, max_iter=100, tol=1e-8):
    r"""Logarithm of the maximum evidence (LogME) of a Bayesian linear model, per sample.

    The model of [1]_ is :math:`y = Xw + \varepsilon` with :math:`w \sim N(0, \alpha^{-1} I)` and
    :math:`\varepsilon \sim N(0, \beta^{-1} I)`. Its evidence, with the weights integrated out,

    .. math:: \mathcal{L} = \frac n2 \log\beta + \frac p2 \log\alpha - \frac n2 \log 2\pi
              - \frac\beta2 \lVert Xm - y\rVert^2 - \frac\alpha2 \lVert m\rVert^2 - \frac12 \log\lvert A\rvert,
              \quad A = \alpha I + \beta X^\top X, \quad m = \beta A^{-1} X^\top y,

    is maximised over :math:`\alpha` and :math:`\beta` by a fixed-point iteration, and divided by n. The evidence
    punishes features that fit by their number alone, so that layers of different widths can be compared.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Numeric targets, whose evidences are averaged, or classes.
    classification : bool, default=False
        Whether y holds classes; the evidences of "is of this class" are then averaged.
    fit_intercept : bool, default=False
        Whether the model has an intercept, with a flat prior: the evidence is then that of what is left of X and y once
        their means are gone, n - 1 numbers. The paper's model has none. Centring X and y by hand is not the same: the
        model would fit the row that the centring takes away, exactly if there are as many features as rows.
    max_iter : int, default=100
        Steps of the iteration, at most.
    tol : float, default=1e-8
        The iteration ends when the evidence per sample changes by less.

    Returns
    -------
    score : float
        Higher is better. Only differences between features for the same y mean something: y in other units, ``c * y``,
        shifts the score by ``-log(c)``. It is infinite if X fits y exactly with fewer features than rows.

    Raises
    ------
    ValueError
        If y is constant or not numeric, X is zero, or either is not finite.

    See Also
    --------
    ridge_loo : What such a linear model predicts for rows that it has not seen.
    h_score : How far apart the classes are.

    Notes
    -----
    A singular value decomposition brings each step down to the rank of X. The iteration starts at the scale of the
    features instead of :math:`\alpha = \beta = 1`, so that their units do not matter. It finds a local maximum.

    References
    ----------
    .. [1] K. You, Y. Liu, J. Wang, M. Long, "LogME: Practical Assessment of Pre-trained Models for Transfer
       Learning", ICML 2021. :doi:`10.48550/arXiv.2102.11005`

    Examples
    --------
    >>> import numpy as np
    >>> from sktaag.model_selection import log_me
    >>> rng = np.random.RandomState(0)
    >>> X, noise = rng.randn(50, 3), rng.randn(50, 3)
    >>> y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.randn(50)
    >>> bool(log_me(X, y) > log_me(noise, y))
    True
    """
    X = check_features(X, y)
    targets = check_targets(y, classification)
    n_rows = len(X)
    if fit_intercept:
        X, targets, n_rows = X - X.mean(axis=0), targets - targets.mean(axis=0), n_rows - 1
    left, singular, _ = svd(X, full_matrices=False)
    kept = singular > singular[0] * max(X.shape) * np.finfo(np.float64).eps
    kept[n_rows:] = False  # what rounding leaves of the mean
    if not kept.any():
        raise ValueError(f"X is {'constant' if fit_intercept else 'zero everywhere'}; it explains nothing.")
    left, strengths = left[:, kept], singular[kept] ** 2
    projected = left.T @ targets
    outside = ((targets - left @ projected) ** 2).sum(axis=0)
    totals = (targets**2).sum(axis=0)
    return float(
        np.mean(
            [
                _max_evidence(strengths, projected[:, j], outside[j], totals[j], n_rows, max_iter, tol)
                for j in range(targets.shape[1])
            ]
        )
    )


def _max_evidence(strengths, projected, outside, total, n_rows, max_iter, tol):
    """Iterate for one target.

    Both precisions scale with the target, so that the steps of the paper can be written for their ratio alone:
    alpha = gamma / |m|^2 and beta = (n - gamma) / |Xm - y|^2 with an m that depends on ratio = alpha / beta.
    """
    n_outside = n_rows - len(strengths)
    if n_outside == 0:
        outside = 0.0
    elif outside <= (n_rows * np.finfo(np.float64).eps) ** 2 * total:
        return np.inf
    ratio, evidence = strengths.mean(), -np.inf
    for _ in range(max_iter):
        shrunk = ratio / (strengths + ratio)
        length = (strengths * projected**2 / (strengths + ratio) ** 2).sum()  # of m, squared
        error = (projected**2 * shrunk**2).sum() + outside
        previous, evidence = evidence, _evidence(shrunk, length, error, ratio, n_rows)
        if length == 0:  # the target is orthogonal to all features, and no weight at all is best
            return _evidence(np.ones(1), 0.0, error, 0.0, n_rows)
        if abs(evidence - previous) < tol:
            break
        gamma = (1 - shrunk).sum()
        ratio = gamma * error / ((n_outside + shrunk.sum()) * length)
    return evidence


def _evidence(shrunk, length, error, ratio, n_rows):
    """Evidence per sample at the beta that is best for a ratio of the precisions."""
    beta = n_rows / (error + ratio * length)
    return 0.5 * (np.log(beta) - np.log(2 * np.pi) - 1) + 0.5 * np.log(shrunk).sum() / n_rows
