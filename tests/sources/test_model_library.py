import ast
import json
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sktaag.descriptors import Fingerprints, RareBitFilter
from sktaag.heads import NeuralClassifier, NeuralRegressor
from sktaag.nn import RandomPyramid
from sktaag.sources import ModelLibrary, PyramidClassifier, PyramidEnsemble, PyramidRegressor, load_source
from sktaag.transfer import FrozenFeaturizer

SMILES = ["C" * n + end for n in range(1, 9) for end in ("", "O", "N", "(=O)O")]
y = np.array([10.0 * s.count("C") + 50 * s.count("O") + 30 * s.count("N") for s in SMILES])
labels = np.where(["O" in s for s in SMILES], "acid", "base")
X = np.random.RandomState(0).rand(60, 5)


class Half(TransformerMixin, BaseEstimator):
    """A step from outside of scikit-learn and sktaag."""

    def fit(self, X, y=None):
        self.factor_ = 0.5
        return self

    def transform(self, X):
        return X * self.factor_


def network(**params):
    return PyramidRegressor(**{"hidden": (8, 4), "max_epochs": 3, "random_state": 0} | params)


def fingerprints(**params):
    return Fingerprints(["morgan", "atom_pair"], counts=True, size=64, **params)


def chain(seed=0):
    return make_pipeline(fingerprints(), StandardScaler(), network(random_state=seed)).fit(SMILES, y)


@pytest.fixture(scope="module")
def sources():
    return [chain(seed) for seed in range(4)]


@pytest.fixture
def library(tmp_path):
    return ModelLibrary(tmp_path / "library")


def shards(library):
    return sorted((library.path / "shards").iterdir())


# ---------------------------------------------------------------- what comes out is what went in

CHAINS = {
    "pipeline": chain,
    "union": lambda: make_pipeline(make_union(fingerprints(), Fingerprints("maccs")), network()).fit(SMILES, y),
    "random columns": lambda: make_pipeline(
        fingerprints(), RareBitFilter(max_features=5, random_state=0), network()
    ).fit(SMILES, y),
    "scaled head": lambda: make_pipeline(fingerprints(), NeuralRegressor(max_epochs=3)).fit(SMILES, y),
    "several targets": lambda: make_pipeline(fingerprints(), network()).fit(SMILES, np.stack([y, -y], axis=1)),
    "shapes": lambda: make_pipeline(
        fingerprints(), network(hidden=RandomPyramid(), activation="tanh", optimizer__betas=(0.8, 0.9))
    ).fit(SMILES, y),
    "linear": lambda: make_pipeline(fingerprints(), network(hidden=())).fit(SMILES, y),
    "random state": lambda: make_pipeline(fingerprints(), network(random_state=np.random.RandomState(0))).fit(
        SMILES, y
    ),
    "pandas": lambda: (
        make_pipeline(fingerprints(), StandardScaler(), network()).set_output(transform="pandas").fit(SMILES, y)
    ),
    "frozen": lambda: FrozenEstimator(chain()),
    "validated": lambda: make_pipeline(fingerprints(), network(early_stopping=True)).fit(SMILES, y),
}


@pytest.mark.parametrize("name", CHAINS)
def test_round_trip(library, name):
    source = CHAINS[name]()
    expected = source.predict(SMILES)
    again = library.get(library.add(source, property="boiling point"))
    assert type(again) is type(source)
    assert_array_equal(again.predict(SMILES), expected)
    assert_array_equal(source.predict(SMILES), expected)  # adding has left it as it was
    if name in ("pipeline", "shapes", "validated"):
        for attribute in ("history_", "hidden_sizes_", "n_iter_", "best_epoch_", "validation_score_", "n_features_in_"):
            assert getattr(again[-1], attribute) == getattr(source[-1], attribute)
        assert repr(again[-1].get_params()) == repr(source[-1].get_params())
        assert set(vars(again[-1])) == set(vars(source[-1]))
        assert_array_equal(again.fit(SMILES, y).predict(SMILES), expected)
    assert library.add(library.get(library.search()["id"][0]), property="boiling point") in library
    assert len(library) == 1  # what was loaded is the same model


