import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor, VotingRegressor
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import get_scorer, make_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.utils.fixes import parse_version

from sktaag.descriptors import Fingerprints
from sktaag.heads import direct_models, small_data_heads
from sktaag.io import load_model, save_model
from sktaag.model_selection import log_me, ridge_loo
from sktaag.nn import Pyramid
from sktaag.sources import ModelLibrary, PyramidEnsemble, PyramidRegressor, _model_library, save_source
from sktaag.structures import InvalidRowsWarning, _reader
from sktaag.transfer import FrozenFeaturizer, SourceSearchCV
from sktaag.transfer._candidate import Candidate, Offer
from sktaag.transfer._contest import Contest, corrected_error, voters_of
from sktaag.transfer._layer_bank import LayerBank
from sktaag.transfer._screening import sizes_of_rounds

SMILES = ["C" * n + end for n in range(1, 9) for end in ("", "O", "N", "(=O)O", "OC")]
y_source = np.array([10.0 * s.count("C") + 50 * s.count("O") + 30 * s.count("N") for s in SMILES])
TARGET = [
    "CC(C)O",
    "CC(C)CO",
    "CCC(C)O",
    "CC(C)N",
    "OCCO",
    "NCCN",
    "CC(C)C",
    "CC(O)CC",
    "C1CCCCC1",
    "CCF",
    "CCCO",
    "CCN",
]
y = np.array([10.0 * s.count("C") + 50 * s.count("O") + 30 * s.count("N") + len(s) for s in TARGET])
groups = np.arange(len(TARGET)) % 4

rng = np.random.RandomState(0)
N, P = 60, 12
X_numeric = rng.randn(N, P).astype(np.float32)
y_numeric = np.sin(X_numeric[:, 0]) + X_numeric[:, 1] * X_numeric[:, 2] + 0.1 * rng.randn(N)


