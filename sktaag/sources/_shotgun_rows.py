"""Where and how the rows are kept."""

import numpy as np
import torch
from scipy.sparse import csr_array, issparse

from sktaag.heads._rows import SPARSE_DENSITY


def device_rows(X, device):
    """Return X as the networks on a device are best trained on it.

    On the CPU a matrix that is mostly zeros is sparse: bags of rows cost the nonzeros alone. Other devices hold it
    dense.
    """
    nonzero = X.nnz if issparse(X) else np.count_nonzero(X)
    if device.type == "cpu" and nonzero < SPARSE_DENSITY * X.shape[0] * X.shape[1]:
        return csr_array(X)
    X = X.toarray() if issparse(X) else X
    return X if device.type == "cpu" else torch.tensor(X, device=device)