@pytest.mark.parametrize("classifier", [PyramidClassifier, NeuralClassifier])
def test_classifiers(library, classifier):
    source = make_pipeline(fingerprints(), classifier(hidden=(8,), max_epochs=3, random_state=0)).fit(SMILES, labels)
    model_id = library.add(source, property="acidity", metrics={"accuracy": 0.8})
    again = library.get(model_id)
    assert_array_equal(again.predict_proba(SMILES), source.predict_proba(SMILES))
    assert_array_equal(again.predict(SMILES), source.predict(SMILES))
    assert again[-1].classes_.dtype == source[-1].classes_.dtype
    assert library.card(model_id)["task"] == "classification"
    assert library.search(min_accuracy=0.8, task="classification")["id"].tolist() == [model_id]


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(3, random_state=0),
        make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)),
        GradientBoostingClassifier(n_estimators=3),
        AdaBoostRegressor(n_estimators=3),
        ElasticNet(),
        GaussianProcessRegressor(RBF() + WhiteKernel()),
        DummyRegressor(),
    ],
    ids=lambda model: type(model[-1] if hasattr(model, "steps") else model).__name__,
)
def test_models_without_network(library, model):
    model = clone(model).fit(X, X[:, 0] > 0.5 if "Classifier" in repr(model) else X[:, 0])
    model_id = library.add(model, property="x")
    assert_array_equal(library.get(model_id).predict(X), model.predict(X))
    assert library.card(model_id)["hidden"] is None
    assert pd.isna(library.search()["hidden"][0])


def test_only_networks_can_be_frozen(library):
    model_id = library.add(RandomForestRegressor(3).fit(X, X[:, 0]), property="x")
    with pytest.raises(TypeError, match="no hidden layers"):
        FrozenFeaturizer(library.get(model_id)).fit(X)


def test_what_needs_trust(library):
    model = HistGradientBoostingRegressor(max_iter=3).fit(X, X[:, 0])
    model_id = library.add(model, property="x")
    name = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
    with pytest.raises(ValueError, match=r"\.skops holds .*TreePredictor\. If you trust whoever wrote it") as caught:
        library.get(model_id)
    trusted = ast.literal_eval(str(caught.value).partition("trusted=")[2].removesuffix("."))
    assert name in trusted
    assert_array_equal(library.get(model_id, trusted=trusted).predict(X), model.predict(X))

    model_id = library.add(make_pipeline(fingerprints(), Half(), network()).fit(SMILES, y), property="x")
    with pytest.raises(ValueError, match="Half"):
        library.get(model_id)
    library.get(model_id, trusted=[f"{Half.__module__}.Half"])


def test_what_comes_out_is_a_copy(library, sources):
    model_id = library.add(sources[0], property="x")
    again = library.get(model_id)
    again[1].mean_[:] = 1e9
    again.steps.pop()
    assert_array_equal(library.get(model_id).predict(SMILES), sources[0].predict(SMILES))


# ---------------------------------------------------------------- cards


def test_card(library, tmp_path):
    source = make_pipeline(fingerprints(cache=tmp_path / "private", n_jobs=1), network(early_stopping=True)).fit(
        SMILES, y
    )
    model_id = library.add(
        source,
        property="boiling point",
        material="molecule",
        unit="K",
        dataset="made up",
        license="CC0",
        metrics={"r2": 0.5, "mae": np.float32(2)},
        split="every tenth row",
        data=(SMILES, y),
        parent="0123456789abcdef",
        name="first",
    )
    card = library.card(model_id)
    assert json.loads(json.dumps(card)) == card
    given = {"property": "boiling point", "material": "molecule", "unit": "K", "dataset": "made up", "license": "CC0"}
    given |= {"split": "every tenth row", "parent": "0123456789abcdef", "name": "first"}
    assert given.items() <= card.items()
    assert card["id"] == model_id
    assert card["metrics"] == {"r2": 0.5, "mae": 2.0}
    assert card["training_data"]["n_rows"] == len(SMILES)
    assert card["hidden"] == [8, 4]
    assert card["n_features"] == 128
    assert card["task"] == "regression"
    assert card["descriptor"] == "Fingerprints"
    assert card["n_epochs"] == source[-1].n_iter_
    assert card["validation_score"] == source[-1].validation_score_
    assert card["wall_time"] == sum(epoch["dur"] for epoch in source[-1].history_)
    assert card["chain"][0]["class"] == "sktaag.descriptors._fingerprints.Fingerprints"
    assert card["chain"][0]["params"]["kinds"] == ["morgan", "atom_pair"]
    assert "private" not in json.dumps(card)
    assert set(card["versions"]) == {"numpy", "rdkit", "scikit-learn", "sktaag", "torch"}
    (lines,) = (library.path / "cards").glob("*.jsonl")
    assert json.loads(lines.read_text()) == {key: value for key, value in card.items() if key != "created"}


