"""XenonPy's network."""

import numpy as np
from torch import nn

from sktaag.xenonpy._upstream import SequentialLinear as _SequentialLinear

_RELU = nn.ReLU()


class SequentialLinear(_SequentialLinear):
    r"""XenonPy's network: hidden layers of linear map, dropout, batch norm and activation, and a linear output.

    It is XenonPy's class, with its names in the state dict, so that states load both ways. `h_neurons` may also hold
    numpy's numbers, as parameter generators draw them.

    Parameters
    ----------
    in_features : int
        Width of the input.
    out_features : int
        Width of the output.
    bias : bool, default=True
        Bias of the first layer.
    h_neurons : sequence of float or of int, default=()
        Widths of the hidden layers; floats are ratios of `in_features`, rounded up.
    h_bias : bool or sequence of bool, default=True
        Bias of the layers after the first one.
    h_dropouts : float or sequence of float, default=0.0
        Share of values that are set to zero in training.
    h_normalizers : float, None or sequence of these, default=0.1
        Momentum of the batch norm; None leaves it out.
    h_activation_funcs : torch.nn.Module, None or sequence of these, default=ReLU()
        Activation functions. Functions that are no modules work, but no text holds them (`Checker.model`).

    Raises
    ------
    RuntimeError
        If a sequence does not have one entry for each hidden layer, or `h_neurons` is no sequence of numbers.

    See Also
    --------
    sktaag.nn.Pyramid : The network of sktaag's own sources; its states are interchangeable with these.

    Examples
    --------
    >>> from sktaag.xenonpy import SequentialLinear
    >>> model = SequentialLinear(290, 1, h_neurons=(0.8, 0.4))
    >>> model.layer_0.linear.out_features, model.layer_1.linear.out_features
    (232, 116)
    """

    def __init__(
        self,
        in_features,
        out_features,
        bias=True,
        *,
        h_neurons=(),
        h_bias=True,
        h_dropouts=0.0,
        h_normalizers=0.1,
        h_activation_funcs=_RELU,
    ):
        super().__init__(
            in_features,
            out_features,
            bias,
            h_neurons=tuple(n.item() if isinstance(n, np.generic) else n for n in h_neurons),
            h_bias=h_bias,
            h_dropouts=h_dropouts,
            h_normalizers=h_normalizers,
            h_activation_funcs=h_activation_funcs,
        )
