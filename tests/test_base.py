import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from rdkit import Chem
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sktaag import base
from sktaag.descriptors import Fingerprints
from sktaag.structures import InvalidRowsError, InvalidRowsWarning


class Letters(base.StructureTransformer):
    """Count letters; remembers in `seen` what it had to compute."""

    seen = []  # noqa: RUF012

    def __init__(
        self, letters="CNO", *, sparse=False, dtype="float32", on_invalid="raise", n_jobs=None, verbose=0, cache=None
    ):
        self.letters = letters
        self.sparse = sparse
        self.dtype = dtype
        self.on_invalid = on_invalid
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.cache = cache

    def _prepare(self):
        if not self.letters:
            raise ValueError("letters is empty.")
        return list(self.letters), np.dtype(self.dtype), self.sparse

    def _featurize(self, structures):
        self.seen.append(structures)
        rows, invalid = np.zeros((len(structures), len(self.letters)), self.dtype), []
        for i, s in enumerate(structures):
            if isinstance(s, str) and set(s) <= set("CNO"):
                rows[i] = [s.count(letter) for letter in self.letters]
            else:
                invalid.append((i, f"is not made of CNO: {s!r}"))
        return (csr_array(rows) if self.sparse else rows), invalid


@pytest.fixture(autouse=True)
def nothing_seen():
    Letters.seen.clear()


def words(n):
    return ["C" * (i % 7 + 1) + "N" * (i % 3) + "O" * (i % 5) for i in range(n)]


def expected(structures):
    return np.array([[s.count(letter) for letter in "CNO"] for s in structures], "float32")


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("n", [1, 511, 512, 513, 1300])
def test_batches_are_put_together_in_order(n, sparse, n_jobs):
    features = Letters(sparse=sparse, n_jobs=n_jobs).fit_transform(words(n))
    assert isinstance(features, csr_array if sparse else np.ndarray)
    assert features.dtype == "float32"
    assert_array_equal(features.toarray() if sparse else features, expected(words(n)))


