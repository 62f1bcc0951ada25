"""Polymers by property: heat capacity, thermal conductivity, density, glass transition, refractive index."""

from functools import partial

import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch, pick, read_columns
from sktaag.datasets._polygraphmt import POLYGRAPHMT
from sktaag.datasets._tidy import celsius_to_kelvin


def _read_polymetrix(path) -> pd.DataFrame:
    raw = read_columns(path, columns={"SMILES": "smiles", "Tg_label": "glass_transition"})
    return celsius_to_kelvin(raw, "glass_transition")


def _read_mafa(path) -> pd.DataFrame:
    ends = "SMILES (Atoms Ce and Th are placeholders for head and tail information, respectively)"
    raw = read_columns(
        path,
        columns={
            ends: "smiles",
            "Experiment Tg (K)": "glass_transition_exp",
            "Calculated Tg (K)": "glass_transition_md",
            "Experiment density at 300K (g/cc)": "density_exp",
            "Calculated density at 300K (g/cc)": "density_md",
            "Calculated glass CTE (10-6/K)": "expansion_glass_md",
            "Calculated rubber CTE (10-6/K)": "expansion_rubber_md",
            "Poymer name": "name",
        },
    )
    return raw.assign(smiles=raw["smiles"].str.replace(r"\[(?:Ce|Th)\]", "*", regex=True))


POLY_CP_TL = Dataset(
    call="fetch_polymer_heat_capacity('md')",
    kind="polymer",
    files=("poly_cp_tl/CP_MD",),
    targets={"heat_capacity": "J/(kg K)"},
    method="MD",
    n=850,
    read=partial(read_columns, columns={"SMILES": "smiles", "Cp": "heat_capacity"}),
    citation="S. Alosious et al., POLY-CP-TL, the group of PolyGraphMT, arXiv:2603.27106",
    notes=("Classical MD: twice the measured heat capacity, and 0.96 of RadonPy's (252 shared polymers, r = 0.96).",),
    linear=True,
)

GLASS_TRANSITION = {
    "polyinfo": POLYGRAPHMT["TG_EXP"],
    "md": POLYGRAPHMT["TG_MD"],
    "polymetrix": Dataset(
        call="fetch_polymer_tg('polymetrix')",
        kind="polymer",
        files=("tg/polymetrix_LAMALAB_tg",),
        targets={"glass_transition": "K"},
        method="experiment (several compilations)",
        n=7367,
        read=_read_polymetrix,
        citation="PolyMetriX (LAMALAB), as carried by the NeurIPS-polymer-prediction repository",
        notes=("In degrees Celsius in the file, in kelvin here. Two columns of a model's values are left out.",),
        linear=True,
    ),
    "bicerano": Dataset(
        call="fetch_polymer_tg('bicerano')",
        kind="polymer",
        files=("tg/Bicerano_bigsmiles",),
        targets={"glass_transition": "K"},
        method="experiment",
        n=302,
        read=partial(
            read_columns,
            columns={"SMILES": "smiles", "Tg (K) exp": "glass_transition", "Polymer": "name", "BigSMILES": "bigsmiles"},
            encoding="latin-1",
        ),
        citation="J. Bicerano, Prediction of Polymer Properties; BigSMILES in Sci. Data 2024",
        notes=("Two structures occur twice with different values. The file is not UTF-8.",),
        linear=True,
    ),
    "bicerano_md": Dataset(
        call="fetch_polymer_tg('bicerano_md')",
        kind="polymer",
        files=("tg/bicerano_mafa_exp_md",),
        targets={
            "glass_transition_exp": "K",
            "glass_transition_md": "K",
            "density_exp": "g/cm3",
            "density_md": "g/cm3",
            "expansion_glass_md": "1e-6/K",
            "expansion_rubber_md": "1e-6/K",
        },
        method="experiment (*_exp) and OPLS MD (*_md) for the same polymers",
        n=314,
        read=_read_mafa,
        citation="M. A. F. Afzal et al., ACS Appl. Polym. Mater. 3, 620 (2021), doi:10.1021/acsapm.0c00524",
        notes=(
            "The file marks the ends of the repeat unit with [Ce] and [Th]; here with *. One structure occurs twice.",
        ),
        linear=True,
    ),
}

