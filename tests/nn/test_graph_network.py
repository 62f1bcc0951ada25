"""GraphNetwork by itself; over all backbones it is in test_backbones.py."""

import pytest
import torch

from sktaag.nn import GraphNetwork, make_backbone


def network(attention="taag", **options):
    torch.manual_seed(0)
    backbone = make_backbone("schnet", n_layers=2, n_features=8, n_filters=8, cutoff=4.0)
    return GraphNetwork(backbone, attention, **options)


@pytest.mark.parametrize("target", ["extensive", "intensive"])
def test_a_graph_without_atoms_has_zero(target):
    made = network(target=target, n_targets=2)
    tokens, graph = torch.randn(3, 3, 8), torch.tensor([0, 2, 2])
    found = made.read(tokens, graph, 4)
    assert torch.equal(found[[1, 3]], torch.zeros(2, 2))
    alone = torch.cat([made.read(tokens[graph == k], graph[graph == k] * 0, 1) for k in (0, 2)])
    torch.testing.assert_close(found[[0, 2]], alone)


def test_arguments_reach_the_attention():
    plain = network().attention
    assert (plain.n_heads, plain.gate is None, hasattr(plain, "depth_code")) == (4, False, True)
    other = network(n_heads=2, residual=False, positional=False).attention
    assert (other.n_heads, other.gate is None, hasattr(other, "depth_code")) == (2, True, False)
    tokens = torch.randn(5, 3, 8)
    expected, _ = other.attention(tokens, tokens, tokens)
    torch.testing.assert_close(other(tokens)[0], expected.sum(dim=1))
