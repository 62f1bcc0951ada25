"""Many pyramids as one computation."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from sktaag.nn._pyramid import Pyramid
from sktaag.nn._sparse_linear import _bag, _transpose

_STATISTICS = ("mean", "variance")  # running ones, of each batch norm
_MOMENTUM = 0.1  # of running statistics, as in torch.nn.BatchNorm1d


class BatchedPyramid(nn.Module):
    """Pyramids of one depth and activation function, stacked: a layer of all of them is one batched product.

    Members narrower than the widest one are padded with zeros. Zeros are a fixed point of the training: a padded unit
    gives zero whatever its batch norm and activation function, so its weights on both sides have no gradient. No masks
    are needed, and a member ends as it would have ended alone.

    Weights are laid out as (member, input, unit): the first one is a table of which sparse rows take bags. This class
    is for the CPU, where a batched product gains nothing over products one after the other, and these can leave the
    padding out; `sktaag.nn._batched_device_pyramid.BatchedDevicePyramid` is for the others.

    Parameters
    ----------
    pyramids : sequence of Pyramid
        Members of one number of outputs.
    columns : sequence of Tensor or None, default=None
        For each member the columns of x that it takes; None if all members take all of them.

    Raises
    ------
    ValueError
        If the members differ in depth, activation function or batch norm, or have a bias other than zero in front of a
        batch norm: it has no effect on predictions without dropout, its gradient is rounding noise, and Adam would walk
        it at random.
    """

    columns: Tensor | None
    dropout: Tensor

    def __init__(self, pyramids: Sequence[Pyramid], columns: Sequence[Tensor] | None = None) -> None:
        super().__init__()
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

    def forward(self, x: Tensor | Sequence[Tensor], noise: Tensor | None = None) -> Tensor:
        """Run all members.

        Parameters
        ----------
        x : Tensor of shape (n, n_columns), or sequence of Tensor
            Batch for all members, strided or sparse CSR; or a sparse CSR one for each member, of its columns alone.
        noise : Tensor of shape (n_hidden, width, n) or None, default=None
            Uniform numbers in [0, 1), as many as the widest member has units, or more. A unit of a member drops out
            where they are below its rate. None for no dropout. Unused in evaluation.

        Returns
        -------
        Tensor of shape (n_members, n, n_outputs)
        """
        h = self._first(x)
        for k in range(self.n_hidden + 1):
            if k > 0:
                h = _EachProduct.apply(h, self.weights[k], [sizes[k : k + 2] for sizes in self.sizes])
            if not self.eps or k == self.n_hidden:
                h = h + self.biases[0 if self.eps else k][:, None]
            if k == self.n_hidden:
                break
            kept = None
            if self.training and noise is not None:
                kept = self._kept(noise[k, : h.shape[2]].T.contiguous(), k)
            if self.eps:
                h = self._normalize(h, kept, k)
            elif kept is not None:
                h = h * kept
            h = self.activation(h)
        return h

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

        def fetch(tensors: Iterable[Tensor]) -> list[Tensor]:
            return [tensor.detach()[numbers].cpu() for tensor in tensors]

        weights = fetch(weight.mT for weight in self.weights)
        biases, gammas, betas = map(fetch, (self.biases, self.gammas, self.betas))
        means, variances = (fetch(getattr(self, f"{kind}_{k}") for k in range(len(gammas))) for kind in _STATISTICS)
        states = []
        for m, (member, seen) in enumerate(zip(members, n_batches or [0] * len(members), strict=True)):
            state: dict[str, Tensor] = {}
            for k, (n_in, width) in enumerate(pairwise(self.sizes[member])):
                last = k == self.n_hidden
                name = "output" if last else f"layer_{k}.linear"
                state[f"{name}.weight"] = weights[k][m, :width, :n_in]
                if self.eps and not last:
                    state[f"{name}.bias"] = torch.zeros(width)
                    parts = {"weight": gammas, "bias": betas, "running_mean": means, "running_var": variances}
                    for key, tensors in parts.items():
                        state[f"layer_{k}.normalizer.{key}"] = tensors[k][m, :width]
                    state[f"layer_{k}.normalizer.num_batches_tracked"] = torch.tensor(seen)
                else:
                    state[f"{name}.bias"] = biases[0 if self.eps else k][m, :width]
            states.append({key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in state.items()})
        return states

    def _first(self, x: Tensor | Sequence[Tensor]) -> Tensor:
        if isinstance(x, Tensor) and x.layout == torch.strided:
            rows = x.expand(len(self), -1, -1) if self.columns is None else self._gather(x).mT
            return _EachProduct.apply(rows, self.weights[0], [sizes[:2] for sizes in self.sizes])
        return _FirstBag.apply(self.weights[0], [x] if isinstance(x, Tensor) else x)

    def _gather(self, x: Tensor) -> Tensor:
        """Columns of each member, as rows: (n_members, n_columns, n)."""
        return torch.cat([x.t(), x.new_zeros(1, len(x))])[self.columns]  # padding, -1, takes the zeros

    def _kept(self, noise: Tensor, k: int) -> Tensor:
        """Factors of dropout for hidden layer k: zero, or what makes up for the zeros."""
        rate = self.dropout[:, k, None, None]
        return torch.where(noise >= rate, 1 / (1 - rate), 0)

    def _normalize(self, h: Tensor, kept: Tensor | None, k: int) -> Tensor:
        mean, variance = getattr(self, f"mean_{k}"), getattr(self, f"variance_{k}")
        eps = self.eps[k]
        if not self.training:
            gain = self.gammas[k] * (variance + eps).rsqrt()
            return (h * gain[:, None]).add_((self.betas[k] - mean * gain)[:, None])
        h, of_batch, spread = _BatchNorm.apply(h, kept, self.gammas[k], self.betas[k], eps)
        mean.lerp_(of_batch[:, 0], _MOMENTUM)
        variance.lerp_(spread[:, 0] * (h.shape[1] / (h.shape[1] - 1)), _MOMENTUM)
        return h


def _stack(tensors: Sequence[Tensor], fill: float = 0) -> Tensor:
    """Stack tensors of several shapes, padded at the end."""
    shape = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    stack = tensors[0].new_full([len(tensors), *shape], fill)
    for padded, tensor in zip(stack, tensors, strict=True):
        padded[tuple(map(slice, tensor.shape))] = tensor.detach()
    return stack


class _EachProduct(torch.autograd.Function):
    """Product of (m, n, p) and (m, p, d), of which member m has the first (p_m, d_m) and the rest is padding."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, sizes: Sequence[Sequence[int]]) -> Tensor:
        ctx.save_for_backward(h, weight)
        ctx.sizes = sizes
        out = h.new_zeros(len(h), h.shape[1], weight.shape[2])
        for m, (p, d) in enumerate(sizes):
            torch.mm(h[m, :, :p], weight[m, :p, :d], out=out[m, :, :d])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        h, weight = ctx.saved_tensors
        of_h = torch.zeros_like(h) if ctx.needs_input_grad[0] else None
        of_weight = torch.zeros_like(weight)
        for m, (p, d) in enumerate(ctx.sizes):
            grad = grads[0][m, :, :d]
            torch.mm(h[m, :, :p].T, grad, out=of_weight[m, :p, :d])
            if of_h is not None:
                torch.mm(grad, weight[m, :p, :d].T, out=of_h[m, :, :p])
        return of_h, of_weight, None


