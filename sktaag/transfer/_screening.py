"""Cheap scores by which a search prunes its candidates before heads are fitted."""

import numpy as np
from sklearn.preprocessing import scale

from sktaag.model_selection import h_score, log_me, ridge_loo
from sktaag.transfer._fold_scores import fold_scores

N_BINS = 5  # of a numeric target, for the H-score


def screening_score(features, y, screen, classification):
    """Score one block of features; higher is better.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Rows with NaN are left out.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
    screen : {"log_me", "ridge", "h_score"}
    classification : bool
        Whether y holds classes.

    Returns
    -------
    score : float
        Minus infinity for features that are constant or nowhere finite.
    """
    finite = np.isfinite(features).all(axis=1)
    features, y = features[finite].astype(np.float64), y[finite]
    if len(features) < 2 or (np.ptp(features, axis=0) == 0).all():
        return -np.inf
    features = scale(features)
    if screen == "ridge":
        return ridge_loo(features, y, classification=classification)
    if screen == "log_me":
        return log_me(features, y, classification=classification, fit_intercept=True)
    return h_score(features, y, n_bins=None if classification else N_BINS)


def cheap_head_score(features, y, head, splits, scorer, error_score):
    """Mean score of a cheap head on the inner folds; minus infinity if it fails."""
    scores, *_ = fold_scores(head, features, y, splits, scorer, {}, {}, error_score)
    return float(np.nan_to_num(np.mean(scores), nan=-np.inf))
