"""Graph networks as sources of FrozenFeaturizer and SourceSearchCV."""

import pickle

import numpy as np
import pytest
import torch
from ase import Atoms
from graph_sources import ENERGIES, MOLECULES, TINY, tiny_source
from numpy.testing import assert_allclose
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from torch_geometric.nn import SchNet as PyGSchNet

from sktaag.descriptors import Fingerprints
from sktaag.graphs import AtomGraphs
from sktaag.io import load_model, save_model
from sktaag.nn import Backbone
from sktaag.nn.backbones import SchNet
from sktaag.sources import GNNClassifier, GNNRegressor, ModelLibrary, PyramidRegressor, load_source, save_source
from sktaag.structures import InvalidRowsError, InvalidRowsWarning
from sktaag.transfer import (
    FrozenFeaturizer,
    GNNFeaturizer,
    LinearPotential,
    SourceSearchCV,
    TAAGFeaturizer,
    TAAGRegressor,
)

SMILES = ["CCO", "CCCO", "CC(C)O", "CC", "CCC", "CC(C)C"]


@pytest.fixture(scope="module")
def source():
    return tiny_source()


def test_layers_are_the_means_of_the_states(source):
    features = FrozenFeaturizer(source, layers="all").fit(MOLECULES)
    expected = GNNFeaturizer(source, layers=2, pooling="mean").fit_transform(MOLECULES)
    assert_allclose(features.transform(MOLECULES), expected, rtol=1e-5, atol=1e-6)
    assert features.get_feature_names_out()[[0, 8]].tolist() == ["L(-2)_1", "L(-1)_1"]
    output = FrozenFeaturizer(source, layers="output").fit(MOLECULES).transform(MOLECULES)
    assert_allclose(output.ravel(), source.predict(MOLECULES), rtol=1e-6)


def test_pipelines_files_and_copies(source, tmp_path):
    chain = make_pipeline(AtomGraphs(4.0), GNNRegressor(max_epochs=2, random_state=0, **TINY)).fit(MOLECULES, ENERGIES)
    model = make_pipeline(FrozenFeaturizer([source, chain], cache=tmp_path / "cache"), RidgeCV()).fit(
        MOLECULES, ENERGIES
    )
    assert model[:-1].transform(MOLECULES).shape == (10, 16)
    expected = model.predict(MOLECULES)
    assert_allclose(pickle.loads(pickle.dumps(model)).predict(MOLECULES), expected)
    save_model(model, tmp_path / "model")
    assert_allclose(load_model(tmp_path / "model").predict(MOLECULES), expected)


def test_each_model_has_rows_of_its_own_in_a_cache(source, tmp_path):
    other = tiny_source(max_epochs=1)
    for model in (source, other):
        output = FrozenFeaturizer(model, "output", cache=tmp_path).fit(MOLECULES).transform(MOLECULES)
        assert_allclose(output.ravel(), model.predict(MOLECULES), rtol=1e-6)
    shifted = tiny_source()  # the weights of the first one with other reference energies
    shifted.target_scaler_.reference_energies_ = shifted.reference_energies_ + 1.0
    output = FrozenFeaturizer(shifted, "output", cache=tmp_path).fit(MOLECULES).transform(MOLECULES)
    assert_allclose(output.ravel(), shifted.predict(MOLECULES), rtol=1e-6)


@pytest.mark.parametrize("cached", [False, True])
def test_invalid_rows(source, tmp_path, cached):
    cache = tmp_path if cached else None
    X = [MOLECULES[0], Atoms(), Atoms("Og"), MOLECULES[1]]
    with pytest.raises(InvalidRowsError, match=r"row 1: .*has no atoms"):
        FrozenFeaturizer(source, cache=cache).fit(X).transform(X)
    with pytest.raises(InvalidRowsError, match=r"row 1: .*has Og, which the backbone 'schnet' does not know"):
        FrozenFeaturizer(source, cache=cache).fit(X).transform([X[0], X[2]])
    tolerant = tiny_source(graphs=AtomGraphs(4.0, on_invalid="nan"))
    features = FrozenFeaturizer(tolerant, cache=cache).fit(X)
    for _ in range(2):
        with pytest.warns(InvalidRowsWarning, match=r"2 of 4[\s\S]*row 1: .*has no atoms\n  row 2: .*has Og"):
            found = features.transform(X)
        assert np.isnan(found).all(axis=1).tolist() == [False, True, True, False]


def test_beside_networks_of_descriptors_and_of_classes():
    graphs = GNNClassifier("gine", module__n_layers=2, module__n_features=8, max_epochs=2, random_state=0)
    graphs.fit(SMILES, 3 * ["alcohol"] + 3 * ["alkane"])
    bits = make_pipeline(Fingerprints(size=32), PyramidRegressor(hidden=(4,), max_epochs=2)).fit(SMILES, range(6))
    both = FrozenFeaturizer({"kind": graphs, "number": bits}, layers="output").fit(SMILES)
    assert both.get_feature_names_out().tolist() == ["kind_1", "kind_2", "number"]
    assert_allclose(both.transform(SMILES)[:, :2], graphs.predict_proba(SMILES), rtol=1e-5)


def test_whole_models_in_a_library(source, tmp_path):
    """They can be kept and used, but only what ends in a network has layers to take."""
    library = ModelLibrary(tmp_path)
    models = [
        make_pipeline(GNNFeaturizer(source), RidgeCV()),
        LinearPotential(source),
        make_pipeline(TAAGFeaturizer(source, cv=2, max_epochs=1, random_state=0), Ridge()),
        make_pipeline(FrozenFeaturizer(source), Ridge()),
        TAAGRegressor(source, max_epochs=1, random_state=0),
    ]
    ids = library.add_many([model.fit(MOLECULES, ENERGIES) for model in models], property="energy")
    for model, model_id in zip(models, ids, strict=True):
        assert_allclose(library.get(model_id).predict(MOLECULES), model.predict(MOLECULES), rtol=1e-6)
    assert library.search(hidden="*")["id"].tolist() == ids[-1:]
    assert_allclose(library.get(ids[1]).predict_forces(MOLECULES)[0], models[1].predict_forces(MOLECULES)[0])


