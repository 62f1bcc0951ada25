"""Predicted against measured values."""

import numpy as np
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length

from sktaag.inspection._axes import GREY, new_axes, style_of, with_unit
from sktaag.structures import as_column


class ParityDisplay:
    """Predicted against measured values, with the errors in the corner.

    Make it by `from_estimator` or `from_predictions`.

    Parameters
    ----------
    y_true : array-like of shape (n_points,)
        Measured values.
    y_pred : array-like of shape (n_points,)
        Predicted values. Rows whose prediction is NaN are left out and counted.
    labels : array-like of shape (n_points,) or None, default=None
        Fold or group of each point.
    train : tuple of (y_true, y_pred) or None, default=None
        Points that the model was fitted to.
    name : str or None, default=None
        What is predicted, for the axes.
    unit : str or None, default=None
        Its unit.

    Attributes
    ----------
    mae_ : float
        Mean absolute error of the points, those of `train` left out.
    r2_ : float
        Coefficient of determination; NaN for fewer than two points.
    ax_ : matplotlib.axes.Axes
        After `plot`.
    figure_ : matplotlib.figure.Figure
        After `plot`.

    See Also
    --------
    sklearn.metrics.PredictionErrorDisplay : The same and residuals, without folds and units.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sktaag.inspection import ParityDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> display = ParityDisplay.from_estimator(Ridge(), X, y, cv=5, name="progression")
    >>> round(display.r2_, 2)
    0.42
    >>> plt.close()
    """

    def __init__(self, y_true, y_pred, *, labels=None, train=None, name=None, unit=None):
        self.y_true = y_true
        self.y_pred = y_pred
        self.labels = labels
        self.train = train
        self.name = name
        self.unit = unit

    @classmethod
    def from_estimator(cls, estimator, X, y, *, cv=None, groups=None, train=False, name=None, unit=None, ax=None):
        """Predict and plot.

        Parameters
        ----------
        estimator : estimator
            Fitted if `cv` is None; else it is cloned and fitted in each fold.
        X : array-like or column of structures
        y : array-like of shape (n_samples,)
        cv : int, splitter, iterable or None, default=None
            Predict each row with the model of a fold that did not see it, as often as it is in a test fold.
        groups : array-like of shape (n_samples,) or None, default=None
            Colours the points, and goes to the splitter. None colours by fold (by repeat, if each row is in several).
        train : bool, default=False
            Show in grey what the models of the folds say of the rows that they were fitted to; needs `cv`.
        name, unit : str or None, default=None
            For the axes.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : ParityDisplay
        """
        X = as_rows(X)
        y = np.asarray(y, dtype=float)
        check_consistent_length(X, y, groups)
        if train and cv is None:
            raise ValueError("train=True shows the rows that the models of the folds were fitted to: pass cv as well.")
        if cv is None:
            folds = [(np.arange(0), np.arange(len(y)))]
            models = [estimator]
        else:
            folds = list(check_cv(cv, y).split(X, y, groups))
            models = [clone(estimator).fit(_take(X, fitted), y[fitted]) for fitted, _ in folds]
        tests = [test for _, test in folds]
        predicted = [model.predict(_take(X, test)) for model, test in zip(models, tests, strict=True)]
        labels = None
        if groups is not None:
            labels = np.asarray(groups)[np.concatenate(tests)]
        elif len(folds) > 1:
            labels = _fold_labels(tests, len(y))
        fitted_points = None
        if train:
            rows = [fitted for fitted, _ in folds]
            said = [model.predict(_take(X, fitted)) for model, fitted in zip(models, rows, strict=True)]
            fitted_points = y[np.concatenate(rows)], np.concatenate(said)
        y_true, y_pred = y[np.concatenate(tests)], np.concatenate(predicted)
        return cls(y_true, y_pred, labels=labels, train=fitted_points, name=name, unit=unit).plot(ax)

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, labels=None, train=None, name=None, unit=None, ax=None):
        """Plot predictions that are there.

        Parameters
        ----------
        y_true, y_pred, labels, train, name, unit : object
            As in the constructor.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : ParityDisplay
        """
        check_consistent_length(y_true, y_pred, labels)
        return cls(y_true, y_pred, labels=labels, train=train, name=name, unit=unit).plot(ax)

    def plot(self, ax=None):
        """Draw the points, the diagonal and the errors.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            None makes a figure.

        Returns
        -------
        self : ParityDisplay
        """
        y_true, y_pred = np.asarray(self.y_true, dtype=float), np.asarray(self.y_pred, dtype=float)
        labels = np.zeros(len(y_true)) if self.labels is None else np.asarray(self.labels)
        known = np.isfinite(y_true) & np.isfinite(y_pred)
        if not known.any():
            raise ValueError("No point has both a measured and a predicted value that is a number; nothing to draw.")
        self.mae_ = float(mean_absolute_error(y_true[known], y_pred[known]))
        self.r2_ = float(r2_score(y_true[known], y_pred[known])) if known.sum() > 1 else float("nan")

        ax = new_axes(ax)
        shown = [y_true[known], y_pred[known]]
        if self.train is not None:
            fitted = [np.asarray(values, dtype=float) for values in self.train]
            ax.scatter(*fitted, s=8, color=GREY, alpha=0.5, linewidths=0, label="fitted to")
            shown += [values[np.isfinite(values)] for values in fitted]
        kinds = np.unique(labels[known])
        for i, label in enumerate(kinds):
            colour, marker = style_of(i)
            chosen = known & (labels == label)
            ax.scatter(
                y_true[chosen], y_pred[chosen], s=18, color=colour, marker=marker, alpha=0.8, edgecolors="white",
                linewidths=0.4, label=str(label) if self.labels is not None else None,
            )  # fmt: skip
        low, high = min(map(np.min, shown)), max(map(np.max, shown))
        margin = 0.05 * (high - low or 1.0)
        limits = low - margin, high + margin
        ax.plot(limits, limits, color=GREY, linewidth=1, zorder=0)
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        missing = f"\n{(~known).sum()} without prediction" if not known.all() else ""
        ax.text(
            0.04, 0.96, f"MAE {self.mae_:.3g}\n$R^2$ {self.r2_:.2f}\nn = {known.sum()}{missing}",
            transform=ax.transAxes, va="top", fontsize="small",
        )  # fmt: skip
        name = self.name or "value"
        ax.set_xlabel(with_unit(f"measured {name}", self.unit))
        ax.set_ylabel(with_unit(f"predicted {name}", self.unit))
        if (self.labels is not None and len(kinds) <= 8) or self.train is not None:
            ax.legend(loc="lower right", fontsize="x-small", handletextpad=0.1, borderpad=0.3)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def as_rows(X):
    """Keep frames and matrices, and make lists of structures a column."""
    return X if hasattr(X, "iloc") or getattr(X, "ndim", 1) == 2 else as_column(X)


def _take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _fold_labels(tests, n_rows):
    """Name the folds, or the repeats where every row is in several folds."""
    seen, labels = np.zeros(n_rows, dtype=int), []
    for fold, test in enumerate(tests, start=1):
        seen[test] += 1
        labels += [(f"fold {fold}", f"repeat {seen[test].max()}")] * len(test)
    return np.array([repeat if seen.max() > 1 else fold for fold, repeat in labels])
