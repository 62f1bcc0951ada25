"""Many pyramids as one computation on a device that likes few large kernels."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sktaag.nn._batched_pyramid import _MOMENTUM, _STATISTICS, BatchedPyramid
from sktaag.nn._pyramid import Pyramid


class BatchedDevicePyramid(BatchedPyramid):
    """Stacked pyramids for CUDA: a layer of all members is one batched product, one batch norm, one activation.

    Layers are laid out as (member, unit, row), which to torch's batch norm is one row with a channel for each unit of
    each member. No step of a training waits for the device. Batches are dense.

    Parameters
    ----------
    pyramids, columns
        As in `BatchedPyramid`.
    dtype : torch.dtype, default=torch.float32
        Of the factors of matrix products. Weights, sums and batch norm are in float32.

    Raises
    ------
    ValueError
        As in `BatchedPyramid`.
    """

    def __init__(
        self,
        pyramids: Sequence[Pyramid],
        columns: Sequence[Tensor] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(pyramids, columns)
        self.dtype = dtype

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:  # type: ignore[override]  # no sparse rows
        """Run all members.

        Parameters
        ----------
        x : Tensor of shape (n, n_columns)
            Batch for all members.
        noise : Tensor of shape (n_hidden, width, n) or None, default=None
            As in `BatchedPyramid`.

        Returns
        -------
        Tensor of shape (n_members, n, n_outputs)
        """
        x = x.to(self.dtype)
        h = x.t()[None] if self.columns is None else self._gather(x)
        for k in range(self.n_hidden + 1):
            h = _StackedProduct.apply(self.weights[k], h, self.dtype)
            if not self.eps or k == self.n_hidden:
                h = h + self.biases[0 if self.eps else k][:, :, None]
            if k == self.n_hidden:
                break
            if self.training and noise is not None:
                h = h * self._kept(noise[k, : h.shape[1]], k)
            if self.eps:
                h = self._normalize_units(h, k)
            h = self.activation(h)
        return h.mT

    def _normalize_units(self, h: Tensor, k: int) -> Tensor:
        channels = (self.gammas[k], self.betas[k], *(getattr(self, f"{kind}_{k}") for kind in _STATISTICS))
        gamma, beta, mean, variance = (tensor.view(-1) for tensor in channels)
        flat = h.view(1, -1, h.shape[2])
        # not functional.batch_norm, which may hand so many channels to cuDNN
        flat = torch.native_batch_norm(flat, gamma, beta, mean, variance, self.training, _MOMENTUM, self.eps[k])[0]
        return flat.view_as(h)


class _StackedProduct(torch.autograd.Function):
    """Product of the transpose of (m, p, d) with (m, p, n), or (1, p, n) for all, in a dtype; float32 comes out."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, h: Tensor, dtype: torch.dtype) -> Tensor:
        weight, h = weight.to(dtype), h.to(dtype)
        ctx.save_for_backward(weight, h)
        return torch.bmm(weight.mT, h.expand(len(weight), -1, -1)).float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        weight, h = ctx.saved_tensors
        grad = grads[0].to(weight.dtype)
        of_weight = torch.bmm(h.expand(len(weight), -1, -1), grad.mT).float()
        of_h = torch.bmm(weight, grad).float() if ctx.needs_input_grad[1] else None
        return of_weight, of_h, None