def test_batches_are_small():
    Letters().fit_transform(words(1300))
    assert [len(batch) for batch in Letters.seen] == [512, 512, 276]


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("with_cache", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_rows_are_numbered_across_batches(tmp_path, sparse, with_cache, n_jobs):
    X = words(1300)
    bad = {0: "", 5: "x", 511: None, 512: 3, 1024: "x", 1299: "y"}
    del bad[0]
    for row, value in bad.items():
        X[row] = value
    model = Letters(sparse=sparse, cache=tmp_path if with_cache else None, n_jobs=n_jobs).fit(X)
    for _ in range(2):
        with pytest.raises(InvalidRowsError) as caught:
            model.transform(X)
        assert caught.value.rows == [(row, value, f"is not made of CNO: {value!r}") for row, value in bad.items()]
        assert caught.value.n_rows == 1300
    model.set_params(on_invalid="nan")
    for _ in range(2):
        with pytest.warns(InvalidRowsWarning, match="5 of 1300 structures are invalid") as told:
            features = model.transform(X)
        assert len(told) == 1
        assert told[0].message.rows == caught.value.rows
        features = features.toarray() if sparse else features
        assert_array_equal(np.flatnonzero(np.isnan(features).any(axis=1)), list(bad))
        assert np.isnan(features[list(bad)]).all()
        good = np.setdiff1d(np.arange(1300), list(bad))
        assert_array_equal(features[good], expected([X[i] for i in good]))


@pytest.mark.parametrize("sparse", [False, True])
def test_nothing_but_invalid_rows(sparse):
    with pytest.warns(InvalidRowsWarning, match="2 of 2"):
        features = Letters(sparse=sparse, on_invalid="nan").fit(["C"]).transform([None, "x"])
    assert np.isnan(features.toarray() if sparse else features).all()


def test_an_imputer_can_follow():
    model = make_pipeline(Letters(on_invalid="nan"), SimpleImputer(), Ridge())
    with pytest.warns(InvalidRowsWarning, match="1 of 4"):
        model.fit(["C", "CC", None, "CO"], [1, 2, 3, 4])
    assert np.isfinite(model.predict(["C"])).all()


def test_integers_have_no_nan():
    with pytest.raises(ValueError, match='on_invalid="nan" needs a floating dtype, got uint8: integers have no NaN'):
        Letters(dtype="uint8", on_invalid="nan").fit(["C"])
    assert Letters(dtype="uint8").fit_transform(["CC"]).dtype == "uint8"


def test_fit_checks():
    with pytest.raises(ValueError, match="X is empty"):
        Letters().fit([])
    with pytest.raises(TypeError, match="Wrap a single structure in a list"):
        Letters().fit("C")
    with pytest.raises(ValueError, match="on_invalid must be"):
        Letters(on_invalid="drop").fit(["C"])
    with pytest.raises(TypeError, match="cache must be"):
        Letters(cache=3).fit(["C"])
    with pytest.raises(ValueError, match=r"letters is empty\."):
        Letters("").fit(["C"])
    with pytest.raises(NotFittedError):
        Letters().transform(["C"])
    assert not Letters.seen
    assert Letters().fit(["x"])  # whether a structure is valid is a question for transform
    assert Letters().fit(["C"]).n_features_in_ == 1


def test_names_are_a_copy():
    model = Letters().fit(["C"])
    model.get_feature_names_out()[:] = "x"
    assert model.get_feature_names_out().tolist() == ["C", "N", "O"]
    frame = pd.DataFrame({"structure": ["C"]}, index=["a"])
    assert model.set_output(transform="pandas").transform(frame).index.tolist() == ["a"]


def test_progress_bar_only_if_asked_for(capfd):
    Letters().fit_transform(words(600))
    assert capfd.readouterr() == ("", "")
    Letters(verbose=1).fit_transform(words(600))
    assert "Letters: 100%" in capfd.readouterr().err


# ---------------------------------------------------------------- cache


@pytest.mark.parametrize("sparse", [False, True])
def test_only_new_structures_are_computed(tmp_path, sparse):
    model = Letters(sparse=sparse, cache=tmp_path)
    model.fit_transform(["C", "CC", "C"])
    assert Letters.seen == [["C", "CC"]]
    features = clone(model).fit_transform(["CN", "C", "CC", "CN"])
    assert Letters.seen == [["C", "CC"], ["CN"]]
    assert_array_equal(features.toarray() if sparse else features, expected(["CN", "C", "CC", "CN"]))
    assert features.dtype == "float32"


def test_invalid_rows_are_asked_again_and_only_they(tmp_path):
    model = Letters(cache=tmp_path).fit(["C"])
    for _ in range(2):
        with pytest.raises(InvalidRowsError):
            model.transform(["C", "x", "CC", "x"])
    assert Letters.seen == [["C", "x", "CC"], ["x"]]


def test_memory_of_joblib_is_a_folder(tmp_path):
    model = Letters(cache=joblib.Memory(tmp_path, verbose=0))
    model.fit_transform(["C"])
    Letters(cache=str(tmp_path)).fit_transform(["C"])
    clone(model).fit_transform(["C"])
    assert Letters.seen == [["C"]]


def test_cache_turned_off_by_an_empty_memory(tmp_path):
    Letters(cache=joblib.Memory(None, verbose=0)).fit_transform(["C"])
    assert not list(tmp_path.iterdir())


def test_name_of_the_rows():
    name = Letters().cache_name()
    assert name.startswith("Letters-")
    assert Letters(n_jobs=2, verbose=1, on_invalid="nan", cache="x").cache_name() == name
    assert Letters("CN").cache_name() != name
    assert Letters(dtype="float64").cache_name() != name

    class Others(Letters):
        pass

    assert Others().cache_name() != name


def test_other_versions_are_other_rows(monkeypatch):
    name = Letters().cache_name()
    monkeypatch.setattr("sktaag.__version__", "999")
    assert Letters().cache_name() != name
    monkeypatch.undo()
    monkeypatch.setattr(Letters, "_versions", lambda self: ("library 2",))
    assert Letters().cache_name() != name


def test_parameters_changed_after_fit_are_other_rows(tmp_path):
    model = Letters("CNO", cache=tmp_path).fit(["C"])
    model.transform(["CCN"])
    assert model.set_params(letters="NCO").fit(["C"]).transform(["CCN"]).tolist() == [[1, 2, 0]]


def test_strings_and_molecules_do_not_share_rows(tmp_path):
    model = Letters(cache=tmp_path).fit(["C"])
    model.transform(["C"])
    with pytest.raises(InvalidRowsError):
        model.transform([Chem.MolFromSmiles("C")])


def test_damaged_cache_is_a_miss(tmp_path):
    model = Letters(cache=tmp_path).fit(["C"])
    rows = model.transform(words(50))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:3000])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert_array_equal(model.transform(words(50)), rows)


def test_scikit_learn_is_told():
    tags = Letters().__sklearn_tags__()
    assert tags.requires_fit
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array


@pytest.mark.parametrize("cached", [False, True])
def test_sparse_rows_have_the_indices_that_trees_take(cached, tmp_path):
    structures = ["C" * n for n in range(1, 20)]
    model = make_pipeline(
        Fingerprints(sparse=True, size=64, on_invalid="nan", cache=tmp_path if cached else None),
        RandomForestRegressor(n_estimators=2, random_state=0),
    )
    model.fit(structures, range(19))
    assert model.predict(structures).shape == (19,)
    with pytest.warns(InvalidRowsWarning):
        assert model[0].transform(["C", None]).indices.dtype == np.int32
