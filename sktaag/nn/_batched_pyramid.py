"""Many pyramids as one computation."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sktaag.nn._pyramid import Pyramid
from sktaag.nn._sparse_linear import _bag, _transpose

_MOMENTUM = 0.1  # of running statistics, as in torch.nn.BatchNorm1d


class BatchedPyramid(nn.Module):
    """Pyramids of one depth and activation function, stacked: a layer of all of them is one batched product.

    Members narrower than the widest one are padded with zeros. Zeros are a fixed point of the training: a padded unit
    gives zero whatever its batch norm and activation function, so its weights on both sides have no gradient. No masks
    are needed, and a member ends as it would have ended alone.

    Weights are laid out as (member, input, unit): the first one is a table of which sparse rows take bags. On the CPU
    a batched product gains nothing over products one after the other, and these can leave the padding out.

    Parameters
    ----------
    pyramids : sequence of Pyramid
        Members, each with one output.
    columns : sequence of Tensor or None, default=None
        For each member the columns of x that it takes; None if all members take all of them.
    dtype : torch.dtype, default=torch.float32
        Of the factors of matrix products. Weights, sums and batch norm are in float32.
    one_by_one : bool or None, default=None
        Whether products go member by member; None decides by the device. Only in float32.

    Raises
    ------
    ValueError
        If the members differ in depth, activation function or batch norm, or have a bias other than zero in front of a
        batch norm: it has no effect on predictions without dropout, its gradient is rounding noise, and Adam would walk
        it at random.
    """

    columns: Tensor | None
    dropout: Tensor

    def __init__(
        self,
        pyramids: Sequence[Pyramid],
        columns: Sequence[Tensor] | None = None,
        dtype: torch.dtype = torch.float32,
        one_by_one: bool | None = None,
    ) -> None:
        super().__init__()
        blocks: list[list[Any]] = [list(pyramid.children())[:-1] for pyramid in pyramids]
        kinds = {tuple((type(b.activation), hasattr(b, "normalizer")) for b in block) for block in blocks}
        if len(kinds) != 1:
            raise ValueError("The members of a batch must agree in depth, activation function and batch norm.")
        self.dtype = dtype
        self.one_by_one = one_by_one
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

    def forward(self, x: Tensor | Sequence[Tensor], noise: Sequence[Tensor] | None = None) -> Tensor:
        """Run all members.

        Parameters
        ----------
        x : Tensor of shape (n, n_columns), or sequence of Tensor
            Batch for all members, strided or sparse CSR; or a sparse CSR one for each member, of its columns alone.
        noise : sequence of Tensor or None, default=None
            For each hidden layer uniform numbers of shape (n, width), in [0, 1), at least as wide as the widest member.
            A unit of a member drops out where they are below its rate. None for no dropout. Unused in evaluation.

        Returns
        -------
        Tensor of shape (n_members, n)
        """
        h = self._first(x)
        for k in range(self.n_hidden + 1):
            if k > 0:
                h = self._product(h, k)
            if not self.eps or k == self.n_hidden:
                h = h + self.biases[0 if self.eps else k][:, None]
            if k == self.n_hidden:
                break
            kept = self._kept(noise[k], k) if self.training and noise is not None else None
            if self.eps:
                h = self._normalize(h, kept, k)
            elif kept is not None:
                h = h * kept
            h = self.activation(h)
        return h[:, :, 0]

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

    def member_state(self, member: int, n_batches: int = 0) -> dict[str, Tensor]:
        """Return the state dict of one member, as `Pyramid` names it, without padding.

        Parameters
        ----------
        member : int
            Its number.
        n_batches : int, default=0
            What batch norm keeps as the number of batches that it has seen.

        Returns
        -------
        dict of str to Tensor
        """
        n_in, *widths = self.sizes[member]
        state: dict[str, Tensor] = {}
        for k, width in enumerate(widths):
            last = k == self.n_hidden
            name = "output" if last else f"layer_{k}.linear"
            state[f"{name}.weight"] = self.weights[k][member, :n_in, :width].T
            if self.eps and not last:
                state[f"{name}.bias"] = torch.zeros(width)
                for key, tensors in {"weight": self.gammas, "bias": self.betas}.items():
                    state[f"layer_{k}.normalizer.{key}"] = tensors[k][member, :width]
                for key, kind in {"running_mean": "mean", "running_var": "variance"}.items():
                    state[f"layer_{k}.normalizer.{key}"] = getattr(self, f"{kind}_{k}")[member, :width]
                state[f"layer_{k}.normalizer.num_batches_tracked"] = torch.tensor(n_batches)
            else:
                state[f"{name}.bias"] = self.biases[0 if self.eps else k][member, :width]
            n_in = width
        return {key: tensor.detach().cpu().contiguous().clone() for key, tensor in state.items()}

    def _first(self, x: Tensor | Sequence[Tensor]) -> Tensor:
        if isinstance(x, Tensor) and x.layout == torch.strided:
            if self.columns is None:
                return self._product(x.expand(len(self), -1, -1), 0)
            rows = torch.cat([x.t(), x.new_zeros(1, len(x))])[self.columns]  # padding, -1, takes the zeros
            return self._product(rows.transpose(1, 2), 0)
        return _FirstBag.apply(self.weights[0], [x] if isinstance(x, Tensor) else x)

    def _product(self, h: Tensor, k: int) -> Tensor:
        if self.dtype == torch.float32 and (h.device.type == "cpu" if self.one_by_one is None else self.one_by_one):
            return _EachProduct.apply(h, self.weights[k], [sizes[k : k + 2] for sizes in self.sizes])
        return torch.bmm(h.to(self.dtype), self.weights[k].to(self.dtype)).float()

    def _kept(self, noise: Tensor, k: int) -> Tensor | None:
        """Factors of dropout for hidden layer k: zero, or what makes up for the zeros."""
        rate = self.dropout[:, k, None, None]
        if not rate.any():
            return None
        width = self.weights[k].shape[2]
        return (noise[:, :width] >= rate).float().mul_(1 / (1 - rate))

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