def test_training_data_are_told_apart(library, sources):
    def digest(data):
        return library.card(library.add(sources[0], property="x", data=data))["training_data"]["sha256"]

    same = digest((SMILES, y))
    assert digest((np.array(SMILES, dtype=object), y.tolist())) == same
    assert digest((pd.Series(SMILES), pd.Series(y))) == same
    assert digest((SMILES[::-1], y)) != same
    assert digest((SMILES, y + 1)) != same
    with pytest.raises(TypeError, match=r"data must be the tuple \(X, y\) .*, got ndarray"):
        library.add(sources[0], property="x", data=X)


def test_machine_addresses_are_not_on_the_card(library):
    source = make_pipeline(fingerprints(), FunctionTransformer(np.sqrt), network(random_state=np.random.RandomState(0)))
    card = library.card(library.add(source.fit(SMILES, y), property="x"))
    assert "0x" not in json.dumps(card["chain"])
    assert "numpy.sqrt" in json.dumps(card["chain"]) or "ufunc" in json.dumps(card["chain"])


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"property": ""}, ValueError, "property is empty; say what the source predicts"),
        ({"property": 3}, TypeError, "property must be a string or None, got 3"),
        ({"property": "x", "unit": 1.0}, TypeError, r"unit must be a string or None, got 1\.0"),
        ({"property": "x", "metrics": {"r2": np.nan}}, ValueError, "metrics must be finite numbers by name, got 'r2'"),
        ({"property": "x", "metrics": {"r2": "high"}}, ValueError, "got 'r2': 'high'"),
        ({"property": "x", "metrics": 0.9}, TypeError, r"metrics must be a dict such as .*, got 0\.9"),
        ({"property": "x", "wall_time": "2 h"}, TypeError, "wall_time must be a number of seconds or None, got '2 h'"),
    ],
)
def test_wrong_fields(library, sources, fields, error, message):
    with pytest.raises(error, match=message):
        library.add(sources[0], **fields)
    assert len(library) == 0


def test_misspelt_fields(library, sources):
    message = "A card has no field 'licence'. Fields: name, property, .* license"
    with pytest.raises(TypeError, match=message):
        library.add_many(sources, property="x", licence="MIT")
    with pytest.raises(TypeError, match=message):
        library.add_ensemble(sources, property="x", licence=["MIT"] * len(sources))
    assert len(library) == 0


# ---------------------------------------------------------------- ids


def test_the_same_model_is_one(library, sources):
    first = library.add(sources[0], property="x")
    before = shards(library)
    assert library.add(sources[0], property="x") == first
    assert library.add(library.get(first), property="x") == first  # no trace of having been on disk
    assert len(library) == 1
    assert shards(library) == before
    others = {
        library.add(sources[0], property="y"),
        library.add(sources[0], property="x", metrics={"r2": 0.1}),
        library.add(sources[1], property="x"),
    }
    assert len(others | {first}) == 4
    assert len(library) == 4
    assert first in library
    assert "0" * 16 not in library
    assert None not in library


def test_steps_are_kept_once(library, sources):
    library.add_many(sources, property="x")
    library.add(sources[0], property="y")
    assert len(list((library.path / "steps").iterdir())) == 1
    library.add(make_pipeline(fingerprints(radius=3), network()).fit(SMILES, y), property="x")
    assert len(list((library.path / "steps").iterdir())) == 2


def test_many_in_one_shard(library, sources):
    ids = library.add_many(
        iter(sources), property=["a", "b", "a", "c"], material="molecule", metrics=[{"r2": i / 10} for i in range(4)]
    )
    assert len(shards(library)) == 1
    with safetensors.safe_open(shards(library)[0], "np") as shard:
        assert sorted(shard.keys()) == sorted(ids)
    assert [library.card(i)["property"] for i in ids] == ["a", "b", "a", "c"]
    assert library.search(property="a")["id"].tolist() == [ids[2], ids[0]]
    for model_id, source in zip(ids, sources, strict=True):
        assert_array_equal(library.get(model_id).predict(SMILES), source.predict(SMILES))


