"""A column of structures in all the forms that it may come in."""

from importlib.util import find_spec

import numpy as np
import pandas as pd


def object_array(values):
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):  # numpy would unpack structures that are sequences
        array[i] = value
    return array


def as_frame(structures, index=None):
    return pd.DataFrame({"structure": object_array(structures)}, index=index)


def containers(structures):
    array = object_array(structures)
    labels = [f"sample {i}" for i in range(len(array))][::-1]
    forms = {
        "list": list(structures),
        "tuple": tuple(structures),
        "object array": array,
        "array of one column": array.copy()[:, None],
        "pandas Series": pd.Series(array.copy(), index=labels, name="structure"),
        "pandas DataFrame": as_frame(structures, labels),
    }
    if all(isinstance(s, str) for s in structures):
        forms["array of str"] = np.array(structures)
        forms["pandas Series of dtype string"] = pd.Series(structures, index=labels, dtype="string")
    if find_spec("polars"):
        import polars as pl

        dtype = pl.String if all(isinstance(s, str) for s in structures) else pl.Object
        forms["polars Series"] = pl.Series("structure", list(structures), dtype=dtype)
        forms["polars DataFrame"] = pl.DataFrame([forms["polars Series"]])
    return forms


def elements(X):
    column = X if isinstance(X, (list, tuple)) else X.to_numpy() if hasattr(X, "to_numpy") else X
    return column.ravel() if isinstance(column, np.ndarray) else column


def with_invalid(structures, invalid):
    """Spread invalid values over the column, one of them first; return it and their rows."""
    X, rows = list(structures), []
    for i, value in enumerate(invalid):
        rows.append(min(2 * i, len(X)))
        X.insert(rows[-1], value)
    return X, rows
