import os
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNetRegressor

from sktaag.base import StructureTransformer
from sktaag.descriptors import Fingerprints, RareBitFilter
from sktaag.heads import NeuralRegressor
from sktaag.nn import Pyramid
from sktaag.sources import ModelLibrary, PyramidClassifier, PyramidEnsemble, PyramidRegressor, load_source, save_source
from sktaag.structures import InvalidRowsError, InvalidRowsWarning, _reader
from sktaag.transfer import FrozenFeaturizer, _chain

SMILES = ["C" * n + end for n in range(1, 9) for end in ("", "O", "N", "(=O)O", "OC")]
y = np.array([10.0 * s.count("C") + 50 * s.count("O") + 30 * s.count("N") for s in SMILES])
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
    "c1ccccc1",
    "CCF",
    "CS",
]
target_y = np.array([10.0 * s.count("C") + 50 * s.count("O") + 30 * s.count("N") for s in TARGET])
WIDTHS = (12, 8, 4)
rng = np.random.RandomState(0)
X_numeric = rng.randn(40, 20).astype(np.float32)


def network(random_state=0, **params):
    return PyramidRegressor(**{"hidden": WIDTHS, "max_epochs": 3, "random_state": random_state} | params)


def chain(random_state=0, **params):
    fingerprints = Fingerprints(**{"counts": True, "size": 64} | params)
    return make_pipeline(fingerprints, StandardScaler(), network(random_state)).fit(SMILES, y)


@pytest.fixture(scope="module")
def source():
    return chain()


@pytest.fixture(scope="module")
def other():
    return chain(random_state=1)


@pytest.fixture
def parsed(monkeypatch):
    """List of the structures that were read in this process."""
    seen, to_mol = [], _reader.to_mol

    def remember(structure):
        seen.append(structure)
        return to_mol(structure)

    monkeypatch.setattr(_reader, "to_mol", remember)
    return seen


def hidden(source, X, activation="pre"):
    """List of the hidden layers, by a plain loop over the parts of the network."""
    network = source[-1].module_.eval()
    x, layers = torch.as_tensor(np.asarray(source[:-1].transform(X), np.float32)), []
    with torch.no_grad():
        for block in list(network)[:-1]:
            pre = block.linear(x)
            x = block(x)
            layers.append((pre if activation == "pre" else x).numpy())
    return layers


# ---------------------------------------------------------------- XenonPy's FrozenFeaturizer


@pytest.fixture(scope="module")
def xenonpy_model():
    xenonpy = pytest.importorskip("xenonpy.model")
    torch.manual_seed(0)
    model = xenonpy.SequentialLinear(20, 1, h_neurons=(16, 10, 6, 3), h_dropouts=0.2)
    for _ in range(5):
        model(torch.from_numpy(X_numeric))  # moves the running means of the batch norms
    return model.eval()


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_equals_xenonpy(xenonpy_model, depth):
    from xenonpy.descriptor import FrozenFeaturizer as XenonPyFeaturizer

    expected = XenonPyFeaturizer(model=xenonpy_model).transform(X_numeric, depth=depth, return_type="df")
    ours = Pyramid(20, 1, hidden=(16, 10, 6, 3), dropout=0.2)
    ours.load_state_dict(xenonpy_model.state_dict())
    trained = network(hidden=(16, 10, 6, 3), dropout=0.2).fit(X_numeric, X_numeric[:, 0])
    trained.module_.load_state_dict(xenonpy_model.state_dict())
    for source in (xenonpy_model, ours, trained):
        model = FrozenFeaturizer(source, layers=depth).set_output(transform="pandas")
        features = model.fit_transform(X_numeric)
        assert features.columns.tolist() == expected.columns.tolist()
        assert_allclose(features, expected, rtol=0, atol=1e-6)
    assert (features.to_numpy() != 0).all()


# ---------------------------------------------------------------- which layers


@pytest.mark.parametrize(
    ("layers", "positions"),
    [
        (1, [2]),
        (2, [1, 2]),
        (3, [0, 1, 2]),
        ([1], [2]),
        ([2], [1]),
        ([1, 2], [1, 2]),
        ([2, 1, 2], [1, 2]),
        ((3, 1), [0, 2]),
        (range(1, 3), [1, 2]),
        ("all", [0, 1, 2]),
        (np.int64(2), [1, 2]),
    ],
)
@pytest.mark.parametrize("activation", ["pre", "post"])
def test_layers(source, layers, positions, activation):
    model = FrozenFeaturizer(source, layers, activation=activation).fit(TARGET)
    features = model.transform(TARGET)
    expected = hidden(source, TARGET, activation)
    assert features.dtype == np.float32
    assert_allclose(features, np.concatenate([expected[i] for i in positions], axis=1), rtol=1e-5, atol=1e-6)
    names = [f"L(-{3 - i})_{j}" for i in positions for j in range(1, WIDTHS[i] + 1)]
    assert model.get_feature_names_out().tolist() == names


def test_list_of_layers_is_the_integer(source):
    two = FrozenFeaturizer(source, 2).fit_transform(TARGET)
    assert_array_equal(FrozenFeaturizer(source, [1, 2]).fit_transform(TARGET), two)
    assert_array_equal(FrozenFeaturizer(source, "all").fit_transform(TARGET)[:, -12:], two)
    assert_array_equal(FrozenFeaturizer(source, np.array([1, 2])).fit_transform(TARGET), two)