def test_a_full_shard_is_followed_by_another(library, sources, monkeypatch):
    monkeypatch.setattr("sktaag.sources._library_shards._MAX_MODELS", 3)
    ids = library.add_many(sources, property="x")
    assert len(shards(library)) == 2
    assert_array_equal(library.get(ids[3]).predict(SMILES), sources[3].predict(SMILES))
    monkeypatch.setattr("sktaag.sources._library_shards._MAX_BYTES", 1)
    library.add_many(sources, property="y")
    assert len(shards(library)) == 6
    assert library.verify().empty


def test_many_at_once_may_come_from_the_same_library_and_twice(library, sources):
    ids = library.add_many(sources, property="x")
    again = library.add_many((library.get(model_id) for model_id in [*ids, *ids]), property="y")
    assert again[:4] == again[4:]
    assert len(library) == 8


@pytest.mark.parametrize("given", [3, 5])
def test_one_value_for_each_source(library, sources, given):
    message = "name has 3 values, but there are more" if given == 3 else "name has 5 values for 4 sources"
    with pytest.raises(ValueError, match=message):
        library.add_many(sources, property="x", name=["n"] * given)
    assert len(library) == 0
    assert not list(library.path.rglob("*.safetensors"))


class Ensemble:
    """What an ensemble of sources has, for the library."""

    def __init__(self, members):
        self.members = members

    def __len__(self):
        return len(self.members)

    def __getitem__(self, i):
        return self.members[i]


def test_ensemble(library):
    steps = make_pipeline(fingerprints(), StandardScaler()).fit(SMILES)
    features = steps.transform(SMILES)
    members = [network(random_state=seed).fit(features, y) for seed in range(3)]
    ids = library.add_ensemble(Ensemble(members), property="x")
    assert_array_equal(library.get(ids[2]).predict(features), members[2].predict(features))
    assert [library.card(i)["name"] for i in ids] == ["member 0", "member 1", "member 2"]

    pipeline = make_pipeline(*[step for _, step in steps.steps], DummyRegressor())
    pipeline.steps[-1] = ("ensemble", Ensemble(members))
    ids = library.add_ensemble(pipeline, property="x", name="shotgun")
    assert_array_equal(library.get(ids[1]).predict(SMILES), members[1].predict(features))
    assert library.card(ids[1])["descriptor"] == "Fingerprints | StandardScaler"


@pytest.mark.parametrize("given", [True, False])
def test_shotgun(library, given):
    features = StandardScaler().fit_transform(X)
    targets = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    ensemble = PyramidEnsemble(4, (8, 4), max_epochs=2, random_state=0).fit(features, targets)
    members = ensemble.members_
    property = members["property"].tolist() if given else None
    ids = library.add_ensemble(ensemble, property=property, unit=[str(k) for k in range(len(ensemble))])
    assert len(ids) == len(ensemble)
    for k, model_id in enumerate(ids):
        card = library.card(model_id)
        assert (card["property"], card["name"], card["unit"]) == (members["property"][k], f"member {k}", str(k))
        assert_array_equal(library.get(model_id).predict(features), ensemble[k].predict(features))
    ensemble.net_.trained[0].best_epoch = 0  # as if its training had diverged
    other = ModelLibrary(library.path.parent / "other")
    assert other.add_ensemble(ensemble, unit=[str(k) for k in range(len(ensemble))]) == ids[1:]
    with pytest.raises(ValueError, match=f"unit has 1 values for {len(ensemble)} members"):
        other.add_ensemble(ensemble, unit=["K"])


def test_ensemble_without_names(library):
    ensemble = PyramidEnsemble(2, (4,), max_epochs=1, random_state=0).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"had no names\. Say what the networks predict, as in property='density'"):
        library.add_ensemble(ensemble)
    named = PyramidEnsemble(2, (4,), max_epochs=1, random_state=0).fit(X, pd.Series(X[:, 0], name="density"))
    assert {library.card(model_id)["property"] for model_id in library.add_ensemble(named)} == {"density"}
    with pytest.raises(TypeError, match=r"PyramidRegressor is no ensemble or sequence of sources\. add keeps a single"):
        library.add_ensemble(named[0], property="x")


