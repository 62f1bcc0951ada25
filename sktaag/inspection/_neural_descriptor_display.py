"""What each neuron says of each sample: the heat map of neural descriptors."""

import numpy as np
from matplotlib.gridspec import GridSpecFromSubplotSpec
from scipy.cluster.hierarchy import leaves_list, linkage
from sklearn.utils import check_consistent_length

from sktaag.inspection._axes import COLOURS, new_axes, with_unit


class NeuralDescriptorDisplay:
    """Heat map of neural descriptors: samples sorted by a property, neurons clustered within their layer.

    Columns that go from one colour to the other along the rows are neurons that the property could be read from.
    Make it by `from_estimator` or `from_features`.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_neurons)
        Frozen features.
    y : ndarray of shape (n_samples,)
        Property of the samples.
    layers : sequence of str, of shape (n_neurons,)
        Layer of each neuron; neurons of a layer are neighbours.
    name : str or None, default=None
        Name of the property.
    unit : str or None, default=None
        Its unit.

    Attributes
    ----------
    order_ : ndarray of int, of shape (n_neurons,)
        Columns from left to right; neurons that are the same for all samples are left out.
    rows_ : ndarray of int, of shape (n_samples,)
        Samples from the bottom (lowest property) to the top.
    ax_ : matplotlib.axes.Axes
        Axes of the heat map, after `plot`.
    figure_ : matplotlib.figure.Figure
        After `plot`.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019), Figure 2. :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from sktaag.inspection import NeuralDescriptorDisplay
    >>> features = np.random.RandomState(0).rand(20, 6)
    >>> display = NeuralDescriptorDisplay.from_features(features, features[:, 0], ["L(-2)"] * 4 + ["L(-1)"] * 2)
    >>> sorted(display.order_.tolist())
    [0, 1, 2, 3, 4, 5]
    >>> plt.close()
    """

    def __init__(self, features, y, layers, *, name=None, unit=None):
        self.features = features
        self.y = y
        self.layers = layers
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(cls, featurizer, X, y, *, name=None, unit=None, ax=None):
        """Run the structures through a featurizer and plot.

        Parameters
        ----------
        featurizer : FrozenFeaturizer or other fitted transformer
            Its ``get_feature_names_out`` names the columns ``layer_number``, as that of `FrozenFeaturizer` does.
        X : column of structures or array
        y : array-like of shape (n_samples,)
        name, unit : str or None, default=None
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : NeuralDescriptorDisplay
        """
        names = featurizer.get_feature_names_out()
        layers = [str(column).rpartition("_")[0] or str(column) for column in names]
        return cls.from_features(featurizer.transform(X), y, layers, name=name, unit=unit, ax=ax)

    @classmethod
    def from_features(cls, features, y, layers, *, name=None, unit=None, ax=None):
        """Plot features that are there.

        Parameters
        ----------
        features, y, layers, name, unit : object
            As in the constructor.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : NeuralDescriptorDisplay
        """
        features, y = np.asarray(features, dtype=float), np.asarray(y, dtype=float)
        check_consistent_length(features, y)
        if len(layers) != features.shape[1]:
            raise ValueError(f"layers names {len(layers)} neurons; features has {features.shape[1]}.")
        return cls(features, y, layers, name=name, unit=unit).plot(ax)

    def plot(self, ax=None, *, cmap="RdBu_r"):
        """Draw the map, with the property beside it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Its place is shared by the map and the property. None makes a figure.
        cmap : str or Colormap, default="RdBu_r"
            Colours from two standard deviations below the mean of a neuron to two above.

        Returns
        -------
        self : NeuralDescriptorDisplay
        """
        known = np.isfinite(self.y) & np.isfinite(self.features).all(axis=1)
        if known.sum() < 2:
            raise ValueError("Fewer than two samples have a property and features that are numbers; nothing to draw.")
        places = np.flatnonzero(known)
        self.rows_ = places[np.argsort(self.y[places], kind="stable")]
        spread = self.features[places].std(axis=0)
        scaled = (self.features - self.features[places].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        layers = np.asarray(self.layers)
        names = list(dict.fromkeys(layers))
        blocks = [_clustered(scaled[places], np.flatnonzero((layers == name) & (spread > 0))) for name in names]
        self.order_ = np.concatenate(blocks)

        ax = new_axes(ax, width=5.5)
        ax.axis("off")
        inner = GridSpecFromSubplotSpec(1, 2, ax.get_subplotspec(), width_ratios=(6, 1), wspace=0.05)
        heat = ax.figure.add_subplot(inner[0])
        beside = ax.figure.add_subplot(inner[1])
        n_rows = len(self.rows_)
        image = heat.imshow(
            scaled[np.ix_(self.rows_, self.order_)], cmap=cmap, vmin=-2, vmax=2, aspect="auto", origin="lower",
            interpolation="nearest", extent=(0, len(self.order_), 0, n_rows),
        )  # fmt: skip
        ends = np.cumsum([len(block) for block in blocks])
        for end in ends[:-1]:
            heat.axvline(end, color="black", linewidth=0.8)
        heat.set_xticks(ends - [len(block) / 2 for block in blocks], names, fontsize="x-small")
        heat.tick_params(axis="x", length=0, rotation=0 if len(names) <= 6 else 90)
        heat.set_yticks([])
        heat.set_xlabel("neurons by layer")
        heat.set_ylabel(f"{n_rows} samples, sorted")
        beside.plot(self.y[self.rows_], np.arange(n_rows) + 0.5, color=COLOURS[0], linewidth=1)
        beside.set(ylim=(0, n_rows), yticks=[])
        beside.yaxis.set_label_position("right")
        beside.set_ylabel(with_unit(self.name or "property", self.unit))
        beside.tick_params(axis="x", labelsize="x-small")
        bar = ax.figure.colorbar(image, ax=[heat, beside], location="top", shrink=0.5, aspect=30, ticks=(-2, 0, 2))
        bar.set_label("standardised output", fontsize="x-small")
        bar.ax.tick_params(labelsize="x-small")
        self.ax_, self.figure_ = heat, ax.figure
        return self


def _clustered(scaled, columns):
    """Order columns so that those which correlate are neighbours."""
    if len(columns) < 3:
        return columns
    return columns[leaves_list(linkage(scaled[:, columns].T, method="average", metric="euclidean"))]
