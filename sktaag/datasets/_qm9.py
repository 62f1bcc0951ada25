"""QM9: what files of modest size hold of the 133,885 molecules, and its relatives QM7 and QM8."""

from functools import partial

import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch, read_columns

_TARGETS = {
    "mu": "D",
    "alpha": "a0^3",
    "homo": "Hartree",
    "lumo": "Hartree",
    "gap": "Hartree",
    "r2": "a0^2",
    "zpve": "Hartree",
    "u0": "Hartree",
    "u298": "Hartree",
    "h298": "Hartree",
    "g298": "Hartree",
    "cv": "cal/(mol K)",
    "u0_atom": "kcal/mol",
    "u298_atom": "kcal/mol",
    "h298_atom": "kcal/mol",
    "g298_atom": "kcal/mol",
}
_QM9_CITATION = "R. Ramakrishnan et al., Sci. Data 1, 140022 (2014), doi:10.1038/sdata.2014.22"


def _read_slices(*paths) -> pd.DataFrame:
    columns = ["mol_id", "smiles", *_TARGETS]
    union = pd.concat([pd.read_csv(path)[columns] for path in paths]).drop_duplicates("mol_id")
    return union.iloc[union["mol_id"].str.removeprefix("gdb_").astype(int).argsort()]


def _read_orbitals(smiles, homo, lumo, gap) -> pd.DataFrame:
    values = {name: pd.read_csv(path, header=None)[0] for name, path in (("homo", homo), ("lumo", lumo), ("gap", gap))}
    return pd.DataFrame({"smiles": smiles.read_text(encoding="ascii").split(), **values})


QM9_SLICE = Dataset(
    call="fetch_qm9_slice()",
    kind="molecule",
    files=("qm9/qm9_small", "qm9/test_reg", "qm9/val_reg"),
    targets=_TARGETS,
    method="DFT (B3LYP/6-31G(2df,p))",
    n=21429,
    read=_read_slices,
    citation=_QM9_CITATION,
    notes=(
        """Every ninth molecule of QM9 and 7,500 random ones. One row for each gdb index: 12 SMILES occur twice, as
    SMILES here carry no stereo. The 3,054 molecules of QM9 that its authors call uncharacterized are not marked.""",
    ),
    merge=False,
)
QM9_ORBITALS = Dataset(
    call="fetch_qm9_orbitals()",
    kind="molecule",
    files=("qm9/train_mols", "qm9/train_homo", "qm9/train_lumo", "qm9/train_gap"),
    targets={"homo": "Hartree", "lumo": "Hartree", "gap": "Hartree"},
    method="DFT (B3LYP/6-31G(2df,p))",
    n=91575,
    read=_read_orbitals,
    citation=_QM9_CITATION,
    notes=(
        """No gdb index; 973 rows repeat the SMILES of another one, as stereo was dropped: group by SMILES when you
    split. The gap is lumo - homo within 1e-4 Hartree.""",
    ),
    merge=False,
)
QM7 = Dataset(
    call="fetch_qm7()",
    kind="molecule",
    files=("small/qm7",),
    targets={"atomization_energy": "kcal/mol"},
    method="DFT (PBE0)",
    n=6830,
    read=partial(read_columns, columns={"smiles": "smiles", "u0_atom": "atomization_energy"}),
    citation="M. Rupp et al., Phys. Rev. Lett. 108, 058301 (2012), doi:10.1103/PhysRevLett.108.058301",
)
QM8 = Dataset(
    call="fetch_qm8()",
    kind="molecule",
    files=("small/qm8",),
    targets={
        f"{quantity}-{level}": "Hartree" if quantity.startswith("E") else "1"
        for level in ("CC2", "PBE0", "CAM")
        for quantity in ("E1", "E2", "f1", "f2")
    },
    method="CC2 and TDDFT: excitation energies (E) and oscillator strengths (f) of the two lowest singlets",
    n=21766,
    read=pd.read_csv,
    citation="R. Ramakrishnan et al., J. Chem. Phys. 143, 084111 (2015), doi:10.1063/1.4928757",
    notes=("20 rows repeat the SMILES of another one, as stereo was dropped.",),
)


def fetch_qm9_slice(*, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Sixteen properties of 21,429 molecules of QM9: energies, heat capacity, polarizability, orbitals.

    Parameters
    ----------
    target : str, list of str or None, default=None
        The targets wanted, such as "cv". None is all.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`. One row for each gdb index, ``frame["mol_id"]``.

    Raises
    ------
    ValueError
        If `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    R. Ramakrishnan et al., Sci. Data 1, 140022 (2014). :doi:`10.1038/sdata.2014.22`

    Examples
    --------
    >>> from sktaag.datasets import fetch_qm9_slice
    >>> molecules, cv = fetch_qm9_slice(target="cv", return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        QM9_SLICE, target=target, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame
    )


def fetch_qm9_orbitals(*, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Orbital energies of 91,575 molecules of QM9.

    Parameters
    ----------
    target : {"homo", "lumo", "gap"}, list of str or None, default=None
        The targets wanted. None is all three.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`. SMILES repeat (see ``DESCR``).

    Raises
    ------
    ValueError
        If `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    R. Ramakrishnan et al., Sci. Data 1, 140022 (2014). :doi:`10.1038/sdata.2014.22`

    Examples
    --------
    >>> from sktaag.datasets import fetch_qm9_orbitals
    >>> molecules, gap = fetch_qm9_orbitals(target="gap", return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        QM9_ORBITALS, target=target, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame
    )


def fetch_qm7(*, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Atomization energies of 6,830 molecules with up to seven heavy atoms, kcal/mol.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`.

    Raises
    ------
    ValueError
        If the file has another SHA-256 than on record.
    OSError
        If the file cannot be downloaded.

    References
    ----------
    M. Rupp et al., Phys. Rev. Lett. 108, 058301 (2012). :doi:`10.1103/PhysRevLett.108.058301`

    Examples
    --------
    >>> from sktaag.datasets import fetch_qm7
    >>> molecules, energy = fetch_qm7(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(QM7, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)


def fetch_qm8(*, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Electronic excitations of 21,766 molecules at three levels of theory.

    Parameters
    ----------
    target : str, list of str or None, default=None
        The targets wanted, such as "E1-CC2". None is all twelve.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`.

    Raises
    ------
    ValueError
        If `target` is not known, or the file has another SHA-256 than on record.
    OSError
        If the file cannot be downloaded.

    References
    ----------
    R. Ramakrishnan et al., J. Chem. Phys. 143, 084111 (2015). :doi:`10.1063/1.4928757`

    Examples
    --------
    >>> from sktaag.datasets import fetch_qm8
    >>> molecules, energy = fetch_qm8(target="E1-CC2", return_X_y=True)  # doctest: +SKIP
    """
    return fetch(QM8, target=target, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)
