"""AdamW over stacked networks, each with its own learning rate."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

# torch's 1e-8 lets a gradient of nothing but rounding errors move a weight by the full rate, another way each time
ADAM_EPS = 1e-6


class BatchedAdamW:
    """AdamW for parameters whose first axis counts networks; the numbers are those of `torch.optim.AdamW` on each.

    On the CPU a step goes network by network, so that the numbers of one stay in the cache. Elsewhere it takes all at
    once with a rate of one, and then moves each network its rate's share of that way: AdamW's step is linear in the
    rate.

    Parameters
    ----------
    parameters : sequence of Tensor
        Each of shape (n_networks, ...).
    lr : Tensor of shape (n_networks,)
        Learning rates.
    weight_decay : float
        As in AdamW.
    one_by_one : bool or None, default=None
        Whether to go network by network; None decides by the device.
    """

    def __init__(
        self, parameters: Sequence[Tensor], lr: Tensor, weight_decay: float, one_by_one: bool | None = None
    ) -> None:
        device = parameters[0].device
        self.parameters = list(parameters)
        self.lr = lr
        self.weight_decay = weight_decay
        self.one_by_one = device.type == "cpu" if one_by_one is None else one_by_one
        self.fused = device.type in ("cpu", "cuda")
        self.n_steps = 0
        self.moments = [[torch.zeros_like(p) for p in self.parameters] for _ in range(2)]

    def keep(self, networks: Tensor, parameters: Sequence[Tensor]) -> None:
        """Go on with some of the networks alone.

        Parameters
        ----------
        networks : Tensor of int
            Their numbers.
        parameters : sequence of Tensor
            Theirs alone.
        """
        self.parameters = list(parameters)
        self.lr = self.lr[networks.to(self.lr.device)]
        self.moments = [[tensor[networks] for tensor in moment] for moment in self.moments]

    @torch.no_grad()
    def step(self, grads: Sequence[Tensor]) -> None:
        """Update all parameters.

        Parameters
        ----------
        grads : sequence of Tensor
            In the order of the parameters.
        """
        tensors = [[p.detach() for p in self.parameters], list(grads), *self.moments]
        if self.one_by_one:
            networks = zip(*(zip(*(t.unbind() for t in kind), strict=True) for kind in tensors), strict=True)
            for lr, network in zip(self.lr.tolist(), networks, strict=True):
                self._step(*map(list, network), lr=lr)
        else:
            before = [p.clone() for p in tensors[0]]
            self._step(*tensors, lr=1.0)
            for p, old in zip(tensors[0], before, strict=True):
                p.copy_(old.lerp(p, self.lr.to(p).view(-1, *[1] * (p.ndim - 1))))
        self.n_steps += 1

    def _step(self, params: list[Tensor], grads: list[Tensor], first: list[Tensor], second: list[Tensor], *, lr: float):
        adamw(
            params,
            grads,
            first,
            second,
            [],
            list(torch.full((len(params),), float(self.n_steps), device=params[0].device).unbind()),
            foreach=not self.fused,
            fused=self.fused,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=lr,
            weight_decay=self.weight_decay,
            eps=ADAM_EPS,
            maximize=False,
        )
