"""Gaussian processes on counts of substructures, and their predictions as features for another property."""

from contextlib import suppress

import numpy as np
from rdkit import Chem
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.stats import t as student_t
from sklearn.base import BaseEstimator, RegressorMixin

from sktaag.descriptors import Fingerprints
from sktaag.heads import TanimotoKernel
from sktaag.structures import InvalidStructureError, RepeatUnit, to_mol

_JITTER = 1e-6


def joined(X):
    """Write repeat units joined to themselves as SMILES without stereo labels, one text for each polymer.

    Molecules stay what they are, and so do units whose ends no single bond can join. This is slow, what follows is not.
    """
    texts = []
    for structure in X:
        mol = to_mol(structure)
        if any(atom.GetAtomicNum() == 0 for atom in mol.GetAtoms()):
            with suppress(InvalidStructureError):
                mol = RepeatUnit.from_mol(mol).cyclic()
        texts.append(Chem.MolToSmiles(mol, isomericSmiles=False))
    return np.array(texts, dtype=object)


def count_views(*columns):
    """Count atom pairs and circular environments of structures, for each column of ways to write them."""
    kinds = ({"kinds": "atom_pair"}, {"kinds": "morgan", "radius": 3})
    return [Fingerprints(counts=True, sparse=True, **kind).fit_transform(X) for X in columns for kind in kinds]


def minmax_kernel(A, B, thresholds=(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)):
    """Compute the Tanimoto kernel of logarithms of counts, which are rounded down to thresholds.

    Parameters
    ----------
    A, B : sparse of shape (n, n_columns) and (m, n_columns)
    thresholds : sequence of int

    Returns
    -------
    kernel : ndarray of shape (n, m)
    """
    views = []
    for X in (A, B):
        X = csr_array(X, dtype=float, copy=True)
        X.data = np.log1p(np.array(thresholds)[np.searchsorted(thresholds, X.data, side="right") - 1])
        views.append(X)
    return TanimotoKernel()(*views)


def feature_kernels(A, B):
    """Return a linear and a Gaussian kernel on standardised features; the length is that of their number."""
    squares = (A**2).sum(1)[:, None] + (B**2).sum(1)[None] - 2 * A @ B.T
    return A @ B.T / A.shape[1], np.exp(-squares / (2 * A.shape[1]))


class GramGP(RegressorMixin, BaseEstimator):
    """Gaussian process whose kernel is a weighted sum of given ones; X is row numbers.

    The kernels compare rows and know no y, so that those of all rows can be computed once: the folds take slices.
    Weights and noise maximise the marginal likelihood of the training rows, no others.

    Parameters
    ----------
    grams : list of ndarray of shape (n_rows, n_rows)
    max_rows : int
        The likelihood looks at so many training rows, at most, drawn at random.
    """

    def __init__(self, grams, max_rows=700):
        self.grams = grams
        self.max_rows = max_rows

    def __sklearn_clone__(self):
        return type(self)(self.grams, self.max_rows)

    def fit(self, X, y):
        """Fit weights, noise and process to the rows X."""
        self.rows_ = np.asarray(X).ravel()
        y = np.asarray(y, dtype=float)
        self.mean_, self.scale_ = y.mean(), y.std()
        z = (y - self.mean_) / self.scale_
        drawn = np.random.RandomState(0).permutation(len(z))[: self.max_rows]
        self.weights_, self.noise_ = self._likeliest(self.rows_[drawn], z[drawn])
        kernel = self._kernel(self.rows_, self.rows_)
        kernel[np.diag_indices_from(kernel)] += self.noise_
        self.dual_ = cho_solve(cho_factor(kernel, lower=True), z)
        return self

    def predict(self, X):
        """Predict the rows X."""
        return self._kernel(np.asarray(X).ravel(), self.rows_) @ self.dual_ * self.scale_ + self.mean_

    def _kernel(self, rows, columns):
        return sum(w * gram[np.ix_(rows, columns)] for w, gram in zip(self.weights_, self.grams, strict=True))

    def _likeliest(self, rows, z):
        grams = [gram[np.ix_(rows, rows)] for gram in self.grams]
        start = np.append(np.full(len(grams), -1.0), -2.0)
        limits = [(-12, 5)] * len(start)
        found = minimize(
            _loss,
            start,
            (grams, z),
            jac=True,
            method="L-BFGS-B",
            bounds=limits,
            options={"maxiter": 40},
        )
        *weights, noise = np.exp(found.x)
        return weights, noise + _JITTER


class CountGP(RegressorMixin, BaseEstimator):
    """Gaussian process over structures, with `minmax_kernel` on each of the `count_views`.

    Parameters
    ----------
    max_rows : int
        As in `GramGP`.
    """

    def __init__(self, max_rows=500):
        self.max_rows = max_rows

    def fit(self, X, y):
        """Fit to a column of structures, as `joined` writes them."""
        self.views_ = count_views(X)
        grams = [minmax_kernel(view, view) for view in self.views_]
        self.process_ = GramGP(grams, self.max_rows).fit(np.arange(len(X)), y)
        self.process_.grams = None  # large, and no longer needed
        return self

    def predict(self, X):
        """Predict structures."""
        kernels = (minmax_kernel(new, known) for new, known in zip(count_views(X), self.views_, strict=True))
        kernel = sum(w * k for w, k in zip(self.process_.weights_, kernels, strict=True))
        return kernel @ self.process_.dual_ * self.process_.scale_ + self.process_.mean_


def _loss(logs, grams, z):
    """Negative log marginal likelihood, with a wide prior that keeps unused weights finite, and its gradient."""
    *weights, noise = np.exp(logs)
    kernel = sum(w * gram for w, gram in zip(weights, grams, strict=True))
    kernel[np.diag_indices_from(kernel)] += noise + _JITTER
    factor = cho_factor(kernel, lower=True)
    inverse = cho_solve(factor, np.eye(len(z)))
    dual = inverse @ z
    value = 0.5 * z @ dual + np.log(np.diag(factor[0])).sum()
    gradient = [0.5 * w * ((inverse * gram).sum() - dual @ gram @ dual) for w, gram in zip(weights, grams, strict=True)]
    gradient.append(0.5 * noise * (np.trace(inverse) - dual @ dual))
    return value + 0.01 * logs @ logs, np.array(gradient) + 0.02 * logs


def half_interval(values, share=0.25):
    """Half of the 95% interval of a mean over folds or draws, corrected for the training rows that they share.

    C. Nadeau and Y. Bengio, Mach. Learn. 52, 239 (2003). `share` is that of test to training rows for folds; for small
    draws from many rows it is the share of rows that two draws have in common.
    """
    k = len(values)
    return student_t.ppf(0.975, k - 1) * np.sqrt((1 / k + share) * np.var(values, ddof=1))
