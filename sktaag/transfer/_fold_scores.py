"""Score one candidate of a search on every fold."""

import time
import traceback

import numpy as np
from sklearn.base import clone


def fold_scores(estimator, X, y, splits, scorer, fit_params, score_params, error_score, respond=None):
    """Fit a clone to the training rows of each fold and score it on its test rows.

    Parameters
    ----------
    estimator : estimator
    X : ndarray, sparse matrix or DataFrame
        Features of the candidate.
    y : ndarray
    splits : list of (ndarray, ndarray)
        Row numbers for training and test.
    scorer : callable
    fit_params, score_params : dict
        Those as long as X are sliced with it.
    error_score : "raise" or float
    respond : callable or None, default=None
        Called with each fitted clone and its test rows.

    Returns
    -------
    scores, fit_times, score_times : list of float
        One of each for each fold, times in seconds.
    responses : list
        What `respond` returned; None for folds that failed, and without it.
    failures : list of str
        Tracebacks of the folds that failed.
    """
    scores, fit_times, score_times, responses, failures = [], [], [], [], []
    for train, test in splits:
        start = fitted_at = time.perf_counter()
        response = None
        try:
            fitted = clone(estimator).fit(take_rows(X, train), y[train], **_take_params(fit_params, train, len(y)))
            fitted_at = time.perf_counter()
            score = scorer(fitted, take_rows(X, test), y[test], **_take_params(score_params, test, len(y)))
            response = respond and respond(fitted, take_rows(X, test))
        except Exception:
            if error_score == "raise":
                raise
            score = error_score
            failures.append(traceback.format_exc())
        scores.append(float(score))
        fit_times.append(fitted_at - start)
        score_times.append(time.perf_counter() - fitted_at)
        responses.append(response)
    return scores, fit_times, score_times, responses, failures


def take_rows(X, rows):
    """Return some rows of an array, sparse matrix or DataFrame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _take_params(params, rows, n_rows):
    def is_column(value):
        return hasattr(value, "__len__") and not isinstance(value, (str, dict)) and len(value) == n_rows

    return {name: np.asarray(value)[rows] if is_column(value) else value for name, value in params.items()}
