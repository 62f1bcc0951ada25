"""The network of XenonPy.MDL: linear layers that grow narrower."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from sktaag.nn._sparse_linear import SparseLinear

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Pyramid(nn.Sequential):
    r"""Multilayer perceptron in the order of XenonPy's `SequentialLinear` [1]_.

    .. math:: h_k = \sigma(\operatorname{BN}(\operatorname{dropout}(W_k h_{k-1} + b_k))), \quad y = W h_K + b

    The names of the parts are XenonPy's as well, so that state dicts load both ways. The first layer takes dense and
    sparse CSR batches.

    Parameters
    ----------
    in_features : int
        Width of the input.
    out_features : int
        Width of the output.
    hidden : sequence of int, default=(400, 200, 80)
        Widths of the hidden layers; none gives a linear model.
    dropout : float, default=0.0
        Share of values that are set to zero in training, in [0, 1).
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh"}, default="relu"
        The function :math:`\sigma`.
    batch_norm : bool, default=True
        Whether hidden layers are normalised over the batch.
    sparse : bool, default=False
        Lay the first weight out for sparse batches (`column_major` of `SparseLinear`); both kinds work either way.

    Raises
    ------
    ValueError
        If `activation` is not one of the names.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> import torch
    >>> from sktaag.nn import Pyramid
    >>> Pyramid(290, 1, hidden=(232, 116))(torch.zeros(4, 290)).shape
    torch.Size([4, 1])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (400, 200, 80),
        *,
        dropout: float = 0.0,
        activation: str = "relu",
        batch_norm: bool = True,
        sparse: bool = False,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}.")
        widths = [in_features, *hidden, out_features]
        linears: list[nn.Linear] = [SparseLinear(widths[0], widths[1], column_major=sparse)]
        linears += [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(widths[1:])]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for k, linear in enumerate(linears[:-1]):
            parts: OrderedDict[str, nn.Module] = OrderedDict(linear=linear, dropout=nn.Dropout(dropout))
            if batch_norm:
                parts["normalizer"] = nn.BatchNorm1d(linear.out_features)
            parts["activation"] = ACTIVATIONS[activation]()
            layers[f"layer_{k}"] = nn.Sequential(parts)
        super().__init__(OrderedDict(layers, output=linears[-1]))
