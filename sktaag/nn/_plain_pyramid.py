"""A pyramid whose training step is written out, for processors."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from sktaag.nn._pyramid import Pyramid
from sktaag.nn._sparse_linear import SparseBatch

_MOMENTUM = 0.1  # of running statistics, as in torch.nn.BatchNorm1d
_ROUNDED = 2**22  # a product of fewer multiplications is no faster for rounded factors

_aten = torch.ops.aten
# gradient by the input of an activation function: of the gradient by its output, its input and its output
_SLOPES: dict[type[nn.Module], Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    nn.ReLU: lambda g, x, y: _aten.threshold_backward(g, y, 0),
    nn.LeakyReLU: lambda g, x, y: _aten.leaky_relu_backward(g, x, 0.01, False),
    nn.ELU: lambda g, x, y: _aten.elu_backward(g, 1, 1, 1, False, x),
    nn.GELU: lambda g, x, y: _aten.gelu_backward(g, x),
    nn.SiLU: lambda g, x, y: _aten.silu_backward(g, x),
    nn.Tanh: lambda g, x, y: _aten.tanh_backward(g, y),
}


class PlainPyramid:
    """The tensors of a pyramid, and its two passes without modules and autograd.

    On a processor the products of one network fill the machine. What they leave is a handful of passes over memory, so
    that the point is to have few of them, over numbers that are in a cache. Weights are laid out as (input, unit): the
    first one is a table of which sparse rows take bags.

    Parameters
    ----------
    pyramid : Pyramid
        Its weights are copied. A bias in front of a batch norm has to be zero, and stays so: it has no effect on
        predictions without dropout, its gradient is rounding noise, and Adam would walk it at random.
    dtype : torch.dtype, default=torch.float32
        Of the factors of large matrix products. Weights, sums and batch norm are in float32.

    Raises
    ------
    ValueError
        If a bias in front of a batch norm is not zero.
    """

    def __init__(self, pyramid: Pyramid, dtype: torch.dtype = torch.float32) -> None:
        layers: list[Any] = list(pyramid.children())
        blocks, output = layers[:-1], layers[-1]
        linears = [*(block.linear for block in blocks), output]
        norms = [block.normalizer for block in blocks if hasattr(block, "normalizer")]
        if norms and any(linear.bias.any() for linear in linears[:-1]):
            raise ValueError("A bias in front of a batch norm must be zero.")
        biased = linears[-1:] if norms else linears
        self.dtype = dtype
        self.activation: nn.Module = blocks[0].activation if blocks else nn.Identity()
        self.dropout = [block.dropout.p for block in blocks]
        self.weights = [linear.weight.detach().t().clone(memory_format=torch.contiguous_format) for linear in linears]
        self.biases = [linear.bias.detach().clone() for linear in biased]
        self.gammas = [norm.weight.detach().clone() for norm in norms]
        self.betas = [norm.bias.detach().clone() for norm in norms]
        self.means = [norm.running_mean.clone() for norm in norms]
        self.variances = [norm.running_var.clone() for norm in norms]
        self.eps = [norm.eps for norm in norms]

    def kinds(self) -> list[list[Tensor]]:
        """Return, layer by layer, weights, biases, and of batch norm gains, shifts, means and variances."""
        return [self.weights, self.biases, self.gammas, self.betas, self.means, self.variances]

    def parameters(self) -> list[Tensor]:
        """Return what an optimizer changes, in the order of the gradients."""
        return [tensor for kind in self.kinds()[:4] for tensor in kind]

    def tensors(self) -> list[Tensor]:
        """Return what training changes: parameters, and the running statistics of batch norm."""
        return [tensor for kind in self.kinds() for tensor in kind]

    @torch.no_grad()
    def outputs(self, x: Tensor | SparseBatch) -> Tensor:
        """Run it as after the training.

        Parameters
        ----------
        x : Tensor of shape (n, n_columns), or SparseBatch

        Returns
        -------
        Tensor of shape (n, n_outputs)
        """
        h: Any = x
        for k, weight in enumerate(self.weights):
            if k > 0:
                h = self.activation(h)
            h = h.times(weight) if isinstance(h, SparseBatch) else _product(*self._round(h, weight))
            if k == len(self.dropout) or not self.eps:
                h += self.biases[0 if self.eps else k]
            else:
                h = batch_norm(h, self.means[k], self.variances[k], self.gammas[k], self.betas[k], eps=self.eps[k])
        return h

    @torch.no_grad()
    def backpropagate(
        self,
        x: Tensor | SparseBatch,
        loss: Callable[[Tensor], tuple[Tensor, Tensor]],
        noise: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Run it as in the training, there and back; running statistics move on.

        Parameters
        ----------
        x : Tensor of shape (n, n_columns), or SparseBatch
        loss : callable
            Of the outputs, of shape (n, n_outputs); returns a value and its gradient by the outputs.
        noise : sequence of Tensor or None, default=None
            For each hidden layer uniform numbers in [0, 1) of shape (n, width), or wider ones. A unit drops out where
            they are below its rate. None for no dropout.

        Returns
        -------
        value
            The loss's.
        gradients : list of Tensor
            By `parameters`.
        """
        last = len(self.dropout)
        tape: list[Any] = []
        h: Any = x
        for k, weight in enumerate(self.weights):
            sparse = isinstance(h, SparseBatch)
            factors = h if sparse else self._round(h, weight)
            z = h.times(weight) if sparse else _product(*factors)
            if k == last or not self.eps:
                z += self.biases[0 if self.eps else k]
            if k == last:
                tape.append((factors,))
                break
            kept = None
            if noise is not None and self.dropout[k] > 0:
                kept = (noise[k][:, : z.shape[1]] >= self.dropout[k]).to(z.dtype).div_(1 - self.dropout[k])
                z *= kept
            normal, mean, scale = z, None, None
            if self.eps:
                parts = self.gammas[k], self.betas[k], self.means[k], self.variances[k]
                normal, mean, scale = torch.native_batch_norm(z, *parts, True, _MOMENTUM, self.eps[k])
            h = self.activation(normal)
            tape.append((factors, kept, z, mean, scale, normal, h))
        value, grad = loss(z)

        of_weights, of_biases, of_gammas, of_betas = gradients = [[*kind] for kind in self.kinds()[:4]]
        for k in reversed(range(last + 1)):
            factors = tape[k][0]
            if k < last:
                _, kept, z, mean, scale, normal, h = tape[k]
                grad = _SLOPES[type(self.activation)](grad, normal, h)
                if self.eps:
                    statistics = self.means[k], self.variances[k], mean, scale, True, self.eps[k], [True] * 3
                    parts = _aten.native_batch_norm_backward(grad, z, self.gammas[k], *statistics)
                    grad, of_gammas[k], of_betas[k] = parts
                if kept is not None:
                    grad *= kept
            if k == last or not self.eps:
                of_biases[0 if self.eps else k] = grad.sum(0)
            if isinstance(factors, SparseBatch):
                of_weights[k] = factors.transposed.times(grad)
                continue
            left, right = factors
            grad = grad.to(left.dtype)
            of_weights[k] = _product(left.T, grad)
            if k > 0:
                grad = _product(grad, right.T)
        return value, [gradient for kind in gradients for gradient in kind]

    def state(self, n_batches: int = 0) -> dict[str, Tensor]:
        """Return the state dict, as `Pyramid` names it.

        Parameters
        ----------
        n_batches : int, default=0
            What batch norm keeps as the number of batches that it has seen.

        Returns
        -------
        dict of str to Tensor
            Copies.
        """
        return pyramid_state(self.kinds(), n_batches)

    def _round(self, h: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        if len(h) * weight.numel() < _ROUNDED:
            return h, weight
        return h.to(self.dtype), weight.to(self.dtype)


def pyramid_state(kinds: Sequence[Sequence[Tensor]], n_batches: int) -> dict[str, Tensor]:
    """Return a state dict, as `Pyramid` names it, of copies of `PlainPyramid.kinds`."""
    weights, biases, gammas, betas, means, variances = kinds
    state: dict[str, Tensor] = {}
    for k, weight in enumerate(weights):
        last = k == len(weights) - 1
        name = "output" if last else f"layer_{k}.linear"
        state[f"{name}.weight"] = weight.T
        if gammas and not last:
            state[f"{name}.bias"] = torch.zeros(weight.shape[1])
            for key, tensors in (
                ("weight", gammas),
                ("bias", betas),
                ("running_mean", means),
                ("running_var", variances),
            ):
                state[f"layer_{k}.normalizer.{key}"] = tensors[k]
            state[f"layer_{k}.normalizer.num_batches_tracked"] = torch.tensor(n_batches)
        else:
            state[f"{name}.bias"] = biases[0 if gammas else k]
    return {key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in state.items()}


def _product(left: Tensor, right: Tensor) -> Tensor:
    return (left @ right).float()
