"""Crystals with their structures: phonons and dielectric constants."""

import ast
import gzip
import io
import json

import numpy as np
import pandas as pd

from sktaag.datasets._atoms import atoms_table, fetch_atoms
from sktaag.datasets._dataset import Dataset


def _read_phonons(path) -> pd.DataFrame:
    from ase import Atoms

    with gzip.open(path, "rt", encoding="utf-8") as lines:
        raw = json.load(lines)
    atoms = []
    for structure, _ in raw["data"]:  # a dictionary of pymatgen's; every site holds one element
        sites = structure["sites"]
        symbols = [site["species"][0]["element"] for site in sites]
        positions = np.array([site["xyz"] for site in sites])
        atoms.append(Atoms(symbols, positions, cell=structure["lattice"]["matrix"], pbc=True))
    return atoms_table(atoms, last_phonon_peak=[value for _, value in raw["data"]])


MATBENCH_PHONONS = Dataset(
    call="fetch_matbench_phonons()",
    kind="structure",
    files=("inorganic/matbench_phonons",),
    targets={"last_phonon_peak": "1/cm"},
    method="DFT (PBEsol, DFPT)",
    n=1265,
    read=_read_phonons,
    citation=(
        "A. Dunn et al., npj Comput. Mater. 6, 138 (2020), doi:10.1038/s41524-020-00406-3; "
        "data of G. Petretto et al., Sci. Data 5, 180065 (2018), doi:10.1038/sdata.2018.65"
    ),
    notes=(
        """The rows are in the order of Matbench, whose folds are those of
KFold(5, shuffle=True, random_state=18012019).""",
    ),
    features=("atoms",),
    merge=False,
)


def _read_dielectric(path) -> pd.DataFrame:
    from ase.io import read

    raw = pd.read_csv(path, skiprows=1)  # the first line is a reference
    meta = [ast.literal_eval(text) for text in raw["meta"]]  # literals of Python 2, which are literals of Python 3
    names = {
        "n": "refractive_index",
        "poly_electronic": "dielectric_electronic",
        "poly_total": "dielectric_total",
        "band_gap": "band_gap",
    }
    return atoms_table(
        (read(io.StringIO(entry["poscar"]), format="vasp") for entry in meta),
        **raw[list(names)].rename(columns=names),
        material_id=[entry["material_id"] for entry in meta],
        formula=[entry["formula"] for entry in meta],
    )


DIELECTRIC_CRYSTALS = Dataset(
    call="fetch_dielectric_crystals()",
    kind="structure",
    files=("inorganic/matminer_dielectric_constant_1056",),
    targets={"refractive_index": "1", "dielectric_electronic": "1", "dielectric_total": "1", "band_gap": "eV"},
    method="DFT (DFPT, polycrystalline average)",
    n=1056,
    read=_read_dielectric,
    citation="I. Petousis et al., Sci. Data 4, 160134 (2017), doi:10.1038/sdata.2016.134",
    notes=("Not the 4,764 crystals of Matbench's task of that name.",),
    features=("atoms",),
    merge=False,
)


def fetch_matbench_phonons(*, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Highest phonon frequency of 1,265 crystals with their structures (Matbench v0.1).

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with ase.Atoms in `data`. ``DESCR`` says how Matbench splits the rows.

    Raises
    ------
    ValueError
        If a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    See Also
    --------
    fetch_matbench_composition : The same task, and others, by composition alone.

    References
    ----------
    A. Dunn et al., npj Comput. Mater. 6, 138 (2020). :doi:`10.1038/s41524-020-00406-3`

    Examples
    --------
    >>> from sktaag.datasets import fetch_matbench_phonons
    >>> crystals, peak = fetch_matbench_phonons(return_X_y=True)  # doctest: +SKIP
    """
    return fetch_atoms(MATBENCH_PHONONS, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)


def fetch_dielectric_crystals(*, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Refractive index and dielectric constants of 1,056 crystals with their structures (Petousis et al.).

    Parameters
    ----------
    target : str, list of str or None, default=None
        The targets wanted, such as "refractive_index". None is all.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with ase.Atoms in `data`; the frame has ``material_id`` and ``formula``.

    Raises
    ------
    ValueError
        If `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    See Also
    --------
    fetch_dielectric_constants : The same values by composition.

    References
    ----------
    I. Petousis et al., Sci. Data 4, 160134 (2017). :doi:`10.1038/sdata.2016.134`

    Examples
    --------
    >>> from sktaag.datasets import fetch_dielectric_crystals
    >>> crystals, n = fetch_dielectric_crystals(target="refractive_index", return_X_y=True)  # doctest: +SKIP
    """
    return fetch_atoms(
        DIELECTRIC_CRYSTALS,
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )
