"""Intervals for means over folds, which are not independent."""

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

_N_BOOTSTRAPS = 1000


def corrected_t(values, test_share, confidence):
    """Mean over folds, its interval, and the probability that it is positive.

    Corrected resampled t: C. Nadeau, Y. Bengio, Mach. Learn. 52, 239 (2003), doi 10.1023/A:1024068626366. The training
    sets of folds overlap, for which the variance of the mean is raised from 1/J to 1/J + n_test/n_train. The
    probability is that of the correlated Bayesian t test with the same variance: G. Corani, A. Benavoli, Mach. Learn.
    100, 285 (2015), doi 10.1007/s10994-015-5486-z.

    Parameters
    ----------
    values : ndarray of shape (n_folds,)
        One for each fold; those that are not finite are left out.
    test_share : float
        n_test / n_train.
    confidence : float
        Of the interval.

    Returns
    -------
    mean, low, high, probability : float
        The last three are NaN for a single fold.
    """
    values = values[np.isfinite(values)]
    n_folds = len(values)
    if n_folds == 0:
        return (np.nan,) * 4
    mean = values.mean()
    if n_folds == 1:
        return mean, np.nan, np.nan, np.nan
    error = np.sqrt(values.var(ddof=1) * (1 / n_folds + test_share))
    half = student_t.ppf((1 + confidence) / 2, n_folds - 1) * error
    probability = student_t.cdf(mean / error, n_folds - 1) if error > 0 else 0.5 * (1 + np.sign(mean))
    return mean, mean - half, mean + half, float(probability)


def bootstrap_scores(responses, y, positions, scorers, rng):
    """Scores of all out-of-fold predictions together, and of those of rows drawn with replacement.

    Parameters
    ----------
    responses : dict of str to list of dict
        For each model, what `predict` and its like returned for each fold.
    y : ndarray
        Target of all rows.
    positions : list of ndarray
        Test rows of each fold.
    scorers : dict of str to callable
        Signed as scikit-learn's: greater is better.
    rng : RandomState

    Returns
    -------
    scores : dict of str to ndarray of shape (1 + n_bootstraps, n_scorers)
        The first row holds the scores of all rows. The others are the same draws for all models.
    """
    rows = np.concatenate(positions)
    places = [np.flatnonzero(rows == row) for row in range(len(y))]  # a row is predicted once in each repeat
    tested = np.unique(rows)
    draws = [np.arange(len(rows))]
    draws += [np.concatenate([places[row] for row in rng.choice(tested, len(tested))]) for _ in range(_N_BOOTSTRAPS)]
    scores = {}
    for name, parts in responses.items():
        stored = stored_responses(parts, classes=parts[0].get("classes"))
        scores[name] = np.array(
            [[scorer(stored, draw, y[rows[draw]]) for scorer in scorers.values()] for draw in draws], dtype=float
        )
    return scores


def stored_responses(parts, classes):
    """Make an estimator that answers with what was predicted: its X is the place of each prediction."""
    if classes is not None:
        every = np.unique(np.concatenate([part["classes"] for part in parts]))
        for fold, part in enumerate(parts):
            if len(part["classes"]) < len(every):
                missing = np.setdiff1d(every, part["classes"])[0]
                raise ValueError(f"Training fold {fold} lacks class '{missing}'. Use StratifiedKFold, or fewer folds.")
    methods = [method for method in parts[0] if method != "classes"]
    answers = {method: np.concatenate([part[method] for part in parts]) for method in methods}
    if classes is None:
        return _StoredRegressor(answers)
    stored = _StoredClassifier(answers)
    stored.classes_ = classes
    return stored


class _Stored(BaseEstimator):
    def __init__(self, answers):
        self.answers = answers

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        return self.answers["predict"][X]

    @available_if(lambda self: "predict_proba" in self.answers)
    def predict_proba(self, X):
        return self.answers["predict_proba"][X]

    @available_if(lambda self: "decision_function" in self.answers)
    def decision_function(self, X):
        return self.answers["decision_function"][X]


class _StoredRegressor(RegressorMixin, _Stored):
    pass


class _StoredClassifier(ClassifierMixin, _Stored):
    pass
