"""Targets as a network learns them: without the energies of the elements, in units of their spread."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeCV

_ALPHAS = np.logspace(-6, 2, 17)
N_ELEMENTS = 119  # atomic numbers, and 0


class TargetScaler(BaseEstimator):
    r"""Split targets into a baseline and a rest of which a network learns a multiple.

    Extensive targets: :math:`y = \sum_i e(z_i) + s \, f`, with reference energies e of the elements. Intensive ones:
    :math:`y = m + s \, f`, with the mean m. All of it is found in float64 from the known labels.

    The references come from ridge regression of what the mean energy of an atom leaves, on the numbers of atoms of each
    element, with the penalty of the smallest leave-one-out error: elements that always come together share their part,
    and few rows with many elements do not lead to references that fit them by chance.

    Parameters
    ----------
    target : {"extensive", "intensive"}
        Sum over atoms or mean over atoms.

    Attributes
    ----------
    reference_energies_ : ndarray of shape (119, n_targets)
        By atomic number, in the units of y; elements that no row had have the mean of an atom. Zeros if intensive.
    mean_ : ndarray of shape (n_targets,)
        Zeros if extensive.
    scale_ : ndarray of shape (n_targets,)
        s. For extensive targets the standard deviation of the rest over the square root of the mean number of atoms.
    spread_ : ndarray of shape (n_targets,)
        Standard deviation of the rest.
    elements_ : ndarray of bool of shape (119,)
        Which elements there were.
    """

    def __init__(self, target="extensive"):
        self.target = target

    def fit(self, numbers, y, contribution=None, scale=None):
        """Find baseline and scale.

        Parameters
        ----------
        numbers : list of ndarray of int
            Atomic numbers of each structure.
        y : ndarray of shape (n, n_targets)
            NaN is a missing label.
        contribution : ndarray of shape (n, n_targets) or None, default=None
            What a pretrained network already says, in the units of y: the baseline is that of what it leaves.
        scale : ndarray of shape (n_targets,) or None, default=None
            s, if it is given.

        Returns
        -------
        self : TargetScaler
        """
        counts = _count(numbers)
        rest = y if contribution is None else y - contribution
        n_targets = y.shape[1]
        self.elements_ = counts.any(axis=0)
        self.reference_energies_ = np.zeros((N_ELEMENTS, n_targets))
        self.mean_ = np.zeros(n_targets)
        if self.target == "extensive":
            for k in range(n_targets):
                known = ~np.isnan(y[:, k])
                self.reference_energies_[:, k] = _references(counts[known], rest[known, k])
        else:
            self.mean_ = np.nanmean(rest, axis=0)
        spread = np.nanstd(rest - self.baseline(numbers), axis=0)
        # a single composition with equal labels leaves only rounding
        tiny = 1e-10 * np.nanmax(np.abs(y), axis=0, initial=1e-300)
        self.spread_ = np.where(spread > tiny, spread, 1.0)
        atoms = np.sqrt(counts.sum(axis=1).mean()) if self.target == "extensive" else 1.0
        self.scale_ = self.spread_ / atoms if scale is None else np.asarray(scale, float)
        return self

    @classmethod
    def of_references(cls, energies, elements):
        """Make one for a network that brings its own reference energies and predicts the rest as it is.

        Parameters
        ----------
        energies : Tensor of shape (n,) or None
            By atomic number; None for zeros.
        elements : iterable of int
            Atomic numbers that the network knows.

        Returns
        -------
        scaler : TargetScaler
        """
        scaler = cls("extensive")
        scaler.elements_ = np.isin(np.arange(N_ELEMENTS), list(elements))
        scaler.reference_energies_ = np.zeros((N_ELEMENTS, 1))
        if energies is not None:
            scaler.reference_energies_[: len(energies), 0] = energies.cpu().numpy()
        scaler.mean_, scaler.scale_, scaler.spread_ = np.zeros(1), np.ones(1), np.ones(1)
        return scaler

    def baseline(self, numbers):
        """Return the part of the targets that needs no network, (n, n_targets)."""
        return _count(numbers) @ self.reference_energies_ + self.mean_

    def unknown(self, numbers):
        """Return the row numbers of structures with an element that `fit` has not seen."""
        return np.flatnonzero(_count(numbers)[:, ~self.elements_].any(axis=1))


def _count(numbers):
    counts = np.zeros((len(numbers), N_ELEMENTS))
    for row, z in zip(counts, numbers, strict=True):
        row += np.bincount(z, minlength=N_ELEMENTS)
    return counts


def _references(counts, y):
    per_atom = y.sum() / counts.sum()
    rest = y - per_atom * counts.sum(axis=1)
    present = counts.any(axis=0)
    references = np.full(N_ELEMENTS, per_atom)
    if len(y) > 1:
        ridge = RidgeCV(_ALPHAS, fit_intercept=False).fit(counts[:, present], rest)
        references[present] += ridge.coef_
    return references
