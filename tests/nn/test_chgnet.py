"""CHGNet over our graphs gives what the package chgnet gives over its own."""

import contextlib
import io

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure
from torch_geometric.data import Batch

from sktaag.nn import GraphNetwork, make_backbone
from sktaag.sources import GNNRegressor, ModelLibrary, load_source, save_source

chgnet_model = pytest.importorskip("chgnet.model", reason="needs the extra chgnet")
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")


def perovskite():
    sites = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    noise = np.random.default_rng(0).normal(0, 0.01, sites.shape)
    return Structure(Lattice.cubic(3.9), ["Sr", "Ti", "O", "O", "O"], sites + noise)


def rocksalt():
    cell = 2.82 * (np.ones((3, 3)) - np.eye(3))
    return Structure(Lattice(cell), ["Na", "Cl"], [[0.05, 0, 0], [2.82, 2.8, 2.83]], coords_are_cartesian=True)


def iron():
    return Structure(Lattice([[2.87, 0, 0], [0, 2.87, 0], [1.435, 1.435, 1.435]]), ["Fe"], [[0, 0, 0]])


def molecule_in_a_box():
    positions = [[5, 5, 5.12], [5, 5.76, 4.53], [5.02, 4.25, 4.52]]
    return Structure(Lattice.cubic(12.0), ["O", "H", "H"], positions, coords_are_cartesian=True)


STRUCTURES = [perovskite(), rocksalt(), iron(), molecule_in_a_box()]


@pytest.fixture
def graphs(make_graph):
    return [
        make_graph([site.specie.Z for site in s], s.cart_coords, 6.0, s.lattice.matrix.copy() if len(s) != 3 else None)
        for s in STRUCTURES
    ]


@pytest.mark.parametrize("version", ["0.3.0", "r2scan", "0.2.0"])
def test_energies_forces_and_features_are_chgnets(version, graphs):
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = chgnet_model.CHGNet.load(model_name=version, use_device="cpu", verbose=False)
    backbone = make_backbone("chgnet", version=version)
    network = GraphNetwork(backbone, "taag")
    batch = Batch.from_data_list(graphs)
    batch.pos.requires_grad_()
    energies = network(batch)[:, 0]
    forces = -torch.autograd.grad(energies.sum(), batch.pos)[0].numpy()
    energies = energies.detach().index_add(0, batch.batch, backbone.atom_references()[batch.z])
    features = backbone.tokens(batch)[:, 3].detach().numpy()
    for k, structure in enumerate(STRUCTURES):
        expected = theirs.predict_structure(structure, task="ef", return_atom_feas=True)
        mine = (batch.batch == k).numpy()
        assert energies[k].item() / len(structure) == pytest.approx(expected["e"].item(), abs=1e-4)
        np.testing.assert_allclose(forces[mine], expected["f"], atol=1e-4)
        np.testing.assert_allclose(features[mine], expected["atom_fea"], atol=2e-4)


def test_supercell_and_lone_atom(make_graph, graphs):
    backbone = make_backbone("chgnet").double()
    large = STRUCTURES[1].make_supercell([2, 1, 1], in_place=False)
    doubled = make_graph([site.specie.Z for site in large], large.cart_coords, 6.0, large.lattice.matrix.copy())
    network = GraphNetwork(backbone, "last")
    assert network(doubled).item() == pytest.approx(2 * network(graphs[1]).item(), abs=1e-8)
    alone = backbone.tokens(make_graph([26], [[0.0, 0, 0]], 6.0))
    torch.testing.assert_close(alone, alone[:, :1].expand(-1, 5, -1))


def test_cut_graph_is_named(graphs):
    graph = graphs[0].clone()
    graph.edge_index, graph.edge_shift = graph.edge_index[:, 1:], graph.edge_shift[1:]
    with pytest.raises(ValueError, match="1 edges have no reverse"):
        make_backbone("chgnet").tokens(graph)


def test_readout_of_several_targets_is_fresh(graphs):
    backbone = make_backbone("chgnet")
    assert GraphNetwork(backbone, n_targets=2)(graphs[0]).shape == (1, 2)
    assert backbone.has_readout
    pretrained, fresh = backbone.head(), backbone.fresh().head()
    assert not torch.equal(pretrained[1].layers[0].weight, fresh[1].layers[0].weight)
    pretrained[1].layers[0].weight.data.zero_()
    assert backbone.head()[1].layers[0].weight.any()  # a copy


def test_version_is_checked():
    with pytest.raises(ValueError, match=r"version must be one of 0\.2\.0, 0\.3\.0, r2scan, got '1\.0'"):
        make_backbone("chgnet", version="1.0")


def test_without_the_package(monkeypatch):
    monkeypatch.setattr("sktaag.nn.backbones._chgnet.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "sktaag\[chgnet\]"'):
        make_backbone("chgnet")


def test_an_estimator_of_it_predicts_what_chgnet_predicts(tmp_path):
    structures = [perovskite(), rocksalt(), iron()]
    model = GNNRegressor.from_pretrained("chgnet", device="cpu")
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = chgnet_model.CHGNet.load(use_device="cpu", verbose=False).predict_structure(structures)
    energies = [found["e"] * len(structure) for found, structure in zip(theirs, structures, strict=True)]
    np.testing.assert_allclose(model.predict(structures), energies, rtol=1e-5)
    for forces, found in zip(model.predict_forces(structures), theirs, strict=True):
        np.testing.assert_allclose(forces, found["f"], atol=1e-4)
    save_source(model, tmp_path / "chgnet.source")
    np.testing.assert_array_equal(
        load_source(tmp_path / "chgnet.source").predict(structures), model.predict(structures)
    )
    model_id = ModelLibrary(tmp_path / "library").add(model, property="energy", unit="eV")
    assert ModelLibrary(tmp_path / "library").get(model_id).predict(structures[:1]) == pytest.approx(energies[0], 1e-5)
