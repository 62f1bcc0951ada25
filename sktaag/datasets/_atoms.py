"""What the data sets of atoms in space share: a table whose X is a column of ase.Atoms."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from sktaag.datasets._dataset import Dataset, describe, make_bunch
from sktaag.datasets._remote import fetch_file, registry


def fetch_atoms(
    dataset: Dataset,
    *,
    rows="all of the raw file",
    paths=None,
    target=None,
    return_X_y=False,
    as_frame=False,
    **options,
):
    """Download and check the raw files of a data set of atoms, and read them.

    Parameters
    ----------
    dataset : Dataset
        Its `read` gives the column ``atoms``.
    rows : str
        What the rows are, for the description.
    paths : list of path or None, default=None
        Files to read instead of the registered ones.
    target, return_X_y, as_frame : object
        As in `make_bunch`.
    **options : object
        Of `fetch_file`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        With the attribute `forces` if the atoms carry them.
    """
    paths = [fetch_file(key, **options) for key in dataset.files] if paths is None else paths
    frame = dataset.read(*paths)
    descr = describe(
        title=dataset.call,
        n=len(frame),
        kind=dataset.kind,
        targets=dataset.targets,
        method=dataset.method,
        rows=rows,
        licence=dataset.licence,
        origin=[registry()[key].url for key in dataset.files],
        citation=dataset.citation,
        notes=dataset.notes,
    )
    bunch = make_bunch(frame, dataset.features, dataset.targets, descr, target=target, as_frame=as_frame)
    if return_X_y:
        return bunch.data, bunch.target
    calculator = bunch.frame["atoms"].iloc[0].calc
    if calculator is not None and "forces" in calculator.results:
        bunch["forces"] = objects(atoms.calc.results["forces"] for atoms in bunch.frame["atoms"])
    return bunch


def atoms_table(atoms: Iterable, **columns) -> pd.DataFrame:
    """Put atoms and columns of the same length side by side."""
    frame = pd.DataFrame({"atoms": pd.Series(objects(atoms), dtype=object), **columns})
    return frame


def objects(values: Iterable) -> np.ndarray:
    """One-dimensional array of objects, also of those that numpy would take apart."""
    values = list(values)
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def with_results(atoms, energy: float, forces):
    """Let atoms carry an energy (eV) and forces (eV/Å), as those of a calculator."""
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms.calc = SinglePointCalculator(atoms, energy=float(energy), forces=np.array(forces, dtype=np.float64))
    return atoms