REFRACTIVE_INDEX = {
    "exp": Dataset(
        call="fetch_polymer_refractive_index('exp')",
        kind="polymer",
        files=("refractiveindexgpt/forpub2",),
        targets={"refractive_index": "1"},
        method="experiment (polymerdatabase.com)",
        n=44,
        read=partial(read_columns, columns={"SMILES": "smiles", "Experimental n": "refractive_index", "title": "name"}),
        citation="K. Hatakeyama-Sato et al., Digital Discovery 2 (2023), doi:10.1039/d3dd00138e",
        notes=(
            """Errors in the file, kept here: polystyrene 1.525 (1.59), poly(chlorotrifluoroethylene) 1.48 (1.42),
        1,2-polybutadiene 1.54 (1.50), polyamide 6 1.495 (1.53). The file begins with a BOM.""",
        ),
        linear=True,
    ),
    "calibration": Dataset(
        call="fetch_polymer_refractive_index('calibration')",
        kind="polymer",
        files=("spacier/Calibration",),
        targets={
            "refractive_index_exp": "1",
            "refractive_index_md": "1",
            "abbe_number_exp": "1",
            "abbe_number_md": "1",
        },
        method="experiment (*_exp) and RadonPy (*_md) for the same polymers",
        n=26,
        read=partial(
            read_columns,
            columns={
                "smiles": "smiles",
                "exp_refractive_index": "refractive_index_exp",
                "radonpy_refractive_index": "refractive_index_md",
                "exp_abbe_number": "abbe_number_exp",
                "radonpy_abbe_number": "abbe_number_md",
                "monomer_ID": "name",
            },
        ),
        citation="S. Nanjo et al., SPACIER, npj Comput. Mater. 11 (2025)",
        linear=True,
    ),
    "md": POLYGRAPHMT["RI_MD"],
}

HEAT_CAPACITY = {"exp": POLYGRAPHMT["CP_EXP"], "md": POLY_CP_TL, "gc": POLYGRAPHMT["CP_GC"]}
THERMAL_CONDUCTIVITY = {"exp": POLYGRAPHMT["TC_EXP"], "md": POLYGRAPHMT["TC_MD"]}
DENSITY = {"exp": POLYGRAPHMT["RHO_EXP"], "md": POLYGRAPHMT["RHO_MD"]}


def fetch_polymer_heat_capacity(source="exp", *, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Heat capacity of polymers, J/(kg K): 118 measured, 850 simulated, 11,923 estimated.

    Parameters
    ----------
    source : {"exp", "md", "gc"}, default="exp"
        Measured, molecular dynamics, or group contributions.
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
        If `source` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_polymer_heat_capacity
    >>> polymers, y = fetch_polymer_heat_capacity("exp", return_X_y=True)  # doctest: +SKIP
    """
    pick("source", source, list(HEAT_CAPACITY))
    return fetch(HEAT_CAPACITY[source], data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)


def fetch_polymer_thermal_conductivity(source="md", *, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Thermal conductivity of polymers, W/(m K): 65 measured, 2,200 simulated.

    Parameters
    ----------
    source : {"exp", "md"}, default="md"
        Measured (few and doubtful, see ``DESCR``) or molecular dynamics.
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
        If `source` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_polymer_thermal_conductivity
    >>> polymers, y = fetch_polymer_thermal_conductivity("md", return_X_y=True)  # doctest: +SKIP
    """
    pick("source", source, list(THERMAL_CONDUCTIVITY))
    return fetch(
        THERMAL_CONDUCTIVITY[source], data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame
    )


def fetch_polymer_density(source="exp", *, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Density of polymers, g/cm3: 1,691 measured, 1,934 simulated.

    Parameters
    ----------
    source : {"exp", "md"}, default="exp"
        Measured, or molecular dynamics.
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
        If `source` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_polymer_density
    >>> polymers, y = fetch_polymer_density("exp", return_X_y=True)  # doctest: +SKIP
    """
    pick("source", source, list(DENSITY))
    return fetch(DENSITY[source], data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)


def fetch_polymer_tg(
    source="polymetrix", *, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False
):
    """Glass transition temperature of polymers, K.

    Parameters
    ----------
    source : {"polyinfo", "polymetrix", "bicerano", "bicerano_md", "md"}, default="polymetrix"
        Measured: 7,170, 7,367 and 302 polymers; measured and simulated side by side: 314; simulated: 152.
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
        If `source` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_polymer_tg
    >>> polymers, y = fetch_polymer_tg("polymetrix", return_X_y=True)  # doctest: +SKIP
    """
    pick("source", source, list(GLASS_TRANSITION))
    return fetch(
        GLASS_TRANSITION[source],
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )


def fetch_polymer_refractive_index(
    source="exp", *, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False
):
    """Refractive index of polymers.

    Parameters
    ----------
    source : {"exp", "calibration", "md"}, default="exp"
        44 measured; 26 measured and simulated side by side; 739 simulated (noisy, see ``DESCR``).
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
        If `source` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_polymer_refractive_index
    >>> polymers, y = fetch_polymer_refractive_index("exp", return_X_y=True)  # doctest: +SKIP
    """
    pick("source", source, list(REFRACTIVE_INDEX))
    return fetch(
        REFRACTIVE_INDEX[source],
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )
