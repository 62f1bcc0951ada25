"""Structures that a source was trained on and a target holds too."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pandas as pd

from sktaag.structures import as_column, canonical_smiles


def find_overlap(source_X, target_X, *, stereo=False, key=None):
    """List the structures that sources and target share.

    A source network that has seen a molecule of the target, with whatever property, knows it: test folds are then not
    new to the model.

    Parameters
    ----------
    source_X : column of shape (n_source,), or dict of columns
        Structures that a source was trained on, or those of several sources by name.
    target_X : column of shape (n_samples,)
        Structures of the target.
    stereo : bool, default=False
        Tell stereoisomers and isotopes apart. False is the stricter guard.
    key : callable or None, default=None
        Returns a name for each structure of a column; equal names are the same structure. None is
        `sktaag.structures.canonical_smiles`, for which repeat units are equal wherever they begin and however often
        they repeat themselves.

    Returns
    -------
    overlap : DataFrame of shape (n_shared, 4)
        One row for each shared structure of each source: ``source``, its name (0 for a single column); ``structure``;
        ``source_rows`` and ``target_rows``, lists of row numbers.

    Raises
    ------
    InvalidRowsError
        If structures cannot be read; the message names them all.

    See Also
    --------
    compare : Reports the overlap, or leaves it out.

    Examples
    --------
    >>> from sktaag.model_selection import find_overlap
    >>> find_overlap(["*COC*", "*CC*", "CCO"], ["*CCO*", "OCC", "CCC"])
       source structure source_rows target_rows
    0       0    *CCO*         [0]         [0]
    1       0      CCO         [2]         [1]
    """
    names = key if key is not None else lambda X: canonical_smiles(X, stereo=stereo)
    target_rows = _rows_by_name(names(as_column(target_X)))
    rows = []
    for source, X in _named(source_X).items():
        source_rows = _rows_by_name(names(as_column(X)))
        rows += [
            (source, name, source_rows[name], target) for name, target in target_rows.items() if name in source_rows
        ]
    return pd.DataFrame(rows, columns=["source", "structure", "source_rows", "target_rows"])


def source_masks(source_X, overlap):
    """Return which rows of the sources are not in the overlap: a mask, or a dict of masks if `source_X` is one."""
    masks = {}
    for source, X in _named(source_X).items():
        masks[source] = np.ones(len(as_column(X)), dtype=bool)
        masks[source][_flat(overlap.loc[overlap["source"] == source, "source_rows"])] = False
    return masks if isinstance(source_X, Mapping) else masks[0]


def target_mask(target_X, overlap):
    """Return which rows of the target are in no source."""
    mask = np.ones(len(target_X), dtype=bool)
    mask[_flat(overlap["target_rows"])] = False
    return mask


def _named(source_X):
    return source_X if isinstance(source_X, Mapping) else {0: source_X}


def _rows_by_name(names):
    rows = defaultdict(list)
    for row, name in enumerate(names):
        rows[name].append(row)
    return rows


def _flat(lists):
    return [row for rows in lists for row in rows]
