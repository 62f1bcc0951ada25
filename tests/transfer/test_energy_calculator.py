import pickle

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from graph_sources import ENERGIES, MOLECULES, TINY, clusters, tiny_source
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline

from sktaag.graphs import AtomGraphs
from sktaag.sources import GNNRegressor
from sktaag.structures import InvalidRowsError
from sktaag.transfer import EnergyCalculator, LinearPotential, TAAGRegressor


@pytest.fixture(scope="module")
def source():
    return tiny_source()


@pytest.fixture(scope="module")
def argon():
    made, energies, forces = clusters(20)
    model = GNNRegressor(**TINY, max_epochs=30, lr=0.01, batch_size=10, random_state=0, device="cpu")
    return model.fit(made, energies, forces=forces)


def with_calculator(model, atoms, **params):
    atoms = atoms.copy()
    atoms.calc = EnergyCalculator(model, **params)
    return atoms


def test_it_says_what_the_model_says(source):
    for atoms in (molecule("CH3OH"), bulk("C", "diamond", a=3.6, cubic=True)):
        moving = with_calculator(source, atoms)
        assert_allclose(moving.get_potential_energy(), source.predict([atoms])[0], rtol=1e-12)
        assert "forces" not in moving.calc.results
        assert_allclose(moving.get_forces(), source.predict_forces([atoms])[0], atol=1e-10)
        moving.rattle(0.05, seed=0)
        assert_allclose(moving.get_potential_energy(), source.predict([moving])[0], rtol=1e-12)
        assert_allclose(moving.get_forces(), calculate_numerical_forces(moving, eps=1e-4), rtol=1e-4, atol=1e-6)
        with_unit = with_calculator(source, atoms, energy_unit=units.kcal / units.mol)
        ratio = units.kcal / units.mol
        assert_allclose(with_unit.get_potential_energy(), ratio * source.predict([atoms])[0])
        assert_allclose(with_unit.get_forces(), ratio * source.predict_forces([atoms])[0], atol=1e-10)


def test_relaxation(argon):
    atoms = with_calculator(argon, clusters(1, seed=7)[0][0])
    before = atoms.get_potential_energy()
    BFGS(atoms, logfile=None).run(fmax=0.05, steps=60)
    assert np.linalg.norm(atoms.get_forces(), axis=1).max() < 0.05
    assert atoms.get_potential_energy() < before


def test_dynamics_keep_the_energy(argon):
    atoms = with_calculator(argon, clusters(1, seed=3)[0][0])
    BFGS(atoms, logfile=None).run(fmax=0.05, steps=60)
    atoms.set_velocities(np.random.RandomState(0).normal(scale=0.003, size=(5, 3)))
    start, kinetic = atoms.get_total_energy(), atoms.get_kinetic_energy()
    VelocityVerlet(atoms, timestep=2 * units.fs).run(50)
    assert abs(atoms.get_total_energy() - start) < 0.05 * kinetic


@pytest.fixture(scope="module")
def copper():
    """Crystals of copper, strained, their energies in eV and a model of them."""
    rng = np.random.RandomState(0)
    made = [bulk("Cu", a=a, cubic=cubic) for a in np.linspace(3.4, 3.9, 6) for cubic in (False, True)]
    for crystal in made:
        crystal.set_cell(crystal.cell + rng.normal(scale=0.05, size=(3, 3)), scale_atoms=True)
        crystal.rattle(0.03, rng=rng)
    energies = [len(crystal) * 20 * (crystal.get_volume() / len(crystal) / 11.8 - 1) ** 2 for crystal in made]
    model = GNNRegressor(**TINY, max_epochs=100, lr=0.01, random_state=0, device="cpu").fit(made, energies)
    return made, energies, model


@pytest.mark.parametrize("kind", ["network", "linear", "pipeline"])
def test_stress_is_the_derivative_by_strain(copper, kind):
    made, energies, model = copper
    if kind == "linear":
        model = LinearPotential(model, device="cpu").fit(made, energies)
    elif kind == "pipeline":
        model = make_pipeline(AtomGraphs(4.5).fit(made), model)
    for crystal in made[:2]:
        atoms = with_calculator(model, crystal, energy_unit=2.0)
        stress = atoms.get_stress()
        assert "forces" in atoms.calc.results  # a cell is relaxed with both
        assert np.abs(stress).max() > 1e-3
        assert_allclose(
            stress, calculate_numerical_stress(atoms, eps=1e-5), rtol=1e-4, atol=1e-4 * np.abs(stress).max()
        )