def test_output_is_the_prediction(source):
    model = FrozenFeaturizer(source, "output").fit(TARGET)
    assert_allclose(model.transform(TARGET)[:, 0], source.predict(TARGET), rtol=1e-6)
    assert model.get_feature_names_out().tolist() == ["output_1"]
    several = make_pipeline(Fingerprints(size=64), network()).fit(SMILES, np.stack([y, -y], axis=1))
    model = FrozenFeaturizer(several, "output").fit(TARGET)
    assert_allclose(model.transform(TARGET), several.predict(TARGET), rtol=1e-6)
    assert model.get_feature_names_out().tolist() == ["output_1", "output_2"]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_output_of_a_classifier_is_its_probabilities(n_classes):
    classes = np.array(["a", "b", "c"])[np.arange(len(SMILES)) % n_classes]
    source = make_pipeline(Fingerprints(size=64), PyramidClassifier((8, 4), max_epochs=3, random_state=0))
    source.fit(SMILES, classes)
    features = FrozenFeaturizer(source, "output").fit_transform(TARGET)
    assert features.shape == (len(TARGET), n_classes)
    assert_allclose(features, source.predict_proba(TARGET), rtol=1e-6)
    assert FrozenFeaturizer(source, 2).fit_transform(TARGET).shape == (len(TARGET), 12)


# ---------------------------------------------------------------- kinds of source


def test_bare_networks_take_numbers():
    trained = network().fit(X_numeric, X_numeric[:, 0])
    expected = trained.hidden_outputs(X_numeric)
    model = FrozenFeaturizer(trained, "all").fit(X_numeric)
    assert model.n_features_in_ == 20
    assert_array_equal(model.transform(X_numeric), np.concatenate(expected, axis=1))
    assert_allclose(model.transform(csr_array(X_numeric)), np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-6)
    assert_allclose(FrozenFeaturizer(trained.module_, 1).fit_transform(X_numeric), expected[-1], rtol=1e-5, atol=1e-6)
    assert_allclose(FrozenFeaturizer(trained.net_, 1).fit_transform(X_numeric), expected[-1], rtol=1e-5, atol=1e-6)
    assert_array_equal(FrozenFeaturizer(FrozenEstimator(trained), 1).fit_transform(X_numeric), expected[-1])
    assert_array_equal(FrozenFeaturizer(trained, 1).fit_transform(X_numeric.tolist()), expected[-1])


def test_network_of_skorch():
    net = NeuralNetRegressor(
        Pyramid, module__in_features=20, module__out_features=1, module__hidden=(6, 3), max_epochs=2, verbose=0
    )
    source = make_pipeline(StandardScaler(), net).fit(X_numeric, X_numeric[:, :1])
    scaled = torch.as_tensor(source[0].transform(X_numeric))
    with torch.no_grad():
        first = net.module_.eval()[0].linear(scaled).numpy()
    features = FrozenFeaturizer(source, "all").fit_transform(X_numeric)
    assert_allclose(features[:, :6], first, atol=1e-6)
    assert_allclose(FrozenFeaturizer(source, "output").fit_transform(X_numeric), source.predict(X_numeric), atol=1e-6)
    with pytest.raises(NotFittedError):
        FrozenFeaturizer(NeuralNetRegressor(Pyramid)).fit(X_numeric)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_torch_module(dtype):
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(20, 6), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.Linear(6, 2), torch.nn.Softmax(dim=1)
    ).to(dtype)
    assert module.training
    features = FrozenFeaturizer(module, activation="post").fit_transform(X_numeric)
    x = torch.as_tensor(X_numeric).to(dtype)
    with torch.no_grad():
        assert_allclose(features, module[1](module[0](x)), rtol=1e-6)  # no dropout
    assert module.training
    output = FrozenFeaturizer(module, "output").fit_transform(X_numeric)
    assert_allclose(output, module.eval()(x).detach(), rtol=1e-6)


def test_path(source, tmp_path):
    save_source(source, tmp_path / "boiling.source")
    for path in (tmp_path / "boiling.source", str(tmp_path / "boiling.source")):
        model = FrozenFeaturizer(path, 2)
        assert_array_equal(model.fit_transform(TARGET), FrozenFeaturizer(source, 2).fit_transform(TARGET))
        assert model.source == path


@pytest.mark.parametrize("with_cache", [False, True])
def test_names_of_columns(tmp_path, with_cache):
    frame = pd.DataFrame(X_numeric, columns=[f"x{i}" for i in range(20)])
    for source in (
        network().fit(frame, X_numeric[:, 0]),
        make_pipeline(StandardScaler(), network()).set_output(transform="pandas").fit(frame, X_numeric[:, 0]),
        make_pipeline(ColumnTransformer([("half", StandardScaler(), ["x3", "x1"])]), network()).fit(
            frame, X_numeric[:, 0]
        ),
    ):
        model = FrozenFeaturizer(source, "all", cache=tmp_path if with_cache else None)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            features = model.fit(frame).transform(frame)
            assert_array_equal(model.fit_transform(X_numeric), features)
            prepared = source[:-1].transform(frame) if isinstance(source, Pipeline) else frame
            network_ = source[-1] if isinstance(source, Pipeline) else source
            assert_array_equal(features, np.concatenate(network_.hidden_outputs(prepared), axis=1))
        with pytest.raises(ValueError, match=r"^X must have the columns that the source .*: \['x0', .*got \['x19', "):
            model.transform(frame.iloc[:, ::-1])


def test_nested_and_frozen_pipelines(source):
    expected = FrozenFeaturizer(source).fit_transform(TARGET)
    nested = make_pipeline(make_pipeline(source[0], None, FrozenEstimator(source[1])), "passthrough", source[2])
    for form in (FrozenEstimator(source), nested, FrozenEstimator(nested)):
        assert_array_equal(FrozenFeaturizer(form).fit_transform(TARGET), expected)


