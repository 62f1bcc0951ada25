"""Small graphs, made with plain loops so that they owe nothing to the code under test."""

import itertools

import pytest
import torch
from torch_geometric.data import Batch, Data


def make_graph(z, pos, cutoff, cell=None):
    """Find all edges within the cutoff, those to images included when there is a cell."""
    pos = torch.as_tensor(pos, dtype=torch.float64)
    images = torch.zeros(1, 3, dtype=torch.float64)
    if cell is not None:
        cell = torch.as_tensor(cell, dtype=torch.float64)
        heights = 1 / torch.linalg.inv(cell).norm(dim=0)  # Å between the faces
        ranges = [range(-n, n + 1) for n in ((cutoff / heights).ceil().int() + 1).tolist()]
        images = torch.tensor(list(itertools.product(*ranges)), dtype=torch.float64) @ cell
    edges, shifts = [], []
    for j, i in itertools.product(range(len(z)), repeat=2):
        length = (pos[j] + images - pos[i]).norm(dim=1)
        for shift in images[(length > 1e-6) & (length <= cutoff)]:
            edges.append([j, i])
            shifts.append(shift)
    return Data(
        z=torch.tensor(z),
        pos=pos,
        edge_index=torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T.contiguous(),
        edge_shift=torch.stack(shifts) if shifts else torch.zeros(0, 3, dtype=torch.float64),
        cell=(cell if cell is not None else torch.zeros(3, 3, dtype=torch.float64))[None],
        pbc=torch.full((1, 3), cell is not None),
    )


ETHANOL_Z = [6, 6, 8, 1, 1, 1, 1, 1, 1]
ETHANOL = [
    [0.01, -0.57, 0.00],
    [-1.29, 0.25, 0.03],
    [1.13, 0.31, -0.02],
    [0.04, -1.19, 0.89],
    [0.03, -1.22, -0.91],
    [-1.32, 0.86, -0.89],
    [-1.34, 0.88, 0.93],
    [-2.16, -0.40, 0.02],
    [1.99, -0.18, 0.05],
]
WATER_Z = [8, 1, 1]
WATER = [[0.0, 0.0, 0.12], [0.0, 0.76, -0.47], [0.02, -0.75, -0.48]]
ROCKSALT_Z = [11, 17]
ROCKSALT = [[0.05, 0.0, 0.0], [2.82, 2.80, 2.83]]  # a little off the sites, so that no force is zero
ROCKSALT_CELL = [[0.0, 2.82, 2.82], [2.82, 0.0, 2.82], [2.82, 2.82, 0.0]]


@pytest.fixture(name="make_graph")
def make_graph_fixture():
    return make_graph


@pytest.fixture
def ethanol():
    return make_graph(ETHANOL_Z, ETHANOL, 4.0)


@pytest.fixture
def water():
    return make_graph(WATER_Z, WATER, 4.0)


@pytest.fixture
def two_molecules(ethanol, water):
    return Batch.from_data_list([ethanol, water])


@pytest.fixture
def rocksalt():
    return make_graph(ROCKSALT_Z, ROCKSALT, 4.0, ROCKSALT_CELL)
