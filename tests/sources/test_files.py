import hashlib
import json
import os
import zipfile

import joblib
import numpy as np
import pytest
import skops.io
import torch
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

from sktaag.descriptors import Fingerprints, RareBitFilter
from sktaag.heads import NeuralClassifier, NeuralRegressor
from sktaag.nn import RandomPyramid
from sktaag.sources import PyramidClassifier, PyramidRegressor, load_source, save_source

SMILES = ["C" * n + end for n in range(1, 9) for end in ("", "O", "N", "(=O)O")]
y = np.array([10.0 * s.count("C") + 50 * s.count("O") + 30 * s.count("N") for s in SMILES])
labels = np.where(["O" in s for s in SMILES], "acid", "base")


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


def chain():
    return make_pipeline(fingerprints(), StandardScaler(), network()).fit(SMILES, y)


@pytest.fixture(scope="module")
def source():
    return chain()


@pytest.fixture
def path(source, tmp_path):
    save_source(source, tmp_path / "boiling.source")
    return tmp_path / "boiling.source"


def rewrite(path, **members):
    """Write the zip anew with some of its members changed, None for left out, and its card true to them."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= {name.replace("_", "."): content for name, content in members.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)


def card_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("source.json"))


# ---------------------------------------------------------------- round trip

CHAINS = {
    "pipeline": chain,
    "sparse": lambda: make_pipeline(fingerprints(sparse=True), MaxAbsScaler(), network()).fit(SMILES, y),
    "nested": lambda: make_pipeline(
        make_pipeline(fingerprints(), RareBitFilter(random_state=0)), make_pipeline(PCA(6), network())
    ).fit(SMILES, y),
    "union": lambda: make_pipeline(make_union(fingerprints(), Fingerprints("maccs")), network()).fit(SMILES, y),
    "missing step": lambda: make_pipeline(fingerprints(), None, "passthrough", network()).fit(SMILES, y),
    "function": lambda: make_pipeline(fingerprints(), FunctionTransformer(np.log1p), network()).fit(SMILES, y),
    "several targets": lambda: make_pipeline(fingerprints(), network()).fit(SMILES, np.stack([y, -y, y**2], axis=1)),
    "head": lambda: make_pipeline(fingerprints(), NeuralRegressor(max_epochs=3)).fit(SMILES, y),
    "shapes": lambda: make_pipeline(
        fingerprints(), network(hidden=RandomPyramid(), activation="tanh", dropout=0.1, batch_norm=False)
    ).fit(SMILES, y),
    "linear": lambda: make_pipeline(fingerprints(), network(hidden=())).fit(SMILES, y),
    "random state": lambda: make_pipeline(fingerprints(), network(random_state=np.random.RandomState(0))).fit(
        SMILES, y
    ),
    "pandas": lambda: (
        make_pipeline(fingerprints(), StandardScaler(), network()).set_output(transform="pandas").fit(SMILES, y)
    ),
    "frozen step": lambda: make_pipeline(
        FrozenEstimator(make_pipeline(fingerprints(), StandardScaler()).fit(SMILES)), network()
    ).fit(SMILES, y),
    "frozen chain": lambda: FrozenEstimator(chain()),
    "frozen network": lambda: make_pipeline(
        fingerprints().fit(SMILES), FrozenEstimator(network().fit(fingerprints().fit_transform(SMILES), y))
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_round_trip(tmp_path, name):
    source = CHAINS[name]()
    path = tmp_path / "a.source"
    sha256 = save_source(source, path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    expected = source.predict(SMILES)
    again = load_source(path, sha256=sha256)
    assert type(again) is type(source)
    assert_array_equal(again.predict(SMILES), expected)
    assert_array_equal(source.predict(SMILES), expected)  # saving has left it as it was
    sha256 = save_source(again, path)  # what was loaded can be saved in turn
    assert_array_equal(load_source(path, sha256=sha256).predict(SMILES), expected)


@pytest.mark.parametrize("sparse", [False, True])
def test_bare_network(tmp_path, sparse):
    X = np.random.RandomState(0).poisson(0.05, (60, 200)).astype(np.float32)
    X = csr_array(X) if sparse else X
    source = network().fit(X, np.arange(60.0))
    save_source(source, tmp_path / "a.source")
    again = load_source(str(tmp_path / "a.source"))
    assert_array_equal(again.predict(X), source.predict(X))
    for one, other in zip(source.hidden_outputs(X), again.hidden_outputs(X), strict=True):
        assert_array_equal(one, other)
    assert again.get_params() == source.get_params()
    assert again.history_ == source.history_


@pytest.mark.parametrize("classifier", [PyramidClassifier, NeuralClassifier])
@pytest.mark.parametrize("target", [labels, np.stack([labels == "acid", y > 50], axis=1).astype(float)])
def test_classifiers(tmp_path, classifier, target):
    source = make_pipeline(fingerprints(), classifier(hidden=(8,), max_epochs=3, random_state=0)).fit(SMILES, target)
    save_source(source, tmp_path / "a.source")
    again = load_source(tmp_path / "a.source")
    assert_array_equal(again.predict_proba(SMILES), source.predict_proba(SMILES))
    assert_array_equal(again.predict(SMILES), source.predict(SMILES))
    assert_array_equal(again.classes_, source.classes_)


def test_a_loaded_source_can_be_fitted_again(path):
    again = load_source(path).fit(SMILES, y)
    assert_array_equal(again.predict(SMILES), chain().predict(SMILES))


def test_caches_stay_on_their_machine(tmp_path):
    memory = joblib.Memory(tmp_path / "private", verbose=0)
    parts = make_union(fingerprints(cache=tmp_path / "private"), Fingerprints("maccs", cache=memory))
    source = make_pipeline(make_pipeline(parts, memory=memory), network()).fit(SMILES, y)
    save_source(source, tmp_path / "a.source")
    assert source[0].memory is memory
    assert [step.cache for _, step in source[0][0].transformer_list] == [tmp_path / "private", memory]
    with zipfile.ZipFile(tmp_path / "a.source") as archive, zipfile.ZipFile(archive.open("steps.skops")) as steps:
        assert not [name for name in steps.namelist() if b"private" in steps.read(name)]
    again = load_source(tmp_path / "a.source")
    assert again[0].memory is None
    assert [step.cache for _, step in again[0][0].transformer_list] == [None, None]
    assert_array_equal(again.predict(SMILES), source.predict(SMILES))


# ---------------------------------------------------------------- what is in the file


def test_nothing_is_pickled(path, monkeypatch):
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["source.json", "steps.skops", "weights.safetensors"]
        with zipfile.ZipFile(archive.open("steps.skops")) as steps:
            assert {name.rpartition(".")[2] for name in steps.namelist()} <= {"json", "npy", "npz"}
            for name in steps.namelist():
                assert b"pickle" not in steps.read(name)
        card = json.loads(archive.read("source.json"))
        for name, sha256 in card["sha256"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == sha256
    assert sorted(card["versions"]) == ["numpy", "rdkit", "scikit-learn", "sktaag", "torch"]
    assert card["format"] == 1

    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for function in ("pickle.load", "pickle.loads", "torch.load", "joblib.load"):
        monkeypatch.setattr(function, refuse)
    load_source(path)


def test_same_source_same_content(source, tmp_path):
    save_source(source, tmp_path / "a.source")
    save_source(source, tmp_path / "b.source")
    assert card_of(tmp_path / "a.source")["networks"] == card_of(tmp_path / "b.source")["networks"]
    weights = [card_of(tmp_path / name)["sha256"]["weights.safetensors"] for name in ("a.source", "b.source")]
    assert weights[0] == weights[1]


# ---------------------------------------------------------------- files that are not to be believed


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.99, 0.999])
def test_torn_file(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"boiling\.source is damaged or no source file .*\. Get or save it again\."):
        load_source(path)


def test_flipped_bytes(path, source):
    content = path.read_bytes()
    central = content.index(b"PK\x01\x02")  # from here on stands the table of contents of the zip, byte by byte
    positions = [*range(0, 60, 2), *range(60, central, central // 30), *range(central, len(content), 3)]
    reasons, harmless = [], 0
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        try:
            again = load_source(path)
        except ValueError as error:
            reasons.append(str(error))
        else:  # dates and the like
            harmless += 1
            if harmless % 10 == 1:
                assert_array_equal(again.predict(SMILES[:2]), source.predict(SMILES[:2]))
    assert len(reasons) > len(positions) / 2
    assert all("boiling.source is damaged" in reason for reason in reasons)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 nor this"])
def test_not_a_zip(tmp_path, content):
    (tmp_path / "a.source").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.source is damaged or no source file \(BadZipFile: "):
        load_source(tmp_path / "a.source")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"source_json": None}, "KeyError: \"There is no item named 'source.json'"),
        ({"source_json": b"{"}, "JSONDecodeError: "),
        ({"source_json": b"\xff\xfe\xfd"}, "UnicodeDecodeError: "),
        ({"source_json": b"[1]"}, "TypeError: "),
        ({"source_json": b"{}"}, "KeyError: 'format'"),
        ({"source_json": b'{"format": 1}'}, "KeyError: 'sha256'"),
        ({"source_json": b'{"format": "1"}'}, "TypeError: "),
        ({"steps_skops": None}, "KeyError: \"There is no item named 'steps.skops'"),
    ],
)
def test_another_zip(path, members, reason):
    rewrite(path, **members)
    with pytest.raises(ValueError, match="is damaged or no source file") as caught:
        load_source(path)
    assert f"({reason}" in str(caught.value)


@pytest.mark.parametrize("member", ["steps.skops", "weights.safetensors"])
def test_changed_member(path, member):
    rewrite(path, **{member.replace(".", "_"): b"something else"})
    with pytest.raises(ValueError, match=rf"boiling\.source is damaged: {member} is not what was saved\."):
        load_source(path)


def test_digest_of_the_whole_file(path):
    wrong = "0" * 64
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=f"boiling.source has SHA-256 {found}, not {wrong}. Get the file again"):
        load_source(path, sha256=wrong)
    assert load_source(path, sha256=found)


def test_newer_format(path):
    # whatever a later version puts into the file, the reader must come as far as to say so
    rewrite(path, source_json=json.dumps({"format": 2}).encode(), steps_skops=None)
    with pytest.raises(ValueError, match=r"has format 2; sktaag \S+ reads up to 1\. Update sktaag\."):
        load_source(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_source(tmp_path / "none.source")


def test_foreign_class_needs_trust(tmp_path):
    source = make_pipeline(fingerprints(), Half(), network()).fit(SMILES, y)
    path = tmp_path / "a.source"
    save_source(source, path)
    name = f"{Half.__module__}.Half"
    with pytest.raises(ValueError, match="If you trust whoever wrote it") as caught:
        load_source(path)
    assert str(caught.value) == f"{path} holds {name}. If you trust whoever wrote it, pass trusted={[name]!r}."
    with pytest.raises(ValueError, match="holds"):
        load_source(path, trusted=["some.other.Class"])
    assert_array_equal(load_source(path, trusted=[name]).predict(SMILES), source.predict(SMILES))


def test_foreign_class_is_not_even_imported(path, tmp_path, monkeypatch):
    (tmp_path / "wicked_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    steps = tmp_path / "steps.skops"
    skops.io.dump(Half().fit(None), steps)
    with zipfile.ZipFile(steps) as archive:
        schema = archive.read("schema.json").replace(Half.__module__.encode(), b"wicked_module")
    with zipfile.ZipFile(steps, "w") as archive:
        archive.writestr("schema.json", schema)
    card = card_of(path)
    card["sha256"]["steps.skops"] = hashlib.sha256(steps.read_bytes()).hexdigest()
    rewrite(path, steps_skops=steps.read_bytes(), source_json=json.dumps(card).encode())
    with pytest.raises(ValueError, match=r"holds wicked_module\.Half\."):
        load_source(path)


# ---------------------------------------------------------------- writing


def test_existing_file_is_replaced(path, tmp_path):
    other = make_pipeline(fingerprints(), network(random_state=1)).fit(SMILES, y)
    save_source(other, path)
    assert_array_equal(load_source(path).predict(SMILES), other.predict(SMILES))
    assert [p.name for p in tmp_path.iterdir()] == ["boiling.source"]


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_interrupted_write_leaves_the_old_file(path, tmp_path, monkeypatch, step):
    content = path.read_bytes()

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_source(make_pipeline(fingerprints(), network(random_state=1)).fit(SMILES, y), path)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["boiling.source"]


@pytest.mark.parametrize(
    "unfitted", [network(), make_pipeline(fingerprints(), network()), FrozenEstimator(network())], ids=str
)
def test_unfitted_source_is_refused(tmp_path, unfitted):
    with pytest.raises(NotFittedError, match="not fitted"):
        save_source(unfitted, tmp_path / "a.source")
    assert not list(tmp_path.iterdir())


class Generator(Half):
    def fit(self, X, y=None):
        self.numbers_ = (i for i in range(3))
        return super().fit(X)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (FunctionTransformer(lambda X: X), r"AttributeError: .*<lambda>'"),
        (Generator(), r"(TypeError|AttributeError): .*\bgenerator\b.*"),
    ],
)
def test_steps_that_cannot_be_kept(tmp_path, step, reason):
    source = make_pipeline(fingerprints(), step, network()).fit(SMILES, y)
    with pytest.raises(TypeError, match=rf"The source cannot be kept without pickle \({reason}\)\. Build it of"):
        save_source(source, tmp_path / "a.source")
    assert not list(tmp_path.iterdir())


def test_loading_leaves_the_generator_of_torch_alone(tmp_path):
    save_source(PyramidRegressor((4, 3), max_epochs=1).fit(np.eye(6), np.arange(6.0)), tmp_path / "a.source")
    before = torch.get_rng_state()
    load_source(tmp_path / "a.source")
    assert torch.equal(torch.get_rng_state(), before)
