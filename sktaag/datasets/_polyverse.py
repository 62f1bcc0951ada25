"""polyVERSE: band gaps, gas transport and solvent interaction of polymers."""

from functools import partial

import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch, pick, read_columns
from sktaag.datasets._tidy import widen


def _read_gas_transport(path) -> pd.DataFrame:
    columns = {"smiles_string": "smiles", "property": "property", "value (log)": "value"}
    return widen(read_columns(path, columns=columns))


_GTRC = "Under a licence that forbids sale and binds what is derived from it; use polyVERSE's own terms."
_LADDERS = "Ladder polymers, with ends marked [e], [d], [t], [g], are not repeat units with two ends and are left out."
_POLYVERSE = {  # property: (file, columns, targets, method, rows, known problems)
    "electron_affinity": (
        "electron_affinity_202412051526",
        {"smiles1": "smiles", "value": "electron_affinity"},
        {"electron_affinity": "eV"},
        "DFT",
        368,
        "Same structures and values as fetch_khazana('Eea').",
    ),
    "ionization_energy": (
        "ionization_energy_202412051526",
        {"smiles": "smiles", "value": "ionization_energy"},
        {"ionization_energy": "eV"},
        "DFT",
        370,
        "Same structures and values as fetch_khazana('Ei').",
    ),
    "atomization_enthalpy": (
        "atomization_enthalpy_202412051524",
        {"smiles1": "smiles", "value": "atomization_enthalpy"},
        {"atomization_enthalpy": "eV/atom"},
        "DFT",
        390,
        "Same structures and values as fetch_khazana('Eat').",
    ),
    "band_gap_chain": (
        "bandgap_chain",
        {"smiles": "smiles", "bandgap_chain": "band_gap_chain"},
        {"band_gap_chain": "eV"},
        "DFT",
        4127,
        _LADDERS,
    ),
    "band_gap_crystal": (
        "bandgap_crystal",
        {"smiles": "smiles", "bandgap_crystal": "band_gap_crystal"},
        {"band_gap_crystal": "eV"},
        "DFT",
        232,
        _LADDERS,
    ),
    "charge_injection_barrier": (
        "charge_injection_barrier",
        {"smiles": "smiles", "eib": "charge_injection_barrier"},
        {"charge_injection_barrier": "eV"},
        "DFT",
        1747,
        _LADDERS,
    ),
}
POLYVERSE = {
    name: Dataset(
        call=f"fetch_polyverse({name!r})",
        kind="polymer",
        files=(f"polyverse/{file}",),
        targets=targets,
        method=method,
        n=n,
        read=partial(read_columns, columns=columns),
        citation="polyVERSE, Ramprasad group, Georgia Institute of Technology",
        notes=(notes, _GTRC),
        linear=True,
    )
    for name, (file, columns, targets, method, n, notes) in _POLYVERSE.items()
}
_GASES = ("O2", "N2", "CO2", "CH4", "H2", "He")
POLYVERSE["gas_transport"] = Dataset(
    call="fetch_polyverse('gas_transport')",
    kind="polymer",
    files=("polyverse/Gas_permeability_solubility_diffusivity_long",),
    targets={
        f"{quantity}_{origin}_{gas}": "log10; unit not stated"
        for quantity in ("p", "d", "s")
        for origin, gases in (("exp", _GASES), ("sim", _GASES[:4]))
        for gas in gases
    },
    method="experiment (*_exp_*) and simulation (*_sim_*); p permeability, d diffusivity, s solubility",
    n=994,
    read=_read_gas_transport,
    citation="polyVERSE, Ramprasad group, Georgia Institute of Technology",
    notes=(_LADDERS, "Decimal logarithms; the file states no units. Most entries are missing.", _GTRC),
    linear=True,
)
POLYVERSE["chi_parameter"] = Dataset(
    call="fetch_polyverse('chi_parameter')",
    kind="polymer",
    files=("polyverse/chi_parameter",),
    targets={"chi": "1"},
    method="experiment",
    n=1586,
    read=partial(
        read_columns,
        columns={
            "Polymer_SMILES": "smiles",
            "Solvent_SMILES": "solvent_smiles",
            "temperature": "temperature",
            "chi": "chi",
            "Polymer": "name",
            "Solvent": "solvent",
            "Reference": "reference",
        },
    ),
    citation="polyVERSE, Ramprasad group, Georgia Institute of Technology; original papers in the column reference",
    notes=(
        "X has three columns: polymer, solvent, temperature in K. There are only 57 polymers: group the folds.",
        _GTRC,
    ),
    features=("smiles", "solvent_smiles", "temperature"),
    linear=True,
)


def fetch_polyverse(property, *, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """One of the data sets of polyVERSE.

    Parameters
    ----------
    property : str
        "electron_affinity", "ionization_energy", "atomization_enthalpy", "band_gap_chain", "band_gap_crystal",
        "charge_injection_barrier"; "gas_transport", with 20 measured and 10 simulated targets, most entries missing; or
        "chi_parameter", with three columns in X: polymer, solvent, temperature in K.
    target : str, list of str or None, default=None
        For "gas_transport": the targets wanted, such as "p_exp_O2"; rows without any of them are left out.
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

    Notes
    -----
    polyVERSE is under the GTRC General Public Use License, which forbids sale and binds what is derived from it.

    Examples
    --------
    >>> from sktaag.datasets import fetch_polyverse
    >>> polymers, logp = fetch_polyverse("gas_transport", target="p_exp_O2", return_X_y=True)  # doctest: +SKIP
    """
    pick("property", property, list(POLYVERSE))
    return fetch(
        POLYVERSE[property],
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )
