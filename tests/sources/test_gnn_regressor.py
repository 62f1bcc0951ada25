"""GNNRegressor; the conformance of its kind is in tests/test_common.py."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.lj import LennardJones
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EpochScoring

from sktaag.graphs import AtomGraphs, MoleculeGraphs
from sktaag.sources import GNNClassifier, GNNRegressor, ModelLibrary, load_source, save_source
from sktaag.structures import InvalidRowsError, InvalidRowsWarning

TINY = {"module__n_layers": 2, "module__n_features": 8, "module__n_filters": 8, "module__cutoff": 4.0}
NAMES = ["H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO", "HCN", "N2H4"]
MOLECULES = [molecule(name) for name in NAMES]


def tiny(**params):
    return GNNRegressor(**(TINY | {"max_epochs": 3, "random_state": 0, "device": "cpu"} | params))


def lennard_jones(n, seed=0, n_atoms=5):
    """Clusters with energies and forces of a simple potential."""
    rng = np.random.RandomState(seed)
    grid = np.array([[i, j, k] for i in range(2) for j in range(2) for k in range(2)])[:n_atoms] * 2.3
    clusters = [Atoms(f"Ar{n_atoms}", positions=grid + rng.normal(scale=0.12, size=grid.shape)) for _ in range(n)]
    for cluster in clusters:
        cluster.calc = LennardJones(sigma=2.1, epsilon=0.3, rc=50.0)
    energies = np.array([cluster.get_potential_energy() for cluster in clusters])
    return clusters, energies, [cluster.get_forces() for cluster in clusters]


@pytest.fixture(scope="module")
def fitted():
    """A model whose weights are none that leave a part of it at zero."""
    return tiny(max_epochs=5).fit(MOLECULES, np.random.RandomState(0).normal(-20, 5, size=len(MOLECULES)))


# ---------------------------------------------------------------- it learns


def test_energies_and_forces_are_learned():
    clusters, energies, forces = lennard_jones(40)
    model = tiny(max_epochs=60, lr=5e-3, batch_size=10, scheduler="cosine", module__n_features=32, module__n_filters=32)
    model.fit(clusters[:30], energies[:30], forces=forces[:30])
    errors = np.array(model.predict_forces(clusters[30:])) - np.array(forces[30:])
    assert np.abs(errors).mean() < 0.4 * np.abs(np.array(forces[30:])).mean()
    assert model.score(clusters[30:], energies[30:]) > 0.5
    blind = tiny(max_epochs=60, lr=5e-3, batch_size=10, module__n_features=32, module__n_filters=32, force_weight=0)
    blind.fit(clusters[:30], energies[:30], forces=forces[:30])
    assert np.abs(np.array(blind.predict_forces(clusters[30:])) - np.array(forces[30:])).mean() > np.abs(errors).mean()


def test_forces_are_taken_from_structures_only_beside_their_energy():
    clusters, energies, forces = lennard_jones(6)
    model = tiny().fit(clusters, energies.astype(np.float32).astype(float))
    assert model.uses_forces_, "an energy that went through single precision is the same"
    carried = tiny().fit(clusters, energies).predict(clusters)
    bare = [Atoms(cluster.symbols, positions=cluster.positions) for cluster in clusters]
    assert_allclose(carried, tiny().fit(bare, energies, forces=forces).predict(clusters), rtol=1e-10)
    energies_alone = tiny().fit(bare, energies).predict(clusters)
    assert not tiny().fit(bare, energies).uses_forces_
    assert np.abs(carried - energies_alone).max() > 1e-6
    # y is something else than the energy that belongs to the forces
    shifted = tiny().fit(clusters, energies + 1.0).predict(clusters)
    assert_allclose(shifted, tiny().fit(bare, energies + 1.0).predict(clusters), rtol=1e-10)


def test_forces_of_structures_some_of_which_have_another_energy():
    clusters, energies, _ = lennard_jones(6)
    energies[2] += 0.1
    with pytest.warns(UserWarning, match=r"1 of 6 structures that carry forces .* \(the first in row 2\)"):
        assert not tiny().fit(clusters, energies).uses_forces_
    energies[2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = tiny().fit(clusters, energies[:, None])
        assert not tiny().fit(clusters, energies[:2].mean() + np.arange(6.0)).uses_forces_, "another property"
    assert model.uses_forces_, "a row without a label is left out"


def test_missing_forces():
    clusters, energies, forces = lennard_jones(6)
    some = [*forces[:3], None, np.full((5, 3), np.nan), forces[5]]
    some[0] = some[0].copy()
    some[0][1] = np.nan  # one atom
    model = tiny().fit(clusters, energies, forces=some)
    assert model.uses_forces_
    assert np.isfinite(model.predict(clusters)).all()
    assert all(np.isfinite(epoch["train_loss"]) for epoch in model.history_)


def test_forces_stay_with_their_rows_where_others_have_no_label():
    clusters, energies, forces = lennard_jones(6)
    y = energies[:, None].copy()
    y[[0, 3]] = np.nan
    kept = [1, 2, 4, 5]
    model = tiny().fit(clusters, y, forces=forces)
    without = tiny().fit([clusters[i] for i in kept], y[kept], forces=[forces[i] for i in kept])
    assert_allclose(model.predict(clusters), without.predict(clusters), rtol=1e-10)


def test_several_targets_with_missing_labels():
    rng = np.random.RandomState(0)
    y = np.column_stack([rng.normal(size=10), rng.normal(100, 20, size=10)])
    y[:4, 1] = np.nan
    y[9] = np.nan
    model = tiny(target="intensive").fit(MOLECULES, y)
    assert model.predict(MOLECULES).shape == (10, 2)
    without = tiny(target="intensive").fit(MOLECULES[:9], y[:9])
    assert_allclose(model.predict(MOLECULES), without.predict(MOLECULES), rtol=1e-10)
    assert_allclose(model.predict(MOLECULES).mean(axis=0), [0, 100], atol=60)
    with pytest.raises(ValueError, match="no label at all in column 1"):
        tiny().fit(MOLECULES[:4], y[:4])
    with pytest.raises(ValueError, match="2-D y"):
        tiny().fit(MOLECULES, y[:, 1])


def test_reference_energies():
    y = np.array([sum({1: -13.6, 6: -1030.0, 7: -1486.0, 8: -2042.0}[z] for z in m.numbers) for m in MOLECULES])
    model = tiny(max_epochs=1, lr=1e-6).fit(MOLECULES, y)
    assert_allclose(model.reference_energies_[[1, 6, 7, 8], 0], [-13.6, -1030.0, -1486.0, -2042.0], rtol=1e-3)
    assert_allclose(model.predict(MOLECULES), y, atol=0.2)
    with pytest.warns(UserWarning, match=r"1 structures have elements .*\(rows 1\)"):
        model.predict([molecule("H2O"), molecule("SiH4")])


def test_bonds_of_molecules():
    X = ["CCO", "CCCO", "CC(C)O", "c1ccccc1", "CC", "CCN"]
    for backbone in ("gine", "attentive_fp"):
        model = GNNRegressor(
            backbone, target="intensive", max_epochs=2, random_state=0, module__n_layers=2, module__n_features=8
        )
        assert model.fit(X, np.arange(6.0)).predict(["*CC*", "C1CCCCC1"]).shape == (2,)
        assert isinstance(model.graphs_, MoleculeGraphs)
        with pytest.raises(ValueError, match="target is 'intensive'"):
            model.predict_forces(X)
        with pytest.raises(ValueError, match="reads no positions"):
            model.set_params(target="extensive").fit(X, np.arange(6.0)).predict_forces(X)


# ---------------------------------------------------------------- physics


def test_forces_are_the_gradient(fitted):
    rng = np.random.RandomState(0)
    cell = bulk("C", "diamond", a=3.6, cubic=True)
    cell.rattle(0.05, seed=1)
    ethane = molecule("C2H6")
    for atoms in (ethane, cell):
        (forces,) = fitted.predict_forces([atoms])
        scale = np.abs(forces).max()
        for atom, axis in zip(rng.randint(len(atoms), size=4), rng.randint(3, size=4), strict=True):
            moved = []
            for step in (1e-4, -1e-4):
                moved.append(atoms.copy())
                moved[-1].positions[atom, axis] += step
            plus, minus = fitted.predict(moved)
            assert_allclose(forces[atom, axis], -(plus - minus) / 2e-4, rtol=1e-4, atol=1e-5 * scale)


def test_nothing_depends_on_where_a_molecule_is_or_how_its_atoms_are_numbered(fitted):
    atoms = molecule("CH3OH")
    (energy,), (forces,) = fitted.predict([atoms]), fitted.predict_forces([atoms])
    order = np.random.RandomState(0).permutation(len(atoms))
    moved = atoms[order]
    moved.rotate(50, "x")
    moved.rotate(70, (1, 2, 3))
    moved.translate([10, -4, 2])
    rotation = np.linalg.lstsq(
        atoms.positions[order] - atoms.positions[order].mean(0), moved.positions - moved.positions.mean(0)
    )[0]
    assert_allclose(fitted.predict([moved]), energy, rtol=1e-8)
    assert_allclose(fitted.predict_forces([moved])[0], forces[order] @ rotation, atol=1e-6 * np.abs(forces).max())
    mirrored = atoms.copy()
    mirrored.positions[:, 0] *= -1
    assert_allclose(fitted.predict([mirrored]), energy, rtol=1e-8)


def test_energies_of_molecules_far_apart_add_up(fitted):
    one, two = molecule("H2O"), molecule("C2H4")
    far = two.copy()
    far.translate([50, 0, 0])
    assert_allclose(fitted.predict([one + far])[0], fitted.predict([one, two]).sum(), rtol=1e-9)
    intensive = tiny(target="intensive").fit(MOLECULES, np.arange(10.0))
    assert_allclose(intensive.predict([one + far])[0], np.average(intensive.predict([one, two]), weights=[3, 6]))


def test_a_cell_twice_as_large_has_twice_the_energy(fitted):
    cell = bulk("C", "diamond", a=3.6)
    one, two = fitted.predict([cell, cell.repeat((2, 1, 1))])
    assert_allclose(two, 2 * one, rtol=1e-9)


# ---------------------------------------------------------------- training


def test_early_stopping_keeps_the_best_epoch():
    clusters, energies, _ = lennard_jones(30)
    model = tiny(max_epochs=40, early_stopping=True, patience=4, lr=0.05).fit(clusters, energies)
    losses = [epoch["valid_loss"] for epoch in model.history_]
    assert model.best_epoch_ <= model.n_iter_
    assert model.best_epoch_ == 1 + int(np.argmin(losses)) or losses[model.best_epoch_ - 1] < 1.001 * min(losses)
    assert model.validation_score_ is not None
    assert tiny(early_stopping="auto").fit(clusters, energies).validation_score_ is None  # fewer than 100 rows


class Watch(Callback):
    """Notes the labels of the batches and what steers the learning rate."""

    def __init__(self):
        self.seen = {True: [], False: []}

    def __deepcopy__(self, memo):
        return self

    def on_train_begin(self, net, **kwargs):
        self.monitor = getattr(dict(net.callbacks_).get("lr_scheduler"), "monitor", None)

    def on_batch_begin(self, net, batch, training, **kwargs):
        self.seen[training].extend(batch[1]["y"].ravel().tolist())


class BatchSizes(Callback):
    """Record the number of graphs in each training batch."""

    def on_epoch_begin(self, net, **kwargs):
        self.sizes = []

    def on_batch_begin(self, net, batch, training, **kwargs):
        self.sizes.append(len(batch[1]["y"]))

    def on_epoch_end(self, net, **kwargs):
        net.history.record("sizes", self.sizes)


def test_validation_rows_are_not_trained_on():
    clusters, energies, _ = lennard_jones(30)
    watch = Watch()
    model = tiny(max_epochs=1, early_stopping=True, batch_size=10, callbacks=[watch]).fit(clusters, energies)
    train, valid = watch.seen[True], watch.seen[False]
    assert (len(train), len(valid)) == (27, 3)
    assert not set(train) & set(valid)
    rest = energies - model.target_scaler_.baseline([c.numbers for c in clusters])[:, 0]
    held = np.isin((rest / model.target_scaler_.scale_[0]).astype(np.float32), np.float32(valid))
    predicted = model.predict(clusters)
    assert model.validation_score_ == pytest.approx(r2_score(energies[held], predicted[held]), rel=1e-6)


def test_each_epoch_and_each_seed_has_batches_of_its_own():
    orders = []
    for seed in (0, 0, 1):
        watch = Watch()
        tiny(max_epochs=2, batch_size=3, random_state=seed, callbacks=[watch]).fit(MOLECULES, np.arange(10.0))
        first, second = watch.seen[True][:10], watch.seen[True][10:]
        assert sorted(first) == sorted(second)
        orders += [first, second]
    assert orders[:2] == orders[2:4]
    assert len({tuple(order) for order in orders}) == 4


@pytest.mark.parametrize(
    ("n_rows", "knows_forces", "batch_size"), [(20, True, 4), (69, True, 6), (400, True, 32), (69, False, 32)]
)
def test_size_of_batches(n_rows, knows_forces, batch_size):
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])
    forces = [np.ones((2, 3))] * n_rows if knows_forces else None
    model = tiny(max_epochs=1, early_stopping=False, callbacks=[BatchSizes()])
    sizes = model.fit([atoms] * n_rows, np.arange(n_rows), forces=forces).history_[0]["sizes"]
    assert sizes[0] == batch_size
    assert sum(sizes) == n_rows


def test_weights_are_those_of_the_best_epoch():
    clusters, energies, _ = lennard_jones(30)
    params = {"early_stopping": True, "lr": 0.05, "batch_size": 8, "scheduler": None}
    model = tiny(max_epochs=40, patience=4, **params).fit(clusters, energies)
    assert model.best_epoch_ == model.n_iter_ - 4
    best = tiny(max_epochs=model.best_epoch_, **params).fit(clusters, energies)
    assert_allclose(model.predict(clusters), best.predict(clusters), rtol=1e-10)


def test_schedules_of_the_learning_rate():
    clusters, energies, _ = lennard_jones(12)
    cosine = tiny(max_epochs=4, scheduler="cosine", lr=0.01).fit(clusters, energies)
    rates = [epoch["event_lr"] for epoch in cosine.history_]
    assert_allclose(rates, [0.01 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)])
    for early_stopping, monitor in ((False, "train_loss"), (True, "valid_loss")):
        watch = Watch()
        params = {"early_stopping": early_stopping, "lr": 1e-7, "weight_decay": 0.0}  # no progress
        model = tiny(max_epochs=8, scheduler="plateau", patience=7, callbacks=[watch], **params)
        rates = [epoch["event_lr"] for epoch in model.fit(clusters, energies).history_]
        assert_allclose(rates, [1e-7] * 4 + [5e-8] * 3 + [2.5e-8])
        assert watch.monitor == monitor


def test_weights_decay():
    clusters, energies, _ = lennard_jones(4)
    params = {"optimizer": "sgd", "lr": 0.1, "max_epochs": 1, "clip": 1e-6}  # next to no gradient
    kept, decayed = (tiny(weight_decay=decay, **params).fit(clusters, energies) for decay in (0.0, 0.5))
    for old, new in zip(kept.module_.parameters(), decayed.module_.parameters(), strict=True):
        assert_allclose(new.detach(), 0.95 * old.detach(), atol=1e-6)


def test_average_of_the_weights():
    clusters, energies, forces = lennard_jones(12)
    common = {"max_epochs": 4, "batch_size": 4, "lr": 0.01, "weight_decay": 0.0}
    seen = []

    class Spy(torch.optim.AdamW):
        def step(self, closure=None):
            loss = super().step(closure)
            seen.append([weight.detach().clone() for weight in self.param_groups[0]["params"]])
            return loss

    model = tiny(ema=0.9, optimizer=Spy, **common).fit(clusters, energies, forces=forces)
    n_steps = len(seen)
    assert n_steps == 12
    plain = tiny(**common).fit(clusters, energies, forces=forces)
    for weight, last in zip(plain.module_.parameters(), seen[-1], strict=True):
        assert torch.equal(weight, last), "the average changes the course of the training"
    average = start_of(tiny(**common), clusters, energies, forces)
    for k, weights in enumerate(seen, start=1):
        decay = min(0.9, (1 + k) / (10 + k))
        average = [decay * a + (1 - decay) * w for a, w in zip(average, weights, strict=True)]
    for weight, expected in zip(model.module_.parameters(), average, strict=True):
        assert_allclose(weight.detach(), expected, atol=1e-5)


def start_of(model, *data):
    """Weights before the first step: those of a training that does not move."""
    X, y, forces = data
    frozen = model.set_params(lr=0.0, weight_decay=0.0, max_epochs=1).fit(X, y, forces=forces)
    return [weight.detach().clone() for weight in frozen.module_.parameters()]


def test_the_gradient_is_bounded():
    clusters, energies, forces = lennard_jones(8)

    def moved(**params):
        start = tiny(optimizer="sgd", lr=0.0, weight_decay=0.0, max_epochs=1).fit(clusters, energies, forces=forces)
        model = tiny(optimizer="sgd", lr=1.0, weight_decay=0.0, max_epochs=1, batch_size=8, **params)
        model.fit(clusters, energies, forces=forces)
        pairs = zip(model.module_.parameters(), start.module_.parameters(), strict=True)
        return sum(float((new - old).detach().square().sum()) for new, old in pairs) ** 0.5

    assert moved(clip=0.01) == pytest.approx(0.01, rel=1e-3)  # one batch, one step
    assert moved(clip=None) > 0.02


def test_callbacks_and_routed_parameters():
    class Count(Callback):
        n = 0

        def on_batch_end(self, net, training, loss, **kwargs):
            assert torch.isfinite(loss)
            Count.n += training

    model = tiny(callbacks=[Count()], batch_size=4, optimizer__betas=(0.8, 0.9), iterator_train__shuffle=False)
    model.fit(MOLECULES, np.arange(10.0))
    assert Count.n == 9
    assert model.get_params()["optimizer__betas"] == (0.8, 0.9)
    assert model.backbone_.n_features == 8
    with pytest.raises(TypeError, match="no parameter 'n_layers'"):
        GNNRegressor(n_layers=3)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_epochs": 0}, "max_epochs must be an integer of at least 1, got 0"),
        ({"batch_size": 0}, 'batch_size must be an integer of at least 1 or "auto", got 0'),
        ({"ema": 1.0}, "ema must be None or in"),
        ({"clip": 0}, "clip must be None or in"),
        ({"target": "both"}, "target must be one of"),
        ({"criterion": "l2"}, "criterion must be one of auto, mse, mae, huber"),
        ({"criterion": 2}, "criterion must be one of auto, mse, mae, huber, or a torch loss class, got 2"),
        ({"force_weight": -1.0}, r"force_weight must be in \[0, inf\), got -1\.0"),
        ({"force_weight": np.nan}, r"force_weight must be in \[0, inf\), got nan"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"backbone": "nonet"}, "backbone must be one of"),
        ({"graphs": AtomGraphs(3.0)}, r"graphs end at cutoff=3 Å, but the backbone looks as far as 4 Å"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises(ValueError, match=message):
        tiny(**params).fit(MOLECULES, np.arange(10.0))


def test_a_training_that_diverges_says_so():
    with pytest.raises(ValueError, match="Training diverged"):
        tiny(lr=1e30, clip=None).fit(MOLECULES, np.arange(10.0))


@pytest.mark.parametrize("criterion", ["mse", "mae", "huber", torch.nn.SmoothL1Loss])
def test_losses(criterion):
    clusters, energies, forces = lennard_jones(6)
    model = tiny(criterion=criterion, max_epochs=10, lr=0.01).fit(clusters, energies, forces=forces)
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]


def test_loss_is_absolute_where_there_are_forces():
    clusters, energies, forces = lennard_jones(6)
    for force_weight, name, other in ((0.0, "mse", "mae"), (100.0, "mae", "mse")):
        found, same, different = (
            tiny(criterion=criterion, force_weight=force_weight)
            .fit(clusters, energies, forces=forces)
            .predict(clusters)
            for criterion in ("auto", name, other)
        )
        assert_allclose(found, same)
        assert not np.allclose(found, different)


def test_loss_by_hand():
    clusters, energies, forces = lennard_jones(5)
    for criterion, of_energy, of_force in (
        ("mse", np.square, lambda error: np.square(error).mean()),
        ("mae", np.abs, lambda error: np.linalg.norm(error, axis=-1).mean()),
    ):
        params = {"lr": 0.0, "weight_decay": 0.0, "max_epochs": 1, "batch_size": 3}  # batches of three and two
        model = tiny(criterion=criterion, force_weight=7.0, **params)
        model.fit(clusters, energies, forces=forces)
        residual = energies - model.target_scaler_.baseline([c.numbers for c in clusters])[:, 0]
        expected = of_energy((model.predict(clusters) - energies) / residual.std()).mean()
        size = np.sqrt(np.mean(np.square(forces)))
        assert model.target_scaler_.scale_ == pytest.approx(size)
        expected += 7.0 * of_force((np.array(model.predict_forces(clusters)) - np.array(forces)) / size)
        assert_allclose(model.history_[0]["train_loss"], expected, rtol=1e-4)


# ---------------------------------------------------------------- input


def test_ready_graphs_and_pipelines():
    y = np.arange(10.0)
    expected = tiny().fit(MOLECULES, y).predict(MOLECULES)
    graphs = AtomGraphs(4.0).fit_transform(MOLECULES)
    assert_allclose(tiny().fit(graphs, y).predict(graphs), expected)
    assert_allclose(make_pipeline(AtomGraphs(4.0), tiny()).fit(MOLECULES, y).predict(MOLECULES), expected)
    with pytest.raises(ValueError, match="row 0 is a graph without pos, edge_shift"):
        tiny().fit(MoleculeGraphs().fit_transform(["CC", "CCO"]), [0.0, 1.0])
    with pytest.raises(ValueError, match="row 0 is a graph without x, edge_attr, which the backbone 'gine' reads"):
        GNNRegressor("gine").fit(graphs, y)
    with pytest.raises(ValueError, match="graphs end at cutoff=3 Å, but the backbone looks as far as 4 Å"):
        make_pipeline(AtomGraphs(3.0), tiny()).fit(MOLECULES, y)
    foreign = list(MoleculeGraphs().fit_transform(["CC", "CCO"]))
    del foreign[1].z
    with pytest.raises(ValueError, match="row 1 is a graph without z, which the backbone 'gine' reads"):
        GNNRegressor("gine").fit(foreign, [0.0, 1.0])
    with pytest.raises(TypeError, match="graphs must be a AtomGraphs"):
        tiny(graphs=MoleculeGraphs()).fit(MOLECULES, y)


def test_invalid_structures():
    clash = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.01]])
    with pytest.raises(ValueError, match="row 1"):
        tiny().fit(MOLECULES, np.arange(10.0)).predict([MOLECULES[0], clash])
    tolerant = tiny(graphs=AtomGraphs(4.0, on_invalid="nan"))
    with pytest.warns(InvalidRowsWarning):
        tolerant.fit([clash, *MOLECULES], np.arange(11.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvalidRowsWarning)
        predicted = tolerant.predict([MOLECULES[0], clash])
        forces = tolerant.predict_forces([clash, MOLECULES[0]])
    assert np.isnan(predicted).tolist() == [False, True]
    assert forces[0] is None
    assert forces[1].shape == (3, 3)


@pytest.mark.parametrize(
    ("name", "known", "unknown", "symbol"),
    [("schnet", 99, 100, "Fm"), ("dimenet++", 94, 95, "Am"), ("visnet", 99, 100, "Fm"), ("cgcnn", 100, 101, "Md")],
)
def test_elements_without_an_embedding_are_invalid_rows(name, known, unknown, symbol):
    small = {"module__n_layers": 1, "module__n_features": 8, "max_epochs": 1, "device": "cpu"}
    X = [Atoms([known, 1], positions=np.eye(2, 3)), Atoms([unknown, 1], positions=np.eye(2, 3))]
    model = GNNRegressor(name, **small).fit(X[:1], [0.0])
    with pytest.raises(InvalidRowsError, match=rf"row 1: .* has {symbol}, which the backbone '.*' does not know"):
        model.predict(X)
    with pytest.raises(InvalidRowsError, match=f"row 1: .* has {symbol}"):
        model.predict(AtomGraphs(8.0).fit_transform(X))
    tolerant = GNNRegressor(name, graphs=AtomGraphs(8.0, on_invalid="nan"), **small)
    with pytest.warns(InvalidRowsWarning, match=f"row 1: .* has {symbol}"):
        tolerant.fit(X, [0.0, 1.0])
    with pytest.warns(InvalidRowsWarning):
        assert np.isnan(tolerant.predict(X)).tolist() == [False, True]


def test_backbones_that_cannot_be_built():
    with pytest.raises(TypeError, match=r"'schnet' cannot be built: .* unexpected keyword argument 'n_block'"):
        tiny(module__n_block=2).fit(MOLECULES, np.arange(10.0))
    with pytest.raises(TypeError, match=r"'mace' cannot be built: missing .* 'n_layers'.* by its class in"):
        GNNRegressor("mace").fit(MOLECULES, np.arange(10.0))


def test_forces_of_which_none_is_known():
    expected = tiny().fit(MOLECULES, np.arange(10.0)).predict(MOLECULES)
    nowhere = [None, *(np.full((len(m), 3), np.nan) for m in MOLECULES[1:])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = tiny().fit(MOLECULES, np.arange(10.0), forces=nowhere)
    assert not model.uses_forces_
    assert_allclose(model.predict(MOLECULES), expected)


def test_hidden_outputs(fitted):
    first, second = fitted.hidden_outputs(MOLECULES)
    (graph,) = AtomGraphs(4.0).fit_transform(MOLECULES[3:4])
    tokens = fitted.backbone_.tokens(graph).detach().numpy()
    assert_allclose(first[3], tokens[:, 1].mean(axis=0), rtol=1e-5, atol=1e-7)
    assert_allclose(second[3], tokens[:, 2].mean(axis=0), rtol=1e-5, atol=1e-7)


def test_callbacks_that_score():
    clusters, energies, forces = lennard_jones(12)
    model = tiny(callbacks=[EpochScoring("r2", lower_is_better=False)], early_stopping=True, validation_fraction=0.3)
    for labels in ({}, {"forces": forces}):
        model.fit(clusters, energies, **labels)
        scores = [epoch["r2"] for epoch in model.history_]
        assert scores[model.best_epoch_ - 1] == pytest.approx(model.validation_score_, abs=1e-4)
    names = [EpochScoring(name, on_train=True) for name in ("accuracy", "neg_log_loss")]
    classifier = GNNClassifier(**TINY, max_epochs=2, callbacks=names, device="cpu").fit(MOLECULES, 5 * ["a", "b"])
    assert 0 <= classifier.history_[-1]["accuracy"] <= 1
    assert classifier.history_[-1]["neg_log_loss"] == pytest.approx(-classifier.history_[-1]["train_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("forces", "message"),
    [
        ([np.zeros((3, 3))] * 10, r"row 1: forces have shape \(3, 3\); the structure has 5 atoms"),
        ([np.full((len(m), 3), np.inf) for m in MOLECULES], "row 0: forces are infinite"),
    ],
)
def test_forces_are_checked(forces, message):
    with pytest.raises(ValueError, match=message):
        tiny().fit(MOLECULES, np.arange(10.0), forces=forces)
    with pytest.raises(ValueError, match="target is 'intensive'"):
        tiny(target="intensive").fit(MOLECULES, np.arange(10.0), forces=forces)
    with pytest.raises(ValueError, match="y has 2 columns"):
        tiny().fit(MOLECULES, np.ones((10, 2)), forces=forces)


def test_forces_through_metadata_routing():
    clusters, energies, forces = lennard_jones(8)
    bare = [Atoms(cluster.symbols, positions=cluster.positions) for cluster in clusters]
    with config_context(enable_metadata_routing=True):
        model = tiny().set_fit_request(forces=True)
        found = cross_validate(
            model,
            bare,
            energies,
            cv=[(np.arange(6), np.array([6, 7]))],
            params={"forces": forces},
            return_estimator=True,
        )
    (by_cv,) = found["estimator"]
    assert_allclose(
        by_cv.predict(bare), tiny().fit(bare[:6], energies[:6], forces=forces[:6]).predict(bare), rtol=1e-10
    )


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_frames_as_the_output_of_all_transformers(fitted, output):
    expected = fitted.predict(MOLECULES)
    with config_context(transform_output=output):
        assert_allclose(fitted.predict(MOLECULES), expected)
        again = tiny(graphs=AtomGraphs(4.0, on_invalid="nan")).fit(MOLECULES, np.arange(10.0))
        with pytest.warns(InvalidRowsWarning):
            assert np.isnan(again.predict([MOLECULES[0], None])).tolist() == [False, True]
    framed = tiny(graphs=AtomGraphs(4.0).set_output(transform=output)).fit(MOLECULES, np.arange(10.0))
    assert_allclose(framed.predict(MOLECULES[:1]), again.predict(MOLECULES[:1]))


# ---------------------------------------------------------------- files


def test_files_and_libraries(fitted, tmp_path):
    model = tiny(graphs=AtomGraphs(5.0, cache=tmp_path / "cache"), ema=0.9).fit(MOLECULES, np.arange(10.0))
    save_source(model, tmp_path / "gnn.source")
    again = load_source(tmp_path / "gnn.source")
    assert_allclose(again.predict(MOLECULES), model.predict(MOLECULES), rtol=1e-12)
    assert_allclose(again.predict_forces(MOLECULES)[0], model.predict_forces(MOLECULES)[0], rtol=1e-9)
    assert again.graphs.cache is None
    library = ModelLibrary(tmp_path / "library")
    model_id = library.add(fitted, property="energy")
    assert_allclose(library.get(model_id).predict(MOLECULES), fitted.predict(MOLECULES), rtol=1e-12)
    assert library.card(model_id)["hidden"] == [8, 8]


def test_a_pickle_holds_the_weights_once():
    model = tiny(module__n_features=64).fit(MOLECULES, np.arange(10.0))
    n_bytes = sum(weight.nbytes for weight in model.module_.state_dict().values())
    assert len(pickle.dumps(model.net_)) < 1.5 * n_bytes


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_trained_on_cuda_loads_on_the_cpu(monkeypatch):
    clusters, energies, forces = lennard_jones(10)
    model = tiny(device="cuda").fit(clusters, energies, forces=forces)
    expected = model.predict(clusters)
    content = pickle.dumps(model)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_allclose(pickle.loads(content).set_params(device="cpu").predict(clusters), expected, rtol=1e-8)
