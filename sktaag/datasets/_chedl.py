"""Thermophysical tables of the ChEDL chemicals project at a fixed commit, joined to SMILES by CAS number."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch, pick
from sktaag.datasets._tidy import canonical_organic, molar_mass

ROOM = 298.15  # K
GAS_CONSTANT = 8.314462618  # J/(mol K)
_IDENTIFIERS = (
    "small/casn_to_smiles",
    "chedl_chemicals/identifiers_example_user",
    "chedl_chemicals/identifiers_pubchem_small",
)


def _smiles_by_cas(deepchem, example, pubchem) -> dict[str, str]:
    # later tables are the better kept ones and win
    table = pd.read_csv(deepchem, encoding="latin-1")[["Substance_CASRN", "Structure_SMILES"]].dropna()
    smiles = dict(zip(table["Substance_CASRN"].astype(str), table["Structure_SMILES"], strict=True))
    for path in (example, pubchem):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                _, cas, _, _, text, *_ = line.split("\t")
                smiles[cas] = text
    return smiles


def _read(path, *identifiers, values: Callable[[pd.DataFrame], pd.DataFrame], cas: str = "CAS") -> pd.DataFrame:
    raw = pd.read_csv(path, sep="\t", dtype={cas: str})
    table = values(raw).assign(cas=raw[cas])
    table = table.dropna(subset=table.columns.drop("cas"), how="all")
    smiles = table["cas"].map(_smiles_by_cas(*identifiers)).dropna().map(canonical_organic).dropna()
    if "heat_capacity" in table:
        table["specific_heat_capacity"] = table["heat_capacity"] * 1000 / smiles.map(molar_mass)
    return table.assign(smiles=smiles)


def _in_range(raw: pd.DataFrame, values: pd.Series) -> pd.Series:
    return values.where((raw["Tmin"] <= ROOM) & (raw["Tmax"] >= ROOM))


def _refractive_index(raw):
    return raw[["RI"]].where((raw["RIT"] - 293.15).abs() <= 6).set_axis(["refractive_index"], axis=1)


def _melting_point(raw):
    return raw[["Tm"]].set_axis(["melting_point"], axis=1)


def _heat_capacity(raw, column):
    return raw[[column]].set_axis(["heat_capacity"], axis=1)


def _thermal_conductivity(raw):
    value = sum(raw[f"C{power + 1}"] * ROOM**power for power in range(5))
    return _in_range(raw, value).to_frame("thermal_conductivity")


def _thermal_conductivity_vdi(raw):
    value = sum(raw[name] * ROOM**power for power, name in enumerate("ABCDE"))
    return value.to_frame("thermal_conductivity")


def _log_viscosity(raw):
    value = raw["C1"] + raw["C2"] / ROOM + raw["C3"] * np.log(ROOM) + raw["C4"] * ROOM ** raw["C5"]
    return _in_range(raw, value).to_frame("log_viscosity")


def _permittivity(raw):
    return raw[["Permittivity"]].where((raw["T"] - ROOM).abs() <= 10).set_axis(["permittivity"], axis=1)


def _zabransky(raw):
    spline = sum(raw[f"A{power + 1}-spline"] * (ROOM / 100) ** power for power in range(4))
    reduced = (ROOM / raw["Tc"]).where(raw["Tc"] > ROOM)
    quasi = raw["A1-quasi"] * np.log(1 - reduced) + raw["A2-quasi"] / (1 - reduced)
    quasi = quasi + sum(raw[f"A{power + 3}-quasi"] * reduced**power for power in range(4))
    value = GAS_CONSTANT * spline.where(raw["A1-spline"] != 0, quasi)
    # a spline of one substance comes in pieces that meet at a temperature, so that two of them can hold
    return _in_range(raw, value).to_frame("heat_capacity")


def _poling(raw):
    return raw[["Cpl", "Cpg"]].set_axis(["heat_capacity_liquid", "heat_capacity_gas"], axis=1)


def _physical_constants(raw):
    return raw[["Tm", "Tb", "rho", "RI"]].set_axis(
        ["melting_point", "boiling_point", "density", "refractive_index"], axis=1
    )


_CRC = "CRC Handbook of Chemistry and Physics, 95th edition (2014)"
_PERRY = "Perry's Chemical Engineers' Handbook, 8th edition (2007)"
_HEAT_CAPACITY = {"heat_capacity": "J/(mol K)", "specific_heat_capacity": "J/(kg K)"}
_TABLES: dict[
    str, tuple[str, Callable, dict[str, str], int, str, str, str]
] = {  # property: (file, values, targets, rows, CAS column, reference, known problems)
    "refractive_index": (
        "CRC_organic_RI",
        _refractive_index,
        {"refractive_index": "1"},
        1801,
        "CAS",
        _CRC,
        "Only values measured within 6 K of 293.15 K; the file has others, up to 371 K.",
    ),
    "melting_point": (
        "OpenNotebook_melting_points",
        _melting_point,
        {"melting_point": "K"},
        4032,
        "CAS",
        "J.-C. Bradley et al., Open Melting Point Dataset (2014), CC0",
        "",
    ),
    "liquid_heat_capacity": (
        "CRC_standard_thermo",
        partial(_heat_capacity, column="Cpl"),
        _HEAT_CAPACITY,
        375,
        "CAS",
        _CRC,
        "At 298.15 K.",
    ),
    "gas_heat_capacity": (
        "CRC_standard_thermo",
        partial(_heat_capacity, column="Cpg"),
        _HEAT_CAPACITY,
        152,
        "CAS",
        _CRC,
        "At 298.15 K.",
    ),
    "liquid_heat_capacity_zabransky": (
        "Zabransky",
        _zabransky,
        _HEAT_CAPACITY,
        132,
        "CASRN",
        "M. Zabransky et al., Heat Capacity of Liquids: Critical Review and Recommended Values (1996)",
        "Correlations at 298.15 K, within their limits; the median where several hold.",
    ),
    "heat_capacity_poling": (
        "PolingDatabank",
        _poling,
        {"heat_capacity_liquid": "J/(mol K)", "heat_capacity_gas": "J/(mol K)"},
        304,
        "CAS",
        "B. E. Poling et al., The Properties of Gases and Liquids, 5th edition (2001)",
        "At 298.15 K.",
    ),
    "liquid_thermal_conductivity": (
        "Perry_2-315_liquid_thermal_conductivity",
        _thermal_conductivity,
        {"thermal_conductivity": "W/(m K)"},
        257,
        "CAS",
        _PERRY + ", table 2-315",
        "Correlations at 298.15 K, within their limits; DIPPR's fits, some of them to estimates.",
    ),
    "liquid_thermal_conductivity_vdi": (
        "VDI_PPDS_liquid_thermal_conductivity",
        _thermal_conductivity_vdi,
        {"thermal_conductivity": "W/(m K)"},
        236,
        "CAS",
        "VDI Heat Atlas, 2nd edition (2010)",
        "Correlations at 298.15 K. The table has no limits: some of these substances are not liquid there.",
    ),
    "liquid_viscosity": (
        "Perry_2-313_liquid_viscosity",
        _log_viscosity,
        {"log_viscosity": "ln(Pa s)"},
        268,
        "CAS",
        _PERRY + ", table 2-313",
        "Correlations at 298.15 K, within their limits; DIPPR's fits, some of them to estimates.",
    ),
    "permittivity": (
        "CRC_liquid_permittivity",
        _permittivity,
        {"permittivity": "1"},
        673,
        "CAS",
        _CRC,
        "Only values measured within 10 K of 298.15 K.",
    ),
    "physical_constants": (
        "Physical_constants_organic",
        _physical_constants,
        {"melting_point": "K", "boiling_point": "K", "density": "kg/m3", "refractive_index": "1"},
        4122,
        "CAS",
        _CRC,
        "Density and refractive index come without a temperature.",
    ),
}
_ORGANIC = """
    Organic molecules only: one neutral fragment with at least one carbon atom, made of H, B, C, N, O, F, Si, P, S, Cl,
    Br and I, without isotope labels and radicals. CAS numbers come from ChEDL's and DeepChem's tables; rows whose CAS
    number is not in them are left out."""

_MEASURED = ("CRC", "OpenNotebook", "Physical", "Poling")

CHEDL = {
    name: Dataset(
        call=f"fetch_chedl({name!r})",
        kind="molecule",
        files=(f"chedl_chemicals/{file}", *_IDENTIFIERS),
        targets=targets,
        method="experiment" if file.startswith(_MEASURED) else "correlations of experiment and, in part, estimates",
        n=n,
        read=partial(_read, values=values, cas=cas),
        citation=f"{reference}; C. Bell et al., chemicals (ChEDL)",
        notes=(notes, _ORGANIC),
    )
    for name, (file, values, targets, n, cas, reference, notes) in _TABLES.items()
}


def fetch_chedl(property, *, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Thermophysical properties of organic molecules from the tables of ChEDL at a fixed commit.

    Parameters
    ----------
    property : str
        "refractive_index", "melting_point", "liquid_heat_capacity", "gas_heat_capacity",
        "liquid_heat_capacity_zabransky", "heat_capacity_poling", "liquid_thermal_conductivity",
        "liquid_thermal_conductivity_vdi", "liquid_viscosity", "permittivity" or "physical_constants".
    target : str, list of str or None, default=None
        For sets with several targets: those wanted; rows without any of them are left out. None is all.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`. Units, licence, reference and known problems are in ``DESCR``.

    Raises
    ------
    ValueError
        If `property` or `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    See Also
    --------
    load_boiling_points : the same kind of data offline, from more tables, out of the installed chemicals package.

    Examples
    --------
    >>> from sktaag.datasets import fetch_chedl
    >>> molecules, n = fetch_chedl("refractive_index", return_X_y=True)  # doctest: +SKIP
    """
    pick("property", property, list(CHEDL))
    return fetch(
        CHEDL[property], target=target, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame
    )
