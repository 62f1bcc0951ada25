import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.heads import NeuralRegressor
from sktaag.sources import ModelLibrary, PyramidClassifier, PyramidRegressor
from sktaag.transfer import FrozenFeaturizer as OurFeaturizer
from sktaag.xenonpy import MDL, Checker, FrozenFeaturizer, Trainer
from sktaag.xenonpy._bare_network import bare_network

X = np.random.RandomState(0).normal(size=(60, 5)).astype(np.float32)
Y = 300 + 40 * X[:, 0]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    library = ModelLibrary(tmp_path_factory.mktemp("library"))
    network = PyramidRegressor(hidden=(8, 4), max_epochs=3, activation="elu", dropout=0.1, random_state=0).fit(X, Y)
    chain = make_pipeline(StandardScaler(), PyramidRegressor(hidden=(6,), max_epochs=2, random_state=1)).fit(X, Y)
    classes = PyramidClassifier(hidden=(4,), max_epochs=2, random_state=0).fit(X, Y > 300)
    forest = RandomForestRegressor(5, random_state=0).fit(X, Y)
    metrics = {"mae": 3.0, "r2": 0.5, "pearsonr": 0.8}
    one = library.add(network, property="refractive index", material="polymer", dataset="MP Stable", metrics=metrics)
    library.add(chain, property="density", dataset="QM9", metrics={"mae": 1.0, "r2": 0.9}, parent=one)
    library.add(classes, property="metal", dataset="MP all", metrics={"accuracy": 0.9})
    library.add(forest, property="density", dataset="QM9")
    return library


@pytest.mark.parametrize(
    ("query", "filters", "expected"),
    [
        ((), {}, ["density", "refractive index", "metal", "density"]),
        ((), {"modelset_has": "stable"}, ["refractive index"]),
        ((), {"modelset_has": ["stable", "all"]}, ["refractive index", "metal"]),
        ((), {"property_has": "ens", "method_has": "Forest"}, ["density"]),
        ((), {"regression": False}, ["metal"]),
        ((), {"transferred": True}, ["density"]),
        ((), {"descriptor_has": "scaler"}, ["density"]),
        (("POLYMER", "refr"), {}, ["refractive index"]),
        (("nothing",), {}, []),
        (("x",), {"property_has": "nothing"}, []),
    ],
)
def test_searching(library, query, filters, expected):
    for mdl in (MDL(library), MDL(library.path)):
        found = mdl(*query, **filters)("property")
        assert sorted(found["property"]) == sorted(expected)
        assert found.index.tolist() == list(range(len(expected)))


def test_fields(library):
    query = MDL(library)(property_has="refractive")
    row = query()
    assert query.results is row
    assert row.columns.tolist() == list(query.queryable)
    assert row.iloc[0][["modelset", "meanAbsError", "pearsonCorr", "isRegression", "transferred"]].tolist() == [
        "MP Stable",
        3.0,
        0.8,
        True,
        False,
    ]
    assert np.isnan(row.loc[0, "spearmanCorr"])
    with pytest.raises(ValueError, match="no fields colour; there are id, modelset"):
        query("colour")


def test_recipe_a(library, tmp_path, monkeypatch):
    monkeypatch.setenv("SKTAAG_LIBRARY", str(library.path))
    mdl = MDL()
    query = mdl(modelset_has="Stable", property_has="refractive")
    summary = query("id", "modelset", "meanAbsError", "pearsonCorr").sort_values("meanAbsError")
    results = mdl.pull(summary.id[0], save_to=tmp_path)
    checker = Checker(results.model[0])
    trainer = Trainer.from_checker(checker)
    source = library.get(summary.id[0])
    assert_allclose(trainer.predict(torch.tensor(X)).detach().numpy().flatten(), source.predict(X), rtol=1e-5)
    rows = FrozenFeaturizer(model=trainer.model).transform(pd.DataFrame(X), depth=2, return_type="df")
    assert_allclose(rows, OurFeaturizer(source, layers=2).fit_transform(X), atol=1e-5)
    assert checker.describe["property"] == "refractive index"


def test_pulling_many(library, tmp_path):
    mdl = MDL(library)
    found = mdl(transferred=True)("id", "property")
    for ids in (found, found["id"]):
        pulled = mdl.pull(ids, save_to=tmp_path)
        assert pulled["id"].tolist() == found["id"].tolist()
    source = library.get(found["id"][0])
    model = Checker(pulled["model"][0]).model
    with torch.no_grad():
        rows = model(torch.tensor(source[0].transform(X), dtype=torch.float32))
    assert_allclose(rows[:, 0], source.predict(X), rtol=1e-5)
    forest = mdl(method_has="forest")("id")
    with pytest.raises(TypeError, match="RandomForestRegressor is no pyramid network"):
        mdl.pull(forest, save_to=tmp_path)
    with pytest.raises(KeyError):
        mdl.pull("0" * 16, save_to=tmp_path)
    with pytest.raises(ValueError, match="at least one id"):
        mdl.pull()


def test_scalers_go_into_the_network():
    head = NeuralRegressor(hidden=(6,), max_epochs=2, random_state=0).fit(X * [1, 10, 100, 1, 1] + 3, Y)
    data = (X * [1, 10, 100, 1, 1] + 3).astype(np.float32)
    with torch.no_grad():
        assert_allclose(bare_network(head)(torch.tensor(data))[:, 0], head.predict(data), rtol=1e-4)


@pytest.mark.parametrize("endpoint", [None, "no such folder"])
def test_without_a_library(endpoint, monkeypatch):
    monkeypatch.delenv("SKTAAG_LIBRARY", raising=False)
    with pytest.raises(ValueError, match=r"no model library .*server is offline.*SKTAAG_LIBRARY"):
        MDL(endpoint)("density")


def test_r9_cloned_and_pickled(library):
    mdl = MDL(library.path)
    for copy in (clone(mdl), pickle.loads(pickle.dumps(mdl))):
        assert copy.get_params() == {"endpoint": library.path}
        assert len(copy()("id")) == 4
