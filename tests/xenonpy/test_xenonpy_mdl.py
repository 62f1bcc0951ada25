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
from sktaag.sources import ModelLibrary, PyramidClassifier, PyramidRegressor, load_source
from sktaag.transfer import FrozenFeaturizer as OurFeaturizer
from sktaag.xenonpy import MDL, Checker, FrozenFeaturizer, SequentialLinear, Trainer
from sktaag.xenonpy._bare_network import bare_network
from sktaag.xenonpy._upstream import Checker as TheirChecker
from sktaag.xenonpy._upstream import SequentialLinear as TheirNetwork

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


@pytest.mark.parametrize(
    ("filters", "n_models"),
    [
        ({"lang_has": "Py"}, 4),
        ({"lang_has": ["r ", "python"]}, 4),
        ({"lang_has": "R "}, 0),
        ({"deprecated": False, "succeed": True}, 4),
        ({"deprecated": True}, 0),
        ({"succeed": False}, 0),
    ],
)
def test_what_all_models_here_share(library, filters, n_models):
    found = MDL(library)(**filters)("id", "lang", "succeed", "deprecated")
    assert len(found) == n_models
    assert all(
        row == ("python", True, False) for row in found[["lang", "succeed", "deprecated"]].itertuples(index=False)
    )


def test_listing(library):
    mdl = MDL(library)
    assert mdl.list_modelsets()("id", "name", "count").to_numpy().tolist() == [
        ["MP Stable", "MP Stable", 1],
        ["MP all", "MP all", 1],
        ["QM9", "QM9", 2],
    ]
    assert mdl.list_properties()("name")["name"].tolist() == ["density", "metal", "refractive index"]
    properties = mdl.query_properties("DENS")()
    assert properties.columns.tolist() == ["name", "fullName", "symbol", "unit", "describe", "count"]
    assert properties[["name", "fullName", "count"]].to_numpy().tolist() == [["density", None, 2]]
    assert mdl.query_modelsets(name_has=["stable", "qm"])("name")["name"].tolist() == ["MP Stable", "QM9"]
    assert mdl.list_methods()("name")["name"].tolist() == [
        "PyramidClassifier",
        "PyramidRegressor",
        "RandomForestRegressor",
    ]
    assert mdl.list_descriptors()("name", "count").to_numpy().tolist() == [["StandardScaler", 1]]
    assert mdl.get_property_detail("density")("count")["count"].tolist() == [2]
    for query in (mdl.get_modelset_detail("QM"), mdl.get_descriptor_detail("ECFP"), mdl.get_method_detail("forest")):
        with pytest.raises(KeyError, match="No model has"):
            query()
    for query, n_models in (
        (mdl.list_models_with_property("density"), 2),
        (mdl.list_models_with_property("dens"), 0),
        (mdl.list_models_with_modelset("QM9"), 2),
        (mdl.list_models_with_method("PyramidRegressor"), 2),
        (mdl.list_models_with_descriptor("StandardScaler"), 1),
    ):
        assert len(query("id")) == n_models


def test_one_model(library):
    mdl = MDL(library)
    ids = mdl(modelset_has="stable")("id")["id"].tolist()
    assert mdl.get_model_detail(ids[0])("property", "meanAbsError").to_numpy().tolist() == [["refractive index", 3.0]]
    assert len(mdl.get_model_details(mdl()("id")["id"])("id")) == 4
    info = mdl.get_training_info(ids[0])()
    assert info["epoch"].tolist() == [1, 2, 3]
    assert info["train_loss"].notna().all()
    assert "torch" in mdl.get_training_env(ids[0])()
    urls = mdl.get_model_urls(*ids)("id", "url")
    assert load_source(urls["url"][0]).hidden_sizes_ == (8, 4)
    with pytest.raises(KeyError, match="no model 0000"):
        mdl.get_model_urls("0000")()


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@pytest.mark.parametrize("params", [{}, {"h_normalizers": None}, {"h_activation_funcs": torch.nn.LeakyReLU()}])
def test_uploading_a_model_folder_of_xenonpys(tmp_path, eps, params):
    torch.manual_seed(0)
    model = TheirNetwork(5, 1, h_neurons=(4, 3), **params)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eps = eps  # 0.1 in the models of 2019
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.normal_(module.running_mean)
    checker = TheirChecker(tmp_path / "model")
    checker.model = model
    checker.final_state = model.state_dict()
    mdl = MDL(ModelLibrary(tmp_path / "library"))
    describe = {"property": "density", "unit": "g/cm3", "descriptor": "ECFP", "meanAbsError": 0.1, "pearsonCorr": 0.9}
    added = mdl.upload_model(modelset_id="PoLyInfo", describe=describe)(file=tmp_path / "model")
    row = mdl(modelset_has="polyinfo")("id", "property", "descriptor", "meanAbsError", "pearsonCorr").iloc[0]
    assert row.tolist() == [added["id"][0], "density", "ECFP", 0.1, 0.9]
    with torch.no_grad():
        expected = model.eval()(torch.tensor(X))[:, 0]
    source = ModelLibrary(tmp_path / "library").get(added["id"][0])
    assert_allclose(source.predict(X), expected, rtol=1e-5, atol=1e-6)
    assert [layer.shape[1] for layer in source.hidden_outputs(X)] == [4, 3]
    pulled = mdl.pull(added, save_to=tmp_path)
    with torch.no_grad():
        assert_allclose(Checker(pulled["model"][0]).model(torch.tensor(X))[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_uploaded(tmp_path):
    mdl = MDL(ModelLibrary(tmp_path / "library"))
    with pytest.raises(ValueError, match="describe has colour; it may have property, descriptor"):
        mdl.upload_model(modelset_id="x", describe={"colour": "red"})
    for name, model, message in (
        ("outputs", SequentialLinear(5, 2, h_neurons=(4,)), "one output can be kept, this one has 2"),
        ("mixed", SequentialLinear(5, 1, h_neurons=(4, 3), h_normalizers=(0.1, None)), "have the same parts"),
        ("tanhshrink", SequentialLinear(5, 1, h_neurons=(4,), h_activation_funcs=torch.nn.Tanhshrink()), "Tanhshrink"),
    ):
        checker = Checker(tmp_path / name)
        checker.model = model
        checker.final_state = model.state_dict()
        with pytest.raises(ValueError, match=message):
            mdl.upload_model(modelset_id="x", describe={"property": "p"})(file=tmp_path / name)
    with pytest.raises(ValueError, match="has no network"):
        mdl.upload_model(modelset_id="x", describe={"property": "p"})(file=tmp_path / "empty")
    checker = Checker(tmp_path / "nameless")
    checker.model = model = SequentialLinear(5, 1, h_neurons=(4,))
    checker.final_state = model.state_dict()
    upload = mdl.upload_model(modelset_id="x", describe={})
    with pytest.raises(ValueError, match="property is empty"):
        upload(file=tmp_path / "nameless")
    assert len(ModelLibrary(tmp_path / "library")) == 0
