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

    def fit(self, X, y=None):
        """Check the parameters and the form of X; nothing is learned.

        Parameters
        ----------
        X : column of shape (n_samples,) or DataFrame
            As for `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_on_errors(self.on_errors)
        self._labels()
        self._structures(X)
        self.n_features_in_ = 1
        return self

    def transform(self, X):
        """Compute one row for each structure.

        Parameters
        ----------
        X : column of shape (n_samples,) or DataFrame
            List, tuple, array, Series or one-column DataFrame of structures. Of a larger DataFrame, the column that
            has XenonPy's name for it is taken.

        Returns
        -------
        features : DataFrame of shape (n_samples, n_features_out)
            With the index of X.
        """
        check_on_errors(self.on_errors)
        labels = self._labels()
        X = self._structures(X)
        column = as_column(X)
        features, rows = self._describe(column)
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

    def _structures(self, X):
        """Pick the column of structures of a DataFrame."""
        name = getattr(self, "target_col", None)
        columns = list(getattr(X, "columns", ()))
        name = self._column if self._column in columns else name
        if name is not None and columns:
            if name not in columns:
                raise ValueError(f"X has no column {name!r}, which target_col names; it has {reprlib.repr(columns)}.")
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
