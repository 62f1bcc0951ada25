"""What the splitters that keep groups whole share."""

from abc import abstractmethod
from numbers import Integral

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state, indexable


class GroupFolds(BaseCrossValidator):
    """K folds that keep groups whole, with repeats.

    A subclass says in `_groups` which rows belong together, and may deal them out in another way than `_deal`.
    """

    def __init__(self, n_splits, n_repeats, random_state):
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.random_state = random_state

    @abstractmethod
    def _groups(self, X, y, groups):
        """Return (label of the group of each row, what groups are called in messages)."""

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds, over all repeats.

        Parameters
        ----------
        X, y, groups : object
            Ignored; there for compatibility.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits * self.n_repeats

    def split(self, X, y=None, groups=None):
        """Yield the rows of each fold.

        Parameters
        ----------
        X : column of structures, or array of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Target.
        groups : array-like of shape (n_samples,), default=None
            Label of each row, for the splitters that take one.

        Yields
        ------
        train, test : ndarray of int
            Rows.
        """
        self._check_parameters()
        X, y, groups = indexable(X, y, groups)
        labels, noun = self._groups(X, y, groups)
        _, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
        n_groups = codes.max() + 1
        if n_groups < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {n_groups} {noun} of X: a fold holds at least one. "
                "Ask for fewer folds."
            )
        rng = None if self.random_state is None else check_random_state(self.random_state)
        for _ in range(self.n_repeats):
            folds = self._deal(codes, y, rng)
            for fold in range(self.n_splits):
                yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def _deal(self, codes, y, rng):
        """Return the fold of each row: largest groups first, each to the fold that has the fewest rows.

        With a generator, sizes count with a random factor: otherwise a few groups of different sizes would be dealt
        out in the same way whatever the seed.
        """
        sizes = np.bincount(codes)
        weights = sizes if rng is None else sizes * 2.0 ** rng.uniform(-1, 1, len(sizes))
        fold_of_group, loads = np.empty(len(sizes), dtype=int), np.zeros(self.n_splits, dtype=int)
        for group in np.argsort(-weights, kind="stable"):
            fold_of_group[group] = loads.argmin()
            loads[fold_of_group[group]] += sizes[group]
        return fold_of_group[codes]

    def _check_parameters(self):
        for name, least in (("n_splits", 2), ("n_repeats", 1)):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
        if self.n_repeats > 1 and self.random_state is None:
            raise ValueError(f"n_repeats={self.n_repeats} needs a random_state: without one all repeats are the same.")
