"""What holds for every backbone, alone and in a GraphNetwork."""

import copy
import json
import pickle
from importlib.util import find_spec

import pytest
import torch
from torch_geometric.data import Batch, Data

from sktaag.nn import Backbone, GraphNetwork, backbone_names, edge_vectors, make_backbone

SMALL = {
    "schnet": {"n_layers": 2, "n_features": 16, "n_filters": 16, "n_gaussians": 20, "cutoff": 4.0},
    "dimenet++": {
        "n_layers": 2,
        "n_features": 16,
        "n_hidden": 16,
        "n_output": 24,
        "n_triplet": 8,
        "n_spherical": 3,
        "n_radial": 4,
        "cutoff": 4.0,
    },
    "gemnet": {
        "n_layers": 2,
        "n_features": 16,
        "n_hidden": 20,
        "n_triplet": 8,
        "n_basis": 6,
        "n_spherical": 3,
        "n_radial": 4,
        "cutoff": 4.0,
    },
    "visnet": {"n_layers": 2, "n_features": 16, "n_heads": 4, "n_rbf": 12, "cutoff": 4.0},
    "cgcnn": {"n_layers": 2, "n_features": 16, "n_gaussians": 12, "n_neighbors": 40, "cutoff": 4.0},
    "gine": {"n_atom_features": 5, "n_bond_features": 3, "n_layers": 2, "n_features": 16},
    "attentive_fp": {"n_atom_features": 5, "n_bond_features": 3, "n_layers": 3, "n_features": 16},
}
# The vectors of ViSNet are zero before its first block, and those after its last are not read.
UNREAD = {
    "visnet": {
        f"backbone.vis_mp_layers.{part}"
        for part in (
            "0.vec_proj.weight",
            "0.w_src_proj.weight",
            "0.w_trg_proj.weight",
            "0.f_proj.weight",
            "0.f_proj.bias",
            "1.s_proj.weight",
            "1.s_proj.bias",
        )
    },
    "chgnet": {  # the last angles are not read
        f"backbone.angle_layers.2.twoBody_bond.{part}.{kind}"
        for part in ("mlp_core.layers.1", "mlp_gate.layers.1", "bn1", "bn2")
        for kind in ("weight", "bias")
    },
}
if find_spec("chgnet"):
    SMALL["chgnet"] = {"n_layers": 4}
if find_spec("matgl"):
    elements = ["H", "He", "C", "O", "Na", "Cl", "Fe"]
    SMALL["matgl"] = {
        "architecture": "M3GNet",
        "n_layers": 2,
        "arguments": {"element_types": elements, "cutoff": 4.0, "threebody_cutoff": 3.0, "use_smooth": True},
    }
ATOMS = [name for name in SMALL if name not in ("gine", "attentive_fp")]
KINDS = ["last", "sum", "mix", "query", "taag"]


def make(name):
    torch.manual_seed(0)
    return make_backbone(name, **SMALL[name]).double()


def trained_network(backbone, attention="taag", **options):
    """Network whose gates are open."""
    torch.manual_seed(1)
    network = GraphNetwork(backbone, attention, **options)
    with torch.no_grad():
        for parameter in network.attention.parameters():
            parameter.add_(torch.randn_like(parameter))
    return network


@pytest.fixture(params=SMALL)
def name(request):
    return request.param


@pytest.fixture
def molecule(name, ethanol):
    """One graph of the kind that the backbone reads."""
    return ethanol if name in ATOMS else bonds(9, seed=0)


@pytest.fixture
def other(name, water):
    return water if name in ATOMS else bonds(4, seed=1)


def bonds(n_atoms, seed):
    """A chain with random features."""
    generator = torch.Generator().manual_seed(seed)
    chain = torch.stack([torch.arange(n_atoms - 1), torch.arange(1, n_atoms)])
    one_way = torch.rand(n_atoms - 1, 3, generator=generator)
    return Data(
        x=torch.rand(n_atoms, 5, generator=generator),
        z=torch.full((n_atoms,), 6),
        edge_index=torch.cat([chain, chain.flip(0)], dim=1),
        edge_attr=torch.cat([one_way, one_way]),
    )


def test_names_are_those_of_the_table():
    built_in = set(backbone_names())
    assert set(SMALL) <= built_in


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"backbone must be one of attentive_fp, .*schnet.* got 'painn'"):
        make_backbone("painn")


def test_entry_points_of_other_packages(monkeypatch):
    class Point:
        name = "theirs"

        def load(self):
            return lambda n_layers: ("made", n_layers)

    monkeypatch.setattr("sktaag.nn._backbone.entry_points", lambda group: [Point()] * (group == "sktaag.backbones"))
    assert "theirs" in backbone_names()
    assert make_backbone("theirs", n_layers=3) == ("made", 3)