def test_networks_of_others_by_name():
    pytest.importorskip("chgnet", reason="needs chgnet, as in sktaag[chgnet]")
    features = FrozenFeaturizer("chgnet", layers="all").fit_transform(MOLECULES)
    expected = GNNFeaturizer("chgnet", layers=4, pooling="mean").fit_transform(MOLECULES)
    assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    energies = FrozenFeaturizer("chgnet", layers="output").fit_transform(MOLECULES)
    assert_allclose(energies.ravel(), GNNRegressor.from_pretrained("chgnet").predict(MOLECULES), rtol=1e-6)


@pytest.fixture
def with_readout(tmp_path):
    """A network in a file of the layout of the Open Catalyst Project."""
    weights = PyGSchNet(16, 16, 2, 20, 6.0).state_dict()
    state = {f"module.module.{name}": value for name, value in weights.items()}
    torch.save({"state_dict": state, "config": {"model_attributes": {"cutoff": 6.0}}}, tmp_path / "schnet.pt")
    return SchNet.from_pretrained(tmp_path / "schnet.pt")


def test_networks_of_others_in_files(with_readout, tmp_path):
    alone = GNNRegressor.from_pretrained(with_readout)
    assert not alone.uses_forces_
    save_source(alone, tmp_path / "alone.source")
    assert_allclose(load_source(tmp_path / "alone.source").predict(MOLECULES), alone.predict(MOLECULES))
    for source in (with_readout, [with_readout, alone], {"a": with_readout}):
        model = make_pipeline(FrozenFeaturizer(source), Ridge()).fit(MOLECULES, ENERGIES)
        save_model(model, tmp_path / "model")
        assert_allclose(load_model(tmp_path / "model").predict(MOLECULES), model.predict(MOLECULES))


def test_sources_of_a_search_with_readout_and_without(source, with_readout):
    sources = {"trained here": source, "by others": with_readout}
    search = SourceSearchCV(Ridge(), sources, baseline=DummyRegressor(), cv=2).fit(MOLECULES, ENERGIES)
    assert {"trained here", "by others"} <= set(search.cv_results_["param_source"].compressed())
    sources["by others"] = SchNet(n_layers=1, n_features=8)
    with pytest.raises(ValueError, match="The backbone 'schnet' brings no readout of an energy, so that alone"):
        FrozenFeaturizer(sources["by others"]).fit(MOLECULES)
    with pytest.raises(ValueError, match="brings no readout of an energy"):
        SourceSearchCV(Ridge(), sources, baseline=DummyRegressor(), cv=2).fit(MOLECULES, ENERGIES)
    with pytest.raises(ValueError, match="The backbone 'schnet' has no pretrained weights"):
        FrozenFeaturizer("schnet").fit(MOLECULES)


class Embedding(Backbone):
    name = "embedding"

    def __init__(self, n_layers=0, n_features=4):
        super().__init__({"n_layers": n_layers, "n_features": n_features}, n_features=n_features, cutoff=4.0)
        self.embedding = torch.nn.Embedding(100, n_features)

    def tokens(self, batch):
        return self.embedding(batch.z)[:, None]


class OtherSchNet(SchNet):
    """Of which a file would make a SchNet."""


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (Embedding(), "Embedding cannot be kept without pickle, for its name 'embedding' stands for nothing"),
        (OtherSchNet(n_layers=1, n_features=8, cutoff=4.0), "its name 'schnet' stands for another one"),
    ],
    ids=["unknown", "same name"],
)
def test_backbones_that_no_file_could_bring_back(backbone, message, tmp_path):
    frozen = make_pipeline(GNNFeaturizer(backbone), Ridge()).fit(MOLECULES, ENERGIES)
    trained = TAAGRegressor(backbone, max_epochs=1).fit(MOLECULES, ENERGIES)
    for model in (frozen, trained):
        with pytest.raises(TypeError, match=message):
            save_model(model, tmp_path / "model")
        with pytest.raises(TypeError, match=message):
            ModelLibrary(tmp_path / "library").add(model, property="energy")
        assert_allclose(pickle.loads(pickle.dumps(model)).predict(MOLECULES), model.predict(MOLECULES))
    assert not (tmp_path / "model").exists()
    output = FrozenFeaturizer(trained, "output", cache=tmp_path / "cache").fit_transform(MOLECULES)
    assert_allclose(output.ravel(), trained.predict(MOLECULES), rtol=1e-6)


def test_search_over_a_library(source, tmp_path):
    library = ModelLibrary(tmp_path)
    for model, name in ((source, "energy"), (tiny_source(target="intensive"), "energy of an atom")):
        library.add(model, property=name, material="molecules", dataset="a few", license="CC0")
    search = SourceSearchCV(Ridge(), sources=library.search(), layers=[1, 2], cv=2, baseline=DummyRegressor())
    search.fit(MOLECULES, ENERGIES)
    assert len(search.cv_results_["mean_test_score"]) == 5
    assert search.predict(MOLECULES[:2]).shape == (2,)
    with pytest.raises(ValueError, match="set baseline to an estimator over the structures"):
        SourceSearchCV(Ridge(), sources={"energy": source}, cv=2).fit(MOLECULES, ENERGIES)
