"""The checks, one for each thing that a transformer of structures must do."""

import inspect
import io
import pickle
import re
import warnings
from copy import deepcopy
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from unittest.mock import patch

import joblib
import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from sktaag.cache import RowCache, content_key
from sktaag.structures import InvalidRowsWarning
from sktaag.testing._equality import (
    are_objects,
    assert_rows,
    assert_same_parameters,
    can_be_missing,
    dense,
    numbers_of,
    summaries,
)
from sktaag.testing._forms import as_frame, containers, elements, object_array, with_invalid

FEWEST = 6  # structures: three folds need two rows each
INVALID = ("not a structure", None, float("nan"), 3.5)
_MANY = 1200  # rows that make several batches, so that n_jobs=2 is more than one process


# ---------------------------------------------------------------- the constructor


def check_constructor(estimator, structures):
    """Check that the constructor stores its arguments as they are, under their names, and does nothing else."""
    signature = inspect.signature(type(estimator).__init__).parameters.values()
    named = {p.name for p in signature if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {"self"}
    parameters = estimator.get_params(deep=False)
    routed = any(p.kind is p.VAR_KEYWORD for p in signature)
    assert named <= set(parameters) if routed else named == set(parameters), (
        f"get_params and the constructor differ in {sorted(named ^ set(parameters))}"
    )
    fresh = type(estimator)(**parameters)
    extra = set(vars(fresh)) - set(parameters)
    assert not extra, f"the constructor sets more than its parameters: {sorted(extra)}"
    for name, value in parameters.items():
        assert getattr(fresh, name) is value, f"the constructor does not store {name} as it was given"


def check_clone(estimator, structures):
    """Check that a clone has equal parameters, each of them, and gives the same rows."""
    copy = clone(estimator)
    assert copy is not estimator, "clone returned the estimator itself"
    assert_same_parameters(estimator, copy, "clone")
    rows = deepcopy(estimator).fit_transform(structures)
    assert_rows(rows, copy.fit_transform(structures), "a clone gives other rows")


def check_set_params(estimator, structures):
    """Check that get_params and the attribute give back what set_params sets, and that nothing else moves."""
    copy = clone(estimator)
    for name, value in copy.get_params(deep=False).items():
        others = {k: v for k, v in copy.get_params(deep=False).items() if k != name}
        new = object()
        assert copy.set_params(**{name: new}) is copy, "set_params does not return self"
        assert copy.get_params(deep=False)[name] is new, f"get_params does not return the {name} that was set"
        assert getattr(copy, name) is new, f"the attribute {name} is not what set_params set"
        moved = [k for k, v in others.items() if copy.get_params(deep=False)[k] is not v]
        assert not moved, f"setting {name} changes {moved}"
        copy.set_params(**{name: value})
    _refused(lambda: copy.set_params(no_such_parameter=1), ValueError, "set_params with an unknown parameter")


def check_fit(estimator, structures):
    """Check that fit returns self, keeps the parameters, forgets earlier fits and agrees with fit_transform."""
    fitted = clone(estimator)
    before = fitted.get_params(deep=False)
    assert fitted.fit(structures) is fitted, "fit does not return self"
    moved = [name for name, value in fitted.get_params(deep=False).items() if value is not before[name]]
    assert not moved, f"fit changes the parameters {moved}"
    rows = fitted.transform(structures)
    assert_rows(rows, fitted.transform(structures), "a second transform gives other rows")
    assert_rows(rows, _transform(estimator, structures), "fit_transform differs from fit, then transform")
    refitted = clone(estimator).fit(structures[:3]).fit(structures)
    assert_rows(rows, refitted.transform(structures), "a second fit differs from a fresh one")


def check_not_fitted(estimator, structures):
    """Check that transform before fit raises NotFittedError, unless the tags say that no fit is needed."""
    fresh = clone(estimator)
    if get_tags(fresh).requires_fit:
        _refused(lambda: fresh.transform(structures), NotFittedError, "transform before fit")
        _refused(lambda: fresh.get_feature_names_out(), NotFittedError, "get_feature_names_out before fit")
    else:
        assert_rows(
            fresh.transform(structures), _transform(estimator, structures), "transform before fit gives other rows"
        )


def check_pickle(estimator, structures, max_pickle=1_000_000):
    """Check that pickle and joblib give back the same estimator, before and after fit, in few bytes."""
    fitted = clone(estimator).fit(structures)
    rows = fitted.transform(structures)
    for copy, how in ((pickle.loads(pickle.dumps(fitted)), "pickle"), (through_joblib(fitted), "joblib")):
        assert_same_parameters(fitted, copy, how)
        assert_rows(rows, copy.transform(structures), f"after {how} the fitted estimator gives other rows")
    for copy, how in ((pickle.loads(pickle.dumps(clone(estimator))), "pickle"), (through_joblib(estimator), "joblib")):
        assert_same_parameters(estimator, copy, how)
        assert_rows(rows, copy.fit_transform(structures), f"after {how} the unfitted estimator gives other rows")
    size = len(pickle.dumps(fitted))
    assert size <= max_pickle, f"the pickle of the fitted estimator has {size} bytes, more than {max_pickle}"


# ---------------------------------------------------------------- rows in, rows out


def check_output(estimator, structures):
    """Check that there is one row of finite numbers, or one object, for each structure."""
    rows = _transform(estimator, structures)
    assert rows.shape[0] == len(structures), f"{len(structures)} structures became {rows.shape[0]} rows"
    if are_objects(rows):
        assert all(np.isfinite(numbers_of(row)).all() for row in rows), (
            "valid structures have numbers that are not finite"
        )
        return
    assert rows.ndim == 2, f"the features have {rows.ndim} dimensions, not two"
    rows = dense(rows)
    assert np.issubdtype(rows.dtype, np.number), f"the features are {rows.dtype}, not numbers"
    assert np.isfinite(rows).all(), "valid structures have features that are not finite"


def check_containers(estimator, structures):
    """Check that every form of a column gives the rows of the list, in fit and in transform."""
    expected = _transform(estimator, structures)
    for name, X in containers(structures).items():
        assert_rows(expected, _transform(estimator, X), f"a {name} gives other rows than a list")


def check_bad_containers(estimator, structures):
    """Check that an empty column, a bare structure and several columns are refused by fit and transform."""
    fitted = clone(estimator).fit(structures)
    array = object_array(structures)
    bad = {
        "an empty list": [],
        "an empty array": array[:0],
        "an empty Series": pd.Series(structures, dtype=object)[:0],
        "a bare string": "CCO",
        "an array of two columns": np.column_stack([array, array]),
        "a DataFrame of two columns": pd.DataFrame({"a": array, "b": array}),
    }
    for what, X in bad.items():
        _refused(lambda X=X: clone(estimator).fit(X), (TypeError, ValueError), f"{what} in fit")
        _refused(lambda X=X: fitted.transform(X), (TypeError, ValueError), f"{what} in transform")


def check_row_order(estimator, structures):
    """Check that permuting X permutes the rows, and that a repeated structure has a repeated row."""
    fitted = clone(estimator).fit(structures)
    order = np.random.RandomState(0).permutation(len(structures))
    order = np.concatenate([order, order[:3]])
    permuted = fitted.transform([structures[i] for i in order])
    assert_rows(dense(fitted.transform(structures))[order], permuted, "the rows are not in the order of X")


def check_row_independence(estimator, structures):
    """Check that the row of a structure does not depend on the other rows of X."""
    fitted = clone(estimator).fit(structures)
    rows = dense(fitted.transform(structures))
    assert_rows(rows[::2], fitted.transform(structures[::2]), "a subset of X gives other rows")
    for i in range(FEWEST):
        assert_rows(rows[i : i + 1], fitted.transform(structures[i : i + 1]), f"row {i} alone has other features")


def check_input_unchanged(estimator, structures):
    """Check that neither X nor a structure in it is changed."""
    for name, X in containers(structures).items():
        before, labels = [content_key(s) for s in elements(X)], list(X.index) if name.startswith("pandas") else None
        clone(estimator).fit(X).transform(X)
        after = [content_key(s) for s in elements(X)]
        assert after == before, f"fit or transform changes the structures in a {name}"
        assert labels is None or list(X.index) == labels, f"fit or transform changes the index of a {name}"


def check_feature_names(estimator, structures):
    """Check that there is one name for each column, a str, and no name twice."""
    fitted = clone(estimator).fit(structures)
    rows = fitted.transform(structures)
    names, width = fitted.get_feature_names_out(), 1 if are_objects(rows) else rows.shape[1]
    assert isinstance(names, np.ndarray), f"get_feature_names_out returns {type(names).__name__}, not an array"
    assert all(isinstance(name, str) for name in names), "a feature name is not a str"
    assert len(names) == width, f"{len(names)} feature names for {width} columns"
    assert len(set(names)) == width, "a feature name occurs twice"
    names[:] = ""
    assert "" not in fitted.get_feature_names_out(), "changing the returned feature names changes the estimator"


def check_set_output(estimator, structures):
    """Check that DataFrames hold the same rows under the feature names; pandas keeps the index of X."""
    fitted = clone(estimator).fit(structures)
    rows = fitted.transform(structures)
    if issparse(rows):  # scikit-learn itself refuses DataFrames of sparse features
        return
    names = list(fitted.get_feature_names_out())
    for library in ("pandas", "polars"):
        if find_spec(library):
            framed = clone(estimator).set_output(transform=library)
            frame = framed.fit(structures).transform(structures)
            assert type(frame).__module__.startswith(library), f'set_output(transform="{library}") gives {type(frame)}'
            assert list(frame.columns) == names, f"the columns of the {library} DataFrame are not the feature names"
            assert_rows(rows, frame.to_numpy(), f"the {library} DataFrame holds other rows")
            assert type(clone(framed).fit_transform(structures)) is type(frame), "clone forgets set_output"
    index = [f"sample {i}" for i in range(len(structures))]
    frame = clone(estimator).set_output(transform="pandas").fit_transform(as_frame(structures, index))
    assert list(frame.index) == index, "the pandas DataFrame does not keep the index of X"


def check_model_selection(estimator, structures):
    """Check that the estimator works as a step of a Pipeline in cross_val_score and GridSearchCV."""
    steps = [("features", clone(estimator)), ("head", KNeighborsRegressor(n_neighbors=1))]
    if are_objects(_transform(estimator, structures)):
        steps.insert(1, ("numbers", FunctionTransformer(summaries)))
    model = Pipeline(steps)
    y = np.random.RandomState(0).normal(size=len(structures))
    settable = (bool, int, float, str, type(None))
    grid = {
        f"features__{name}": [value]
        for name, value in estimator.get_params(deep=False).items()
        if isinstance(value, settable)
    }
    search = GridSearchCV(model, {"head__n_neighbors": [1, 2]} | grid, cv=3, error_score="raise")
    try:
        for X in (structures, as_frame(structures)):
            cross_val_score(model, X, y, cv=3, error_score="raise")
        search.fit(structures, y)
    except Exception as error:
        raise AssertionError(f"model selection fails with {type(error).__name__}: {error}") from error
    expected = clone(model).set_params(**search.best_params_).fit(structures, y).predict(structures)
    assert_rows(expected[:, None], search.predict(structures)[:, None], "GridSearchCV refits another model")


# ---------------------------------------------------------------- parameters that many have


def check_n_jobs(estimator, structures):
    """Check that two processes give the rows of one, in order."""
    many = (structures * (_MANY // len(structures) + 1))[:_MANY]
    one, two = (clone(estimator).set_params(n_jobs=n) for n in (1, 2))
    assert_rows(_transform(one, many), _transform(two, many), "n_jobs=2 gives other rows than n_jobs=1")


def check_invalid_raise(estimator, structures, invalid=INVALID):
    """Check that on_invalid="raise" names number, value and reason of all bad rows in one ValueError."""
    X, rows = with_invalid(structures, invalid)
    fitted = clone(estimator).set_params(on_invalid="raise").fit(structures)
    message = str(_refused(lambda: fitted.transform(X), ValueError, "transform of invalid rows"))
    for row, value in zip(rows, invalid, strict=True):
        named = re.search(rf"\brow {row}\b.*", message)
        assert named, f"the message does not name row {row}: {message}"
        _, found, reason = named[0].partition(repr(value)[:20])
        assert found, f"the message does not show the value {value!r} of row {row}: {message}"
        assert re.search(r"[a-zA-Z]{2}", reason), f"the message gives no reason for row {row}: {message}"


def check_invalid_nan(estimator, structures, invalid=INVALID):
    """Check that on_invalid="nan" puts rows of NaN in the places of the bad rows and counts them in one warning."""
    X, rows = with_invalid(structures, invalid)
    tolerant = clone(estimator).set_params(on_invalid="nan")
    expected = _transform(clone(estimator).set_params(on_invalid="raise"), structures)
    if not can_be_missing(expected):
        _refused(lambda: tolerant.fit(structures), ValueError, 'on_invalid="nan" for features that have no NaN')
        return
    tolerant.fit(structures)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        features = dense(tolerant.transform(X))
        told = [str(w.message) for w in caught if issubclass(w.category, InvalidRowsWarning)]
    assert len(features) == len(X), f"{len(X)} structures became {len(features)} rows"
    missing = [row is None for row in features[rows]] if are_objects(features) else np.isnan(features[rows])
    assert np.all(missing), "an invalid row is not a row of NaN, or None instead of an object"
    assert_rows(expected, np.delete(features, rows, axis=0), "invalid rows change the rows of others")
    assert len(told) == 1, f"there are {len(told)} InvalidRowsWarnings, not one"
    headline = told[0].partition("\n")[0]
    assert re.search(rf"\b{len(rows)}\b", headline), f"the warning does not count {len(rows)} rows: {headline}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tolerant.transform(structures)
    told = [str(w.message) for w in caught if issubclass(w.category, InvalidRowsWarning)]
    assert not told, f"there is a warning without an invalid row: {told}"


def check_cache(estimator, structures, invalid=INVALID):
    """Check that a cache changes no row, and that clones and copies compute nothing that is in it."""
    expected = _transform(clone(estimator).set_params(cache=None), structures)
    with TemporaryDirectory() as folder:
        cached = clone(estimator).set_params(cache=folder)
        half = len(structures) // 2
        first, n_computed = _counting(cached.fit(structures).transform, structures[:half])
        assert_rows(dense(expected)[:half], first, "with an empty cache there are other rows")
        assert n_computed > 0, "the first transform puts nothing into the cache"
        # the other order: a row must be found by its structure and not by its place
        backwards = structures[::-1]
        assert_rows(dense(expected)[::-1], cached.transform(backwards), "with a half full cache there are other rows")
        for copy, what in (
            (cached, "a second transform"),
            (clone(cached).fit(structures), "a clone"),
            (pickle.loads(pickle.dumps(cached)), "an unpickled copy"),
        ):
            rows, n_computed = _counting(copy.transform, structures)
            assert_rows(expected, rows, f"with a full cache {what} gives other rows")
            assert n_computed == 0, f"{what} computes {n_computed} rows that are in the cache"
        if "on_invalid" in cached.get_params(deep=False) and can_be_missing(expected):
            check_invalid_nan(cached, structures, invalid)
            check_invalid_nan(cached, structures, invalid)  # a bad row is bad the second time too


# ---------------------------------------------------------------- help for the checks


def _transform(estimator, X):
    return clone(estimator).fit_transform(X)


def _refused(call, errors, what):
    """Return the error that a call must raise."""
    try:
        call()
    except errors as error:
        return error
    except Exception as error:
        raise AssertionError(f"{what} raises {type(error).__name__} instead of {errors}: {error}") from error
    raise AssertionError(f"{what} is accepted")


def through_joblib(estimator):
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def _counting(transform, X):
    """Return the rows and how many of them the cache had to ask for."""
    rows, asked = RowCache.rows, []

    def counting(self, keys, values, compute):
        def count(missing):
            asked.extend(missing)
            return compute(missing)

        return rows(self, keys, values, count)

    with patch.object(RowCache, "rows", counting):
        return transform(X), len(asked)