def random_network(seed, hidden=(16, 8, 4)):
    """Draw an untrained network: a source that knows nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Pyramid(P, 1, hidden=hidden, batch_norm=False)


class Knowing(torch.nn.Module):
    """A network whose last hidden layer holds what the target is made of."""

    def __init__(self):
        super().__init__()
        self.read, self.keep, self.output = torch.nn.Linear(P, 3), torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
        with torch.no_grad():
            for layer in (self.read, self.keep):
                layer.weight.copy_(torch.eye(*layer.weight.shape))
                layer.bias.zero_()

    def forward(self, x):
        a, b, c = self.read(x).T
        return self.output(self.keep(torch.stack([torch.sin(a), b * c], dim=1)))


NETWORKS = [random_network(seed) for seed in range(5)]


@pytest.fixture(scope="module")
def sources():
    return [
        make_pipeline(
            Fingerprints(counts=True, size=64),
            StandardScaler(),
            PyramidRegressor(hidden=(8, 6, 4), max_epochs=2, random_state=seed),
        ).fit(SMILES, y_source)
        for seed in range(3)
    ]


def search(sources=NETWORKS, head=None, **params):
    return SourceSearchCV(Ridge() if head is None else head, sources, **params)


def same_results(a, b):
    assert list(a.cv_results_) == list(b.cv_results_)
    for name in a.cv_results_:
        if not name.endswith("_time"):
            assert_array_equal(np.asarray(a.cv_results_[name]), np.asarray(b.cv_results_[name]), err_msg=name)


# ---------------------------------------------------------------- the score is that of the pipeline


def test_each_candidate_is_scored_as_its_pipeline_is(sources):
    cv = KFold(4, shuffle=True, random_state=0)
    entries = [1, 2, [2], "all", "output"]
    found = search(sources, layers=entries, cv=cv, scoring="neg_mean_absolute_error").fit(TARGET, y).cv_results_
    assert len(found["params"]) == 3 * 5 + 1
    for i, params in enumerate(found["params"]):
        if params["source"] is None:
            model = make_pipeline(Fingerprints(counts=True, size=64), StandardScaler(), Ridge())
        else:
            model = make_pipeline(FrozenFeaturizer(sources[params["source"]], params["layers"]), Ridge())
        expected = cross_val_score(model, TARGET, y, cv=cv, scoring="neg_mean_absolute_error")
        assert_allclose([found[f"split{k}_test_score"][i] for k in range(4)], expected, rtol=1e-5, err_msg=params)
        assert_allclose(found["mean_test_score"][i], expected.mean(), rtol=1e-5)
        assert_allclose(found["std_test_score"][i], expected.std(), rtol=1e-4)


def test_results_have_the_form_of_a_grid_search():
    grid = GridSearchCV(
        make_pipeline(FrozenFeaturizer(NETWORKS[0]), Ridge()), {"frozenfeaturizer__layers": [1, 2, 3]}, cv=3
    ).fit(X_numeric, y_numeric)
    ours = search(NETWORKS[:1], layers=[1, 2, 3], cv=3, baseline=False).fit(X_numeric, y_numeric)
    for name in grid.cv_results_:
        if name not in ("params", "param_frozenfeaturizer__layers"):
            assert ours.cv_results_[name].dtype == grid.cv_results_[name].dtype, name
            assert ours.cv_results_[name].shape == grid.cv_results_[name].shape, name
        if "test_score" in name:
            assert_allclose(ours.cv_results_[name], grid.cv_results_[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert ours.cv_results_["param_layers"].tolist() == [1, 2, 3]
    assert ours.n_splits_ == 3
    assert ours.best_score_ == pytest.approx(grid.best_score_)
    assert pd.DataFrame(ours.cv_results_).shape[0] == 3


@pytest.mark.parametrize("layers", [1, 2, [3, 1], "all", "output"])
def test_slices_of_layers_equal_the_featurizer(sources, layers):
    bank = LayerBank(
        {"a": sources[0], "b": sources[1]},
        np.array(TARGET, dtype=object),
        [layers],
        1,
        rng,
        activation="post",
        cache=None,
        described={},
    )
    featurizer = FrozenFeaturizer({"a": sources[0], "b": sources[1]}, layers, activation="post")
    assert_array_equal(bank.features(0), featurizer.fit_transform(TARGET))


def test_refit_equals_a_fresh_fit_of_the_winner(sources):
    found = search(sources, layers=[1, "all"], cv=3, baseline=False).fit(TARGET, y)
    winner = make_pipeline(FrozenFeaturizer(sources[found.best_source_], found.best_layers_), Ridge()).fit(TARGET, y)
    assert_allclose(found.predict(TARGET), winner.predict(TARGET))
    assert found.best_estimator_[0].source is sources[found.best_source_]
    assert found.best_params_ == {"source": found.best_source_, "layers": found.best_layers_}
    assert found.best_score_ == found.cv_results_["mean_test_score"].max()
    assert found.cv_results_["rank_test_score"][found.best_index_] == 1
    assert found.score(TARGET, y) == pytest.approx(winner.score(TARGET, y))
    assert found.refit_time_ > 0
    assert found.n_features_in_ == 1


def test_a_source_that_knows_wins_from_many_that_do_not():
    found = search({**dict(enumerate(NETWORKS)), "knows": Knowing()}, cv=3).fit(X_numeric, y_numeric)
    assert found.best_source_ == "knows"
    assert found.best_score_ > 0.9
    assert found.best_strategy_ == "best"
    assert found.summary_.startswith("The best single source (source 'knows', layers 1) wins: score 0.9")
    assert "better than the direct model (standard error " in found.summary_
    assert "\nThe direct model: " in found.summary_


# ---------------------------------------------------------------- the honest score


@pytest.mark.parametrize("seed", [0, 1])
def test_nested_score_on_noise_is_honest_and_the_inner_one_is_not(seed):
    rng = np.random.RandomState(seed)
    noise, X = rng.randn(20), rng.randn(20, P).astype(np.float32)
    networks = [random_network(i, hidden=(8, 2)) for i in range(25)]
    model = search(networks, cv=4, baseline=False, scoring="neg_mean_squared_error")
    nested = cross_val_score(model, X, noise, cv=4, scoring="neg_mean_squared_error").mean()
    mean = cross_val_score(DummyRegressor(), X, noise, cv=4, scoring="neg_mean_squared_error").mean()
    assert model.fit(X, noise).best_score_ > 0.95 * mean  # "better than the mean" by 5 %, on noise
    assert nested < mean  # the mean is the best that there is


def test_baseline_is_chosen_unless_a_source_wins(sources):
    only = search(sources, cv=3).fit(TARGET, y)
    assert only.cv_results_["param_source"].mask.tolist() == [True, False, False, False]
    best_transfer = only.cv_results_["mean_test_score"][1:].max()
    direct = only.cv_results_["mean_test_score"][0]
    assert direct > best_transfer
    assert only.best_source_ is None
    assert only.best_strategy_ == "direct"

    constant = search(sources, head=DummyRegressor(), cv=3).fit(TARGET, y)  # a tie
    assert constant.best_source_ is constant.best_layers_ is None
    assert constant.best_index_ == 0
    assert constant.summary_.startswith("The direct model wins: ")
    assert [type(step) for step in constant.best_estimator_[:-1]] == [Fingerprints, StandardScaler]


def test_direct_model_learns_its_scaler_from_the_target(sources):
    found = search(sources, head=DummyRegressor(), cv=3).fit(TARGET, y)
    assert_allclose(found.best_estimator_[1].mean_, Fingerprints(counts=True, size=64).fit_transform(TARGET).mean(0))


def test_explicit_baseline():
    class Perfect(Ridge):
        def predict(self, X):
            return np.sin(X[:, 0]) + X[:, 1] * X[:, 2]

    found = search(baseline=Perfect(), cv=3).fit(X_numeric, y_numeric)
    assert found.best_source_ is None
    assert type(found.best_estimator_) is Perfect
    heads = {"a": Ridge(), "b": Ridge(10)}
    found = search(head=heads, baseline=Perfect(), cv=3).fit(X_numeric, y_numeric)
    assert found.best_head_ is None
    assert found.cv_results_["param_head"].mask.sum() == 1


def test_several_baselines_with_a_preparation_of_their_own():
    baselines = {"ridge": make_pipeline(StandardScaler(), Ridge()), "mean": DummyRegressor()}
    found = search(NETWORKS[:1], baseline=baselines, cv=CV).fit(X_numeric, y_numeric)
    assert found.cv_results_["param_head"].tolist() == ["ridge", "mean", None]
    assert found.cv_results_["param_source"].mask.tolist() == [True, True, False]
    for row, model in enumerate(baselines.values()):
        expected = cross_val_score(model, X_numeric, y_numeric, cv=CV)
        assert_allclose(fold_scores_of(found, row, 4), expected)
    constant = search(NETWORKS[:1], head=DummyRegressor(), baseline=baselines, cv=CV).fit(X_numeric, X_numeric[:, 0])
    assert (constant.best_strategy_, constant.best_head_) == ("direct", "ridge")
    assert isinstance(constant.best_estimator_[-1], Ridge)


def test_heads_of_one_bundle_vote_together():
    heads = {"ridge": Ridge(), "stiff": Ridge(100.0), "mean": DummyRegressor()}
    bundle = {"all": NETWORKS[:3]}
    features = FrozenFeaturizer(NETWORKS[:3])
    found = search(bundle, head=heads, aggregate="average", n_best=3, baseline=False, cv=CV)
    found.fit(X_numeric, y_numeric)
    model = VotingRegressor([(name, make_pipeline(features, head)) for name, head in heads.items()])
    assert_allclose(fold_scores_of(found, 3, 4), cross_val_score(model, X_numeric, y_numeric, cv=CV), rtol=1e-3)


def test_one_standard_error_keeps_the_direct_model():
    slightly = {"baseline": Ridge(), "cv": KFold(5, shuffle=True, random_state=0)}
    y_linear = X_numeric @ np.arange(P) + rng.randn(N)

    class Copy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(P, P), torch.nn.Linear(P, 1)
            with torch.no_grad():
                self.a.weight.copy_(torch.eye(P) * 1.05)

        def forward(self, x):
            return self.b(self.a(x))

    loose = search([Copy()], **slightly).fit(X_numeric, y_linear)
    strict = search([Copy()], one_standard_error=True, **slightly).fit(X_numeric, y_linear)
    difference = [
        loose.cv_results_[f"split{k}_test_score"][1] - loose.cv_results_[f"split{k}_test_score"][0] for k in range(5)
    ]
    wins = np.mean(difference) > np.std(difference, ddof=1) / np.sqrt(5)
    assert loose.best_source_ == (0 if np.mean(difference) > 0 else None)
    assert strict.best_source_ == (0 if wins else None)
    clear = search([Knowing()], one_standard_error=True).fit(X_numeric, y_numeric)
    assert clear.best_source_ == 0


# ---------------------------------------------------------------- what may be a source


def test_forms_of_sources(sources, tmp_path):
    class Ensemble:
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return sources[range(3)[i]]

    paths = [tmp_path / f"{name}.sktaag" for name in "abc"]
    for source, path in zip(sources, paths, strict=True):
        save_source(source, path)
    frame = pd.DataFrame({"r2": [0.1, 0.2, 0.3], "id": list("abc"), "source": list(map(str, paths))}, index=[7, 8, 9])
    expected = search(sources, cv=3).fit(TARGET, y)
    names = {"list": [0, 1, 2], "ids": ["a", "b", "c"]}
    for form, kind in [
        (tuple(sources), "list"),
        (Ensemble(), "list"),
        (paths, "list"),
        (dict(zip("abc", sources, strict=True)), "ids"),
        (frame, "ids"),
    ]:
        found = search(form, cv=3).fit(TARGET, y)
        assert found.cv_results_["param_source"][1:].tolist() == names[kind]
        assert_allclose(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], rtol=1e-6)
        assert_allclose(found.predict(TARGET), expected.predict(TARGET), rtol=1e-6)


def test_library(sources, tmp_path):
    library = ModelLibrary(tmp_path / "library")
    for i, source in enumerate(sources):
        library.add(source, property="boiling point", unit="K", material="molecule", name=f"network {i}")
    found = search(library.search(property="boiling point"), cv=3).fit(TARGET, y)
    assert set(found.cv_results_["param_source"][1:]) == set(library.search()["id"])
    expected = search(sources, cv=3).fit(TARGET, y).cv_results_["mean_test_score"]
    assert_allclose(np.sort(found.cv_results_["mean_test_score"]), np.sort(expected), rtol=1e-6)
    assert found.predict(TARGET).shape == (len(TARGET),)
    query = library.search()
    best = found.cv_results_["param_source"][1:][found.cv_results_["mean_test_score"][1:].argmax()]
    assert f"(source {best!r}, boiling point (K), layers 1)" in found.summary_
    bundle = search({"all": query, "one": sources[0]}, layers=["output"], cv=3).fit(TARGET, y)
    model = make_pipeline(FrozenFeaturizer(query, "output"), Ridge())
    assert_allclose(bundle.cv_results_["mean_test_score"][1], cross_val_score(model, TARGET, y, cv=3).mean(), rtol=1e-5)


def test_ensemble_stands_for_its_networks(monkeypatch):
    ensemble = PyramidEnsemble(n_models=3, hidden=(6, 4), max_epochs=2, random_state=0)
    chain = make_pipeline(Fingerprints(counts=True, size=64), ensemble).fit(SMILES, y_source)
    members = [make_pipeline(chain[0], chain[1][k]) for k in range(3)]
    expected = search(members, cv=3).fit(TARGET, y)
    found = search(chain, cv=3).fit(TARGET, y)
    assert_allclose(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], rtol=1e-6)
    X = chain[0].transform(TARGET)
    bare = search(chain[1], cv=3, baseline=False).fit(X, y)
    assert_allclose(bare.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"][1:], rtol=1e-6)
    assert_allclose(bare.predict(X).shape, (len(TARGET),))
    table = chain[1].members_.copy()
    table.loc[1, "best_epoch"] = 0  # what a network has whose training diverged
    monkeypatch.setattr(PyramidEnsemble, "members_", property(lambda self: table), raising=False)
    assert search(chain, cv=3).fit(TARGET, y).cv_results_["param_source"].tolist() == [None, 0, 2]


def test_bundle_of_sources_is_one_candidate(sources):
    found = search({"both": sources[:2], "one": sources[2]}, layers=[1], cv=3).fit(TARGET, y)
    model = make_pipeline(FrozenFeaturizer(sources[:2]), Ridge())
    assert_allclose(found.cv_results_["mean_test_score"][1], cross_val_score(model, TARGET, y, cv=3).mean(), rtol=1e-5)


def test_networks_of_a_bundle_are_opened_once(sources, tmp_path, monkeypatch):
    library = ModelLibrary(tmp_path / "library")
    paths = [f"{library.path}#{library.add(source, property='a', name=str(i))}" for i, source in enumerate(sources)]
    opened, read, get, load = [], [], ModelLibrary.get, _model_library.load_steps
    monkeypatch.setattr(ModelLibrary, "get", lambda self, id: opened.append(id) or get(self, id))
    monkeypatch.setattr(_model_library, "load_steps", lambda *args: read.append(args[1]) or load(*args))
    heads = {"ridge": Ridge(), "stiff": Ridge(100.0), "mean": DummyRegressor()}
    settings = {"head": heads, "aggregate": "average", "n_best": 3, "baseline": False, "cv": 3, "layers": [1, "output"]}
    for bundle in (paths, dict(enumerate(paths)), library.search()):
        found = search({"all": bundle}, **settings).fit(TARGET, y)
        ids = [path.rpartition("#")[2] for path in paths]
        assert sorted(opened) == sorted([*ids, opened[0]])  # the first one, to see what X is, and then each
        assert len(read) == 2 * len({*read}) == 2  # what stands before the networks: there, and once for all of them
        expected = search({"all": sources}, **settings).fit(TARGET, y)
        assert_allclose(found.predict(TARGET), expected.predict(TARGET), rtol=1e-5)
        opened.clear()
        read.clear()


def test_other_sources_in_the_winner_are_opened(sources):
    found = search({"all": sources[:2]}, layers=[1], baseline=False, cv=3).fit(TARGET, y)
    winner = clone(found.best_estimator_)
    assert_allclose(winner.fit(TARGET, y).predict(TARGET), found.predict(TARGET))
    winner.set_params(frozenfeaturizer__source=sources[1:]).fit(TARGET, y)
    expected = make_pipeline(FrozenFeaturizer(sources[1:]), Ridge()).fit(TARGET, y)
    assert_allclose(winner.predict(TARGET), expected.predict(TARGET))


def test_file_holds_the_networks_of_a_bundle_once(sources, tmp_path):
    found = search({"all": sources[:2]}, layers=[1], baseline=False, cv=3).fit(TARGET, y).best_estimator_
    plain = make_pipeline(FrozenFeaturizer(sources[:2]), Ridge()).fit(TARGET, y)
    for name, model in (("found", found), ("plain", plain)):
        save_model(model, tmp_path / name)
    assert (tmp_path / "found").stat().st_size == pytest.approx((tmp_path / "plain").stat().st_size, rel=0.1)
    assert_allclose(load_model(tmp_path / "found").predict(TARGET), found.predict(TARGET))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mean_of_the_three_best_of_the_usual_heads_and_direct_models(sources, tmp_path):
    shares = make_pipeline(Fingerprints(counts=True, size=64), Normalizer("l1"))
    heads, direct = small_data_heads(random_state=0), direct_models(shares, random_state=0)
    cv = KFold(3, shuffle=True, random_state=0)
    found = search(
        {"all": sources},
        head=heads,
        layers=[1, "output"],
        baseline=direct,
        aggregate="average",
        n_best=3,
        cv=cv,
        scoring="neg_mean_absolute_error",
    ).fit(TARGET, y)
    models = {(name, None): model for name, model in direct.items()}
    for layers in (1, "output"):
        models |= {(name, layers): make_pipeline(FrozenFeaturizer(sources, layers), heads[name]) for name in heads}
    scores = {
        key: cross_val_score(model, TARGET, y, cv=cv, scoring="neg_mean_absolute_error").mean()
        for key, model in models.items()
    }
    best = {}  # of the layers of each head, and each direct model
    for name, layers in sorted(scores, key=scores.get, reverse=True):
        best.setdefault((name, layers is None), models[name, layers])
    voting = VotingRegressor([(str(key), model) for key, model in list(best.items())[:3]])
    assert len(found.cv_results_["params"]) == 3 + 6 + 1
    for params, score in zip(found.cv_results_["params"][:9], found.cv_results_["mean_test_score"], strict=False):
        assert score == pytest.approx(scores[params["head"], params["layers"]], rel=1e-3)
    assert found.best_strategy_ == "average"
    assert_allclose(found.predict(TARGET), voting.fit(TARGET, y).predict(TARGET), rtol=1e-3)
    assert "standard error" in found.summary_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
def test_usual_heads_and_direct_models_of_classes(sources, tmp_path, n_classes):
    shares = make_pipeline(Fingerprints(counts=True, size=64), Normalizer("l1"))
    smiles, numbers = SMILES[::2], y_source[::2]
    kinds = np.array(["low", "middle", "high"])[np.digitize(numbers, np.quantile(numbers, [0.33, 0.66])) % n_classes]
    found = search(
        {"all": sources},
        head=small_data_heads(random_state=0, task="classification"),
        layers=[1, "output"],
        baseline=direct_models(shares, random_state=0, task="classification"),
        aggregate=["best", "average", "stack"],
        n_best=3,
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        scoring="neg_log_loss",
    ).fit(smiles, kinds)
    assert is_classifier(found)
    assert found.cv_results_["param_head"].tolist()[:3] == ["forest", "logistic regression", "Gaussian process"]
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert found.score(smiles, kinds) > -0.7  # less than for equal probabilities
    save_model(found, tmp_path / "classes.model")
    assert_allclose(load_model(tmp_path / "classes.model").predict_proba(smiles), found.predict_proba(smiles))


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        ([], ValueError, "sources is empty"),
        ({}, ValueError, "sources is empty"),
        ("a.sktaag", TypeError, "got str. Wrap a single source in a list"),
        (make_pipeline(StandardScaler()), TypeError, "got Pipeline. Wrap a single source"),
        (torch.nn.Sequential(torch.nn.Linear(1, 1)), TypeError, "got Sequential. Wrap a single source"),
        (Ridge(), TypeError, "got Ridge. Wrap"),
        (pd.DataFrame({"id": [], "source": []}), ValueError, r"sources is empty; .* The query found no model"),
        (
            ModelLibrary("nowhere"),
            TypeError,
            r"A whole ModelLibrary is no source. .* library.search\(hidden='\*'\) for",
        ),
        ({"bundle": [ModelLibrary("nowhere")]}, TypeError, "A whole ModelLibrary is no source"),
        ({"bundle": pd.DataFrame({"id": [], "source": []})}, ValueError, "source is empty; .* found no model"),
        (pd.DataFrame({"id": ["a"]}), ValueError, r'must have the columns "id" and "source".* got \'id\''),
    ],
)
def test_what_is_no_collection_of_sources(form, error, message):
    with pytest.raises(error, match=message):
        search(form).fit(X_numeric, y_numeric)


def test_unfitted_source_is_named():
    unfitted = make_pipeline(StandardScaler(), PyramidRegressor())
    with pytest.raises(NotFittedError, match="ends in a PyramidRegressor that is not fitted") as caught:
        search({"a": NETWORKS[0], "b": unfitted}).fit(X_numeric, y_numeric)
    assert caught.value.__notes__ == ["This is source 'b' of the search."]


# ---------------------------------------------------------------- layers


def test_choices_of_layers_that_mean_the_same_are_tried_once():
    found = search(NETWORKS[:1], layers=[3, "all", [1, 2, 3], 1, [1], "output"], cv=2, baseline=False)
    assert found.fit(X_numeric, y_numeric).cv_results_["param_layers"].tolist() == [3, 1, "output"]


def test_random_draws_subsets_of_the_layers():
    networks = [random_network(0, (9, 8, 7, 6)), random_network(1, (9, 8, 7, 6))]
    draw = search(networks, layers=["random"], n_draws=5, cv=2, baseline=False, random_state=0)
    choices = draw.fit(X_numeric, y_numeric).cv_results_["param_layers"].tolist()
    assert len(choices) == 10
    first, second = choices[:5], choices[5:]
    assert first != second
    for drawn in (first, second):
        assert len({tuple(subset) for subset in drawn}) == 5
        assert all(subset == sorted(subset) and set(subset) <= {1, 2, 3, 4} for subset in drawn)
    same_results(draw, clone(draw).fit(X_numeric, y_numeric))
    other = clone(draw).set_params(random_state=1).fit(X_numeric, y_numeric)
    assert other.cv_results_["param_layers"].tolist() != choices


def test_random_exhausts_the_subsets():
    draw = search(NETWORKS[:1], layers=["random", 1, "all"], n_draws=100, cv=2, baseline=False, random_state=0)
    choices = draw.fit(X_numeric, y_numeric).cv_results_["param_layers"].tolist()
    assert sorted(map(tuple, choices)) == [(1,), (1, 2), (1, 2, 3), (1, 3), (2,), (2, 3), (3,)]


def test_source_with_fewer_layers_goes_without_the_deep_ones():
    networks = {"deep": random_network(0, (9, 8, 7)), "shallow": random_network(1, (9,))}
    found = search(networks, layers=[1, 3], cv=2, baseline=False).fit(X_numeric, y_numeric).cv_results_
    assert list(zip(found["param_source"], found["param_layers"], strict=True)) == [
        ("deep", 1),
        ("deep", 3),
        ("shallow", 1),
    ]
    with pytest.raises(ValueError, match=r"No source has as many hidden layers as layers=\[4\] asks for"):
        search(networks, layers=[4]).fit(X_numeric, y_numeric)


# ---------------------------------------------------------------- screening


@pytest.mark.parametrize(
    ("screen", "definition"),
    [
        ("ridge", ridge_loo),
        ("log_me", lambda X, y: log_me(X, y, fit_intercept=True)),
    ],
)
def test_screening_keeps_the_best_by_its_score(screen, definition):
    found = search(layers=[1, 2], screen=screen, n_screened=3, cv=2).fit(X_numeric, y_numeric)
    table = found.screening_results_
    for source, layers, score in zip(table["source"], table["layers"], table["score"], strict=True):
        features = FrozenFeaturizer(NETWORKS[source], layers).fit_transform(X_numeric)
        assert score == pytest.approx(definition(StandardScaler().fit_transform(features.astype(float)), y_numeric))
    assert_array_equal(np.flatnonzero(table["kept"]), np.sort(np.argsort(-table["score"])[:3]))
    kept = list(zip(table["source"][table["kept"]], table["layers"][table["kept"]], strict=True))
    tried = found.cv_results_
    assert list(zip(tried["param_source"][1:], tried["param_layers"][1:], strict=True)) == kept
    assert_array_equal(tried["screening_score"][1:], table["score"][table["kept"]])
    assert np.isnan(tried["screening_score"][0])
    assert "Screening kept 3 of 10." in found.summary_


def test_a_cheap_head_screens_by_its_inner_score():
    cheap = RandomForestRegressor(2, random_state=0)
    found = search([Knowing(), *NETWORKS], screen=cheap, n_screened=2, cv=3).fit(X_numeric, y_numeric)
    alone = search([Knowing(), *NETWORKS], head=cheap, baseline=False, cv=3).fit(X_numeric, y_numeric)
    assert_array_equal(found.screening_results_["score"], alone.cv_results_["mean_test_score"])
    assert found.screening_results_["kept"].sum() == 2
    assert found.best_source_ == 0
    failing = search(NETWORKS, screen=Fragile(), n_screened=1, cv=2, layers=[1, "all"]).fit(X_numeric, y_numeric)
    assert failing.cv_results_["param_layers"][1] == "all"


def test_rounds_of_screening():
    networks = [Knowing(), *(random_network(seed) for seed in range(15))]
    trees = RandomForestRegressor(3, random_state=0)
    found = search(networks, screen=["ridge", trees], n_screened=4, cv=CV).fit(X_numeric, y_numeric)
    table = found.screening_results_
    first = search(networks, screen="ridge", n_screened=8, cv=CV).fit(X_numeric, y_numeric).screening_results_
    assert_array_equal(table["n_passed"] > 0, first["kept"])  # 16 -> 8 -> 4
    assert_array_equal(table["score"][~first["kept"]], first["score"][~first["kept"]])
    by_trees = search(networks, head=trees, baseline=False, cv=CV).fit(X_numeric, y_numeric).cv_results_
    assert_array_equal(table["score"][first["kept"]], by_trees["mean_test_score"][first["kept"]])
    left = np.flatnonzero(first["kept"])
    best = left[np.argsort(-by_trees["mean_test_score"][left])[:4]]
    assert_array_equal(np.flatnonzero(table["kept"]), np.sort(best))
    assert_array_equal(table["n_passed"] == 2, table["kept"])
    assert found.best_source_ == 0


def test_halving_lets_the_trees_of_the_head_grow():
    head = make_pipeline(StandardScaler(), RandomForestRegressor(40, random_state=0))
    networks = [Knowing(), *(random_network(seed) for seed in range(11))]
    params = {"head": {"ridge": Ridge(), "forest": head}, "n_screened": 2, "cv": 3, "refit": False}
    found = search(networks, screen="halving", **params).fit(X_numeric, y_numeric)
    rounds = [clone(head).set_params(randomforestregressor__n_estimators=n) for n in (2, 4)]
    expected = search(networks, screen=["log_me", *rounds], **params).fit(X_numeric, y_numeric)
    same_results(found, expected)
    assert found.best_source_ == 0
    assert found.screening_results_["kept"].sum() == 2


def test_sizes_of_rounds():
    assert sizes_of_rounds(1000, 10, 2) == [100, 10]
    assert sizes_of_rounds(1000, 20, 3) == [272, 74, 20]
    assert sizes_of_rounds(5, 10, 3) == [5, 5, 5]
    assert sizes_of_rounds(7, 3, 1) == [3]


def test_an_integer_screens_by_ridge():
    number = search(screen=2, cv=2).fit(X_numeric, y_numeric)
    named = search(screen="ridge", n_screened=2, cv=2).fit(X_numeric, y_numeric)
    same_results(number, named)
    assert len(number.cv_results_["params"]) == 3


def test_a_twentieth_is_kept_and_ten_at_least():
    networks = [random_network(seed) for seed in range(12)]
    few = search(networks, screen="ridge", cv=2).fit(X_numeric, y_numeric)
    assert few.screening_results_["kept"].sum() == 10
    many = search(networks * 20, screen="ridge", cv=2).fit(X_numeric, y_numeric)
    assert many.screening_results_["kept"].sum() == 12


def test_screening_of_classes():
    labels = np.where(y_numeric > 0, "high", "low")
    for screen in ("ridge", "log_me"):
        found = search(
            [*NETWORKS, Knowing()], LogisticRegression(), screen=screen, n_screened=1, cv=3, baseline=False
        ).fit(X_numeric, labels)
        assert found.best_source_ == 5, screen


def test_log_me_tells_layers_wider_than_the_rows_apart():
    networks = [random_network(seed, hidden=(40, 30)) for seed in range(4)]
    scores = search(networks, layers=[1], screen="log_me", cv=2).fit(X_numeric[:20], y_numeric[:20]).screening_results_
    assert np.isfinite(scores["score"]).all()
    assert len(set(scores["score"])) == 4


def test_a_dead_layer_comes_last():
    dead = random_network(9)
    with torch.no_grad():
        for weights in dead.parameters():
            weights.zero_()
    found = search([dead, *NETWORKS], screen="log_me", n_screened=5, cv=2).fit(X_numeric, y_numeric)
    assert found.screening_results_["score"][0] == -np.inf
    assert not found.screening_results_["kept"][0]


# ---------------------------------------------------------------- several heads, several candidates


def test_heads_compete():
    heads = {"ridge": Ridge(), "forest": RandomForestRegressor(5, random_state=0)}
    found = search(NETWORKS[:2], heads, cv=2).fit(X_numeric, y_numeric)
    table = found.cv_results_
    assert table["param_head"].tolist() == ["ridge", "forest"] * 3
    assert table["param_source"].tolist() == [None, None, 0, 0, 1, 1]
    for name, head in heads.items():
        alone = search(NETWORKS[:2], head, cv=2).fit(X_numeric, y_numeric).cv_results_
        assert_array_equal(table["mean_test_score"][table["param_head"] == name], alone["mean_test_score"])
    assert found.best_head_ == table["param_head"][found.best_index_]
    assert f"head {found.best_head_!r}" in found.summary_
    with pytest.raises(ValueError, match="head is an empty dict"):
        search(head={}).fit(X_numeric, y_numeric)


# ---------------------------------------------------------------- strategies


def pipelines(networks, layers=1):
    return [make_pipeline(FrozenFeaturizer(network, layers), Ridge()) for network in networks]


def fold_scores_of(found, row, n_splits):
    return [found.cv_results_[f"split{k}_test_score"][row] for k in range(n_splits)]


def convex_weights(predictions, y):
    """Weights of least squared error by another optimiser than ours."""
    n = predictions.shape[1]
    scale = np.var(y)
    return minimize(
        lambda w: np.mean((predictions @ w - y) ** 2) / scale,
        np.full(n, 1 / n),
        bounds=[(0, 1)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x


def half_knowing(i):
    """Draw a network that knows half of what the target is made of."""
    network = Knowing()
    with torch.no_grad():
        network.keep.weight[i] = 0
    return network


CV = KFold(4, shuffle=True, random_state=0)


def test_average_is_scored_as_any_model_is():
    # with as many members as sources, each fold averages the same ones
    found = search(NETWORKS[:3], aggregate="average", n_best=3, baseline=False, cv=CV).fit(X_numeric, y_numeric)
    model = VotingRegressor([(str(i), pipeline) for i, pipeline in enumerate(pipelines(NETWORKS[:3]))])
    expected = cross_val_score(model, X_numeric, y_numeric, cv=CV)
    assert_allclose(fold_scores_of(found, 3, 4), expected, rtol=1e-4)
    assert found.cv_results_["params"][3] == {"aggregate": "average"}
    assert found.cv_results_["param_aggregate"].tolist() == [None, None, None, "average"]
    assert found.cv_results_["param_source"].mask.tolist() == [False, False, False, True]
    assert found.contest_["strategy"].tolist() == ["average"]
    assert found.contest_["mean_test_score"][0] == found.cv_results_["mean_test_score"][3]


def test_average_predicts_with_its_spread():
    found = search(layers=[1, 2], aggregate="average", n_best=3, baseline=False, cv=3).fit(X_numeric, y_numeric)
    assert found.best_strategy_ == "average"
    assert found.best_index_ == 10
    assert found.best_score_ == found.cv_results_["mean_test_score"][10]
    assert found.best_params_ == {"aggregate": "average"}
    assert len(set(found.best_source_)) == 3
    members = [found.cv_results_["params"][i] for i in found.best_indices_]
    assert [p["source"] for p in members] == found.best_source_
    assert [p["layers"] for p in members] == found.best_layers_
    models = [make_pipeline(FrozenFeaturizer(NETWORKS[p["source"]], p["layers"]), Ridge()) for p in members]
    predictions = np.array([model.fit(X_numeric, y_numeric).predict(X_numeric) for model in models])
    mean, spread = found.predict(X_numeric, return_std=True)
    assert_allclose(mean, predictions.mean(0), rtol=1e-5, atol=1e-5)
    assert_allclose(spread, predictions.std(0), rtol=1e-4, atol=1e-5)
    assert_allclose(found.predict(X_numeric), mean)
    assert found.summary_.startswith("The average of 3 candidates wins: score ")


@pytest.mark.parametrize("cv", [CV, RepeatedKFold(n_splits=4, n_repeats=3, random_state=0)])
def test_stack_weighs_out_of_fold_predictions(cv):
    networks = [*NETWORKS[:2], random_network(11, (30,)), random_network(12, (40,))]
    found = search(networks, aggregate="stack", n_best=4, baseline=False, cv=cv).fit(X_numeric, y_numeric)
    splits = list(cv.split(X_numeric))
    out_of_fold = np.zeros((N, 4))
    in_fold = np.zeros((len(splits), N, 4))
    for k, (train, test) in enumerate(splits):
        for j, model in enumerate(pipelines(networks)):
            in_fold[k, test, j] = model.fit(X_numeric[train], y_numeric[train]).predict(X_numeric[test])
    out_of_fold = in_fold.sum(axis=0) / (len(splits) / 4)
    for k, (train, test) in enumerate(splits):  # the rows that it is judged on have no say in its weights
        weights = convex_weights(out_of_fold[train], y_numeric[train])
        score = r2_score(y_numeric[test], in_fold[k, test] @ weights)
        assert found.cv_results_[f"split{k}_test_score"][4] == pytest.approx(score, abs=2e-3)
    assert found.best_strategy_ == "stack"
    weights = np.asarray(found.best_estimator_.weights)
    assert weights.sum() == pytest.approx(1)
    assert_allclose(weights, convex_weights(out_of_fold, y_numeric)[found.best_indices_], atol=5e-3)
    members = np.array([model.fit(X_numeric, y_numeric).predict(X_numeric) for model in pipelines(networks)])
    members = members[found.best_indices_]
    mean, spread = found.predict(X_numeric, return_std=True)
    assert_allclose(mean, weights @ members, rtol=1e-3, atol=1e-3)
    assert_allclose(spread**2, weights @ (members - mean) ** 2, rtol=1e-2, atol=1e-3)


def test_sources_side_by_side():
    networks = [NETWORKS[0], half_knowing(0), half_knowing(1)]
    found = search(networks, aggregate="concat", n_best=3, cv=CV, baseline=False).fit(X_numeric, y_numeric)
    model = make_pipeline(FrozenFeaturizer(networks), Ridge())
    assert_allclose(fold_scores_of(found, 3, 4), cross_val_score(model, X_numeric, y_numeric, cv=CV), rtol=1e-3)
    assert found.best_strategy_ == "concat"
    assert_allclose(found.predict(X_numeric), model.fit(X_numeric, y_numeric).predict(X_numeric), rtol=1e-3, atol=1e-3)
    assert sorted(found.best_source_) == [0, 1, 2]


@pytest.mark.parametrize("sparse", [False, True])
def test_descriptors_next_to_features(sources, sparse):
    scaler = StandardScaler(with_mean=not sparse)
    descriptors = Fingerprints(counts=True, size=64, sparse=sparse)
    network = PyramidRegressor(hidden=(8, 6, 4), max_epochs=2, random_state=1)
    source = make_pipeline(descriptors, scaler, network).fit(SMILES, y_source)
    found = search([source], aggregate="descriptors", cv=CV, scoring="neg_mean_absolute_error").fit(TARGET, y)
    side = make_union(make_pipeline(clone(descriptors), clone(scaler)), FrozenFeaturizer(source))
    model = make_pipeline(side, Ridge())
    expected = cross_val_score(model, TARGET, y, cv=CV, scoring="neg_mean_absolute_error")
    assert_allclose(fold_scores_of(found, 2, 4), expected, rtol=1e-5)
    contest = Contest(
        [Candidate(Offer(None, partial(list, [FrozenFeaturizer(source)]), 0, 1), make_pipeline(Ridge()))],
        np.zeros((1, 2)),
        [],
        descriptors=Candidate(
            Offer(lambda: clone(descriptors).fit_transform(TARGET), partial(list, [clone(descriptors)])),
            make_pipeline(clone(scaler), Ridge()),
        ),
        y=y,
        splits=None,
        classes=None,
        n_best=1,
    )
    predicted = contest.estimator("descriptors", [0]).fit(TARGET, y).predict(TARGET)
    assert_allclose(predicted, model.fit(TARGET, y).predict(TARGET), rtol=1e-5)


def test_numbers_next_to_features():
    found = search([Knowing()], aggregate=["descriptors"], cv=CV).fit(X_numeric, y_numeric + X_numeric[:, 3])
    assert found.best_strategy_ == "descriptors"
    features = np.hstack([X_numeric, FrozenFeaturizer(Knowing()).fit_transform(X_numeric)])
    model = Ridge().fit(features, y_numeric + X_numeric[:, 3])
    assert_allclose(found.predict(X_numeric), model.predict(features), rtol=1e-3, atol=1e-3)
    assert found.summary_.startswith("The best source next to the descriptors (source 0, layers 1) wins: score 0.9")


def test_each_fold_is_judged_on_what_the_others_chose():
    found = search(NETWORKS, layers=[1, 2], baseline=False, aggregate=["average", "best"], n_best=2, cv=CV).fit(
        X_numeric, y_numeric
    )
    assert found.contest_["strategy"].tolist() == ["best", "average"]
    table = found.cv_results_
    scores = np.array([table[f"split{k}_test_score"][:10] for k in range(4)]).T
    models = [
        make_pipeline(FrozenFeaturizer(NETWORKS[p["source"]], p["layers"]), Ridge()) for p in table["params"][:10]
    ]
    for k, (train, test) in enumerate(CV.split(X_numeric)):
        order = np.argsort(-np.delete(scores, k, axis=1).mean(axis=1))
        assert found.contest_[f"split{k}_test_score"][0] == scores[order[0], k]
        second = next(i for i in order if table["param_source"][i] != table["param_source"][order[0]])
        predicted = [
            models[i].fit(X_numeric[train], y_numeric[train]).predict(X_numeric[test]) for i in (order[0], second)
        ]
        expected = r2_score(y_numeric[test], np.mean(predicted, axis=0))
        assert found.contest_[f"split{k}_test_score"][1] == pytest.approx(expected, rel=1e-4)


def test_judges_see_other_rows():
    for splitter, expected in [
        (KFold(3), [[1, 2], [0, 2], [0, 1]]),
        (RepeatedKFold(n_splits=2, n_repeats=2, random_state=0), [[1], [0], [3], [2]]),
        (ShuffleSplit(3, test_size=0.9, random_state=0), [[1, 2], [0, 2], [0, 1]]),
        (ShuffleSplit(1, random_state=0), [[0]]),
    ]:
        assert voters_of(list(splitter.split(X_numeric))) == expected


def test_corrected_error():
    differences = np.array([0.1, 0.3, -0.1, 0.2, 0.0])
    splits = list(KFold(5).split(X_numeric))
    assert corrected_error(differences, splits) == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * differences.var(ddof=1)))
    # a hundred repetitions tell no more than one about rows that are not there
    often = list(RepeatedKFold(n_splits=5, n_repeats=100).split(X_numeric))
    assert corrected_error(np.tile(differences, 100), often) > 0.6 * corrected_error(differences, splits)
    assert corrected_error(differences[:1], splits[:1]) == np.inf


def test_the_contest_is_less_optimistic_than_the_best_score():
    plain, fair = [], []
    for seed in range(12):
        rng = np.random.RandomState(seed)
        noise, X = rng.randn(20), rng.randn(20, P).astype(np.float32)
        networks = [random_network(i, hidden=(8, 2)) for i in range(20)]
        model = search(networks, cv=4, baseline=DummyRegressor(), scoring="neg_mean_squared_error", refit=False)
        found = model.fit(X, noise)
        plain.append(found.cv_results_["mean_test_score"][1:].max() - found.cv_results_["mean_test_score"][0])
        fair.append(found.contest_["gain"][1])
    assert np.min(plain) > 0  # the best of twenty always seems to know something about noise
    assert np.mean(fair) < 0.7 * np.mean(plain)


def test_candidates_that_fail_are_no_members():
    model = search(
        NETWORKS[:3], Fragile(), layers=[1, "all"], aggregate=["average", "stack"], n_best=3, cv=2, baseline=False
    )
    with pytest.warns(FitFailedWarning, match="6 of 12"):
        model.fit(X_numeric, y_numeric)
    assert np.isfinite(model.contest_["mean_test_score"]).all()


def test_what_is_named_competes():
    for aggregate, expected in [
        ("best", ["direct", "best"]),
        ("average", ["direct", "average"]),
        (["stack", "best", "average"], ["direct", "best", "stack", "average"]),
    ]:
        found = search(NETWORKS[:3], aggregate=aggregate, cv=3).fit(X_numeric, y_numeric)
        assert found.contest_["strategy"].tolist() == expected
        assert found.best_strategy_ in expected
    with pytest.warns(FitFailedWarning, match="3 of 6"):  # nobody who failed on a fold may vote
        found = search(NETWORKS[:3], Fastidious(), aggregate="average", cv=2, baseline=False).fit(X_numeric, y_numeric)
    assert found.contest_["strategy"].tolist() == ["best"]


def test_spread_needs_a_model_that_has_one():
    found = search(aggregate="average", head=DummyRegressor(), cv=2).fit(X_numeric, y_numeric)
    with pytest.raises(ValueError, match="The search chose 'direct', and Ridge predicts no standard deviation"):
        search(cv=2).fit(X_numeric, y_numeric).predict(X_numeric, return_std=True)
    assert found.predict(X_numeric, return_std=True)[1].shape == (N,)  # that of a DummyRegressor


def test_aggregates_that_cannot_be():
    two = np.column_stack([y_numeric, y_numeric])
    with pytest.raises(ValueError, match=r"aggregate=\['stack'\] takes a single target, got y of shape \(60, 2\)"):
        search(aggregate=["stack"]).fit(X_numeric, two)
    with pytest.raises(ValueError, match="averages probabilities of classes; RidgeClassifier has no predict_proba"):
        search(head=RidgeClassifier(), aggregate="average").fit(X_numeric, y_numeric > 0)


@pytest.mark.parametrize("aggregate", ["average", "stack", "concat", "descriptors"])
def test_direct_model_that_comes_first_is_fitted_alone(aggregate):
    found = search(head=DummyRegressor(), aggregate=aggregate, cv=3).fit(X_numeric, y_numeric)
    assert found.best_indices_ == [0]
    assert isinstance(found.best_estimator_[-1], DummyRegressor)


@pytest.mark.parametrize("aggregate", ["best", "average", "stack", "concat", "descriptors"])
def test_classifiers(aggregate):
    labels = np.where(y_numeric > 0, "high", "low")
    found = search(
        [*NETWORKS, Knowing()], LogisticRegression(), aggregate=aggregate, n_best=2, cv=3, baseline=False
    ).fit(X_numeric, labels)
    assert is_classifier(found)
    assert not is_regressor(found)
    assert found.classes_.tolist() == ["high", "low"]
    assert found.predict_proba(X_numeric).shape == (N, 2)
    assert found.score(X_numeric, labels) > 0.8
    folds = search(NETWORKS[:1], LogisticRegression(), cv=3, baseline=False).fit(X_numeric, labels).cv_results_
    model = make_pipeline(FrozenFeaturizer(NETWORKS[0]), LogisticRegression())
    assert_allclose(
        folds["mean_test_score"][0], cross_val_score(model, X_numeric, labels, cv=StratifiedKFold(3)).mean()
    )


# ---------------------------------------------------------------- an estimator among estimators


def test_clone_keeps_sources_and_clones_the_rest(sources):
    head, cv = {"a": Ridge(3)}, KFold(3)
    model = SourceSearchCV(
        head,
        sources,
        layers=[2, "random"],
        n_draws=3,
        activation="post",
        cv=cv,
        scoring="r2",
        screen="log_me",
        n_screened=4,
        baseline=Ridge(7),
        one_standard_error=True,
        aggregate="average",
        n_best=2,
        refit=False,
        n_jobs=2,
        random_state=1,
        verbose=1,
        cache="folder",
        error_score="raise",
    )
    defaults = SourceSearchCV(Ridge(), sources).get_params(deep=False)
    other = clone(model)
    for name, value in model.get_params(deep=False).items():
        copied = getattr(other, name)
        if name == "sources":
            assert copied is value
        elif name in ("head", "cv", "baseline"):
            assert copied is not value
            assert repr(copied) == repr(value)
        else:
            assert copied == value
        if name not in ("head", "sources"):
            assert repr(value) != repr(defaults[name]), f"{name} has its default here: the test proves nothing"
    assert not hasattr(clone(search().fit(X_numeric, y_numeric)), "cv_results_")


def test_parameters_of_the_head_can_be_searched(sources):
    model = search(sources, cv=2)
    assert "head__alpha" in model.get_params()
    assert not [name for name in model.get_params() if name.startswith("sources__")]
    grid = GridSearchCV(
        model,
        {"head__alpha": [0.1, 10], "sources": [[FrozenEstimator(sources[0])], [FrozenEstimator(s) for s in sources]]},
        cv=2,
        error_score="raise",
    ).fit(TARGET, y)
    assert len(grid.cv_results_["params"]) == 4
    assert grid.best_estimator_.cv_results_["mean_test_score"].shape in [(2,), (4,)]


def test_second_fit_is_like_the_first(sources):
    first = search(sources, layers=["random"], n_draws=2, cv=2, screen=2, random_state=0).fit(TARGET[::-1], y[::-1])
    fresh = clone(first).fit(TARGET, y)
    same_results(first.fit(TARGET, y), fresh)
    assert_array_equal(first.predict(TARGET), fresh.predict(TARGET))
    first.set_params(screen=None, refit=False).fit(TARGET, y)
    assert not hasattr(first, "screening_results_")
    assert not hasattr(first, "best_estimator_")


def test_repeated_folds(sources):
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    found = search(sources[:1], cv=cv, baseline=False).fit(TARGET, y)
    expected = cross_val_score(make_pipeline(FrozenFeaturizer(sources[0]), Ridge()), TARGET, y, cv=cv)
    assert found.n_splits_ == 6
    assert found.best_score_ == pytest.approx(expected.mean(), rel=1e-5)


def test_pickle(sources):
    found = search(sources, cv=2, aggregate="average", baseline=False).fit(TARGET, y)
    again = pickle.loads(pickle.dumps(found))
    assert_allclose(again.predict(TARGET), found.predict(TARGET))
    same_results(again, found)


def test_forms_of_structures_agree(sources):
    found = search(sources, layers=[1, 2], cv=3).fit(TARGET, y)
    for X in (
        np.array(TARGET),
        pd.Series(TARGET, index=range(5, 5 + len(TARGET))),
        pd.DataFrame({"smiles": TARGET}),
        pl.Series(TARGET),
        pl.DataFrame({"smiles": TARGET}),
    ):
        other = clone(found).fit(X, pd.Series(y, index=range(100, 100 + len(y))))
        same_results(other, found)
        assert_array_equal(other.predict(X), found.predict(TARGET))


def test_forms_of_numbers_agree():
    found = search(cv=3).fit(X_numeric, y_numeric)
    frame = pd.DataFrame(X_numeric, columns=[f"x{i}" for i in range(P)])
    for X in (X_numeric.tolist(), frame, csr_array(X_numeric)):
        other = clone(found).fit(X, y_numeric)
        assert_allclose(other.cv_results_["mean_test_score"], found.cv_results_["mean_test_score"], rtol=1e-4)
        assert_allclose(other.predict(X), found.predict(X_numeric), rtol=1e-3, atol=1e-3)
    assert found.n_features_in_ == P


def test_processes_change_nothing(sources):
    params = {"layers": [1, "random"], "n_draws": 2, "screen": "ridge", "n_screened": 4, "cv": 2, "random_state": 0}
    one, two = (search(sources, n_jobs=n_jobs, **params).fit(TARGET, y) for n_jobs in (1, 2))
    same_results(one, two)
    assert_array_equal(one.predict(TARGET), two.predict(TARGET))


def test_several_targets(sources):
    two = np.column_stack([y, -y])
    found = search(sources, cv=3, screen=2).fit(TARGET, two)
    assert found.predict(TARGET).shape == (len(TARGET), 2)


def test_structures_are_read_once_for_all_sources(sources, monkeypatch):
    seen, to_mol = [], _reader.to_mol
    monkeypatch.setattr(_reader, "to_mol", lambda structure: seen.append(structure) or to_mol(structure))
    search(sources, layers=[1, 2, "all"], baseline=False, refit=False).fit(TARGET, y)
    assert sorted(seen) == sorted(TARGET)


def test_cache_serves_the_next_search(sources, tmp_path, monkeypatch):
    first = search(sources, layers=[1, 2], cache=tmp_path, baseline=False).fit(TARGET, y)
    seen = []
    monkeypatch.setattr(_reader, "to_mol", seen.append)
    second = search(sources, layers=["all", 1], cache=tmp_path, baseline=False).fit(TARGET, y)
    assert seen == []
    assert second.cv_results_["mean_test_score"][1] == first.cv_results_["mean_test_score"][0]


def test_refit_false(sources):
    found = search(sources, cv=2, refit=False).fit(TARGET, y)
    assert np.isfinite(found.best_score_)
    for call in (lambda: found.predict(TARGET), lambda: found.score(TARGET, y)):
        with pytest.raises(AttributeError, match="needs the winner fitted to all rows; set refit=True"):
            call()
    assert not hasattr(found, "n_features_in_")


def test_before_fit():
    with pytest.raises(NotFittedError):
        search().predict(X_numeric)
    assert not hasattr(search(), "predict_proba")
    assert hasattr(search(head=LogisticRegression()), "predict_proba")
    assert not hasattr(search(), "n_features_in_")
    assert not hasattr(search(), "classes_")


def test_predictive_deviation_of_the_head():
    found = search(head=GaussianProcessRegressor(alpha=0.1, optimizer=None), cv=2, baseline=False).fit(
        X_numeric, y_numeric
    )
    mean, std = found.predict(X_numeric, return_std=True)
    assert_allclose(mean, found.predict(X_numeric))
    assert (std > 0).all()


def test_progress_bars(sources, capsys):
    search(sources, cv=2, screen=2, verbose=1).fit(TARGET, y)
    shown = capsys.readouterr().err
    assert "layers" in shown
    assert "screening" in shown
    assert "inner folds" in shown
    search(sources, cv=2, screen=2).fit(TARGET, y)
    assert capsys.readouterr().err == ""


def test_representation(sources):
    assert "SourceSearchCV" in search(sources)._repr_html_()


# ---------------------------------------------------------------- rows, metadata, failures


def test_invalid_rows_are_named_once_and_left_to_the_head():
    source = make_pipeline(
        Fingerprints(counts=True, size=64, on_invalid="nan"), SimpleImputer(), PyramidRegressor((6, 4), max_epochs=2)
    ).fit(SMILES, y_source)
    X = [*TARGET, "C1CC"]
    head = make_pipeline(SimpleImputer(), Ridge())
    model = search([source, source], head, cv=2, baseline=False, refit=False, screen="log_me")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InvalidRowsWarning)
        model.fit(X, [*y, 50.0])
    (warning,) = [w.message for w in caught if isinstance(w.message, InvalidRowsWarning)]
    assert [(row, value) for row, value, _ in warning.rows] == [(12, "C1CC")]
    assert np.isfinite(model.best_score_)


def test_groups_go_to_the_splitter(sources):
    found = search(sources, cv=GroupKFold(4), baseline=False).fit(TARGET, y, groups=groups)
    model = make_pipeline(FrozenFeaturizer(sources[0]), Ridge())
    expected = cross_val_score(model, TARGET, y, cv=GroupKFold(4), groups=groups)
    assert_allclose(found.cv_results_["mean_test_score"][0], expected.mean(), rtol=1e-5)
    with pytest.raises(ValueError, match="groups"):
        search(sources, cv=GroupKFold(4)).fit(TARGET, y)


def test_groups_with_metadata_routing(sources):
    with sklearn.config_context(enable_metadata_routing=True):
        model = search(sources, cv=GroupKFold(2))
        scores = cross_val_score(model, TARGET, y, cv=GroupKFold(2), params={"groups": groups}, error_score="raise")
        assert np.isfinite(scores).all()


def test_sample_weight_reaches_the_heads():
    weights = np.arange(N) % 3 + 0.5
    found = search(NETWORKS[:1], cv=3).fit(X_numeric, y_numeric, sample_weight=weights)
    pipeline = make_pipeline(FrozenFeaturizer(NETWORKS[0]), Ridge())
    for model, row in ((make_pipeline(Ridge()), 0), (pipeline, 1)):
        expected = cross_val_score(model, X_numeric, y_numeric, cv=3, params={"ridge__sample_weight": weights})
        assert_allclose(found.cv_results_["mean_test_score"][row], expected.mean(), rtol=1e-4)
    with sklearn.config_context(enable_metadata_routing=True):
        head = Ridge().set_fit_request(sample_weight=True)
        unweighted = get_scorer("r2").set_score_request(sample_weight=False)
        routed = search(NETWORKS[:1], head, cv=3, scoring=unweighted).fit(X_numeric, y_numeric, sample_weight=weights)
        assert_allclose(routed.cv_results_["mean_test_score"], found.cv_results_["mean_test_score"])
        assert_allclose(routed.predict(X_numeric), found.predict(X_numeric))
        scoring = make_scorer(mean_absolute_error, greater_is_better=False).set_score_request(sample_weight=True)
        scored = search(NETWORKS[:1], head, cv=3, scoring=scoring).fit(X_numeric, y_numeric, sample_weight=weights)
        expected = -np.average(np.abs(scored.predict(X_numeric) - y_numeric), weights=weights)
        assert scored.score(X_numeric, y_numeric, sample_weight=weights) == pytest.approx(expected)
    with pytest.raises(ValueError, match="score takes sample_weight only with metadata routing enabled"):
        found.score(X_numeric, y_numeric, sample_weight=weights)


@pytest.mark.parametrize("params", [{"aggregate": "average"}, {"baseline": Ridge()}])
def test_sample_weight_is_refused_where_it_would_be_lost(params):
    with pytest.raises(ValueError, match="fit got sample_weight for the heads, which takes aggregate='best'"):
        search(**params).fit(X_numeric, y_numeric, sample_weight=np.ones(N))


class Fastidious(Ridge):
    """Fails on some rows."""

    def fit(self, X, y):
        if y_numeric[0] in y and len(y) < len(y_numeric):
            raise ValueError("not this one")
        return super().fit(X, y)


class Fragile(Ridge):
    """Fails on few columns."""

    def fit(self, X, y):
        if X.shape[1] < 5:
            raise ValueError("too few columns")
        return super().fit(X, y)


def test_failing_heads():
    model = search(NETWORKS[:2], Fragile(), layers=[1, "all"], cv=2, baseline=False)
    with pytest.warns(FitFailedWarning, match=r"(?s)4 of 8 inner fits or scores failed.*too few columns.*is nan"):
        model.fit(X_numeric, y_numeric)
    assert model.best_layers_ == "all"
    assert model.cv_results_["rank_test_score"].tolist().count(3) == 2
    with pytest.raises(ValueError, match="too few columns"):
        clone(model).set_params(error_score="raise").fit(X_numeric, y_numeric)
    with pytest.raises(ValueError, match=r"(?s)4 of 4 inner fits or scores failed.*too few columns"):
        clone(model).set_params(layers=[1]).fit(X_numeric, y_numeric)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layers": []}, "layers is empty"),
        ({"layers": ["last"]}, 'layers must hold positive integers, lists of them, "all", "output" or "random", got'),
        ({"layers": [0]}, r"got 0 in \[0\]"),
        ({"layers": [[1, 0]]}, r"got \[1, 0\]"),
        ({"layers": [[]]}, r"got \[\]"),
        ({"layers": [True]}, "got True"),
        (
            {"aggregate": "sum"},
            "aggregate must be 'best', 'average', 'stack', 'concat', 'descriptors' or a list of these, got 'sum'",
        ),
        (
            {"screen": "leep"},
            "screen must be None, 'log_me', 'ridge', 'halving', a positive integer, an estimator, or a list of "
            "'log_me', 'ridge' and estimators, got 'leep'",
        ),
        ({"screen": ["log_me", 3]}, r"got \['log_me', 3\]"),
        ({"screen": []}, r"got \[\]"),
        ({"screen": "halving"}, 'screen="halving" lets trees grow, and no head has n_estimators'),
        ({"screen": 0}, "screen must be None"),
        ({"n_screened": 0}, "n_screened must be a positive integer, got 0"),
        ({"n_draws": 1.5}, "n_draws must be a positive integer, got 1.5"),
        ({"n_best": 0}, "n_best must be a positive integer, got 0"),
        ({"error_score": "nan"}, 'error_score must be "raise" or a number'),
        ({"baseline": {}}, "baseline must be True, False, an estimator or a dict of these, got {}"),
        ({"baseline": "forest"}, "baseline must be True, False, an estimator or a dict of these, got 'forest'"),
        ({"baseline": LogisticRegression()}, "Some of head and baseline are classifiers and some are not"),
        ({"activation": "relu"}, 'activation must be "pre" or "post"'),
        ({"aggregate": None}, "aggregate must be 'best', .* or a list of these, got None"),
        ({"scoring": ["r2"]}, r"scoring must be one metric, for it picks the winner, got \['r2'\]. cross_validate"),
        ({"head": "ridge"}, "head must be an estimator or a dict of estimators by name, got 'ridge'"),
        ({"head": Ridge}, "head must be an estimator .* got <class"),
        ({"head": [Ridge()]}, r"head must be an estimator .* got \[Ridge"),
        ({"head": {"a": Ridge(), "b": LogisticRegression()}}, "Some of head and baseline are classifiers"),
    ],
)
def test_refused_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        search(**params).fit(X_numeric, y_numeric)


@pytest.mark.parametrize(
    ("head", "target", "message"),
    [
        (Ridge(), None, "requires y to be passed, but the target y is None"),
        (Ridge(), [np.nan, 1, np.inf] + [2.0] * 37, r"y is NaN, None or infinite in 2 rows \(first: 0, 2\)\. Leave"),
        (Ridge(), pd.Series([1, None] + [2] * 38, dtype="Int64"), r"in 1 rows \(first: 1\)"),
        (Ridge(), ["high"] * 40, "y is 'high' in row 0, and the heads are regressors. Take classifiers"),
        (LogisticRegression(), ["high"] * 40, "y has one class only, 'high'. At least two are needed"),
        (LogisticRegression(), ["high", None] * 20, r"y is NaN, None or infinite in 20 rows \(first: 1, 3, 5"),
        (LogisticRegression(), np.linspace(0, 1, 40), "Unknown label type: continuous"),
    ],
)
def test_refused_targets(head, target, message):
    with pytest.raises(ValueError, match=message):
        search(NETWORKS[:1], head).fit(X_numeric, target)


def test_numbers_in_columns_of_objects():
    numbers = np.round(y_numeric, 3)
    found = search(NETWORKS[:1]).fit(X_numeric, pd.Series(numbers).astype(object))
    assert_allclose(found.predict(X_numeric), search(NETWORKS[:1]).fit(X_numeric, numbers).predict(X_numeric))


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("aggregate", ["best", "descriptors", "concat"])
def test_frames_asked_for_elsewhere(sources, container, aggregate):
    """What scikit-learn is told to return changes nothing in fitted sources."""
    if (aggregate, container) == ("concat", "polars") and parse_version(sklearn.__version__) < parse_version("1.9"):
        pytest.skip("FeatureUnion fails on frames of polars whose columns have the same names (scikit-learn#32104)")
    plain = search(sources, aggregate=aggregate, baseline=False, cv=3).fit(TARGET, y)
    expected = plain.predict(TARGET)
    with sklearn.config_context(transform_output=container), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = search(sources, aggregate=aggregate, baseline=False, cv=3).fit(TARGET, y)
        assert_allclose(found.predict(TARGET), expected, rtol=1e-5)
    assert found.summary_ == plain.summary_


def test_summary_of_ties_and_failures():
    tied = search(NETWORKS[:1], DummyRegressor(), cv=2).fit(X_numeric, y_numeric)
    assert "which is as good as the direct model" in tied.summary_
    with pytest.warns(FitFailedWarning):
        failed = search(NETWORKS[:1], {"a": Fastidious()}, cv=KFold(3), baseline=DummyRegressor()).fit(
            X_numeric, y_numeric
        )
    assert failed.best_strategy_ == "direct"
    assert "nan" not in failed.summary_


def test_lengths_must_agree(sources):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search(sources).fit(TARGET, y[:-1])
