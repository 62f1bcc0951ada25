"""XenonPy's heat map of descriptors."""

import inspect

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from sktaag.xenonpy._scaler import Scaler
from sktaag.xenonpy._upstream import DescriptorHeatmap as _DescriptorHeatmap


class DescriptorHeatmap(_DescriptorHeatmap):
    """Clustered heat map of descriptors, with the property of the samples beside it.

    Parameters
    ----------
    save : dict or None, default=None
        Arguments of `matplotlib.pyplot.savefig`, such as ``{"fname": "map.png"}``.
    bc : bool, default=False
        Make each column more normal by a Yeo-Johnson transformation, after scaling it to [0, 1].
    cmap : str, default="RdBu"
        Colours.
    pivot_kws, method, metric, figsize, row_cluster, col_cluster, row_linkage, col_linkage, row_colors, col_colors, \
    mask : object
        As in `seaborn.clustermap`. (XenonPy passes on five of them and leaves the rest aside.)
    **kwargs : object
        Other arguments of `seaborn.clustermap`.

    Attributes
    ----------
    desc_ : ndarray or DataFrame of shape (n_samples, n_features)
        The scaled descriptors; `desc` by XenonPy's name.

    Raises
    ------
    ValueError
        In `fit`, if a descriptor is NaN or infinite.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from sktaag.xenonpy import DescriptorHeatmap
    >>> X = np.random.RandomState(0).rand(10, 4)
    >>> order = DescriptorHeatmap(figsize=(4, 3)).fit(X).draw(X[:, 0], "Cp", return_sorted_idx=True)
    >>> sorted(order)
    [0, 1, 2, 3]
    >>> plt.close()
    """

    def __init__(
        self,
        save=None,
        bc=False,
        cmap="RdBu",
        pivot_kws=None,
        method="average",
        metric="euclidean",
        figsize=None,
        row_cluster=False,
        col_cluster=True,
        row_linkage=None,
        col_linkage=None,
        row_colors=None,
        col_colors=None,
        mask=None,
        **kwargs,
    ):
        self.save = save
        self.bc = bc
        self.cmap = cmap
        self.pivot_kws = pivot_kws
        self.method = method
        self.metric = metric
        self.figsize = figsize
        self.row_cluster = row_cluster
        self.col_cluster = col_cluster
        self.row_linkage = row_linkage
        self.col_linkage = col_linkage
        self.row_colors = row_colors
        self.col_colors = col_colors
        self.mask = mask
        self._kwargs = kwargs

    @property
    def kwargs(self):
        """What XenonPy's `draw` passes on besides the five arguments that it knows."""
        known = ("pivot_kws", "metric", "row_linkage", "col_linkage", "row_colors", "col_colors", "mask")
        return {name: getattr(self, name) for name in known} | self._kwargs

    @property
    def desc(self):
        """The scaled descriptors, None before `fit`."""
        return getattr(self, "desc_", None)

    def fit(self, desc, y=None):
        """Scale the descriptors.

        Parameters
        ----------
        desc : array-like of shape (n_samples, n_features)
            Descriptors, the samples in the order in which they shall be drawn.
        y : None
            Ignored.

        Returns
        -------
        self : DescriptorHeatmap
        """
        validate_data(self, desc)
        scaler = Scaler().min_max()
        self.desc_ = (scaler.yeo_johnson() if self.bc else scaler).fit_transform(desc)
        return self

    def draw(self, y=None, name=None, *, return_sorted_idx=False):
        """Draw the map on a new figure of matplotlib.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or None, default=None
            Property of the samples, drawn beside the map.
        name : str or None, default=None
            Name of the property.
        return_sorted_idx : bool, default=False
            Return the order of the columns.

        Returns
        -------
        order : list of int or None
            Places of the columns, from left to right.
        """
        check_is_fitted(self)
        return super().draw(y, name, return_sorted_idx=return_sorted_idx)

    def get_params(self, deep=True):
        """Return the parameters, with the arguments for seaborn.

        Parameters
        ----------
        deep : bool, default=True
            Ignored.

        Returns
        -------
        params : dict
        """
        return super().get_params(deep=False) | self._kwargs

    def set_params(self, **params):
        """Set parameters; others than those of the constructor are arguments for seaborn.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : DescriptorHeatmap
        """
        named = set(inspect.signature(type(self)).parameters) - {"kwargs"}
        self._kwargs = self._kwargs | {name: value for name, value in params.items() if name not in named}
        return BaseEstimator.set_params(self, **{name: value for name, value in params.items() if name in named})