def test_number_of_layers(name, molecule):
    fewest = 1 if name in ("visnet", "attentive_fp") else 0
    assert make_backbone(name, **SMALL[name] | {"n_layers": fewest}).tokens(molecule).shape[1] == fewest + 1
    with pytest.raises(ValueError, match=f"n_layers must be at least {fewest}, got {fewest - 1}"):
        make_backbone(name, **SMALL[name] | {"n_layers": fewest - 1})


def test_tokens_and_config(name, molecule):
    backbone = make(name)
    tokens = backbone.tokens(molecule)
    assert isinstance(backbone, Backbone)
    assert backbone.name == name
    assert tokens.shape == (9, backbone.n_layers + 1, backbone.n_features)
    assert tokens.dtype == torch.float64
    assert make_backbone(name, **SMALL[name]).tokens(molecule).dtype == torch.float32
    assert (backbone.reads == "atoms") == (name in ATOMS) == (backbone.cutoff is not None)
    rebuilt = make_backbone(name, **json.loads(json.dumps(backbone.config))).double()
    rebuilt.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(rebuilt.tokens(molecule), tokens)


def test_all_depths_differ_and_have_parameters(name, molecule):
    backbone = make(name)
    tokens = backbone.tokens(molecule)
    for depth in range(backbone.n_layers):
        assert (tokens[:, depth + 1] - tokens[:, depth]).abs().max() > 1e-3
    assert {backbone.depth_of(parameter) for parameter, _ in backbone.named_parameters()} == set(
        range(backbone.n_layers + 1)
    )


def test_depth_is_where_a_parameter_acts(name, molecule):
    backbone = make(name)
    before = backbone.tokens(molecule).detach()
    for parameter_name, parameter in backbone.named_parameters():
        if parameter_name.startswith("out_norm") or not parameter.requires_grad:
            continue  # a norm after all depths
        with torch.no_grad():
            kept = parameter.clone()
            parameter.add_(torch.randn_like(parameter))
            moved = (backbone.tokens(molecule) - before).abs().amax(dim=(0, 2)) > 0
            parameter.copy_(kept)
        depth = backbone.depth_of(parameter_name)
        first = 0 if parameter_name.startswith("output_blocks.0.") else depth
        assert not moved[:first].any(), parameter_name


def test_pickle_copy_and_state(name, molecule):
    backbone = make(name)
    tokens = backbone.tokens(molecule)
    for twin in (pickle.loads(pickle.dumps(backbone)), copy.deepcopy(backbone)):
        assert torch.equal(twin.tokens(molecule), tokens)
        assert twin.config == backbone.config


def test_fresh_shares_nothing(name):
    backbone = make(name)
    fresh = backbone.fresh()
    assert fresh.dtype == torch.float64
    theirs = dict(fresh.named_parameters())
    assert set(theirs) == {parameter for parameter, _ in backbone.named_parameters()}
    drawn = [key for key, value in backbone.named_parameters() if value.dim() == 2]
    assert drawn
    for key in drawn:
        assert theirs[key].data_ptr() != backbone.get_parameter(key).data_ptr()
        assert not torch.equal(theirs[key], backbone.get_parameter(key)), key


def test_extended_keeps_the_first_tokens(name, molecule):
    backbone = make(name)
    longer = backbone.extended(2)
    tokens = longer.tokens(molecule)
    assert longer.n_layers == backbone.n_layers + 2
    torch.testing.assert_close(tokens[:, : backbone.n_layers + 1], backbone.tokens(molecule))
    assert (tokens[:, -1] - tokens[:, -2]).abs().max() > 1e-3
    assert backbone.n_layers == SMALL[name]["n_layers"]


