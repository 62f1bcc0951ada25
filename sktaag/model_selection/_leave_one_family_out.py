"""Extrapolation to a family of polymers that was not seen."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import indexable

from sktaag.model_selection._polymer_family import polymer_family


class LeaveOneFamilyOut(BaseCrossValidator):
    """One fold for each family of polymers, which is tested by a model of the others.

    Parameters
    ----------
    families : list of str or None, default=None
        Families to hold out, one after the other; None for all. The rest is always in training.
    min_size : int, default=1
        Families of fewer rows are not held out; they stay in training. R2 needs at least 2.

    Raises
    ------
    InvalidRowsError
        In `split`, if structures cannot be read.
    ValueError
        In `split`, if a family asked for is not there, or fewer than two families are.

    See Also
    --------
    polymer_family : The families and their rules.
    sklearn.model_selection.LeaveOneGroupOut : The same for any groups.

    Notes
    -----
    `groups`, if given, are the families in place of those of `polymer_family`. With metadata routing they are requested
    by default.

    Examples
    --------
    >>> from sktaag.model_selection import LeaveOneFamilyOut
    >>> X = ["*CC*", "*CC(C)*", "*CCO*", "*CC(C)O*", "*CC(*)C(=O)OC"]
    >>> cv = LeaveOneFamilyOut(min_size=2)
    >>> [test.tolist() for _, test in cv.split(X)]  # ethers, polyolefins
    [[2, 3], [0, 1]]
    """

    __metadata_request__split = {"groups": True}  # noqa: RUF012 - read by scikit-learn

    def __init__(self, families=None, *, min_size=1):
        self.families = families
        self.min_size = min_size

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of families that are held out.

        Parameters
        ----------
        X : column of shape (n_samples,)
            PSMILES; not needed if `families` or `groups` is given.
        y : object
            Ignored.
        groups : array-like of shape (n_samples,), default=None
            Family of each row.

        Returns
        -------
        n_splits : int
        """
        if X is None and groups is None:
            raise ValueError("The number of families depends on X; pass it.")
        return len(self._held_out(self._labels(X, groups)))

    def _iter_test_masks(self, X=None, y=None, groups=None):
        labels = self._labels(*indexable(X, groups))
        for family in self._held_out(labels):
            yield labels == family

    def _labels(self, X, groups):
        return polymer_family(X) if groups is None else np.asarray(groups)

    def _held_out(self, labels):
        if not isinstance(self.min_size, Integral) or self.min_size < 1:
            raise ValueError(f"min_size must be a positive integer, got {self.min_size!r}.")
        found, sizes = np.unique(labels, return_counts=True)
        if len(found) < 2:
            raise ValueError(f"All rows are of the family '{found[0]}'; at least two are needed to leave one out.")
        if self.families is not None:
            missing = [family for family in self.families if family not in found]
            if missing:
                raise ValueError(f"No row is of the family {missing[0]!r}. X has {', '.join(map(str, found))}.")
            found, sizes = found[keep := np.isin(found, self.families)], sizes[keep]
        kept = found[sizes >= self.min_size]
        if len(kept) == 0:
            raise ValueError(f"No family has min_size={self.min_size} rows; the largest one has {sizes.max()}.")
        return kept
