"""XenonPy's scaler."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.preprocessing import MinMaxScaler, PowerTransformer, StandardScaler
from sklearn.utils.validation import check_array, check_is_fitted, validate_data


class Scaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scalers in a row, by XenonPy's names: ``Scaler().power_transformer().min_max()``.

    Each method adds a scaler and returns the `Scaler` itself. The clone of XenonPy's class has none of them and scales
    nothing in cross-validation; here they are a parameter.

    Parameters
    ----------
    scalers : sequence of transformers, default=()
        The scalers so far; the methods add to it. Without any, X stays as it is.

    Attributes
    ----------
    scalers_ : list of transformers
        The fitted scalers.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Their names, if X was a DataFrame.

    See Also
    --------
    sklearn.pipeline.make_pipeline : The same in scikit-learn's own manner.

    Notes
    -----
    XenonPy accepts ``tolerance`` and ``on_err`` for its power transformer and uses neither; they are not taken here.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktaag.xenonpy import Scaler
    >>> Scaler().log().min_max().fit_transform(pd.DataFrame({"x": [1.0, 10.0, 100.0]}))
         x
    0  0.0
    1  0.5
    2  1.0
    """

    def __init__(self, scalers=()):
        self.scalers = scalers

    def power_transformer(self, method="yeo-johnson", *, standardize=False, lmd=None):
        """Add a power transformation.

        Parameters
        ----------
        method : {"yeo-johnson", "box-cox"}, default="yeo-johnson"
            The second is for positive values.
        standardize : bool, default=False
            Scale to zero mean and unit variance as well.
        lmd : float, sequence of float or None, default=None
            The exponents of the columns; None fits them.

        Returns
        -------
        self : Scaler
        """
        return self._add(_PowerTransformer(method, standardize=standardize, lmd=lmd))

    def box_cox(self, *, standardize=False, lmd=None):
        """Add a Box-Cox transformation.

        Parameters
        ----------
        standardize, lmd : object
            As in `power_transformer`.

        Returns
        -------
        self : Scaler
        """
        return self.power_transformer("box-cox", standardize=standardize, lmd=lmd)

    def yeo_johnson(self, *, standardize=False, lmd=None):
        """Add a Yeo-Johnson transformation.

        Parameters
        ----------
        standardize, lmd : object
            As in `power_transformer`.

        Returns
        -------
        self : Scaler
        """
        return self.power_transformer("yeo-johnson", standardize=standardize, lmd=lmd)

    def min_max(self, *args, **kwargs):
        """Add a `sklearn.preprocessing.MinMaxScaler`.

        Parameters
        ----------
        *args, **kwargs : object
            Its parameters.

        Returns
        -------
        self : Scaler
        """
        return self._add(MinMaxScaler(*args, **kwargs))

    def standard(self, *args, **kwargs):
        """Add a `sklearn.preprocessing.StandardScaler`.

        Parameters
        ----------
        *args, **kwargs : object
            Its parameters.

        Returns
        -------
        self : Scaler
        """
        return self._add(StandardScaler(*args, **kwargs))

    def log(self):
        """Add the natural logarithm.

        Returns
        -------
        self : Scaler
        """
        return self.box_cox(lmd=0.0)

    def reset(self):
        """Take all scalers away."""
        self.scalers = ()

    def fit(self, X, y=None):
        """Fit the scalers one after the other.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Series
            Data; NaN is left aside.
        y : None
            Ignored.

        Returns
        -------
        self : Scaler
        """
        values = validate_data(self, _table(X), dtype=np.float64, ensure_all_finite="allow-nan")
        self.scalers_ = []
        for scaler in map(clone, self.scalers):
            values = scaler.fit_transform(values)
            self.scalers_.append(scaler)
        return self

    def transform(self, X):
        """Scale X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Series
            Data.

        Returns
        -------
        scaled : ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame for a DataFrame or Series, with its index.
        """
        check_is_fitted(self)
        table = _table(X)
        values = validate_data(self, table, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        for scaler in self.scalers_:
            values = scaler.transform(values)
        return _like(table, values)

    def inverse_transform(self, X):
        """Undo the scaling.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or Series
            Scaled data.

        Returns
        -------
        data : ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame for a DataFrame or Series, with its index.
        """
        check_is_fitted(self)
        table = _table(X)
        values = check_array(table, dtype=np.float64, ensure_all_finite="allow-nan")
        for scaler in self.scalers_[::-1]:
            values = scaler.inverse_transform(values)
        return _like(table, values)

    def _add(self, scaler):
        self.scalers = [*self.scalers, scaler]
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class _PowerTransformer(PowerTransformer):
    """scikit-learn's, with exponents that may be given, and constant columns that only move."""

    def __init__(self, method="yeo-johnson", *, standardize=False, lmd=None):
        super().__init__(method, standardize=standardize)
        self.lmd = lmd

    def fit(self, X, y=None):
        if self.lmd is None:
            super().fit(X, y)
        else:
            if self.standardize:
                raise ValueError("With lmd, standardize must be False. Add .standard() to the Scaler instead.")
            super().fit(X, y)
            self.lambdas_ = np.broadcast_to(np.asarray(self.lmd, float), (X.shape[1],)).copy()
        self.lambdas_[np.nanmin(X, axis=0) == np.nanmax(X, axis=0)] = 1.0
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)


def _table(X):
    return X.to_frame() if isinstance(X, pd.Series) else X


def _like(table, values):
    return pd.DataFrame(values, table.index, table.columns) if isinstance(table, pd.DataFrame) else values
