import torch
from torch_geometric.nn import SchNet as PyGSchNet

from sktaag.nn.backbones import SchNet


def test_energies_equal_pyg(two_molecules):
    theirs = PyGSchNet(32, 24, 3, 20, 4.0, interaction_graph=lambda pos, batch: (edges, length)).double()
    ours = SchNet(3, 32, 24, 20, 4.0).double()
    weights = theirs.state_dict()
    ours.load_state_dict({name: weights[name] for name in ours.state_dict()})
    head = ours.head()
    head.load_state_dict(
        {f"{2 * (k - 1)}.{part}": weights[f"lin{k}.{part}"] for k in (1, 2) for part in ("weight", "bias")}
    )

    edges = two_molecules.edge_index
    length = (two_molecules.pos[edges[0]] - two_molecules.pos[edges[1]]).norm(dim=1)
    atoms = head(ours.tokens(two_molecules)[:, -1])
    energies = torch.zeros(2, 1, dtype=torch.float64).index_add_(0, two_molecules.batch, atoms)
    torch.testing.assert_close(energies, theirs(two_molecules.z, two_molecules.pos, two_molecules.batch))
