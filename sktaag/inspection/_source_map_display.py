"""Which source helps which target."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from sktaag.inspection._axes import GREY, new_axes, style_of


class SourceMapDisplay:
    """Errors of transferred models over all source networks.

    As a scatter: is a network that is better on its own property also the better source? As a matrix: which property
    helps which? Make it by `from_estimator` or `from_frame`.

    Parameters
    ----------
    frame : DataFrame
        A row for each network and target, with columns ``source`` (property that the network was trained on),
        ``target``, ``target_error`` and, for the scatter, ``source_error``; for the matrix, ``direct_error``, the error
        without transfer.

    Attributes
    ----------
    matrix_ : DataFrame of shape (n_sources, n_targets)
        Median over the networks of ``target_error / direct_error``, after ``plot(kind="matrix")``.
    ax_ : matplotlib.axes.Axes
        After `plot`.
    figure_ : matplotlib.figure.Figure
        After `plot`.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019), Figure 2. :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from sktaag.inspection import SourceMapDisplay
    >>> frame = pd.DataFrame(
    ...     {
    ...         "source": ["density", "density", "melting point"],
    ...         "target": "refractive index",
    ...         "target_error": [0.031, 0.028, 0.040],
    ...         "direct_error": 0.035,
    ...     }
    ... )
    >>> display = SourceMapDisplay.from_frame(frame, kind="matrix")
    >>> print(display.matrix_.round(2).loc["density", "refractive index"])
    0.84
    >>> plt.close()
    """

    def __init__(self, frame):
        self.frame = frame

    @classmethod
    def from_estimator(cls, search, *, source_errors=None, properties=None, target="target", kind=None, ax=None):
        """Plot what a fitted search tried.

        Parameters
        ----------
        search : SourceSearchCV
            Fitted, with a scorer whose sign is that of an error, such as ``"neg_mean_absolute_error"``.
        source_errors : dict or None, default=None
            Held-out error of each source on its own property, by its key, id or place in the search.
        properties : dict or None, default=None
            Property of each source, likewise; None takes the keys themselves.
        target : str, default="target"
            Name of the target.
        kind : {"scatter", "matrix"} or None, default=None
            None is the scatter if there are `source_errors`.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : SourceMapDisplay
        """
        results = pd.DataFrame(
            {"key": list(search.cv_results_["param_source"]), "target_error": -search.cv_results_["mean_test_score"]}
        )
        direct = results["key"].isna() | results["key"].map(lambda key: key is np.ma.masked)
        frame = results[~direct].groupby("key", sort=False)["target_error"].min().reset_index()
        frame["source"] = frame["key"].map(lambda key: (properties or {}).get(key, str(key)))
        frame["target"] = target
        frame["direct_error"] = results.loc[direct, "target_error"].min()
        if source_errors is not None:
            frame["source_error"] = frame["key"].map(source_errors)
        return cls.from_frame(frame, kind=kind, ax=ax)

    @classmethod
    def from_frame(cls, frame, *, kind=None, ax=None):
        """Plot a table of errors.

        Parameters
        ----------
        frame : DataFrame
            As in the constructor.
        kind : {"scatter", "matrix"} or None, default=None
            None is the scatter if there is a column ``source_error``.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : SourceMapDisplay
        """
        if kind is None:
            kind = "scatter" if "source_error" in frame else "matrix"
        return cls(frame).plot(ax, kind=kind)

    def plot(self, ax=None, *, kind="scatter"):
        """Draw the scatter or the matrix.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
        kind : {"scatter", "matrix"}, default="scatter"

        Returns
        -------
        self : SourceMapDisplay
        """
        draw = {"scatter": self._scatter, "matrix": self._matrix}
        if kind not in draw:
            raise ValueError(f'kind must be "scatter" or "matrix", got {kind!r}.')
        needed = {"source", "target", "target_error", "source_error" if kind == "scatter" else "direct_error"}
        if missing := sorted(needed.difference(self.frame.columns)):
            raise ValueError(f"The {kind} needs the columns {', '.join(missing)}, which the frame does not have.")
        self.ax_ = draw[kind](ax)
        self.figure_ = self.ax_.figure
        return self

    def _scatter(self, ax):
        ax = new_axes(ax)
        for i, (source, rows) in enumerate(self.frame.groupby("source", sort=False)):
            colour, marker = style_of(i)
            label = source
            if len(rows) > 2:
                label += f" ({spearmanr(rows['source_error'], rows['target_error']).statistic:+.2f})"
            ax.scatter(
                rows["source_error"], rows["target_error"], s=16, color=colour, marker=marker, alpha=0.8, label=label,
                edgecolors="white", linewidths=0.3,
            )  # fmt: skip
        if "direct_error" in self.frame:
            ax.axhline(self.frame["direct_error"].iloc[0], color=GREY, linestyle="--", linewidth=1, label="direct")
        ax.set_xlabel("error of the network on its source")
        ax.set_ylabel("error on the target")
        if self.frame["source"].nunique() <= 12:
            ax.legend(
                loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="x-small", handletextpad=0.2,
                title="source (rank correlation)", title_fontsize="x-small",
            )  # fmt: skip
        return ax

    def _matrix(self, ax):
        relative = self.frame.assign(relative=self.frame["target_error"] / self.frame["direct_error"])
        self.matrix_ = relative.pivot_table(
            index="source", columns="target", values="relative", aggfunc="median", sort=False
        )
        n_sources, n_targets = self.matrix_.shape
        ax = new_axes(ax, height=1.6 + 0.28 * n_sources, width=2.6 + 0.5 * n_targets)
        values = self.matrix_.to_numpy()
        image = ax.imshow(values, cmap="PuOr_r", vmin=0.5, vmax=1.5, aspect="auto")
        for row, column in np.argwhere(np.isfinite(values)):
            value = values[row, column]
            colour = "white" if abs(value - 1) > 0.35 else "black"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize="x-small")
        ax.set_xticks(range(n_targets), self.matrix_.columns, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(n_sources), self.matrix_.index)
        ax.tick_params(labelsize="small", length=0)
        bar = ax.figure.colorbar(image, ax=ax, extend="both", ticks=(0.5, 1, 1.5))
        bar.set_label("error / direct error", fontsize="small")
        return ax
