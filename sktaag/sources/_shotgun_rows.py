"""Rows for many networks at once: one slice for all, or the columns of each."""

import warnings

import numpy as np
import torch
from scipy.sparse import csr_array, issparse

from sktaag.heads._rows import SPARSE_DENSITY, Rows


def sparse_if_mostly_zero(X, device):
    """Return X as the networks on a device are best trained on it.

    On the CPU a matrix that is mostly zeros is sparse: bags of rows cost the nonzeros alone. Other devices take it
    dense.
    """
    nonzero = X.nnz if issparse(X) else np.count_nonzero(X)
    if device.type == "cpu" and nonzero < SPARSE_DENSITY * X.shape[0] * X.shape[1]:
        return csr_array(X)
    return X.toarray() if issparse(X) else X


class SharedRows:
    """A matrix on a device, sliced by row numbers for all networks of a chunk.

    Parameters
    ----------
    X : {ndarray, CSR array} of shape (n, n_features), dtype float32
        As `sparse_if_mostly_zero` returns it.
    device : torch.device
    """

    def __init__(self, X, device):
        self.sparse = issparse(X)
        self.device = device
        self.X = X if self.sparse else torch.from_numpy(np.require(X, requirements="W")).to(device)

    def for_members(self, members):
        """Return a function from row numbers, and the numbers of the members that still learn, to their x.

        Parameters
        ----------
        members : list of Member

        Returns
        -------
        take : callable
            x is as `sktaag.nn._batched_pyramid.BatchedPyramid` takes it.
        """
        if not self.sparse:
            return lambda rows, _: self.X[torch.from_numpy(rows).to(self.device)]
        if members[0].columns is None:
            whole = _sparse_rows(self.X)
            return lambda rows, _: whole.take(rows)[0]
        parts = [_sparse_rows(self.X[:, member.columns]) for member in members]
        return lambda rows, alive: [parts[m].take(rows)[0] for m in alive]


def _sparse_rows(X):
    rows = Rows(X)
    rows.sparse = True  # the same for every member, whatever its columns
    with warnings.catch_warnings():  # torch says once a process that the CSR layout is in beta
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        rows.take(np.arange(0))
    return rows
