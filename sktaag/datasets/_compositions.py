"""Inorganic compositions: dielectric, elastic, thermal and electronic properties."""

from dataclasses import replace
from functools import partial

import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch, pick, read_columns

_POLYMORPHS = """Crystals with the same formula differ in structure, which a composition cannot tell. With merge=True
they are one row, the median; with merge=False they stay apart, as benchmark tables count them."""

_MATBENCH = {  # task: (target, unit, method, rows)
    "dielectric": ("refractive_index", "1", "DFT", 3992),
    "expt_gap": ("band_gap", "eV", "experiment", 4604),
    "jdft2d": ("exfoliation_energy", "meV/atom", "DFT", 568),
    "log10_G_VRH": ("log_shear_modulus", "log10(GPa)", "DFT", 9723),
    "log10_K_VRH": ("log_bulk_modulus", "log10(GPa)", "DFT", 9723),
    "phonons": ("last_phonon_peak", "1/cm", "DFT", 1171),
}
# formulas such as NaN are not missing values
_TABLE = {"keep_default_na": False}

MATBENCH = {
    task: Dataset(
        call=f"fetch_matbench_composition({task!r})",
        kind="composition",
        files=(f"inorganic/matbench_{task}_composition",),
        targets={target: unit},
        method=method,
        n=n,
        read=partial(read_columns, columns={"formula": "formula", "target": target}, **_TABLE),
        citation="A. Dunn et al., npj Comput. Mater. 6, 138 (2020), doi:10.1038/s41524-020-00406-3",
        notes=(_POLYMORPHS,),
        features=("formula",),
    )
    for task, (target, unit, method, n) in _MATBENCH.items()
}


def _read_splits(*paths, target: str) -> pd.DataFrame:
    columns = {"formula": "formula", "target": target}
    tables = [read_columns(path, columns=columns, **_TABLE) for path in paths]
    return pd.concat(
        [table.assign(subset=name) for table, name in zip(tables, ("train", "val", "test"), strict=True)],
        ignore_index=True,
    )


_AFLOW = {  # property: (file, unit, rows)
    "bulk_modulus": ("ael_bulk_modulus_vrh", "GPa", 4896),
    "debye_temperature": ("ael_debye_temperature", "K", 4896),
    "thermal_conductivity": ("agl_thermal_conductivity_300K", "W/(m K)", 4887),
    "thermal_expansion": ("agl_thermal_expansion_300K", "1/K", 4886),
}
AFLOW = {
    name: Dataset(
        call=f"fetch_aflow_composition({name!r})",
        kind="composition",
        files=tuple(f"aflow/{file}_{subset}" for subset in ("train", "val", "test")),
        targets={name: unit},
        method="DFT with AFLOW's quasi-harmonic Debye model (AEL-AGL)",
        n=n,
        read=partial(_read_splits, target=name),
        citation=(
            "C. Toher et al., Phys. Rev. Materials 1, 015401 (2017); splits of A. Y.-T. Wang et al., "
            "npj Comput. Mater. 7, 77 (2021), doi:10.1038/s41524-021-00545-1"
        ),
        notes=("A model's values, not measured ones. The column subset of the frame holds the published split.",),
        features=("formula",),
    )
    for name, (file, unit, n) in _AFLOW.items()
}

AFLOW_AGL = Dataset(
    call="fetch_aflow_agl()",
    kind="composition",
    files=("inorganic/aflow_ltc_5578",),
    targets={
        "log_thermal_conductivity": "log10(W/(m K))",
        "debye_temperature": "K",
        "gruneisen": "1",
        "heat_capacity_p": "k_B/cell",
        "heat_capacity_v": "k_B/cell",
        "thermal_expansion": "1/K",
        "vibrational_entropy": "meV/(K atom)",
        "vibrational_free_energy": "meV/atom",
        "bulk_modulus_static": "GPa",
        "bulk_modulus_isothermal": "GPa",
    },
    method="DFT with AFLOW's quasi-harmonic Debye model (AGL) at 300 K",
    n=4890,
    read=partial(
        read_columns,
        columns={
            "compound": "formula",
            "log(kappa)": "log_thermal_conductivity",
            "agl_debye": "debye_temperature",
            "agl_gruneisen": "gruneisen",
            "agl_heat_capacity_Cp_300K": "heat_capacity_p",
            "agl_heat_capacity_Cv_300K": "heat_capacity_v",
            "agl_thermal_expansion_300K": "thermal_expansion",
            "agl_vibrational_entropy_300K_atom": "vibrational_entropy",
            "agl_vibrational_free_energy_300K_atom": "vibrational_free_energy",
            "agl_bulk_modulus_static_300K": "bulk_modulus_static",
            "agl_bulk_modulus_isothermal_300K": "bulk_modulus_isothermal",
            "aurl": "aurl",
            "spacegroup_relax": "space_group",
        },
        **_TABLE,
    ),
    citation="C. Toher et al., Phys. Rev. B 90, 174107 (2014), doi:10.1103/PhysRevB.90.174107",
    notes=("log(kappa) of the file is the decimal logarithm of a model's value, not of a measurement.", _POLYMORPHS),
    features=("formula",),
)


