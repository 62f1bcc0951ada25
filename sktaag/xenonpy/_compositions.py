"""XenonPy's composition descriptors."""

import numpy as np

from sktaag.descriptors import CompositionDescriptors
from sktaag.structures import InvalidRowsError
from sktaag.xenonpy._descriptor import Descriptor

_STATISTICS = {
    "Counting": "count",
    "WeightedAverage": "ave",
    "WeightedSum": "sum",
    "WeightedVariance": "var",
    "GeometricMean": "gmean",
    "HarmonicMean": "hmean",
    "MaxPooling": "max",
    "MinPooling": "min",
}


class Compositions(Descriptor):
    """Statistics of element properties over compositions, with XenonPy's names, columns and values.

    Parameters
    ----------
    elemental_info : DataFrame of shape (n_elements, n_properties) or None, default=None
        Numeric properties, indexed by element symbol. None is `sktaag.descriptors.element_table`, which has 47 of the
        58 properties of XenonPy's table and newer values: 235 columns under "classic". XenonPy's own table, given
        here, makes its 290 columns.
    n_jobs : int or None, default=None
        Number of processes. (XenonPy's default is -1; this is faster with one.)
    featurizers : {"classic", "all"}, str or list of str, default="classic"
        One or several of Counting, WeightedAverage, WeightedSum, WeightedVariance, GeometricMean, HarmonicMean,
        MaxPooling and MinPooling; their columns stand in this order. "classic" is WeightedAverage, WeightedSum,
        WeightedVariance, MaxPooling and MinPooling.
    on_errors : {"nan", "raise", "keep"}, default="nan"
        What to do with compositions that cannot be described: make the row NaN and warn, raise one error that names
        them all, or put the exception in place of every feature.

    Attributes
    ----------
    n_features_in_ : int
        1, the column of compositions.

    Raises
    ------
    ValueError
        For unknown featurizers, an unusable table, or, under "raise", compositions that cannot be described.

    See Also
    --------
    sktaag.descriptors.CompositionDescriptors : The same statistics, without XenonPy's names; with a cache.

    Notes
    -----
    X is a column of dicts, pymatgen Compositions or formulas, or a DataFrame with a column ``composition``.

    XenonPy makes rows of NaN of formulas, and of everything under Counting; counts of fractions are kept as they are
    here. Its geometric mean of negative values is NaN or has a random sign, see `CompositionDescriptors`. Properties
    that the table does not know (NaN) are estimated here; XenonPy's own table has none.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktaag.xenonpy import Compositions
    >>> elements = pd.DataFrame({"mass": [22.99, 35.45], "radius": [166.0, 102.0]}, index=["Na", "Cl"])
    >>> descriptor = Compositions(elemental_info=elements, featurizers=["WeightedAverage", "MaxPooling"])
    >>> descriptor.transform(pd.Series([{"Na": 1, "Cl": 1}], index=["salt"]))
          ave:mass  ave:radius  max:mass  max:radius
    salt     29.22       134.0     35.45       166.0
    """

    classic = ("WeightedAverage", "WeightedSum", "WeightedVariance", "MaxPooling", "MinPooling")

    _column = "composition"
    _featurizers = tuple(_STATISTICS)

    def __init__(self, *, elemental_info=None, n_jobs=None, featurizers="classic", on_errors="nan"):
        self.elemental_info = elemental_info
        self.n_jobs = n_jobs
        self.featurizers = featurizers
        self.on_errors = on_errors

    def _labels(self):
        return self._transformer().get_feature_names_out().tolist()

    def _describe(self, column):
        transformer, rows = self._transformer(), []
        try:
            return transformer.transform(column), rows
        except InvalidRowsError as error:
            rows = error.rows
        features = np.full((len(column), len(transformer.get_feature_names_out())), np.nan)
        valid = np.setdiff1d(np.arange(len(column)), [row for row, _, _ in rows])
        if len(valid) > 0:
            features[valid] = transformer.transform(column[valid])
        return features, rows

    def _transformer(self):
        chosen = self._chosen({"classic": self.classic, "all": self._featurizers})
        transformer = CompositionDescriptors(
            [_STATISTICS[name] for name in chosen], elements=self.elemental_info, n_jobs=self.n_jobs or None
        )
        return transformer.fit(["H"])  # learns nothing of it, but completes the table