# ---------------------------------------------------------------- search


@pytest.fixture
def filled(library, sources):
    network = sources[0][-1]
    cards = [
        ("heat capacity", "polymer", {"r2": 0.9, "mae": 5.0}, "CC BY"),
        ("heat capacity", "polymer", {"r2": 0.7, "mae": 9.0}, None),
        ("heat capacity", "molecule", {}, "CC0"),
        ("Density", "polymer", {"r2": 0.8}, "MIT"),
        ("density_100%", None, {"r2": 0.95}, "MIT"),
    ]
    library.add_many(
        [network] * 5,
        property=[card[0] for card in cards],
        material=[card[1] for card in cards],
        metrics=[card[2] for card in cards],
        license=[card[3] for card in cards],
        name=[str(i) for i in range(5)],
    )
    return library


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["4", "0", "3", "1", "2"]),  # best first, without a score last
        ({"property": "heat capacity"}, ["0", "1", "2"]),
        ({"property": "Heat Capacity", "material": "POLYMER"}, ["0", "1"]),
        ({"property": "heat"}, []),
        ({"property": "heat*"}, ["0", "1", "2"]),
        ({"property": "density"}, ["3"]),
        ({"property": "density?100%"}, ["4"]),
        ({"property": "*_*"}, ["4"]),
        ({"property": ["density", "heat*"]}, ["0", "3", "1", "2"]),
        ({"property": []}, []),
        ({"material": None}, ["4"]),
        ({"license": ["MIT", "CC0"], "min_r2": 0.9}, ["4"]),
        ({"min_r2": 0.8}, ["4", "0", "3"]),
        ({"max_mae": 5, "task": "regression"}, ["0"]),
        ({"max_r2": 0.8, "limit": 1}, ["3"]),
        ({"hidden": "8-4", "limit": 2}, ["4", "0"]),
        ({"min_n_features": 1000}, []),
    ],
)
def test_search(filled, filters, names):
    found = filled.search(**filters)
    assert found["name"].tolist() == names
    assert found.columns.tolist() == filled.search().columns.tolist()
    assert found["r2"].dtype == float


def test_search_by_id(filled):
    ids = filled.search()["id"].tolist()
    assert filled.search(id=ids[2])["id"].tolist() == [ids[2]]
    assert set(filled.search(id=ids[1:3])["id"]) == set(ids[1:3])


@pytest.mark.parametrize(
    ("filters", "error", "message"),
    [
        ({"limit": "a"}, ValueError, "limit must be None or a number of rows, got 'a'"),
        ({"limit": -1}, ValueError, "limit must be None or a number of rows, got -1"),
        ({"min_r2": "high"}, TypeError, "min_r2 must be a number, got 'high'"),
        ({"max_mae": None}, TypeError, "max_mae must be a number, got None"),
        ({"min_r2": np.nan}, TypeError, "min_r2 must be a number, got nan"),
        ({"property": 5}, TypeError, "property must be a string, a list of strings or None, got 5"),
    ],
)
def test_wrong_values_of_filters(filled, filters, error, message):
    with pytest.raises(error, match=message):
        filled.search(**filters)


def test_ids_are_strings(filled):
    ids = filled.search()["id"]
    for wrong in (ids.tolist(), filled.search().iloc[0], 3):
        with pytest.raises(TypeError, match="The id of a model is a string, as add and search return it; got"):
            filled.get(wrong)


def test_unknown_filters(filled):
    for name in ("colour", "min_property", "r2", "min_colour"):
        with pytest.raises(
            TypeError, match=rf"There is no filter '{name}'\. Texts: id, name, property, .* before n_tra"
        ):
            filled.search(**{name: 1})
    with pytest.raises(TypeError, match="property must be a string, a list of strings or None, got 3"):
        filled.search(property=3)


def test_names_for_the_featurizer(library, sources):
    library.add_many(sources[:2], property="x")
    names = library.search()["source"].tolist()
    assert_array_equal(load_source(names[0]).predict(SMILES), library.get(library.search()["id"][0]).predict(SMILES))
    search = GridSearchCV(
        make_pipeline(FrozenFeaturizer(names[0]), Ridge()), {"frozenfeaturizer__source": names}, cv=2
    ).fit(SMILES, y)
    assert search.best_params_["frozenfeaturizer__source"] in names
    features = FrozenFeaturizer(names).fit_transform(SMILES)
    assert features.shape == (len(SMILES), 8)


