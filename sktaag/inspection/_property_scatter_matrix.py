"""Every property against every other."""

import numpy as np
from matplotlib.gridspec import GridSpecFromSubplotSpec
from scipy.stats import spearmanr

from sktaag.inspection._axes import COLOURS, new_axes


class PropertyScatterMatrix:
    """Scatter of every pair of properties, with rank correlations above the diagonal.

    Properties that go together are candidates for source and target. Make it by `from_frame`.

    Parameters
    ----------
    frame : DataFrame
        Properties of the same structures as columns, units in their names; values may be missing.

    Attributes
    ----------
    correlations_ : ndarray of shape (n_properties, n_properties)
        Spearman's rank correlations over the rows that have both; NaN below three rows. After `plot`.
    ax_ : ndarray of matplotlib.axes.Axes, of shape (n_properties, n_properties)
        After `plot`.
    figure_ : matplotlib.figure.Figure
        After `plot`.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.inspection import PropertyScatterMatrix
    >>> frame = load_diabetes(as_frame=True).data[["bmi", "bp", "s1"]]
    >>> display = PropertyScatterMatrix.from_frame(frame)
    >>> display.correlations_.shape
    (3, 3)
    >>> plt.close()
    """

    def __init__(self, frame):
        self.frame = frame

    @classmethod
    def from_frame(cls, frame, *, ax=None):
        """Plot a table of properties.

        Parameters
        ----------
        frame : DataFrame
            As in the constructor.
        ax : matplotlib.axes.Axes or None, default=None
            Its place is shared by all plots.

        Returns
        -------
        display : PropertyScatterMatrix
        """
        return cls(frame).plot(ax)

    def plot(self, ax=None):
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        self : PropertyScatterMatrix
        """
        columns = list(self.frame.columns)
        n = len(columns)
        if n < 2:
            raise ValueError(f"A scatter matrix needs two properties at least, got {columns}.")
        values = self.frame.to_numpy(dtype=float)
        self.correlations_ = np.full((n, n), np.nan)
        ax = new_axes(ax, height=1.2 * n + 0.6, width=1.2 * n + 0.8)
        ax.axis("off")
        grid = GridSpecFromSubplotSpec(n, n, ax.get_subplotspec(), wspace=0.08, hspace=0.08)
        self.ax_ = np.empty((n, n), dtype=object)
        for i in range(n):
            for j in range(n):
                cell = self.ax_[i, j] = ax.figure.add_subplot(grid[i, j])
                both = np.isfinite(values[:, i]) & np.isfinite(values[:, j])
                x, y = values[both, j], values[both, i]
                if len(x) > 2:
                    self.correlations_[i, j] = 1.0 if i == j else spearmanr(x, y).statistic
                if i == j:
                    cell.hist(x, bins=15, color=COLOURS[0])
                elif i > j:
                    cell.scatter(x, y, s=5, color=COLOURS[0], alpha=0.6, linewidths=0)
                    cell.locator_params(nbins=3)
                else:
                    text = f"{self.correlations_[i, j]:.2f}\nn = {both.sum()}"
                    cell.text(0.5, 0.5, text, ha="center", va="center", transform=cell.transAxes, fontsize="small")
                cell.tick_params(labelsize="xx-small", labelbottom=i == n - 1, labelleft=j == 0 < i)
                if i < j:
                    cell.set(xticks=[], yticks=[])
                elif i == j:
                    cell.set_yticks([])
                if i == n - 1:
                    cell.set_xlabel(str(columns[j]).replace(" (", "\n("), fontsize="x-small")
                if j == 0:
                    cell.set_ylabel(str(columns[i]).replace(" (", "\n("), fontsize="x-small")
        self.figure_ = ax.figure
        return self