def test_steps_may_hand_on_frames():
    steps = make_pipeline(Fingerprints(size=32), StandardScaler(), network()).set_output(transform="pandas")
    source = steps.fit(SMILES, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = FrozenFeaturizer(source).fit_transform(TARGET)
    assert_array_equal(features, source[-1].hidden_outputs(source[:-1].transform(TARGET))[-1])


def test_steps_may_hand_on_sparse_matrices(source):
    sparse = make_pipeline(Fingerprints(counts=True, size=64, sparse=True), StandardScaler(with_mean=False), network())
    sparse.fit(SMILES, y)
    expected = sparse[-1].hidden_outputs(sparse[:-1].transform(TARGET))
    assert_array_equal(FrozenFeaturizer(sparse).fit_transform(TARGET), expected[-1])


# ---------------------------------------------------------------- several sources


def test_several_sources_stand_side_by_side(source, other, tmp_path):
    save_source(other, tmp_path / "melting.source")
    one, two = (FrozenFeaturizer(s, 2).fit_transform(TARGET) for s in (source, other))
    assert (one != two).any()
    for sources, prefixes in [
        ({"boiling": source, "melting": other}, ["boiling__", "melting__"]),
        ([source, other], ["source0__", "source1__"]),
        ((source, tmp_path / "melting.source"), ["source0__", "melting__"]),
    ]:
        model = FrozenFeaturizer(sources, 2).fit(TARGET)
        assert_array_equal(model.transform(TARGET), np.hstack([one, two]))
        names = FrozenFeaturizer(source, 2).fit(TARGET).get_feature_names_out()
        assert model.get_feature_names_out().tolist() == [prefix + name for prefix in prefixes for name in names]


@pytest.mark.parametrize("layers", ["output", 1])
def test_columns_of_a_library_query_have_names_and_units(source, other, tmp_path, layers):
    library = ModelLibrary(tmp_path)
    for one, prop, unit in [(source, "heat capacity", "J/kg/K"), (other, "log P", None), (source, "density", "g/mL")]:
        library.add(one, property=prop, material="molecule", unit=unit)
    found = library.search().sort_values("property")
    model = FrozenFeaturizer(found, layers).fit(TARGET)
    names = ["density (g/mL)", "heat capacity (J/kg/K)", "log P"]
    widths = FrozenFeaturizer(source, layers).fit(TARGET).get_feature_names_out()
    expected = names if layers == "output" else [f"{name}__{column}" for name in names for column in widths]
    assert model.get_feature_names_out().tolist() == expected
    blocks = [FrozenFeaturizer(one, layers).fit_transform(TARGET) for one in (source, source, other)]
    assert_array_equal(model.transform(TARGET), np.hstack(blocks))
    frame = clone(model).set_output(transform="pandas").fit_transform(TARGET)
    assert frame.columns.tolist() == expected

    library.add(other, property="density", unit="g/mL")
    found = library.search(property=["density", "log P"])
    names = FrozenFeaturizer(found, "output").fit(TARGET).get_feature_names_out()
    ids = found.loc[found["property"] == "density", "id"]
    assert set(names) == {"log P", *(f"density (g/mL) {model_id}" for model_id in ids)}
    bare = FrozenFeaturizer(found[["id", "source"]], "output").fit(TARGET)
    assert bare.get_feature_names_out().tolist() == found["id"].tolist()
    with pytest.raises(ValueError, match=r'must have the columns "id" and "source".* got \'id\''):
        FrozenFeaturizer(found[["id"]]).fit(TARGET)


def test_names_of_predicted_properties(source, other, tmp_path):
    save_source(other, tmp_path / "melting.source")
    two = make_pipeline(Fingerprints(size=32), network()).fit(SMILES, np.column_stack([y, -y]))
    for sources, names in [
        ({"boiling point (K)": source, "both": two}, ["boiling point (K)", "both_1", "both_2"]),
        ([source, tmp_path / "melting.source"], ["source0", "melting"]),
        (source, ["output_1"]),
    ]:
        assert FrozenFeaturizer(sources, "output").fit(TARGET).get_feature_names_out().tolist() == names


def test_several_members_of_an_ensemble(monkeypatch):
    steps = make_pipeline(Fingerprints(counts=True, size=64), PyramidEnsemble(4, WIDTHS, max_epochs=2, random_state=0))
    steps.fit(SMILES, pd.DataFrame({"density": y, "melting": -y}))
    chains = [make_pipeline(steps[0], steps[1][k]) for k in range(4)]
    for member, numbers in [("all", [0, 1, 2, 3]), ([2, 0], [2, 0]), (np.array([3]), [3])]:
        model = FrozenFeaturizer(steps, "output", member=member).fit(TARGET)
        expected = [FrozenFeaturizer(chains[k], "output").fit_transform(TARGET) for k in numbers]
        assert_array_equal(model.transform(TARGET), np.hstack(expected))
        names = [f"{['density', 'melting'][k % 2]} {k}" for k in numbers]
        assert model.get_feature_names_out().tolist() == names
    ensemble = PyramidEnsemble(2, WIDTHS, max_epochs=1).fit(X_numeric, X_numeric[:, 0])
    names = FrozenFeaturizer(ensemble, "output", member="all").fit(X_numeric).get_feature_names_out()
    assert names.tolist() == ["member0", "member1"]
    table = steps[1].members_.copy()
    table.loc[1, "best_epoch"] = 0  # what a network has whose training diverged
    monkeypatch.setattr(PyramidEnsemble, "members_", property(lambda self: table), raising=False)
    assert len(FrozenFeaturizer(steps, "output", member="all").fit(TARGET).get_feature_names_out()) == 3


def test_member_of_an_ensemble():
    ensemble = PyramidEnsemble(4, WIDTHS, max_epochs=2, random_state=0).fit(X_numeric, X_numeric[:, 0])
    for k in (0, 3, -1):
        model = FrozenFeaturizer(ensemble, layers=2, member=k).fit(X_numeric)
        expected = FrozenFeaturizer(ensemble[k], layers=2).fit_transform(X_numeric)
        assert_array_equal(model.transform(X_numeric), expected)
        assert_array_equal(clone(model).fit_transform(X_numeric), expected)
    assert model.get_feature_names_out()[0] == "L(-2)_1"
    search = GridSearchCV(make_pipeline(model, Ridge()), {"frozenfeaturizer__member": [0, 1, 2]}, cv=2)
    assert len(search.fit(X_numeric, X_numeric[:, 0]).cv_results_["params"]) == 3


def test_member_of_an_ensemble_at_the_end_of_a_pipeline(tmp_path):
    ensemble = PyramidEnsemble(3, WIDTHS, max_epochs=2, random_state=0)
    steps = make_pipeline(Fingerprints(counts=True, size=64), ensemble).fit(SMILES, y)
    features = {k: FrozenFeaturizer(steps, member=k, cache=tmp_path).fit_transform(TARGET) for k in range(3)}
    for k in range(3):
        alone = make_pipeline(steps[0], ensemble[k])
        assert_array_equal(features[k], FrozenFeaturizer(alone).fit_transform(TARGET))
    assert (features[0] != features[1]).any()  # the cache tells them apart
    both = FrozenFeaturizer([ensemble[0], ensemble[2]]).fit(steps[0].transform(TARGET))
    assert_array_equal(both.transform(steps[0].transform(TARGET)), np.hstack([features[0], features[2]]))


def test_member_and_ensemble_go_together(source):
    ensemble = PyramidEnsemble(2, (4,), max_epochs=1).fit(X_numeric, X_numeric[:, 0])
    with pytest.raises(ValueError, match=r"ends in an ensemble of 2 networks\. Set member to the number of one"):
        FrozenFeaturizer(ensemble).fit(X_numeric)
    with pytest.raises(ValueError, match="member=1 picks from a PyramidEnsemble; the source ends in PyramidRegressor"):
        FrozenFeaturizer(source, member=1).fit(TARGET)
    with pytest.raises(IndexError, match="no network 2; the ensemble has 2"):
        FrozenFeaturizer(ensemble, member=2).fit(X_numeric)
    with pytest.raises(NotFittedError):
        FrozenFeaturizer(PyramidEnsemble(2), member=0).fit(X_numeric)


def test_sources_of_different_depth(source):
    flat = make_pipeline(Fingerprints(size=32), network(hidden=(5,))).fit(SMILES, y)
    model = FrozenFeaturizer({"deep": source, "flat": flat}, "all").fit(TARGET)
    assert model.transform(TARGET).shape == (len(TARGET), sum(WIDTHS) + 5)
    with pytest.raises(ValueError, match=r"layers=2 asks for hidden layer 2, .*; source 'flat' has 1\.$"):
        FrozenFeaturizer({"deep": source, "flat": flat}, 2).fit(TARGET)


# ---------------------------------------------------------------- model selection


def search(model, grid, **params):
    return GridSearchCV(model, grid, cv=3, error_score="raise", **params).fit(TARGET, target_y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_search_over_layers_and_heads(source, n_jobs):
    model = make_pipeline(FrozenFeaturizer(source), Ridge())
    grid = {
        "frozenfeaturizer__layers": [1, [2], "all", "output"],
        "ridge": [Ridge(), RandomForestRegressor(5, random_state=0)],
    }
    found = search(model, grid, n_jobs=n_jobs)
    assert len(set(found.cv_results_["mean_test_score"])) == 8
    for layers, head, score in zip(
        found.cv_results_["param_frozenfeaturizer__layers"],
        found.cv_results_["param_ridge"],
        found.cv_results_["mean_test_score"],
        strict=True,
    ):
        features = FrozenFeaturizer(source, layers).fit_transform(TARGET)
        assert cross_val_score(clone(head), features, target_y, cv=3).mean() == pytest.approx(score, rel=1e-3, abs=1e-3)
    assert found.predict(TARGET).shape == (len(TARGET),)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_search_over_sources(source, other, tmp_path, n_jobs):
    paths = [tmp_path / "one.source", tmp_path / "two.source"]
    for path, fitted in zip(paths, (source, other), strict=True):
        save_source(fitted, path)
    model = make_pipeline(FrozenFeaturizer(source), Ridge())
    expected = [
        cross_val_score(make_pipeline(FrozenFeaturizer(s), Ridge()), TARGET, target_y, cv=3).mean()
        for s in (source, other)
    ]
    assert expected[0] != expected[1]
    for grid in (
        {"frozenfeaturizer__source": [FrozenEstimator(source), FrozenEstimator(other)]},
        {"frozenfeaturizer__source": paths},
        {"frozenfeaturizer__source": [{"a": FrozenEstimator(source)}, [FrozenEstimator(other)]]},
        {"frozenfeaturizer": [FrozenFeaturizer(source), FrozenFeaturizer(other)]},
    ):
        found = search(model, grid, n_jobs=n_jobs)
        assert_allclose(found.cv_results_["mean_test_score"], expected)


def test_search_over_bare_pipelines_says_what_to_do(source, other):
    model = make_pipeline(FrozenFeaturizer(source), Ridge())
    with pytest.raises(NotFittedError) as caught:
        search(model, {"frozenfeaturizer__source": [source, other]})
    assert str(caught.value) == (
        "The source ends in a PyramidRegressor that is not fitted. Fit the source first. If you did: GridSearchCV "
        "clones the values of its grid, and a clone is unfitted; write FrozenEstimator(source) (sklearn.frozen) or "
        "FrozenFeaturizer(source) in the grid."
    )


@pytest.mark.parametrize(
    "head",
    [RandomForestRegressor(10, random_state=0), NeuralRegressor(max_epochs=5, random_state=0)],
    ids=lambda head: type(head).__name__,
)
def test_cross_validation(source, head):
    model = make_pipeline(FrozenFeaturizer(source, layers=2), StandardScaler(), head)
    scores = cross_val_score(model, TARGET, target_y, cv=3, error_score="raise")
    assert np.isfinite(scores).all()
    features = FrozenFeaturizer(source, layers=2).fit_transform(TARGET)
    expected = cross_val_score(make_pipeline(StandardScaler(), head), features, target_y, cv=3)
    assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)


def test_containers_of_structures(source):
    expected = FrozenFeaturizer(source).fit_transform(TARGET)
    for X in (tuple(TARGET), np.array(TARGET), pd.Series(TARGET), pd.DataFrame({"smiles": TARGET})):
        assert_array_equal(FrozenFeaturizer(source).fit_transform(X), expected)


# ---------------------------------------------------------------- cache


class Logged(StructureTransformer):
    """Letters of a string; each string that is read leaves a line in the file `log`, whatever the process."""

    _not_in_rows = (*StructureTransformer._not_in_rows, "log")

    def __init__(self, log, letters="CNO", *, on_invalid="raise", n_jobs=None, verbose=0, cache=None):
        self.log = log
        self.letters = letters
        self.on_invalid = on_invalid
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.cache = cache

    def _prepare(self):
        return list(self.letters), np.dtype("float32"), False

    def _featurize(self, structures):
        file = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, "".join(f"{structure}\n" for structure in structures).encode())
        os.close(file)
        return np.array([[s.count(letter) for letter in self.letters] for s in structures], "float32"), []


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_search_reads_each_structure_once_for_each_source(tmp_path, n_jobs):
    def logged(name, letters):
        source = make_pipeline(Logged(tmp_path / name, letters), network(0)).fit(SMILES, y)
        (tmp_path / name).unlink()
        return source

    sources = {"one": logged("one", "CNO"), "two": logged("two", "CO")}
    model = make_pipeline(FrozenFeaturizer(sources, cache=tmp_path / "cache"), Ridge())
    grid = {
        "frozenfeaturizer__layers": [1, "all", "output"],
        "ridge__alpha": [1.0, 10.0],
        "frozenfeaturizer__source": [
            {name: FrozenEstimator(source) for name, source in sources.items()},
            FrozenEstimator(sources["one"]),
            FrozenEstimator(sources["two"]),
        ],
    }
    found = GridSearchCV(model, grid, cv=3, n_jobs=n_jobs, error_score="raise").fit(TARGET * 2, np.tile(target_y, 2))
    found.predict(TARGET)
    for name in sources:
        assert sorted((tmp_path / name).read_text().split()) == sorted(TARGET)


