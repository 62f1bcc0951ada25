"""Properties of organic molecules from the tables inside the ``chemicals`` package: no network."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import chemicals  # importing it registers the tables
import pandas as pd
from chemicals import search_chemical
from chemicals.data_reader import data_source

from sktaag.datasets._dataset import describe, make_bunch
from sktaag.datasets._tidy import canonical_organic, molar_mass

ROOM = 298.15  # K


@dataclass(frozen=True)
class Table:
    """One table of the chemicals package.

    Parameters
    ----------
    name : str
        Short name, as in the column ``source`` of the frames.
    values : callable
        Without arguments, gives the values as a Series indexed by CAS number.
    nature : str
        What the values are, and the reference.
    """

    name: str
    values: Callable[[], pd.Series]
    nature: str


@dataclass(frozen=True)
class OfflineDataset:
    """A property and its tables, the one to trust first first.

    Parameters
    ----------
    call : str
        What a user types to get it.
    target, unit : str
    limits : tuple of float
        Values outside are errors of a table and left out.
    n : int
        Number of rows with chemicals 1.5.2.
    tables : tuple of Table
    notes : str
        Known problems.
    method : str
        Where the values come from.
    per_kilogram : bool
        Whether the molar values of the tables are divided by the molar mass; `unit` is then the unit afterwards.
    """

    call: str
    target: str
    unit: str
    limits: tuple[float, float]
    n: int
    tables: tuple[Table, ...]
    notes: str = ""
    method: str = "experiment"
    per_kilogram: bool = False

    licence = "MIT (the chemicals package)"


def load(dataset: OfflineDataset, *, return_X_y=False, as_frame=False):
    """Read the tables, join them to SMILES, keep organic molecules, one row each."""
    series = [table.values().dropna() for table in dataset.tables]
    rows = pd.concat(
        [
            pd.DataFrame({"cas": values.index.astype(str), dataset.target: values.to_numpy(float), "rank": rank})
            for rank, values in enumerate(series)
        ],
        ignore_index=True,
    )
    n_raw = len(rows)
    rows = rows[rows[dataset.target].between(*dataset.limits)]
    n_outside = n_raw - len(rows)
    rows = rows.assign(smiles=rows["cas"].map(_organic_smiles)).dropna(subset="smiles")
    if dataset.per_kilogram:
        rows[dataset.target] *= 1000 / rows["smiles"].map(molar_mass)

    frame = _one_row_each(rows, dataset.target)
    frame["source"] = [dataset.tables[rank].name for rank in frame.pop("rank")]
    low, high = dataset.limits
    descr = describe(
        title=dataset.call,
        n=len(frame),
        kind="molecule",
        targets={dataset.target: dataset.unit},
        method=dataset.method,
        rows=(
            f"{n_raw} in the tables; left out: {n_outside} outside of {low:g} to {high:g} as tabulated and "
            f"{n_raw - n_outside - len(rows)} that are not organic or have no SMILES in the package; "
            f"{len(rows) - len(frame)} merged: the first table that has a structure counts, the median of its values"
        ),
        licence=dataset.licence,
        origin=[f"{table.name}: {table.nature}" for table in dataset.tables],
        citation=f"C. Bell et al., chemicals {chemicals.__version__}, https://github.com/CalebBell/chemicals",
        notes=(dataset.notes, _ORGANIC),
    )
    return make_bunch(
        frame, ("smiles",), {dataset.target: dataset.unit}, descr, return_X_y=return_X_y, as_frame=as_frame
    )


_ORGANIC = """
Organic molecules only: one neutral fragment with at least one carbon atom, made of H, B, C, N, O, F, Si, P, S, Cl, Br
and I, without isotope labels and radicals. Stereo is kept: enantiomers are two rows. In the frame, spread is the range
of a molecule's values over all tables, n their number, and source the table that counts."""


def _one_row_each(rows: pd.DataFrame, target: str) -> pd.DataFrame:
    by_structure = rows.groupby("smiles", sort=True)
    first = rows[rows["rank"] == by_structure["rank"].transform("min")].groupby("smiles", sort=True)
    frame = first[target].median().to_frame()
    frame["n"] = by_structure.size()
    frame["spread"] = by_structure[target].max() - by_structure[target].min()
    frame["rank"] = first["rank"].first()
    return frame.reset_index()


@cache
def _organic_smiles(cas: str) -> str | None:
    try:
        smiles = search_chemical(cas, autoload=True).smiles
    except ValueError:  # not in the package's database of identifiers
        return None
    return canonical_organic(smiles)


def column(file: str, name: str) -> Callable[[], pd.Series]:
    """Values of one column."""
    return lambda: data_source(file)[name]


def at_room_temperature(
    file: str, function: Callable[[pd.DataFrame], pd.Series], limits: tuple[str, str] = ("Tmin", "Tmax")
) -> Callable[[], pd.Series]:
    """Values of a correlation at 298.15 K, where that is within the limits that the table states."""

    def values() -> pd.Series:
        table = data_source(file)
        low, high = (pd.to_numeric(table[name]) for name in limits)
        return function(table[(low <= ROOM) & (high >= ROOM)])

    return values
