import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import sktaag.sources._shotgun_ensemble as module
from sktaag.nn import RandomPyramid, resolve_hidden
from sktaag.nn._batched_adamw import ADAM_EPS
from sktaag.sources import (
    ModelLibrary,
    PyramidEnsemble,
    PyramidEnsembleClassifier,
    PyramidRegressor,
    _shotgun_training,
    load_source,
    save_source,
)
from sktaag.sources._shotgun_draws import SharedDraws
from sktaag.sources._shotgun_networks import StackedNetworks


@parametrize_with_checks([PyramidEnsemble(6, (16, 8), max_epochs=20, lr=0.01)])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.RandomState(0)
    X = rng.poisson(0.05, (300, 100)).astype(np.float32)
    return X, 500 + 30 * X[:, :20].sum(axis=1) + rng.randn(300)


RANGES = {
    "hidden": RandomPyramid((2, 3), (4, 24)),
    "activation": ["relu", "tanh", "gelu"],
    "dropout": (0.0, 0.4),
    "lr": (0.001, 0.01),
    "max_features": (30, 80),
    "batch_size": 80,
    "max_epochs": 10,
    "patience": 3,
    "random_state": 7,
}


class PlainDropout(torch.nn.Module):
    """Drops what given noise says."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, h):
        return h * (self.noise[:, : h.shape[1]] >= self.rate) / (1 - self.rate) if self.training else h


def shared_draws(ensemble):
    return SharedDraws(ensemble._entropy, 0, ensemble.hidden.width[1])


def train_plainly(ensemble, k, X, y, device="cpu"):
    """Train network k alone: a module, torch's AdamW, a loop over epochs and batches."""
    member, shared, device = ensemble.net_.members[k], shared_draws(ensemble), torch.device(device)
    net = member.pyramid(X.shape[1]).to(device)
    layers = list(net.children())[:-1]
    for layer in layers:
        layer.dropout = PlainDropout(member.dropout)
        if member.batch_norm:
            layer.linear.bias.requires_grad_(False)
    optimizer = torch.optim.AdamW(
        [p for p in net.parameters() if p.requires_grad],
        lr=member.lr,
        weight_decay=ensemble.weight_decay,
        eps=ADAM_EPS,
    )
    X = torch.tensor(X if member.columns is None else X[:, member.columns], device=device)
    y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32, device=device)
    train, valid = shared.split(len(y), ensemble.validation_fraction)
    best, best_epoch, misses, state = np.inf, 0, 0, None
    for epoch in range(ensemble.max_epochs):
        net.train()
        for b, batch in enumerate(shared.batches(epoch, len(train), ensemble.batch_size)):
            noise = shared.noise(epoch, b, len(layers), len(batch), device)
            for layer, of_layer in zip(layers, noise, strict=True):
                layer.dropout.noise = of_layer.T
            optimizer.zero_grad()
            (net(X[train[batch]])[:, 0] - y[train[batch]]).square().mean().backward()
            optimizer.step()
        with torch.no_grad():
            loss = (net.eval()(X[valid])[:, 0] - y[valid]).square().mean().item()
        if loss < best * (1 - 1e-4):
            best, best_epoch, misses = loss, epoch + 1, 0
            state = {name: tensor.cpu().clone() for name, tensor in net.state_dict().items()}
        else:
            misses += 1
        if misses == ensemble.patience:
            break
    return state, best_epoch, epoch + 1


def assert_trained_alike(ensemble, X, y, device="cpu"):
    for k in range(len(ensemble)):
        state, best_epoch, n_iter = train_plainly(ensemble, k, X, y, device)
        assert (ensemble.members_["best_epoch"][k], ensemble.members_["n_iter"][k]) == (best_epoch, n_iter)
        ours = ensemble.net_.trained[k].state
        assert list(ours) == list(state)
        for name in state:
            np.testing.assert_allclose(ours[name], state[name], rtol=1e-4, atol=1e-4, err_msg=f"{k} {name}")


@pytest.mark.parametrize("columns", [None, (30, 80)])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_network_alone_in_a_plain_loop(counts, columns, sparse, batch_norm):
    X, y = counts
    X = X if sparse else np.random.RandomState(1).randn(*X.shape).astype(np.float32) + X
    params = {**RANGES, "max_features": columns, "batch_norm": batch_norm}
    assert_trained_alike(PyramidEnsemble(9, **params, device="cpu").fit(X, y), X, y)