@pytest.mark.parametrize("with_cache", [False, True])
def test_sources_of_the_same_descriptors_compute_them_once(source, tmp_path, parsed, with_cache):
    twin = make_pipeline(clone(source[0]), StandardScaler(copy=False), network(3)).fit(SMILES, y)
    expected = np.hstack([FrozenFeaturizer(one).fit_transform(TARGET) for one in (source, twin, source)])
    parsed.clear()
    model = FrozenFeaturizer({"a": source, "b": twin, "c": source}, cache=tmp_path if with_cache else None)
    assert_array_equal(model.fit_transform(TARGET), expected)
    assert sorted(parsed) == sorted(TARGET)
    other = make_pipeline(Fingerprints(size=64), network(4)).fit(SMILES, y)
    parsed.clear()
    FrozenFeaturizer([source, other, twin]).fit_transform(TARGET)
    assert len(parsed) == 2 * len(TARGET)


def test_weights_are_hashed_once(source, tmp_path, monkeypatch):
    hashed, of_state = [], _chain._state
    monkeypatch.setattr(_chain, "_state", lambda step: hashed.append(step) or of_state(step))
    model = FrozenFeaturizer(source, cache=tmp_path).fit(TARGET)
    features = model.transform(TARGET)
    n_hashed = len(hashed)
    assert_array_equal(model.transform(TARGET), features)
    assert len(hashed) == n_hashed > 0
    # a pickle may be opened by other versions of the libraries, whose rows are others
    assert_array_equal(pickle.loads(pickle.dumps(model)).transform(TARGET), features)
    assert len(hashed) == 2 * n_hashed


