"""NeurIPS Open Polymer Prediction 2025: five properties of 8,000 polymers."""

import pandas as pd

from sktaag.datasets._dataset import Dataset, fetch, read_columns
from sktaag.datasets._tidy import celsius_to_kelvin


def _read(path) -> pd.DataFrame:
    columns = {
        "SMILES": "smiles",
        "Tg": "glass_transition",
        "FFV": "free_volume_fraction",
        "Tc": "thermal_conductivity",
        "Density": "density",
        "Rg": "radius_of_gyration",
    }
    return celsius_to_kelvin(read_columns(path, columns=columns), "glass_transition")


OPEN_POLYMER = Dataset(
    call="fetch_open_polymer_2025()",
    kind="polymer",
    files=("neurips2025/kaggle",),
    targets={
        "glass_transition": "K",
        "free_volume_fraction": "1",
        "thermal_conductivity": "W/(m K)",
        "density": "g/cm3",
        "radius_of_gyration": "Angstrom",
    },
    method="MD; glass transition from experiment",
    n=7955,
    read=_read,
    citation="NeurIPS Open Polymer Prediction 2025 (Kaggle); lessons in arXiv:2512.08896",
    notes=(
        """The glass transition is in degrees Celsius in the file and in kelvin here. Most entries are missing (511
    glass transitions). In the competition the hidden glass transitions were shifted against these.""",
    ),
    linear=True,
)


def fetch_open_polymer_2025(*, target=None, data_home=None, verbose=False, return_X_y=False, as_frame=False):
    """Five properties of 7,955 polymers from the NeurIPS Open Polymer Prediction 2025, most entries missing.

    Parameters
    ----------
    target : str, list of str or None, default=None
        The targets wanted, such as "thermal_conductivity"; rows without any of them are left out. None is all.
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
        If `target` is not known, or the file has another SHA-256 than on record.
    OSError
        If the file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_open_polymer_2025
    >>> polymers, tg = fetch_open_polymer_2025(target="glass_transition", return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        OPEN_POLYMER,
        target=target,
        data_home=data_home,
        verbose=verbose,
        return_X_y=return_X_y,
        as_frame=as_frame,
    )
