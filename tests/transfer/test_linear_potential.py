import pickle
import warnings
from itertools import product

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from graph_sources import ENERGIES, MOLECULES, TINY, clusters, tiny_source
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from torch_geometric.data import Batch
from torch_geometric.nn import global_add_pool

from sktaag.graphs import AtomGraphs
from sktaag.io import load_model, save_model
from sktaag.nn import make_backbone
from sktaag.sources import GNNRegressor
from sktaag.structures import InvalidRowsWarning
from sktaag.transfer import EnergyCalculator, LinearPotential
from sktaag.transfer._layer_evidence import Rows, _loss, maximise_evidence
from sktaag.transfer._pooled_jacobians import pooled_jacobians


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    return make_backbone("schnet", n_layers=2, n_features=8, n_filters=8, n_gaussians=50, cutoff=6.0)


@pytest.fixture(scope="module")
def trained(backbone):
    """Fitted to energies and forces of molecules of several elements: those of a network."""
    teacher = tiny_source()
    rng = np.random.RandomState(1)
    made = [atoms.copy() for atoms in MOLECULES for _ in range(2)]
    for atoms in made:
        atoms.rattle(0.05, rng=rng)
    return LinearPotential(backbone, device="cpu").fit(made, teacher.predict(made), forces=teacher.predict_forces(made))


def pooled(backbone, structures, elements):
    """States summed by element, in double precision, (n, n_elements, T, d)."""
    graphs = AtomGraphs(backbone.cutoff).fit_transform(structures)
    batch = Batch.from_data_list(list(graphs))
    with torch.no_grad():
        tokens = pickle.loads(pickle.dumps(backbone)).double().tokens(batch)
    sums = [global_add_pool(tokens.flatten(1) * (batch.z == z)[:, None], batch.batch) for z in elements]
    return torch.stack(sums, dim=1).numpy().reshape(len(structures), len(elements), *tokens.shape[1:])


def derivatives(function, atoms, step=1e-4):
    """Central differences by coordinate of a function of a list of structures."""
    moved = [atoms.copy() for _ in range(6 * len(atoms))]
    for k, sign in product(range(3 * len(atoms)), (0, 1)):
        moved[2 * k + sign].positions.flat[k] += step * (1 - 2 * sign)
    values = function(moved)
    return (values[::2] - values[1::2]) / (2 * step)


def test_jacobians_are_finite_differences(backbone, tmp_path):
    molecules = [molecule("CH3OH"), molecule("H2O"), Atoms("He")]
    graphs = AtomGraphs(6.0).fit_transform(molecules)
    found = pooled_jacobians(backbone, graphs, torch.device("cpu"))
    for atoms, jacobian in zip(molecules, found, strict=True):
        elements = np.unique(atoms.numbers)
        assert jacobian.shape == (3 * len(atoms), len(elements), 3, 8)
        assert_allclose(
            jacobian, derivatives(lambda a, e=elements: pooled(backbone, a, e), atoms), rtol=1e-4, atol=1e-5
        )
    for _ in range(2):  # written, then read
        kept = pooled_jacobians(backbone, graphs, torch.device("cpu"), cache=tmp_path)
        for one, other in zip(kept, found, strict=True):
            assert_allclose(one, other, atol=1e-7)


def test_jacobians_are_made_in_small_batches(backbone, monkeypatch):
    sizes = []
    tokens = type(backbone).tokens
    monkeypatch.setattr(type(backbone), "tokens", lambda self, batch: sizes.append(len(batch.z)) or tokens(self, batch))
    graphs = AtomGraphs(6.0).fit_transform([molecule("C6H6")] * 30)
    found = pooled_jacobians(backbone, graphs, torch.device("cpu"))
    assert max(sizes) <= 128
    for jacobian in found:
        assert_allclose(jacobian, found[0], atol=1e-5)


