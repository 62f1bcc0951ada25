"""Hidden layers of any torch module."""

from typing import Literal

import torch
from torch import Tensor, nn


def linear_outputs(module: nn.Module, x: Tensor, activation: Literal["pre", "post"] = "pre") -> list[Tensor]:
    """Compute the hidden layers of a network, whatever its class.

    A hidden layer is every `torch.nn.Linear` that runs in ``module(x)``, in the order in which they run, but for the
    last one, the output. The module runs in evaluation mode and without gradients, and every part of it is back in its
    former mode afterwards.

    Parameters
    ----------
    module : nn.Module
        Network with at least two linear layers.
    x : Tensor of shape (n, in_features)
        Batch that the module takes, on its device.
    activation : {"pre", "post"}, default="pre"
        "pre": what the linear layer itself gives, before dropout, batch norm and activation, as XenonPy's
        FrozenFeaturizer. "post": what the next linear layer takes.

    Returns
    -------
    list of Tensor
        One of shape (n, width) for each hidden layer, from the input side.

    Raises
    ------
    ValueError
        If fewer than two linear layers run, or `activation` is neither "pre" nor "post".

    Examples
    --------
    >>> import torch
    >>> from sktaag.nn import Pyramid, linear_outputs
    >>> [layer.shape[1] for layer in linear_outputs(Pyramid(8, 1, hidden=(6, 4)), torch.zeros(3, 8))]
    [6, 4]
    """
    if activation not in ("pre", "post"):
        raise ValueError(f'activation must be "pre" or "post", got {activation!r}.')
    taken: list[Tensor] = []
    given: list[Tensor] = []

    def record(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        taken.append(args[0].clone())  # copies, because activations may work in place
        given.append(output.clone())

    modes = {part: part.training for part in module.modules()}
    hooks = [part.register_forward_hook(record) for part in modes if isinstance(part, nn.Linear)]
    try:
        with torch.no_grad():
            module.eval()(x)
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes.items():
            part.training = training
    if len(given) < 2:
        raise ValueError(
            f"{type(module).__name__} runs {len(given)} torch.nn.Linear layers; hidden layers need a second one, the "
            "output."
        )
    return given[:-1] if activation == "pre" else taken[1:]