def test_load_source_by_name(library, sources, tmp_path):
    model_id = library.add(sources[0], property="x")
    sha256 = model_id + "0" * 48
    assert load_source(f"{library.path}#{model_id}", sha256=sha256).predict(SMILES[:1]).shape == (1,)
    with pytest.raises(ValueError, match="is named by its SHA-256, which does not begin like 1111"):
        load_source(f"{library.path}#{model_id}", sha256="1" * 64)
    with pytest.raises(KeyError, match="has no model 'abc'"):
        load_source(f"{library.path}#abc")
    with pytest.raises(FileNotFoundError):
        load_source(tmp_path / "none.source")


# ---------------------------------------------------------------- the library as an object


def test_nothing_there_yet(library):
    assert len(library) == 0
    assert "a" not in library
    assert library.search(property="x").empty
    assert library.verify().empty
    assert not library.path.exists()  # asking has made nothing
    with pytest.raises(KeyError, match=r"library has no model 'a'\. search\(\) lists what it has\."):
        library.get("a")
    with pytest.raises(KeyError, match="has no model 'a'"):
        library.remove("a")
    with pytest.raises(ValueError, match="nothing was added to this library yet"):
        library.export(None, library.path.parent / "a.zip")
    assert not library.path.exists()


def test_a_file_is_no_library(library, sources, tmp_path):
    library.add(sources[0], property="x")
    library.export(None, tmp_path / "all.zip")
    for use in (ModelLibrary.search, len, lambda archive: archive.add(sources[0], property="x")):
        with pytest.raises(NotADirectoryError, match=r"all\.zip is a file, and a library is a folder\. import_ adds"):
            use(ModelLibrary(tmp_path / "all.zip"))


def test_home_in_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ModelLibrary("~/models").path == tmp_path / "models"


def test_repr_and_pickle(library, sources):
    ids = library.add_many(sources, property=["a", "b", "b", "B"])
    assert repr(library) == f"ModelLibrary({str(library.path)!r}): 4 models, 2 properties"
    library.get(ids[0])
    again = pickle.loads(pickle.dumps(library))
    assert_array_equal(again.get(ids[0]).predict(SMILES), sources[0].predict(SMILES))
    assert ids[0] in ModelLibrary(str(library.path))


def test_unfitted_and_unkeepable_sources_are_refused(library, sources):
    with pytest.raises(NotFittedError):
        library.add_many([sources[0], network()], property="x")
    bad = make_pipeline(fingerprints(), FunctionTransformer(lambda X: X), network()).fit(SMILES, y)
    with pytest.raises(TypeError, match="The source cannot be kept without pickle"):
        library.add_many([sources[0], bad], property="x")
    assert len(library) == 0
    assert [path.name for path in library.path.rglob("*") if path.is_file()] == ["index.sqlite"]


def test_remove(library, sources):
    ids = library.add_many(sources, property="x")
    forest = library.add(RandomForestRegressor(2).fit(X, X[:, 0]), property="z")
    size = sum(path.stat().st_size for path in shards(library))
    library.remove(ids[:3])
    assert len(library) == 2
    assert sum(path.stat().st_size for path in shards(library)) < 0.4 * size
    assert_array_equal(library.get(ids[3]).predict(SMILES), sources[3].predict(SMILES))
    with pytest.raises(KeyError, match=f"has no model '{ids[0]}'"):
        library.get(ids[0])
    with pytest.raises(KeyError, match="has no model"):
        library.remove([ids[3], ids[0]])
    assert ids[3] in library
    library.remove(forest)
    assert len(list((library.path / "steps").iterdir())) == 1
    assert library.verify().empty
    library.remove(library.search(id=ids[3]))  # by the rows of a query
    assert not [path for path in library.path.rglob("*") if path.is_file() and path.name != "index.sqlite"]
    assert library.add(sources[0], property="x") == ids[0]


# ---------------------------------------------------------------- handing on