def test_forces_are_finite_differences_of_the_energy(trained):
    for atoms in (molecule("CH3OH"), molecule("HCN")):
        atoms.rattle(0.05, seed=3)
        (forces,) = trained.predict_forces([atoms])
        expected = -derivatives(trained.predict, atoms).reshape(-1, 3)
        assert_allclose(forces, expected, rtol=1e-4, atol=1e-5 * np.abs(forces).max())


@pytest.mark.parametrize(
    ("with_forces", "layers", "depths"), [(False, "all", [1, 2]), (True, "all", [1, 2]), (True, 1, [2])]
)
def test_closed_form_is_the_least_squares_of_the_whole_design_matrix(backbone, with_forces, layers, depths):
    made, energies, forces = clusters(30)  # 450 forces for 24 weights: they are condensed
    made[3] = Atoms("ArNe", positions=[[0, 0, 0], [2.3, 0, 0]])
    forces = [*forces[:3], np.full((2, 3), np.nan), *forces[4:]]
    model = LinearPotential(backbone, layers=layers, device="cpu")
    model.fit(made, energies, forces=forces if with_forces else None)
    assert np.flatnonzero(np.abs(model.coef_).sum(axis=(0, 2))).tolist() == depths  # the embedding does not vary

    elements = [10, 18]
    assert model.elements_.tolist() == elements
    sums = pooled(backbone, made, elements)
    counts = np.array([[(atoms.numbers == z).sum() for z in elements] for atoms in made])
    centred = sums - counts[..., None, None] * model._means
    design = np.column_stack([counts.sum(axis=1), counts, centred.reshape(len(made), -1)])[:, model._active]
    baseline = counts @ model._scaler.reference_energies_[elements, 0]
    rows, targets = [design / model.noise_], [(energies - baseline) / model.noise_]
    if with_forces:
        for atoms, force in zip(made, forces, strict=True):
            slopes = derivatives(lambda a: pooled(backbone, a, elements), atoms)
            slopes = np.column_stack([np.zeros((len(slopes), 3)), slopes.reshape(len(slopes), -1)])[:, model._active]
            known = ~np.isnan(force.ravel())
            rows.append(-slopes[known] / model.force_noise_)
            targets.append(force.ravel()[known] / model.force_noise_)
    rows = np.concatenate([*rows, np.diag(1 / np.sqrt(model._prior))])
    targets = np.concatenate([*targets, np.zeros(design.shape[1])])
    weights, *_ = np.linalg.lstsq(rows, targets, rcond=None)
    predicted, std = model.predict(made, return_std=True)
    assert_allclose(predicted, design @ weights + baseline, rtol=1e-4)
    depth_of = np.broadcast_to(np.arange(3)[:, None], (2, 3, 8)).ravel()[model._active[3:]]
    shares = np.bincount(depth_of, (design[:, 3:] ** 2 * model._prior[3:]).sum(axis=0), minlength=3)
    assert_allclose(model.layer_weights_, shares / shares.sum(), rtol=1e-4, atol=1e-6)
    covariance = np.linalg.inv(rows.T @ rows)
    assert_allclose(std**2, np.einsum("ij,jk,ik->i", design, covariance, design) + model.noise_**2, rtol=1e-3)


