"""Measured properties of organic molecules that come with the ``chemicals`` package."""

from dataclasses import replace

from sktaag.datasets._dataset import pick
from sktaag.datasets._offline import load
from sktaag.datasets._tables import (
    BOILING_POINTS,
    CRITICAL_TEMPERATURES,
    HEATS_OF_VAPORIZATION,
    LIQUID_HEAT_CAPACITIES,
    LIQUID_THERMAL_CONDUCTIVITY,
    LIQUID_VISCOSITIES,
    MELTING_POINTS,
    PERMITTIVITIES,
    REFRACTIVE_INDICES,
    SURFACE_TENSIONS,
)


def load_boiling_points(*, return_X_y=False, as_frame=False):
    """Boiling points of 11,249 organic molecules at 1 atm, K.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        `data` as a DataFrame and `target` as a Series, instead of arrays.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        With the keys

        data : ndarray of shape (n_samples,) and dtype object
            Canonical SMILES.
        target : ndarray of shape (n_samples,)
            Values.
        feature_names, target_names, target_units : list of str
            One entry for each column of `data` and `target`.
        frame : DataFrame
            One row per molecule: ``smiles``, the value, the number ``n`` of values in all tables, their range
            ``spread``, and ``source``, the table whose value counts.
        DESCR : str
            Units, licence, references, row counts, what counts as organic, and known problems.

    Notes
    -----
    Works offline, on the tables inside the ``chemicals`` package, and writes nothing to disk. To find SMILES by CAS
    number that package reads a file of 42 MB: the first ``load_*`` call in a process takes a few seconds.

    Examples
    --------
    >>> from sktaag.datasets import load_boiling_points
    >>> molecules, tb = load_boiling_points(return_X_y=True)
    """
    return load(BOILING_POINTS, return_X_y=return_X_y, as_frame=as_frame)


def load_melting_points(*, return_X_y=False, as_frame=False):
    """Melting points of 12,579 organic molecules, K.

    Parameters
    ----------
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`. What the values are, and known problems, are in ``DESCR``.

    Examples
    --------
    >>> from sktaag.datasets import load_melting_points
    >>> molecules, tm = load_melting_points(return_X_y=True)
    """
    return load(MELTING_POINTS, return_X_y=return_X_y, as_frame=as_frame)


def load_critical_temperatures(*, return_X_y=False, as_frame=False):
    """Critical temperatures of 972 organic molecules, K.

    Parameters
    ----------
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`. What the values are, and known problems, are in ``DESCR``.

    Examples
    --------
    >>> from sktaag.datasets import load_critical_temperatures
    >>> molecules, tc = load_critical_temperatures(return_X_y=True)
    """
    return load(CRITICAL_TEMPERATURES, return_X_y=return_X_y, as_frame=as_frame)


def load_refractive_indices(*, return_X_y=False, as_frame=False):
    """Refractive indices of 3,996 organic liquids at 293 K, sodium D line.

    Parameters
    ----------
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`. What the values are, and known problems, are in ``DESCR``.

    Examples
    --------
    >>> from sktaag.datasets import load_refractive_indices
    >>> molecules, n = load_refractive_indices(return_X_y=True)
    """
    return load(REFRACTIVE_INDICES, return_X_y=return_X_y, as_frame=as_frame)


def load_surface_tensions(*, return_X_y=False, as_frame=False):
    """Surface tensions of 471 organic liquids at 298.15 K, mN/m.

    Parameters
    ----------
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`. What the values are, and known problems, are in ``DESCR``.

    Examples
    --------
    >>> from sktaag.datasets import load_surface_tensions
    >>> molecules, sigma = load_surface_tensions(return_X_y=True)
    """
    return load(SURFACE_TENSIONS, return_X_y=return_X_y, as_frame=as_frame)


def load_heats_of_vaporization(*, return_X_y=False, as_frame=False):
    """Heats of vaporization of 2,278 organic molecules at 298.15 K, J/mol.

    Parameters
    ----------
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`. What the values are, and known problems, are in ``DESCR``.

    Examples
    --------
    >>> from sktaag.datasets import load_heats_of_vaporization
    >>> molecules, heat = load_heats_of_vaporization(return_X_y=True)
    """
    return load(HEATS_OF_VAPORIZATION, return_X_y=return_X_y, as_frame=as_frame)


def load_liquid_heat_capacities(*, basis="molar", return_X_y=False, as_frame=False):
    """Isobaric heat capacities of 667 organic liquids at 298.15 K.

    Parameters
    ----------
    basis : {"molar", "mass"}, default="molar"
        J/(mol K), or J/(kg K) as polymers have it.
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`.

    Raises
    ------
    ValueError
        If `basis` is not known.

    Examples
    --------
    >>> from sktaag.datasets import load_liquid_heat_capacities
    >>> molecules, cp = load_liquid_heat_capacities(basis="mass", return_X_y=True)
    """
    pick("basis", basis, ["molar", "mass"])
    dataset = LIQUID_HEAT_CAPACITIES
    if basis == "mass":
        dataset = replace(dataset, unit="J/(kg K)", per_kilogram=True)
    return load(dataset, return_X_y=return_X_y, as_frame=as_frame)


def load_liquid_thermal_conductivity(*, return_X_y=False, as_frame=False):
    """Thermal conductivities of 258 organic liquids at 298.15 K, W/(m K).

    Parameters
    ----------
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`. What the values are, and known problems, are in ``DESCR``.

    Examples
    --------
    >>> from sktaag.datasets import load_liquid_thermal_conductivity
    >>> molecules, k = load_liquid_thermal_conductivity(return_X_y=True)
    """
    return load(LIQUID_THERMAL_CONDUCTIVITY, return_X_y=return_X_y, as_frame=as_frame)


def load_liquid_viscosities(*, return_X_y=False, as_frame=False):
    """Natural logarithm of the viscosity of 511 organic liquids at 298.15 K, in Pa s.

    Parameters
    ----------
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`. What the values are, and known problems, are in ``DESCR``.

    Examples
    --------
    >>> from sktaag.datasets import load_liquid_viscosities
    >>> molecules, log_viscosity = load_liquid_viscosities(return_X_y=True)
    """
    return load(LIQUID_VISCOSITIES, return_X_y=return_X_y, as_frame=as_frame)


def load_permittivities(*, return_X_y=False, as_frame=False):
    """Permittivities (static, relative) of 998 organic liquids at 298 K.

    Parameters
    ----------
    return_X_y, as_frame : bool, default=False
        As in `load_boiling_points`.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        As `load_boiling_points`. What the values are, and known problems, are in ``DESCR``.

    Examples
    --------
    >>> from sktaag.datasets import load_permittivities
    >>> molecules, permittivity = load_permittivities(return_X_y=True)
    """
    return load(PERMITTIVITIES, return_X_y=return_X_y, as_frame=as_frame)
