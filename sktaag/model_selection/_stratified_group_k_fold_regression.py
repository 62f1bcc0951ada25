"""Folds that keep groups whole and spread a measured property evenly."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import column_or_1d

from sktaag.model_selection._group_folds import GroupFolds


class StratifiedGroupKFoldRegression(GroupFolds):
    """K folds that keep groups whole, each with high and low values of the target.

    scikit-learn's `StratifiedGroupKFold` over bins of the target that hold equally many rows. With few groups no fold
    can be balanced; the property then varies between folds because the chemistry does.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    group_by : callable or None, default=None
        Makes the groups of a column of structures if `split` is given none, such as `polymer_family` or `scaffolds`.
    n_bins : int, default=5
        Bins of the target, at most; fewer if there are not `n_splits` rows for each, or values repeat themselves.
    n_repeats : int, default=1
        Times that all folds are drawn anew.
    random_state : int, RandomState instance or None, default=None
        Draws the folds. None deals out the groups in the same way each time.

    Raises
    ------
    ValueError
        In `split`, if there is neither `groups` nor `group_by`, there are fewer groups than folds, y is not numeric, or
        a parameter is out of range.

    See Also
    --------
    sklearn.model_selection.StratifiedGroupKFold : The same for classes.

    Notes
    -----
    With metadata routing, `groups` are requested by default.

    Examples
    --------
    >>> from sktaag.model_selection import StratifiedGroupKFoldRegression, polymer_family
    >>> X = ["*CC*", "*CC(C)*", "*CCO*", "*CC(C)O*", "*CC(*)C(=O)OC", "*CC(*)c1ccccc1"]
    >>> y = [195, 260, 206, 198, 283, 373]  # glass transition, K
    >>> cv = StratifiedGroupKFoldRegression(2, group_by=polymer_family)
    >>> [test.tolist() for _, test in cv.split(X, y)]
    [[0, 1, 4], [2, 3, 5]]
    """

    __metadata_request__split = {"groups": True}  # noqa: RUF012 - read by scikit-learn

    def __init__(self, n_splits=5, *, group_by=None, n_bins=5, n_repeats=1, random_state=None):
        super().__init__(n_splits, n_repeats, random_state)
        self.group_by = group_by
        self.n_bins = n_bins

    def _groups(self, X, y, groups):
        if groups is None and self.group_by is None:
            raise ValueError("There are no groups: pass groups, or set group_by, for example to polymer_family.")
        return (self.group_by(X) if groups is None else groups), "groups"

    def _deal(self, codes, y, rng):
        # groups are renumbered here: scikit-learn before 1.8 does not balance what it shuffles
        if rng is not None:
            codes = rng.permutation(codes.max() + 1)[codes]
        folds = np.empty(len(codes), dtype=int)
        for fold, (_, test) in enumerate(StratifiedGroupKFold(self.n_splits).split(codes, self._bins(y), codes)):
            folds[test] = fold
        return folds

    def _bins(self, y):
        if not isinstance(self.n_bins, Integral) or self.n_bins < 1:
            raise ValueError(f"n_bins must be a positive integer, got {self.n_bins!r}.")
        if y is None:
            raise ValueError("y is needed to balance the folds.")
        y = column_or_1d(y)
        if y.dtype.kind not in "iuf" or not np.isfinite(y).all():
            raise ValueError("y must hold finite numbers; for classes take sklearn's StratifiedGroupKFold.")
        n_bins = min(self.n_bins, max(1, len(y) // self.n_splits))
        edges = np.unique(np.quantile(y, np.linspace(0, 1, n_bins + 1)[1:-1]))
        return np.searchsorted(edges, y, side="right")