def test_likelihood_of_condensed_rows_is_that_of_all_rows():
    rng = np.random.RandomState(0)
    blocks = np.array([0, 0, 0, 1, 1])
    few, many = rng.randn(4, 5), rng.randn(40, 5)
    y = [few @ [1, -1, 1, 0.01, 0] + 0.1 * rng.randn(4), many @ [1, -1, 1, 0.01, 0] + 0.3 * rng.randn(40)]
    kinds = []
    for design, targets in zip((few, many), y, strict=True):
        kinds.append(Rows(5))
        for begin in range(0, len(targets), 7):
            kinds[-1].add(design[begin : begin + 7], targets[begin : begin + 7])
    assert len(kinds[1].finish().targets) == 6
    found = maximise_evidence(kinds, blocks)
    design = np.concatenate([few, many])
    covariance = (design * found.prior) @ design.T + np.diag(np.repeat(found.noises**2, [4, 40]))
    assert found.log_likelihood == pytest.approx(
        multivariate_normal(np.zeros(44), covariance).logpdf(np.concatenate(y)), rel=1e-9
    )
    assert_allclose(found.weights, [1, -1, 1, 0, 0], atol=0.15)
    assert found.explained[0] > 50 * found.explained[1]
    assert_allclose(found.noises[1], 0.3, rtol=0.2)
    posterior = np.diag(found.prior) - found.root.T @ found.root
    precision = np.diag(1 / found.prior) + few.T @ few / found.noises[0] ** 2 + many.T @ many / found.noises[1] ** 2
    assert_allclose(posterior, np.linalg.inv(precision), atol=1e-8)


@pytest.mark.parametrize("seed", [2, 3])
def test_a_mean_that_was_taken_off_does_not_speak_for_little_noise(seed):
    rng = np.random.RandomState(seed)
    design = rng.randn(25, 60)
    y = design[:, :30] @ rng.randn(30) / 5 + rng.randn(25)
    rows = Rows(61)
    rows.add(np.column_stack([np.ones(25), design - design.mean(axis=0)]), y - y.mean())
    found = maximise_evidence([rows], np.repeat([0, 1, 2], [1, 30, 30]), wide=True)
    assert 0.7 < found.noises[0] < 1.3  # it is 1


def test_gradient_of_the_likelihood():
    rng = np.random.RandomState(0)
    design, y = rng.randn(9, 6), rng.randn(9)
    arguments = (
        np.array([design[:, :3] @ design[:, :3].T, design[:, 3:] @ design[:, 3:].T]), y,
        np.repeat([0, 1], [4, 5]), np.array([0, 7]),
    )  # fmt: skip
    for logs in ([0.0, 0, 0, 0], [-2.0, 1.0, 0.5, -1.5]):
        expected = approx_fprime(np.array(logs), lambda point: _loss(point, *arguments)[0], 1e-6)
        assert_allclose(_loss(np.array(logs), *arguments)[1], expected, rtol=1e-4, atol=1e-5)


def test_forces_help():
    torch.manual_seed(0)
    backbone = make_backbone("schnet", n_layers=2, n_features=32, n_filters=32, cutoff=6.0)
    made, energies, forces = clusters(45)
    truth = np.concatenate(forces[15:])
    plain = LinearPotential(backbone).fit(made[:15], energies[:15])
    model = LinearPotential(backbone).fit(made[:15], energies[:15], forces=forces[:15])
    assert plain.force_noise_ is None
    assert not plain.uses_forces_
    assert model.uses_forces_
    assert model.force_noise_ > 0

    def errors(fitted):
        energy = np.abs(fitted.predict(made[15:]) - energies[15:]).mean()
        return energy, np.abs(np.concatenate(fitted.predict_forces(made[15:])) - truth).mean()

    (energy_alone, forces_alone), (energy, force) = errors(plain), errors(model)
    assert force < 0.4 * forces_alone
    assert energy < 0.4 * energy_alone
    assert force < 0.2 * np.abs(truth).mean()


@pytest.mark.parametrize("depth", [1, 2])
def test_weights_find_the_depth_that_made_the_data(backbone, depth):
    made, _, _ = clusters(25)
    direction = np.random.RandomState(depth).randn(8)

    def energy_of(structures):
        return pooled(backbone, structures, [18])[:, 0, depth] @ direction

    energies = energy_of(made)
    forces = [-derivatives(energy_of, atoms).reshape(-1, 3) for atoms in made]
    model = LinearPotential(backbone).fit(made[:20], energies[:20], forces=forces[:20])
    assert model.layer_weights_.argmax() == depth
    assert model.layer_weights_[0] == 0  # the embedding does not vary
    assert model.layer_weights_.sum() == pytest.approx(1)
    assert model.layer_weights_[depth] > 0.8
    assert_allclose(model.predict(made[20:]), energies[20:], rtol=1e-3)


