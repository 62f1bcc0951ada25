"""FineTunedRegressor; the conformance of its kind is in tests/test_common.py."""

import numpy as np
import pytest
import torch
from graph_sources import ENERGIES, MOLECULES, clusters, tiny_source
from numpy.testing import assert_allclose
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from sktaag.nn.backbones import SchNet
from sktaag.sources import load_source, save_source
from sktaag.transfer import FineTunedRegressor, TAAGRegressor

STRATEGIES = ("full", "freeze", "gradual", "discriminative", "reinit", "l2sp", "scratch")


@pytest.fixture(scope="module")
def source():
    return tiny_source()


def tuned(source, **params):
    return FineTunedRegressor(source, **({"max_epochs": 3, "random_state": 0, "device": "cpu"} | params))


def changed(model, source):
    """Depths of the backbone with a weight that is not the one of the source."""
    before = dict(source.backbone_.named_parameters())
    named = model.backbone_.named_parameters()
    return {model.backbone_.depth_of(name) for name, weight in named if not torch.equal(weight, before[name])}


@pytest.mark.parametrize(
    ("params", "depths"),
    [
        ({"strategy": "full"}, {0, 1, 2}),
        ({"strategy": "freeze", "n_blocks": 1}, {2}),
        ({"strategy": "freeze", "n_blocks": 0}, {1, 2}),
        ({"strategy": "freeze", "n_blocks": 2}, set()),
        ({"strategy": "gradual", "unfreeze_every": 3}, set()),
        ({"strategy": "gradual", "unfreeze_every": 2}, {2}),
        ({"strategy": "gradual", "unfreeze_every": 1}, {1, 2}),
        ({"strategy": "gradual", "unfreeze_every": 1, "max_epochs": 4}, {0, 1, 2}),
        ({"strategy": "reinit", "n_blocks": 1, "lr": 0.0}, {2}),
        ({"strategy": "reinit", "n_blocks": 2, "lr": 0.0}, {1, 2}),
        ({"strategy": "scratch", "lr": 0.0}, {0, 1, 2}),
    ],
    ids=str,
)
def test_what_is_trained(source, params, depths):
    made, energies, forces = clusters(4)
    before = {name: tensor.clone() for name, tensor in source.module_.state_dict().items()}
    model = tuned(source, weight_decay=0.0, ema=0.9, **params).fit(made, energies, forces=forces)
    assert changed(model, source) == depths
    assert all(torch.equal(tensor, before[name]) for name, tensor in source.module_.state_dict().items())


def test_a_network_that_is_frozen_as_a_whole_is_run_once(source, monkeypatch):
    calls, tokens = [], SchNet.tokens
    monkeypatch.setattr(SchNet, "tokens", lambda self, batch: calls.append(1) or tokens(self, batch))
    model = tuned(source, strategy="freeze", n_blocks=2, max_epochs=20).fit(MOLECULES, ENERGIES)
    assert len(calls) <= 2  # the readout of the source is tried, and the tokens are kept
    like = TAAGRegressor(source, attention="last", freeze="all", max_epochs=20, random_state=0, device="cpu")
    assert_allclose(model.predict(MOLECULES), like.fit(MOLECULES, ENERGIES).predict(MOLECULES), rtol=1e-6)
    calls.clear()
    tuned(source, strategy="freeze", n_blocks=1, max_epochs=20).fit(MOLECULES, ENERGIES)
    assert len(calls) > 20


def test_learning_rates_by_depth(source):
    seen = []

    class Spy(torch.optim.AdamW):
        def __init__(self, params, **settings):
            super().__init__(params, **settings)
            seen.extend(self.param_groups)

    model = tuned(source, strategy="discriminative", lr_decay=0.1, lr=0.01, optimizer=Spy, scheduler=None)
    model.fit(MOLECULES, ENERGIES)
    rates = {id(weight): group["lr"] for group in seen for weight in group["params"]}
    assert len(seen) > 1
    by_depth = {0: 1e-5, 1: 1e-4, 2: 1e-3}
    for group in seen:
        assert group["lr"] in (0.01, *(pytest.approx(rate) for rate in by_depth.values()))
    counts = {}
    for name, weight in model.backbone_.named_parameters():
        depth = model.backbone_.depth_of(name)
        counts[depth] = counts.get(depth, 0) + weight.numel()
    for depth, rate in by_depth.items():
        group = [w.numel() for g in seen if g["lr"] == pytest.approx(rate) for w in g["params"]]
        assert sum(group) == counts[depth]
    assert len(rates) == len(list(model.module_.parameters()))


def test_the_pull_back_holds_the_weights(source):
    def moved(**params):
        model = tuned(source, lr=0.01, max_epochs=20, weight_decay=0.0, **params).fit(MOLECULES, ENERGIES)
        pairs = zip(model.backbone_.parameters(), source.backbone_.parameters(), strict=True)
        return sum(float((new - old).detach().square().sum()) for new, old in pairs) ** 0.5

    free = moved(strategy="full")
    assert moved(strategy="l2sp", penalty=0.0) == pytest.approx(free)
    assert moved(strategy="l2sp", penalty=10.0) < 0.5 * free


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_learns(source, strategy):
    made, energies, forces = clusters(12)
    model = tuned(source, strategy=strategy, max_epochs=15, lr=0.01, unfreeze_every=3, batch_size=4)
    model.fit(made, energies, forces=forces)
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]
    assert [part.shape for part in model.predict_forces(made)] == [(5, 3)] * 12


def test_full_fine_tuning_begins_where_the_source_is(source):
    model = tuned(source, lr=0.0, weight_decay=0.0, readout="source").fit(MOLECULES, ENERGIES)
    assert_allclose(model.predict_forces(MOLECULES)[4], source.predict_forces(MOLECULES)[4], atol=1e-9)


def test_grid_search(source, tmp_path):
    grid = {"strategy": list(STRATEGIES), "source": [FrozenEstimator(source)]}
    search = GridSearchCV(tuned(source, max_epochs=1), grid, cv=2, error_score="raise").fit(MOLECULES, ENERGIES)
    save_source(search.best_estimator_, tmp_path / "best.source")
    assert_allclose(load_source(tmp_path / "best.source").predict(MOLECULES), search.predict(MOLECULES), rtol=1e-12)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"strategy": "half"}, "strategy must be one of full, freeze"),
        ({"n_blocks": 3}, "n_blocks must be an integer between 0 and 2"),
        ({"unfreeze_every": 0}, "unfreeze_every must be"),
        ({"lr_decay": 2.0}, "lr_decay must be in"),
        ({"penalty": -1.0}, r"penalty must be in \[0, inf\), got -1\.0"),
        ({"penalty": np.nan}, r"penalty must be in \[0, inf\), got nan"),
    ],
)
def test_parameters_are_checked(source, params, message):
    with pytest.raises(ValueError, match=message):
        tuned(source, **params).fit(MOLECULES, ENERGIES)


def test_parameters_that_no_module_has(source):
    with pytest.raises(TypeError, match="n_layers"):
        tuned(source, module__n_layers=3).fit(MOLECULES, ENERGIES)


def test_sources_with_a_kept_shape(source):
    energies = np.array([1.0, 2.0] * 5)
    assert tuned(source, target="intensive").fit(MOLECULES, energies).predict(MOLECULES).shape == (10,)
