"""Targets and sources of the benchmarks on transfer: few measured rows here, large tables there.

A target is a `Task`. A source table is a `SourceTable`; `training_rows` gives its rows without the structures of the
targets. All structures are read as one unit joined to itself, so that it does not matter how a repeat unit is written.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache as memoize
from functools import partial

import numpy as np
from rdkit.Chem.Descriptors import MolWt
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from sktaag import datasets
from sktaag.cache import RowCache, content_key
from sktaag.descriptors import Fingerprints
from sktaag.structures import InvalidRowsWarning, canonical_smiles, to_mol

_ISOTOPE = re.compile(r"\[\d")


def descriptor(cache=None, sparse=True):
    """Return counts of atom environments in the joined repeat unit, as shares of all: made for intensive quantities."""
    fingerprints = Fingerprints("morgan", counts=True, size=2048, polymer="cyclic", sparse=sparse, cache=cache)
    return make_pipeline(fingerprints, Normalizer("l1"))


@dataclass(frozen=True)
class Task:
    """One target: structures, measured values, and which sources would give the answer away.

    Parameters
    ----------
    name : str
    X : ndarray of shape (n_samples,)
        Structures.
    y : ndarray of shape (n_samples,)
        In `unit`, or its natural logarithm if the unit says so.
    unit : str
    without : tuple of str
        Names of source tables that hold the same quantity at the same fidelity; they are no sources for this target.
    quantity : str or None
        How the names of source tables begin that hold the same quantity, or the nearest one, at another fidelity.
    """

    name: str
    X: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    unit: str
    without: tuple[str, ...] = ()
    quantity: str | None = None


@memoize
def _call(function, *args):
    return function(*args)


def _fetch(fetch):
    """Read a table once, however many of its columns are sources."""
    if isinstance(fetch, partial):
        return fetch() if fetch.keywords else _call(fetch.func, *fetch.args)
    return _call(fetch)


@dataclass(frozen=True)
class SourceTable:
    """One property with plenty of data.

    Parameters
    ----------
    fetch : callable
        Returns a Bunch, or one with several targets of which `column` is taken.
    material : {"polymer", "molecule"}
    scale : {"", "log", "log10", "per atom", "per gram"}
        What the network learns: the value, its logarithm, or a share of an extensive quantity.
    column : str or None
    """

    fetch: Callable
    material: str
    scale: str = ""
    column: str | None = None

    def rows(self):
        """Return structures, values as the network learns them, and the unit."""
        bunch = _fetch(self.fetch)
        names = list(bunch.target_names)
        i = names.index(self.column) if self.column else 0
        y = np.asarray(bunch.target, dtype=float)
        y = y[:, i] if y.ndim == 2 else y
        X, kept = np.asarray(bunch.data, dtype=object), np.isfinite(y)
        if self.scale in ("log", "log10"):
            kept &= y > 0
        X, y = X[kept], y[kept]
        unit = bunch.target_units[i]
        if self.scale in ("log", "log10"):
            return X, np.log(y) if self.scale == "log" else np.log10(y), f"{self.scale}({unit})"
        if self.scale:
            return X, y / size_of(X, self.scale), f"{unit} {self.scale}"
        return X, y, unit


def size_of(X, scale):
    """Heavy atoms or molar mass of each structure; the ends of a repeat unit weigh nothing."""
    mols = [to_mol(structure) for structure in X]
    if scale == "per atom":
        return np.array([mol.GetNumHeavyAtoms() for mol in mols])
    return np.array([MolWt(mol) for mol in mols])


def _radonpy(column, scale=""):
    return SourceTable(datasets.fetch_radonpy, "polymer", scale, column)


def _graphmt(name, scale=""):
    return SourceTable(partial(datasets.fetch_polygraphmt, name), "polymer", scale)


def _khazana(name):
    return SourceTable(partial(datasets.fetch_khazana, name), "polymer")


def _open_polymer(column):
    return SourceTable(datasets.fetch_open_polymer_2025, "polymer", "", column)


def _qm9(column, scale=""):
    return SourceTable(datasets.fetch_qm9_slice, "molecule", scale, column)


def _chemml(column, scale=""):
    return SourceTable(datasets.fetch_chemml_10k, "molecule", scale, column)


def _gas(column):
    return SourceTable(partial(datasets.fetch_polyverse, "gas_transport"), "polymer", "", column)


def _bicerano(column):
    return SourceTable(partial(datasets.fetch_polymer_tg, "bicerano_md"), "polymer", "", column)


SOURCES = {
    "heat capacity, RadonPy": _radonpy("Cp"),
    "heat capacity, MD": SourceTable(partial(datasets.fetch_polymer_heat_capacity, "md"), "polymer"),
    "heat capacity, group contributions": _graphmt("CP_GC"),
    "heat capacity, liquids": SourceTable(
        partial(datasets.load_liquid_heat_capacities, basis="molar"), "molecule", "per gram"
    ),
    "heat capacity, QM9": _qm9("cv", "per gram"),
    "thermal conductivity, RadonPy": _radonpy("thermal_conductivity"),
    "thermal conductivity, NEMD": _graphmt("TC_MD"),
    "thermal conductivity, Open Polymer": _open_polymer("thermal_conductivity"),
    "thermal conductivity, liquids": SourceTable(datasets.load_liquid_thermal_conductivity, "molecule"),
    "thermal diffusivity, RadonPy": _radonpy("thermal_diffusivity", "log"),
    "density, measured": _graphmt("RHO_EXP"),
    "density, MD": _graphmt("RHO_MD"),
    "density, RadonPy": _radonpy("density"),
    "density, Open Polymer": _open_polymer("density"),
    "density, organics": _chemml("density"),
    "density, liquids": SourceTable(partial(datasets.fetch_chedl, "physical_constants"), "molecule", "", "density"),
    "glass transition, measured": _graphmt("TG_EXP"),
    "glass transition, OPLS": _bicerano("glass_transition_md"),
    "melting point, measured": _graphmt("TM_EXP"),
    "melting point, molecules": SourceTable(datasets.load_melting_points, "molecule"),
    "critical temperature, molecules": SourceTable(datasets.load_critical_temperatures, "molecule"),
    "refractive index, RadonPy": _radonpy("refractive_index"),
    "refractive index, DFT": _khazana("Nc"),
    "refractive index, organics": _chemml("refractive_index"),
    "refractive index, liquids": SourceTable(datasets.load_refractive_indices, "molecule"),
    "dielectric constant, DFT": _khazana("EPS"),
    "dielectric constant, RadonPy": _radonpy("static_dielectric_const", "log"),
    "dielectric constant, MD": _graphmt("DC_MD", "log"),
    "permittivity, liquids": SourceTable(datasets.load_permittivities, "molecule", "log"),
    "polarizability, polymers": _graphmt("ALPHA_DFT", "per atom"),
    "polarizability, monomers": _radonpy("qm_polarizability_monomer", "per atom"),
    "polarizability, QM9": _qm9("alpha", "per atom"),
    "polarizability, organics": _chemml("polarizability", "per atom"),
    "expansion, RadonPy": _radonpy("volume_expansion"),
    "compressibility, RadonPy": _radonpy("compressibility", "log"),
    "bulk modulus, RadonPy": _radonpy("bulk_modulus", "log"),
    "self-diffusion, RadonPy": _radonpy("self-diffusion", "log"),
    "viscosity, liquids": SourceTable(datasets.load_liquid_viscosities, "molecule"),
    "band gap, chains": _khazana("Egc"),
    "band gap, bulk": _khazana("Egb"),
    "band gap, QM9": _qm9("gap"),
    "HOMO, polymers": _graphmt("HOMO_DFT"),
    "LUMO, polymers": _graphmt("LUMO_DFT"),
    "ionization energy, DFT": _khazana("Ei"),
    "electron affinity, DFT": _khazana("Eea"),
    "oxygen permeability, measured": _gas("p_exp_O2"),
    "oxygen permeability, simulated": _gas("p_sim_O2"),
    "heat of vaporization, molecules": SourceTable(datasets.load_heats_of_vaporization, "molecule", "per gram"),
    "surface tension, molecules": SourceTable(datasets.load_surface_tensions, "molecule"),
    "solubility in water": SourceTable(datasets.fetch_esol, "molecule"),
    "hydration energy, simulated": SourceTable(
        partial(datasets.fetch_freesolv, "database"), "molecule", "", "hydration_md"
    ),
    "boiling point, molecules": SourceTable(datasets.load_boiling_points, "molecule"),
    "lipophilicity": SourceTable(datasets.fetch_lipophilicity, "molecule"),
    "glass transition, MD": _graphmt("TG_MD"),
    "thermal diffusivity, MD": _graphmt("TD_MD", "log"),
    "refractive index, MD": _graphmt("RI_MD"),
    "free volume, Open Polymer": _open_polymer("free_volume_fraction"),
    "bulk modulus, MD": _graphmt("BULK_MD"),
    "shear modulus, MD": _graphmt("SHEAR_MD"),
    "Young's modulus, MD": _graphmt("YOUNG_MD"),
    "viscosity, MD": _graphmt("VISC_MD", "log"),
    "radius of gyration, MD": _graphmt("RG_MD", "log"),
    "band gap, polymers": _graphmt("BANDGAP_DFT"),
    "atomization energy, DFT": _khazana("Eat"),
    "atomization energy, QM9": _qm9("u0_atom", "per atom"),
    "zero-point energy, QM9": _qm9("zpve", "per atom"),
    "dipole moment, polymers": _graphmt("MU_DFT"),
    "dipole moment, QM9": _qm9("mu"),
    "crystallization tendency": _khazana("Xc"),
    "charge injection barrier": SourceTable(partial(datasets.fetch_polyverse, "charge_injection_barrier"), "polymer"),
    "oxygen solubility, simulated": _gas("s_sim_O2"),
}


def fingerprints(X, cache, n_jobs=None):
    """Return the counts of every structure; rows of NaN for repeat units whose two ends cannot be joined."""
    counts = descriptor(cache / "descriptors", sparse=False)[0].set_params(on_invalid="nan", n_jobs=n_jobs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvalidRowsWarning)
        return counts.fit_transform(X)


def names(X, cache):
    """Name every structure, whatever its stereo labels and wherever its repeat unit begins."""

    def compute(missing):
        return [name.encode() for name in canonical_smiles(missing, stereo=False)]

    rows = RowCache(cache / "names", "names").rows([content_key(structure) for structure in X], list(X), compute)
    return np.array([row.decode() for row in rows], dtype=object)


def draw_rows(table, max_rows, seed):
    """Draw rows of a source table at random."""
    X, y, unit = table.rows()
    drawn = np.sort(np.random.RandomState(seed).permutation(len(X))[:max_rows])
    return X[drawn], y[drawn], unit


def training_rows(table, targets, cache, *, max_rows=2000, seed=0):
    """Rows of a source table that no target shares, at most `max_rows` of them, drawn at random.

    Parameters
    ----------
    table : SourceTable
    targets : ndarray
        Structures of all targets.
    cache : pathlib.Path
        Folder that keeps descriptors and names.
    max_rows, seed : int

    Returns
    -------
    X, y : ndarray of shape (n,)
    unit : str
    n_left_out : int
        Rows that a target shares.
    """
    X, y, unit = draw_rows(table, max_rows, seed)
    counts = fingerprints(X, cache)
    valid = np.isfinite(counts[:, 0])
    X, y, counts = X[valid], y[valid], counts[valid]
    # the same structure has the same counts, so that few need a name; counts tell isotopes apart, names do not
    known = {row.tobytes() for row in fingerprints(targets, cache)}
    named = np.array([row.tobytes() in known or bool(_ISOTOPE.search(X[i])) for i, row in enumerate(counts)])
    shared = named.copy()
    shared[named] = np.isin(names(X[named], cache).astype(str), names(targets, cache).astype(str))
    return X[~shared], y[~shared], unit, int(shared.sum())


# ---------------------------------------------------------------- targets


@dataclass(frozen=True)
class TargetTable:
    """Where a `Task` comes from.

    Parameters
    ----------
    fetch : callable
        Returns a Bunch.
    column : str or None
        Which of several targets.
    log : bool
        Whether the target is the natural logarithm.
    limits : tuple of float
        Values between these are kept.
    pool : int or None
        Rows drawn at random; None is all.
    without : tuple of str
        As that of `Task`.
    quantity : str or None
        As that of `Task`.
    """

    fetch: Callable
    column: str | None = None
    log: bool = False
    limits: tuple[float, float] = (-np.inf, np.inf)
    pool: int | None = None
    without: tuple[str, ...] = ()
    quantity: str | None = None


def load_task(name, cache, seed=0):
    """Read one target: one row a structure, without gaps."""
    table = TARGETS[name]
    bunch = table.fetch()
    i = list(bunch.target_names).index(table.column) if table.column else 0
    y = np.asarray(bunch.target, dtype=float)
    y = y[:, i] if y.ndim == 2 else y
    X, kept = np.asarray(bunch.data, dtype=object), (y > table.limits[0]) & (y < table.limits[1])
    X, y = X[kept], y[kept]
    drawn = np.sort(np.random.RandomState(seed).permutation(len(X))[: table.pool])
    drawn = drawn[np.isfinite(fingerprints(X[drawn], cache)[:, 0])]
    drawn = drawn[np.sort(np.unique(names(X[drawn], cache).astype(str), return_index=True)[1])]
    X, y, unit = X[drawn], y[drawn], bunch.target_units[i]
    if table.log:
        y, unit = np.log(y), f"ln({unit})"
    return Task(name, X, y, unit, table.without, table.quantity)


RADONPY = tuple(name for name, table in SOURCES.items() if table.fetch is datasets.fetch_radonpy)
TARGETS = {
    "heat capacity": TargetTable(partial(datasets.fetch_polymer_heat_capacity, "exp"), quantity="heat capacity"),
    "refractive index": TargetTable(
        partial(datasets.fetch_polymer_refractive_index, "exp"), quantity="refractive index"
    ),
    "thermal conductivity": TargetTable(
        partial(datasets.fetch_polymer_thermal_conductivity, "exp"),
        log=True,
        limits=(0.08, 0.36),  # conducting polymers and single crystals are something else
        quantity="thermal conductivity",
    ),
    "thermal conductivity, all entries": TargetTable(
        partial(datasets.fetch_polymer_thermal_conductivity, "exp"), log=True, quantity="thermal conductivity"
    ),
    "thermal conductivity, RadonPy": TargetTable(
        datasets.fetch_radonpy, column="thermal_conductivity", without=RADONPY, quantity="thermal conductivity"
    ),
    "density": TargetTable(
        partial(datasets.fetch_polymer_density, "exp"), pool=120, without=("density, measured",), quantity="density"
    ),
    "glass transition": TargetTable(
        partial(datasets.fetch_polymer_tg, "bicerano"),
        pool=120,
        without=("glass transition, measured",),
        quantity="glass transition",
    ),
    "oxygen permeability": TargetTable(
        partial(datasets.fetch_polyverse, "gas_transport"),
        column="p_exp_O2",
        pool=120,
        without=("oxygen permeability, measured",),
        quantity="oxygen permeability",
    ),
    "hydration energy": TargetTable(
        partial(datasets.fetch_freesolv, "database"), column="hydration_exp", pool=120, quantity="hydration energy"
    ),
    "permittivity of liquids": TargetTable(
        datasets.load_permittivities,
        log=True,
        pool=120,
        without=("permittivity, liquids",),
        quantity="dielectric constant",
    ),
    "surface tension of liquids": TargetTable(
        datasets.load_surface_tensions, pool=120, without=("surface tension, molecules",)
    ),
    "viscosity of liquids": TargetTable(
        datasets.load_liquid_viscosities, pool=120, without=("viscosity, liquids",), quantity="viscosity"
    ),
    "critical temperature": TargetTable(
        datasets.load_critical_temperatures,
        pool=120,
        without=("critical temperature, molecules",),
        quantity="boiling point",
    ),
    "solubility in water": TargetTable(
        datasets.fetch_esol, pool=120, without=("solubility in water",), quantity="hydration energy"
    ),
    "heat capacity of liquids": TargetTable(
        partial(datasets.load_liquid_heat_capacities, basis="mass"),
        pool=120,
        without=("heat capacity, liquids",),
        quantity="heat capacity",
    ),
    "band gap of crystals": TargetTable(
        partial(datasets.fetch_polyverse, "band_gap_crystal"), pool=120, quantity="band gap"
    ),
    "electron affinity": TargetTable(
        partial(datasets.fetch_khazana, "Eea"), pool=120, without=("electron affinity, DFT",), quantity="LUMO"
    ),
}
