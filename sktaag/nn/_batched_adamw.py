"""AdamW over networks that are stacked, each with its own learning rate, or over a single one."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

# torch's 1e-8 lets a gradient of nothing but rounding errors move a weight by the full rate, another way each time
ADAM_EPS = 1e-6


class BatchedAdamW:
    """AdamW for parameters whose first axis counts networks; the numbers are those of `torch.optim.AdamW` on each.

    Where rates differ a step is one with a rate of one, and then moves each network its rate's share of that way:
    AdamW's step is linear in the rate. No step waits for the device.

    Parameters
    ----------
    parameters : sequence of Tensor
        Each of shape (n_networks, ...). With one rate they may be those of a single network, of any shape.
    lr : sequence of float
        Learning rate of each network.
    weight_decay : float
        As in AdamW.
    """

    def __init__(self, parameters: Sequence[Tensor], lr: Sequence[float], weight_decay: float) -> None:
        device = parameters[0].device
        self.parameters = list(parameters)
        self.lr = list(lr)
        self.weight_decay = weight_decay
        self.fused = device.type in ("cpu", "cuda")
        #: Of each parameter; foreach's kernels read it on the host.
        self.n_steps = list(torch.zeros(len(self.parameters), device=device if self.fused else "cpu").unbind())
        self.moments = [[torch.zeros_like(p) for p in self.parameters] for _ in range(2)]
        self._share_rates()

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
        self.lr = [self.lr[k] for k in networks.tolist()]
        self.moments = [[tensor[networks] for tensor in moment] for moment in self.moments]
        self._share_rates()

    @torch.no_grad()
    def step(self, grads: Sequence[Tensor]) -> None:
        """Update all parameters.

        Parameters
        ----------
        grads : sequence of Tensor
            In the order of the parameters.
        """
        tensors = [[p.detach() for p in self.parameters], list(grads), *self.moments]
        if len(set(self.lr)) == 1:
            self._step(*tensors, lr=self.lr[0])
        else:
            before = [p.clone() for p in tensors[0]]
            self._step(*tensors, lr=1.0)
            for p, old in zip(tensors[0], before, strict=True):
                torch.lerp(old, p, self._shares.view(-1, *[1] * (p.ndim - 1)), out=p)

    def _share_rates(self) -> None:
        self._shares = torch.tensor(self.lr, dtype=torch.float32, device=self.parameters[0].device)

    def _step(self, params: list[Tensor], grads: list[Tensor], first: list[Tensor], second: list[Tensor], *, lr: float):
        adamw(
            params,
            grads,
            first,
            second,
            [],
            self.n_steps,
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
