import pytest
import torch
from torch_geometric.nn import SchNet as PyGSchNet

from sktaag.nn import GraphNetwork
from sktaag.nn.backbones import SchNet


@pytest.mark.parametrize("kept", [slice(None), slice(None, None, 2)], ids=["both ways", "some one way"])
def test_energies_equal_pyg(two_molecules, kept):
    two_molecules.edge_index, two_molecules.edge_shift = (
        two_molecules.edge_index[:, kept],
        two_molecules.edge_shift[kept],
    )
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


def open_catalyst_file(path, std=None):
    """A file of the layout of the Open Catalyst Project, with PyG's network that it holds."""
    torch.manual_seed(0)
    net = PyGSchNet(32, 24, 3, 20, 6.0)
    torch.nn.init.normal_(net.lin2.bias)  # zero otherwise
    file = {
        "epoch": 3,
        "state_dict": {f"module.module.{name}": value for name, value in net.state_dict().items()},
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-4}]},
        "config": {"model": "schnet", "model_attributes": {"hidden_channels": 32, "cutoff": 6.0}},
        "normalizers": {} if std is None else {"target": {"mean": torch.tensor(-0.7), "std": torch.tensor(std)}},
    }
    torch.save(file, path)
    return net


@pytest.mark.parametrize("std", [None, 2.5])
def test_file_of_the_open_catalyst_project(std, tmp_path, make_graph):
    net = open_catalyst_file(tmp_path / "schnet.pt", std)
    ours = SchNet.from_pretrained(tmp_path / "schnet.pt")
    assert ours.has_readout
    assert not ours.fresh().has_readout
    assert ours.config == {"n_layers": 3, "n_features": 32, "n_filters": 24, "n_gaussians": 20, "cutoff": 6.0}

    slab = make_graph(
        [29, 29, 8], [[0, 0, 0], [1.8, 1.8, 0], [0, 0.1, 1.9]], 6.0, [[3.6, 0, 0], [0, 3.6, 0], [0, 0, 20]]
    )
    vector = slab.pos[slab.edge_index[0]] + slab.edge_shift - slab.pos[slab.edge_index[1]]
    edges = slab.edge_index, vector.norm(dim=1).float()
    theirs = PyGSchNet(32, 24, 3, 20, 6.0, interaction_graph=lambda pos, batch: edges)
    theirs.load_state_dict(net.state_dict())
    expected = theirs(slab.z, slab.pos.float())[0] * (std or 1)
    torch.testing.assert_close(GraphNetwork(ours, "query")(slab)[0], expected)
    assert not torch.equal(ours.fresh().head()[0].weight, ours.head()[0].weight)


def test_bare_weights(tmp_path, ethanol):
    net = open_catalyst_file(tmp_path / "with_prefix.pt")
    torch.save(net.state_dict(), tmp_path / "bare.pt")
    one, other = (SchNet.from_pretrained(tmp_path / name) for name in ("bare.pt", "with_prefix.pt"))
    torch.testing.assert_close(one.tokens(ethanol), other.tokens(ethanol))


def test_other_files_are_refused(tmp_path):
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt holds no weights of a torch_geometric SchNet"):
        SchNet.from_pretrained(tmp_path / "other.pt")
    (tmp_path / "empty.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.pt is no file of torch\.save, or holds more"):
        SchNet.from_pretrained(tmp_path / "empty.pt")
    with pytest.raises(FileNotFoundError):
        SchNet.from_pretrained(tmp_path / "nowhere.pt")
    torch.save(SchNet(2, 16, 16, 5).state_dict(), tmp_path / "ours.pt")
    with pytest.raises(ValueError, match=r"ours\.pt holds another kind of SchNet: 4 weights are missing.* for lin1\.w"):
        SchNet.from_pretrained(tmp_path / "ours.pt")
    with pytest.raises(ValueError, match=r"empty\.pt is no file that torch can read: EOFError"):
        SchNet.from_pretrained(tmp_path / "empty.pt", trusted=True)


def test_code_needs_trust(tmp_path):
    net = open_catalyst_file(tmp_path / "schnet.pt")
    torch.save({"state_dict": net.state_dict(), "model": net}, tmp_path / "with_code.pt")
    with pytest.raises(ValueError, match=r"with_code\.pt is no file .* holds more than tensors.* with trusted=True"):
        SchNet.from_pretrained(tmp_path / "with_code.pt")
    assert SchNet.from_pretrained(tmp_path / "with_code.pt", trusted=True).n_layers == 3
