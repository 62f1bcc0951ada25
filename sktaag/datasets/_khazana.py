"""Khazana and TransPolymer: computed electronic properties of polymers, and two measured benchmark sets."""

from functools import partial

import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch, pick, read_columns
from sktaag.datasets._tidy import canonical, widen


def _read_sequences(path, *, sequence: str, value: str, target: str) -> pd.DataFrame:
    raw = read_columns(path, columns={sequence: "sequence", value: target})
    # the structure comes before the first $; whole sequences are not SMILES
    return raw.assign(repeat_units=pd.Series(canonical(raw["sequence"].str.split("$").str[0]), dtype=object))


def _read_multi_task(path) -> pd.DataFrame:
    names = {**{file.casefold(): target for file, (target, _, _) in _KHAZANA.items()}, "eat": "atomization_energy"}
    raw = pd.read_csv(path)
    return widen(raw.assign(property=raw["property"].str.casefold().map(names)))


_KHAZANA = {  # file: (target, unit, rows)
    "EPS": ("dielectric_constant", "1", 382),
    "Eea": ("electron_affinity", "eV", 368),
    "Egb": ("band_gap_bulk", "eV", 561),
    "Egc": ("band_gap_chain", "eV", 3380),
    "Ei": ("ionization_energy", "eV", 370),
    "Nc": ("refractive_index", "1", 382),
    "Xc": ("crystallization_tendency", "%", 432),
}
_KHAZANA_CITATION = (
    "C. Kuenneth et al., Patterns 2, 100238 (2021), doi:10.1016/j.patter.2021.100238; as prepared by C. Xu et al., "
    "npj Comput. Mater. 9, 64 (2023), doi:10.1038/s41524-023-01016-5"
)
_KHAZANA_NOTES = "DFT of chains and crystals at 0 K: Nc is 0.20 above the measured index (8 shared polymers)."

KHAZANA = {
    name: Dataset(
        call=f"fetch_khazana({name!r})",
        kind="polymer",
        files=(f"transpolymer/{name}",),
        targets={target: unit},
        method="DFT" if name != "Xc" else "not stated in the file",
        n=n,
        read=partial(read_columns, columns={"smiles": "smiles", "value": target}),
        citation=_KHAZANA_CITATION,
        notes=(_KHAZANA_NOTES,),
        linear=True,
    )
    for name, (target, unit, n) in _KHAZANA.items()
}
KHAZANA["Eat"] = Dataset(
    call="fetch_khazana('Eat')",
    kind="polymer",
    files=("mmpolymer/Eat",),
    targets={"atomization_energy": "eV/atom"},
    method="DFT",
    n=390,
    read=partial(read_columns, columns={"psmiles": "smiles", "value": "atomization_energy"}),
    citation="C. Kuenneth et al., Patterns 2, 100238 (2021), doi:10.1016/j.patter.2021.100238",
    notes=("Carried by MMPolymer, whose repository is under the GPL.",),
    linear=True,
)
KHAZANA["multi_task"] = Dataset(
    call="fetch_khazana('multi_task')",
    kind="polymer",
    files=("transpolymer/multi-task",),
    targets={**{target: unit for target, unit, _ in _KHAZANA.values()}, "atomization_energy": "eV/atom"},
    method="DFT (crystallization_tendency: not stated in the file)",
    n=3655,
    read=_read_multi_task,
    citation=_KHAZANA_CITATION,
    notes=(_KHAZANA_NOTES, "The eight sets side by side, most entries missing."),
    linear=True,
)

TRANSPOLYMER = {
    "OPV": Dataset(
        call="fetch_transpolymer('OPV')",
        kind="polymer",
        files=("transpolymer/OPV",),
        targets={"power_conversion_efficiency": "%"},
        method="experiment",
        n=1193,
        read=partial(_read_sequences, sequence="CSMILES", value="PCE_ave", target="power_conversion_efficiency"),
        citation="C. Xu et al., npj Comput. Mater. 9, 64 (2023), doi:10.1038/s41524-023-01016-5",
        notes=(
            """X is TransPolymer's sequence, not SMILES: the repeat unit, capped instead of with *, then three scaled
        descriptors, separated by $. The column repeat_units of the frame holds
        the structure alone; 88 sequences repeat one.""",
        ),
        features=("sequence",),
    ),
    "PE_II": Dataset(
        call="fetch_transpolymer('PE_II')",
        kind="polymer",
        files=("transpolymer/PE_II",),
        targets={"log_conductivity": "log10(S/cm)"},
        method="experiment (60 degrees Celsius by its name in the file)",
        n=270,
        read=partial(_read_sequences, sequence="SMILES descriptor 1", value="logCond60", target="log_conductivity"),
        citation="C. Xu et al., npj Comput. Mater. 9, 64 (2023), doi:10.1038/s41524-023-01016-5",
        notes=(
            """X is TransPolymer's sequence, not SMILES: repeat units (several joined by .), the anion of the lithium
        salt, four numbers and a label, separated by $. The column repeat_units of the frame
        holds the first part alone.""",
        ),
        features=("sequence",),
    ),
}


def fetch_khazana(property, *, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Electronic properties of polymers from Khazana, computed: sets on which polymer models are commonly compared.

    Parameters
    ----------
    property : {"EPS", "Eea", "Egb", "Egc", "Ei", "Nc", "Xc", "Eat", "multi_task"}
        Dielectric constant, electron affinity, band gap of the bulk and of the chain, ionization energy, refractive
        index, crystallization tendency, atomization energy; or all eight side by side.
    target : str, list of str or None, default=None
        For "multi_task": the targets wanted; rows without any of them are left out. None is all.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`. Units and known problems are in ``DESCR``.

    Raises
    ------
    ValueError
        If `property` or `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    C. Kuenneth et al., Patterns 2, 100238 (2021). :doi:`10.1016/j.patter.2021.100238`
    C. Xu et al., npj Comput. Mater. 9, 64 (2023). :doi:`10.1038/s41524-023-01016-5`

    Examples
    --------
    >>> from sktaag.datasets import fetch_khazana
    >>> polymers, n = fetch_khazana("Nc", return_X_y=True)  # doctest: +SKIP
    """
    pick("property", property, list(KHAZANA))
    return fetch(
        KHAZANA[property],
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )


def fetch_transpolymer(property, *, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Two measured sets whose X is a TransPolymer sequence rather than SMILES.

    Parameters
    ----------
    property : {"OPV", "PE_II"}
        Efficiency of polymer solar cells, or conductivity of polymer electrolytes.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with sequences in `data`; ``frame["repeat_units"]`` holds their structures.

    Raises
    ------
    ValueError
        If `property` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    C. Xu et al., npj Comput. Mater. 9, 64 (2023). :doi:`10.1038/s41524-023-01016-5`

    Examples
    --------
    >>> from sktaag.datasets import fetch_transpolymer
    >>> frame = fetch_transpolymer("OPV").frame  # doctest: +SKIP
    """
    pick("property", property, list(TRANSPOLYMER))
    return fetch(TRANSPOLYMER[property], data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)
