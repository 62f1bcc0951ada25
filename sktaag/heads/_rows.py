"""Rows of arrays as torch batches, a whole batch at a time."""

import warnings

import numpy as np
import torch
from scipy.sparse import issparse
from torch.utils.data import Dataset

# below this share of nonzeros a CSR batch is faster than the same batch made dense: benchmarks/pyramid.py --density
SPARSE_DENSITY = 0.1


def is_sparse_enough(X):
    """Whether X is a sparse matrix that should reach the network as one."""
    return issparse(X) and X.nnz < SPARSE_DENSITY * X.shape[0] * X.shape[1]


class Rows(Dataset):
    """A dense or CSR matrix and its targets, sliced by arrays of row numbers.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    y : ndarray of shape (n,) or (n, n_outputs), or None
        None for prediction.
    """

    def __init__(self, X, y=None):
        self.X = X
        self.y = np.zeros(X.shape[0], np.float32) if y is None else y
        self.sparse = is_sparse_enough(X)
        if self.sparse:
            with warnings.catch_warnings():  # torch says once a process that the CSR layout is in beta
                warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
                self.take(np.arange(0))

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, row):
        X, y = self.take(np.array([row]))
        return X, y[0]

    def take(self, rows):
        """Return the tensors (X, y) of an array of row numbers; a sparse X is a CSR tensor."""
        X, y = self.X[rows], torch.from_numpy(self.y[rows])
        if self.sparse:
            parts = (torch.from_numpy(part) for part in (X.indptr, X.indices, X.data))
            return torch.sparse_csr_tensor(*parts, size=X.shape, check_invariants=False), y
        return torch.from_numpy(X.toarray() if issparse(X) else X), y


class RowBatches:
    """Iterate over `Rows` in batches: what a torch DataLoader does row by row, in one slice.

    Parameters
    ----------
    dataset : Rows
    batch_size : int
    shuffle : bool, default=False
        Draw a new order each epoch, by torch's global generator.
    """

    def __init__(self, dataset, batch_size, shuffle=False):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __iter__(self):
        n = len(self.dataset)
        order = torch.randperm(n).numpy() if self.shuffle else np.arange(n)
        ends = list(range(self.batch_size, n, self.batch_size))
        if self.batch_size > 1 and ends and ends[-1] == n - 1:
            ends.pop()  # batch norm cannot train on one row: the last batch takes it
        for rows in np.split(order, ends):
            yield self.dataset.take(rows)
