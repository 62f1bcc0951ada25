"""Whole fitted models in files: everything that predicts today predicts the same from its file."""

import copy
import json
import re
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
from ase.build import molecule
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from sktaag.descriptors import Fingerprints
from sktaag.heads import NeuralRegressor
from sktaag.io import load_model, save_model
from sktaag.sources import GNNRegressor, ModelLibrary, PyramidEnsemble, PyramidRegressor, load_source, save_source
from sktaag.transfer import (
    FineTunedRegressor,
    FrozenFeaturizer,
    GNNFeaturizer,
    LinearPotential,
    SourceSearchCV,
    TAAGFeaturizer,
    TAAGRegressor,
)

SMILES = ["C" * n + end for n in range(1, 7) for end in ("", "O", "N", "(=O)O")]
y = np.array([10.0 * s.count("C") + 50 * s.count("O") + 30 * s.count("N") for s in SMILES])
GEOMETRIES = [molecule(name) for name in ("H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "H2CO", "N2H4")]
energies = np.arange(8.0)


def chain(seed=0, ending=None):
    network = PyramidRegressor((8, 4), max_epochs=2, random_state=seed) if ending is None else ending
    return make_pipeline(Fingerprints(counts=True, size=64), network).fit(SMILES, y)


SOURCES = {"one": chain(0), "two": chain(1)}
GRAPH_SOURCE = GNNRegressor(
    module__n_layers=2, module__n_features=8, module__cutoff=4.0, max_epochs=2, random_state=0
).fit(GEOMETRIES, energies)
graph = {"max_epochs": 2, "random_state": 0}


def frozen(source=SOURCES["one"], head=None, **params):
    return make_pipeline(FrozenFeaturizer(source, **params), Ridge() if head is None else head)


MODELS = {
    "forest": lambda: frozen(head=RandomForestRegressor(5, random_state=0)),
    "several sources": lambda: frozen(SOURCES, layers="all"),
    "list of sources": lambda: frozen(list(SOURCES.values()), layers="output", activation="post"),
    "frozen source": lambda: frozen(FrozenEstimator(SOURCES["one"])),
    "ensemble": lambda: frozen(chain(ending=PyramidEnsemble(3, (8, 4), max_epochs=2, random_state=0)), member="all"),
    "neural head": lambda: frozen(head=NeuralRegressor(max_epochs=2, random_state=0)),
    "beside descriptors": lambda: make_pipeline(
        make_union(FrozenFeaturizer(SOURCES["one"]), Fingerprints("maccs")), StandardScaler(), SVR()
    ),
    "scaled target": lambda: TransformedTargetRegressor(frozen(), transformer=StandardScaler()),
    "vote": lambda: VotingRegressor([("direct", chain(2)), ("frozen", frozen())]),
    "stack": lambda: StackingRegressor([("a", frozen()), ("b", frozen(layers=2))], Ridge(), cv=3),
    "grid": lambda: GridSearchCV(frozen(), {"frozenfeaturizer__layers": [1, 2]}, cv=3),
    "search": lambda: SourceSearchCV(Ridge(), SOURCES, layers=[1, "all"], cv=3, baseline=False),
    "average of a search": lambda: SourceSearchCV(Ridge(), SOURCES, cv=3, aggregate=["average", "stack", "concat"]),
    "search by screening": lambda: SourceSearchCV(
        {"ridge": Ridge(), "forest": ExtraTreesRegressor(3, random_state=0)}, SOURCES, screen="log_me", cv=3
    ),
}
GRAPH_MODELS = {
    "taag": lambda: TAAGRegressor(GRAPH_SOURCE, **graph),
    "fine-tuned": lambda: FineTunedRegressor(GRAPH_SOURCE, strategy="freeze", **graph),
    "taag in a vote": lambda: VotingRegressor([("taag", TAAGRegressor(GRAPH_SOURCE, **graph)), ("gnn", GRAPH_SOURCE)]),
    "taag features": lambda: make_pipeline(TAAGFeaturizer(GRAPH_SOURCE, cv=None, **graph), Ridge()),
    "frozen states": lambda: make_pipeline(GNNFeaturizer(GRAPH_SOURCE), Ridge()),
    "linear potential": lambda: LinearPotential(GRAPH_SOURCE),
    "double precision": lambda: LinearPotential(copy.deepcopy(GRAPH_SOURCE.backbone_).double()),
    "taag in double precision": lambda: TAAGRegressor(copy.deepcopy(GRAPH_SOURCE.backbone_).double(), **graph),
    "scaled taag": lambda: TransformedTargetRegressor(
        TAAGRegressor(GRAPH_SOURCE, target="intensive", **graph), transformer=StandardScaler()
    ),
}
CASES = [(name, make, SMILES, y) for name, make in MODELS.items()]
CASES += [(name, make, GEOMETRIES, energies) for name, make in GRAPH_MODELS.items()]


def tensors_of(path):
    with zipfile.ZipFile(path) as archive:
        return safetensors.torch.load(archive.read("weights.safetensors"))


@pytest.mark.parametrize(("make", "X", "target"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_model_predicts_the_same_from_its_file(tmp_path, make, X, target):
    model = make().fit(X, target)
    expected = model.predict(X)
    sha256 = save_model(model, tmp_path / "a.sktaag", about={"unit": "K"})
    assert_array_equal(model.predict(X), expected)  # saving left it as it was
    again = load_model(tmp_path / "a.sktaag", sha256=sha256)
    assert_array_equal(again.predict(X), expected)
    assert again.about_ == {"unit": "K"}
    save_model(again, tmp_path / "b.sktaag")
    assert_array_equal(load_model(tmp_path / "b.sktaag").predict(X), expected)


def test_classifier(tmp_path):
    labels = np.where(["O" in s for s in SMILES], "acid", "base")
    model = frozen(head=RandomForestClassifier(5, random_state=0)).fit(SMILES, labels)
    save_model(model, tmp_path / "a.sktaag")
    assert_array_equal(load_model(tmp_path / "a.sktaag").predict_proba(SMILES), model.predict_proba(SMILES))


def test_prediction_intervals(tmp_path):
    mapie = pytest.importorskip("mapie.regression")
    X = np.array(SMILES, dtype=object)
    model = mapie.CrossConformalRegressor(frozen(), confidence_level=0.8, cv=3, random_state=0)
    model.fit_conformalize(X, y)
    save_model(model, tmp_path / "a.sktaag")
    with pytest.raises(ValueError, match="holds mapie") as caught:
        load_model(tmp_path / "a.sktaag")
    trusted = re.findall(r"'(mapie\.[^']+)'", str(caught.value))
    again = load_model(tmp_path / "a.sktaag", trusted=trusted)
    assert_array_equal(again.predict_interval(X)[1], model.predict_interval(X)[1])


def test_each_network_is_in_the_file_once(tmp_path):
    model = VotingRegressor([("a", frozen()), ("b", frozen(layers=2))]).fit(SMILES, y)
    save_model(model, tmp_path / "a.sktaag")
    shapes = sorted(tuple(tensor.shape) for tensor in tensors_of(tmp_path / "a.sktaag").values() if tensor.ndim == 2)
    weights = SOURCES["one"][-1].module_.state_dict().values()
    assert shapes == sorted(tuple(weight.shape) for weight in weights if weight.ndim == 2)


def test_frozen_features_can_be_fitted_again(tmp_path):
    model = frozen(SOURCES).fit(SMILES, y)
    save_model(model, tmp_path / "a.sktaag")
    again = clone(load_model(tmp_path / "a.sktaag")).fit(SMILES[::2], y[::2])
    assert_array_equal(again.predict(SMILES), clone(model).fit(SMILES[::2], y[::2]).predict(SMILES))


def test_a_search_comes_back_with_its_results(tmp_path):
    search = MODELS["average of a search"]().fit(SMILES, y)
    save_model(search, tmp_path / "a.sktaag")
    again = load_model(tmp_path / "a.sktaag")
    assert search.sources is SOURCES
    assert again.sources is None
    assert (again.summary_, again.best_strategy_) == (search.summary_, search.best_strategy_)
    assert again.score(SMILES, y) == search.score(SMILES, y)
    frames = [pd.DataFrame(one.cv_results_).drop(columns="params").astype(str) for one in (search, again)]
    pd.testing.assert_frame_equal(*frames)


def test_any_metric_by_its_name(tmp_path):
    for name in get_scorer_names():
        scored = GridSearchCV(Ridge(), {"alpha": [1.0]}, scoring=name, cv=2, error_score=0.0, refit=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # most do not suit numbers
            scored.fit(np.eye(8), np.arange(8.0))
        save_model(scored, tmp_path / "model")
        assert str(load_model(tmp_path / "model").scorer_) == str(scored.scorer_)


def test_sources_of_a_library_are_in_the_file(tmp_path):
    library = ModelLibrary(tmp_path / "library")
    for name, source in SOURCES.items():
        library.add(source, property=name, unit="K")
    model = frozen(library.search(), layers="output").fit(SMILES, y)
    expected, names = model.predict(SMILES), model[0].get_feature_names_out()
    save_model(model, tmp_path / "a.sktaag")
    library.remove(library.search()["id"].tolist())
    again = load_model(tmp_path / "a.sktaag")
    assert_array_equal(again.predict(SMILES), expected)
    assert_array_equal(again[0].get_feature_names_out(), names)
    assert list(again[0].source) == list(names)


def test_caches_stay_on_their_machine(tmp_path):
    model = frozen(SOURCES, cache=tmp_path / "private").set_params(memory=str(tmp_path / "private")).fit(SMILES, y)
    save_model(model, tmp_path / "a.sktaag")
    again = load_model(tmp_path / "a.sktaag")
    assert (again.memory, again[0].cache) == (None, None)
    assert model[0].cache == tmp_path / "private"
    with zipfile.ZipFile(tmp_path / "a.sktaag") as archive, zipfile.ZipFile(archive.open("steps.skops")) as steps:
        assert not [name for name in steps.namelist() if b"private" in steps.read(name)]


def test_nothing_is_pickled(tmp_path, monkeypatch):
    save_model(MODELS["search"]().fit(SMILES, y), tmp_path / "a.sktaag")

    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for function in ("pickle.load", "pickle.loads", "torch.load", "joblib.load"):
        monkeypatch.setattr(function, refuse)
    load_model(tmp_path / "a.sktaag")


def test_sources_and_models_are_files_of_one_kind(tmp_path):
    save_source(SOURCES["one"], tmp_path / "a.source")
    assert_array_equal(load_model(tmp_path / "a.source").predict(SMILES), SOURCES["one"].predict(SMILES))
    save_model(SOURCES["one"], tmp_path / "b.sktaag")
    assert_array_equal(load_source(tmp_path / "b.sktaag").predict(SMILES), SOURCES["one"].predict(SMILES))


# ---------------------------------------------------------------- refusals


def test_what_is_not_fitted_or_not_plain(tmp_path):
    with pytest.raises(NotFittedError, match="not fitted"):
        save_model(frozen(), tmp_path / "a.sktaag")
    model = frozen(head=TransformedTargetRegressor(Ridge(), func=lambda t: t, inverse_func=lambda t: t)).fit(SMILES, y)
    with pytest.raises(TypeError, match="The model cannot be kept without pickle"):
        save_model(model, tmp_path / "a.sktaag")
    with pytest.raises(TypeError, match="about must be a dict in JSON's types"):
        save_model(frozen().fit(SMILES, y), tmp_path / "a.sktaag", about={"unit": {1, 2}})
    assert not list(tmp_path.iterdir())


def identity(X):
    return X


@pytest.fixture
def path(tmp_path):
    model = frozen().fit(SMILES, y)
    save_model(model, tmp_path / "a.sktaag")
    return tmp_path / "a.sktaag"


def test_foreign_functions_need_trust(tmp_path):
    model = make_pipeline(FrozenFeaturizer(SOURCES["one"]), FunctionTransformer(identity), Ridge()).fit(SMILES, y)
    save_model(model, tmp_path / "a.sktaag")
    with pytest.raises(ValueError, match=r"a\.sktaag holds \S*identity\. If you trust whoever wrote it, pass trusted="):
        load_model(tmp_path / "a.sktaag")
    again = load_model(tmp_path / "a.sktaag", trusted=[f"{identity.__module__}.identity"])
    assert_array_equal(again.predict(SMILES), model.predict(SMILES))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_torn_file(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"a\.sktaag is damaged or no model file .*\. Get or save it again\."):
        load_model(path)


def test_another_sha256(path):
    with pytest.raises(ValueError, match=r"a\.sktaag has SHA-256 [0-9a-f]{64}, not 00"):
        load_model(path, sha256="00")


def edit_card(path, **changes):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["source.json"] = json.dumps(json.loads(members["source.json"]) | changes).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_newer_format(path):
    edit_card(path, format=2)
    with pytest.raises(ValueError, match=r"has format 2; sktaag \S+ reads up to 1\. Update sktaag\."):
        load_model(path)


@pytest.mark.parametrize("same", [{"source/x:a": "nowhere"}, {}, ["a"]])
def test_card_that_does_not_fit(path, same):
    edit_card(path, same=same)
    with pytest.raises(ValueError, match=r"(?s)a\.sktaag does not fit together \(.*\)\. Get or save it again\."):
        load_model(path)
