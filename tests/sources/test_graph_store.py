import numpy as np
import torch
from ase.build import bulk, molecule
from torch_geometric.data import Batch

from sktaag.graphs import AtomGraphs, MoleculeGraphs
from sktaag.sources._graph_store import GraphRows, GraphStore

CPU = torch.device("cpu")
STRUCTURES = [molecule("H2O"), bulk("Cu"), molecule("CH4"), molecule("H"), bulk("NaCl", "rocksalt", a=5.6)]


def assert_same_batch(batch, expected):
    assert batch.num_graphs == expected.num_graphs
    for key in ("batch", "ptr", *expected.to_dict()):
        if key in expected and isinstance(expected[key], torch.Tensor):
            assert torch.equal(batch[key], expected[key]), key


def test_batches_are_those_of_pyg():
    graphs = AtomGraphs(4.0).fit_transform(STRUCTURES)
    store = GraphStore(list(graphs), CPU)
    for rows in ([0, 1, 2, 3, 4], [4, 0], [3], [2, 2, 1]):  # the third has no edge
        batch, labels = store.take(np.array(rows))
        assert_same_batch(batch, Batch.from_data_list([graphs[i] for i in rows]))
        assert labels == {}


def test_all_of_them_need_no_gathering():
    graphs = AtomGraphs(4.0).fit_transform(STRUCTURES)
    for graph, charge in zip(graphs, (0.0, 1.0, 2.0, 0.0, 0.0), strict=True):
        graph.charge = torch.tensor(charge)
    batch = GraphStore(list(graphs), CPU).all()
    assert_same_batch(batch, Batch.from_data_list(list(graphs)))
    assert batch.charge.tolist() == [0.0, 1.0, 2.0, 0.0, 0.0]


def test_what_some_graphs_lack_is_left_out():
    graphs = AtomGraphs(4.0).fit_transform(STRUCTURES)
    graphs[0].charge = torch.tensor(1.0)
    batch = GraphStore(list(graphs), CPU).all()
    assert "charge" not in batch
    assert batch.num_graphs == len(graphs)


def test_batches_do_not_share_what_they_hold():
    store = GraphStore(list(AtomGraphs(4.0).fit_transform(STRUCTURES)), CPU)
    one, _ = store.take(np.array([0]))
    other, _ = store.take(np.array([2]))
    one.more = torch.zeros(1)
    assert one.num_nodes == 3
    assert other.num_nodes == 5
    assert "more" not in other


def test_molecules_too():
    graphs = MoleculeGraphs().fit_transform(["CCO", "c1ccccc1", "[Na+].[Cl-]"])
    batch, _ = GraphStore(list(graphs), CPU).take(np.array([2, 0, 1]))
    assert_same_batch(batch, Batch.from_data_list([graphs[i] for i in (2, 0, 1)]))


def test_labels_follow_their_graphs():
    graphs = AtomGraphs(4.0).fit_transform(STRUCTURES)
    ends = np.cumsum([graph.num_nodes for graph in graphs])
    per_atom = np.arange(ends[-1])
    store = GraphStore(list(graphs), CPU, {"y": np.arange(5.0), "atoms": per_atom})
    _, labels = GraphRows(store, np.array([4, 2, 0])).take(np.array([0, 2]))
    assert labels["y"].tolist() == [4.0, 0.0]
    assert labels["atoms"].tolist() == per_atom[ends[3] :].tolist() + per_atom[: ends[0]].tolist()
    assert len(GraphRows(store, np.array([4, 2, 0]))) == 3


def test_labels_that_structures_carry_are_no_inputs():
    graphs = AtomGraphs(4.0).fit_transform(STRUCTURES)
    for graph in graphs:
        graph.energy, graph.forces = torch.zeros(1), torch.zeros(graph.num_nodes, 3)
    batch, _ = GraphStore(list(graphs), CPU).take(np.array([0]))
    assert "energy" not in batch
    assert "forces" not in batch
