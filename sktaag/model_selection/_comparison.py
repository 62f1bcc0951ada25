"""What a comparison found, as tables and in words."""

from html import escape

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sktaag.model_selection._comparison_tables import describe_change


class Comparison(Bunch):
    """What `compare` returns: a Bunch whose entries are attributes too. It draws itself in a notebook.

    Values stand in their natural units: errors are positive, and smaller errors are better. Frames hold one row an
    observation.

    Attributes
    ----------
    scores : DataFrame
        One row for each model and fold: ``model``, ``fold``, ``n_train``, ``n_test``, one column for each metric,
        ``fit_time`` and ``score_time`` in seconds.
    predictions : DataFrame
        Out-of-fold predictions, one row for each model, fold and test row: ``model``, ``fold``, ``row`` (number of the
        row in the X that was given to `compare`), ``y_true``, ``y_pred``; for classifiers with probabilities
        ``proba_<class>`` too, for several targets ``target``.
    table : DataFrame
        One row for each model and metric: ``model``, ``metric``, ``mean``, ``low``, ``high`` (of its interval);
        ``difference`` to the baseline on the same folds, ``difference_low``, ``difference_high``; ``win_share``, the
        share of folds in which the model is better, ties counted half; ``win_probability``, that it is better in
        the mean; ``verdict``: "better", "worse", "no certain difference", "no interval" or "baseline".
    metrics : list of str
        The first one decides.
    lower_is_better : dict of str to bool
        Direction of each metric.
    baseline : str
        Model that the others are compared with.
    models : list of str
        All models, in their order.
    estimators : dict of str to estimator
        As given, not fitted. Functions have been called.
    sentences : dict of str to str
        For each model but the baseline, what came out, in words.
    negative_transfer : dict of str to bool
        For each model but the baseline, whether it is worse with certainty: its whole interval is.
    learning_curve : DataFrame or None
        One row for each model, size and fold: ``model``, ``n_train``, ``fold``, and the metrics. All training rows are
        the last size.
    overlap : DataFrame or None
        As `find_overlap` returns it; None if no `source_X` was given.
    excluded : list of int
        Rows of X that were left out because a source has seen them.
    X, y : ndarray
        The rows compared.
    rows : ndarray of int
        Their numbers in the X that was given.
    folds : list of (ndarray, ndarray)
        Training and test positions in `X` of each fold.
    classes : ndarray or None
        Classes, if the models are classifiers.
    target_name, unit : str or None
        For sentences and axes.
    settings : dict
        Parameters of the comparison, in words.
    seeds : dict of str to dict
        For each model, its parameters named ``random_state``.
    versions : dict of str to str
        Of Python and the libraries.
    wall_time : float
        Seconds of the whole comparison.

    See Also
    --------
    compare : Makes one.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.linear_model import Ridge
    >>> from sktaag.model_selection import compare
    >>> X, y = [[n, 1] for n in range(20)], [3.0 * n + n % 3 for n in range(20)]
    >>> result = compare({"mean": DummyRegressor(), "ridge": Ridge()}, X, y, cv=4)
    >>> result.negative_transfer
    {'ridge': False}
    >>> list(result.scores)[:6]
    ['model', 'fold', 'n_train', 'n_test', 'mean_absolute_error', 'r2']
    """

    def summary(self):
        """Return the table that one would print.

        Returns
        -------
        summary : DataFrame of str
            One row for each model: mean and half width of the interval of each metric, the difference to the baseline
            by the first metric, the probability that the model is better, and seconds for a fit.
        """
        frame = pd.DataFrame(index=pd.Index(self.models, name=None))
        for metric in self.metrics:
            rows = self._rows(metric)
            frame[metric] = [_with_half_width(row.mean, row.low, row.high) for row in rows.itertuples(index=False)]
        first = self._rows(self.metrics[0])
        frame["difference"] = ["" if name == self.baseline else self._change(first.loc[name]) for name in self.models]
        frame["win probability"] = ["" if np.isnan(p) else f"{p:.2f}" for p in first["win_probability"]]
        times = self.scores.groupby("model")["fit_time"].mean()
        frame["fit / s"] = [f"{times[name]:.2g}" for name in self.models]
        return frame

    def _rows(self, metric):
        """Rows of the table for one metric, by model."""
        return self.table[self.table["metric"] == metric].set_index("model", drop=False).loc[self.models]

    def _change(self, row):
        return describe_change(row, self._rows(row["metric"]).loc[self.baseline], self.lower_is_better[row["metric"]])

    def __repr__(self):
        parts = [self._title(), "", self.summary().to_string(), "", *self.sentences.values()]
        return "\n".join(parts + [note for note in [self.leak_guard()] if note])

    __str__ = __repr__

    def _title(self):
        what = f"{self.target_name}: " if self.target_name else ""
        unit = f" Errors in {self.unit}." if self.unit else ""
        folds = f"{len(self.folds)} fold{'s' * (len(self.folds) > 1)}"
        return (
            f"{what}{len(self.rows)} rows, {folds}, mean ± half of the {self.settings['confidence']:.0%} interval "
            f"({self.settings['interval']}); difference to {self.baseline} in {self.metrics[0]}.{unit}"
        )

    def leak_guard(self):
        """Say in words what sources and target share, and what was done about it.

        Returns
        -------
        sentences : str
            Empty if no `source_X` was given.
        """
        if self.overlap is None:
            return ""
        if not len(self.overlap):
            return "Leak guard: no structure is in a source and in X."
        counts = self.overlap.groupby("source", sort=False).size()
        names = ", ".join(f"{count} with {'it' if source == 0 else repr(source)}" for source, count in counts.items())
        shared = self.overlap["structure"].unique()
        shown = ", ".join(shared[:5]) + ", ..." * (len(shared) > 5)
        done = {
            "report": "They are still in both: test rows are not new to the models.",
            "filter": f"The {len(self.excluded)} rows of X that hold them were left out.",
            "retrain": "The sources were trained without them.",
        }[self.settings["exclude_overlap"]]
        sources = "the source" if list(counts.index) == [0] else "the sources"
        return f"Leak guard: X shares structures with {sources}, {names} ({shown}). {done}"

    def _repr_html_(self):
        sentences = "".join(
            f"<li{' style=color:#b00' if self.negative_transfer[name] else ''}>{escape(sentence)}</li>"
            for name, sentence in self.sentences.items()
        )
        guard = f"<p>{escape(self.leak_guard())}</p>" if self.overlap is not None else ""
        facts = {
            **self.settings,
            "seeds": self.seeds,
            "versions": self.versions,
            "wall time / s": f"{self.wall_time:.1f}",
        }
        details = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(str(fact))}</td></tr>" for name, fact in facts.items()
        )
        return (
            f"<div class='sktaag-comparison'><p>{escape(self._title())}</p>{self.summary().to_html(border=0)}"
            f"<ul>{sentences}</ul>{guard}<details><summary>Settings and versions</summary>"
            f"<table>{details}</table></details></div>"
        )


def _with_half_width(mean, low, high):
    return f"{mean:.3g}" if np.isnan(low) else f"{mean:.3g} ± {(high - low) / 2:.2g}"
