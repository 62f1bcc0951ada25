import pickle

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from graph_sources import ENERGIES, MOLECULES, clusters, tiny_source
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import EpochTimer

from sktaag.graphs import AtomGraphs
from sktaag.model_selection import ScaffoldKFold
from sktaag.sources import GNNRegressor
from sktaag.testing._checks import check_constructor, check_set_params
from sktaag.transfer import TAAGFeaturizer, TAAGRegressor


@pytest.fixture(scope="module")
def source():
    return tiny_source()


def featurizer(source, **params):
    return TAAGFeaturizer(source, **({"max_epochs": 3, "lr": 0.01, "random_state": 0, "device": "cpu"} | params))


def test_features_are_pooled_states(source):
    features = featurizer(source, pooling=("sum", "max", "mean", "std"), attention="query").fit(MOLECULES, ENERGIES)
    model = TAAGRegressor(source, attention="query", max_epochs=3, lr=0.01, random_state=0, device="cpu")
    states, _ = model.fit(MOLECULES, ENERGIES).attended_states(MOLECULES)
    expected = [np.concatenate([s.sum(0), s.max(0), s.mean(0), s.std(0)]) for s in states]
    assert_allclose(features.transform(MOLECULES), expected, rtol=1e-5, atol=1e-6)
    assert_allclose(features.layer_weights_, model.layer_weights_)
    names = features.get_feature_names_out()
    assert names[[0, 8, 31]].tolist() == ["sum_1", "max_1", "std_8"]


def test_features_of_the_training_have_not_seen_their_labels(source):
    folds = KFold(3)
    found = featurizer(source, cv=folds).fit_transform(MOLECULES, ENERGIES)
    assert found.dtype == np.float32
    for train, test in folds.split(MOLECULES):
        blind = featurizer(source).fit([MOLECULES[i] for i in train], ENERGIES[train])
        assert_allclose(found[test], blind.transform([MOLECULES[i] for i in test]), rtol=1e-6)
    # the label of a row moves the features of others, never its own
    other = ENERGIES.copy()
    other[0] += 50.0
    moved = np.abs(featurizer(source, cv=folds).fit_transform(MOLECULES, other) - found).max(axis=1) > 1e-6
    assert moved.tolist() == [False] * 4 + [True] * 6
    seen = featurizer(source, cv=None)
    assert_allclose(seen.fit_transform(MOLECULES, ENERGIES), seen.transform(MOLECULES))


def test_the_training_is_that_of_the_regressor(source):
    training = {"optimizer": "sgd", "scheduler": "plateau", "early_stopping": True, "patience": 5, "ema": 0.9}
    training |= {"validation_fraction": 0.3, "clip": 1.0, "callbacks": [EpochTimer()], "attention": "query"}
    features = featurizer(source, **training).fit(MOLECULES, ENERGIES)
    model = TAAGRegressor(source, max_epochs=3, lr=0.01, random_state=0, device="cpu", **training)
    states, _ = model.fit(MOLECULES, ENERGIES).attended_states(MOLECULES)
    assert_allclose(features.transform(MOLECULES)[:, :8], [s.mean(axis=0) for s in states], rtol=1e-5, atol=1e-6)
    assert features.model_.validation_score_ == model.validation_score_


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)], ids=["None", "RandomState"])
def test_all_folds_begin_with_the_same_weights(source, random_state):
    features = featurizer(source, freeze="scratch", lr=0.0, cv=2, random_state=random_state)
    assert_allclose(features.fit_transform(MOLECULES, ENERGIES), features.transform(MOLECULES), rtol=1e-6)
    other = clone(features).set_params(random_state=features.random_state).fit(MOLECULES, ENERGIES)
    assert np.abs(other.transform(MOLECULES) - features.transform(MOLECULES)).max() > 0.01


def test_folds_are_made_of_structures():
    X = ["c1ccccc1C", "c1ccccc1CC", "C1CCCCC1C", "C1CCCCC1CC", "c1ccncc1C", "c1ccncc1CC"]
    y = np.arange(6.0)
    small = {"module__n_layers": 1, "module__n_features": 8, "max_epochs": 1, "device": "cpu"}
    source = GNNRegressor("gine", **small).fit(X, y)
    found = featurizer(source, cv=ScaffoldKFold(3)).fit_transform(X, y)
    expected = featurizer(source, cv=list(ScaffoldKFold(3).split(X, y))).fit_transform(X, y)
    assert_allclose(found, expected)


def test_folds_are_a_partition(source):
    with pytest.raises(ValueError, match="row 0 is in 2"):
        featurizer(source, cv=[([4, 5, 6], range(4)), ([7, 8, 9], [0])]).fit_transform(MOLECULES, ENERGIES)
    with pytest.raises(ValueError, match="row 9 is in 0"):
        featurizer(source, cv=[([7, 8, 9], range(5)), ([0, 1, 2], range(5, 9))]).fit_transform(MOLECULES, ENERGIES)


