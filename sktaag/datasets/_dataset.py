"""What a data set is made of, and how it becomes the Bunch that a fetcher returns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sktaag.datasets._remote import fetch_file, registry
from sktaag.datasets._tidy import tidy

STRUCTURES = {
    "polymer": "PSMILES of the repeat unit, canonical by RDKit, the two ends marked *",
    "molecule": "SMILES, canonical by RDKit",
    "composition": "reduced formula",
    "structure": "ase.Atoms, positions in Å",
}


@dataclass(frozen=True)
class Dataset:
    """One downloadable data set.

    Parameters
    ----------
    call : str
        What a user types to get it.
    kind : {"polymer", "molecule", "composition", "structure"}
        What the structures are.
    files : tuple of str
        Registry keys of the raw files that `read` takes, in its order.
    targets : dict
        Unit of each target, by name.
    method : str
        Where the values come from: experiment, MD, DFT, ...
    n : int
        Number of rows of the tidy table.
    read : callable
        From the paths of `files` to a DataFrame with the columns `features`, `targets` and perhaps others.
    citation : str
        Primary reference.
    notes : tuple of str
        Known problems.
    features : tuple of str
        The columns that make up X.
    linear : bool
        Whether rows that are not repeat units of linear polymers are left out.
    merge : bool
        Whether rows of the same structure are merged.
    """

    call: str
    kind: str
    files: tuple[str, ...]
    targets: dict[str, str]
    method: str
    n: int
    read: Callable[..., pd.DataFrame] = field(repr=False)
    citation: str
    notes: tuple[str, ...] = ()
    features: tuple[str, ...] = ("smiles",)
    linear: bool = False
    merge: bool = True

    @property
    def licence(self) -> str:
        """Licences of the raw files, each once."""
        return "; ".join(dict.fromkeys(registry()[key].licence for key in self.files))


def fetch(dataset: Dataset, *, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Download, check and tidy a data set."""
    paths = [fetch_file(key, data_home=data_home, verbose=verbose) for key in dataset.files]
    raw = dataset.read(*paths)
    done = tidy(
        raw, features=dataset.features, targets=list(dataset.targets), linear=dataset.linear, merge=dataset.merge
    )
    left_out = f"{done.n_unreadable} without a usable structure"
    if dataset.linear:
        left_out += f" and {done.n_not_linear} that are not a linear repeat unit (two *)"
    merging = (
        f"{done.n_merged} merged into another row of the same structure (median)" if dataset.merge else "none merged"
    )
    descr = describe(
        title=dataset.call,
        n=len(done.frame),
        kind=dataset.kind,
        targets=dataset.targets,
        method=dataset.method,
        rows=f"{done.n_raw} with a value in the raw files; left out: {left_out}; {merging}",
        licence=dataset.licence,
        origin=[registry()[key].url for key in dataset.files],
        citation=dataset.citation,
        notes=dataset.notes,
    )
    return make_bunch(
        done.frame, dataset.features, dataset.targets, descr, target=target, return_X_y=return_X_y, as_frame=as_frame
    )


def describe(*, title, n, kind, targets, method, rows, licence, origin, citation, notes) -> str:
    """Text of a Bunch's DESCR."""
    lines = [title, "=" * len(title), "", f"{n} {kind}s ({STRUCTURES[kind]})", ""]
    lines += ["Targets:", *(f"    {name} [{unit}]" for name, unit in targets.items())]
    lines += [f"Values from: {method}", f"Rows: {rows}", f"Licence: {licence}"]
    lines += ["Origin:", *(f"    {place}" for place in origin), f"Citation: {citation}"]
    known = [cleandoc(note) for note in notes if note]
    if known:
        lines += ["Known problems:", *known]
    return "\n".join(lines) + "\n"


def make_bunch(
    frame: pd.DataFrame,
    features: Sequence[str],
    targets: dict[str, str],
    descr: str,
    *,
    target=None,
    return_X_y: bool = False,
    as_frame: bool = False,
):
    """Bunch of a tidy table, in the shapes that scikit-learn's fetchers have.

    Parameters
    ----------
    frame : DataFrame
        Tidy table.
    features : sequence of str
        Columns of X.
    targets : dict
        Unit of each target, by column name.
    descr : str
        Description.
    target : str, list of str or None, default=None
        The targets wanted; rows in which all of them are missing are left out. None is all.
    return_X_y : bool, default=False
        Return ``(data, target)`` only.
    as_frame : bool, default=False
        `data` as DataFrame and `target` as Series or DataFrame, instead of arrays.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
    """
    names = list(targets) if target is None else [target] if isinstance(target, str) else list(target)
    unknown = [name for name in names if name not in targets]
    if unknown or not names:
        raise ValueError(f"target={target!r} is not among the targets of this data set: {list(targets)}.")
    frame = frame.dropna(subset=names, how="all").reset_index(drop=True)
    # a single column is one-dimensional, but for DataFrames, which keep their column
    wanted = names[0] if len(names) == 1 else names
    values: Any = frame[wanted].astype(np.float64)
    data: Any = frame[list(features)]
    if not as_frame:
        values = values.to_numpy()
        data = frame[features[0] if len(features) == 1 else list(features)].to_numpy(dtype=object)
    if return_X_y:
        return data, values
    return Bunch(
        data=data,
        target=values,
        feature_names=list(features),
        target_names=names,
        target_units=[targets[name] for name in names],
        frame=frame,
        DESCR=descr,
    )


def pick(option: str, value, choices: Sequence) -> None:
    """Refuse a value that is not among the choices, and name these."""
    if value not in choices:
        raise ValueError(f"{option}={value!r} is not known; choose one of {', '.join(map(repr, choices))}.")


def read_columns(path, *, columns: dict[str, str], **csv_options) -> pd.DataFrame:
    """Read a CSV file, keep `columns` (name in the file to name in the table), drop the rest."""
    options = {"encoding": "utf-8-sig", **csv_options}
    return pd.read_csv(path, **options)[list(columns)].rename(columns=columns)
