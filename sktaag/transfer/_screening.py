"""Cheap scores by which a search prunes its sources before heads are fitted."""

from math import ceil
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import scale

from sktaag.model_selection import log_me, ridge_loo
from sktaag.transfer._fold_scores import fold_scores

SCORES = ("log_me", "ridge")
_SHARES_OF_TREES = (1 / 50, 1 / 10)  # of the head, in the rounds of "halving"


def check_screen(screen):
    """Complain about a `screen` that is none."""
    several = isinstance(screen, (list, tuple)) and len(screen) > 0
    for one in screen if several else [screen]:
        name = one if isinstance(one, str) else None
        alone = one is None or is_positive(one) or name == "halving"
        if not (hasattr(one, "fit") or name in SCORES or (alone and not several)):
            raise ValueError(
                "screen must be None, 'log_me', 'ridge', 'halving', a positive integer, an estimator, or a list of "
                f"'log_me', 'ridge' and estimators, got {screen!r}."
            )


def is_positive(value):
    """Tell whether a value is a positive integer."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def screening_rounds(screen, heads):
    """List the score of each round.

    Parameters
    ----------
    screen : str, int, estimator or list of these
        As the `screen` of `SourceSearchCV`.
    heads : list of estimators

    Returns
    -------
    rounds : list of str or estimator
        Names in `SCORES`, or cheap heads.

    Raises
    ------
    ValueError
        If "halving" finds no head of trees.
    """
    if isinstance(screen, (list, tuple)):
        return list(screen)
    if not isinstance(screen, str) or screen != "halving":
        return [screen]
    for head in heads:
        names = [name for name in head.get_params() if name.split("__")[-1] == "n_estimators"]
        if names:
            trees = head.get_params()[names[0]]
            grown = [max(2, round(share * trees)) for share in _SHARES_OF_TREES]
            return ["log_me", *(clone(head).set_params(**{names[0]: n}) for n in grown)]
    raise ValueError(
        'screen="halving" lets trees grow, and no head has n_estimators. Take "log_me", or a list of cheap heads.'
    )


def sizes_of_rounds(n_offers, n_kept, n_rounds):
    """Say how many pass each round, about the same share of those that enter it; at least one."""
    n_kept = min(n_kept, n_offers)
    shares = ((n_kept / n_offers) ** (i / n_rounds) for i in range(1, n_rounds))
    return [*(max(n_kept, ceil(n_offers * share)) for share in shares), n_kept]


def run_rounds(rounds, score, n_offers, n_kept):
    """Let the best share of each round enter the next one.

    Parameters
    ----------
    rounds : list
        From `screening_rounds`.
    score : callable
        Takes a round and the numbers of offers, and returns their scores.
    n_offers, n_kept : int

    Returns
    -------
    kept : ndarray of int of shape (n_kept,)
        Numbers of the offers that pass all rounds, in ascending order.
    scores : ndarray of shape (n_offers,)
        Of the last round of each.
    n_passed : ndarray of int of shape (n_offers,)
        Number of rounds that each passed.
    """
    left, scores, passed = np.arange(n_offers), np.empty(n_offers), np.zeros(n_offers, int)
    for one, size in zip(rounds, sizes_of_rounds(n_offers, n_kept, len(rounds)), strict=True):
        scores[left] = score(one, left)
        left = np.sort(left[np.argsort(-scores[left], kind="stable")[:size]])
        passed[left] += 1
    return left, scores, passed


def screening_score(features, y, screen, classification, splits, scorer, error_score):
    """Score one block of features; higher is better.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Names in `SCORES` leave out rows with NaN.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
    screen : {"log_me", "ridge"} or estimator
        An estimator is scored on the inner folds.
    classification : bool
        Whether y holds classes.
    splits, scorer, error_score : list, callable, "raise" or float
        Of the inner folds.

    Returns
    -------
    score : float
        Minus infinity for features that are constant or nowhere finite, and for estimators that fail.
    """
    if not isinstance(screen, str):
        scores, *_ = fold_scores(screen, features, y, splits, scorer, {}, {}, error_score)
        return float(np.nan_to_num(np.mean(scores), nan=-np.inf))
    finite = np.isfinite(features).all(axis=1)
    features, y = features[finite].astype(np.float64), y[finite]
    if len(features) < 2 or (np.ptp(features, axis=0) == 0).all():
        return -np.inf
    features = scale(features)
    if screen == "ridge":
        return ridge_loo(features, y, classification=classification)
    return log_me(features, y, classification=classification, fit_intercept=True)
