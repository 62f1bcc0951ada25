"""Many pyramids as one computation."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sktaag.nn._plain_pyramid import _MOMENTUM, pyramid_state
from sktaag.nn._pyramid import Pyramid

_STATISTICS = ("mean", "variance")  # running ones, of each batch norm


class BatchedPyramid(nn.Module):
    """Pyramids of one depth and activation function, stacked: a layer of all of them is one batched product.

    Members narrower than the widest one are padded with zeros. Zeros are a fixed point of the training: a padded unit
    gives zero whatever its batch norm and activation function, so its weights on both sides have no gradient. No masks
    are needed, and a member ends as it would have ended alone.

    Layers are laid out as (member, unit, row), which to torch's batch norm is one row with a channel for each unit of
    each member; weights as (member, input, unit). No step of a training waits for the device. This is for devices that
    like few large kernels; on a processor `sktaag.nn._plain_pyramid.PlainPyramid` is faster, one network at a time.

    Parameters
    ----------
    pyramids : sequence of Pyramid
        Members of one number of outputs.
    columns : sequence of Tensor or None, default=None
        For each member the columns of x that it takes; None if all members take all of them.
    dtype : torch.dtype, default=torch.float32
        Of the factors of matrix products. Weights, sums and batch norm are in float32.

    Raises
    ------
    ValueError
        If the members differ in depth, activation function or batch norm, or have a bias other than zero in front of a
        batch norm, as in `PlainPyramid`.
    """

    columns: Tensor | None
    dropout: Tensor

    def __init__(
        self,
        pyramids: Sequence[Pyramid],
        columns: Sequence[Tensor] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.dtype = dtype
        blocks: list[list[Any]] = [list(pyramid.children())[:-1] for pyramid in pyramids]
        kinds = {tuple((type(b.activation), hasattr(b, "normalizer")) for b in block) for block in blocks}
        if len(kinds) != 1:
            raise ValueError("The members of a batch must agree in depth, activation function and batch norm.")
        self.n_hidden = len(blocks[0])
        self.activation: nn.Module = blocks[0][0].activation if self.n_hidden else nn.Identity()
        #: Of the batch norm of each layer; empty without batch norm.
        self.eps: list[float] = [b.normalizer.eps for b in blocks[0] if hasattr(b, "normalizer")]
        linears: list[list[Any]] = [
            [*(b.linear for b in block), p.output] for block, p in zip(blocks, pyramids, strict=True)
        ]
        #: For each member the number of its columns, then the widths of its layers, the output included.
        self.sizes: list[list[int]] = [
            [member[0].in_features, *(linear.out_features for linear in member)] for member in linears
        ]
        if self.eps and any(linear.bias.any() for member in linears for linear in member[:-1]):
            raise ValueError("A bias in front of a batch norm must be zero.")

        layers = list(zip(*linears, strict=True))
        self.weights = nn.ParameterList(_stack([linear.weight.T for linear in layer]) for layer in layers)
        biased = layers[-1:] if self.eps else layers
        self.biases = nn.ParameterList(_stack([linear.bias for linear in layer]) for layer in biased)
        norms = [[b.normalizer for b in layer] for layer in zip(*blocks, strict=True)] if self.eps else []
        self.gammas = nn.ParameterList(_stack([norm.weight for norm in layer]) for layer in norms)
        self.betas = nn.ParameterList(_stack([norm.bias for norm in layer]) for layer in norms)
        for k, layer in enumerate(norms):
            self.register_buffer(f"mean_{k}", _stack([norm.running_mean for norm in layer]))
            self.register_buffer(f"variance_{k}", _stack([norm.running_var for norm in layer]))
        rates = [[b.dropout.p for b in layer] for layer in zip(*blocks, strict=True)]
        self.register_buffer("dropout", torch.tensor(rates, dtype=torch.float32).reshape(self.n_hidden, len(blocks)).T)
        self.register_buffer("columns", None if columns is None else _stack(list(columns), fill=-1))

    def __len__(self) -> int:
        return len(self.sizes)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Run all members.

        Parameters
        ----------
        x : Tensor of shape (n, n_columns)
            Batch for all members.
        noise : Tensor of shape (n_hidden, width, n) or None, default=None
            Uniform numbers in [0, 1), as many as the widest member has units, or more. A unit of a member drops out
            where they are below its rate. None for no dropout. Unused in evaluation.

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

    def keep(self, members: Tensor) -> None:
        """Go on with some of the members alone; its parameters are new ones.

        Parameters
        ----------
        members : Tensor of int
            Their numbers.
        """
        for layers in (self.weights, self.biases, self.gammas, self.betas):
            for k, parameter in enumerate(layers):
                layers[k] = nn.Parameter(parameter.detach()[members])
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, buffer[members])
        self.sizes = [self.sizes[m] for m in members.tolist()]

    def tensors(self) -> list[Tensor]:
        """Return what training changes: parameters, and the running statistics of batch norm."""
        statistics = [b for name, b in self.named_buffers() if name not in ("dropout", "columns")]
        return [*(parameter.data for parameter in self.parameters()), *statistics]

    def states(self, members: Sequence[int], n_batches: Sequence[int] | None = None) -> list[dict[str, Tensor]]:
        """Return the state dicts of some members, as `Pyramid` names them, without padding, on the CPU.

        Parameters
        ----------
        members : sequence of int
            Their numbers.
        n_batches : sequence of int or None, default=None
            What batch norm of each keeps as the number of batches that it has seen; None is zero.

        Returns
        -------
        list of dict of str to Tensor
        """
        numbers = torch.as_tensor(members, device=self.weights[0].device)
        statistics = [[getattr(self, f"{kind}_{k}") for k in range(len(self.gammas))] for kind in _STATISTICS]
        kinds = [
            [tensor.detach()[numbers].cpu() for tensor in kind]
            for kind in ([*self.weights], [*self.biases], [*self.gammas], [*self.betas], *statistics)
        ]
        states = []
        for m, (member, seen) in enumerate(zip(members, n_batches or [0] * len(members), strict=True)):
            n_columns, *widths = self.sizes[member]
            of_layers = zip(kinds[0], [n_columns, *widths], widths, strict=False)
            own = [[weight[m, :n_in, :n_out] for weight, n_in, n_out in of_layers]]
            own.append([bias[m, :width] for bias, width in zip(kinds[1], widths[-len(kinds[1]) :], strict=True)])
            own += [[t[m, :width] for t, width in zip(kind, widths, strict=False)] for kind in kinds[2:]]
            states.append(pyramid_state(own, seen))
        return states

    def _gather(self, x: Tensor) -> Tensor:
        """Columns of each member, as rows: (n_members, n_columns, n)."""
        return torch.cat([x.t(), x.new_zeros(1, len(x))])[self.columns]  # padding, -1, takes the zeros

    def _kept(self, noise: Tensor, k: int) -> Tensor:
        """Factors of dropout for hidden layer k: zero, or what makes up for the zeros."""
        rate = self.dropout[:, k, None, None]
        return torch.where(noise >= rate, 1 / (1 - rate), 0)

    def _normalize_units(self, h: Tensor, k: int) -> Tensor:
        channels = (self.gammas[k], self.betas[k], *(getattr(self, f"{kind}_{k}") for kind in _STATISTICS))
        gamma, beta, mean, variance = (tensor.view(-1) for tensor in channels)
        flat = h.view(1, -1, h.shape[2])
        # not functional.batch_norm, which may hand so many channels to cuDNN
        flat = torch.native_batch_norm(flat, gamma, beta, mean, variance, self.training, _MOMENTUM, self.eps[k])[0]
        return flat.view_as(h)


def _stack(tensors: Sequence[Tensor], fill: float = 0) -> Tensor:
    """Stack tensors of several shapes, padded at the end."""
    shape = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    stack = tensors[0].new_full([len(tensors), *shape], fill)
    for padded, tensor in zip(stack, tensors, strict=True):
        padded[tuple(map(slice, tensor.shape))] = tensor.detach()
    return stack


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
