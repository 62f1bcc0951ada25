"""The list of all data sets."""

import pandas as pd

from sktaag.datasets import _tables
from sktaag.datasets._adsorption import OC20_FRAMES, WWL_GPR
from sktaag.datasets._chedl import CHEDL
from sktaag.datasets._compositions import AFLOW, AFLOW_AGL, DIELECTRIC, MATBENCH
from sktaag.datasets._crystals import DIELECTRIC_CRYSTALS, MATBENCH_PHONONS
from sktaag.datasets._dataset import Dataset
from sktaag.datasets._elements import ELEMENT_TABLES
from sktaag.datasets._game_net import GAME_NET
from sktaag.datasets._khazana import KHAZANA, TRANSPOLYMER
from sktaag.datasets._molecular_dynamics import CCSD_ETHANOL, RMD17
from sktaag.datasets._molecules import CEP, CHEMML_10K, ESOL, FREESOLV, LIPOPHILICITY, NIST
from sktaag.datasets._offline import OfflineDataset
from sktaag.datasets._open_polymer import OPEN_POLYMER
from sktaag.datasets._polygraphmt import POLYGRAPHMT
from sktaag.datasets._polymers import DENSITY, GLASS_TRANSITION, HEAT_CAPACITY, REFRACTIVE_INDEX, THERMAL_CONDUCTIVITY
from sktaag.datasets._polyverse import POLYVERSE
from sktaag.datasets._qm9 import QM7, QM8, QM9_ORBITALS, QM9_SLICE
from sktaag.datasets._radonpy import RADONPY
from sktaag.datasets._remote import registry

OFFLINE = [value for value in vars(_tables).values() if isinstance(value, OfflineDataset)]
_SINGLE = [
    RADONPY,
    OPEN_POLYMER,
    QM9_SLICE,
    QM9_ORBITALS,
    QM7,
    QM8,
    ESOL,
    LIPOPHILICITY,
    CHEMML_10K,
    AFLOW_AGL,
    DIELECTRIC,
    CCSD_ETHANOL,
    OC20_FRAMES,
    WWL_GPR,
    MATBENCH_PHONONS,
    DIELECTRIC_CRYSTALS,
]
_BY_OPTION = {
    "fetch_polymer_heat_capacity": HEAT_CAPACITY,
    "fetch_polymer_thermal_conductivity": THERMAL_CONDUCTIVITY,
    "fetch_polymer_density": DENSITY,
    "fetch_polymer_tg": GLASS_TRANSITION,
    "fetch_polymer_refractive_index": REFRACTIVE_INDEX,
    "fetch_polygraphmt": POLYGRAPHMT,
    "fetch_khazana": KHAZANA,
    "fetch_transpolymer": TRANSPOLYMER,
    "fetch_polyverse": POLYVERSE,
    "fetch_freesolv": FREESOLV,
    "fetch_cep": CEP,
    "fetch_nist": NIST,
    "fetch_chedl": CHEDL,
    "fetch_matbench_composition": MATBENCH,
    "fetch_aflow_composition": AFLOW,
    "fetch_rmd17": RMD17,
    "fetch_game_net": GAME_NET,
}
FETCHED: dict[str, Dataset] = {dataset.call: dataset for dataset in _SINGLE} | {
    f"{function}({option!r})": dataset
    for function, datasets in _BY_OPTION.items()
    for option, dataset in datasets.items()
}


def list_datasets() -> pd.DataFrame:
    """All data sets of this package, one row for each call that gets one.

    Returns
    -------
    table : DataFrame
        With the columns

        call : str
            What to type.
        kind : {"molecule", "polymer", "composition", "structure", "element"}
            What a row of the data is.
        property, unit : str
            Targets and their units, separated by commas.
        method : str
            Where the values come from.
        n : int
            Number of rows (of ``load_*`` with chemicals 1.5.2).
        offline : bool
            Whether it needs no network.
        licence : str
            As its origin states it.
        files : tuple of str
            Raw files, as they are named below ``SKTAAG_DATA``. Two calls with the same files give the same data.

    Examples
    --------
    >>> from sktaag.datasets import list_datasets
    >>> table = list_datasets()
    >>> table[(table.kind == "polymer") & table.property.str.contains("refractive_index")].call.head(2).tolist()
    ['fetch_radonpy()', "fetch_polymer_refractive_index('exp')"]
    """
    rows: list[tuple] = [
        (data.call, "molecule", data.target, data.unit, data.method, data.n, True, data.licence, ()) for data in OFFLINE
    ]
    rows += [
        (
            call,
            data.kind,
            ", ".join(data.targets),
            ", ".join(dict.fromkeys(data.targets.values())),
            data.method,
            data.n,
            False,
            data.licence,
            tuple(registry()[key].path for key in data.files),
        )
        for call, data in FETCHED.items()
    ]
    for name, (key, n_elements, n_properties, _, _) in ELEMENT_TABLES.items():
        remote = registry()[key]
        property_ = f"{n_properties} element properties"
        call = f"fetch_element_table({name!r})"
        rows.append((call, "element", property_, "", "compilation", n_elements, False, remote.licence, (remote.path,)))
    columns = ["call", "kind", "property", "unit", "method", "n", "offline", "licence", "files"]
    return pd.DataFrame(rows, columns=columns)
