"""Properties of the elements H to Pu, put together from maintained libraries."""

import re
import warnings
from functools import cache

import pandas as pd

_N_ELEMENTS = 94  # H to Pu, as in XenonPy
_CAPACITY = {"s": 2, "p": 6, "d": 10, "f": 14}

# name of XenonPy, unit, library, its name there, meaning and primary source as the library states them
_PROPERTIES = (
    ("atomic_number", "1", "mendeleev", "atomic_number", "Atomic number"),
    ("atomic_radius_rahm", "pm", "mendeleev", "atomic_radius_rahm", "Atomic radius, Rahm et al. 2016"),
    ("atomic_weight", "Da", "mendeleev", "atomic_weight", "Standard atomic weight, IUPAC"),
    ("boiling_point", "K", "mendeleev", "phasetransitions", "Boiling or sublimation point, lowest of the forms, CRC"),
    ("bulk_modulus", "GPa", "pymatgen", "bulk_modulus", "Bulk modulus of the solid"),
    ("c6_gb", "hartree bohr^6", "mendeleev", "c6_gb", "C6 dispersion coefficient, Gould and Bucko 2016"),
    ("covalent_radius_cordero", "pm", "mendeleev", "covalent_radius_cordero", "Covalent radius, Cordero et al. 2008"),
    ("covalent_radius_pyykko", "pm", "mendeleev", "covalent_radius_pyykko", "Single-bond radius, Pyykko 2009"),
    (
        "covalent_radius_pyykko_double",
        "pm",
        "mendeleev",
        "covalent_radius_pyykko_double",
        "Double-bond radius, Pyykko 2009",
    ),
    (
        "covalent_radius_pyykko_triple",
        "pm",
        "mendeleev",
        "covalent_radius_pyykko_triple",
        "Triple-bond radius, Pyykko 2005",
    ),
    ("covalent_radius_slater", "pm", "mendeleev", "atomic_radius", "Atomic radius in bonds, Slater 1964"),
    ("density", "g/cm^3", "mendeleev", "density", "Density near 295 K; gases are gases at 101.325 kPa, CRC"),
    ("dipole_polarizability", "bohr^3", "mendeleev", "dipole_polarizability", "Schwerdtfeger and Nagle 2023"),
    ("electron_negativity", "1", "pymatgen", "X", "Pauling electronegativity as pymatgen completes it"),
    ("electron_affinity", "eV", "mendeleev", "electron_affinity", "Electron affinity, CRC"),
    ("en_allen", "eV", "mendeleev", "en_allen", "Configuration energy, Allen"),
    ("en_ghosh", "1/pm", "mendeleev", "en_ghosh", "Electronegativity, Ghosh 2005"),
    ("en_pauling", "1", "mendeleev", "en_pauling", "Pauling electronegativity, CRC"),
    ("first_ion_en", "eV", "pymatgen", "ionization_energies", "First ionization energy, NIST"),
    ("fusion_enthalpy", "kJ/mol", "chemicals", "Hfus", "Enthalpy of fusion of the solid element, CRC"),
    ("hhi_p", "1", "pymatgen", "HHIModel", "Herfindahl-Hirschman index of production, Gaultois et al. 2013"),
    ("hhi_r", "1", "pymatgen", "HHIModel", "Herfindahl-Hirschman index of reserves, Gaultois et al. 2013"),
    ("heat_capacity_mass", "J/g/K", "mendeleev", "specific_heat_capacity", "Heat capacity at 25 C and 1 bar, CRC"),
    ("heat_capacity_molar", "J/mol/K", "mendeleev", "molar_heat_capacity", "Heat capacity at 25 C and 1 bar, CRC"),
    ("evaporation_heat", "kJ/mol", "mendeleev", "evaporation_heat", "Heat of evaporation; per mole of H2, F2, ..."),
    ("heat_of_formation", "kJ/mol", "mendeleev", "heat_of_formation", "Heat of formation of the gaseous atom, CRC"),
    ("lattice_constant", "angstrom", "mendeleev", "lattice_constant", "First lattice constant of the solid"),
    ("mendeleev_number", "1", "pymatgen", "mendeleev_no", "Mendeleev number, Pettifor 1984"),
    ("melting_point", "K", "pymatgen", "melting_point", "Melting point"),
    ("molar_volume", "cm^3/mol", "pymatgen", "molar_volume", "Molar volume of the solid or liquid"),
    ("num_unfilled", "1", "mendeleev", "electronic_configuration", "Free places in the subshells outside the core"),
    ("num_valance", "1", "mendeleev", "electronic_configuration", "Electrons outside the noble-gas core"),
    ("num_d_unfilled", "1", "mendeleev", "electronic_configuration", "Free places in the outer d subshell"),
    ("num_d_valence", "1", "mendeleev", "electronic_configuration", "Electrons in the outer d subshell"),
    ("num_f_unfilled", "1", "mendeleev", "electronic_configuration", "Free places in the outer f subshell"),
    ("num_f_valence", "1", "mendeleev", "electronic_configuration", "Electrons in the outer f subshell"),
    ("num_p_unfilled", "1", "mendeleev", "electronic_configuration", "Free places in the outer p subshell"),
    ("num_p_valence", "1", "mendeleev", "electronic_configuration", "Electrons in the outer p subshell"),
    ("num_s_unfilled", "1", "mendeleev", "electronic_configuration", "Free places in the outer s subshell"),
    ("num_s_valence", "1", "mendeleev", "electronic_configuration", "Electrons in the outer s subshell"),
    ("period", "1", "mendeleev", "period", "Period of the periodic table"),
    ("thermal_conductivity", "W/m/K", "pymatgen", "thermal_conductivity", "Thermal conductivity near room temperature"),
    ("vdw_radius", "pm", "mendeleev", "vdw_radius", "Van der Waals radius, CRC"),
    ("vdw_radius_alvarez", "pm", "mendeleev", "vdw_radius_alvarez", "Van der Waals radius, Alvarez 2013"),
    ("vdw_radius_mm3", "pm", "mendeleev", "vdw_radius_mm3", "Van der Waals radius of the MM3 force field"),
    ("vdw_radius_uff", "pm", "mendeleev", "vdw_radius_uff", "Van der Waals radius of the UFF force field"),
    ("sound_velocity", "m/s", "pymatgen", "velocity_of_sound", "Velocity of sound"),
)


def element_table():
    """Give 47 properties of the 94 elements from H to Pu.

    The values come from the installed versions of mendeleev, pymatgen and chemicals; `element_properties` gives the
    unit and the source of each column. Names and order are those of XenonPy's 58 columns. Eleven of these are left
    out: ``icsd_volume`` and the computed ground states ``gs_bandgap``, ``gs_energy``, ``gs_est_bcc_latcnt``,
    ``gs_est_fcc_latcnt``, ``gs_mag_moment`` and ``gs_volume_per``, which none of the libraries has; ``atomic_radius``
    and ``specific_heat``, whose origin is not known and which stand beside ``covalent_radius_slater`` and
    ``heat_capacity_mass``; ``atomic_volume``, which stands beside ``molar_volume``; and ``Polarizability``, which is
    ``dipole_polarizability`` in cubic angstrom.

    Returns
    -------
    table : DataFrame of shape (94, 47)
        Indexed by element symbol, dtype float64. NaN where the library has no value: 5 % of the entries, in 22
        columns. A new object in each call.

    See Also
    --------
    element_properties : Units and sources.
    CompositionDescriptors : Statistics of these properties over a composition.

    Notes
    -----
    XenonPy's own table differs where the libraries have been corrected since 2018, such as the polarizability of
    carbon (20.53, now 11.3 cubic bohr), and its unknown values are estimates that are not marked. ``num_`` columns
    are counted in the ground-state configuration as XenonPy counts them: only subshells that hold an electron are
    counted, and filled d and f subshells are not part of the core.

    Examples
    --------
    >>> table = element_table()
    >>> table.shape
    (94, 47)
    >>> table.loc["O", ["atomic_number", "en_pauling", "bulk_modulus"]].tolist()
    [8.0, 3.44, nan]
    """
    return _table().copy()


