"""Molecules in motion: energies and forces of frames from molecular dynamics."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from sktaag.datasets._atoms import atoms_table, fetch_atoms, with_results
from sktaag.datasets._dataset import Dataset, pick

_MOLECULES = {  # name: word in the names of the files
    "aspirin": "aspirin",
    "benzene": "benzene",
    "ethanol": "ethanol",
    "malonaldehyde": "malonaldehyde",
    "naphthalene": "naphthalene",
    "salicylic_acid": "salicylic",
    "toluene": "toluene",
}


def _read_rmd17(*paths, subsets=("train", "test")) -> pd.DataFrame:
    from ase.io import read

    atoms, energies, subset = [], [], []
    for path, name in zip(paths, subsets, strict=True):
        for frame in read(path, index=":", format="extxyz"):
            energies.append(float(frame.info.pop("Energy")))  # ase knows the key in small letters alone
            frame.pbc, frame.cell = False, None  # the files put a molecule in vacuum into a box of 50 Å
            atoms.append(with_results(frame, energies[-1], frame.calc.results["forces"]))
            subset.append(name)
    return atoms_table(atoms, energy=energies, subset=subset)


RMD17 = {
    molecule: Dataset(
        call=f"fetch_rmd17({molecule!r})",
        kind="structure",
        files=(f"rmd17/{file}_train_01", f"rmd17/{file}_test_01"),
        targets={"energy": "eV"},
        method="DFT (PBE/def2-SVP, tight), frames of MD at 500 K",
        n=2000,
        read=_read_rmd17,
        citation=(
            "A. S. Christensen, O. A. von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020), "
            "doi:10.1088/2632-2153/abba6f; data doi:10.6084/m9.figshare.12672038"
        ),
        notes=(
            """Split 01 of the five official ones: 1,000 frames to train with and 1,000 to test on, the numbers of
published tables. Energies are total ones, thousands of eV: keep them in float64, or subtract their mean, before
float32. The atoms carry energy (eV) and forces (eV/Å).""",
        ),
        features=("atoms",),
        merge=False,
    )
    for molecule, file in _MOLECULES.items()
}


def _read_ccsd(path) -> pd.DataFrame:
    from ase import Atoms, units

    electronvolt = units.kcal / units.mol
    with np.load(path, allow_pickle=False) as raw:
        numbers, positions = raw["z"], raw["R"]
        energies, forces = raw["E"].ravel() * electronvolt, raw["F"] * electronvolt
    frames = [
        with_results(Atoms(numbers, xyz), energy, force)
        for xyz, energy, force in zip(positions, energies, forces, strict=True)
    ]
    return atoms_table(frames, energy=energies)


CCSD_ETHANOL = Dataset(
    call="fetch_ccsd_ethanol()",
    kind="structure",
    files=("ccsd/ethanol_train",),
    targets={"energy": "eV"},
    method="CCSD(T)/cc-pVTZ (Psi4), frames of MD",
    n=1000,
    read=_read_ccsd,
    citation="S. Chmiela et al., Nat. Commun. 9, 3887 (2018), doi:10.1038/s41467-018-06169-2",
    notes=(
        """The training frames of the original set; its 1,000 test frames are not among the files of this package.
kcal/mol in the file, eV here. The atoms carry energy (eV) and forces (eV/Å).""",
    ),
    features=("atoms",),
    merge=False,
)


def fetch_rmd17(molecule, subset="all", *, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Energies and forces of one molecule in motion (revised MD17, split 01).

    Parameters
    ----------
    molecule : str
        "aspirin", "benzene", "ethanol", "malonaldehyde", "naphthalene", "salicylic_acid" or "toluene".
    subset : {"all", "train", "test"}, default="all"
        Part of the official split, 1,000 frames each; ``frame["subset"]`` tells them apart.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with ase.Atoms in `data`, total energies (eV) in `target`, and `forces`, an array of one
        (n_atoms, 3) array for each frame, in eV/Å.

    Raises
    ------
    ValueError
        If `molecule` or `subset` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    A. S. Christensen, O. A. von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020).
    :doi:`10.1088/2632-2153/abba6f`

    Examples
    --------
    >>> from sktaag.datasets import fetch_rmd17
    >>> train = fetch_rmd17("ethanol", "train")  # doctest: +SKIP
    >>> train.data[0], train.target[0], train.forces[0].shape  # doctest: +SKIP
    """
    pick("molecule", molecule, list(RMD17))
    pick("subset", subset, ["all", "train", "test"])
    dataset, rows = RMD17[molecule], "all of the raw files"
    if subset != "all":
        file = next(key for key in dataset.files if f"_{subset}_" in key)
        dataset = replace(dataset, files=(file,), read=partial(_read_rmd17, subsets=(subset,)))
        rows = f"the official {subset} frames"
    return fetch_atoms(
        dataset, rows=rows, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame
    )


def fetch_ccsd_ethanol(*, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Energies and forces of ethanol by CCSD(T), 1,000 frames.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_rmd17`.

    Raises
    ------
    ValueError
        If a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    S. Chmiela et al., Nat. Commun. 9, 3887 (2018). :doi:`10.1038/s41467-018-06169-2`

    Examples
    --------
    >>> from sktaag.datasets import fetch_ccsd_ethanol
    >>> atoms, energy = fetch_ccsd_ethanol(return_X_y=True)  # doctest: +SKIP
    """
    return fetch_atoms(CCSD_ETHANOL, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)
