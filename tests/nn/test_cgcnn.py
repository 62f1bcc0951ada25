import json

import pytest
import torch
from torch import nn

from sktaag.nn.backbones import CGCNN


class Convolution(nn.Module):
    """Eq. 5 of the paper with the normalisation and the names of its authors' program."""

    def __init__(self, n_features, n_gaussians):
        super().__init__()
        self.fc_full = nn.Linear(2 * n_features + n_gaussians, 2 * n_features)
        self.bn1 = nn.BatchNorm1d(2 * n_features)
        self.bn2 = nn.BatchNorm1d(n_features)

    def forward(self, atoms, bonds, neighbours):
        n_atoms, n_neighbours = neighbours.shape
        pairs = torch.cat([atoms[:, None].expand(-1, n_neighbours, -1), atoms[neighbours], bonds], dim=2)
        gated = self.bn1(self.fc_full(pairs).flatten(0, 1)).view(n_atoms, n_neighbours, -1)
        gates, cores = gated.chunk(2, dim=2)
        return nn.functional.softplus(atoms + self.bn2((gates.sigmoid() * nn.functional.softplus(cores)).sum(1)))


@pytest.fixture
def reference():
    torch.manual_seed(0)
    net = nn.ModuleDict({"embedding": nn.Linear(7, 16), "convs": nn.ModuleList(Convolution(16, 41) for _ in range(3))})
    for _, part in net.named_modules():
        if isinstance(part, nn.BatchNorm1d):
            for values in (part.weight.data, part.bias.data, part.running_mean, part.running_var):
                values.copy_(torch.rand_like(values) + 0.5)
    return net.eval()


@pytest.fixture
def files(reference, tmp_path):
    atom_init = {str(number): torch.rand(7).tolist() for number in range(1, 93)}
    (tmp_path / "atom_init.json").write_text(json.dumps(atom_init))
    torch.save({"state_dict": reference.state_dict(), "epoch": 3}, tmp_path / "weights.pth.tar")
    return tmp_path / "weights.pth.tar", tmp_path / "atom_init.json"


def test_tokens_are_those_of_the_authors_network(reference, files, make_graph):
    cell = [[5.0, 0, 0], [0.4, 5.5, 0], [0, 0.3, 6.1]]  # no two distances the same
    graph = make_graph([22, 8, 8], [[0.1, 0, 0], [1.7, 1.2, 0.3], [3.1, 3.6, 4.2]], 8.0, cell)
    ours = CGCNN.from_pretrained(*files)
    vector = graph.pos[graph.edge_index[0]] + graph.edge_shift - graph.pos[graph.edge_index[1]]
    length = vector.norm(dim=1)
    neighbours, distances = [], []
    for atom in range(3):
        edges = torch.nonzero(graph.edge_index[1] == atom)[:, 0]
        nearest = edges[length[edges].argsort()[:12]]
        neighbours.append(graph.edge_index[0, nearest])
        distances.append(length[nearest].float())
    neighbours, distances = torch.stack(neighbours), torch.stack(distances)
    bonds = torch.exp(-((distances[..., None] - torch.arange(41) * 0.2) ** 2) / 0.2**2)
    table = json.loads(files[1].read_text())
    states = [reference["embedding"](torch.tensor([table[str(z)] for z in graph.z.tolist()]))]
    for conv in reference["convs"]:
        states.append(conv(states[-1], bonds, neighbours))
    torch.testing.assert_close(ours.tokens(graph), torch.stack(states, dim=1), rtol=1e-4, atol=1e-5)


def test_light_neighbours_come_first_of_equally_near_ones(make_graph):
    """Of two neighbours at one distance the same one is kept, however the atoms are numbered."""
    torch.manual_seed(0)
    backbone = CGCNN(n_layers=1, n_features=8, n_neighbors=1, cutoff=1.5)
    positions = [[0.0, 0, 0], [1.2, 0, 0], [-1.2, 0, 0]]
    one = backbone.tokens(make_graph([6, 8, 1], positions, 1.5))
    other = backbone.tokens(make_graph([6, 1, 8], positions, 1.5))
    torch.testing.assert_close(one[0], other[0])
    torch.testing.assert_close(one[0], backbone.tokens(make_graph([6, 1], positions[:2], 1.5))[0])


def test_other_files_are_refused(files, tmp_path):
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt is no checkpoint of CGCNN"):
        CGCNN.from_pretrained(tmp_path / "other.pt", files[1])
    (tmp_path / "short.json").write_text('{"3": [1, 2]}')
    (tmp_path / "text.pt").write_text("no file of torch")
    with pytest.raises(ValueError, match=r"text\.pt is no file of torch\.save, or holds more"):
        CGCNN.from_pretrained(tmp_path / "text.pt", files[1])
    with pytest.raises(ValueError, match=r"short\.json has 2 features for element 3, the network reads 7"):
        CGCNN.from_pretrained(files[0], tmp_path / "short.json")


def test_files_are_not_code(files, tmp_path):
    torch.save({"state_dict": nn.Linear(2, 2)}, tmp_path / "module.pt")
    with pytest.raises(ValueError, match=r"module\.pt is no file .* holds more than tensors.* can run code\.$"):
        CGCNN.from_pretrained(tmp_path / "module.pt", files[1])
