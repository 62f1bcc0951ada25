"""How far apart features put the classes of a target."""

from numbers import Integral, Real

import numpy as np
from scipy.linalg import svd
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.utils.multiclass import type_of_target

from sktaag.model_selection._features_and_targets import check_classes, check_features, check_targets


def h_score(X, y, *, n_bins=None, shrinkage="auto"):
    r"""H-score: the variance of the features between classes, relative to all their variance.

    .. math:: H = \operatorname{tr}\left(\Sigma_X^{-1} \Sigma_{E[X|y]}\right)

    of [1]_, where :math:`\Sigma_{E[X|y]}` is the covariance of the class means. With few rows the inverse is
    unstable; the regularised score of [2]_, the default here, shrinks :math:`\Sigma_X` towards a multiple of the
    identity by the share :math:`a` of Ledoit and Wolf:

    .. math:: H_a = \operatorname{tr}\left(\left[(1 - a) \Sigma_X + a \mu I\right]^{-1}
              (1 - a) \Sigma_{E[X|y]}\right), \quad \mu = \operatorname{tr}(\Sigma_X) / p.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Classes, or numbers if `n_bins` is given.
    n_bins : int or None, default=None
        Cut numeric y into so many classes of about equal size. The score is defined for classes; the order of the
        bins is lost on it, so that `log_me` and `ridge_loo` suit numbers better.
    shrinkage : "auto" or float, default="auto"
        "auto" is the estimate of Ledoit and Wolf, 0 the definition of [1]_ (with a pseudoinverse where the covariance
        is singular), and any number below 1 that share.

    Returns
    -------
    score : float
        Higher is better; between 0 and the number of classes minus one.

    Raises
    ------
    ValueError
        If y has a single class or is continuous and `n_bins` is None, X is constant, or a parameter is out of range.

    See Also
    --------
    log_me : Evidence of a linear model, for numbers and classes.

    Notes
    -----
    For features that are nearly uncorrelated and of the same variance, the estimate of Ledoit and Wolf approaches 1 and
    the score 0, however well they separate the classes. Give a number if some of the features to compare may be such.

    References
    ----------
    .. [1] Y. Bao et al., "An Information-Theoretic Approach to Transferability in Task Transfer Learning", ICIP 2019.
       :doi:`10.1109/ICIP.2019.8803726`
    .. [2] S. Ibrahim, N. Ponomareva, R. Mazumder, "Newer is not always better: Rethinking transferability metrics,
       their peculiarities, stability and performance", ECML PKDD 2022. :doi:`10.48550/arXiv.2110.06893`

    Examples
    --------
    >>> import numpy as np
    >>> from sktaag.model_selection import h_score
    >>> X = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> round(h_score(X, ["a", "a", "b", "b"], shrinkage=0), 3)
    1.0
    >>> round(h_score(X, ["a", "b", "a", "b"], shrinkage=0), 3)
    0.0
    """
    X = check_features(X, y)
    if n_bins is None:
        if type_of_target(y).startswith("continuous"):
            raise ValueError("y is continuous, but the H-score is one of classes. Set n_bins to cut y into bins.")
        classes, codes = check_classes(y)
    else:
        classes, codes = _bins(y, n_bins)
    if (np.ptp(X, axis=0) == 0).all():
        raise ValueError("X is constant; it tells no classes apart.")
    X = X - X.mean(axis=0)
    left, singular, _ = svd(X, full_matrices=False)
    kept = singular > singular[0] * max(X.shape) * np.finfo(np.float64).eps
    kept[len(X) - 1 :] = False  # what rounding leaves of the mean
    variances = singular[kept] ** 2 / len(X)
    if shrinkage == "auto":
        shrinkage = ledoit_wolf_shrinkage(X, assume_centered=True)
    elif not isinstance(shrinkage, Real) or not 0 <= shrinkage < 1:
        raise ValueError(f'shrinkage must be "auto" or in [0, 1), got {shrinkage!r}.')
    # in the basis of the singular vectors the covariance is diagonal and class means are means of rows of `left`
    member = codes[:, None] == np.arange(len(classes))
    means = (member.T @ left[:, kept]) / member.sum(axis=0)[:, None]
    between = (member.mean(axis=0) @ means**2) * len(X) * variances
    total = (1 - shrinkage) * variances + shrinkage * variances.sum() / X.shape[1]
    return float(((1 - shrinkage) * between / total).sum())


def _bins(y, n_bins):
    if not isinstance(n_bins, Integral) or n_bins < 2:
        raise ValueError(f"n_bins must be None or an integer of at least 2, got {n_bins!r}.")
    y = check_targets(y, classification=False)
    if y.shape[1] != 1:
        raise ValueError(f"y must be one column, got {y.shape[1]}.")
    y = y.ravel()
    edges = np.quantile(y, np.linspace(0, 1, n_bins + 1)[1:-1])
    classes, codes = np.unique(np.searchsorted(edges, y), return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"All of y falls into one of {n_bins} bins, for most of it is {y.max():g}. Raise n_bins.")
    return classes, codes
