"""A linear layer that also takes sparse batches."""

from functools import cached_property
from typing import Any

import torch
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn.functional import embedding_bag


class SparseLinear(nn.Linear):
    r"""Affine map of a dense batch or of a sparse CSR batch.

    .. math:: Y = X W^\top + b

    Count fingerprints have some hundred nonzeros in thousands of columns. A sparse row of X is a weighted bag of rows
    of :math:`W^\top`, and the gradient of the weight is a bag of rows of the output's gradient, so both passes cost
    the nonzeros alone. Values and gradients are those of `torch.nn.Linear`, and so are parameters and state dict.

    Parameters
    ----------
    in_features : int
        Width of the input.
    out_features : int
        Width of the output.
    bias : bool, default=True
        Whether to add b.
    column_major : bool, default=False
        Keep the weight in memory column by column, which spares each sparse batch a transposed copy and costs fused
        optimizers two. Shapes and values are the same either way.

    Notes
    -----
    No gradient flows into a sparse input: this is a first layer.

    Examples
    --------
    >>> import torch
    >>> from sktaag.nn import SparseLinear
    >>> layer = SparseLinear(5, 2)
    >>> X = torch.eye(5)[:3]
    >>> torch.equal(layer(X), layer(X.to_sparse_csr()))
    True
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, column_major: bool = False) -> None:
        super().__init__(in_features, out_features, bias)
        if column_major:
            self.weight = nn.Parameter(self.weight.detach().t().contiguous().t())

    def forward(self, x: Tensor) -> Tensor:
        """Map a batch.

        Parameters
        ----------
        x : Tensor of shape (n, in_features)
            Strided, or in the sparse CSR layout.

        Returns
        -------
        Tensor of shape (n, out_features)

        Raises
        ------
        ValueError
            If a sparse x has another width than the layer.
        """
        if x.layout != torch.sparse_csr:
            return super().forward(x)
        if x.shape[1] != self.in_features:
            raise ValueError(f"The sparse batch has {x.shape[1]} columns, the layer takes {self.in_features}.")
        rows = self.weight.t().contiguous()  # (in_features, out_features); no copy if column_major
        y = _SparseTimesDense.apply(rows, x.crow_indices(), x.col_indices(), x.values())
        return y if self.bias is None else y + self.bias


class SparseBatch:
    """A CSR batch that many networks take: it is transposed once for all of them.

    Parameters
    ----------
    X : csr_array of shape (n, p) and dtype float32
    """

    def __init__(self, X: csr_array) -> None:
        self.X = X

    def __len__(self) -> int:
        return self.X.shape[0]

    @cached_property
    def transposed(self) -> "SparseBatch":
        """The batch of shape (p, n)."""
        return SparseBatch(csr_array(self.X.T))

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        crow, col, values = map(torch.from_numpy, (self.X.indptr, self.X.indices, self.X.data))
        return crow, col, values

    def times(self, dense: Tensor) -> Tensor:
        """Return the product with a matrix of shape (p, d)."""
        return _bag(*self._parts, dense.contiguous())

    def columns(self, numbers: Any) -> "SparseBatch":
        """Return the batch of some columns."""
        return SparseBatch(self.X[:, numbers])


class _SparseTimesDense(torch.autograd.Function):
    """Product of a CSR matrix X (n, p) and a dense one (p, d); torch's own backward is several times slower."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, crow: Tensor, col: Tensor, values: Tensor) -> Tensor:
        ctx.save_for_backward(crow, col, values)
        ctx.n_columns = len(dense)
        return _bag(crow, col, values, dense)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        crow, col, values = ctx.saved_tensors
        crow, col, values = _transpose(crow, col, values, ctx.n_columns)
        return _bag(crow, col, values, grads[0].contiguous()), None, None, None


def _bag(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Tensor:
    return embedding_bag(col, dense, crow, mode="sum", per_sample_weights=values, include_last_offset=True)


def _transpose(crow: Tensor, col: Tensor, values: Tensor, n_columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Bring a CSR matrix of shape (n, n_columns) into the CSR form of its transpose."""
    shape = (len(crow) - 1, n_columns)
    if crow.device.type == "cpu":  # scipy's counting sort takes a tenth of the time of torch's conversion
        csc = csr_array((values.numpy(), col.numpy(), crow.numpy()), shape=shape).tocsc()
        return torch.from_numpy(csc.indptr), torch.from_numpy(csc.indices), torch.from_numpy(csc.data)
    csc = torch.sparse_csr_tensor(crow, col, values, shape).to_sparse_csc()
    return csc.ccol_indices(), csc.row_indices(), csc.values()
