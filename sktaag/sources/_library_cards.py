"""Cards: what is known about a model, by itself and from whoever adds it."""

import hashlib
import re
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from sktaag.cache import content_key
from sktaag.sources._parts import find_networks, library_versions

FORMAT = 1
_TEXTS = ("name", "property", "material", "unit", "descriptor", "dataset", "license", "split", "parent")
_OF_A_MACHINE = {"cache", "memory", "device", "n_jobs", "verbose"}


def make_card(source, *, metrics=None, training_data=None, wall_time=None, **texts):
    """Write the card of a fitted source.

    Parameters
    ----------
    source : fitted estimator
    metrics : dict of str to float or None
    training_data : dict or None
        As `describe_data` returns it.
    wall_time : float or None
        In seconds. None: what the history of the network adds up to.
    **texts : str or None
        The others of the fields that the user gives.

    Returns
    -------
    card : dict
        In JSON's types.
    """
    for name in _TEXTS:
        if not isinstance(texts.get(name), (str, type(None))):
            raise TypeError(f"{name} must be a string or None, got {texts[name]!r}.")
    if unknown := sorted(set(texts) - set(_TEXTS)):
        raise TypeError(f"A card has no field {unknown[0]!r}. Fields: {', '.join(_TEXTS)}, metrics, data, wall_time.")
    if not isinstance(wall_time, (Real, type(None))):
        raise TypeError(f"wall_time must be a number of seconds or None, got {wall_time!r}.")
    if not texts.get("property"):
        raise ValueError("property is empty; say what the source predicts, as in property='density'.")
    steps = _steps(source)
    learned = _learned(source, steps[-1])
    return {
        "format": FORMAT,
        **{name: texts.get(name) for name in _TEXTS},
        "descriptor": texts.get("descriptor") or " | ".join(map(_label, steps[:-1])) or None,
        "task": "classification" if is_classifier(steps[-1]) else "regression" if is_regressor(steps[-1]) else None,
        "model": type(steps[-1]).__name__,
        **learned,
        "wall_time": learned["wall_time"] if wall_time is None else float(wall_time),
        "metrics": _check_metrics(metrics),
        "training_data": training_data,
        "chain": [_describe(step) for step in steps],
        "versions": library_versions(),
    }


def describe_data(data):
    """Digest of the rows that a source was trained on.

    Parameters
    ----------
    data : tuple of (X, y) or None
        Column of structures or array, and targets, as passed to `fit`.

    Returns
    -------
    described : dict with the keys sha256 and n_rows, or None
    """
    if data is None:
        return None
    if not isinstance(data, tuple) or len(data) != 2:
        raise TypeError(f"data must be the tuple (X, y) that the source was fitted on, got {type(data).__name__}.")
    digest = hashlib.sha256()
    for part in data:
        part = part.tocsr() if issparse(part) else part
        blocks = (part.indptr, part.indices, part.data) if issparse(part) else (part,)
        for array in map(np.asarray, blocks):
            if array.dtype.kind in "biuf":
                content = np.ascontiguousarray(array, np.float64).tobytes()  # whatever type the numbers came in
            else:
                content = b"".join(map(content_key, array.ravel().tolist()))
            digest.update(str(array.shape).encode() + content)
    n_rows = data[0].shape[0] if hasattr(data[0], "shape") else len(data[0])
    return {"sha256": digest.hexdigest(), "n_rows": int(n_rows)}


def _check_metrics(metrics):
    metrics = {} if metrics is None else metrics
    if not isinstance(metrics, dict):
        raise TypeError(f"metrics must be a dict such as {{'r2': 0.9, 'mae': 3.1}}, got {metrics!r}.")
    for name, value in metrics.items():
        if not isinstance(name, str) or not isinstance(value, Real) or not np.isfinite(value):
            raise ValueError(f"metrics must be finite numbers by name, got {name!r}: {value!r}.")
    return {name: float(value) for name, value in metrics.items()}


def _learned(source, last):
    networks = [estimator for _, estimator in find_networks(source)]
    network = networks[-1] if networks else None
    history = getattr(network, "history_", [])
    score = getattr(network, "validation_score_", None)
    hidden = getattr(last, "hidden_sizes_", None)  # of what can be frozen: a network at the end
    return {
        "hidden": None if hidden is None else [int(width) for width in hidden],
        "n_features": None if network is None else int(network.n_features_in_),
        "n_epochs": getattr(network, "n_iter_", None),
        "best_epoch": getattr(network, "best_epoch_", None),
        "validation_score": float(score) if score is not None and np.isfinite(score) else None,
        "wall_time": float(sum(epoch.get("dur", 0.0) for epoch in history)) if history else None,
    }


def _steps(estimator):
    if isinstance(estimator, FrozenEstimator):
        return _steps(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return [part for _, step in estimator.steps for part in _steps(step)]
    return [] if estimator is None or isinstance(estimator, str) else [estimator]


def _label(step):
    return type(step).__name__


def _describe(step):
    described = {"class": f"{type(step).__module__}.{type(step).__qualname__}"}
    if isinstance(step, FeatureUnion):
        return described | {
            "parts": {name: [_describe(p) for p in _steps(part)] for name, part in step.transformer_list}
        }
    params = step.get_params(deep=False) if isinstance(step, BaseEstimator) else {}
    return described | {"params": {name: _readable(v) for name, v in params.items() if name not in _OF_A_MACHINE}}


def _readable(value):
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [_readable(part) for part in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