def test_batch_does_not_matter(name, molecule, other):
    network = trained_network(make(name))
    together = network(Batch.from_data_list([molecule, other, molecule]))
    alone = torch.cat([network(molecule), network(other), network(molecule)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    swapped = network(Batch.from_data_list([other, molecule]))
    torch.testing.assert_close(swapped, alone[[1, 0]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("attention", KINDS)
def test_size_consistency(name, molecule, other, attention):
    """Two molecules in one graph without edges between them, as when they are far apart."""
    shift = len(molecule.z)
    joined = molecule.clone()
    for key in molecule.keys():  # noqa: SIM118
        if key == "edge_index":
            joined[key] = torch.cat([molecule[key], other[key] + shift], dim=1)
        elif key not in ("cell", "pbc"):
            joined[key] = torch.cat([molecule[key], other[key]])
    if name in ATOMS:
        joined.pos[shift:] += 50.0
    backbone = make(name)
    extensive = trained_network(backbone, attention)
    torch.testing.assert_close(extensive(joined), extensive(molecule) + extensive(other))
    intensive = trained_network(backbone, attention, target="intensive")
    mean = (intensive(molecule) * shift + intensive(other) * len(other.z)) / (shift + len(other.z))
    torch.testing.assert_close(intensive(joined), mean)


def test_permutation(name, molecule):
    network = trained_network(make(name))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    permuted = molecule.clone()
    for key in ("z", "pos", "x"):
        if key in molecule:
            permuted[key] = molecule[key][order]
    permuted.edge_index = order.argsort()[molecule.edge_index]
    torch.testing.assert_close(network(permuted), network(molecule))
    torch.testing.assert_close(network.backbone.tokens(permuted), network.backbone.tokens(molecule)[order])


def test_every_parameter_but_unread_ones_gets_a_gradient(name, molecule):
    network = trained_network(make(name))
    network(molecule).sum().backward()
    without = {key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()}
    assert without == UNREAD.get(name, set())


@pytest.mark.parametrize("attention", ["mix", "query", "taag"])
def test_step_zero_is_the_plain_readout(name, molecule, attention):
    backbone = make(name)
    torch.manual_seed(3)
    network = GraphNetwork(backbone, attention, n_fresh_blocks=1)
    torch.manual_seed(3)
    plain = GraphNetwork(backbone, backbone.plain)
    torch.testing.assert_close(network(molecule), plain(molecule), rtol=0, atol=1e-12)
    opened = trained_network(backbone, attention, n_fresh_blocks=1)
    opened.head = plain.head
    assert (opened(molecule) - plain(molecule)).abs().max() > 1e-4


@pytest.mark.parametrize("attention", KINDS)
def test_network_pickles(name, molecule, attention):
    network = trained_network(make(name), attention, n_targets=3, n_fresh_blocks=1)
    prediction = network(molecule)
    assert prediction.shape == (1, 3)
    torch.testing.assert_close(pickle.loads(pickle.dumps(network))(molecule), prediction)


def test_reading_cached_tokens(name, molecule, other):
    network = trained_network(make(name), n_targets=2, target="intensive")
    batch = Batch.from_data_list([molecule, other])
    tokens = network.backbone.tokens(batch)
    torch.testing.assert_close(network.read(tokens, batch.batch, 2), network(batch))


def test_unknown_target_is_named():
    with pytest.raises(ValueError, match=r'target must be "extensive" or "intensive", got \'mean\''):
        GraphNetwork(make("schnet"), target="mean")


# what only positions have


def rotation(seed=0):
    q, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
    return q * q.det()


@pytest.mark.parametrize("graph", ["ethanol", "rocksalt"])
@pytest.mark.parametrize("name", ATOMS)
def test_rotation_reflection_and_translation(name, graph, request):
    graph = request.getfixturevalue(graph)
    backbone = make(name)
    for turn in (rotation(), -rotation(1)):
        moved = graph.clone()
        moved.pos = graph.pos @ turn.T + torch.tensor([1.0, -2.0, 3.0])
        moved.edge_shift = graph.edge_shift @ turn.T
        torch.testing.assert_close(backbone.tokens(moved), backbone.tokens(graph), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ATOMS)
def test_periodic_cell_and_supercell_agree(name, make_graph):
    """Images are told apart: one atom a cell, two of them, and another choice of the vectors give the same atom."""
    a = 2.6
    single = make_graph([26], [[0.0, 0, 0]], 4.0, [[a, 0, 0], [0, a, 0], [0, 0, a]])
    double = make_graph([26, 26], [[0.0, 0, 0], [a, 0, 0]], 4.0, [[2 * a, 0, 0], [0, a, 0], [0, 0, a]])
    sheared = make_graph([26], [[0.0, 0, 0]], 4.0, [[a, 0, 0], [a, a, 0], [0, 0, a]])
    backbone = make(name)
    tokens = backbone.tokens(single)
    torch.testing.assert_close(backbone.tokens(double), tokens.expand(2, -1, -1))
    torch.testing.assert_close(backbone.tokens(sheared), tokens)
    assert single.num_edges == 18


@pytest.mark.parametrize("name", ATOMS)
def test_images_are_atoms_of_a_cluster(name, make_graph):
    """An atom in the middle of a large enough cluster is the atom of the periodic chain."""
    backbone = make(name)  # two blocks of 4 Å see 8 Å, those of GemNet 20 Å
    chain = make_graph([6, 8], [[0.0, 0, 0], [1.3, 0.4, 0]], 4.0, [[3.0, 0, 0], [0, 30, 0], [0, 0, 30]])
    n = 15
    cluster = make_graph([6, 8] * n, [[3.0 * k + x, y, 0] for k in range(n) for x, y in ((0.0, 0.0), (1.3, 0.4))], 4.0)
    torch.testing.assert_close(backbone.tokens(cluster)[n - 1 : n + 1], backbone.tokens(chain))


@pytest.mark.parametrize("name", ATOMS)
def test_wider_graphs_change_nothing(name, make_graph, rocksalt):
    backbone = make(name)
    narrow, wide = (
        make_graph(rocksalt.z.tolist(), rocksalt.pos, backbone.cutoff + more, rocksalt.cell[0]) for more in (0, 1.5)
    )
    assert wide.num_edges > narrow.num_edges
    torch.testing.assert_close(backbone.tokens(wide), backbone.tokens(narrow), rtol=0, atol=1e-12)


@pytest.mark.parametrize("attention", ["last", "taag"])
@pytest.mark.parametrize("graph", ["ethanol", "rocksalt"])
@pytest.mark.parametrize("name", ATOMS)
def test_forces_are_finite_differences(name, graph, attention, request):
    graph = request.getfixturevalue(graph).clone()
    network = trained_network(make(name), attention)
    graph.pos.requires_grad_()
    forces = -torch.autograd.grad(network(graph).sum(), graph.pos)[0]
    graph.pos.requires_grad_(False)
    step = 1e-5
    expected = torch.zeros_like(forces)
    for atom in range(len(graph.z)):
        for axis in range(3):
            energies = []
            for sign in (1, -1):
                moved = graph.clone()
                moved.pos = graph.pos.clone()
                moved.pos[atom, axis] += sign * step
                energies.append(network(moved).item())
            expected[atom, axis] = -(energies[0] - energies[1]) / (2 * step)
    assert expected.abs().max() > 1e-5
    torch.testing.assert_close(forces, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("name", ATOMS)
def test_gradients_by_positions_and_shifts_make_the_stress(name, rocksalt):
    network = trained_network(make(name))
    lengths = [rocksalt.pos.clone().requires_grad_(), rocksalt.edge_shift.clone().requires_grad_()]
    rocksalt.pos, rocksalt.edge_shift = lengths
    slopes = torch.autograd.grad(network(rocksalt).sum(), lengths)
    stress = sum(part.T @ slope for part, slope in zip(lengths, slopes, strict=True))
    torch.testing.assert_close(stress, stress.T, rtol=0, atol=1e-5 * stress.abs().max().item())

    step = 1e-5
    for a, b in ((0, 0), (1, 1), (0, 2)):
        energies = []
        for sign in (1, -1):
            deformed = rocksalt.clone()
            strain = torch.eye(3, dtype=torch.float64)
            strain[a, b] += sign * step
            deformed.pos, deformed.edge_shift = (part.detach() @ strain for part in lengths)
            energies.append(network(deformed).item())
        expected = (energies[0] - energies[1]) / (2 * step)
        assert stress[a, b].item() == pytest.approx(expected, rel=1e-4, abs=1e-4 * stress.abs().max().item())


@pytest.mark.parametrize("name", ATOMS)
def test_training_on_forces_has_finite_gradients(name, make_graph):
    """Three atoms in line, an ideal crystal and an atom alone: where derivatives of angles and norms go wrong."""
    batch = Batch.from_data_list(
        [
            make_graph([8, 6, 8], [[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]], 4.0),
            make_graph([26], [[0.0, 0, 0]], 4.0, [[2.6, 0, 0], [0, 2.6, 0], [0, 0, 2.6]]),
            make_graph([2], [[0.0, 0, 0]], 4.0),
        ]
    )
    network = trained_network(make(name))
    batch.pos.requires_grad_()
    forces = -torch.autograd.grad(network(batch).sum(), batch.pos, create_graph=True)[0]
    assert forces[3:].abs().max() < 1e-6  # by symmetry
    forces.square().sum().backward()
    gradients = [value.grad for value in network.parameters() if value.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert any(gradient.any() for gradient in gradients)


def test_edge_vectors_of_images(make_graph):
    graph = make_graph([11, 17], [[0.1, 0, 0], [2.0, 0, 0]], 4.0, [[4.0, 0, 0], [0, 30, 0], [0, 0, 30]])
    vector, length = edge_vectors(graph)
    x = sorted(vector[graph.edge_index[1] == 0][:, 0].tolist())
    assert x == pytest.approx([-4.0, -2.1, 1.9, 4.0])
    torch.testing.assert_close(length, vector.norm(dim=1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_agrees_with_cpu(name, molecule, other):
    network = trained_network(make(name), n_fresh_blocks=1)
    batch = Batch.from_data_list([molecule, other])
    on_gpu = copy.deepcopy(network).cuda()
    torch.testing.assert_close(on_gpu(batch.clone().cuda()).cpu(), network(batch))
    assert on_gpu.backbone.head().to("cpu")(network.backbone.tokens(batch)[:, -1]).device.type == "cpu"
