import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch.nn.functional import mse_loss

from sktaag.nn import Pyramid
from sktaag.nn._batched_adamw import ADAM_EPS, BatchedAdamW
from sktaag.nn._plain_pyramid import PlainPyramid
from sktaag.nn._pyramid import ACTIVATIONS
from sktaag.nn._sparse_linear import SparseBatch


def make(hidden=(9, 4), n_outputs=1, n_columns=20, **params):
    torch.manual_seed(0)
    pyramid = Pyramid(n_columns, n_outputs, hidden, **params)
    for layer in list(pyramid.children())[:-1]:
        if hasattr(layer, "normalizer"):
            torch.nn.init.zeros_(layer.linear.bias)
            torch.nn.init.normal_(layer.normalizer.weight)
            torch.nn.init.normal_(layer.normalizer.bias)
            layer.linear.bias.requires_grad_(False)
    return pyramid


@pytest.fixture
def x():
    random = np.random.RandomState(0)
    return torch.from_numpy((random.rand(16, 20) * (random.rand(16, 20) < 0.2)).astype(np.float32))


def batch(x, sparse):
    return SparseBatch(csr_array(x.numpy())) if sparse else x


def loss_of(target):
    return lambda outputs: ((outputs - target).square().mean(), 2 * (outputs - target) / target.numel())


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_both_passes_are_those_of_the_module(x, sparse, activation, batch_norm):
    pyramid = make(n_outputs=2, activation=activation, batch_norm=batch_norm)
    plain = PlainPyramid(pyramid)
    target = torch.rand(16, 2)
    value, gradients = plain.backpropagate(batch(x, sparse), loss_of(target))
    loss = mse_loss(pyramid(x), target)
    loss.backward()
    torch.testing.assert_close(value, loss)
    layers = list(pyramid.children())
    linears = [getattr(layer, "linear", layer) for layer in layers]
    expected = [linear.weight.grad.T for linear in linears]
    expected += [linear.bias.grad for linear in (linears[-1:] if batch_norm else linears)]
    if batch_norm:
        expected += [layer.normalizer.weight.grad for layer in layers[:-1]]
        expected += [layer.normalizer.bias.grad for layer in layers[:-1]]
    assert len(gradients) == len(expected) == len(plain.parameters())
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    state = plain.state(1)
    assert list(state) == list(pyramid.state_dict())
    for name, tensor in pyramid.state_dict().items():
        torch.testing.assert_close(state[name], tensor, msg=name)
    torch.testing.assert_close(plain.outputs(batch(x, sparse)), pyramid.eval()(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_dropout(x, batch_norm):
    pyramid = make(dropout=0.4, batch_norm=batch_norm)
    plain, target = PlainPyramid(pyramid), torch.rand(16, 1)
    noise = torch.rand(2, 16, 11)  # for more units than it has
    value, gradients = plain.backpropagate(x, loss_of(target), noise)
    for k, layer in enumerate(list(pyramid.children())[:-1]):
        layer.dropout.p = 0
        kept = (noise[k, :, : layer.linear.out_features] >= 0.4) / 0.6
        layer.dropout.register_forward_hook(lambda module, args, h, kept=kept: h * kept)
    loss = mse_loss(pyramid(x), target)
    loss.backward()
    torch.testing.assert_close(value, loss)
    torch.testing.assert_close(gradients[0], pyramid.layer_0.linear.weight.grad.T, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradients[1], pyramid.layer_1.linear.weight.grad.T, rtol=1e-4, atol=1e-6)


def test_a_training_is_that_of_the_module(x):
    pyramid = make(activation="gelu")
    plain, target = PlainPyramid(pyramid), x.sum(1, keepdim=True)
    ours = BatchedAdamW(plain.parameters(), [0.01], 0.1)
    trained = [p for p in pyramid.parameters() if p.requires_grad]
    theirs = torch.optim.AdamW(trained, lr=0.01, weight_decay=0.1, eps=ADAM_EPS)
    for _ in range(30):
        ours.step(plain.backpropagate(batch(x, True), loss_of(target))[1])
        theirs.zero_grad()
        mse_loss(pyramid(x), target).backward()
        theirs.step()
    for name, tensor in pyramid.state_dict().items():
        if "tracked" not in name:
            torch.testing.assert_close(plain.state()[name], tensor, rtol=1e-4, atol=1e-4, msg=name)


def test_a_linear_model(x):
    pyramid = make(())
    plain, target = PlainPyramid(pyramid), torch.rand(16, 1)
    torch.testing.assert_close(plain.outputs(x), pyramid(x))
    _, (of_weight, of_bias) = plain.backpropagate(batch(x, True), loss_of(target))
    mse_loss(pyramid(x), target).backward()
    torch.testing.assert_close(of_weight, pyramid.output.weight.grad.T)
    torch.testing.assert_close(of_bias, pyramid.output.bias.grad)
    assert list(plain.state()) == ["output.weight", "output.bias"]


@pytest.mark.parametrize("sparse", [False, True])
def test_bfloat16_products(sparse):
    x = torch.randn(256, 200) * (torch.rand(256, 200) < 0.3)
    target = torch.rand(256, 1)
    pyramid = make((160, 120, 8), n_columns=200)
    exact = PlainPyramid(pyramid).backpropagate(batch(x, sparse), loss_of(target))
    rough = PlainPyramid(pyramid, torch.bfloat16).backpropagate(batch(x, sparse), loss_of(target))
    assert 0 < (exact[0] - rough[0]).abs() < 0.02 * exact[0]
    for ours, theirs in zip(exact[1], rough[1], strict=True):
        assert theirs.dtype == torch.float32
        assert (ours - theirs).norm() < 0.15 * ours.norm()  # some units are on the other side of zero


def test_a_bias_in_front_of_a_batch_norm():
    with pytest.raises(ValueError, match="in front of a batch norm must be zero"):
        PlainPyramid(Pyramid(20, 1, (4,)))
