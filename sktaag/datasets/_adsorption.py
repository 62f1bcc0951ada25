"""Molecules on metal surfaces: relaxations of OC20 and adsorption energies of simple adsorbates."""

import zipfile
from dataclasses import replace
from functools import partial
from io import BytesIO, StringIO

import numpy as np
import pandas as pd

from sktaag.datasets._atoms import atoms_table, fetch_atoms, with_results
from sktaag.datasets._dataset import Dataset
from sktaag.datasets._remote import RemoteFile, local_file

_OC20_SYSTEMS = (
    *("100", "102", "103", "110", "117", "120", "126", "127", "129", "138"),
    *("141", "142", "151", "156", "157", "159", "161", "162", "163", "164"),
    *("167", "169", "170", "179", "187", "188", "191", "193", "194", "195"),
)
# The same frames in one file, which a folder of local data may hold instead of the thirty; positions and forces in
# it have single precision.
_OC20_ONE_FILE = RemoteFile(
    key="oc20/debug30",
    path="atoms/adsorption/oc20_debug30_s2ef.npz",
    url="the thirty trajectories",
    sha256="2f35b5f199ff4ba78d86200de317db76400a06b98904dc56543b4f673b36cbba",
    licence="CC BY 4.0",
)


def _read_oc20(*paths, max_above_median: float | None) -> pd.DataFrame:
    frame = _read_oc20_npz(*paths) if len(paths) == 1 else _read_oc20_trajectories(*paths)
    if max_above_median is None:
        return frame
    median = frame.groupby("system")["energy"].transform("median")
    return frame[frame["energy"] <= median + max_above_median].reset_index(drop=True)


def _read_oc20_npz(path) -> pd.DataFrame:
    from ase import Atoms
    from ase.constraints import FixAtoms

    with np.load(path, allow_pickle=False) as raw:
        raw = dict(raw)
    ends = np.cumsum(raw["n_atoms"].astype(int))[:-1]
    z, positions, forces, fixed = (np.split(raw[name], ends) for name in ("z", "R", "F", "fixed"))
    frames = [
        with_results(Atoms(z[i], positions[i], cell=raw["cell"][i], pbc=True), raw["E"][i], forces[i])
        for i in range(len(z))
    ]
    for atoms, mask in zip(frames, fixed, strict=True):
        atoms.set_constraint(FixAtoms(mask=mask))
    return atoms_table(frames, energy=raw["E"], system=raw["system"].astype(object), step=raw["frame"])


def _read_oc20_trajectories(*paths) -> pd.DataFrame:
    from ase.io import read

    frames, energies, systems, steps = [], [], [], []
    for path in paths:
        for step, atoms in enumerate(read(path, index=":", format="traj")):
            energies.append(atoms.get_potential_energy())
            frames.append(with_results(atoms, energies[-1], atoms.get_forces(apply_constraint=False)))
            systems.append(path.stem)
            steps.append(step)
    return atoms_table(frames, energy=energies, system=systems, step=steps)


OC20_FRAMES = Dataset(
    call="fetch_oc20_frames()",
    kind="structure",
    files=tuple(f"oc20/random1000{system}" for system in _OC20_SYSTEMS),
    targets={"energy": "eV"},
    method="DFT (RPBE, VASP), steps of relaxations",
    n=5217,
    read=_read_oc20,
    citation="L. Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525",
    notes=(
        """Thirty relaxations of adsorbates on surfaces out of OC20, 5,249 frames, which its repository once held to
test a script with, on a branch that is gone: the download may fail one day. Some steps are trial steps of the
optimiser, up to 65 eV above the rest: frames of more than max_above_median (8 eV) above the median of their
relaxation are left out, 32 of them. Energies are total ones. The atoms carry energy (eV) and forces (eV/Å), which no
constraint has touched; the atoms that were held fixed are in their constraints.""",
    ),
    features=("atoms",),
    merge=False,
)


