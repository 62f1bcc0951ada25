import re
from importlib.metadata import requires

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from numpy.testing import assert_allclose

from sktaag.cache import RowCache
from sktaag.graphs import AtomGraphs
from sktaag.nn import backbone_class, make_backbone
from sktaag.sources._tokens import backbone_key, graph_key, graph_tokens, run_batches, token_batches, with_tokens

CPU = torch.device("cpu")
NAMES = ["H2O", "CH4", "C6H6", "NH3", "C2H6", "H"]
GRAPHS = AtomGraphs(4.0).fit_transform([molecule(name) for name in NAMES])


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return make_backbone("schnet", n_layers=2, n_features=8, n_filters=8, cutoff=4.0).eval()


def too_large_beyond(limit, seen):
    def run(batch):
        seen.append(int(batch.num_nodes))
        if batch.num_nodes > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch.z.tolist()

    return run


def test_batches_are_halved_when_memory_is_short():
    seen, found = [], {}
    for indices, z in run_batches(GRAPHS, too_large_beyond(13, seen), CPU, max_atoms=1000):
        found[tuple(indices)] = z
    assert sorted(i for indices in found for i in indices) == list(range(len(GRAPHS)))
    for indices, z in found.items():
        assert z == torch.cat([GRAPHS[i].z for i in indices]).tolist()
    assert seen[0] == sum(graph.num_nodes for graph in GRAPHS)


def test_a_graph_that_does_not_fit_at_all_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        list(run_batches(GRAPHS, too_large_beyond(10, []), CPU))


def test_rows_without_a_graph_are_passed_over(backbone):
    graphs = np.array([None, GRAPHS[0], None, GRAPHS[1], None], dtype=object)
    assert [indices for indices, _, _ in token_batches(backbone, graphs, CPU)] == [[1, 3]]
    assert [indices for indices, _, _ in token_batches(backbone, graphs, CPU, max_atoms=4)] == [[1], [3]]


def test_tokens_of_each_graph(backbone):
    tokens = graph_tokens(backbone, GRAPHS, CPU)
    for graph, found in zip(GRAPHS, tokens, strict=True):
        assert found.dtype == np.float32
        assert_allclose(found, backbone.tokens(graph).detach(), atol=1e-5)
    made = with_tokens(list(GRAPHS), tokens)
    assert [graph.num_nodes for graph in made] == [graph.num_nodes for graph in GRAPHS]
    assert set(made[0].to_dict()) == {"z", "tokens", "num_nodes"}
    ((_, again, _),) = token_batches(backbone, made, CPU)
    assert_allclose(again, np.concatenate(tokens))


def test_cache_of_tokens(backbone, tmp_path, monkeypatch):
    expected = graph_tokens(backbone, GRAPHS, CPU)
    asked, rows = [], RowCache.rows

    def counting(self, keys, values, compute):
        def count(missing):
            asked.extend(missing)
            return compute(missing)

        return rows(self, keys, values, count)

    monkeypatch.setattr(RowCache, "rows", counting)
    for graphs, n_asked in ((GRAPHS[:4], 4), (GRAPHS[::-1], 2), (GRAPHS, 0)):
        asked.clear()
        found = graph_tokens(backbone, graphs, CPU, tmp_path)
        assert len(asked) == n_asked
        order = range(4) if len(graphs) == 4 else range(6)[::-1] if graphs is not GRAPHS else range(6)
        for i, part in zip(order, found, strict=True):
            assert_allclose(part, expected[i], atol=1e-6)
    with torch.no_grad():
        backbone.embedding.weight.add_(1e-3)
    graph_tokens(backbone, GRAPHS, CPU, tmp_path)
    assert len(asked) == len(GRAPHS), "tokens of other weights were taken"


def test_keys(backbone):
    assert backbone_key(backbone) == backbone_key(backbone)
    assert backbone_key(backbone.fresh()) != backbone_key(backbone)
    cell = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    stretched = cell.copy()
    stretched.set_cell(cell.cell * 1.001)  # the positions are the same, the neighbours are not
    one, two = AtomGraphs(4.0).fit_transform([cell, stretched])
    assert graph_key(one) != graph_key(two)
    for name in ("z", "pos", "edge_index", "edge_shift"):
        two = one.clone()
        two[name][-1] = two[name][0]
        assert graph_key(one) != graph_key(two), name
    two = one.clone()
    two.energy = torch.ones(1)
    assert graph_key(one) == graph_key(two)


def test_keys_of_backbones_with_the_same_weights(monkeypatch):
    shape = {"n_layers": 1, "n_features": 4, "n_hidden": 4, "n_triplet": 2, "n_basis": 2}
    near, far = (make_backbone("gemnet", **shape, cutoff=cutoff) for cutoff in (4.0, 5.0))
    far.load_state_dict(near.state_dict())
    key = backbone_key(near)
    assert key != backbone_key(far)
    monkeypatch.setattr("sktaag.__version__", "999")
    assert backbone_key(near) != key, "another version may compute other states"
    monkeypatch.undo()
    assert backbone_key(near) == key
    monkeypatch.setattr(type(near), "packages", ("numpy",))
    of_numpy = backbone_key(near)
    assert of_numpy != key
    monkeypatch.setattr("sktaag.sources._tokens.version", lambda package: "999")
    assert backbone_key(near) != of_numpy


@pytest.mark.parametrize("name", ["chgnet", "matgl", "mace"])
def test_packages_are_what_their_backbones_need(name):
    """The name that pip knows, as the extra of sktaag has it."""
    (package,) = backbone_class(name).packages
    wanted = [line for line in requires("sktaag") if f"extra == '{name}'" in line.replace('"', "'")]
    assert re.match(r"[\w-]+", wanted[0]).group() == package
