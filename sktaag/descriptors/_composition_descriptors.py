"""Statistics of element properties over a composition."""

from importlib.metadata import version

import joblib
import numpy as np
import pandas as pd
import rdkit
from pandas.api.types import is_numeric_dtype
from rdkit.rdBase import BlockLogs
from sklearn.impute import KNNImputer
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from sktaag.base import StructureTransformer
from sktaag.descriptors._element_table import element_table
from sktaag.structures import InvalidStructureError, to_composition

_SETS = {
    "classic": ("ave", "sum", "var", "max", "min"),
    "all": ("count", "ave", "sum", "var", "gmean", "hmean", "max", "min"),
}


class CompositionDescriptors(StructureTransformer):
    r"""Describe a composition by statistics of the properties of its elements.

    With amounts :math:`n_e`, fractions :math:`w_e = n_e / \sum n_e` and element properties :math:`p_e`:

    ========= ========================================== =====================
    statistic value                                      columns
    ========= ========================================== =====================
    ``count`` :math:`n_e` of every element of the table  ``H``, ``He``, ...
    ``ave``   :math:`\bar p = \sum w_e p_e`              ``ave:atomic_number``
    ``sum``   :math:`\sum n_e p_e`                       ``sum:atomic_number``
    ``var``   :math:`\sum w_e (p_e - \bar p)^2`          ``var:atomic_number``
    ``gmean`` :math:`\prod p_e^{w_e}`                    ``gmean:...``
    ``hmean`` :math:`1 / \sum (w_e / p_e)`               ``hmean:...``
    ``max``   :math:`\max p_e`                           ``max:...``
    ``min``   :math:`\min p_e`                           ``min:...``
    ========= ========================================== =====================

    These are the eight statistics of XenonPy, with its names and in its order [1]_.

    Parameters
    ----------
    statistics : {"classic", "all"} or list of str, default="classic"
        "classic" is ave, sum, var, max and min; "all" is the eight of the table above in that order; a list picks.
    elements : DataFrame of shape (n_elements, n_properties) or None, default=None
        Numeric properties, indexed by element symbol. None is `element_table`: 47 properties of 94 elements, thus 235
        columns under "classic" and 423 under "all".
    strings : {"formula", "smiles"}, default="formula"
        How strings are read. Mappings, molecules and crystals are understood under both.
    missing : {"impute", "raise"}, default="impute"
        What to do with properties that the table does not know (NaN). "impute" estimates them once, before any
        structure is seen: the average of the five elements most alike in all other properties, these scaled to unit
        variance, weighted by the inverse of the distance. With "raise", a structure that has an element with an
        unknown property is an invalid row. To do without estimates and keep all rows, leave out the incomplete
        properties: ``elements=element_table().dropna(axis="columns")``.
    on_invalid : {"raise", "nan"}, default="raise"
        What to do with structures that cannot be read: raise one error that names them all, or make their rows NaN
        and warn.
    n_jobs : int or None, default=None
        Number of processes.
    verbose : int, default=0
        Show a progress bar if positive.
    cache : None, path or joblib.Memory, default=None
        Folder in which rows are kept between calls, clones and sessions.

    Attributes
    ----------
    elements_ : DataFrame of shape (n_elements, n_properties)
        The table in use, estimates included. It travels with a pickle, so that other versions of the libraries do not
        change the rows of a fitted transformer.
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    InvalidRowsError
        In `transform`, if `on_invalid` is "raise" and structures cannot be read, have an element that the table
        does not have or, under ``missing="raise"``, an unknown property.
    TypeError, ValueError
        In `fit`, if a parameter or the table is unusable; the message says what to change.

    See Also
    --------
    element_table : The default properties.
    element_properties : Their units and sources.

    Notes
    -----
    XenonPy's published figures and models rest on its own table of 94 elements and 58 properties, in which unknown
    values were estimated by multiple imputation. Pass that table as `elements` to get its 290 columns ("all": 500)
    and its numbers; the default table has 47 of the 58 properties and newer values.

    The geometric mean of negative values is minus that of their magnitudes. For values of both signs there is none,
    and the entry is 0, the limit as one of them passes through zero. (XenonPy returns NaN there or, after an even
    power, a positive number.) A property of 0 makes both the geometric and the harmonic mean 0. The harmonic mean of
    values of both signs is what the formula gives, as in XenonPy; it may lie outside of their range.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> import pandas as pd
    >>> elements = pd.DataFrame({"mass": [22.99, 35.45], "radius": [166.0, 102.0]}, index=["Na", "Cl"])
    >>> descriptors = CompositionDescriptors(["ave", "max"], elements=elements)
    >>> descriptors.set_output(transform="pandas").fit_transform(["NaCl", {"Na": 3, "Cl": 1}])
       ave:mass  ave:radius  max:mass  max:radius
    0    29.220       134.0     35.45       166.0
    1    26.105       150.0     35.45       166.0
    >>> CompositionDescriptors(strings="smiles").fit_transform(["CCO", "*CC*"]).shape
    (2, 235)
    """

    # the rows depend on the table that these two give, see _versions
    _not_in_rows = (*StructureTransformer._not_in_rows, "elements", "missing")

    def __init__(
        self,
        statistics="classic",
        *,
        elements=None,
        strings="formula",
        missing="impute",
        on_invalid="raise",
        n_jobs=None,
        verbose=0,
        cache=None,
    ):
        self.statistics = statistics
        self.elements = elements
        self.strings = strings
        self.missing = missing
        self.on_invalid = on_invalid
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.cache = cache

    def fit(self, X, y=None):
        """Check the parameters and the form of X, and complete the table of elements; X teaches nothing.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Formulas, mappings of amounts, molecules or crystals, as `to_composition` reads them.
        y : None
            Ignored.

        Returns
        -------
        self : CompositionDescriptors
        """
        self._elements = self._completed_elements()
        return super().fit(X, y)

    @property
    def elements_(self):
        """The table in use, a DataFrame indexed by element symbol."""
        check_is_fitted(self)
        return self._elements.copy()

    def __getstate__(self):
        # tables as lists and arrays: skops, which keeps sources without pickle, knows no DataFrame
        return {name: _unpacked(value) for name, value in super().__getstate__().items()}

    def __setstate__(self, state):
        super().__setstate__({name: _packed(value) for name, value in state.items()})

    def _prepare(self):
        if self.strings not in ("formula", "smiles"):
            raise ValueError(f'strings must be "formula" or "smiles", got {self.strings!r}.')
        names = []
        for statistic in self._statistics():
            if statistic == "count":
                names += self._elements.index.tolist()
            else:
                names += [f"{statistic}:{name}" for name in self._elements.columns]
        return names, np.dtype(float), False

    def _statistics(self):
        chosen = self.statistics
        names = _SETS.get(chosen, ()) if isinstance(chosen, str) else chosen
        known = isinstance(names, (list, tuple)) and all(name in _SETS["all"] for name in names)
        if not known or not names or len(set(names)) < len(names):
            raise ValueError(
                f'statistics must be "classic", "all" or a list of different names out of {", ".join(_SETS["all"])}; '
                f"got {chosen!r}."
            )
        return names

    def _completed_elements(self):
        if self.missing not in ("impute", "raise"):
            raise ValueError(f'missing must be "impute" or "raise", got {self.missing!r}.')
        table = element_table() if self.elements is None else _checked(self.elements)
        if self.missing == "impute" and table.isna().to_numpy().any():
            scaler = StandardScaler()
            scaled = KNNImputer(weights="distance").fit_transform(scaler.fit_transform(table.to_numpy()))
            # six digits: more than they are worth, and the same on every machine, so that caches can be shared
            estimates = np.vectorize(lambda value: float(f"{value:.6g}"))(scaler.inverse_transform(scaled))
            table = table.fillna(pd.DataFrame(estimates, table.index, table.columns))
        return table

    def _versions(self):
        table = self._elements if hasattr(self, "_elements") else self._completed_elements()
        content = joblib.hash((table.index.tolist(), table.columns.tolist(), table.to_numpy()))
        return version("pymatgen"), rdkit.__version__, content

    def _featurize(self, structures):
        table, statistics = self._elements.to_numpy(), self._statistics()
        positions = {symbol: i for i, symbol in enumerate(self._elements.index)}
        gaps = {symbol: self._elements.columns[np.isnan(table[i])].tolist() for symbol, i in positions.items()}
        valid, compositions, invalid = [], [], []
        with BlockLogs():
            for row, structure in enumerate(structures):
                try:
                    composition = to_composition(structure, self.strings)
                    _check_known(composition, gaps)
                except InvalidStructureError as error:
                    invalid.append((row, str(error)))
                else:
                    valid.append(row)
                    compositions.append(composition)
        width = sum(len(table) if name == "count" else table.shape[1] for name in statistics)
        features = np.full((len(structures), width), np.nan)
        if valid:
            features[valid] = _describe(statistics, table, positions, compositions)
        return features, invalid


