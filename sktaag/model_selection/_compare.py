"""Models side by side, on the same folds."""

import platform
import time
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral, Real

import joblib
import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold, check_cv, cross_validate
from sklearn.utils import check_consistent_length, check_random_state

from sktaag._progress import progress
from sktaag.model_selection._comparison import Comparison
from sktaag.model_selection._comparison_tables import (
    curve_table,
    fit_table,
    prediction_table,
    score_table,
    sentences_about,
)
from sktaag.model_selection._find_overlap import find_overlap, source_masks, target_mask
from sktaag.model_selection._intervals import bootstrap_scores
from sktaag.structures import as_column

_LIBRARIES = ("sktaag", "numpy", "scipy", "scikit-learn", "pandas", "rdkit", "torch", "skorch")


def compare(
    estimators,
    X,
    y,
    *,
    groups=None,
    cv=5,
    scoring=None,
    baseline=None,
    interval="corrected_t",
    confidence=0.95,
    source_X=None,
    exclude_overlap=False,
    key=None,
    learning_curve=None,
    target_name=None,
    unit=None,
    params=None,
    n_jobs=None,
    random_state=0,
    verbose=0,
):
    """Fit several models on the same folds, and say which ones are better than a baseline.

    Parameters
    ----------
    estimators : dict of str to estimator or function
        Models by name. A function makes an estimator from scratch, sources included: it is called with the rows of
        `source_X` that the source may be trained on, a mask, or a dict of masks if `source_X` is a dict.
    X : column of structures, or array of shape (n_samples, n_features)
        What the models take.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target.
    groups : array-like of shape (n_samples,), default=None
        Labels for the splitter.
    cv : int, splitter or iterable, default=5
        Folds, the same for all models. An integer draws that many at random, of classes in their proportions. Repeated
        folds make the intervals narrower.
    scoring : str, callable, list or dict, default=None
        Metrics, as in `sklearn.model_selection.cross_validate`; the first one decides. A name that begins with ``neg_``
        is shown as the error that it is. None takes mean absolute error and R2; for classifiers ROC AUC (one against
        the rest if there are more than two classes) and balanced accuracy.
    baseline : str or None, default=None
        Model that the others are compared with, the direct one: no source. None takes the first.
    interval : {"corrected_t", "bootstrap"}, default="corrected_t"
        "corrected_t" takes the spread over the folds, corrected for training sets that overlap [1]_; it needs two
        folds. "bootstrap" scores the out-of-fold predictions of all folds together, on rows drawn 1,000 times with
        replacement: it works for a single split too, but knows nothing of other training sets. Its scorers may use
        predictions alone.
    confidence : float, default=0.95
        Of the intervals.
    source_X : column, dict of columns or None, default=None
        Structures that the sources were trained on, which nobody can tell from the fitted source: pass them, and what
        they share with X is counted and named.
    exclude_overlap : bool, default=False
        False leaves shared structures where they are and warns. True takes them out of the sources if one of the
        estimators is a function, which is called with the remaining rows; estimators that are none must then have no
        source. If none is a function, True takes the shared rows out of X, for all models alike.
    key : callable or None, default=None
        As in `find_overlap`.
    learning_curve : list of int or float, or None, default=None
        Training sizes, as numbers of rows or shares of the training rows. Each fold fits all models on the same
        random rows, classes in their proportions, of which larger sizes hold the smaller, and tests on all its test
        rows.
    target_name, unit : str or None, default=None
        What y is, for sentences and axes. None takes the name of the Series.
    params : dict or None, default=None
        As in `sklearn.model_selection.cross_validate`, such as ``{"sample_weight": w}``.
    n_jobs : int or None, default=None
        Processes; each fits one model on one fold.
    random_state : int, RandomState instance or None, default=0
        Draws the folds if `cv` is an integer, the rows of the learning curve and the bootstrap.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    result : Comparison
        Scores, predictions, intervals and sentences; see there.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a model cannot be fitted: the note names model and fold.
    InvalidRowsError
        If `source_X` is given and structures cannot be read.

    Warns
    -----
    UserWarning
        If sources and X share structures that are not excluded.

    See Also
    --------
    find_overlap : What source and target share.

    Notes
    -----
    An estimator that chooses among many, such as `GridSearchCV` or `SourceSearchCV`, is compared honestly: it chooses
    anew within each training fold. The best of many models *in this table* is not: its score is the luckiest too.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, Mach. Learn. 52, 239 (2003). :doi:`10.1023/A:1024068626366`

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.model_selection import compare
    >>> X = ["C" * n + end for n in range(1, 11) for end in ("", "O", "N")]
    >>> y = [30.0 * n + 80 * shift for n in range(1, 11) for shift in (0, 2, 1)]
    >>> models = {"mean": DummyRegressor(), "ridge": make_pipeline(Fingerprints(counts=True, size=64), Ridge())}
    >>> result = compare(models, X, y, target_name="boiling point", unit="K")
    >>> print(result.sentences["ridge"])
    For boiling point, ridge is better than mean: mean_absolute_error changes by -81% (95% interval ...).
    """
    start = time.perf_counter()
    if interval not in ("corrected_t", "bootstrap"):
        raise ValueError(f'interval must be "corrected_t" or "bootstrap", got {interval!r}.')
    if not isinstance(confidence, Real) or not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}.")
    estimators = _named(estimators, baseline)
    baseline = next(iter(estimators)) if baseline is None else baseline
    target_name = target_name or getattr(y, "name", None)
    X, y = _sliceable(X), np.asarray(y)
    groups = None if groups is None else np.asarray(groups)
    check_consistent_length(X, y, groups)
    rng = check_random_state(random_state)

    made = {name for name, entry in estimators.items() if _is_function(entry)}
    overlap, keep, masks, action = _guard(source_X, X, key, exclude_overlap, made)
    estimators = {name: entry(masks) if name in made else entry for name, entry in estimators.items()}
    rows, excluded = np.flatnonzero(keep), np.flatnonzero(~keep)
    if len(excluded):
        if not (cv is None or isinstance(cv, Integral) or hasattr(cv, "split")):
            raise ValueError("cv holds row numbers, which no longer fit X without the rows that a source has seen.")
        X, y, groups = take(X, rows), y[rows], None if groups is None else groups[rows]
        params = {key: _take_param(value, rows, len(keep)) for key, value in (params or {}).items()}

    classification = is_classifier(next(iter(estimators.values())))
    scoring, lower_is_better = _metrics(scoring, classification, y)
    folds = list(_splitter(cv, y, classification, rng).split(X, y, groups))
    jobs = [(name, fold, train, test, True) for fold, (train, test) in enumerate(folds) for name in estimators]
    n_whole = len(jobs)
    jobs += [
        (name, fold, subset, test, False)
        for fold, (train, test) in enumerate(folds)
        for subset in _subsets(learning_curve, train, folds, y if classification and y.ndim == 1 else None, rng)
        for name in estimators
    ]
    found = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
        joblib.delayed(_evaluate)(estimators[name], name, fold, X, y, train, test, scoring, params, whole)
        for name, fold, train, test, whole in jobs
    )
    found = list(progress(found, total=len(jobs), desc="compare", unit="fit", disable=not verbose))
    metrics, signs = list(scoring), {name: -1 if lower else 1 for name, lower in lower_is_better.items()}
    fits = fit_table(jobs, found, signs)
    scores, responses = fits.iloc[:n_whole], {name: [] for name in estimators}
    for (name, *_), fit in zip(jobs[:n_whole], found[:n_whole], strict=True):
        responses[name].append(fit["responses"])

    draws = None
    if interval == "bootstrap":
        scorers = {name: check_scoring(estimators[baseline], scoring=value) for name, value in scoring.items()}
        draws = bootstrap_scores(responses, y, [test for _, test in folds], scorers, rng)
        draws = {name: values * [signs[metric] for metric in metrics] for name, values in draws.items()}
    table = score_table(scores, metrics, lower_is_better, baseline, confidence, draws)
    sentences, negative = sentences_about(table, metrics[0], lower_is_better, baseline, confidence, target_name)
    return Comparison(
        scores=scores,
        predictions=prediction_table(responses, rows, y, folds),
        table=table,
        metrics=metrics,
        lower_is_better=lower_is_better,
        baseline=baseline,
        models=list(estimators),
        estimators=estimators,
        sentences=sentences,
        negative_transfer=negative,
        learning_curve=None if learning_curve is None else curve_table(fits, metrics),
        overlap=overlap,
        excluded=excluded.tolist(),
        X=X,
        y=y,
        rows=rows,
        folds=folds,
        classes=responses[baseline][0].get("classes"),
        target_name=target_name,
        unit=unit,
        settings={
            "cv": str(cv),
            "scoring": {name: str(value) for name, value in scoring.items()},
            "baseline": baseline,
            "interval": interval.replace("_", " "),
            "confidence": confidence,
            "exclude_overlap": action,
            "random_state": random_state if isinstance(random_state, (Integral, type(None))) else str(random_state),
        },
        seeds={name: _seeds(estimator) for name, estimator in estimators.items()},
        versions=_versions(),
        wall_time=time.perf_counter() - start,
    )


# ---------------------------------------------------------------- input


def _named(estimators, baseline):
    if not isinstance(estimators, Mapping) or not estimators:
        raise ValueError(f"estimators must be a dict of models by name, got {estimators!r:.80}.")
    for name, entry in estimators.items():
        if not hasattr(entry, "fit") and not callable(entry):
            raise ValueError(f"{name!r} is neither an estimator nor a function that makes one: {entry!r:.80}.")
    if baseline is not None and baseline not in estimators:
        raise ValueError(f"baseline={baseline!r} is not among the models: {', '.join(map(str, estimators))}.")
    return dict(estimators)


def _is_function(entry):
    return callable(entry) and not hasattr(entry, "fit")


def _sliceable(X):
    """Return X as an array of structures, or of numbers, or as the DataFrame or sparse matrix it is."""
    if isinstance(X, (list, tuple)) and len(X) and isinstance(X[0], (list, tuple, np.ndarray)) and len(X[0]) > 1:
        return np.asarray(X)
    is_table = getattr(X, "ndim", 1) == 2 and (X.shape[1] > 1 or getattr(X, "dtype", np.dtype(object)).kind in "iuf")
    return (X.tocsr() if issparse(X) else X) if is_table else as_column(X)


def take(X, rows):
    """Return some rows of an array, sparse matrix or DataFrame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _take_param(value, rows, n_rows):
    is_column = hasattr(value, "__len__") and not isinstance(value, (str, dict)) and len(value) == n_rows
    return np.asarray(value)[rows] if is_column else value


def _guard(source_X, X, key, exclude_overlap, made):
    """Return (overlap, rows of X to keep, masks of source rows to keep, what was done)."""
    keep = np.ones(X.shape[0], dtype=bool)
    if source_X is None:
        if exclude_overlap or made:
            reason = "exclude_overlap=True" if exclude_overlap else f"{min(made, key=str)!r}, a function,"
            raise ValueError(f"{reason} needs source_X, the structures that the sources were trained on.")
        return None, keep, None, "report"
    overlap = find_overlap(source_X, X, key=key)
    masks = source_masks(source_X, overlap)
    if exclude_overlap and made:
        return overlap, keep, masks, "retrain"
    if exclude_overlap:
        keep = target_mask(X, overlap)
        if keep.sum() < 2:
            raise ValueError(f"A source has seen {(~keep).sum()} of {len(keep)} rows of X; nothing is left to compare.")
        return overlap, keep, masks, "filter"
    if len(overlap):
        warnings.warn(
            f"{overlap['structure'].nunique()} structures of X are also in the sources, e.g. "
            f"{', '.join(overlap['structure'].unique()[:3])}: test rows are not new to the models. "
            "Set exclude_overlap=True, or train the sources without them.",
            stacklevel=3,
        )
    everything = {name: np.ones_like(mask) for name, mask in masks.items()} if isinstance(masks, dict) else None
    return overlap, keep, np.ones_like(masks) if everything is None else everything, "report"


def _metrics(scoring, classification, y):
    """Return metrics by name as scikit-learn takes them, and which of them are errors."""
    if scoring is None and classification:
        scoring = ["roc_auc" if len(np.unique(y)) == 2 else "roc_auc_ovr", "balanced_accuracy"]
    elif scoring is None:
        scoring = ["neg_mean_absolute_error", "r2"]
    if isinstance(scoring, str):
        scoring = [scoring]
    if callable(scoring):
        scoring = {getattr(scoring, "__name__", "score"): scoring}
    if not isinstance(scoring, Mapping):
        scoring = {name.removeprefix("neg_"): name for name in scoring}
    if not scoring:
        raise ValueError("scoring is empty; name at least one metric.")
    return dict(scoring), {name: isinstance(v, str) and v.startswith("neg_") for name, v in scoring.items()}


def _splitter(cv, y, classification, rng):
    if cv is None or isinstance(cv, Integral):
        kind = StratifiedKFold if classification and y.ndim == 1 else KFold
        return kind(5 if cv is None else cv, shuffle=True, random_state=int(rng.randint(2**31 - 1)))
    return check_cv(cv, y, classifier=classification)


def _subsets(sizes, train, folds, classes, rng):
    """Return nested random parts of the training rows of a fold, of classes in their proportions."""
    if sizes is None:
        return []
    order, smallest = rng.permutation(train), min(len(rows) for rows, _ in folds)
    if classes is not None:
        place = np.empty(len(order))  # of each row within its class; the first of every class come first
        for label in np.unique(classes[order]):
            own = classes[order] == label
            place[own] = np.arange(own.sum()) / own.sum()
        order = order[np.argsort(place, kind="stable")]
    subsets = []
    for size in sizes:
        whole = isinstance(size, Integral)
        if not isinstance(size, Real) or not 0 < size <= (smallest if whole else 1):
            raise ValueError(
                f"learning_curve holds {size!r}; sizes are numbers of rows up to {smallest}, the smallest training "
                "fold, or shares between 0 and 1."
            )
        n_rows = size if whole else max(1, round(size * len(train)))
        if n_rows < len(train):
            subsets.append(order[:n_rows])
    return subsets


# ---------------------------------------------------------------- one fit


def _evaluate(estimator, name, fold, X, y, train, test, scoring, params, whole):
    """Fit a clone on one fold and score it."""
    try:
        fit = cross_validate(
            estimator,
            X,
            y,
            cv=[(train, test)],
            scoring=scoring,
            params=params,
            return_estimator=True,
            error_score="raise",
        )
        responses = _responses(fit["estimator"][0], take(X, test)) if whole else None
    except Exception as error:
        error.add_note(f"This was model {name!r} on fold {fold}.")
        raise
    return {
        "scores": {metric: fit[f"test_{metric}"][0] for metric in scoring},
        "fit_time": fit["fit_time"][0],
        "score_time": fit["score_time"][0],
        "responses": responses,
    }


def _responses(fitted, X):
    responses = {"predict": np.asarray(fitted.predict(X))}
    if is_classifier(fitted):
        responses["classes"] = np.asarray(fitted.classes_)
        method = next((name for name in ("predict_proba", "decision_function") if hasattr(fitted, name)), None)
        if method:
            responses[method] = np.asarray(getattr(fitted, method)(X))
    return responses


# ---------------------------------------------------------------- record


def _seeds(estimator):
    parameters = estimator.get_params() if hasattr(estimator, "get_params") else {}
    return {k: v for k, v in parameters.items() if k.split("__")[-1] == "random_state" and not hasattr(v, "choice")}


def _versions():
    versions = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions
