"""GemNet against its equations written as loops, and in the estimators."""

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from torch.nn.functional import silu
from torch_geometric.data import Batch

from sktaag.nn import GraphNetwork, make_backbone
from sktaag.nn.backbones import GemNet
from sktaag.nn.backbones._gemnet_blocks import Scale
from sktaag.sources import GNNRegressor
from sktaag.transfer import GNNFeaturizer, TAAGRegressor

TINY = {"n_features": 16, "n_hidden": 20, "n_triplet": 8, "n_basis": 6, "n_spherical": 4, "n_radial": 5}


def tiny(**options):
    torch.manual_seed(0)
    return GemNet(**({"n_layers": 2, "cutoff": 4.0} | TINY | options)).double()


# a file of the Open Catalyst Project, names and shapes as facts, and what its network says, in loops

D, H, TRIPLET, BASIS, SPHERICAL, RADIAL, LAYERS, CUTOFF = 12, 10, 6, 4, 3, 8, 2, 6.0


def their_weights():
    """Random weights in their layout, of two blocks."""
    generator = torch.Generator().manual_seed(1)
    shapes = {
        "radial_basis.rbf.offset": (RADIAL,),
        "cbf_basis3.radial_basis.rbf.offset": (RADIAL,),
        "mlp_rbf3.linear.weight": (BASIS, RADIAL),
        "mlp_cbf3.weight": (SPHERICAL, RADIAL, BASIS),
        "mlp_rbf_h.linear.weight": (BASIS, RADIAL),
        "mlp_rbf_out.linear.weight": (BASIS, RADIAL),
        "atom_emb.embeddings.weight": (83, D),
        "edge_emb.dense.linear.weight": (H, 2 * D + RADIAL),
    }
    residual = ("dense_mlp.0.linear.weight", "dense_mlp.1.linear.weight")
    for k in range(LAYERS + 1):
        for path in ("seq_energy", "layers"):  # one list under two names
            shapes[f"out_blocks.{k}.{path}.0.linear.weight"] = (D, H)
            shapes |= {f"out_blocks.{k}.{path}.{n}.{part}": (D, D) for n in (1, 2, 3) for part in residual}
        shapes[f"out_blocks.{k}.seq_forces.0.linear.weight"] = (H, H)
        shapes |= {f"out_blocks.{k}.seq_forces.{n}.{part}": (H, H) for n in (1, 2, 3) for part in residual}
        shapes |= {
            f"out_blocks.{k}.dense_rbf.linear.weight": (H, BASIS),
            f"out_blocks.{k}.scale_sum.scale_factor": (),
            f"out_blocks.{k}.out_energy.linear.weight": (1, D),
            f"out_blocks.{k}.scale_rbf_F.scale_factor": (),
            f"out_blocks.{k}.out_forces.linear.weight": (1, H),
            f"out_blocks.{k}.dense_rbf_F.linear.weight": (H, BASIS),
        }
    for k in range(LAYERS):
        block, triplet = f"int_blocks.{k}.", f"int_blocks.{k}.trip_interaction."
        shapes |= {
            block + "dense_ca.linear.weight": (H, H),
            triplet + "dense_ba.linear.weight": (H, H),
            triplet + "mlp_rbf.linear.weight": (H, BASIS),
            triplet + "scale_rbf.scale_factor": (),
            triplet + "mlp_cbf.weight": (TRIPLET, BASIS, TRIPLET),
            triplet + "scale_cbf_sum.scale_factor": (),
            triplet + "down_projection.linear.weight": (TRIPLET, H),
            triplet + "up_projection_ca.linear.weight": (H, TRIPLET),
            triplet + "up_projection_ac.linear.weight": (H, TRIPLET),
            block + "atom_update.dense_rbf.linear.weight": (H, BASIS),
            block + "atom_update.scale_sum.scale_factor": (),
            block + "atom_update.layers.0.linear.weight": (D, H),
            block + "concat_layer.dense.linear.weight": (H, 2 * D + H),
        }
        shapes |= {f"{block}atom_update.layers.{n}.{part}": (D, D) for n in (1, 2, 3) for part in residual}
        for path in ("layers_before_skip.0", "layers_after_skip.0", "layers_after_skip.1", "residual_m.0"):
            shapes |= {f"{block}{path}.{part}": (H, H) for part in residual}
    weights = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator)
        weights[name] = value.abs() + 0.5 if name.endswith("scale_factor") else value / max(shape[-1:] or (1,)) ** 0.5
        if name.endswith("offset"):
            weights[name] = torch.linspace(0, 1, RADIAL)
        if ".layers." in name and name.startswith("out_blocks."):
            weights[name] = weights[name.replace(".layers.", ".seq_energy.")]
    return weights


def their_energies(weights, graph):
    """Energy of each atom from each output block, (n_atoms, LAYERS + 1): the paper's equations, edge by edge."""
    w = {name: value.double() for name, value in weights.items()}
    source, target = graph.edge_index.tolist()
    vector = graph.pos[source] + graph.edge_shift - graph.pos[target]
    length = vector.norm(dim=1)
    E, N = len(source), len(graph.z)
    back = {}
    for e in range(E):
        (back[e],) = (
            f
            for f in range(E)
            if source[f] == target[e] and target[f] == source[e] and torch.allclose(vector[f], -vector[e])
        )

    def dense(x, name):
        return silu(x @ w[name + ".linear.weight"].T) / 0.6

    def linear(x, name):
        return x @ w[name + ".linear.weight"].T

    def residual(x, name):
        return (x + dense(dense(x, name + ".dense_mlp.0"), name + ".dense_mlp.1")) / math.sqrt(2)

    def to_atoms(m, radial, name):
        x = torch.zeros(N, H, dtype=torch.float64)
        for e in range(E):
            x[target[e]] += m[e] * linear(radial[e], name + ".dense_rbf")
        x = dense(w[name + ".scale_sum.scale_factor"] * x, name + ".layers.0")
        for n in (1, 2, 3):
            x = residual(x, f"{name}.layers.{n}")
        return x

    def output(m, k):
        return linear(to_atoms(m, linear(basis, "mlp_rbf_out"), f"out_blocks.{k}"), f"out_blocks.{k}.out_energy")

    x = length / CUTOFF
    basis = torch.exp(-0.5 * ((x[:, None] - w["radial_basis.rbf.offset"]) * (RADIAL - 1)) ** 2)
    basis = basis * (1 - 21 * x**5 + 35 * x**6 - 15 * x**7)[:, None]
    h = w["atom_emb.embeddings.weight"][graph.z - 1]
    m = dense(torch.cat([h[source], h[target], basis], dim=1), "edge_emb.dense")
    energies = [output(m, 0)]
    for k in range(LAYERS):
        block, trip = f"int_blocks.{k}", f"int_blocks.{k}.trip_interaction"
        heard = dense(m, trip + ".dense_ba") * linear(linear(basis, "mlp_rbf3"), trip + ".mlp_rbf")
        heard = dense(w[trip + ".scale_rbf.scale_factor"] * heard, trip + ".down_projection")
        total = torch.zeros(E, TRIPLET, dtype=torch.float64)
        for ca in range(E):
            for ba in range(E):
                if target[ba] != target[ca] or ba == ca:
                    continue
                cosine = (vector[ca] @ vector[ba]) / length[ca] / length[ba]
                legendre = (torch.ones(()).double(), cosine, (3 * cosine**2 - 1) / 2)
                circle = torch.stack([math.sqrt((2 * n + 1) / (4 * math.pi)) * legendre[n] for n in range(SPHERICAL)])
                circular = torch.einsum("s,r,srb->b", circle, basis[ca], w["mlp_cbf3.weight"])
                total[ca] += torch.einsum("b,t,tbo->o", circular, heard[ba], w[trip + ".mlp_cbf.weight"])
        total = w[trip + ".scale_cbf_sum.scale_factor"] * total
        swapped = dense(total, trip + ".up_projection_ac")[[back[e] for e in range(E)]]
        both = (dense(total, trip + ".up_projection_ca") + swapped) / math.sqrt(2)
        y = residual((dense(m, block + ".dense_ca") + both) / math.sqrt(2), block + ".layers_before_skip.0")
        m = (m + y) / math.sqrt(2)
        for n in (0, 1):
            m = residual(m, f"{block}.layers_after_skip.{n}")
        h = (h + to_atoms(m, linear(basis, "mlp_rbf_h"), block + ".atom_update")) / math.sqrt(2)
        y = residual(
            dense(torch.cat([h[source], h[target], m], dim=1), block + ".concat_layer.dense"), block + ".residual_m.0"
        )
        m = (m + y) / math.sqrt(2)
        energies.append(output(m, k + 1))
    return torch.cat(energies, dim=1)


def write(path, weights, std=None, **settings):
    torch.save(
        {
            "epoch": 3,
            "state_dict": {f"module.module.{name}": value for name, value in weights.items()},
            "optimizer": {"state": {}, "param_groups": [{"lr": 1e-4}]},
            "config": {"model": "gemnet_t", "model_attributes": {"cutoff": CUTOFF, "max_neighbors": 50} | settings},
            "normalizers": {} if std is None else {"target": {"mean": torch.tensor(-0.7), "std": torch.tensor(std)}},
        },
        path,
    )
    return path


@pytest.fixture
def slab(make_graph):
    return make_graph(
        [29, 29, 8], [[0, 0, 0], [2.8, 2.8, 0], [0, 0.1, 1.9]], CUTOFF, [[5.6, 0, 0], [0, 5.6, 0], [0, 0, 20]]
    )


@pytest.mark.parametrize("std", [None, 2.5])
@pytest.mark.parametrize("graph", ["ethanol", "slab"])
def test_file_gives_the_energies_of_the_equations(graph, std, request, tmp_path, make_graph):
    graph = request.getfixturevalue(graph)
    weights = their_weights()
    backbone = GemNet.from_pretrained(write(tmp_path / "gemnet.pt", weights, std))
    assert backbone.config | {"basis": "gaussian", "n_neighbors": 50, "cutoff": CUTOFF} == backbone.config
    assert (backbone.n_layers, backbone.n_features, backbone.n_elements) == (LAYERS, D, 83)
    assert backbone.has_readout
    assert not backbone.fresh().has_readout
    backbone = backbone.double()
    expected = their_energies(weights, graph)
    assert expected.abs().min() > 1e-4
    torch.testing.assert_close(backbone.tokens(graph).sum(dim=2) / math.sqrt(D), expected, rtol=1e-5, atol=1e-6)
    energy = GraphNetwork(backbone, "taag")(graph)
    torch.testing.assert_close(energy[0, 0], expected.sum() * (std or 1), rtol=1e-5, atol=1e-5)


def test_bare_weights_of_newer_and_older_programs(tmp_path, ethanol):
    weights = their_weights()
    torch.save(weights, tmp_path / "bare.pt")
    one, other = (GemNet.from_pretrained(p) for p in (tmp_path / "bare.pt", write(tmp_path / "gemnet.pt", weights)))
    torch.testing.assert_close(one.tokens(ethanol), other.tokens(ethanol))
    assert one.config == other.config


def test_factors_that_were_not_fitted_are_one(tmp_path, ethanol):
    weights = their_weights()
    ones, zeros = (
        {name: torch.full((), value) if name.endswith("scale_factor") else x for name, x in weights.items()}
        for value in (1.0, 0.0)
    )
    one, other = (GemNet.from_pretrained(write(tmp_path / "gemnet.pt", state)) for state in (ones, zeros))
    torch.testing.assert_close(one.tokens(ethanol), other.tokens(ethanol))


def test_other_files_are_refused(tmp_path):
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt holds no weights of a GemNet-T of the Open Catalyst Project"):
        GemNet.from_pretrained(tmp_path / "other.pt")
    weights = their_weights()
    write(tmp_path / "bessel.pt", weights, rbf={"name": "spherical_bessel"})
    with pytest.raises(ValueError, match=r"bessel\.pt was trained with rbf .*spherical_bessel.*; here is only"):
        GemNet.from_pretrained(tmp_path / "bessel.pt")
    torch.save({name: value for name, value in weights.items() if "offset" not in name}, tmp_path / "bessel.pt")
    with pytest.raises(ValueError, match=r"bessel\.pt was trained with other radial functions than Gaussians"):
        GemNet.from_pretrained(tmp_path / "bessel.pt")
    quadruplets = {"int_blocks.0.quad_interaction.dense_db.linear.weight": torch.zeros(H, H)}
    with pytest.raises(ValueError, match=r"another kind of GemNet: 1 weights are .*_blocks\.0\.quad_interaction"):
        GemNet.from_pretrained(write(tmp_path / "gemnet_q.pt", weights | quadruplets))
    del weights["int_blocks.1.concat_layer.dense.linear.weight"]
    with pytest.raises(ValueError, match=r"another kind of GemNet: 1 weights are .*_blocks\.1\.joined\.weight"):
        GemNet.from_pretrained(write(tmp_path / "other.pt", weights))


def test_code_needs_trust(tmp_path):
    torch.save({"state_dict": their_weights(), "model": torch.nn.Linear(1, 1)}, tmp_path / "with_code.pt")
    with pytest.raises(ValueError, match=r"with_code\.pt is no file .* holds more than tensors.* with trusted=True"):
        GemNet.from_pretrained(tmp_path / "with_code.pt")
    assert GemNet.from_pretrained(tmp_path / "with_code.pt", trusted=True).n_layers == LAYERS


def test_element_without_embedding(tmp_path, make_graph):
    backbone = GemNet.from_pretrained(write(tmp_path / "gemnet.pt", their_weights()))
    uranium = make_graph([92, 8], [[0, 0, 0], [0, 0, 1.8]], 4.0)
    with pytest.raises(ValueError, match="Atomic number 92 has no embedding: this network knows 1 to 83"):
        backbone.tokens(uranium)


def test_number_of_parameters_of_the_published_network(monkeypatch):
    """31,671,825 in the program of the Open Catalyst Project, with the output of forces and 17 fixed factors."""
    monkeypatch.setattr(torch.nn.init, "orthogonal_", lambda weight: weight)  # takes seconds
    options = {"n_radial": 128, "n_atom_residuals": 3, "n_edge_residuals": 2, "n_elements": 83, "basis": "gaussian"}
    backbone = GemNet(3, 512, 512, **options)
    forces = 4 * (7 * 512 * 512 + 16 * 512 + 512)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 31_671_825 - forces - 17
    assert sum(isinstance(part, Scale) for part in backbone.modules()) == 13  # and 4 of the forces


# smoothness, neighbours, scales


@pytest.mark.parametrize("basis", ["bessel", "gaussian"])
def test_continuous_at_the_cutoff(basis, make_graph):
    """The third atom leaves the second, with which and with the first it makes triplets."""
    network = GraphNetwork(tiny(basis=basis), "sum")

    def energy_and_forces(distance):
        graph = make_graph([6, 8, 1], [[0, 0, 0], [1.2, 0.3, 0], [1.2, 0.3 + distance, 0.0]], 5.0)
        graph.pos.requires_grad_()
        energy = network(graph).sum()
        return energy.detach(), torch.autograd.grad(energy, graph.pos)[0]

    energy_and_forces(2.0)  # sets the scales
    inside, outside = energy_and_forces(4.0 - 1e-4), energy_and_forces(4.0 + 1e-4)
    torch.testing.assert_close(inside[0], outside[0], rtol=0, atol=1e-9)
    torch.testing.assert_close(inside[1], outside[1], rtol=0, atol=1e-5)
    near = energy_and_forces(3.0)
    assert (near[0] - outside[0]).abs() > 1e-3


def test_whole_shells_of_neighbours(make_graph):
    copper = make_graph([29], [[0.0, 0, 0]], 6.0, [[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]])
    shells = {1: 12, 12: 12, 13: 18, 18: 18, 19: 42, 50: 54, 54: 54, 60: 78, 500: 78, None: 78}
    for n_neighbors, expected in shells.items():
        assert tiny(n_neighbors=n_neighbors, cutoff=6.0).edges(copper)[0].shape == (2, expected)


def test_nearest_of_either_atom(make_graph):
    """The far atom has the edge to its nearest one, which has nearer ones, and its reverse."""
    chain = make_graph([1, 1, 1, 1], [[0, 0, 0], [0.9, 0, 0], [1.9, 0, 0], [4.5, 0, 0]], 5.0)
    backbone = tiny(n_neighbors=1, cutoff=5.0)
    edge_index = backbone.edges(chain)[0]
    assert set(map(tuple, edge_index.T.tolist())) == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)}
    assert backbone.tokens(chain).isfinite().all()


def test_nearest_neighbours_keep_the_symmetries(rocksalt):
    backbone = tiny(n_neighbors=4)
    assert backbone.edges(rocksalt)[0].shape[1] < rocksalt.num_edges
    tokens = backbone.tokens(rocksalt)
    swapped = rocksalt.clone()
    swapped.z, swapped.pos, swapped.edge_index = rocksalt.z.flip(0), rocksalt.pos.flip(0), 1 - rocksalt.edge_index
    torch.testing.assert_close(backbone.tokens(swapped), tokens.flip(0))
    turn, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    turned = rocksalt.clone()
    turned.pos, turned.edge_shift = rocksalt.pos @ turn.T, rocksalt.edge_shift @ turn.T
    torch.testing.assert_close(backbone.tokens(turned), tokens)