@pytest.fixture(scope="module")
def source():
    return tiny_source()


def test_a_readout_that_is_right_is_not_corrected(source):
    """The labels are those of the source but for the references, so that nothing is left to learn."""
    made = [atoms.copy() for atoms in MOLECULES for _ in range(2)]
    rng = np.random.RandomState(0)
    for atoms in made:
        atoms.rattle(0.05, rng=rng)
    shift = np.array([2.0 * (atoms.numbers == 1).sum() - len(atoms) for atoms in made])
    energies, forces = source.predict(made) + shift, source.predict_forces(made)
    for plain in (make_backbone("schnet", n_layers=1, n_features=8, cutoff=4.0), source):
        model = LinearPotential(plain).fit(made[::2], energies[::2], forces=forces[::2])
        error = np.abs(np.concatenate(model.predict_forces(made[1::2])) - np.concatenate(forces[1::2])).mean()
        scale = np.abs(np.concatenate(forces)).mean()
        if plain is source:
            assert model.readout_ is not None
            assert error < 1e-3 * scale
            assert_allclose(model.predict(made[1::2]), energies[1::2], atol=1e-3)
        else:
            assert model.readout_ is None
            assert error > 0.05 * scale


@pytest.mark.parametrize("backbone", ["schnet", "dimenet++"])  # they read the last state, and the sum of all
def test_weights_are_of_what_the_readout_leaves(backbone):
    shape = {"module__n_layers": 2, "module__n_features": 8, "module__cutoff": 4.0}
    source = GNNRegressor(backbone, **shape, max_epochs=5, random_state=0).fit(MOLECULES, ENERGIES)
    made, energies, forces = clusters(12)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*elements that no training row has")  # argon
        said, pushed = source.predict(made), source.predict_forces(made)
    rest = [force - part for force, part in zip(forces, pushed, strict=True)]
    model = LinearPotential(source, readout="source").fit(made, energies, forces=forces)
    expected = LinearPotential(source, readout="fresh").fit(made, energies - said, forces=rest)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-3, atol=1e-5 * np.abs(expected.coef_).max())
    assert_allclose(model.predict(made), expected.predict(made) + said, rtol=1e-5)
    for found, force, part in zip(model.predict_forces(made), expected.predict_forces(made), pushed, strict=True):
        assert_allclose(found, force + part, atol=1e-4)
    atoms = made[0].copy()
    assert_allclose(model.predict_forces([atoms])[0].ravel(), -derivatives(model.predict, atoms), rtol=1e-4, atol=1e-4)
    atoms.calc = EnergyCalculator(model)
    assert_allclose(atoms.get_forces(), model.predict_forces([atoms])[0])


def test_auto_keeps_a_readout_that_explains_the_energies(source):
    assert LinearPotential(source).fit(MOLECULES, ENERGIES).readout_ is not None
    other = LinearPotential(source).fit(MOLECULES, -ENERGIES)
    assert other.readout_ is None
    fresh = LinearPotential(source, readout="fresh").fit(MOLECULES, -ENERGIES)
    assert np.array_equal(other.predict(MOLECULES), fresh.predict(MOLECULES))
    again = LinearPotential(source).fit(MOLECULES, ENERGIES).fit(MOLECULES, -ENERGIES)
    assert np.array_equal(again.predict(MOLECULES), fresh.predict(MOLECULES))


@pytest.mark.parametrize("y", [ENERGIES, -ENERGIES])
def test_file_with_and_without_a_readout(source, y, tmp_path):
    model = LinearPotential(source).fit(MOLECULES, y)
    save_model(model, tmp_path / "model")
    read = load_model(tmp_path / "model")
    assert (read.readout_ is None) == (model.readout_ is None)
    assert np.array_equal(read.predict(MOLECULES), model.predict(MOLECULES))
    assert np.array_equal(read.predict_forces(MOLECULES)[0], model.predict_forces(MOLECULES)[0])