def test_structures_become_graphs_once(source, monkeypatch):
    made = []
    transform = AtomGraphs.transform
    monkeypatch.setattr(AtomGraphs, "transform", lambda self, X: made.append(len(X)) or transform(self, X))
    featurizer(source, cv=3).fit_transform(MOLECULES, ENERGIES)
    assert made == [10]


def test_forces_are_metadata(source):
    made, energies, forces = clusters(6)
    with config_context(enable_metadata_routing=True):
        features = featurizer(source, cv=2, freeze="embeddings").set_fit_request(forces=True)
        model = make_pipeline(features, RidgeCV()).fit(made, energies, forces=forces)
    assert model[0].model_.uses_forces_


def test_new_structures_have_the_features_of_all_rows(source):
    fitted = featurizer(source, cv=3)
    fitted.fit_transform(MOLECULES, ENERGIES)
    assert_allclose(fitted.transform(MOLECULES), featurizer(source).fit(MOLECULES, ENERGIES).transform(MOLECULES))


def test_forces_are_split_with_their_rows(source):
    made, energies, forces = clusters(6)
    folds = KFold(2)
    found = featurizer(source, cv=folds, freeze="embeddings").fit_transform(made, energies, forces=forces)
    blind = featurizer(source, freeze="embeddings").fit(made[3:], energies[3:], forces=forces[3:])
    assert_allclose(found[:3], blind.transform(made[:3]), rtol=1e-5, atol=1e-6)


def test_classes(source):
    y = np.repeat(["one", "two"], 5)  # sorted: only stratified folds have both
    features = featurizer(source, task="classification", target="intensive", cv=2).fit_transform(MOLECULES, y)
    assert features.shape == (10, 16)
    assert np.isfinite(features).all()


def test_heads(source):
    for head in (RandomForestRegressor(n_estimators=5, random_state=0), RidgeCV()):
        scores = cross_val_score(
            make_pipeline(featurizer(source, cv=2), head), MOLECULES, ENERGIES, cv=2, error_score="raise"
        )
        assert np.isfinite(scores).all()


def test_clone(source):
    configured = featurizer(
        source, pooling="max", n_fresh_blocks=1, lr_decay=0.5, graphs=AtomGraphs(4.5), module__n_heads=2
    )
    check_constructor(configured, MOLECULES)
    check_set_params(configured, MOLECULES)
    copy = clone(configured)
    assert copy.source is source
    assert copy.get_params()["module__n_heads"] == 2
    expected = configured.fit(MOLECULES, ENERGIES).transform(MOLECULES)
    assert_allclose(copy.fit(MOLECULES, ENERGIES).transform(MOLECULES), expected)
    with pytest.raises(NotFittedError):
        clone(configured).transform(MOLECULES)


def test_pickle(source):
    fitted = featurizer(source).fit(MOLECULES, ENERGIES)
    assert_allclose(pickle.loads(pickle.dumps(fitted)).transform(MOLECULES), fitted.transform(MOLECULES))


def test_forms_of_structures_agree(source):
    column = np.empty(len(MOLECULES), dtype=object)
    column[:] = MOLECULES
    expected = featurizer(source, cv=2).fit_transform(MOLECULES, ENERGIES)
    frame = pd.DataFrame({"structure": column}, index=[f"sample {i}" for i in range(10)])
    for X in (tuple(MOLECULES), column, column[:, None], frame, frame["structure"]):
        assert_allclose(featurizer(source, cv=2).fit_transform(X, ENERGIES), expected)
    named = featurizer(source, cv=2).set_output(transform="pandas").fit_transform(frame, pd.Series(ENERGIES))
    assert list(named.columns[:2]) == ["mean_1", "mean_2"]
    assert list(named.index) == list(frame.index)


def test_invalid_structures(source):
    clash = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.01]])
    features = featurizer(source, graphs=AtomGraphs(4.0, on_invalid="nan")).fit(MOLECULES, ENERGIES)
    with pytest.warns(UserWarning, match="invalid"):
        rows = features.transform([MOLECULES[0], clash])
    assert np.isnan(rows).all(axis=1).tolist() == [False, True]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pooling": "median"}, "pooling must be some of mean, std, sum, max"),
        ({"pooling": ()}, "pooling must be"),
        ({"task": "ranking"}, "task must be"),
    ],
)
def test_parameters_are_checked(source, params, message):
    with pytest.raises(ValueError, match=message):
        featurizer(source, **params).fit(MOLECULES, ENERGIES)