def test_without_cache_each_fold_reads_again(source, parsed):
    cross_val_score(make_pipeline(FrozenFeaturizer(source), Ridge()), TARGET, target_y, cv=3)
    assert len(parsed) == 3 * len(TARGET)


@pytest.mark.parametrize("layers", [1, [3, 1], "all", "output"])
@pytest.mark.parametrize("activation", ["pre", "post"])
def test_cached_features_are_the_same(source, tmp_path, parsed, layers, activation):
    expected = FrozenFeaturizer(source, layers, activation=activation).fit_transform(TARGET)
    model = FrozenFeaturizer(source, layers, activation=activation, cache=joblib.Memory(tmp_path, verbose=0))
    assert_array_equal(model.fit_transform(TARGET), expected)
    parsed.clear()
    again = clone(model).fit_transform(TARGET[::-1] + TARGET[:3])
    assert_array_equal(again, np.concatenate([expected[::-1], expected[:3]]))
    assert again.dtype == np.float32
    assert not parsed


def test_cache_of_numeric_rows(tmp_path):
    trained = network().fit(X_numeric, X_numeric[:, 0])
    expected = FrozenFeaturizer(trained).fit_transform(X_numeric)
    model = FrozenFeaturizer(trained, cache=tmp_path).fit(X_numeric)
    for X in (X_numeric[:10], X_numeric, X_numeric.astype(float), csr_array(X_numeric)):
        assert_allclose(model.transform(X), expected[: X.shape[0]], rtol=1e-5, atol=1e-6)


def kinds_of_rows(folder, *models):
    for model in models:
        model.set_params(cache=folder).fit_transform(TARGET)
    return len(list(folder.iterdir()))


def test_what_changes_the_rows_changes_their_key(source, tmp_path):
    changed = chain()
    weight = changed[-1].module_.output.bias
    weight.data += 1e-3
    shifted = chain()
    shifted[1].mean_ += 1e-3
    logged = [make_pipeline(Logged(tmp_path / "log", letters), network()).fit(SMILES, y) for letters in ("CNO", "CON")]
    logged[1].steps[1:] = logged[0].steps[1:]
    sources = [source, changed, shifted, chain(radius=3), chain(random_state=1), *logged]
    models = [FrozenFeaturizer(s) for s in sources] + [FrozenFeaturizer(source, activation="post")]
    assert kinds_of_rows(tmp_path / "cache", *models) == len(models)


def test_activation_of_the_network_is_in_the_key(tmp_path):
    relu, tanh = (Pyramid(20, 1, hidden=(6, 3), activation=name) for name in ("relu", "tanh"))
    tanh.load_state_dict(relu.state_dict())
    rows = [FrozenFeaturizer(module, 2, cache=tmp_path).fit_transform(X_numeric) for module in (relu, tanh)]
    assert (rows[0] != rows[1]).any()


def test_scaling_inside_of_a_network_is_in_the_key(tmp_path):
    heads = [NeuralRegressor(hidden=(6, 3), max_epochs=2, random_state=0).fit(X_numeric, X_numeric[:, 0]) for _ in "ab"]
    heads[1].input_scaler_.scale_ *= 2
    rows = [FrozenFeaturizer(head, cache=tmp_path).fit_transform(X_numeric) for head in heads]
    assert (rows[0] != rows[1]).any()


def test_what_changes_no_row_changes_no_key(source, tmp_path):
    models = [
        FrozenFeaturizer(source),
        FrozenFeaturizer(source, layers="all"),
        FrozenFeaturizer([source], layers="output"),
        FrozenFeaturizer({"a": FrozenEstimator(source)}, layers=[2]),
        FrozenFeaturizer(chain()),
        FrozenFeaturizer(chain(n_jobs=2)),
        FrozenFeaturizer(chain(verbose=1)),
        FrozenFeaturizer(chain(on_invalid="nan")),
        FrozenFeaturizer(chain(cache=tmp_path / "of the source")),
    ]
    assert kinds_of_rows(tmp_path / "cache", *models) == 1


def svd_chain():
    # TruncatedSVD keeps an array that is not contiguous; copies and pickles lay it out in another way
    fingerprints = Fingerprints(counts=True, size=64, sparse=True)
    return make_pipeline(fingerprints, RareBitFilter(), TruncatedSVD(6, random_state=0), network()).fit(SMILES, y)


def test_other_processes_find_the_rows(tmp_path):
    for name, make_source in (("scaler", chain), ("svd", svd_chain)):
        source, folder = make_source(), tmp_path / name
        model = FrozenFeaturizer(source, cache=folder / "cache").fit(TARGET)
        expected = model.transform(TARGET)
        save_source(source, folder / "saved.source")
        (folder / "pickle").write_bytes(pickle.dumps((source, model, clone(model), TARGET, expected)))
    code = """
import pickle
import sys
from pathlib import Path

import numpy as np
from sktaag.sources import load_source
from sktaag.structures import _reader
from sktaag.transfer import FrozenFeaturizer, _chain

def to_mol(structure):
    raise AssertionError("read again")

_reader.to_mol = to_mol
for folder in Path(sys.argv[1]).iterdir():
    source, fitted, unfitted, X, expected = pickle.loads((folder / "pickle").read_bytes())
    anew = [FrozenFeaturizer(s, cache=folder / "cache") for s in (source, load_source(folder / "saved.source"))]
    for model in (fitted, unfitted.fit(X), anew[0].fit(X), anew[1].fit(X)):
        np.testing.assert_array_equal(model.transform(X), expected)
    assert len(list((folder / "cache").iterdir())) == 1
"""
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)


def test_cache_on_the_source_and_on_the_featurizer(tmp_path, parsed):
    source = chain(cache=tmp_path / "fingerprints")
    parsed.clear()
    FrozenFeaturizer(source, cache=tmp_path / "layers").fit_transform(TARGET)
    assert parsed == TARGET
    FrozenFeaturizer(source, cache=tmp_path / "layers", activation="post").fit_transform(TARGET)
    assert parsed == TARGET


def test_step_that_has_no_key(tmp_path):
    source = make_pipeline(Fingerprints(size=16), FunctionTransformer(lambda X: X), network()).fit(SMILES, y)
    assert np.isfinite(FrozenFeaturizer(source).fit_transform(TARGET)).all()
    with pytest.raises(TypeError, match=r"^FunctionTransformer, a step of the source, cannot be pickled .*cache=None"):
        FrozenFeaturizer(source, cache=tmp_path).fit_transform(TARGET)


# ---------------------------------------------------------------- invalid rows

MESSY = ["CCO", "C1CC", "CC(C)O", None, "C1CC", "CC(C)O", "OCCO"]


@pytest.mark.parametrize("with_cache", [False, True])
def test_invalid_rows_are_named_by_their_place_in_x(source, tmp_path, with_cache):
    model = FrozenFeaturizer({"a": source, "b": source}, cache=tmp_path if with_cache else None).fit(MESSY)
    model.transform(["CCO", "OCCO"])  # so that part of the rows come from the cache
    for _ in range(2):
        with pytest.raises(InvalidRowsError, match="3 of 7 structures are invalid") as caught:
            model.transform(MESSY)
        reason = "SMILES Parse Error: unclosed ring for input: 'C1CC'"
        assert caught.value.rows == [(1, "C1CC", reason), (3, None, "is missing"), (4, "C1CC", reason)]
        assert caught.value.n_rows == 7


def messy_chains():
    def fingerprints(sparse=False):
        return Fingerprints(counts=True, size=64, on_invalid="nan", sparse=sparse)

    yield make_pipeline(fingerprints(), StandardScaler(), network())
    yield make_pipeline(fingerprints(), RareBitFilter(), network())  # refuses NaN
    yield make_pipeline(fingerprints(sparse=True), TruncatedSVD(6, random_state=0), network())
    yield make_pipeline(make_pipeline(fingerprints(), RareBitFilter()), network())
    yield make_pipeline(fingerprints(), RareBitFilter(), network()).set_output(transform="pandas")