@pytest.mark.parametrize("columns", [None, (30, 80)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_stack_for_devices_gives_the_same_networks(counts, columns, batch_norm, monkeypatch):
    monkeypatch.setattr(_shotgun_training, "networks_for", lambda device: StackedNetworks)
    X, y = counts
    X = np.random.RandomState(1).randn(*X.shape).astype(np.float32) + X
    params = {**RANGES, "max_features": columns, "batch_norm": batch_norm}
    assert_trained_alike(PyramidEnsemble(9, **params, device="cpu").fit(X, y), X, y)


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("params", [{"activation": "relu"}, {"batch_norm": False}, {"max_features": None}])
def test_an_epoch_on_a_device_reads_nothing_back(counts, classes, params):
    # the meta device has no numbers to read, and refuses tensors of another device
    X, y = (np.asarray(array, np.float32) for array in counts)
    params = {**RANGES, "activation": "gelu", "hidden": (8, 4), "max_epochs": 1, **params}
    if classes:
        y = (y > np.median(y)).astype(int)
    ensemble = (PyramidEnsembleClassifier if classes else PyramidEnsemble)(3, **params).fit(X, y)
    members, device = ensemble.net_.members, torch.device("meta")

    class Draws:
        def noise(self, epoch, batch, n_layers, n_rows, device):
            return torch.empty(n_layers, 8, n_rows, device=device)

    networks = StackedNetworks(members, torch.from_numpy(X).to(device), y, Draws(), 0.01, device, torch.bfloat16)
    for epoch in range(2):
        assert networks.train(epoch, [np.arange(80), np.arange(80, 300)]).device == device
        assert all(values.device == device for values in networks.validate(torch.arange(60, device=device)))
        networks.remember(np.array([0, 2]))


def test_a_chunk_is_halved_where_memory_runs_out(counts, monkeypatch):
    X, y = counts
    whole = PyramidEnsemble(7, **RANGES).fit(X, y)
    train, sizes = _shotgun_training.train_together, []

    def small(members, *args, **kwargs):
        sizes.append(len(members))
        if len(members) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return train(members, *args, **kwargs)

    monkeypatch.setattr(_shotgun_training, "train_together", small)
    fits = 1
    halved = clone(whole).fit(X, y)
    assert max(sizes) > 1
    assert sizes.count(1) == 7
    pd.testing.assert_frame_equal(halved.members_, whole.members_)
    np.testing.assert_array_equal(halved.predict(X), whole.predict(X))
    fits = 0
    with pytest.raises(torch.OutOfMemoryError):
        clone(whole).fit(X, y)


def test_bfloat16_on_the_cpu_learns_as_much():
    rng = np.random.RandomState(0)
    X = rng.poisson(0.3, (600, 150)).astype(np.float32)
    y = X @ rng.randn(150) + rng.randn(600)
    params = {"hidden": RandomPyramid((2, 3), (100, 200)), "max_epochs": 12, "lr": 0.005, "random_state": 0}
    exact, coarse = (
        PyramidEnsemble(4, **params, mixed_precision=mixed, device="cpu").fit(X, y) for mixed in ("auto", True)
    )
    assert not np.array_equal(exact.predict(X), coarse.predict(X))
    scores = exact.members_["validation_score"], coarse.members_["validation_score"]
    assert scores[0].min() > 0.5
    assert scores[1].mean() == pytest.approx(scores[0].mean(), abs=0.03)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("columns", [None, (30, 80)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_network_alone_in_a_plain_loop_on_a_device(counts, columns, batch_norm):
    X, y = counts
    params = {**RANGES, "max_features": columns, "batch_norm": batch_norm, "mixed_precision": False}
    ensemble = PyramidEnsemble(9, **params, device="cuda").fit(X, y)
    assert_trained_alike(ensemble, X, y, "cuda")
    assert all(tensor.device.type == "cpu" for net in ensemble.net_.trained for tensor in net.state.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mixed_precision", ["auto", True])
def test_coarser_products_on_a_device_learn_as_much(counts, mixed_precision):
    X, y = counts
    precision = torch.get_float32_matmul_precision()
    params = {**RANGES, "max_epochs": 40, "device": "cuda"}
    exact = PyramidEnsemble(30, **params, mixed_precision=False).fit(X, y).members_["validation_score"]
    coarse = PyramidEnsemble(30, **params, mixed_precision=mixed_precision).fit(X, y).members_["validation_score"]
    assert coarse.mean() == pytest.approx(exact.mean(), abs=0.05)
    assert torch.get_float32_matmul_precision() == precision


def test_networks_do_not_depend_on_those_beside_them(counts):
    X, y = counts
    whole = PyramidEnsemble(12, **RANGES).fit(X, y)
    for params in ({"n_models": 5}, {"models_per_batch": 1}, {"max_memory": 50_000}):
        other = clone(whole).set_params(**params).fit(X, y)
        pd.testing.assert_frame_equal(other.members_, whole.members_.iloc[: len(other)], rtol=1e-4)
        for k in range(len(other)):
            np.testing.assert_allclose(other[k].predict(X), whole[k].predict(X), rtol=1e-4)


def test_processes_side_by_side(counts):
    X, y = counts
    ensemble = PyramidEnsemble(6, **RANGES).fit(X, y)
    other = clone(ensemble).set_params(n_jobs=2).fit(X, y)
    np.testing.assert_allclose(other.predict(X), ensemble.predict(X), rtol=1e-6)


def test_what_is_drawn(counts):
    X, y = counts
    drawn = PyramidEnsemble(60, **{**RANGES, "max_epochs": 1}).fit(X, y).members_
    assert drawn["activation"].value_counts().min() > 5
    assert set(drawn["activation"]) == set(RANGES["activation"])
    for name, low, high in (("dropout", 0, 0.4), ("lr", 0.001, 0.01), ("n_features", 30, 80)):
        assert low <= drawn[name].min() < 0.9 * low + 0.1 * high
        assert 0.1 * low + 0.9 * high < drawn[name].max() <= high
    assert drawn["lr"].median() == pytest.approx(np.sqrt(0.001 * 0.01), rel=0.4)  # log-uniform
    assert all(2 <= len(sizes) <= 3 and list(sizes) == sorted(sizes)[::-1] for sizes in drawn["hidden_sizes"])
    assert drawn["hidden_sizes"].nunique() > 50
    other = PyramidEnsemble(60, **{**RANGES, "max_epochs": 1, "lr": 0.001, "dropout": 0.1}).fit(X, y).members_
    for name in ("hidden_sizes", "activation", "n_features"):
        assert (other[name] == drawn[name]).all()
    assert (
        PyramidEnsemble(3, (0.5, 4), max_features=0.25, max_epochs=1).fit(X, y).members_["hidden_sizes"].tolist()
        == [(13, 4)] * 3
    )
    assert (
        PyramidEnsemble(2, (4,), max_features=1000, max_epochs=1).fit(X, y).members_["n_features"].tolist() == [100] * 2
    )


def test_a_member_is_an_ordinary_source(counts, tmp_path):
    X, y = counts
    frame = pd.DataFrame(X).add_prefix("bit_")
    ensemble = PyramidEnsemble(4, **RANGES).fit(frame, y)
    source, row = ensemble[2], ensemble.members_.loc[2]
    assert isinstance(source, PyramidRegressor)
    assert source.get_params()["lr"] == row["lr"]
    assert source.hidden_sizes_ == row["hidden_sizes"]
    assert (source.n_iter_, source.best_epoch_) == (row["n_iter"], row["best_epoch"])
    assert len(source.history_) == source.n_iter_
    assert source.history_[0].keys() == {"epoch", "train_loss", "valid_loss"}
    assert [layer.shape[1] for layer in source.hidden_outputs(frame)] == list(source.hidden_sizes_)
    _, valid = shared_draws(ensemble).split(len(y), 0.1)
    assert source.validation_score_ == pytest.approx(r2_score(y[valid], source.predict(frame.iloc[valid])), abs=1e-5)

    unused = np.setdiff1d(np.arange(100), ensemble.net_.members[2].columns)
    assert len(unused) == 100 - row["n_features"]
    changed = X.copy()
    changed[:, unused] = 7
    np.testing.assert_array_equal(source.predict(pd.DataFrame(changed, columns=frame.columns)), source.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        source.predict(frame.add_prefix("x"))
    np.testing.assert_array_equal(ensemble[-2].predict(frame), source.predict(frame))

    save_source(source, tmp_path / "member.source")
    for again in (load_source(tmp_path / "member.source"), pickle.loads(pickle.dumps(ensemble))[2]):
        np.testing.assert_array_equal(again.predict(frame), source.predict(frame))
    assert clone(source).fit(X, y).hidden_sizes_ == source.hidden_sizes_

    np.testing.assert_allclose(ensemble.predict(frame), np.mean([s.predict(frame) for s in ensemble], axis=0))
    with pytest.raises(IndexError, match="no network 4; the ensemble has 4"):
        ensemble[4]
    assert [network.get_params()["lr"] for network in ensemble[1:3]] == ensemble.members_["lr"].tolist()[1:3]
    np.testing.assert_array_equal(ensemble[::-2][0].predict(frame), ensemble[3].predict(frame))
    with pytest.raises(TypeError, match=r"by its number, or several by a slice, got 'best'\. members_ has the numbers"):
        ensemble["best"]
    with pytest.raises(ValueError, match="not fitted"):
        len(PyramidEnsemble())


@pytest.mark.parametrize("columns", [None, (30, 80)])
def test_a_whole_ensemble_in_one_file(counts, tmp_path, columns):
    X, y = counts
    Y = pd.DataFrame({"a": y, "b": -y})
    chain = make_pipeline(MaxAbsScaler(), PyramidEnsemble(5, **{**RANGES, "max_features": columns})).fit(X, Y)
    save_source(chain, tmp_path / "all.source")
    again = load_source(tmp_path / "all.source")
    np.testing.assert_array_equal(again.predict(X), chain.predict(X))
    pd.testing.assert_frame_equal(again[-1].members_, chain[-1].members_)
    np.testing.assert_array_equal(again[-1][3].predict(X), chain[-1][3].predict(X))
    assert again[-1][3].history_ == chain[-1][3].history_
    assert save_source(again, tmp_path / "again.source") == save_source(chain, tmp_path / "all.source")
    np.testing.assert_allclose(again.fit(X, Y).predict(X), chain.predict(X), rtol=1e-6)
    with pytest.raises(TypeError, match="one by one: use add_ensemble"):
        ModelLibrary(tmp_path / "library").add(chain, property="a")


def test_learns_as_well_as_one_by_one(counts):
    X, y = counts
    params = {"hidden": (24, 12), "max_epochs": 40, "lr": 0.005, "batch_size": 32, "random_state": 0}
    ensemble = PyramidEnsemble(6, **params).fit(X[:200], y[:200])
    alone = [PyramidRegressor(**{**params, "random_state": k}).fit(X[:200], y[:200]) for k in range(6)]
    together = np.mean([source.score(X[200:], y[200:]) for source in ensemble])
    assert together == pytest.approx(np.mean([source.score(X[200:], y[200:]) for source in alone]), abs=0.05)
    assert ensemble.score(X[200:], y[200:]) > together > 0.5


def test_sparse_and_mostly_zero_are_one(counts):
    X, y = counts
    dense, sparse = (PyramidEnsemble(3, **RANGES).fit(matrix, y) for matrix in (X, csr_array(X)))
    np.testing.assert_allclose(dense.predict(X), sparse.predict(csr_array(X)), rtol=1e-6)


def test_several_properties(counts):
    X, y = counts
    Y = pd.DataFrame({"a": y, "b": -y, "c": X[:, :3].sum(axis=1)})
    Y.iloc[:150, 0] = np.nan
    Y.iloc[200:, 1] = np.nan
    ensemble = PyramidEnsemble(7, **RANGES).fit(X, Y)
    assert ensemble.members_["property"].tolist() == ["a", "b", "c", "a", "b", "c", "a"]
    predicted = ensemble.predict(X)
    assert predicted.shape == (300, 3)
    np.testing.assert_allclose(predicted[:, 1], (ensemble[1].predict(X) + ensemble[4].predict(X)) / 2)
    assert ensemble.score(X, Y) > 0
    # a network sees the rows that have its property, and no other
    alone = PyramidEnsemble(1, **RANGES).fit(X[150:], Y["a"][150:])
    np.testing.assert_allclose(alone[0].predict(X), ensemble[0].predict(X), rtol=1e-4)
    with pytest.raises(ValueError, match="at least one for each of the 3 columns of y, got 2"):
        PyramidEnsemble(2).fit(X, Y)
    with pytest.raises(ValueError, match="no label at all in column 'b'"):
        PyramidEnsemble(3).fit(X, Y.assign(b=np.nan))
    with pytest.raises(ValueError, match="no label at all in column 1"):
        PyramidEnsemble(3).fit(X, Y.assign(b=np.nan).to_numpy())
    with pytest.raises(ValueError, match=r"contains infinity .* in 1 rows \(first: 7\)"):
        PyramidEnsemble(3).fit(X, Y.assign(b=np.where(np.arange(300) == 7, np.inf, 0)))


def test_a_series_names_its_property(counts):
    X, y = counts
    for named in (pd.Series(y, name="density"), pl.Series("density", y), pd.DataFrame({"density": y})):
        ensemble = PyramidEnsemble(2, (8,), max_epochs=1, random_state=0).fit(X, named)
        assert ensemble.members_["property"].tolist() == ["density", "density"]
    assert PyramidEnsemble(1, (8,), max_epochs=1).fit(X, pd.Series(y)).members_["property"].tolist() == [0]


# ---------------------------------------------------------------- killed and resumed


def test_goes_on_from_the_last_finished_chunk(counts, tmp_path, monkeypatch):
    X, y = counts
    ensemble = PyramidEnsemble(9, **RANGES, models_per_batch=2, checkpoint=tmp_path / "run")
    whole = clone(ensemble).set_params(checkpoint=None).fit(X, y)
    trained, train = [], module.train_chunk

    def dies(members, *args, **kwargs):
        if len(trained) == 4:
            raise KeyboardInterrupt
        trained.extend(member.index for member in members)
        return train(members, *args, **kwargs)

    monkeypatch.setattr(module, "train_chunk", dies)
    with pytest.raises(KeyboardInterrupt):
        ensemble.fit(X, y)
    finished = set(trained)
    trained.clear()
    trained.append(-1)  # never four again
    ensemble.fit(X, y)
    assert set(trained[1:]) == set(range(9)) - finished
    pd.testing.assert_frame_equal(ensemble.members_, whole.members_, rtol=1e-4)
    np.testing.assert_allclose(ensemble.predict(X), whole.predict(X), rtol=1e-4)

    trained[1:] = []
    ensemble.fit(X, y)
    assert trained[1:] == []
    assert len(ensemble.set_params(n_models=11).fit(X, y)) == 11
    assert sorted(trained[1:]) == [9, 10]
    trained[1:] = []
    assert len(ensemble.set_params(n_models=3).fit(X, y)) == 3
    assert trained[1:] == []


def test_without_a_seed_a_checkpoint_keeps_its_own(counts, tmp_path):
    params = {**RANGES, "random_state": None, "checkpoint": tmp_path}
    first, second = (PyramidEnsemble(3, **params).fit(*counts) for _ in range(2))
    np.testing.assert_array_equal(first.predict(counts[0]), second.predict(counts[0]))


def test_a_checkpoint_of_another_training_is_refused(counts, tmp_path):
    X, y = counts
    ensemble = PyramidEnsemble(3, **RANGES, checkpoint=tmp_path).fit(X, y)
    with pytest.raises(ValueError, match="another training: X or y is other data"):
        clone(ensemble).fit(X, y + 1)
    with pytest.raises(ValueError, match="X or y is other data"):
        clone(ensemble).fit(csr_array(X[:-1]), y[:-1])
    with pytest.raises(ValueError, match=r"lr was \(0.001, 0.01\); patience was 3. Give the parameters"):
        clone(ensemble).set_params(lr=0.1, patience=2).fit(X, y)
    with pytest.raises(ValueError, match="random_state is another one"):
        clone(ensemble).set_params(random_state=8).fit(X, y)
    clone(ensemble).set_params(models_per_batch=1, device="cpu", verbose=0).fit(X, y)


def test_damage_is_named(counts, tmp_path):
    ensemble = PyramidEnsemble(3, **RANGES, models_per_batch=1, checkpoint=tmp_path).fit(*counts)
    expected = ensemble.predict(counts[0])
    path = sorted(tmp_path.glob("*.safetensors"))[0]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=rf"{path.name} is damaged. Delete it"):
        clone(ensemble).fit(*counts)
    path.unlink()
    np.testing.assert_allclose(clone(ensemble).fit(*counts).predict(counts[0]), expected, rtol=1e-4)
    (tmp_path / "ensemble.json").write_text("{")
    with pytest.raises(ValueError, match=r"ensemble.json is damaged. Delete .* to train anew"):
        clone(ensemble).fit(*counts)


# ---------------------------------------------------------------- what goes wrong


def test_a_network_that_diverges_is_left_out(counts):
    X, y = counts
    params = {"hidden": (8,), "batch_norm": False, "max_epochs": 8, "batch_size": 32, "early_stopping": False}
    ensemble = PyramidEnsemble(8, lr=(1e-3, 1e35), weight_decay=0.1, random_state=0, **params)
    with pytest.warns(ConvergenceWarning, match=r"of 8 networks diverged; they are left out"):
        ensemble.fit(X, y)
    diverged = ensemble.members_["best_epoch"] == 0
    assert 0 < diverged.sum() < 8
    sound = np.flatnonzero(~diverged)
    np.testing.assert_allclose(ensemble.predict(X), np.mean([ensemble[k].predict(X) for k in sound], axis=0))
    with pytest.raises(ValueError, match=r"training of network \d diverged \(lr=.*\). Take one whose best_epoch"):
        ensemble[int(diverged.idxmax())]
    with pytest.raises(ValueError, match=r"no network of property 0 has finite weights\. Lower lr"):
        PyramidEnsemble(2, lr=1e35, weight_decay=0.1, **params).fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dropout": (0.5, 0.1)}, r"dropout must be a number or two, smallest first, in \[0, 1\), got \(0.5, 0.1\)"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"lr": 0}, "lr must be"),
        ({"max_features": 0}, "max_features must be None, a number of columns"),
        ({"max_features": (0.5, 20)}, "two of a kind"),
        ({"activation": []}, "a name or a list of names"),
        ({"activation": "step"}, "activation must be one of relu"),
        ({"models_per_batch": 0}, "models_per_batch must be None or a positive integer, got 0"),
        ({"max_memory": 0.5}, "max_memory must be None or a positive integer"),
        ({"n_models": 0}, "n_models must be an integer"),
        ({"max_epochs": 0}, "max_epochs must be an integer of at least 1"),
        ({"mixed_precision": "half"}, 'mixed_precision must be True, False or "auto"'),
        ({"early_stopping": 1.5}, "early_stopping must be"),
    ],
)
def test_bad_parameters(counts, params, message):
    with pytest.raises(ValueError, match=message):
        PyramidEnsemble(**{"n_models": 2, "max_epochs": 1, **params}).fit(*counts)


def test_paper_setups():
    for number, layers, widest, last in (
        (1, (3, 4), 400, (10, 30)),
        (2, (3, 6), 1640, (10, 30)),
        (3, (3, 6), 348, (5, 348)),
    ):
        hidden = PyramidEnsemble.paper_setup(number, n_models=7).hidden
        drawn = [resolve_hidden(hidden, 2000, seed) for seed in range(200)]
        assert {len(sizes) for sizes in drawn} == set(range(layers[0], layers[1] + 1))
        assert 0.9 * widest < max(sizes[0] for sizes in drawn) <= widest
        assert all(last[0] <= sizes[-1] <= last[1] for sizes in drawn)
    with pytest.raises(ValueError, match="setups 1, 2 and 3, got 4"):
        PyramidEnsemble.paper_setup(4)


def test_torchs_generators_are_left_alone(counts):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    PyramidEnsemble(2, **RANGES).fit(*counts)[0].predict(counts[0])
    assert torch.rand(1) == expected


def test_progress_bar_counts_networks(counts, capsys):
    PyramidEnsemble(3, **{**RANGES, "max_epochs": 1}, verbose=1).fit(*counts)
    assert "3/3" in capsys.readouterr().err
    PyramidEnsemble(3, **{**RANGES, "max_epochs": 1}).fit(*counts)
    assert capsys.readouterr().err == ""