def test_relaxation_of_a_cell(copper):
    made, _, model = copper
    atoms = with_calculator(model, made[0])
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.01, steps=50)
    assert np.abs(atoms.get_stress()).max() < 0.01
    alone = with_calculator(model, Atoms("Cu", cell=[20, 20, 20], pbc=True))
    assert_allclose(alone.get_stress(), 0)  # no neighbours


def test_structures_without_a_stress(source):
    with pytest.raises(PropertyNotImplementedError, match=r"pbc=\[False, False, False\]"):
        with_calculator(source, MOLECULES[0]).get_stress()


def test_what_the_model_becomes_later_does_not_matter(source):
    model = TAAGRegressor(source, attention="mix", max_epochs=2, random_state=0).fit(MOLECULES, ENERGIES)
    atoms = with_calculator(model, MOLECULES[0])
    before = atoms.get_potential_energy()
    again = pickle.loads(pickle.dumps(atoms.calc))
    again.reset()
    assert again.get_potential_energy(MOLECULES[0]) == pytest.approx(before, rel=1e-12)


@pytest.mark.parametrize("kind", ["network", "linear", "pipeline"])
def test_another_fit_of_the_model_does_not_matter(source, kind):
    model = LinearPotential(source) if kind == "linear" else GNNRegressor(**TINY, max_epochs=1, random_state=0)
    model = make_pipeline(AtomGraphs(4.0), model) if kind == "pipeline" else model
    atoms = with_calculator(model.fit(MOLECULES, ENERGIES), MOLECULES[0])
    before = atoms.get_potential_energy()
    model.fit(MOLECULES, 10 * ENERGIES)
    atoms.calc.reset()
    assert atoms.get_potential_energy() == pytest.approx(before, rel=1e-12)


def test_a_linear_potential_is_evaluated_once_for_a_step(source, monkeypatch):
    calls = []
    atoms = with_calculator(LinearPotential(source).fit(MOLECULES, ENERGIES), MOLECULES[0])
    tokens = type(source.backbone_).tokens
    monkeypatch.setattr(type(source.backbone_), "tokens", lambda self, batch: calls.append(self) or tokens(self, batch))
    for step in range(2):
        atoms.rattle(0.01, seed=step)
        atoms.get_forces()
    assert len(calls) == 2
    assert calls[0] is calls[1]  # and not copied


def test_pipelines_and_models_of_others(source):
    pipeline = make_pipeline(AtomGraphs(4.0), GNNRegressor(**TINY, max_epochs=2, random_state=0))
    pipeline.fit(MOLECULES, ENERGIES)
    atoms = with_calculator(pipeline, MOLECULES[4])
    assert_allclose(atoms.get_potential_energy(), pipeline.predict([MOLECULES[4]])[0])

    for chain in (
        Pipeline([("nothing", "passthrough"), ("inner", pipeline)]),
        FrozenEstimator(pipeline[-1]),
    ):
        again = with_calculator(chain, MOLECULES[4])
        assert_allclose(again.get_forces(), atoms.get_forces())

    class Springs(BaseEstimator):
        def fit(self, X=None, y=None):
            self.fitted_ = True
            return self

        def predict(self, X):
            return np.array([np.square(atoms.positions).sum() for atoms in X])

        def predict_forces(self, X):
            return [-2 * atoms.positions for atoms in X]

    atoms = with_calculator(Springs().fit(), molecule("H2O"))
    assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, eps=1e-4), atol=1e-6)


def test_structures_that_cannot_be_read(source):
    tolerant = AtomGraphs(4.0, on_invalid="nan")
    on_top = Atoms("H2", positions=np.zeros((2, 3)))
    network = GNNRegressor(**TINY, max_epochs=1)
    for model in (
        LinearPotential(source, graphs=tolerant).fit(MOLECULES, ENERGIES),
        make_pipeline(tolerant, network).fit(MOLECULES, ENERGIES),
    ):
        with pytest.raises(InvalidRowsError, match="has atoms 1 and 0 at 0 Å from each other"):
            with_calculator(model, on_top).get_forces()
    assert tolerant.on_invalid == "nan"


def test_models_without_forces(source):
    with pytest.raises(NotFittedError):
        EnergyCalculator(GNNRegressor())
    with pytest.raises(TypeError, match="must have predict_forces, which AtomGraphs has not"):
        EnergyCalculator(AtomGraphs())
    intensive = GNNRegressor(**TINY, target="intensive", max_epochs=1).fit(MOLECULES, ENERGIES)
    with pytest.raises(ValueError, match="target is 'intensive'"):
        EnergyCalculator(intensive)
    bonds = GNNRegressor("gine", module__n_layers=1, max_epochs=1).fit(["C", "CC", "CO"], [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="'gine' reads no positions"):
        EnergyCalculator(LinearPotential(bonds).fit(["C", "CC", "CO"], [0.0, 1.0, 2.0]))
