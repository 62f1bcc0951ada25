"""The Tanimoto kernel on counts, for Gaussian processes."""

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from sklearn.gaussian_process.kernels import Kernel
from sklearn.utils import check_array

_LEVELS = 256  # of more distinct values, sums of absolute differences are faster
_BLOCK = 512  # rows whose sparse products are held at once


class TanimotoKernel(Kernel):
    r"""Tanimoto similarity of fingerprints as a kernel of scikit-learn's Gaussian processes: the MinMax kernel [1]_.

    .. math:: k(x, y) = \frac{\sum_i \min(x_i, y_i)}{\sum_i \max(x_i, y_i)}

    For bits it is the usual Tanimoto similarity, the number of shared bits over the number of bits in either. Counts
    need no scaling, and the kernel has no parameter to tune: ``TanimotoKernel() + WhiteKernel()`` learns the noise
    alone, ``ConstantKernel() * TanimotoKernel() + WhiteKernel()`` the spread as well. Equal rows have 1, rows that
    share nothing 0; two rows of nothing but zeros are equal.

    See Also
    --------
    sktaag.descriptors.Fingerprints : Counts of molecules and polymers.
    LayerKernelRegressor : A weighted sum of kernels on the layers of a network.
    sklearn.gaussian_process.GaussianProcessRegressor : What takes it.

    Notes
    -----
    Values are nonnegative, not necessarily integers: logarithms of counts, ``log1p``, often work better where counts
    differ widely. The kernel is a sum of the products of indicators over the distinct values, so that it costs what
    the nonzeros cost, and of memory little more than the result. It is positive semidefinite.

    References
    ----------
    .. [1] L. Ralaivola, S. J. Swamidass, H. Saigo, P. Baldi, "Graph kernels for chemical informatics", Neural Networks
       18, 1093 (2005). :doi:`10.1016/j.neunet.2005.07.009`

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from sklearn.gaussian_process.kernels import WhiteKernel
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.heads import TanimotoKernel
    >>> TanimotoKernel()([[2, 1, 0], [1, 1, 1]])
    array([[1. , 0.5],
           [0.5, 1. ]])
    >>> process = GaussianProcessRegressor(TanimotoKernel() + WhiteKernel(0.01), normalize_y=True)
    >>> model = make_pipeline(Fingerprints(counts=True), process)
    >>> alkanes, boiling_points = ["CC", "CCC", "CCCC", "CCCCC", "CCCCCCC"], [184.6, 231.0, 272.7, 309.2, 371.5]  # K
    >>> bool(309.2 < model.fit(alkanes, boiling_points).predict(["CCCCCC"])[0] < 371.5)
    True
    """

    def __init__(self):  # get_params reads its signature
        pass

    def __call__(self, X, Y=None, eval_gradient=False):
        """Compute the kernel.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)
            Counts, or other values that are not negative.
        Y : {array-like, sparse matrix} of shape (m, n_features) or None, default=None
            None is X.
        eval_gradient : bool, default=False
            Whether to return the gradient by the kernel's parameters too, of which there are none.

        Returns
        -------
        K : ndarray of shape (n, m)
        K_gradient : ndarray of shape (n, n, 0)
            If `eval_gradient`.

        Raises
        ------
        ValueError
            If a value is negative or not finite, X and Y differ in their numbers of columns, or the gradient is asked
            for beside a Y.
        """
        if eval_gradient and Y is not None:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        left = _check_counts(X, "X")
        right = left if Y is None else _check_counts(Y, "Y")
        if left.shape[1] != right.shape[1]:
            raise ValueError(f"X and Y have different numbers of columns: {left.shape[1]} and {right.shape[1]}.")
        minima = _sums_of_minima(left, right)
        maxima = left.sum(axis=1)[:, None] + right.sum(axis=1)[None] - minima
        kernel = np.divide(minima, maxima, out=np.ones_like(minima), where=maxima > 0)
        return (kernel, np.empty((*kernel.shape, 0))) if eval_gradient else kernel

    def diag(self, X):
        """Return the kernel of each row with itself.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_features)

        Returns
        -------
        K_diag : ndarray of shape (n,)
            Ones.
        """
        return np.ones(_check_counts(X, "X").shape[0])

    def is_stationary(self):
        """Return False: the kernel is not one of differences alone."""
        return False


def _check_counts(X, name):
    X = csr_array(check_array(X, accept_sparse="csr", dtype=np.float64, input_name=name))
    X.eliminate_zeros()
    if (X.data < 0).any():
        first = int(np.argmax(X.data < 0))
        row, column = np.searchsorted(X.indptr, first, side="right") - 1, X.indices[first]
        raise ValueError(
            f"TanimotoKernel takes counts, which are not negative, got {X.data[first]:.6g} in row {row}, column "
            f"{column} of {name}. Leave out the step that centres or scales them, or take another kernel."
        )
    return X


def _sums_of_minima(A, B):
    """Sum of the smaller values of each row of A (n, p) and each of B (m, p), both CSR without stored zeros.

    The smaller of two values is the sum of the steps between distinct values that neither is below.
    """
    levels = np.union1d(A.data, B.data)
    if len(levels) > _LEVELS:
        totals = A.sum(axis=1)[:, None] + B.sum(axis=1)[None]
        return (totals - cdist(A.toarray(), B.toarray(), "cityblock")).clip(0) / 2
    sums = np.zeros((A.shape[0], B.shape[0]))
    steps = [(high, _not_below(B, high).T * (high - low)) for low, high in pairwise((0, *levels))]
    for start in range(0, A.shape[0], _BLOCK):
        rows = A[start : start + _BLOCK]
        for level, of_b in steps:
            sums[start : start + _BLOCK] += (_not_below(rows, level) @ of_b).toarray()
    return sums


def _not_below(X, level):
    """Return 1 where X is at least at a level above zero, and 0 elsewhere."""
    above = X.copy()
    above.data = (X.data >= level).astype(float)
    above.eliminate_zeros()
    return above
