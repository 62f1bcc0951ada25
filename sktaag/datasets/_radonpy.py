"""RadonPy: simulated properties of amorphous homopolymers."""

import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch


def _read(path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    spread = ("_min", "_max", "_std", "_count")
    return raw[[name for name in raw.columns if not name.endswith(spread) and not name.startswith("TC_")]]


RADONPY = Dataset(
    call="fetch_radonpy()",
    kind="polymer",
    files=("radonpy/PI1070",),
    targets={
        "density": "g/cm3",
        "Rg": "Angstrom",
        "self-diffusion": "m2/s",
        "Cp": "J/(kg K)",
        "Cv": "J/(kg K)",
        "compressibility": "1/Pa",
        "bulk_modulus": "Pa",
        "isentropic_compressibility": "1/Pa",
        "isentropic_bulk_modulus": "Pa",
        "volume_expansion": "1/K",
        "linear_expansion": "1/K",
        "static_dielectric_const": "1",
        "nematic_order_parameter": "1",
        "refractive_index": "1",
        "thermal_conductivity": "W/(m K)",
        "thermal_diffusivity": "m2/s",
        "qm_homo_monomer": "eV",
        "qm_lumo_monomer": "eV",
        "qm_dipole_monomer": "D",
        "qm_polarizability_monomer": "Angstrom3",
    },
    method="MD of amorphous polymers at 300 K and 1 atm, DFT of monomers (qm_*)",
    n=1077,
    read=_read,
    citation="Y. Hayashi et al., npj Comput. Mater. 8, 222 (2022), doi:10.1038/s41524-022-00906-4",
    notes=(
        """Classical MD: Cp is 2.27 times the measured value (median of 61 shared polymers, r = 0.81); the refractive
    index is 0.019 low on average. Missing: 7 thermal conductivities, 2 refractive indices, 1 Cp. The columns of minima,
    maxima, standard deviations and counts, and the parts of the thermal conductivity (TC_*), are left out.""",
    ),
    linear=True,
)


def fetch_radonpy(*, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Twenty simulated properties of 1,077 amorphous homopolymers (RadonPy, PI1070).

    Parameters
    ----------
    target : str, list of str or None, default=None
        The targets wanted, such as "thermal_conductivity"; rows without any of them are left out. None is all of them,
        in two dimensions, missing values as NaN.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder, ``pooch.os_cache("sktaag")``. A local copy in the
        folder that the environment variable ``SKTAAG_DATA`` names comes first.
    verbose : bool, default=False
        Show a progress bar while downloading.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        `data` as a DataFrame and `target` as a Series or DataFrame, instead of arrays.

    Returns
    -------
    bunch : Bunch, or tuple of (data, target)
        With the keys

        data : ndarray of shape (n_samples,) and dtype object
            Canonical PSMILES of the repeat units.
        target : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Values; NaN where missing.
        feature_names, target_names, target_units : list of str
            One entry for each column of `data` and `target`.
        frame : DataFrame
            The tidy table: one row per structure, ``n`` the number of raw rows in it, and for single targets
            ``spread``, the range of their values.
        DESCR : str
            Units, licence, origin, reference, row counts and known problems.

    Raises
    ------
    ValueError
        If `target` is not known, or the file has another SHA-256 than on record.
    OSError
        If the file cannot be downloaded.

    References
    ----------
    Y. Hayashi et al., npj Comput. Mater. 8, 222 (2022). :doi:`10.1038/s41524-022-00906-4`

    Examples
    --------
    >>> from sktaag.datasets import fetch_radonpy
    >>> polymers, k = fetch_radonpy(target="thermal_conductivity", return_X_y=True)  # doctest: +SKIP
    """
    return fetch(RADONPY, target=target, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)