def test_export_and_import(library, sources, tmp_path):
    ids = library.add_many(sources, property="x", metrics=[{"r2": i / 4} for i in range(4)])
    sha256 = library.export(ids[1:3], tmp_path / "some.zip")
    other = ModelLibrary(tmp_path / "other")
    own = other.add(sources[2], property="x", metrics={"r2": 0.5})
    assert own == ids[2]
    assert sorted(other.import_(tmp_path / "some.zip", sha256=sha256)) == sorted(ids[1:3])
    assert len(other) == 2
    assert_array_equal(other.get(ids[1]).predict(SMILES), sources[1].predict(SMILES))
    card, origin = other.card(ids[1]), library.card(ids[1])
    assert {**card, "created": None} == {**origin, "created": None}
    columns = [column for column in library.search() if column not in ("created", "source")]
    pd.testing.assert_frame_equal(
        other.search(id=ids[1])[columns], library.search(id=ids[1])[columns], check_dtype=False
    )
    assert other.verify().empty
    library.export(library.search(max_r2=0.3), tmp_path / "all.zip")
    assert sorted(other.import_(tmp_path / "all.zip")) == sorted(ids[:2])
    library.export(None, tmp_path / "all.zip")
    assert len(other.import_(tmp_path / "all.zip")) == 4
    with pytest.raises(KeyError, match="has no model 'nobody'"):
        library.export(["nobody"], tmp_path / "none.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.zip", "library", "other", "some.zip"]


class FakeHub(types.ModuleType):
    """A Hugging Face Hub in a folder, with the two calls that the library makes of it."""

    def __init__(self, folder):
        super().__init__("huggingface_hub")
        self.folder, self.calls = folder, []
        self.HfApi = lambda token: types.SimpleNamespace(create_repo=self.create_repo, upload_folder=self.upload)

    def create_repo(self, repo_id, private, exist_ok):
        assert exist_ok
        self.calls.append(("create", repo_id, private))

    def upload(self, repo_id, folder_path, revision, commit_message, allow_patterns, delete_patterns):
        for pattern in delete_patterns:
            for path in (self.folder / repo_id).glob(pattern):
                path.unlink()
        self.copy(Path(folder_path), self.folder / repo_id, allow_patterns)
        return types.SimpleNamespace(commit_url=f"https://hub.invalid/{repo_id}/commit/1")

    def snapshot_download(self, repo_id, revision, local_dir, token, allow_patterns):
        self.calls.append(("download", repo_id, revision))
        self.copy(self.folder / repo_id, Path(local_dir), allow_patterns)

    @staticmethod
    def copy(source, target, patterns):
        for path in (path for pattern in patterns for path in source.glob(pattern)):
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = FakeHub(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    return hub


def test_push_and_pull(library, sources, hub, tmp_path):
    ids = library.add_many(sources, property="x|y", license="CC0")
    assert library.push("me/models", ids=ids[:3]) == "https://hub.invalid/me/models/commit/1"
    library.push("me/models", ids=ids[:2], private=False)  # what is no longer pushed leaves
    readme = (hub.folder / "me/models/README.md").read_text()
    assert readme.startswith("---\nlibrary_name: sktaag\n")
    assert "| x/y |  |  | CC0 | 2 |" in readme
    other = ModelLibrary(tmp_path / "other")
    assert sorted(other.pull("me/models", revision="abc")) == sorted(ids[:2])
    assert_array_equal(other.get(ids[1]).predict(SMILES), sources[1].predict(SMILES))
    assert hub.calls[0] == ("create", "me/models", True)
    assert hub.calls[-1] == ("download", "me/models", "abc")
    assert sorted(other.pull("me/models")) == sorted(ids[:2])
    assert len(other) == 2


def test_pull_checks_what_it_gets(library, sources, hub, tmp_path):
    ids = library.add_many(sources[:2], property="x")
    library.push("me/models")
    (shard,) = hub.folder.rglob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    other = ModelLibrary(tmp_path / "other")
    kept = other.add(sources[3], property="x")
    with pytest.raises(ValueError, match=r"Nothing of me/models was added: Model .* is damaged"):
        other.pull("me/models")
    assert other.search()["id"].tolist() == [kept]
    assert ids[0] not in other


def test_hub_is_an_extra(library, sources, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    library.add(sources[0], property="x")
    with pytest.raises(ImportError, match=r"push and pull need huggingface_hub: pip install 'sktaag\[hub\]'"):
        library.push("me/models")