def test_readouts_that_cannot_be_kept(source, backbone):
    with pytest.raises(ValueError, match=r'readout="source" cannot be: the source reads its tokens in a way of its o'):
        LinearPotential(backbone, readout="source").fit(MOLECULES, ENERGIES)
    with pytest.raises(ValueError, match='readout must be "auto", "source" or "fresh", got 3'):
        LinearPotential(source, readout=3).fit(MOLECULES, ENERGIES)
    per_atom = tiny_source(target="intensive", max_epochs=1)
    assert LinearPotential(per_atom).fit(MOLECULES, ENERGIES).readout_ is None
    with pytest.raises(ValueError, match="the readout of the source is for 1 intensive targets, y has 1 extensive"):
        LinearPotential(per_atom, readout="source").fit(MOLECULES, ENERGIES)


def test_layers(backbone):
    for layers, depth in ((1, 2), ([2], 1)):
        model = LinearPotential(backbone, layers=layers).fit(MOLECULES, ENERGIES)
        assert model.layer_weights_.tolist() == np.eye(3)[depth].tolist()
    only_references = LinearPotential(backbone, layers=[3]).fit(MOLECULES, ENERGIES)  # the embedding does not vary
    assert not only_references.coef_.any()
    assert not only_references.layer_weights_.any()
    with pytest.raises(ValueError, match=r"layers=4 asks for depth 4, counted from the last block; the source has 3, "):
        LinearPotential(backbone, layers=4).fit(MOLECULES, ENERGIES)


def test_a_single_frame_and_equal_frames(backbone):
    """Sums of centred states are nothing there, and energies without their mean too."""
    made, energies, forces = clusters(3)
    model = LinearPotential(backbone).fit(made[:1], energies[:1], forces=forces[:1])
    (found,) = model.predict_forces(made[:1])
    assert np.abs(found - forces[0]).mean() < 0.3 * np.abs(forces[0]).mean()
    assert_allclose(model.predict(made[:1]), energies[:1], atol=0.01)
    equal, shifted = [made[0]] * 6, 5 + 0.01 * np.arange(6)
    plain = LinearPotential(backbone).fit(equal, shifted)
    y, std = plain.predict(made, return_std=True)
    assert_allclose(y, 5.025, atol=0.01)
    assert ((std > 0.015) & (std < 0.2)).all()
    model = LinearPotential(backbone).fit(equal, shifted, forces=[forces[0]] * 6)
    assert_allclose(model.predict(equal), 5.025, atol=0.01)
    assert np.abs(model.predict_forces(equal)[0] - forces[0]).mean() < 0.3 * np.abs(forces[0]).mean()


def test_energies_do_not_depend_on_frame_order_or_company(trained):
    atoms = molecule("CH3OH")
    turned = atoms.copy()
    turned.rotate(50, (1, 2, 3))
    turned.translate([3.0, -1.0, 2.0])
    mixed = atoms[[3, 1, 5, 0, 4, 2]]
    energy, turned_energy, mixed_energy = trained.predict([atoms, turned, mixed])
    assert_allclose([turned_energy, mixed_energy], energy, rtol=1e-9)
    (alone,) = trained.predict_forces([atoms])
    together = trained.predict_forces([*MOLECULES, atoms, turned])
    assert_allclose(together[-2], alone, atol=1e-9)
    rotation = np.linalg.lstsq(atoms.positions - atoms.positions.mean(0), turned.positions - turned.positions.mean(0))[
        0
    ]
    assert_allclose(together[-1], alone @ rotation, atol=1e-6)


def test_size_consistency(trained):
    one, other = molecule("H2O"), molecule("C2H4")
    far = other.copy()
    far.translate([50.0, 0, 0])
    assert_allclose(trained.predict([one + far])[0], trained.predict([one, other]).sum(), rtol=1e-10)


