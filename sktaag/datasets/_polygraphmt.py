"""PolyGraphMT: 26 properties of polymers, measured, simulated and computed."""

from functools import partial

from sktaag.datasets._dataset import Dataset, fetch, pick, read_columns

_POLYGRAPHMT = {  # file: (target, unit, method, rows, known problems)
    "CP_EXP": (
        "heat_capacity",
        "J/(kg K)",
        "experiment (PoLyInfo)",
        118,
        """Cis/trans labels were lost: */C=C/CC* has three values, 2831, 1862 and 1954. A second compilation of measured
        values differs by 158 J/(kg K) on average over 45 shared polymers: the noise floor.""",
    ),
    "CP_GC": ("heat_capacity", "J/(kg K)", "group contributions", 11923, ""),
    "TC_EXP": (
        "thermal_conductivity",
        "W/(m K)",
        "experiment (PoLyInfo)",
        65,
        """Mixes conducting polymers, single crystals and tacticities; */C=C/* has 0.535, 0.21 and 0.89, poly(isobutyl
        methacrylate) 0.0467, and several entries of 0.9 look wrong. Of little use as a target without a filter.""",
    ),
    "TC_MD": ("thermal_conductivity", "W/(m K)", "MD (non-equilibrium)", 2200, "53 structures have differing values."),
    "RHO_EXP": ("density", "g/cm3", "experiment (PoLyInfo)", 1691, ""),
    "RHO_MD": ("density", "g/cm3", "MD", 1934, ""),
    "TG_EXP": (
        "glass_transition",
        "K",
        "experiment (PoLyInfo)",
        7170,
        "Four ladder polymers and networks are left out. The file begins with a BOM.",
    ),
    "TG_MD": ("glass_transition", "K", "MD", 152, ""),
    "TM_EXP": ("melting_point", "K", "experiment (PoLyInfo)", 3651, ""),
    "RI_MD": (
        "refractive_index",
        "1",
        "MD and DFT",
        739,
        "Has unphysical values down to 1.026; the refractive index of `fetch_radonpy` is the better source.",
    ),
    "DC_MD": ("dielectric_constant", "1", "MD", 739, ""),
    "PE_MD": (
        "permittivity",
        "pF/m",
        "MD",
        739,
        "DC_MD times the vacuum permittivity, 8.854 pF/m: no new information.",
    ),
    "RG_MD": ("radius_of_gyration", "Angstrom", "MD", 2499, "One SMILES cannot be read."),
    "BANDGAP_DFT": ("band_gap", "eV", "DFT", 2891, ""),
    "HOMO_DFT": ("homo", "eV", "DFT", 2891, ""),
    "LUMO_DFT": ("lumo", "eV", "DFT", 2891, ""),
    "ALPHA_DFT": ("polarizability", "a.u.", "DFT", 2017, ""),
    "MU_DFT": ("dipole_moment", "D", "DFT", 2891, ""),
    "ETOTAL_DFT": ("total_energy", "eV", "DFT", 2891, ""),
    "TD_MD": ("thermal_diffusivity", "1e-7 m2/s", "MD", 799, ""),
    "DIF_MD": ("diffusivity", "1e-5 cm2/s", "MD", 698, ""),
    "VISC_MD": ("viscosity", "1e-3 Pa s", "MD", 702, ""),
    "BULK_MD": ("bulk_modulus", "GPa", "MD", 999, ""),
    "YOUNG_MD": ("youngs_modulus", "GPa", "MD", 994, ""),
    "SHEAR_MD": ("shear_modulus", "GPa", "MD", 994, ""),
    "POISSON_MD": ("poissons_ratio", "1", "MD", 994, ""),
}
_POLYINFO_TERMS = "The terms of PoLyInfo (NIMS) restrict redistribution: use the values, do not pass the file on."

POLYGRAPHMT = {
    name: Dataset(
        call=f"fetch_polygraphmt({name!r})",
        kind="polymer",
        files=(f"polygraphmt/{name}",),
        targets={target: unit},
        method=method,
        n=n,
        read=partial(read_columns, columns={"SMILES": "smiles", name.split("_")[0]: target}),
        citation="S. Alosious et al., PolyGraphMT, arXiv:2603.27106",
        notes=(notes, _POLYINFO_TERMS if "PoLyInfo" in method else ""),
        linear=True,
    )
    for name, (target, unit, method, n, notes) in _POLYGRAPHMT.items()
}


def fetch_polygraphmt(property, *, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """One of the 26 property tables of PolyGraphMT.

    Parameters
    ----------
    property : str
        Name of the table, such as "CP_EXP"; the part after the underscore says where the values come from: EXP
        (measured), GC (group contributions), MD or DFT. `list_datasets` shows them all.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose, return_X_y, as_frame : bool, default=False
        As in `fetch_radonpy`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `fetch_radonpy`, with one target. Units and known problems are in ``DESCR``.

    Raises
    ------
    ValueError
        If `property` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    Notes
    -----
    The repository states no licence, and its measured values come from PoLyInfo, whose terms restrict redistribution.

    References
    ----------
    S. Alosious et al., arXiv:2603.27106.

    Examples
    --------
    >>> from sktaag.datasets import fetch_polygraphmt
    >>> polymers, cp = fetch_polygraphmt("CP_EXP", return_X_y=True)  # doctest: +SKIP
    """
    pick("property", property, list(POLYGRAPHMT))
    return fetch(POLYGRAPHMT[property], data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)