@pytest.mark.parametrize("with_cache", [False, True])
@pytest.mark.parametrize("number", range(5))
def test_invalid_rows_become_nan(tmp_path, with_cache, number):
    source = list(messy_chains())[number].fit(SMILES, y)
    model = FrozenFeaturizer(source, "all", cache=tmp_path if with_cache else None).fit(MESSY)
    expected = model.transform(["CCO", "CC(C)O", "OCCO"])
    for _ in range(2):
        with pytest.warns(InvalidRowsWarning, match="3 of 7 structures are invalid and became rows of NaN") as told:
            features = model.transform(MESSY)
        assert len(told) == 1
        assert [row for row, _, _ in told[0].message.rows] == [1, 3, 4]
        assert np.isnan(features[[1, 3, 4]]).all()
        assert_allclose(features[[0, 2, 5, 6]], expected[[0, 1, 1, 2]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("with_cache", [False, True])
def test_nothing_but_invalid_rows(tmp_path, with_cache):
    source = list(messy_chains())[1].fit(SMILES, y)
    model = FrozenFeaturizer({"a": source, "b": source}, cache=tmp_path if with_cache else None).fit(MESSY)
    with pytest.warns(InvalidRowsWarning, match="2 of 2") as told:
        features = model.transform(["C1CC", None])
    assert len(told) == 1
    assert np.isnan(features).all()
    assert features.shape == (2, 8)


def test_rows_that_one_source_cannot_read():
    a, b = (
        make_pipeline(Fingerprints(polymer=p, on_invalid="nan"), network()).fit(SMILES, y) for p in ("star", "cyclic")
    )
    with pytest.warns(InvalidRowsWarning, match="1 of 2") as told:
        features = FrozenFeaturizer([a, b]).fit_transform(["*CC", "*CC*"])
    assert told[0].message.rows[0][0] == 0
    assert_array_equal(np.isnan(features), [[False] * 4 + [True] * 4, [False] * 8])


def test_other_warnings_pass(source):
    class Warns(StandardScaler):
        def transform(self, X):
            warnings.warn("something else", UserWarning, stacklevel=2)
            return super().transform(X)

    chatty = make_pipeline(Fingerprints(size=16), Warns(), network()).fit(SMILES, y)
    with pytest.warns(UserWarning, match="something else"):
        FrozenFeaturizer(chatty).fit(TARGET).transform(TARGET)


# ---------------------------------------------------------------- the source stays as it is


def test_clone_keeps_the_fitted_source(source):
    model = FrozenFeaturizer(source, [2], activation="post", cache="somewhere").set_output(transform="pandas")
    copied = clone(model)
    assert copied is not model
    assert copied.source is source
    assert copied.get_params() == model.get_params()
    assert copied.set_params(cache=None).fit_transform(TARGET).columns[0] == "L(-2)_1"
    pipeline = clone(make_pipeline(FrozenFeaturizer(source), Ridge()))
    assert pipeline[0].source is source
    with pytest.raises(NotFittedError):
        clone(model.set_params(cache=None).fit(TARGET)).transform(TARGET)


def test_parameters(source, other):
    model = FrozenFeaturizer(source)
    assert model.get_params() == model.get_params(deep=True)
    assert model.get_params()["source"] is source
    assert not [name for name in model.get_params() if "__" in name]
    pipeline = make_pipeline(model, Ridge())
    assert not [name for name in pipeline.get_params() if name.startswith("frozenfeaturizer__source__")]
    model.fit(TARGET).set_params(source=other, layers=2)
    assert_array_equal(model.fit(TARGET).transform(TARGET), FrozenFeaturizer(other, 2).fit_transform(TARGET))
    with pytest.raises(ValueError, match=r"^'source__memory' is a parameter of a source that is fitted\. Fit another"):
        model.set_params(source__memory=None)
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        model.set_params(depth=2)


def test_fit_does_not_touch_the_source():
    source = chain()
    before = joblib.hash([source[1], source[-1].module_.state_dict()["output.weight"].numpy()])
    prediction = source.predict(TARGET)
    make_pipeline(FrozenFeaturizer(source), RandomForestRegressor(5)).fit(TARGET, target_y)
    assert joblib.hash([source[1], source[-1].module_.state_dict()["output.weight"].numpy()]) == before
    assert_array_equal(source.predict(TARGET), prediction)


def test_fitting_the_source_again_changes_no_features():
    source = chain()
    model = FrozenFeaturizer(source, "all").fit(TARGET)
    features = model.transform(TARGET)
    source.set_params(pyramidregressor__random_state=5, pyramidregressor__hidden=(7,)).fit(SMILES[::2], y[::2])
    assert_array_equal(model.transform(TARGET), features)
    assert model.get_feature_names_out().shape == (features.shape[1],)
    assert model.fit(TARGET).transform(TARGET).shape == (len(TARGET), 7)


def test_training_a_torch_module_further_changes_no_features():
    torch.manual_seed(0)
    module = Pyramid(20, 1, hidden=(6, 3))
    model = FrozenFeaturizer(module).fit(X_numeric)
    features = model.transform(X_numeric)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        module(torch.from_numpy(X_numeric)).square().sum().backward()
        optimizer.step()
    assert_array_equal(model.transform(X_numeric), features)
    assert (FrozenFeaturizer(module).fit_transform(X_numeric) != features).any()


def test_a_module_in_training_stays_in_training():
    module = Pyramid(20, 1, hidden=(6, 3), dropout=0.5)
    model = FrozenFeaturizer(module).fit(X_numeric)
    features = model.transform(X_numeric)
    module.train()
    assert_array_equal(model.transform(X_numeric), features)
    assert module.training


def test_pickle(source, tmp_path):
    model = make_pipeline(FrozenFeaturizer(source, 2), Ridge()).fit(TARGET, target_y)
    expected = model.predict(TARGET)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(TARGET), expected)
    joblib.dump(model, tmp_path / "model.joblib")
    assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(TARGET), expected)


