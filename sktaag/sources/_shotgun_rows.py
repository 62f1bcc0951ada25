"""Rows for many networks at once: one slice for all, or the columns of each."""

import warnings

import numpy as np
import torch
from scipy.sparse import csr_array, issparse

from sktaag.heads._rows import SPARSE_DENSITY, Rows


def sparse_if_mostly_zero(X, device):
    """Return X as the networks on a device are best trained on it.

    On the CPU a matrix that is mostly zeros is sparse: bags of rows cost the nonzeros alone. Other devices hold it
    dense.
    """
    nonzero = X.nnz if issparse(X) else np.count_nonzero(X)
    if device.type == "cpu" and nonzero < SPARSE_DENSITY * X.shape[0] * X.shape[1]:
        return csr_array(X)
    X = X.toarray() if issparse(X) else X
    return X if device.type == "cpu" else torch.tensor(X, device=device)


class SharedRows:
    """A matrix, sliced by row numbers for all networks of a chunk.

    Parameters
    ----------
    X : {ndarray, CSR array, Tensor} of shape (n, n_features), dtype float32
        As `sparse_if_mostly_zero` returns it; a tensor is on the device already.
    members : list of Member
    """

    def __init__(self, X, members):
        self.sparse = issparse(X)
        self.X = X
        if not self.sparse and not isinstance(X, torch.Tensor):
            self.X = torch.from_numpy(np.require(X, requirements="W"))
        if self.sparse and members[0].columns is not None:
            self.parts = [_sparse_rows(X[:, member.columns]) for member in members]
        elif self.sparse:
            self.whole = _sparse_rows(X)
        #: Columns of each member that the network has to pick; sparse rows come with those of each alone.
        self.columns = None
        if not self.sparse and members[0].columns is not None:
            self.columns = [torch.from_numpy(member.columns) for member in members]

    def take(self, rows, members):
        """Return rows as `sktaag.nn._batched_pyramid.BatchedPyramid` takes them.

        Parameters
        ----------
        rows : Tensor of int
            Row numbers, on the device of X.
        members : sequence of int
            The networks that still learn.
        """
        if not self.sparse:
            return self.X[rows]
        if hasattr(self, "whole"):
            return self.whole.take(rows.numpy())[0]
        return [self.parts[m].take(rows.numpy())[0] for m in members]


def _sparse_rows(X):
    rows = Rows(X)
    rows.sparse = True  # the same for every member, whatever its columns
    with warnings.catch_warnings():  # torch says once a process that the CSR layout is in beta
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        rows.take(np.arange(0))
    return rows
