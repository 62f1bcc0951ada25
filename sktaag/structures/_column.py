"""Take a column of structures in any of the forms in which users hold one."""

import narwhals.stable.v1 as nw
import numpy as np


def as_column(X):
    """Return X as a one-dimensional array of objects.

    Parameters
    ----------
    X : list, tuple, ndarray, Series or DataFrame of shape (n_samples,) or (n_samples, 1)
        Structures. Series and one-column DataFrames may come from pandas, polars or any other library that
        narwhals knows.

    Returns
    -------
    column : ndarray of shape (n_samples,) and dtype object
        The same structures in the same order; X itself is never changed.

    Raises
    ------
    TypeError
        If X is a single structure, such as a bare string, or not a sequence.
    ValueError
        If X is empty or has more than one column.

    Examples
    --------
    >>> import pandas as pd
    >>> as_column(pd.DataFrame({"smiles": ["CCO", "CC"]}))
    array(['CCO', 'CC'], dtype=object)
    """
    frame = nw.from_native(X, allow_series=True, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        raise TypeError("X is a lazy frame. Collect it first.")
    if isinstance(frame, nw.DataFrame):
        if len(frame.columns) != 1:
            raise ValueError(
                f"X must be one column of structures, got a DataFrame with {len(frame.columns)} columns "
                f"({', '.join(map(repr, frame.columns[:5]))}{', ...' if len(frame.columns) > 5 else ''}). "
                "Select the column that holds the structures."
            )
        frame = frame[frame.columns[0]]
    if isinstance(frame, nw.Series):
        values = frame.to_list()
    elif isinstance(X, np.ndarray):
        if X.ndim not in (1, 2) or (X.ndim == 2 and X.shape[1] != 1):
            raise ValueError(f"X must be one column of structures, got an array of shape {X.shape}.")
        values = X.ravel().tolist()
    elif isinstance(X, (list, tuple)):
        values = X
    else:
        raise TypeError(
            f"X must be a list, tuple, array, Series or one-column DataFrame of structures, got {type(X).__name__}. "
            "Wrap a single structure in a list."
        )
    if len(values) == 0:
        raise ValueError("X is empty: at least one structure is needed.")
    column = np.empty(len(values), dtype=object)
    # element by element: numpy would unpack structures that are sequences themselves, such as ase.Atoms
    for i, value in enumerate(values):
        column[i] = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    return column
