"""Small molecules: solubility, hydration, lipophilicity, solar cells, boiling and critical points."""

from functools import partial

import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch, pick, read_columns


def _read_freesolv(path) -> pd.DataFrame:
    # '#' opens a comment line, but is a triple bond elsewhere: pandas' comment="#" would cut 18 SMILES short
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    fields = [[field.strip() for field in line.split(";")] for line in lines]
    table = pd.DataFrame([row[:7] for row in fields])
    table.columns = [
        "mobley_id",
        "smiles",
        "name",
        "hydration_exp",
        "uncertainty_exp",
        "hydration_md",
        "uncertainty_md",
    ]
    return table.astype(dict.fromkeys(table.columns[3:], float))


ESOL = Dataset(
    call="fetch_esol()",
    kind="molecule",
    files=("small/delaney-processed",),
    targets={"log_solubility": "log10(mol/L)"},
    method="experiment",
    n=1117,
    read=partial(
        read_columns,
        columns={
            "smiles": "smiles",
            "measured log solubility in mols per litre": "log_solubility",
            "Compound ID": "name",
            "ESOL predicted log solubility in mols per litre": "esol_model",
        },
    ),
    citation="J. S. Delaney, J. Chem. Inf. Comput. Sci. 44, 1000 (2004), doi:10.1021/ci034243x",
    notes=("11 structures occur twice.",),
)
FREESOLV = {
    "database": Dataset(
        call="fetch_freesolv('database')",
        kind="molecule",
        files=("small/freesolv_database",),
        targets={"hydration_exp": "kcal/mol", "hydration_md": "kcal/mol"},
        method="experiment (hydration_exp) and alchemical MD with GAFF (hydration_md) for the same molecules",
        n=642,
        read=_read_freesolv,
        citation="D. L. Mobley and J. P. Guthrie, J. Comput.-Aided Mol. Des. 28 (2014), doi:10.1007/s10822-014-9747-x",
        notes=(
            "Comment lines begin with #, which is a triple bond elsewhere in the file; all 642 molecules are kept.",
        ),
    ),
    "moleculenet": Dataset(
        call="fetch_freesolv('moleculenet')",
        kind="molecule",
        files=("small/freesolv",),
        targets={"hydration_exp": "kcal/mol"},
        method="experiment",
        n=642,
        read=partial(read_columns, columns={"smiles": "smiles", "freesolv": "hydration_exp"}),
        citation="Z. Wu et al., MoleculeNet, Chem. Sci. 9, 513 (2018), doi:10.1039/C7SC02664A",
    ),
}
LIPOPHILICITY = Dataset(
    call="fetch_lipophilicity()",
    kind="molecule",
    files=("small/lipo",),
    targets={"logd": "log10, octanol/water at pH 7.4"},
    method="experiment (ChEMBL)",
    n=4200,
    read=partial(read_columns, columns={"smiles": "smiles", "lipo": "logd"}),
    citation="Z. Wu et al., MoleculeNet, Chem. Sci. 9, 513 (2018), doi:10.1039/C7SC02664A",
    notes=("The values come from ChEMBL (CC BY-SA).",),
)
CEP = {
    "efficiency": Dataset(
        call="fetch_cep('efficiency')",
        kind="molecule",
        files=("small/cep-processed",),
        targets={"power_conversion_efficiency": "%"},
        method="DFT and Scharber's model",
        n=29966,
        read=partial(read_columns, columns={"smiles": "smiles", "PCE": "power_conversion_efficiency"}),
        citation="J. Hachmann et al., J. Phys. Chem. Lett. 2, 2241 (2011), doi:10.1021/jz200866s",
        notes=(
            "Has negative efficiencies, which mean nothing physically; eight structures have two different values.",
        ),
    ),
    "homo": Dataset(
        call="fetch_cep('homo')",
        kind="molecule",
        files=("chemml/cep_homo",),
        targets={"homo": "eV"},
        method="DFT",
        n=500,
        read=partial(read_columns, columns={"smiles": "smiles", "homo_eV": "homo"}),
        citation="M. Haghighatlari et al., ChemML, WIREs Comput. Mol. Sci. 10, e1458 (2020), doi:10.1002/wcms.1458",
    ),
}
CHEMML_10K = Dataset(
    call="fetch_chemml_10k()",
    kind="molecule",
    files=("chemml/properties_10k",),
    targets={"refractive_index": "1", "polarizability": "a0^3", "density": "kg/m3"},
    method="DFT polarizability, MD density, refractive index by Lorentz-Lorenz",
    n=10000,
    read=partial(
        read_columns,
        columns={
            "Mol_Smiles": "smiles",
            "RI_LL": "refractive_index",
            "Pol_DFT": "polarizability",
            "Den_MD": "density",
            "Mol_Code": "blocks",
        },
    ),
    citation="M. A. F. Afzal et al., Chem. Sci. 10, 8374 (2019), doi:10.1039/C9SC02677K",
    notes=("Built from a few building blocks (column blocks): chemically narrow.",),
)
NIST = {
    "boiling_point": Dataset(
        call="fetch_nist('boiling_point')",
        kind="molecule",
        files=("small/nist-All-tvap",),
        targets={"boiling_point": "K"},
        method="NIST ThermoData Engine; does not tell experiment from prediction",
        n=14061,
        read=partial(read_columns, columns={"SMILES": "smiles", "tvap": "boiling_point"}, sep=r"\s+"),
        citation="AIMS_ML, sungroup-sjtu (values of the NIST ThermoData Engine)",
        notes=("Rounded to 1 K. 46 rows repeat a structure, 22 of these structures have differing values.",),
    ),
    "critical_temperature": Dataset(
        call="fetch_nist('critical_temperature')",
        kind="molecule",
        files=("small/nist-All-tc",),
        targets={"critical_temperature": "K"},
        method="NIST ThermoData Engine; does not tell experiment from prediction",
        n=14215,
        read=partial(read_columns, columns={"SMILES": "smiles", "tc": "critical_temperature"}, sep=r"\s+"),
        citation="AIMS_ML, sungroup-sjtu (values of the NIST ThermoData Engine)",
        notes=("Rounded to 1 K. 47 rows repeat a structure, 25 of these structures have differing values.",),
    ),
}


