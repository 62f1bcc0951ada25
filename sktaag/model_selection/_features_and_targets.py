"""Check the input of a transferability score."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import type_of_target


def check_features(X, y):
    """Return X as a float array with as many rows as y, at least two."""
    X = check_array(X, dtype=np.float64, ensure_min_samples=2)
    check_consistent_length(X, y)
    return X


def check_targets(y, classification):
    """Return numeric targets, one a column: y itself, or one column of zeros and ones for each class."""
    if classification:
        classes, codes = check_classes(y)
        return (codes[:, None] == np.arange(len(classes))).astype(np.float64)
    if np.asarray(y).dtype.kind not in "iuf":
        raise ValueError(
            f"y holds {np.asarray(y).dtype.name} values, not numbers. Set classification=True if they are classes."
        )
    y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
    y = y.reshape(len(y), -1)
    constant = np.flatnonzero(np.ptp(y, axis=0) == 0)
    if constant.size:
        where = f"Column {constant[0]} of y" if y.shape[1] > 1 else "y"
        raise ValueError(f"{where} is constant ({y[0, constant[0]]:g}); no features can tell its rows apart.")
    return y


def check_classes(y):
    """Return the classes of y and the number of the class of each row."""
    y = column_or_1d(y)
    if type_of_target(y) not in ("binary", "multiclass"):
        raise ValueError(f"y holds {type_of_target(y)} values, not classes.")
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y has one class only ({classes.tolist()[0]!r}); at least two are needed.")
    return classes, codes