def test_features_do_not_depend_on_the_other_rows(source):
    model = FrozenFeaturizer(source, "all").fit(TARGET)
    features = model.transform(TARGET)
    for i in range(0, len(TARGET), 3):
        assert_allclose(model.transform([TARGET[i]])[0], features[i], rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (4, "layers=4 asks for hidden layer 4, counted from the last one; the source has 3."),
        ([1, 5], "layers=[1, 5] asks for hidden layer 5, counted from the last one; the source has 3."),
        ([0], "layers=[0] asks for hidden layer 0, counted from the last one; the source has 3."),
        ([-1], "layers=[-1] asks for hidden layer -1, counted from the last one; the source has 3."),
        ([1.0], "layers=[1.0] asks for hidden layer 1.0, counted from the last one; the source has 3."),
        (0, "layers=0 picks no layer."),
        (-2, "layers=-2 picks no layer."),
        ([], "layers=[] picks no layer."),
        ("last", 'layers must be an integer, a list of integers, "all" or "output", got \'last\'.'),
        (None, 'layers must be an integer, a list of integers, "all" or "output", got None.'),
        (1.5, 'layers must be an integer, a list of integers, "all" or "output", got 1.5.'),
    ],
)
def test_wrong_layers(source, layers, message):
    with pytest.raises(ValueError, match="layers") as caught:
        FrozenFeaturizer(source, layers).fit(TARGET)
    assert str(caught.value) == message


def test_wrong_activation(source):
    with pytest.raises(ValueError, match=r'^activation must be "pre" or "post", got \'relu\'\.$'):
        FrozenFeaturizer(source, activation="relu").fit(TARGET)


@pytest.mark.parametrize("unfitted", [network(), make_pipeline(Fingerprints(), network()), FrozenEstimator(network())])
def test_unfitted_source(unfitted):
    with pytest.raises(NotFittedError, match=r"^The source ends in a PyramidRegressor that is not fitted\. Fit the"):
        FrozenFeaturizer(unfitted).fit(TARGET)


def test_source_that_is_no_network():
    forest = make_pipeline(Fingerprints(size=16), RandomForestRegressor(2)).fit(SMILES, y)
    with pytest.raises(TypeError, match=r"ends in RandomForestRegressor, which has no hidden layers\. End it in a Pyr"):
        FrozenFeaturizer(forest).fit(TARGET)


@pytest.mark.parametrize("layers", [1, "all", "output"])
def test_network_without_hidden_layers(layers):
    linear = make_pipeline(Fingerprints(size=16), network(hidden=())).fit(SMILES, y)
    with pytest.raises(ValueError, match=r"Pyramid runs 1 torch\.nn\.Linear layers; hidden layers need a second one"):
        FrozenFeaturizer(linear, layers).fit(TARGET)


def test_sources_of_structures_and_of_numbers_do_not_mix(source):
    bare = network().fit(X_numeric, X_numeric[:, 0])
    with pytest.raises(ValueError, match="Some sources take structures and some take numeric arrays"):
        FrozenFeaturizer([source, bare]).fit(TARGET)


def test_no_source():
    for empty in ([], {}, ()):
        with pytest.raises(ValueError, match=r"^source is empty; at least one is needed\.$"):
            FrozenFeaturizer(empty).fit(TARGET)


def test_sources_of_the_same_name(source, other, tmp_path):
    paths = [tmp_path / folder / "tg.source" for folder in ("one", "two")]
    for path, fitted in zip(paths, (source, other), strict=True):
        path.parent.mkdir()
        save_source(fitted, path)
    with pytest.raises(ValueError, match=r"^Several sources have the same name: tg, tg\. Name them by a dict\.$"):
        FrozenFeaturizer(paths).fit(TARGET)
    model = FrozenFeaturizer({path.parent.name: path for path in paths}).fit(TARGET)
    assert {name.partition("__")[0] for name in model.get_feature_names_out()} == {"one", "two"}


def test_wrong_input(source):
    with pytest.raises(TypeError, match="Wrap a single structure in a list"):
        FrozenFeaturizer(source).fit("CCO")
    with pytest.raises(TypeError, match=r"cache must be None, a path or a joblib\.Memory, got int"):
        FrozenFeaturizer(source, cache=1).fit(TARGET)
    with pytest.raises(NotFittedError):
        FrozenFeaturizer(source).transform(TARGET)
    with pytest.raises(FileNotFoundError):
        FrozenFeaturizer("nothing.source").fit(TARGET)
    model = FrozenFeaturizer(network().fit(X_numeric, X_numeric[:, 0])).fit(X_numeric)
    with pytest.raises(ValueError, match="20"):
        model.transform(X_numeric[:, :5])


def test_loaded_source_is_fitted_like_any_other(source, tmp_path):
    save_source(source, tmp_path / "a.source")
    model = FrozenFeaturizer(load_source(tmp_path / "a.source"), "all")
    assert_array_equal(model.fit_transform(TARGET), FrozenFeaturizer(source, "all").fit_transform(TARGET))


def test_a_source_may_stand_on_another_one(tmp_path):
    smiles, y = ["C" * n for n in range(1, 12)], np.arange(11.0)
    first = make_pipeline(Fingerprints(size=32), PyramidRegressor((6, 5), max_epochs=2, random_state=0)).fit(smiles, y)
    network = PyramidRegressor((4, 3), max_epochs=2, random_state=0)
    second = make_pipeline(FrozenFeaturizer(first), network).fit(smiles, y)
    featurizer = FrozenFeaturizer(second, layers="all", cache=tmp_path).fit(smiles)
    expected = np.concatenate(network.hidden_outputs(second[0].transform(smiles)), axis=1)
    np.testing.assert_allclose(featurizer.transform(pd.Series(smiles)), expected, rtol=1e-6)
    again = FrozenFeaturizer(pickle.loads(pickle.dumps(second)), layers="all", cache=tmp_path).fit(smiles)
    np.testing.assert_array_equal(again.transform(smiles), featurizer.transform(smiles))
    assert len(list(tmp_path.iterdir())) == 1  # the same rows, under the same name
