import numpy as np
import pytest
import torch

from sktaag.nn import Pyramid
from sktaag.nn._batched_adamw import ADAM_EPS, BatchedAdamW
from sktaag.nn._batched_pyramid import BatchedPyramid

SHAPES = [(9, 4), (6, 5), (7, 2)]


def make(shapes=SHAPES, n_columns=(20, 20, 20), **params):
    torch.manual_seed(0)
    pyramids = [Pyramid(p, 1, hidden, **params) for p, hidden in zip(n_columns, shapes, strict=True)]
    for pyramid in pyramids:
        for layer in list(pyramid.children())[:-1]:
            if hasattr(layer, "normalizer"):
                torch.nn.init.zeros_(layer.linear.bias)
                torch.nn.init.normal_(layer.normalizer.weight)
                torch.nn.init.normal_(layer.normalizer.bias)
    return pyramids


@pytest.fixture
def x():
    random = np.random.RandomState(0)
    return torch.from_numpy((random.rand(16, 20) * (random.rand(16, 20) < 0.2)).astype(np.float32))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_outputs_gradients_and_statistics_are_those_of_each(x, activation, batch_norm):
    pyramids = make(activation=activation, batch_norm=batch_norm)
    batched = BatchedPyramid(pyramids)
    assert len(batched) == 3
    y = batched(x)[:, :, 0]
    batched.zero_grad()
    y.square().sum().backward()
    for k, pyramid in enumerate(pyramids):
        alone = pyramid(x)[:, 0]
        torch.testing.assert_close(y[k], alone, rtol=1e-4, atol=1e-5)
        alone.square().sum().backward()
        n_in, width = 20, pyramid.layer_0.linear.out_features
        gradient = batched.weights[0].grad[k]
        torch.testing.assert_close(gradient[:n_in, :width].T, pyramid.layer_0.linear.weight.grad, rtol=1e-3, atol=1e-4)
        assert not gradient[:, width:].any()
        torch.testing.assert_close(batched.biases[-1].grad[k], pyramid.output.bias.grad, rtol=1e-3, atol=1e-4)
    batched.eval()
    for k, (pyramid, state) in enumerate(zip(pyramids, batched.states(range(3), [1, 1, 1]), strict=True)):
        for name, tensor in pyramid.state_dict().items():
            torch.testing.assert_close(state[name], tensor, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(batched(x)[k], pyramid.eval()(x), rtol=1e-4, atol=1e-5)


def test_columns_of_each(x):
    columns = [torch.tensor(c) for c in ([0, 3, 4], [1, 2, 3, 5, 19], [7, 9])]
    pyramids = make(n_columns=[len(c) for c in columns])
    parts = [x[:, c] for c in columns]
    batched = BatchedPyramid(pyramids, columns)
    y = batched(x)
    gradient = torch.autograd.grad(y.sum(), batched.weights[0])[0]
    for k, (pyramid, part) in enumerate(zip(pyramids, parts, strict=True)):
        torch.testing.assert_close(y[k], pyramid(part), rtol=1e-4, atol=1e-5)
        assert not gradient[k, len(columns[k]) :].any()


@pytest.mark.parametrize("batch_norm", [False, True])
def test_dropout_by_the_rate_of_each(x, batch_norm):
    params = {"batch_norm": batch_norm}
    pyramids = [*make(SHAPES[:1], [20], dropout=0.5, **params), *make(SHAPES[1:], [20, 20], dropout=0.0, **params)]
    noise = torch.rand(2, 11, 16)  # for more units than the widest has
    batched = BatchedPyramid(pyramids)
    torch.testing.assert_close(batched(x, noise)[1:], batched(x)[1:])
    assert (batched(x, noise)[0] - batched(x)[0]).abs().max() > 0.01

    def dropped(module, args, h):
        return h * (noise[0 if h.shape[1] == 9 else 1, : h.shape[1]].T >= 0.5) * 2

    for layer in list(pyramids[0].children())[:-1]:
        layer.dropout.p = 0
        layer.dropout.register_forward_hook(dropped)
    torch.testing.assert_close(batched(x, noise)[0], pyramids[0](x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(batched.eval()(x, noise), batched(x))


@pytest.mark.parametrize("rates", [[0.001, 0.003, 0.01], [0.003] * 3])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_training_is_that_of_each_and_padding_stays_zero(x, rates, batch_norm):
    pyramids = make(batch_norm=batch_norm, activation="gelu")
    batched = BatchedPyramid(pyramids)
    ours = BatchedAdamW(list(batched.parameters()), rates, 0.1)
    theirs = []
    for pyramid, lr in zip(pyramids, rates, strict=True):
        if batch_norm:
            for layer in list(pyramid.children())[:-1]:
                layer.linear.bias.requires_grad_(False)
        trained = [p for p in pyramid.parameters() if p.requires_grad]
        theirs.append(torch.optim.AdamW(trained, lr=lr, weight_decay=0.1, eps=ADAM_EPS))
    target = x.sum(1)
    for step in range(30):
        if step == 20:  # the first is finished
            batched.keep(torch.tensor([1, 2]))
            ours.keep(torch.tensor([1, 2]), list(batched.parameters()))
            pyramids, theirs = pyramids[1:], theirs[1:]
        losses = (batched(x)[:, :, 0] - target).square().mean(1)
        ours.step(torch.autograd.grad(losses.sum(), list(batched.parameters())))
        for pyramid, optimizer in zip(pyramids, theirs, strict=True):
            optimizer.zero_grad()
            (pyramid(x)[:, 0] - target).square().mean().backward()
            optimizer.step()
    assert len(batched) == 2
    for state, pyramid in zip(batched.states([0, 1]), pyramids, strict=True):
        for name, tensor in pyramid.state_dict().items():
            if "tracked" not in name:
                torch.testing.assert_close(state[name], tensor, rtol=1e-4, atol=1e-4)
    assert not batched.weights[0][0, :, 6:].any()
    assert not batched.weights[1][0, 6:].any()
    assert not batched.weights[1][1, :, 2:].any()


def test_linear_models(x):
    pyramids = make([(), (), ()])
    batched = BatchedPyramid(pyramids)
    expected = torch.stack([pyramid(x) for pyramid in pyramids])
    torch.testing.assert_close(batched(x), expected)
    assert list(batched.states([1])[0]) == ["output.weight", "output.bias"]


def test_bfloat16_products(x):
    pyramids = make()
    exact, rough = BatchedPyramid(pyramids)(x), BatchedPyramid(pyramids, dtype=torch.bfloat16)(x)
    assert rough.dtype == torch.float32
    assert 0 < (exact - rough).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("rates", [[0.001, 0.003, 0.01], [0.003] * 3])
@pytest.mark.parametrize("columns", [None, [torch.tensor([0, 3]), torch.tensor([1, 2, 19]), torch.tensor([7])]])
def test_no_step_reads_a_number_back_or_leaves_the_device(rates, columns):
    # the meta device has no numbers to read, and refuses tensors of another device
    n_columns = [20] * 3 if columns is None else [len(c) for c in columns]
    batched = BatchedPyramid(make(n_columns=n_columns, dropout=0.3), columns, torch.bfloat16).to("meta")
    optimizer = BatchedAdamW(list(batched.parameters()), rates, 0.1)
    x, noise = torch.empty(16, 20, device="meta"), torch.empty(2, 11, 16, device="meta")
    for _ in range(2):
        loss = batched(x, noise).square().mean()
        optimizer.step(torch.autograd.grad(loss, list(batched.parameters())))
    with pytest.raises(RuntimeError, match="meta"):
        loss.item()
    with pytest.raises(RuntimeError, match="device"):
        batched(x, torch.empty(2, 11, 16))


def test_what_cannot_be_stacked():
    for others in (
        make([(9,)], [20]),
        make(SHAPES[:1], [20], activation="tanh"),
        make(SHAPES[:1], [20], batch_norm=False),
    ):
        with pytest.raises(ValueError, match="agree in depth, activation function and batch norm"):
            BatchedPyramid([*make(), *others])
    with pytest.raises(ValueError, match="in front of a batch norm must be zero"):
        BatchedPyramid([Pyramid(20, 1, (4,))])
