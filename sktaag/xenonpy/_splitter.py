"""XenonPy's splitter."""

from collections.abc import Iterable
from numbers import Integral

import numpy as np
from sklearn.model_selection import KFold, train_test_split
from sklearn.utils import shuffle as shuffled

from sktaag.xenonpy._upstream import Splitter as _Splitter


class Splitter(_Splitter):
    """Split rows into training and test rows, and training rows into folds, with XenonPy's indices.

    Parameters
    ----------
    size : int
        Number of rows.
    test_size : float or int, default=0.2
        Share or number of test rows; 0 for none, if there is a `k_fold`.
    k_fold : int, iterable or None, default=None
        Number of folds, or the group of every row: each group is a fold.
    random_state : int or None, default=None
        Seed; None draws another split each time, in a clone as well.
    shuffle : bool, default=True
        Shuffle the rows first.

    Raises
    ------
    RuntimeError
        If neither test rows nor folds are asked for.
    ValueError
        If `k_fold` holds groups of another number of rows.

    Notes
    -----
    Two things differ from XenonPy: `roll` replaces the folds instead of adding to them, and `random_state` also holds
    for ``test_size=0``.

    Examples
    --------
    >>> from sktaag.xenonpy import Splitter
    >>> train, test = Splitter(10, test_size=0.2, random_state=0).split()
    >>> test.tolist()
    [2, 8]
    """

    def __init__(self, size, *, test_size=0.2, k_fold=None, random_state=None, shuffle=True):
        self._size = size
        super().__init__(size, test_size=test_size, k_fold=k_fold, random_state=random_state, shuffle=shuffle)

    @property
    def size(self):
        """Number of rows."""
        return self._size

    def set_params(self, **params):
        """Set parameters, and split anew.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : Splitter
        """
        unknown = set(params) - set(self.get_params())
        if unknown:
            raise ValueError(f"Splitter has no parameters {', '.join(sorted(unknown))}.")
        self.__init__(**(self.get_params() | params))
        return self

    def roll(self, random_state=None):
        """Split anew.

        Parameters
        ----------
        random_state : int or None, default=None
            Seed.
        """
        rows, self._cv_indices, self._test = np.arange(self._size), [], None
        if self._test_size:
            rows, self._test = train_test_split(
                rows, test_size=self._test_size, random_state=random_state, shuffle=self._shuffle
            )
        elif self._shuffle:
            rows = shuffled(rows, random_state=random_state)
        self._train = rows
        if isinstance(self._k_fold, Integral):
            seed = random_state if self._shuffle else None
            folds = KFold(int(self._k_fold), shuffle=self._shuffle, random_state=seed).split(rows)
            self._cv_indices = [(rows[train], rows[val]) for train, val in folds]
        elif isinstance(self._k_fold, Iterable):
            groups = np.asarray(list(self._k_fold))
            if len(groups) != self._size:
                raise ValueError(f"k_fold has the groups of {len(groups)} rows, and there are {self._size}.")
            groups = groups[rows]
            # a set, for XenonPy's order of the folds
            self._cv_indices = [(rows[groups != group], rows[groups == group]) for group in set(groups.tolist())]