def _read_wwl_gpr(path) -> pd.DataFrame:
    from ase.io import read

    root = "simple_adsorbate_db/"
    with zipfile.ZipFile(path) as archive:
        table = pd.read_csv(StringIO(archive.read(root + "adsorption_energies.txt").decode()), skipinitialspace=True)
        atoms: list = []
        for name in table["sample"]:
            raw = archive.read(f"{root}simple_adsorbate_structures/{name}")
            file = StringIO(raw.decode()) if name.endswith(".xyz") else BytesIO(raw)
            atoms.append(read(file, format="extxyz" if name.endswith(".xyz") else "traj"))
    for structure in atoms:
        structure.calc = None
    names = table["sample"].str.replace(r"\.(traj|xyz)$", "", regex=True)
    parts = names.str.split("_", n=3, expand=True).set_axis(["adsorbate", "metal", "facet", "site"], axis=1)
    return atoms_table(
        atoms,
        adsorption_energy=table["ads_energy (eV)"],
        name=names,
        surface=parts["metal"] + "_" + parts["facet"],
        **parts,
    )


WWL_GPR = Dataset(
    call="fetch_simple_adsorbates()",
    kind="structure",
    files=("adsorption/wwlgpr_simple_adsorbates",),
    targets={"adsorption_energy": "eV"},
    method="DFT (BEEF-vdW), relaxed structures",
    n=1422,
    read=_read_wwl_gpr,
    citation="W. Xu, K. Reuter, M. Andersen, Nat. Comput. Sci. 2, 443 (2022), doi:10.1038/s43588-022-00280-7",
    notes=(
        """C, CH, CH2, CH3, CO, H, O and OH on facets of metals and of alloys of two (A#B, AB). Structures are relaxed
ones alone. The same surface occurs with many adsorbates and sites: group by frame["surface"] when you split.""",
    ),
    features=("atoms",),
    merge=False,
)


def fetch_oc20_frames(*, max_above_median=8.0, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Energies and forces along thirty relaxations of adsorbates on surfaces (out of OC20).

    Parameters
    ----------
    max_above_median : float or None, default=8.0
        Leave out frames whose energy is more than so many eV above the median of their relaxation: trial steps of
        the optimiser. None keeps all 5,249 frames.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_rmd17`; ``frame["system"]`` names the relaxation and ``frame["step"]`` the step in it.

    Raises
    ------
    ValueError
        If a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    L. Chanussot et al., ACS Catal. 11, 6059 (2021). :doi:`10.1021/acscatal.0c04525`

    Examples
    --------
    >>> from sktaag.datasets import fetch_oc20_frames
    >>> frames = fetch_oc20_frames()  # doctest: +SKIP
    >>> frames.frame.groupby("system").size()  # doctest: +SKIP
    """
    one_file = local_file(_OC20_ONE_FILE)
    left_out = "none left out" if max_above_median is None else f"left out: {max_above_median:g} eV above the median"
    return fetch_atoms(
        replace(OC20_FRAMES, read=partial(_read_oc20, max_above_median=max_above_median)),
        rows=f"steps of 30 relaxations; {left_out}",
        paths=None if one_file is None else [one_file],
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )


def fetch_simple_adsorbates(*, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Adsorption energies of eight simple adsorbates on metals and alloys, 1,422 relaxed structures (WWL-GPR).

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with ase.Atoms in `data`. The frame has the columns ``adsorbate``, ``metal``, ``facet``,
        ``surface`` and ``site``.

    Raises
    ------
    ValueError
        If a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    W. Xu, K. Reuter, M. Andersen, Nat. Comput. Sci. 2, 443 (2022). :doi:`10.1038/s43588-022-00280-7`

    Examples
    --------
    >>> from sktaag.datasets import fetch_simple_adsorbates
    >>> adsorbates = fetch_simple_adsorbates()  # doctest: +SKIP
    >>> is_co = adsorbates.frame["adsorbate"] == "CO"  # doctest: +SKIP
    """
    return fetch_atoms(WWL_GPR, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)