def _read_dielectric(path) -> pd.DataFrame:
    raw = pd.read_csv(path, skiprows=1)  # the first line is a reference
    # a Python 2 literal around CIF text: two fields are all that is needed
    meta = {
        name: raw["meta"].str.extract(rf"u'{name}': u'([^']+)'", expand=False) for name in ("formula", "material_id")
    }
    names = {
        "n": "refractive_index",
        "poly_electronic": "dielectric_electronic",
        "poly_total": "dielectric_total",
        "band_gap": "band_gap",
    }
    return raw[list(names)].rename(columns=names).assign(**meta)


DIELECTRIC = Dataset(
    call="fetch_dielectric_constants()",
    kind="composition",
    files=("inorganic/matminer_dielectric_constant_1056",),
    targets={"refractive_index": "1", "dielectric_electronic": "1", "dielectric_total": "1", "band_gap": "eV"},
    method="DFT (DFPT, polycrystalline average)",
    n=964,
    read=_read_dielectric,
    citation="I. Petousis et al., Sci. Data 4, 160134 (2017), doi:10.1038/sdata.2016.134",
    notes=("1,056 crystals of 964 compositions.", _POLYMORPHS),
    features=("formula",),
)


def fetch_matbench_composition(task, *, merge=True, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """One task of Matbench v0.1 by composition alone.

    Parameters
    ----------
    task : {"dielectric", "expt_gap", "jdft2d", "log10_G_VRH", "log10_K_VRH", "phonons"}
        Refractive index, measured band gap, exfoliation energy, shear and bulk modulus, highest phonon peak.
    merge : bool, default=True
        One row for each reduced formula, the median of its crystals; else one row for each crystal.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with formulas in `data`. Units, licence, reference and known problems are in ``DESCR``.

    Raises
    ------
    ValueError
        If `task` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    A. Dunn et al., npj Comput. Mater. 6, 138 (2020). :doi:`10.1038/s41524-020-00406-3`

    Examples
    --------
    >>> from sktaag.datasets import fetch_matbench_composition
    >>> formulas, gap = fetch_matbench_composition("expt_gap", return_X_y=True)  # doctest: +SKIP
    """
    pick("task", task, list(MATBENCH))
    return fetch(
        replace(MATBENCH[task], merge=merge),
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )


def fetch_aflow_composition(
    property="thermal_conductivity", subset="all", *, data_home=None, verbose=False, return_X_y=False, as_frame=False
):
    """Thermal and elastic properties of 4,900 inorganic compositions (AFLOW).

    Parameters
    ----------
    property : str, default="thermal_conductivity"
        "bulk_modulus" (GPa), "debye_temperature" (K), or, at 300 K, "thermal_conductivity" (W/(m K)) or
        "thermal_expansion" (1/K).
    subset : {"all", "train", "val", "test"}, default="all"
        Part of the published split.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with formulas in `data`. Units, licence, reference and known problems are in ``DESCR``.

    Raises
    ------
    ValueError
        If `property` or `subset` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    A. Y.-T. Wang et al., npj Comput. Mater. 7, 77 (2021). :doi:`10.1038/s41524-021-00545-1`

    Examples
    --------
    >>> from sktaag.datasets import fetch_aflow_composition
    >>> formulas, kappa = fetch_aflow_composition("thermal_conductivity", "train", return_X_y=True)  # doctest: +SKIP
    """
    pick("property", property, list(AFLOW))
    pick("subset", subset, ["all", "train", "val", "test"])
    dataset = AFLOW[property]
    if subset != "all":
        dataset = replace(dataset, read=partial(_read_subset, read=dataset.read, subset=subset))
    return fetch(dataset, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)


def _read_subset(*paths, read, subset: str) -> pd.DataFrame:
    table = read(*paths)
    return table[table["subset"] == subset]


def fetch_aflow_agl(*, target=None, merge=True, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Ten thermal properties of 4,890 inorganic compositions (AFLOW-AGL), among them log10 of the lattice conductivity.

    Parameters
    ----------
    target : str, list of str or None, default=None
        The targets wanted, such as "log_thermal_conductivity". None is all.
    merge : bool, default=True
        One row for each reduced formula, the median of its crystals; else one row for each crystal.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with formulas in `data`. Units, licence, reference and known problems are in ``DESCR``.

    Raises
    ------
    ValueError
        If `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_aflow_agl
    >>> formulas, kappa = fetch_aflow_agl(target="log_thermal_conductivity", return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        replace(AFLOW_AGL, merge=merge),
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )


def fetch_dielectric_constants(
    *, target=None, merge=True, data_home=None, verbose=False, return_X_y=False, as_frame=False
):
    """Refractive index and dielectric constants of 964 inorganic compositions (Petousis et al.).

    Parameters
    ----------
    target : str, list of str or None, default=None
        The targets wanted, such as "refractive_index". None is all.
    merge : bool, default=True
        One row for each reduced formula, the median of its crystals; else one row for each crystal.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with formulas in `data`. Units, licence, reference and known problems are in ``DESCR``.

    Raises
    ------
    ValueError
        If `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    I. Petousis et al., Sci. Data 4, 160134 (2017). :doi:`10.1038/sdata.2016.134`

    Examples
    --------
    >>> from sktaag.datasets import fetch_dielectric_constants
    >>> formulas, n = fetch_dielectric_constants(target="refractive_index", return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        replace(DIELECTRIC, merge=merge),
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )
