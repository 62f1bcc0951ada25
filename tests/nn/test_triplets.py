import pytest
import torch

from sktaag.nn._triplets import reverse_edges, triplets


@pytest.mark.parametrize("graph", ["ethanol", "rocksalt"])
def test_pairs_are_those_of_a_plain_loop(graph, request):
    graph = request.getfixturevalue(graph)
    source, target = graph.edge_index.tolist()
    expected = set()
    for ji in range(len(source)):
        for kj in range(len(source)):
            back = source[kj] == target[ji] and torch.allclose(graph.edge_shift[kj], -graph.edge_shift[ji])
            if target[kj] == source[ji] and not back:
                expected.add((kj, ji))
    kj, ji = triplets(graph.edge_index, graph.edge_shift, len(graph.z))
    assert len(kj) == len(expected)
    assert set(zip(kj.tolist(), ji.tolist(), strict=True)) == expected


def test_two_images_of_one_atom_are_two_neighbours(make_graph):
    line = make_graph([6], [[0.0, 0, 0]], 2.0, [[1.5, 0, 0], [0, 30, 0], [0, 0, 30]])
    assert line.num_edges == 2
    kj, ji = triplets(line.edge_index, line.edge_shift, 1)
    assert (kj == ji).all()  # onwards, not back: the angle of 180 degrees
    assert len(kj) == 2


def test_no_edges_no_pairs():
    kj, ji = triplets(torch.zeros(2, 0, dtype=torch.long), torch.zeros(0, 3), 1)
    assert len(kj) == len(ji) == 0


@pytest.mark.parametrize("graph", ["ethanol", "rocksalt"])
def test_reverse_of_each_edge(graph, request):
    graph = request.getfixturevalue(graph)
    reverse = reverse_edges(graph.edge_index, graph.edge_shift, len(graph.z))
    assert torch.equal(graph.edge_index[:, reverse], graph.edge_index.flip(0))
    torch.testing.assert_close(graph.edge_shift[reverse], -graph.edge_shift)
    assert torch.equal(reverse[reverse], torch.arange(graph.num_edges))


def test_edge_without_reverse_is_named(ethanol):
    lost = 5
    j, i = ethanol.edge_index[:, lost].tolist()
    kept = torch.arange(ethanol.num_edges) != lost
    with pytest.raises(ValueError, match=rf"1 edges have no reverse, the first from atom {i} to atom {j} of the batch"):
        reverse_edges(ethanol.edge_index[:, kept], ethanol.edge_shift[kept], 9)


def test_edge_twice_is_an_error(ethanol):
    twice = torch.cat([torch.arange(ethanol.num_edges), torch.tensor([0])])
    with pytest.raises(ValueError, match="have no reverse"):
        reverse_edges(ethanol.edge_index[:, twice], ethanol.edge_shift[twice], 9)


def test_no_edges_no_reverse():
    assert len(reverse_edges(torch.zeros(2, 0, dtype=torch.long), torch.zeros(0, 3), 1)) == 0
