"""The column to predict: quantities or classes."""

import re
from collections import Counter, defaultdict

import numpy as np

from sktaag.cli._table import MISSING, TableError

_BEGINS_LIKE_A_NUMBER = re.compile(r"[<>~=\u2248\u2264\u2265\s]*[-+\u2212]?[.,]?\d")
_FEW = 5  # different whole numbers that may be names of classes


def read_target(table, column, task):
    """Read the column to predict.

    Parameters
    ----------
    table : Table
    column : int
    task : {"regression", "classification"} or None
        None: a column in which no text begins like a number holds classes.

    Returns
    -------
    values : ndarray of float, or ndarray of object
        Quantities, NaN where there is none; or names of classes, None where there is none.
    is_class : bool

    Raises
    ------
    TableError
        If quantities cannot be read, or look like classes and nobody said what they are; if names of classes differ in
        letter case only.
    """
    texts = table.texts(column)
    given = [text for text in texts if text.lower() not in MISSING]
    if task is None and given and not any(_BEGINS_LIKE_A_NUMBER.match(text) for text in given):
        task = "classification"
    if task == "classification":
        return _classes(table, column, texts), True
    try:
        numbers = table.numbers(column)
    except TableError as error:
        if task is None:
            raise TableError(f"{error}\nIf the column holds classes, pass --task classification.") from error
        raise
    if task is None:
        found = np.unique(numbers[~np.isnan(numbers)])
        if 2 <= len(found) <= _FEW and (found == found.round()).all() and len(given) >= 4 * len(found):
            raise TableError(
                f"{table.path}, column {table.header[column]!r} holds nothing but the numbers "
                f"{', '.join(f'{number:g}' for number in found)}, which look like classes. Pass --task classification "
                "if they are, or --task regression if they are quantities."
            )
    return numbers, False


def check_classes(path, y, n_folds):
    """Raise TableError unless there are several classes, each with a row for every fold."""
    counts = Counter(y.tolist())
    if len(counts) == 1:
        raise TableError(f"{path} leaves one class only, {str(y[0])!r} ({len(y)} rows). At least two are needed.")
    small = [f"{name!r} ({count})" for name, count in sorted(counts.items()) if count < n_folds]
    if small:
        shown = ", ".join(small[:10]) + (f" and {len(small) - 10} more" if len(small) > 10 else "")
        raise TableError(
            f"{path} leaves classes with fewer rows than the {n_folds} folds: {shown}. Add rows, join or leave out "
            "small classes, or lower --cv."
        )


def middle(values):
    """Return the value of a structure that several rows hold: the median, or the most frequent class, None if several.

    Parameters
    ----------
    values : ndarray
    """
    if values.dtype != object:
        return np.median(values)
    (name, highest), *others = Counter(values.tolist()).most_common()
    return None if others and others[0][1] == highest else name


def _classes(table, column, texts):
    names = np.array([None if text.lower() in MISSING else text for text in texts], dtype=object)
    try:
        numbers = np.array([float(name) for name in names if name is not None])
    except ValueError:
        pass
    else:
        names[[name is not None for name in names]] = [f"{number:g}" for number in numbers]  # 1 and 1.0 are one class
    alike = defaultdict(set)
    for name in names:
        if name is not None:
            alike[name.lower()].add(name)
    for found in alike.values():
        if len(found) > 1:
            raise TableError(
                f"{table.path}, column {table.header[column]!r}: the classes {', '.join(map(repr, sorted(found)))} "
                "differ in letter case only. Write them in one way."
            )
    return names