def test_first_batch_of_the_training_sets_the_scales(ethanol, water):
    backbone = tiny(n_layers=4)
    scales = [part for part in backbone.modules() if isinstance(part, Scale)]
    backbone.eval().tokens(ethanol)
    assert not any(part.factor for part in scales)
    size = backbone.train().tokens(ethanol).square().mean(dim=(0, 2)).sqrt()
    assert ((size > 0.2) & (size < 5)).all()
    factors = [part.factor.clone() for part in scales]
    assert all(factors)
    backbone.tokens(water)
    assert factors == [part.factor for part in scales]
    torch.testing.assert_close(backbone.eval().tokens(ethanol), backbone.train().tokens(ethanol))


def test_embeddings_and_bases_are_the_depth_that_the_release_freezes():
    backbone = tiny()
    shared = {name.partition(".")[0] for name, _ in backbone.named_parameters() if backbone.depth_of(name) == 0}
    bases = {"radial_triplets", "radial_atoms", "radial_outputs", "circular"}
    assert shared == {"atom_embedding", "edge_embedding"} | bases
    assert backbone.depth_of("output_blocks.0.energy") == backbone.depth_of("output_blocks.1.energy") == 1


def test_scale_keeps_the_size():
    scale = Scale()
    x, reference = torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    torch.testing.assert_close(scale(x, reference), x * math.sqrt(2) / 5)
    torch.testing.assert_close(scale(10 * x, reference), x * math.sqrt(2) / 0.5)
    unset = Scale()
    for nothing in (torch.zeros(0, 2), torch.zeros(3, 2)):
        unset(nothing, reference)
    assert not unset.factor


def test_atoms_alone_and_pairs(make_graph):
    """No edges, and edges without triplets, also in the batch that comes first."""
    atom = make_graph([2], [[0.0, 0, 0]], 4.0)
    pair = make_graph([1, 9], [[0.0, 0, 0], [0, 0, 0.92]], 4.0)
    backbone = tiny()
    alone = backbone.tokens(atom)
    assert not alone.any()
    tokens = backbone.tokens(Batch.from_data_list([atom, pair]))
    assert tokens.isfinite().all()
    torch.testing.assert_close(tokens[1:], backbone.tokens(pair))


# in the estimators


def frames(n, seed=0):
    rng = np.random.default_rng(seed)
    water = np.array([[0.0, 0.0, 0.12], [0.0, 0.76, -0.47], [0.0, -0.76, -0.47]])
    return [Atoms("OHH", water + rng.normal(scale=0.08, size=(3, 3))) for _ in range(n)]


def test_estimators():
    X = frames(24)
    y = np.array([10 * (x.get_distance(0, 1) - 0.96) ** 2 + 10 * (x.get_distance(0, 2) - 0.96) ** 2 for x in X])
    config = {f"module__{name}": value for name, value in (TINY | {"n_layers": 2}).items()}
    source = GNNRegressor("gemnet", **config, max_epochs=60, lr=3e-3, random_state=0).fit(X[:16], y[:16])
    assert isinstance(source.backbone_, GemNet)
    assert all(part.factor for part in source.backbone_.modules() if isinstance(part, Scale))
    assert source.score(X[:16], y[:16]) > 0.9
    assert source.predict_forces(X[:1])[0].shape == (3, 3)

    features = GNNFeaturizer(source, layers="all", pooling="mean").fit_transform(X)
    assert features.shape == (24, 3 * TINY["n_features"])
    assert np.isfinite(features).all()

    before = source.backbone_.state_dict()
    taag = TAAGRegressor(source, attention="taag", freeze="all", max_epochs=3, random_state=0).fit(X[16:], y[16:])
    assert taag.predict(X).shape == (24,)
    assert all(torch.equal(value, before[name]) for name, value in source.backbone_.state_dict().items())
    fresh = TAAGRegressor(source, n_fresh_blocks=1, max_epochs=3, random_state=0).fit(X[16:], y[16:])
    assert fresh.layer_weights_.shape[-1] == 4


def test_frozen_blocks_set_no_scale():
    X = frames(8)
    model = TAAGRegressor(tiny().float(), freeze=1, max_epochs=1, random_state=0).fit(X, np.arange(8.0))
    scales = {name: bool(part.factor) for name, part in model.backbone_.named_modules() if isinstance(part, Scale)}
    frozen = ("interaction_blocks.0.", "output_blocks.0.", "output_blocks.1.")
    assert scales == {name: not name.startswith(frozen) for name in scales}


def test_registered_name():
    assert make_backbone("gemnet", **TINY).name == "gemnet"