def fetch_esol(*, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Measured solubility of 1,117 organic molecules in water, log10 of mol/L.

    Parameters
    ----------
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
        If the file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    J. S. Delaney, J. Chem. Inf. Comput. Sci. 44, 1000 (2004). :doi:`10.1021/ci034243x`

    Examples
    --------
    >>> from sktaag.datasets import fetch_esol
    >>> molecules, solubility = fetch_esol(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(ESOL, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)


def fetch_freesolv(source="database", *, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Hydration free energy of 642 molecules, kcal/mol, measured and simulated.

    Parameters
    ----------
    source : {"database", "moleculenet"}, default="database"
        The authors' database, with both values; or MoleculeNet's copy, with the measured one.
    target : str, list of str or None, default=None
        The targets wanted, "hydration_exp" or "hydration_md". None is all.
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
        If `source` or `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    D. L. Mobley and J. P. Guthrie, J. Comput.-Aided Mol. Des. 28, 711 (2014). :doi:`10.1007/s10822-014-9747-x`

    Examples
    --------
    >>> from sktaag.datasets import fetch_freesolv
    >>> molecules, energy = fetch_freesolv(target="hydration_exp", return_X_y=True)  # doctest: +SKIP
    """
    pick("source", source, list(FREESOLV))
    return fetch(
        FREESOLV[source], target=target, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame
    )


def fetch_lipophilicity(*, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Measured lipophilicity (logD at pH 7.4) of 4,200 molecules.

    Parameters
    ----------
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
        If the file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    Z. Wu et al., Chem. Sci. 9, 513 (2018). :doi:`10.1039/C7SC02664A`

    Examples
    --------
    >>> from sktaag.datasets import fetch_lipophilicity
    >>> molecules, logd = fetch_lipophilicity(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(LIPOPHILICITY, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)


def fetch_cep(property="efficiency", *, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Harvard Clean Energy Project: computed properties of donor molecules for solar cells.

    Parameters
    ----------
    property : {"efficiency", "homo"}, default="efficiency"
        Power conversion efficiency of 29,966 molecules, %, or HOMO energy of 500, eV.
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
        If `property` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    J. Hachmann et al., J. Phys. Chem. Lett. 2, 2241 (2011). :doi:`10.1021/jz200866s`

    Examples
    --------
    >>> from sktaag.datasets import fetch_cep
    >>> molecules, homo = fetch_cep("homo", return_X_y=True)  # doctest: +SKIP
    """
    pick("property", property, list(CEP))
    return fetch(CEP[property], data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)


def fetch_chemml_10k(*, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Refractive index, polarizability and density of 10,000 organic molecules, computed.

    Parameters
    ----------
    target : str, list of str or None, default=None
        The targets wanted, such as "refractive_index". None is all.
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
        If `target` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    References
    ----------
    M. A. F. Afzal et al., Chem. Sci. 10, 8374 (2019). :doi:`10.1039/C9SC02677K`

    Examples
    --------
    >>> from sktaag.datasets import fetch_chemml_10k
    >>> molecules, n = fetch_chemml_10k(target="refractive_index", return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        CHEMML_10K, target=target, data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame
    )


def fetch_nist(property="boiling_point", *, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Boiling points and critical temperatures of 14,000 molecules, K.

    Parameters
    ----------
    property : {"boiling_point", "critical_temperature"}, default="boiling_point"
        14,061 boiling points or 14,215 critical temperatures.
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
        If `property` is not known, or a file has another SHA-256 than on record.
    OSError
        If a file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_nist
    >>> molecules, tc = fetch_nist("critical_temperature", return_X_y=True)  # doctest: +SKIP
    """
    pick("property", property, list(NIST))
    return fetch(NIST[property], data_home=data_home, verbose=verbose, return_X_y=return_X_y, as_frame=as_frame)