def element_properties():
    """Give the unit, source and meaning of each column of `element_table`.

    Returns
    -------
    properties : DataFrame of shape (47, 5)
        Indexed by property, with the columns unit, library, entry (the library's name of the property), meaning, and
        n_known, the number of elements that have a value.

    Examples
    --------
    >>> element_properties().loc["bulk_modulus", ["unit", "library", "n_known"]].to_dict()
    {'unit': 'GPa', 'library': 'pymatgen', 'n_known': 69}
    """
    properties = pd.DataFrame(_PROPERTIES, columns=["property", "unit", "library", "entry", "meaning"])
    return properties.set_index("property").assign(n_known=_table().notna().sum())


@cache
def _table():
    # here, because mendeleev takes longer to import than the rest of the room together
    from mendeleev.fetch import fetch_table

    elements = fetch_table("elements").set_index("atomic_number", drop=False).sort_index().loc[:_N_ELEMENTS]
    symbols = elements["symbol"].tolist()
    table = pd.DataFrame(index=pd.Index(symbols, name="element", dtype=object))
    phases = fetch_table("phasetransitions").groupby("atomic_number")["boiling_point"].min()
    special = {
        "boiling_point": phases.reindex(elements.index),
        "fusion_enthalpy": _fusion_enthalpies(symbols),
        **_electron_counts(elements["electronic_configuration"]),
        **_pymatgen_values(symbols),
    }
    for name, _, _, entry, _ in _PROPERTIES:
        table[name] = pd.to_numeric(pd.Series(special.get(name, elements.get(entry)))).to_numpy(dtype=float)
    return table


def _electron_counts(configurations):
    """Count electrons and free places outside the noble-gas core, e.g. in ``[Ar] 3d6 4s2``."""
    counts = {f"num_{shell}_{kind}": [] for shell in _CAPACITY for kind in ("valence", "unfilled")}
    for configuration in configurations:
        subshells = {shell: int(n or 1) for shell, n in re.findall(r"\d([spdf])(\d*)", configuration)}
        for shell, capacity in _CAPACITY.items():
            counts[f"num_{shell}_valence"].append(subshells.get(shell, 0))
            counts[f"num_{shell}_unfilled"].append(capacity - subshells[shell] if shell in subshells else 0)
    frame = pd.DataFrame(counts)
    frame["num_valance"] = frame.filter(like="_valence").sum(axis=1)
    frame["num_unfilled"] = frame.filter(like="_unfilled").sum(axis=1)
    return frame


def _fusion_enthalpies(symbols):
    from chemicals import Hfus
    from chemicals.elements import periodic_table

    # the CRC values alone: the package would fill gaps with estimates for molecules
    values = [Hfus(periodic_table[symbol].CAS, method="CRC") for symbol in symbols]
    return [None if value is None else value / 1000 for value in values]


def _pymatgen_values(symbols):
    from pymatgen.analysis.hhi import HHIModel
    from pymatgen.core import Element

    names = {name: entry for name, _, library, entry, _ in _PROPERTIES if library == "pymatgen"}
    special = {
        "first_ion_en": lambda element: element.ionization_energies[0],
        "hhi_p": lambda element: HHIModel().get_hhi_production(element.symbol),
        "hhi_r": lambda element: HHIModel().get_hhi_reserve(element.symbol),
    }
    values = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns about each value that it does not have
        for name, entry in names.items():
            read = special.get(name, lambda element, entry=entry: getattr(element, entry))
            read_values = [read(Element(symbol)) for symbol in symbols]
            values[name] = [None if value is None else float(value) for value in read_values]
    return values
