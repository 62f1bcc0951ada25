import pytest
import torch
from torch import nn

from sktaag.nn import Pyramid


def test_order_is_linear_dropout_norm_activation():
    layer = Pyramid(5, 1, hidden=(4, 3), dropout=0.2)[0]
    assert [type(part).__name__ for part in layer] == ["SparseLinear", "Dropout", "BatchNorm1d", "ReLU"]
    assert [name for name, _ in Pyramid(5, 1, hidden=(4, 3)).named_children()] == ["layer_0", "layer_1", "output"]


def test_without_hidden_layers_is_linear():
    pyramid = Pyramid(5, 2, hidden=())
    x = torch.randn(3, 5)
    torch.testing.assert_close(pyramid(x), nn.functional.linear(x, pyramid.output.weight, pyramid.output.bias))


def test_sparse_batch_equals_dense():
    x = torch.randn(8, 20) * (torch.rand(8, 20) < 0.2)
    pyramid = Pyramid(20, 1, hidden=(6,), sparse=True)
    torch.testing.assert_close(pyramid(x.to_sparse_csr()), pyramid(x))


def test_unknown_activation_lists_the_known():
    with pytest.raises(ValueError, match=r"one of relu, leaky_relu, .* got 'swish'"):
        Pyramid(5, 1, activation="swish")


@pytest.mark.parametrize("hidden", [(), (6,), (8, 6, 4)])
def test_state_dict_loads_both_ways_with_xenonpy(hidden):
    sequential = pytest.importorskip("xenonpy.model.sequential")
    theirs = sequential.SequentialLinear(10, 2, h_neurons=hidden)
    ours = Pyramid(10, 2, hidden=hidden)
    x = torch.randn(16, 10)
    for source, target in ((ours, theirs), (theirs, ours)):
        source.train()(x)  # moves the running statistics of the batch norm
        target.load_state_dict(source.state_dict(), strict=True)
        torch.testing.assert_close(source.eval()(x), target.eval()(x))
