"""The same folds for all models, results kept line by line, intervals, tables."""

import hashlib
import json
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.model_selection import RepeatedKFold
from tqdm.auto import tqdm


def draws(n_samples, n_train, n_draws, seed=0):
    """Draw training rows at random; all others are for the test."""
    orders = [np.random.RandomState(seed + i).permutation(n_samples) for i in range(n_draws)]
    return [(np.sort(order[:n_train]), np.sort(order[n_train:])) for order in orders]


def repeated_folds(n_samples, n_repeats, seed=0):
    """Five folds, repeated."""
    return list(RepeatedKFold(n_splits=5, n_repeats=n_repeats, random_state=seed).split(np.zeros(n_samples)))


def evaluate(label, models, y, splits, store, *, n_jobs=None):
    """Fit every model on every split that is not in the store yet.

    Parameters
    ----------
    label : str
        Name of the target, the splits and the sources.
    models : dict of tuple
        For each name, rows that can be sliced and the unfitted model of them.
    y : ndarray of shape (n_samples,)
    splits : list of (ndarray, ndarray)
    store : pathlib.Path
        JSON Lines, one line for each model and split.
    n_jobs : int or None

    Returns
    -------
    results : DataFrame
        ``model``, ``fold``, ``n_train``, ``n_test``, ``mae``, ``r2``, ``seconds``, ``note``, ``predicted`` (list).
    """
    found = _read(store)
    wanted = [(label, name, _digest(train, test)) for name in models for train, test in splits]
    folds = {_digest(train, test): i for i, (train, test) in enumerate(splits)}
    tasks = [
        (label, name, _digest(train, test), *models[name], y, train, test)
        for train, test in splits
        for name in models
        if (label, name, _digest(train, test)) not in found
    ]
    lines = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        joblib.delayed(_fit)(*task) for task in tasks
    )
    store.parent.mkdir(parents=True, exist_ok=True)
    with store.open("a") as file:
        for line in tqdm(lines, total=len(tasks), desc=label, disable=not tasks):
            file.write(json.dumps(line) + "\n")
            file.flush()
            found[tuple(line["key"])] = line
    rows = [found[key] | {"model": key[1], "fold": folds[key[2]]} for key in wanted]
    return pd.DataFrame(rows).drop(columns="key")


def _read(store):
    lines = store.read_text().splitlines() if store.exists() else []
    read = []
    for line in lines:
        try:
            read.append(json.loads(line))
        except json.JSONDecodeError:  # the last line of a run that was killed
            continue
    return {tuple(line["key"]): line for line in read}


def _digest(train, test):
    return hashlib.sha256(np.concatenate([train, [-1], test]).astype(np.int64).tobytes()).hexdigest()[:12]


def _fit(label, name, digest, X, model, y, train, test):
    start = time.perf_counter()
    model = clone(model).fit(X[train], y[train])
    predicted = model.predict(X[test])
    errors = y[test] - predicted
    return {
        "key": [label, name, digest],
        "n_train": len(train),
        "n_test": len(test),
        "mae": float(np.abs(errors).mean()),
        "r2": float(1 - (errors**2).mean() / y[test].var()),
        "seconds": time.perf_counter() - start,
        "note": getattr(model, "summary_", "").partition("\n")[0],
        "inner": list(map(float, getattr(model, "cv_results_", {}).get("mean_test_score", []))),
        "predicted": [float(f"{value:.6g}") for value in predicted],
    }


# ---------------------------------------------------------------- intervals and tables


def half_width(values, n_train, n_test, confidence=0.95):
    """Half of the interval of a mean over folds whose training sets overlap.

    C. Nadeau, Y. Bengio, Mach. Learn. 52, 239 (2003), doi:10.1023/A:1024068626366. Draws of few training rows out of
    many hardly overlap: there the ratio of their correction is turned over.
    """
    values = np.asarray(values)
    correction = min(n_test / n_train, n_train / n_test)
    spread = np.sqrt((1 / len(values) + correction) * values.var(ddof=1))
    return float(student_t.ppf((1 + confidence) / 2, len(values) - 1) * spread)


def ratio(results, model, reference):
    """Mean error relative to a reference on the same folds: the ratio of means, and its interval."""
    errors = results.pivot_table(index="fold", columns="model", values="mae")[list({model, reference})].dropna()
    mean = errors[model].mean() / errors[reference].mean()
    differences = (errors[model] - errors[reference]) / errors[reference].mean()
    half = half_width(differences, results["n_train"].mean(), results["n_test"].mean())
    return float(mean), float(mean - half), float(mean + half)


def table(results, models, *, reference="direct forest", unit="", digits=3):
    """Write a Markdown table: error, R2, error relative to the reference, and what that says."""
    lines = [
        f"| model | mean absolute error{f', {unit}' if unit else ''} | R2 | relative to the {reference} | verdict |",
        "|---|---|---|---|---|",
    ]
    n_folds, fewer = results["fold"].nunique(), 0
    for name, shown in models.items():
        own = results[results["model"] == name]
        mean, low, high = ratio(results, name, reference)
        verdict = "" if name == reference else verdict_of(low, high)
        interval = "1" if name == reference else f"{mean:.2f} ({low:.2f} to {high:.2f})"
        if len(own) < n_folds:
            fewer, shown = len(own), f"{shown} \\*"
        lines.append(f"| {shown} | {own['mae'].mean():.{digits}g} | {own['r2'].mean():.2f} | {interval} | {verdict} |")
    if fewer:
        lines += ["", f"\\* on the first {fewer} of {n_folds}, and relative to the {reference} on the same ones."]
    return "\n".join(lines)


def verdict_of(low, high):
    """Say what an interval of a ratio of errors means."""
    return "better" if high < 1 else "**loses**" if low > 1 else "no certain difference"


def write(path, text):
    """Print a report and keep it."""
    print(text)
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text.rstrip() + "\n", encoding="utf-8")
