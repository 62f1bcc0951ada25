import numpy as np
import pytest
import torch
from torch import nn

from sktaag.nn import Pyramid, linear_outputs


def test_pre_and_post_of_a_pyramid():
    pyramid = Pyramid(6, 1, hidden=(5, 4), dropout=0.5)
    x = torch.randn(9, 6)
    pyramid(x)  # gives the batch norm something to forget
    pre = linear_outputs(pyramid, x)
    post = linear_outputs(pyramid, x, "post")
    pyramid.eval()
    torch.testing.assert_close(pre[0], pyramid.layer_0.linear(x))
    torch.testing.assert_close(post[0], pyramid.layer_0(x))
    torch.testing.assert_close(pre[1], pyramid.layer_1.linear(post[0]))
    torch.testing.assert_close(post[1], pyramid.layer_1(post[0]))
    assert not any(layer.requires_grad for layer in pre + post)


def test_equals_xenonpys_frozen_featurizer():
    pytest.importorskip("xenonpy")
    from xenonpy.descriptor import FrozenFeaturizer
    from xenonpy.model import SequentialLinear

    model = SequentialLinear(6, 1, h_neurons=(5, 4, 3))
    x = torch.randn(9, 6)
    theirs = FrozenFeaturizer(model).transform(x.numpy(), return_type="array")
    np.testing.assert_allclose(torch.cat(linear_outputs(model, x), 1), theirs, atol=1e-6)


def test_any_module_in_the_order_it_runs():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.second, self.first = nn.Linear(2, 1), nn.Linear(3, 2), nn.Linear(4, 3)

        def forward(self, x):
            return self.last(torch.relu_(self.second(torch.relu_(self.first(x)))))

    module, x = Backwards(), torch.randn(5, 4)
    pre = linear_outputs(module, x)
    assert [layer.shape[1] for layer in pre] == [3, 2]
    torch.testing.assert_close(pre[0], module.first(x).detach())  # though relu_ has overwritten it
    torch.testing.assert_close(linear_outputs(module, x, "post")[0], pre[0].relu())


def test_leaves_modes_and_hooks_as_they_were():
    pyramid = Pyramid(6, 1, hidden=(5, 4))
    pyramid.layer_0.normalizer.eval()  # a frozen part of a training module
    linear_outputs(pyramid, torch.randn(9, 6))
    assert pyramid.training
    assert pyramid.layer_1.training
    assert not pyramid.layer_0.normalizer.training
    assert not any(part._forward_hooks for part in pyramid.modules())
    with pytest.raises(RuntimeError):
        linear_outputs(pyramid, torch.randn(9, 7))
    assert pyramid.training
    assert not any(part._forward_hooks for part in pyramid.modules())


def test_needs_two_linear_layers():
    with pytest.raises(ValueError, match=r"Linear runs 1 torch.nn.Linear layers"):
        linear_outputs(nn.Linear(3, 1), torch.zeros(2, 3))
    with pytest.raises(ValueError, match='"pre" or "post", got \'mid\''):
        linear_outputs(Pyramid(3, 1), torch.zeros(2, 3), "mid")