def _unpacked(value):
    if not isinstance(value, pd.DataFrame):
        return value
    index, columns = ((axis.tolist(), str(axis.dtype), axis.name) for axis in value.axes)
    return {"index": index, "columns": columns, "values": [column.to_numpy() for _, column in value.items()]}


def _packed(value):
    if not (isinstance(value, dict) and value.keys() == {"index", "columns", "values"}):
        return value
    index, columns = (pd.Index(labels, dtype, name=name) for labels, dtype, name in (value["index"], value["columns"]))
    return pd.DataFrame(dict(enumerate(value["values"])), index=index).set_axis(columns, axis="columns")


def _describe(statistics, table, positions, compositions):
    """Compute the statistics of all compositions at once, over one flat array of their (element, amount) pairs."""
    lengths = np.array([len(composition) for composition in compositions])
    starts = np.cumsum(lengths) - lengths
    rows = np.repeat(np.arange(len(lengths)), lengths)
    elements = np.array([positions[symbol] for composition in compositions for symbol in composition])
    amounts = np.array([amount for composition in compositions for amount in composition.values()])[:, None]
    values = table[elements]  # (n_pairs, n_properties)
    shares = amounts / np.add.reduceat(amounts, starts)[rows]

    def total(terms):
        return np.add.reduceat(terms, starts)

    def count():
        counts = np.zeros((len(lengths), len(table)))
        counts[rows, elements] = amounts[:, 0]
        return counts

    def sign():
        positive, negative = np.minimum.reduceat(values, starts) >= 0, np.maximum.reduceat(values, starts) <= 0
        return positive.astype(float) - negative

    blocks = {
        "count": count,
        "ave": lambda: total(shares * values),
        "sum": lambda: total(amounts * values),
        # not as a difference of two large numbers: that would lose the digits of small variances
        "var": lambda: total(shares * (values - total(shares * values)[rows]) ** 2),
        "gmean": lambda: sign() * np.multiply.reduceat(np.abs(values) ** shares, starts),
        "hmean": lambda: 1 / total(shares / values),
        "max": lambda: np.maximum.reduceat(values, starts),
        "min": lambda: np.minimum.reduceat(values, starts),
    }
    with np.errstate(divide="ignore"):  # a property of zero: 1 / (1 / 0) is the zero that is wanted
        return np.hstack([blocks[name]() for name in statistics])


def _check_known(composition, gaps):
    absent = [symbol for symbol in composition if symbol not in gaps]
    if absent:
        raise InvalidStructureError(f"has {', '.join(absent)}, which the table of elements does not have")
    lacking = [f"{', '.join(gaps[symbol])} of {symbol}" for symbol in composition if gaps[symbol]]
    if lacking:
        raise InvalidStructureError(
            f'the table of elements does not know {"; ".join(lacking)}; set missing="impute" or leave these '
            "properties out of `elements`"
        )


def _checked(elements):
    """Return the user's table with string columns and dtype float64, or say what is wrong with it."""
    if not isinstance(elements, pd.DataFrame):
        raise TypeError(f"elements must be a pandas DataFrame or None, got {type(elements).__name__}.")
    symbols, columns = elements.index.tolist(), elements.columns.astype(str).tolist()
    if not elements.size:
        raise ValueError("elements is an empty table.")
    odd = [symbol for symbol in symbols if not _is_symbol(symbol)]
    if odd:
        raise ValueError(
            f"The index of elements must hold element symbols, got {', '.join(map(repr, odd[:5]))}. "
            "Set the column of symbols as index: elements.set_index(...)."
        )
    text = [name for name, dtype in zip(columns, elements.dtypes, strict=True) if not is_numeric_dtype(dtype)]
    if text:
        raise ValueError(f"elements has columns that are not numeric: {', '.join(text)}. Leave them out.")
    for kind, names in (("rows", symbols), ("columns", columns)):
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"elements has several {kind} of the name {', '.join(repeated)}.")
    values = elements.to_numpy(dtype=float, na_value=np.nan, copy=True)  # ours, whatever happens to the user's table
    table = pd.DataFrame(values, index=symbols, columns=columns)
    for kind, names in (
        ("without any value", [*table.index[table.isna().all(axis=1)], *table.columns[table.isna().all()]]),
        ("with infinite values", table.columns[np.isinf(table).any()]),
    ):
        if len(names):
            raise ValueError(f"elements has rows or columns {kind}: {', '.join(names)}. Leave them out.")
    return table


def _is_symbol(symbol):
    try:
        return to_composition({symbol: 1}) == {symbol: 1}
    except InvalidStructureError:
        return False
