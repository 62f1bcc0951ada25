"""When two results are the same: rows of numbers, objects, parameters."""

import joblib
import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator


def dense(features):
    if issparse(features):
        return features.toarray()
    rows = np.asarray(features)
    return rows.ravel() if rows.dtype == object and rows.shape[1:] == (1,) else rows  # objects of a DataFrame


def are_objects(rows):
    return isinstance(rows, np.ndarray) and rows.ndim == 1 and rows.dtype == object


def can_be_missing(rows):
    return are_objects(rows) or np.issubdtype(rows.dtype, np.floating)


def numbers_of(row):
    """All numbers of an object in one array, in the order of their names."""
    values = sorted(row.to_dict().items())
    return np.concatenate([np.asarray(value, dtype=np.float64).ravel() for _, value in values])


def _same_object(expected, actual):
    if expected is None or actual is None:
        return expected is actual
    shapes = [{name: np.shape(value) for name, value in row.to_dict().items()} for row in (expected, actual)]
    return shapes[0] == shapes[1] and np.allclose(numbers_of(expected), numbers_of(actual), rtol=1e-5, atol=1e-6)


def summaries(rows):
    """Turn objects into rows of a few numbers, for a head that takes nothing else."""
    numbers = [numbers_of(row) for row in dense(rows)]
    return np.array([[len(x), x.sum(), np.abs(x).sum()] for x in numbers])


def assert_rows(expected, actual, message):
    """Equal up to the rounding of float32, which may depend on the size of a batch in a network."""
    expected, actual = dense(expected), dense(actual)
    if are_objects(expected):
        assert len(expected) == len(actual), f"{message}: {len(actual)} rows, not {len(expected)}"
        differ = [i for i, pair in enumerate(zip(expected, actual, strict=True)) if not _same_object(*pair)]
        assert not differ, f"{message}: rows {differ[:10]}"
        return
    assert expected.shape == actual.shape, f"{message}: shape {actual.shape}, not {expected.shape}"
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    equal = np.isclose(actual, expected, rtol=1e-5, atol=1e-6 * scale, equal_nan=True).all(axis=1)
    assert equal.all(), f"{message}: rows {np.flatnonzero(~equal)[:10].tolist()}"


def assert_same_parameters(estimator, copy, how):
    new = copy.get_params(deep=False)
    for name, value in estimator.get_params(deep=False).items():
        assert name in new, f"{how} forgets the parameter {name}"
        assert same(value, new[name]), f"{how} changes the parameter {name}: {value!r} became {new[name]!r}"


def same(a, b):
    """Whether two parameters are equal by content, whatever they are."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, (pd.DataFrame, pd.Series)):
        return a.equals(b) and [list(axis) for axis in a.axes] == [list(axis) for axis in b.axes]
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and joblib.hash(a) == joblib.hash(b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, BaseEstimator):
        return same(a.get_params(deep=False), b.get_params(deep=False))
    try:
        return bool(a == b) or joblib.hash(a) == joblib.hash(b)
    except (TypeError, ValueError):  # no single truth value
        return joblib.hash(a) == joblib.hash(b)
