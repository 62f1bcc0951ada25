import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from sktaag.graphs import AtomGraphs, graph_batches

GRAPHS = AtomGraphs(3.0).fit_transform([molecule(name) for name in ("H2O", "CH4", "C6H6", "NH3", "H2O", "CO")])


def test_batches_are_bounded_and_in_order():
    seen = []
    for indices, batch in graph_batches(GRAPHS, max_atoms=13):
        assert batch.num_nodes <= 13
        assert batch.num_graphs == len(indices)
        assert torch.equal(batch.z, torch.cat([GRAPHS[i].z for i in indices]))
        seen += indices
    assert seen == list(range(len(GRAPHS)))


def test_as_many_as_fit():
    assert [indices for indices, _ in graph_batches(GRAPHS, max_atoms=20)] == [[0, 1, 2], [3, 4, 5]]
    assert [indices for indices, _ in graph_batches(GRAPHS, max_atoms=10**6)] == [[0, 1, 2, 3, 4, 5]]


def test_a_large_graph_is_a_batch_of_its_own():
    assert [indices for indices, _ in graph_batches(GRAPHS, max_atoms=5)] == [[0], [1], [2], [3], [4, 5]]


def test_edges_bound_too():
    n_edges = [graph.num_edges for graph in GRAPHS]
    for indices, batch in graph_batches(GRAPHS, max_atoms=100, max_edges=40):
        assert batch.num_edges <= 40 or len(indices) == 1
    largest = max(n_edges)
    assert len(list(graph_batches(GRAPHS, 100, max_edges=largest))) < len(GRAPHS)


def test_rows_without_a_graph_are_in_no_batch():
    with pytest.warns(UserWarning, match="2 of 3"):
        graphs = AtomGraphs(3.0, on_invalid="nan").fit_transform([Atoms(), molecule("CO"), "C1CC"])
    ((indices, batch),) = graph_batches(graphs, max_atoms=10)
    assert indices == [1]
    assert batch.num_graphs == 1
    assert list(graph_batches([None, None], max_atoms=10)) == []


@pytest.mark.parametrize("order", [1, -1])
def test_energies_that_some_graphs_lack_are_left_out(order):
    water, carbon_monoxide = molecule("H2O"), molecule("CO")
    water.calc = SinglePointCalculator(water, energy=-1.0)
    graphs = AtomGraphs(3.0).fit_transform([water, carbon_monoxide][::order])
    ((_, batch),) = graph_batches(graphs, max_atoms=10)
    assert "energy" not in batch
    assert batch.num_nodes == 5