def test_source_is_untouched_and_copies_agree(backbone, trained):
    before = {name: weight.clone() for name, weight in backbone.state_dict().items()}
    copy = clone(trained)
    assert copy.source is backbone
    assert not hasattr(copy, "coef_")
    copy.fit(MOLECULES, ENERGIES)
    assert all(torch.equal(weight, before[name]) for name, weight in backbone.state_dict().items())
    assert all(torch.equal(weight, before[name]) for name, weight in copy.backbone_.state_dict().items())
    again = pickle.loads(pickle.dumps(trained))
    assert np.array_equal(again.predict(MOLECULES), trained.predict(MOLECULES))


def test_reference_energies(backbone):
    """E is the references and what the states add, as the formula says."""
    model = LinearPotential(backbone).fit(MOLECULES, ENERGIES)
    count = np.array([sum((atoms.numbers == z).sum() for atoms in MOLECULES) for z in model.elements_])
    means = pooled(backbone, MOLECULES, model.elements_).sum(axis=0) / count[:, None, None]
    assert_allclose(model._means, means, rtol=1e-4, atol=1e-6)
    model._reference_shift = model._reference_shift + 1.0  # near zero by itself
    for atoms, energy in zip(MOLECULES[:4], model.predict(MOLECULES[:4]), strict=True):
        (sums,) = pooled(backbone, [atoms], model.elements_)
        counts = np.array([(atoms.numbers == z).sum() for z in model.elements_])
        states = (model.coef_ * (sums - counts[:, None, None] * model._means)).sum()
        assert_allclose(energy, model.reference_energies_[atoms.numbers].sum() + states, rtol=1e-6)
    with pytest.warns(UserWarning, match=r"1 structures have elements that no training row has \(rows 1\)"):
        _, alone = model.predict([MOLECULES[0], Atoms("Si")])
    assert alone == pytest.approx(model.reference_energies_[14], rel=1e-9), "its state has a weight"
    with pytest.warns(UserWarning, match="elements that no training row has"):
        assert np.isfinite(model.predict([molecule("SiH4")])).all()


def test_derivatives_are_computed_piece_by_piece(backbone, monkeypatch):
    made, energies, forces = clusters(10)
    whole = LinearPotential(backbone).fit(made, energies, forces=forces)
    monkeypatch.setattr("sktaag.transfer._linear_potential._CHUNK", 3)
    pieces = LinearPotential(backbone).fit(made, energies, forces=forces)
    assert_allclose(pieces.predict(made), whole.predict(made), rtol=1e-5)
    assert pieces.force_noise_ == pytest.approx(whole.force_noise_, rel=1e-4)


def test_cached_states_and_derivatives_give_the_same_model(backbone, tmp_path, monkeypatch):
    made, energies, forces = clusters(6)
    expected = LinearPotential(backbone).fit(made, energies, forces=forces)
    cached = LinearPotential(backbone, cache=tmp_path).fit(made, energies, forces=forces)
    assert_allclose(cached.predict(made), expected.predict(made), rtol=1e-6)
    monkeypatch.setattr(type(backbone), "tokens", lambda self, batch: pytest.fail("computed again"))
    assert_allclose(clone(cached).fit(made, energies, forces=forces).coef_, cached.coef_)


def test_metadata_routing(backbone):
    made, energies, forces = clusters(12)
    rows = np.empty(12, object)
    rows[:] = forces
    with config_context(enable_metadata_routing=True):
        model = LinearPotential(backbone).set_fit_request(forces=True)
        found = cross_validate(model, made, energies, cv=2, params={"forces": rows}, return_estimator=True)
    assert all(fitted.uses_forces_ for fitted in found["estimator"])


