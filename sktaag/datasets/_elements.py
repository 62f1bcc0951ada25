"""Tables of element properties, to build composition descriptors on."""

import pandas as pd
from sklearn.utils import Bunch

from sktaag.datasets._dataset import pick
from sktaag.datasets._remote import fetch_file, registry

ELEMENT_TABLES = {  # name: (registry key, number of elements, number of properties, reference, known problems)
    "magpie": (
        "inorganic/elements_magpie",
        97,
        22,
        "L. Ward et al., npj Comput. Mater. 2, 16028 (2016), doi:10.1038/npjcompumats.2016.28",
        "The names of the columns are Magpie's; the file states no units.",
    ),
    "oliynyk": (
        "inorganic/elements_oliynyk",
        85,
        44,
        "A. O. Oliynyk et al., Chem. Mater. 28, 7324 (2016), doi:10.1021/acs.chemmater.6b02724",
        "The names of the columns are Oliynyk's; the file states no units. Some entries are missing.",
    ),
}


def fetch_element_table(name="magpie", *, data_home=None, verbose=False):
    """Properties of the chemical elements.

    Parameters
    ----------
    name : {"magpie", "oliynyk"}, default="magpie"
        97 elements with 22 properties, or 85 with 44.
    data_home : path-like or None, default=None
        Folder for the downloads; None is the user's cache folder.
    verbose : bool, default=False
        Show a progress bar while downloading.

    Returns
    -------
    bunch : Bunch
        With the keys

        data : ndarray of shape (n_elements, n_properties)
            Values; NaN where missing.
        feature_names : list of str
            Names of the properties.
        frame : DataFrame
            The same, indexed by element symbol.
        DESCR : str
            Licence, origin, reference and known problems.

    Raises
    ------
    ValueError
        If `name` is not known, or the file has another SHA-256 than on record.
    OSError
        If the file cannot be downloaded.

    Examples
    --------
    >>> from sktaag.datasets import fetch_element_table
    >>> elements = fetch_element_table("magpie").frame  # doctest: +SKIP
    """
    pick("name", name, list(ELEMENT_TABLES))
    key, _, _, citation, notes = ELEMENT_TABLES[name]
    # "Na" is sodium
    table = pd.read_csv(fetch_file(key, data_home=data_home, verbose=verbose), dtype={"element": str}, na_values=[""])
    frame = table.set_index("element").astype(float)
    remote = registry()[key]
    title = f"fetch_element_table({name!r})"
    lines = [title, "=" * len(title), "", f"{frame.shape[0]} elements, {frame.shape[1]} properties", ""]
    lines += [
        f"Licence: {remote.licence}",
        f"Origin: {remote.url}",
        f"Citation: {citation}",
        f"Known problems: {notes}",
    ]
    return Bunch(
        data=frame.to_numpy(), feature_names=frame.columns.tolist(), frame=frame, DESCR="\n".join(lines) + "\n"
    )
