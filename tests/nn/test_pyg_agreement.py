"""The backbones over PyG's blocks give what PyG's own models give with the same edges and weights."""

import itertools

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import models
from torch_geometric.nn.models import dimenet, visnet

from sktaag.nn.backbones import GINE, AttentiveFP, DimeNetPlusPlus, ViSNet


def same_weights(ours, theirs):
    """Load the weights of PyG's model into the parts that ours has of it."""
    weights = theirs.state_dict()
    ours.load_state_dict({name: weights[name] for name in ours.state_dict()})


def plain_triplets(edge_index, num_nodes):
    source, target = edge_index.tolist()
    pairs = [
        (kj, ji)
        for ji, kj in itertools.product(range(len(source)), repeat=2)
        if target[kj] == source[ji] and source[kj] != target[ji]
    ]
    kj, ji = torch.tensor(pairs).T
    i, j, k = edge_index[1][ji], edge_index[0][ji], edge_index[0][kj]
    return edge_index[1], edge_index[0], i, j, k, kj, ji


def test_dimenet(two_molecules, monkeypatch):
    monkeypatch.setattr(dimenet, "radius_graph", lambda *_, **__: two_molecules.edge_index)
    monkeypatch.setattr(dimenet, "triplets", plain_triplets)
    torch.manual_seed(0)
    theirs = models.DimeNetPlusPlus(16, 12, 2, 8, 6, 24, 3, 4, cutoff=4.0, output_initializer="glorot_orthogonal")
    theirs = theirs.double()
    ours = DimeNetPlusPlus(2, 12, 16, 24, 8, 6, 3, 4, 4.0).double()
    same_weights(ours, theirs)
    total = torch.zeros(2, 12, dtype=torch.float64)
    total.index_add_(0, two_molecules.batch, ours.tokens(two_molecules).sum(dim=1))
    expected = theirs(two_molecules.z, two_molecules.pos, two_molecules.batch)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)


class Distances(nn.Module):
    """What PyG's own gives, from edges found elsewhere."""

    def __init__(self, edge_index):
        super().__init__()
        self.edge_index = edge_index

    def forward(self, pos, batch):
        loops = torch.arange(len(pos)).expand(2, -1)
        edges = torch.cat([self.edge_index, loops], dim=1)
        vector = pos[edges[0]] - pos[edges[1]]
        return edges, vector.norm(dim=1), vector


@pytest.mark.parametrize("l_max", [1, 2])
def test_visnet(two_molecules, l_max):
    torch.manual_seed(0)
    theirs = visnet.ViSNetBlock(
        lmax=l_max, num_heads=4, num_layers=3, hidden_channels=16, num_rbf=10, cutoff=4.0
    ).double()
    theirs.distance = Distances(two_molecules.edge_index)
    ours = ViSNet(3, 16, 4, 10, l_max, 4.0).double()
    same_weights(ours, theirs)
    expected, _ = theirs(two_molecules.z, two_molecules.pos, two_molecules.batch)
    torch.testing.assert_close(ours.tokens(two_molecules)[:, -1], expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def bonded():
    generator = torch.Generator().manual_seed(0)

    def chain(n_atoms):
        steps = torch.stack([torch.arange(n_atoms - 1), torch.arange(1, n_atoms)])
        features = torch.rand(n_atoms - 1, 3, generator=generator, dtype=torch.float64)
        return Data(
            x=torch.rand(n_atoms, 5, generator=generator, dtype=torch.float64),
            edge_index=torch.cat([steps, steps.flip(0)], dim=1),
            edge_attr=torch.cat([features, features]),
        )

    return Batch.from_data_list([chain(6), chain(3)])


def test_attentive_fp(bonded):
    torch.manual_seed(0)
    theirs = models.AttentiveFP(5, 16, 1, 3, 4, 2).double()
    seen = []
    theirs.mol_conv.register_forward_pre_hook(lambda _, args: seen.append(args[0][0]))
    ours = AttentiveFP(5, 3, 4, 16).double()
    same_weights(ours, theirs)
    theirs(bonded.x, bonded.edge_index, bonded.edge_attr, bonded.batch)
    torch.testing.assert_close(ours.tokens(bonded)[:, -1], seen[0], rtol=1e-5, atol=1e-5)


def test_gine_is_its_formula(bonded):
    torch.manual_seed(0)
    ours = GINE(5, 3, 2, 16).double()
    states = ours.embedding(bonded.x)
    tokens = [states]
    for block in ours.blocks:
        messages = torch.zeros_like(states)
        for edge, (j, i) in enumerate(bonded.edge_index.T.tolist()):
            messages[i] += (states[j] + block.lin(bonded.edge_attr[edge])).relu()
        states = states + block.nn(states + messages)
        tokens.append(states)
    torch.testing.assert_close(ours.tokens(bonded), torch.stack(tokens, dim=1))
