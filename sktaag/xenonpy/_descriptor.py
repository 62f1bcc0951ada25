"""What XenonPy's descriptors share."""

import reprlib
from abc import abstractmethod

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from sktaag.structures import as_column
from sktaag.xenonpy._on_errors import check_on_errors, handle_errors


class Descriptor(TransformerMixin, BaseEstimator):
    """A map from each structure to one row of a DataFrame; learns nothing, so that `transform` needs no `fit`.

    A subclass has the parameters `featurizers` and `on_errors`, says which column of a DataFrame it takes, and writes
    `_labels` and `_describe`.
    """

    _column = ""  # XenonPy's name for the column of a DataFrame
    _featurizers: tuple[str, ...] = ()  # in the order of their columns

    @abstractmethod
    def _labels(self):
        """Check the parameters and return the column names."""

    @abstractmethod
    def _describe(self, column):
        """Return the rows, an array of shape (n, n_columns), and a list of (row, value, reason)."""

    def fit(self, X, y=None, **column):
        """Check the parameters and the form of X; nothing is learned.

        Parameters
        ----------
        X : column of shape (n_samples,) or DataFrame
            As for `transform`.
        y : None
            Ignored.
        **column : str
            As for `transform`, which then takes the same column.

        Returns
        -------
        self : object
        """
        check_on_errors(self.on_errors)
        self._labels()
        self._renamed = self._column_name(column)
        self._structures(X, self._renamed)
        self.n_features_in_ = 1
        return self

    def transform(self, X, **column):
        """Compute one row for each structure.

        Parameters
        ----------
        X : column of shape (n_samples,) or DataFrame
            List, tuple, array, Series or one-column DataFrame of structures. Of a larger DataFrame, the column that
            has XenonPy's name for it is taken.
        **column : str
            Another name of the column, by XenonPy's: ``composition="formula"``, ``structure="cell"``, ``mol="SMILES"``.

        Returns
        -------
        features : DataFrame of shape (n_samples, n_features_out)
            With the index of X.
        """
        check_on_errors(self.on_errors)
        labels = self._labels()
        X = self._structures(X, self._column_name(column) or getattr(self, "_renamed", None))
        features, rows = self._describe(as_column(X))
        features = handle_errors(features, rows, self.on_errors)
        return pd.DataFrame(features, index=X.index if hasattr(X, "iloc") else None, columns=labels)

    def get_feature_names_out(self, input_features=None):
        """Name the columns.

        Parameters
        ----------
        input_features : None
            Ignored; there as in every transformer of scikit-learn.

        Returns
        -------
        names : ndarray of str, of shape (n_features_out,)
        """
        return pd.Index(self._labels(), dtype=object).to_numpy(copy=True)

    @property
    def feature_labels(self):
        """The column names as a list, as in XenonPy."""
        return self._labels()

    def _column_name(self, column):
        """Return the name that a keyword gives the column, if there is one."""
        unknown = [key for key in column if key != self._column]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} knows the keyword {self._column}=, the name of a column of X, not {unknown[0]}="
            )
        return column.get(self._column)

    def _structures(self, X, renamed):
        """Pick the column of structures of a DataFrame."""
        columns = list(getattr(X, "columns", ()))
        name = self._column if self._column in columns else getattr(self, "target_col", None)
        name = name if renamed is None else renamed
        if name is not None and columns:
            if name not in columns:
                by = "target_col" if renamed is None else f"{self._column}="
                raise ValueError(f"X has no column {name!r}, which {by} names; it has {reprlib.repr(columns)}.")
            X = X[name]
        as_column(X)
        return X

    def _chosen(self, sets):
        """Names of the featurizers asked for, in the order of XenonPy's columns."""
        asked = self.featurizers
        names = sets.get(asked, (asked,)) if isinstance(asked, str) else asked
        if not isinstance(names, (list, tuple)) or not names or any(name not in self._featurizers for name in names):
            raise ValueError(
                f"featurizers must be {', '.join(map(repr, sets))}, or one or a list of "
                f"{', '.join(self._featurizers)}; got {asked!r}."
            )
        return [name for name in self._featurizers if name in names]

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags
