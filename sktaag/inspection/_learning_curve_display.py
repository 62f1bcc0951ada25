"""Error against the number of samples, with and without transfer."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv, learning_curve

from sktaag.inspection._axes import new_axes, style_of, with_unit
from sktaag.inspection._parity_display import as_rows


class LearningCurveDisplay:
    """Held-out score against the number of samples that were fitted, one line for each model.

    Where the lines meet, transfer no longer pays. Make it by `from_estimators`, or by `from_comparison` of what
    `sktaag.model_selection.compare` found already.

    Parameters
    ----------
    train_sizes : ndarray of shape (n_sizes,)
        Numbers of samples.
    scores : dict of str to ndarray of shape (n_sizes, n_folds)
        Held-out scores of each model, NaN where a fold has none.
    score_name : str, default="score"
        Name of the scores.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        After `plot`.
    figure_ : matplotlib.figure.Figure
        After `plot`.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : The curve of one estimator.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> from sktaag.inspection import LearningCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = {"direct": LinearRegression(), "shrunk": Ridge(0.1)}
    >>> display = LearningCurveDisplay.from_estimators(models, X, y, train_sizes=[20, 50, 100])
    >>> display.scores["shrunk"].shape
    (3, 5)
    >>> plt.close()
    """

    def __init__(self, train_sizes, scores, *, score_name="score"):
        self.train_sizes = train_sizes
        self.scores = scores
        self.score_name = score_name

    @classmethod
    def from_estimators(
        cls, estimators, X, y, *, train_sizes=(0.2, 0.4, 0.6, 0.8, 1.0), cv=5, scoring=None, score_name=None,
        groups=None, n_jobs=None, random_state=0, ax=None,
    ):  # fmt: skip
        """Fit the models to growing parts of the training folds and plot.

        Parameters
        ----------
        estimators : dict of str to estimator
            The models, the direct one among them.
        X : array-like or column of structures
        y : array-like of shape (n_samples,)
        train_sizes : array-like, default=(0.2, 0.4, 0.6, 0.8, 1.0)
            Numbers, or shares of the training folds.
        cv : int or splitter, default=5
        scoring : str, callable or None, default=None
            As in `sklearn.model_selection.learning_curve`.
        score_name : str or None, default=None
            For the axis, with its unit. None is the name of the scoring.
        groups : array-like or None, default=None
            For the splitter.
        n_jobs : int or None, default=None
        random_state : int, default=0
            Shuffles the training folds, the same way for every model.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : LearningCurveDisplay
        """
        X, scores = as_rows(X), {}
        folds = list(check_cv(cv, y, classifier=is_classifier(next(iter(estimators.values())))).split(X, y, groups))
        for name, estimator in estimators.items():
            train_sizes_abs, _, scores[name] = learning_curve(
                estimator, X, y, train_sizes=train_sizes, cv=folds, scoring=scoring, shuffle=True,
                random_state=random_state, n_jobs=n_jobs, error_score="raise",
            )  # fmt: skip
        score_name = score_name or (scoring if isinstance(scoring, str) else "score")
        return cls(train_sizes_abs, scores, score_name=score_name).plot(ax)

    @classmethod
    def from_comparison(cls, comparison, *, metric=None, ax=None):
        """Plot the learning curve of a comparison.

        Parameters
        ----------
        comparison : sktaag.model_selection.Comparison
            Made with ``learning_curve=``.
        metric : str or None, default=None
            One of its metrics. None is the first, which decides.
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        display : LearningCurveDisplay

        Raises
        ------
        ValueError
            If it has no learning curve, or no such metric.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import LinearRegression, Ridge
        >>> from sktaag.inspection import LearningCurveDisplay
        >>> from sktaag.model_selection import compare
        >>> X, y = load_diabetes(return_X_y=True)
        >>> found = compare({"direct": LinearRegression(), "shrunk": Ridge(0.1)}, X, y, learning_curve=[20, 50])
        >>> LearningCurveDisplay.from_comparison(found).train_sizes
        array([ 20. ,  50. , 353.6])
        >>> plt.close()
        """
        return cls._of_comparison(comparison, metric).plot(ax)

    @classmethod
    def _of_comparison(cls, comparison, metric=None):
        """Return what `from_comparison` plots, not plotted."""
        metric, curve = metric or comparison.metrics[0], comparison.learning_curve
        if curve is None:
            raise ValueError("The comparison has no learning curve. Call compare with learning_curve=[0.25, 0.5].")
        if metric not in comparison.metrics:
            raise ValueError(f"metric must be one of {', '.join(comparison.metrics)}, got {metric!r}.")
        # folds may differ by a row: their sizes are matched by place, from the smallest on
        place = curve.groupby(["model", "fold"])["n_train"].rank("dense")
        curve = curve.assign(place=place)
        scores = {
            model: curve[curve["model"] == model].pivot_table(index="place", columns="fold", values=metric).to_numpy()
            for model in comparison.models
        }
        unit = comparison.unit if comparison.lower_is_better[metric] else None
        sizes = curve.groupby("place")["n_train"].mean().to_numpy()
        return cls(sizes, scores, score_name=with_unit(metric.replace("_", " "), unit))

    def lines(self):
        """Compute what is drawn.

        Returns
        -------
        lines : dict of str to (ndarray, ndarray), each of shape (n_sizes,)
            For each model, the mean over the folds and its standard error, 0 of a single fold. Scores whose name begins
            with ``neg_`` are turned into errors.
        """
        sign, lines = -1 if str(self.score_name).startswith("neg_") else 1, {}
        for model, scores in self.scores.items():
            values = sign * np.ma.masked_invalid(scores)
            count = values.count(axis=1)
            error = values.std(axis=1) / np.sqrt(np.maximum(count - 1, 1))
            lines[model] = values.mean(axis=1).filled(np.nan), error.filled(np.nan)
        return lines

    def plot(self, ax=None):
        """Draw the lines, with the standard error over the folds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None

        Returns
        -------
        self : LearningCurveDisplay
        """
        ax = new_axes(ax)
        name = str(self.score_name)
        for i, (model, (mean, error)) in enumerate(self.lines().items()):
            colour, marker = style_of(i)
            ax.plot(self.train_sizes, mean, color=colour, marker=marker, markersize=4, linewidth=1.2, label=model)
            ax.fill_between(self.train_sizes, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
        ax.set_xlabel("samples fitted to")
        ax.set_ylabel(name.removeprefix("neg_").replace("_", " "))
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