def test_carried_forces(backbone):
    made, energies, forces = clusters(8)
    from ase.calculators.singlepoint import SinglePointCalculator

    for atoms, energy, force in zip(made, energies, forces, strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=force)
    model = LinearPotential(backbone).fit(made, energies)
    assert model.uses_forces_
    bare = [Atoms(atoms.numbers, atoms.positions) for atoms in made]
    given = LinearPotential(backbone).fit(bare, energies, forces=forces)
    assert_allclose(model.coef_, given.coef_, rtol=1e-6)
    assert not clone(model).set_params(use_forces=False).fit(made, energies).uses_forces_
    assert not clone(model).fit(made, energies + 1).uses_forces_


def test_calculator_and_pipeline(trained, backbone):
    atoms = molecule("CH3OH")
    atoms.calc = EnergyCalculator(trained)
    assert_allclose(atoms.get_potential_energy(), trained.predict([atoms])[0])
    assert_allclose(atoms.get_forces(), trained.predict_forces([atoms])[0])
    chain = make_pipeline(AtomGraphs(6.0), LinearPotential(backbone)).fit(MOLECULES, ENERGIES)
    assert_allclose(chain.predict(MOLECULES), LinearPotential(backbone).fit(MOLECULES, ENERGIES).predict(MOLECULES))


def test_bonds_give_energies_only():
    smiles = ["CCO", "CCC", "CO", "c1ccccc1", "CC(=O)O", "CCN"]
    y = np.arange(6.0)
    source = GNNRegressor("gine", module__n_layers=2, module__n_features=8, max_epochs=1).fit(smiles, y)
    model = LinearPotential(source).fit(smiles, y)
    assert model.predict(smiles).shape == (6,)
    with pytest.raises(ValueError, match="the backbone 'gine' reads no positions"):
        model.predict_forces(smiles)


def test_invalid_and_unlabelled_rows(backbone):
    model = LinearPotential(backbone, graphs=AtomGraphs(6.0, on_invalid="nan"))
    with pytest.warns(InvalidRowsWarning):
        model.fit([*MOLECULES, None], [*ENERGIES, 1.0])
    assert_allclose(model.coef_, LinearPotential(backbone).fit(MOLECULES, ENERGIES).coef_, rtol=1e-6)
    with pytest.warns(InvalidRowsWarning):
        y, std = model.predict([MOLECULES[0], None], return_std=True)
    assert np.isnan([y[1], std[1]]).all()
    assert std[0] > 0
    with pytest.warns(InvalidRowsWarning):
        assert model.predict_forces([None, MOLECULES[0]])[0] is None


def test_forces_of_which_none_is_known(backbone):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LinearPotential(backbone).fit(MOLECULES, ENERGIES, forces=[None] * 10)
    assert not model.uses_forces_
    assert model.force_noise_ is None
    assert_allclose(model.coef_, LinearPotential(backbone).fit(MOLECULES, ENERGIES).coef_)


def test_errors(backbone):
    with pytest.raises(NotFittedError):
        LinearPotential(GNNRegressor(**TINY)).fit(MOLECULES, ENERGIES)
    with pytest.raises(NotFittedError):
        LinearPotential(backbone).predict(MOLECULES)
    with pytest.raises(ValueError, match=r"row 0: forces have shape \(2, 3\); the structure has 3 atoms"):
        LinearPotential(backbone).fit(MOLECULES, ENERGIES, forces=[np.zeros((2, 3))] + [None] * 9)
    with pytest.raises(ValueError, match="1d array"):
        LinearPotential(backbone).fit(MOLECULES, np.zeros((10, 2)))
    with pytest.raises(ValueError, match="Input y contains NaN in 1 rows"):
        LinearPotential(backbone).fit(MOLECULES, [*ENERGIES[:-1], np.nan])
    with pytest.raises(ValueError, match="'source__lr' is a parameter of a source that is fitted"):
        LinearPotential(backbone).set_params(source__lr=1.0)
    with pytest.raises(TypeError, match="source must be a fitted estimator over graphs"):
        LinearPotential(3).fit(MOLECULES, ENERGIES)