class _FirstBag(torch.autograd.Function):
    """CSR batches (n, p), one for all members or one for each, times a stack of weights (m, p, d)."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, batches: Sequence[Tensor]) -> Tensor:
        ctx.batches, ctx.shape = batches, table.shape
        parts = [(batch.crow_indices(), batch.col_indices(), batch.values()) for batch in batches]
        out = table.new_empty(len(table), batches[0].shape[0], table.shape[2])
        for m, member in enumerate(table.unbind()):
            out[m] = _bag(*parts[m % len(parts)], member)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        parts = [
            _transpose(batch.crow_indices(), batch.col_indices(), batch.values(), batch.shape[1])
            for batch in ctx.batches
        ]
        bags = grads[0].new_zeros(ctx.shape) if len(parts) > 1 else grads[0].new_empty(ctx.shape)
        for m, grad in enumerate(grads[0].unbind()):
            bag = _bag(*parts[m % len(parts)], grad)
            bags[m, : len(bag)] = bag
        return bags, None


class _BatchNorm(torch.autograd.Function):
    """Dropout, then batch norm along the rows of (m, n, d), which is overwritten: few passes, and all vectorise."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, kept: Tensor | None, gamma: Tensor, beta: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        if kept is not None:
            h.mul_(kept)
        mean = h.mean(1, keepdim=True)
        h.sub_(mean)
        variance = h.square().mean(1, keepdim=True)
        scale = (variance + eps).rsqrt_()
        h.mul_(scale)
        ctx.h, ctx.kept, ctx.scale = h, kept, scale
        ctx.save_for_backward(gamma)
        ctx.mark_non_differentiable(mean, variance)
        return (h * gamma[:, None]).add_(beta[:, None]), mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gamma,) = ctx.saved_tensors
        grad, n = grads[0], ctx.h.shape[1]
        of_beta, of_gamma = grad.sum(1, keepdim=True), (grad * ctx.h).sum(1, keepdim=True)
        of_h = ctx.h.mul_(of_gamma / -n).add_(grad).sub_(of_beta / n).mul_(gamma[:, None] * ctx.scale)
        if ctx.kept is not None:
            of_h.mul_(ctx.kept)
        return of_h, None, of_gamma[:, 0], of_beta[:, 0], None
