"""Train on one end of a property, test on the other."""

from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import column_or_1d


class ExtrapolationSplit(BaseCrossValidator):
    """Hold out the rows with the highest values of the target, or the lowest ones.

    A model that is to find better materials than those measured must predict beyond what it has seen.

    Parameters
    ----------
    test_size : float or int, default=0.2
        Share, between 0 and 1, or number of rows that are tested.
    end : {"high", "low", "both"}, default="high"
        Which end of the target is held out; "both" makes two splits, the high end first.

    Raises
    ------
    ValueError
        In `split`, if a parameter is out of range, y is missing or not numeric, or nothing is left to train on.

    See Also
    --------
    LeaveOneFamilyOut : Extrapolation to a family of polymers.

    Notes
    -----
    Rows with equal values are cut apart in their order. R2 within a narrow end is a hard measure: it compares with the
    mean of the test rows, which no model knows.

    Examples
    --------
    >>> from sktaag.model_selection import ExtrapolationSplit
    >>> X, y = ["C", "CC", "CCC", "CCCC", "CCCCC"], [112, 185, 231, 273, 309]
    >>> [(train.tolist(), test.tolist()) for train, test in ExtrapolationSplit(0.4).split(X, y)]
    [([0, 1, 2], [3, 4])]
    """

    def __init__(self, test_size=0.2, *, end="high"):
        self.test_size = test_size
        self.end = end

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of splits: two for both ends, otherwise one.

        Parameters
        ----------
        X, y, groups : object
            Ignored; there for compatibility.

        Returns
        -------
        n_splits : int
        """
        return 2 if self.end == "both" else 1

    def _iter_test_indices(self, X=None, y=None, groups=None):
        if self.end not in ("high", "low", "both"):
            raise ValueError(f'end must be "high", "low" or "both", got {self.end!r}.')
        if y is None:
            raise ValueError("y is needed: its values say which rows are held out.")
        y = column_or_1d(y)
        if y.dtype.kind not in "iuf" or not np.isfinite(y).all():
            raise ValueError("y must hold finite numbers.")
        n_test = self._n_test(len(y))
        order = np.argsort(y, kind="stable")
        if self.end in ("high", "both"):
            yield np.sort(order[-n_test:])
        if self.end in ("low", "both"):
            yield np.sort(order[:n_test])

    def _n_test(self, n_rows):
        is_number = isinstance(self.test_size, Integral)
        if not isinstance(self.test_size, Real) or not 0 < self.test_size < (n_rows if is_number else 1):
            raise ValueError(
                f"test_size must be between 0 and 1, or an integer below the {n_rows} rows, got {self.test_size!r}."
            )
        return int(self.test_size) if is_number else min(n_rows - 1, max(1, round(self.test_size * n_rows)))
