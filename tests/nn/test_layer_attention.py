import math
import pickle

import pytest
import torch

from sktaag.nn import LayerAttention

LEARNED = ["mix", "query", "taag"]


@pytest.fixture
def tokens():
    return torch.randn(7, 4, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def trained(kind, **options):
    """Attention whose parameters all differ from where they start."""
    torch.manual_seed(1)
    attention = LayerAttention(kind, 16, 4, **options).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(torch.randn_like(parameter))
    return attention


def test_last_and_sum(tokens):
    state, weights = LayerAttention("last", 16, 4)(tokens)
    torch.testing.assert_close(state, tokens[:, 3])
    torch.testing.assert_close(weights, torch.tensor([0.0, 0, 0, 1], dtype=torch.float64).expand(7, 4))
    state, weights = LayerAttention("sum", 16, 4)(tokens)
    torch.testing.assert_close(state, tokens.sum(1))
    torch.testing.assert_close(weights, torch.full((7, 4), 0.25, dtype=torch.float64))


@pytest.mark.parametrize("plain", ["last", "sum"])
@pytest.mark.parametrize("kind", LEARNED)
def test_untrained_branch_changes_nothing(kind, plain, tokens):
    state, _ = LayerAttention(kind, 16, 4, plain=plain).double()(tokens)
    assert torch.equal(state, LayerAttention(plain, 16, 4)(tokens)[0])


@pytest.mark.parametrize("plain", ["last", "sum"])
@pytest.mark.parametrize("kind", ["last", "sum", *LEARNED])
def test_untrained_fresh_tokens_change_nothing(kind, plain, tokens):
    plain = kind if kind in ("last", "sum") else plain
    attention = LayerAttention(kind, 16, 4, plain=plain, n_fresh=1).double()
    assert torch.equal(attention(tokens)[0], LayerAttention(plain, 16, 3)(tokens[:, :3])[0])
    attention(tokens)[0].sum().backward()
    assert attention.fresh_gate.grad == pytest.approx(tokens[:, 3].sum().item())


def test_mix_is_its_formula(tokens):
    attention = trained("mix")
    state, weights = attention(tokens)
    share = attention.scores.exp() / attention.scores.exp().sum()
    expected = tokens[:, 3] + attention.gate * sum(share[t] * tokens[:, t] for t in range(4))
    torch.testing.assert_close(state, expected)
    torch.testing.assert_close(weights, share.expand(7, 4))


def test_query_is_its_formula(tokens):
    attention = trained("query", n_heads=2)
    state, weights = attention(tokens)
    for atom in range(7):
        x = tokens[atom]
        normed = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        shares = [(normed @ attention.queries[a] / 4 + attention.scores[a]).softmax(0) for a in range(2)]
        read = torch.cat([shares[a] @ x[:, 8 * a : 8 * a + 8] for a in range(2)])
        torch.testing.assert_close(state[atom], x[3] + attention.gate * read)
        torch.testing.assert_close(weights[atom], (shares[0] + shares[1]) / 2)


def test_taag_is_its_formula(tokens):
    attention = trained("taag", n_heads=2, plain="sum", positional=False)
    state, weights = attention(tokens)
    mha = attention.attention
    for atom in range(7):
        x = tokens[atom]
        q, k, v = (x @ mha.in_proj_weight.T + mha.in_proj_bias).split(16, dim=1)
        heads = [slice(0, 8), slice(8, 16)]
        shares = [(q[:, a] @ k[:, a].T / 8**0.5).softmax(1) for a in heads]
        out = mha.out_proj(torch.cat([share @ v[:, a] for share, a in zip(shares, heads, strict=True)], dim=1))
        torch.testing.assert_close(state[atom], x.sum(0) + attention.gate * out.sum(0))
        torch.testing.assert_close(weights[atom], ((shares[0] + shares[1]) / 2).mean(0))


def test_taag_without_residual_is_the_release(tokens):
    attention = trained("taag", residual=False, positional=False)
    out, _ = attention.attention(tokens, tokens, tokens)
    torch.testing.assert_close(attention(tokens)[0], out.sum(1))


def test_depth_code_tells_equal_tokens_apart():
    same = torch.randn(3, 1, 16, dtype=torch.float64).expand(3, 4, 16)
    without, with_code = trained("taag", positional=False), trained("taag")
    torch.testing.assert_close(without(same)[1], torch.full((3, 4), 0.25, dtype=torch.float64))
    assert (with_code(same)[1] - 0.25).abs().max() > 1e-3


def test_depth_code_is_its_formula():
    code = LayerAttention("taag", 16, 4).depth_code
    waves = [[turn(t / 10000 ** (2 * i / 16)) for i in range(8) for turn in (math.sin, math.cos)] for t in range(4)]
    torch.testing.assert_close(code, torch.tensor(waves))


@pytest.mark.parametrize("kind", LEARNED)
def test_attention_enters_the_state(kind, tokens):
    attention = trained(kind, plain="sum")
    state, weights = attention(tokens)
    assert (state - tokens.sum(1)).abs().max() > 0.1
    torch.testing.assert_close(weights.sum(1), torch.ones(7, dtype=torch.float64))
    state.square().sum().backward()
    for name, parameter in attention.named_parameters():
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", LEARNED)
def test_first_step_opens_the_gate(kind, tokens):
    attention = LayerAttention(kind, 16, 4).double()
    attention(tokens)[0].square().sum().backward()
    assert attention.gate.grad != 0


@pytest.mark.parametrize("kind", LEARNED)
def test_has_the_second_derivatives_that_forces_need(kind, tokens):
    attention = trained(kind)
    assert torch.autograd.gradgradcheck(lambda x: attention(x)[0], tokens[:2].requires_grad_(), atol=1e-6)


@pytest.mark.parametrize("kind", ["last", "sum", *LEARNED])
def test_no_atoms(kind, tokens):
    state, weights = trained(kind)(tokens[:0])
    assert (state.shape, weights.shape) == ((0, 16), (0, 4))


@pytest.mark.parametrize("kind", LEARNED)
def test_atoms_do_not_see_each_other(kind, tokens):
    attention = trained(kind)
    moved = tokens.clone()
    moved[3] += 1
    before, after = attention(tokens)[0], attention(moved)[0]
    others = torch.arange(7) != 3
    torch.testing.assert_close(after[others], before[others], rtol=0, atol=1e-12)
    assert (after[3] - before[3]).abs().max() > 0.1
    torch.testing.assert_close(attention(tokens[2:5])[0], before[2:5])


def test_base_mode_of_the_release_is_a_no_op_that_leaks():
    """Why there is no kind "base": the released mode gives the plain sum, through attention over the atoms.

    With energies (T, n_atoms, 1) its products run over atoms, and its softmax over dim=1 makes columns sum to one, so
    that after the sum over atoms nothing is left of it; and the atoms of all graphs of the batch attend to each other.
    """
    energies = torch.randn(4, 5, 1, dtype=torch.float64, requires_grad=True)

    def base(energies):
        attention = torch.softmax(energies @ energies.transpose(1, 2), dim=1)
        return (attention @ energies).sum(dim=0)  # (n_atoms, 1)

    total = base(energies).sum()
    torch.testing.assert_close(total, energies.sum())
    torch.testing.assert_close(torch.autograd.grad(total, energies)[0], torch.ones_like(energies))

    moved = energies.detach().clone()
    moved[:, 3:] += 1  # the second graph of the batch
    assert (base(moved)[:3].sum() - base(energies)[:3].sum()).abs() > 0.1


@pytest.mark.parametrize("kind", ["last", "sum", *LEARNED])
def test_pickles_and_keeps_its_state(kind, tokens):
    attention = trained(kind, n_fresh=1)
    torch.testing.assert_close(pickle.loads(pickle.dumps(attention))(tokens)[0], attention(tokens)[0])
    other = LayerAttention(kind, 16, 4, n_fresh=1).double()
    other.load_state_dict(attention.state_dict())
    torch.testing.assert_close(other(tokens)[0], attention(tokens)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "base"}, r"attention must be one of last, sum, mix, query, taag, got 'base'"),
        ({"kind": "taag", "n_heads": 3}, r"must divide the width of the tokens, got n_heads=3 and n_features=16"),
        ({"kind": "query", "n_heads": 0}, r"must divide the width of the tokens, got n_heads=0 and n_features=16"),
        ({"kind": "mix", "plain": "mean"}, r'plain must be "last" or "sum", got \'mean\''),
        ({"kind": "mix", "n_fresh": 4}, r"n_fresh must be in \[0, n_tokens\), got n_fresh=4 and n_tokens=4"),
    ],
)
def test_errors_name_the_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        LayerAttention(**({"n_features": 16, "n_tokens": 4} | arguments))
