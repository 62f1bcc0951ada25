"""Organic molecules on metals: the FG data of GAME-Net, with the folds and predictions of its benchmark."""

import io
import tarfile
from functools import partial

import numpy as np
import pandas as pd

from sktaag.datasets._atoms import atoms_table, fetch_atoms
from sktaag.datasets._dataset import Dataset, pick

_FILES = {"initial": "poscar", "relaxed": "contcar"}
_MODELS = {"painn": "painn", "dpp": "dimenet++", "gemnet": "gemnet-dt"}
_N_OUTER, _N_INNER = 5, 4


def _read(structures, predictions, *, geometry: str) -> pd.DataFrame:
    from ase.io import read

    frame = _read_benchmark(_files(predictions), f"lmdb_fg_ensemble_{_FILES[geometry]}")
    files = _files(structures)
    paths = frame["group"] + "/structures/" + frame["name"] + "." + _FILES[geometry]
    atoms = [read(io.StringIO(files[path].decode()), format="vasp") for path in paths]
    on_metal = frame["name"].str.contains("-")
    parts = frame["name"].str.replace(r"-[ab]$", "", regex=True).str.rsplit("-", n=1)
    molecule = parts.str[-1]
    energy = frame.pop("energy_less_slab")
    return atoms_table(
        atoms,
        energy_less_slab=energy,
        adsorption_energy=(energy - molecule.map(_gas_energies(files["energies.dat"]))).where(on_metal),
        metal=parts.str[0].where(on_metal, "gas"),
        molecule=molecule,
        **frame,
    )


def _files(path) -> dict[str, bytes]:
    """Content of every file in an archive."""
    with tarfile.open(path) as archive:
        opened = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in opened.items() if file is not None}


def _read_benchmark(files: dict[str, bytes], folder: str) -> pd.DataFrame:
    """Names, targets, outer folds and mean predictions of the inner models, in the order of the benchmark's ids."""
    table = pd.read_csv(
        io.BytesIO(files[f"{folder}/ds_data.csv"]),
        names=["id", "name", "group", "energy_less_slab"],
        dtype={"name": str},
        index_col="id",
    ).sort_index()
    for model, column in _MODELS.items():
        paths = [f"{folder}/{model}/predictions_{k}.npz" for k in range(_N_OUTER * _N_INNER)]
        if paths[0] not in files:
            continue  # GemNet was not run on relaxed structures
        table[column] = 0.0
        for k, path in enumerate(paths):  # the inner models of an outer fold follow each other
            with np.load(io.BytesIO(files[path]), allow_pickle=False) as raw:
                ids = raw["ids"].astype(int)
                table.loc[ids, column] += raw["energy"] / _N_INNER
                table.loc[ids, "fold"] = k // _N_INNER
    return table.astype({"fold": int}).reset_index(drop=True)


def _gas_energies(table_of_energies: bytes) -> pd.Series:
    """Energies of the molecules alone; those of names that have two energies are left out."""
    table = pd.read_csv(io.BytesIO(table_of_energies), sep=r"\s+", names=["name", "energy"], dtype={"name": str})
    gas = table[~table["name"].str.contains("-")].drop_duplicates()
    return gas.drop_duplicates("name", keep=False).set_index("name")["energy"]


GAME_NET = {
    geometry: Dataset(
        call=f"fetch_game_net({geometry!r})",
        kind="structure",
        files=("adsorption/gamenet_fg", "adsorption/gamenet_fg_predictions"),
        targets={"energy_less_slab": "eV", "adsorption_energy": "eV"},
        method="DFT (PBE-D2, VASP), energies of the relaxed structures",
        n=3255,
        read=partial(_read, geometry=geometry),
        citation="S. Pablo-García et al., Nat. Comput. Sci. 3, 433 (2023), doi:10.1038/s43588-023-00437-y",
        notes=(
            """3,052 structures on 14 metals and 203 molecules alone (metal "gas"), where energy_less_slab is the
energy itself. adsorption_energy also subtracts the energy of the molecule alone; it is NaN for these, and for four
molecules (3611, 4811, 4a11, 4a12) of which the files hold two energies each. The frame has the outer folds of the
published nested cross-validation (fold; initial and relaxed structures have different ones) and, as published,
predictions of energy_less_slab by PaiNN, DimeNet++ and, from initial structures, GemNet-dT: the means of the four
inner models. Some initial structures are far from relaxed. Names are case-sensitive.""",
        ),
        features=("atoms",),
        merge=False,
    )
    for geometry in _FILES
}


def fetch_game_net(geometry="initial", *, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Energies of organic molecules on fourteen metals, 3,255 structures (FG data of GAME-Net).

    Parameters
    ----------
    geometry : {"initial", "relaxed"}, default="initial"
        Structures in `data`; the targets are those of the relaxed ones for both.
    target : str, list of str or None, default=None
        The targets wanted: "energy_less_slab", that of the published benchmark, or "adsorption_energy". None is both.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with ase.Atoms in `data`. The frame has the columns ``fold`` (of the published outer
        folds), ``metal``, ``molecule``, ``group``, ``name`` and the published predictions ``painn``, ``dimenet++``
        and, from initial structures, ``gemnet-dt``.

    Raises
    ------
    ValueError
        If `geometry` or `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    S. Pablo-García et al., Nat. Comput. Sci. 3, 433 (2023). :doi:`10.1038/s43588-023-00437-y`

    Examples
    --------
    >>> from sktaag.datasets import fetch_game_net
    >>> data = fetch_game_net("initial", target="energy_less_slab")  # doctest: +SKIP
    >>> (data.frame["painn"] - data.target).abs().mean()  # eV  # doctest: +SKIP
    """
    pick("geometry", geometry, list(GAME_NET))
    return fetch_atoms(
        GAME_NET[geometry],
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )
