"""Source networks of the benchmarks on transfer: trained once without the structures of the targets, kept on disk."""

import hashlib
import sys
import time

import joblib
import numpy as np
import pandas as pd
from _transfer_tasks import SOURCES, descriptor, draw_rows, fingerprints, names, training_rows
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sktaag.sources import ModelLibrary, PyramidRegressor

MIN_ROWS = 80
SHAPES = ((160, 64), (128, 64, 32), (256, 96))  # another one for each seed


def network(seed, n_rows):
    """Return an unfitted pyramid; another seed has another shape."""
    return PyramidRegressor(
        SHAPES[seed % len(SHAPES)],
        dropout=0.05,
        criterion="huber",
        lr=0.003,
        batch_size=32 if n_rows < 2000 else 128,
        max_epochs=60,
        patience=15,
        random_state=seed,
    )


def source_library(cache, tasks, *, tables=None, n_seeds=1, max_rows=2000, n_jobs=None):
    """Train what is missing and return the sources: ``{property: [source, ...]}``, one for each seed.

    A tenth of the rows is held out for the scores on the card.

    Parameters
    ----------
    cache : pathlib.Path
        Folder for tables, descriptors and the library.
    tasks : list of Task
        No structure of any of them is left in any source.
    tables : list of str or None
        Names in `SOURCES`; None is all.
    n_seeds : int
        Networks for each property.
    max_rows : int
        Rows of each table, at most, drawn at random.
    n_jobs : int or None
        Processes that train side by side.

    Returns
    -------
    sources : dict of list of str
        Names of networks in the library, as featurizers and searches take them.
    cards : dict of list of dict
        Their cards: rows, scores on held-out rows, time.
    """
    targets = np.concatenate([task.X for task in tasks])
    group = hashlib.sha256("\n".join([*sorted(set(names(targets, cache))), str(max_rows)]).encode()).hexdigest()[:12]
    library = ModelLibrary(cache / "library")
    known = {(model.property, model.name): model.id for model in library.search(name=f"{group}-*").itertuples()}
    missing = {
        property: [seed for seed in range(n_seeds) if (property, f"{group}-{seed}") not in known]
        for property in tables or SOURCES
    }
    if n_jobs not in (None, 1):  # described once, by all processes, instead of by each one that waits for the others
        drawn = [draw_rows(SOURCES[property], max_rows, 0)[0] for property, seeds in missing.items() if seeds]
        fingerprints(np.unique(np.concatenate([targets, *drawn]).astype(str)).astype(object), cache, n_jobs)
    jobs = (
        joblib.delayed(_train_property)(cache, property, group, seeds, targets, max_rows)
        for property, seeds in missing.items()
        if seeds
    )
    for trained in joblib.Parallel(n_jobs=n_jobs)(jobs):
        known |= trained
    sources, cards = {}, {}
    for property in missing:
        ids = [known[property, f"{group}-{seed}"] for seed in range(n_seeds) if (property, f"{group}-{seed}") in known]
        if ids:
            sources[property] = [f"{library.path}#{model_id}" for model_id in ids]
            cards[property] = [library.card(model_id) for model_id in ids]
    return sources, cards


def shared_source(cache, tasks, *, tables, seed=0, max_rows=2000):
    """Train one network on the union of all tables, a column for each property, and return its name in the library.

    Rows, descriptors and what is left out are those of `source_library`. The card has the median of the R2 of the
    properties on a tenth of the structures.
    """
    targets = np.concatenate([task.X for task in tasks])
    key = "\n".join([*sorted(set(names(targets, cache))), str(max_rows), *sorted(tables)])
    name = f"shared-{hashlib.sha256(key.encode()).hexdigest()[:12]}-{seed}"
    library = ModelLibrary(cache / "library")
    known = library.search(name=name)
    if len(known):
        return f"{library.path}#{known['id'].iloc[0]}"
    columns = {}
    for property in tables:
        X, y, *_ = training_rows(SOURCES[property], targets, cache, max_rows=max_rows)
        if len(X) >= MIN_ROWS:
            columns[property] = pd.Series(y, index=X.astype(str)).groupby(level=0).mean()
    frame = pd.DataFrame(columns)
    X, Y = frame.index.to_numpy(dtype=object), frame.to_numpy()
    train, test = train_test_split(range(len(X)), test_size=0.1, random_state=seed)
    network = PyramidRegressor(
        (512, 128),
        dropout=0.1,
        criterion="huber",
        lr=0.003,
        batch_size=256,
        max_epochs=30,
        patience=6,
        random_state=seed,
    )
    source = make_pipeline(*(step for _, step in descriptor(cache / "descriptors").steps), network)
    start = time.perf_counter()
    source.fit(X[train], Y[train])
    seconds = time.perf_counter() - start
    errors, spread = Y[test] - source.predict(X[test]), Y[test] - np.nanmean(Y[test], axis=0)
    r2 = float(np.median(1 - np.nanmean(errors**2, axis=0) / np.nanmean(spread**2, axis=0)))
    print(f"shared: {len(train)} rows, {Y.shape[1]} properties, R2 {r2:.2f}, {seconds:.1f} s", file=sys.stderr)
    model_id = library.add(
        source,
        property="all properties",
        material="polymers and molecules",
        descriptor="morgan, shares",
        name=name,
        metrics={"r2": r2},
        split=f"a tenth at random, seed {seed}",
        wall_time=seconds,
    )
    return f"{library.path}#{model_id}"


def _train_property(cache, property, group, seeds, targets, max_rows):
    X, y, unit, n_left_out = training_rows(SOURCES[property], targets, cache, max_rows=max_rows)
    if len(X) < MIN_ROWS:
        print(f"{property}: {len(X)} rows are left, too few", file=sys.stderr, flush=True)
        return {}
    library, known = ModelLibrary(cache / "library"), {}
    for seed in seeds:
        name = f"{group}-{seed}"
        known[property, name] = _train(library, property, name, seed, X, y, unit, n_left_out, cache)
    return known


def _train(library, property, name, seed, X, y, unit, n_left_out, cache):
    train, test = train_test_split(range(len(X)), test_size=0.1, random_state=seed)
    source = make_pipeline(*(step for _, step in descriptor(cache / "descriptors").steps), network(seed, len(train)))
    start = time.perf_counter()
    source.fit(X[train], y[train])
    seconds = time.perf_counter() - start
    predicted = source.predict(X[test])
    metrics = {"r2": float(r2_score(y[test], predicted)), "mae": float(mean_absolute_error(y[test], predicted))}
    print(f"{property} {seed}: {len(train)} rows, R2 {metrics['r2']:.2f}, {seconds:.1f} s", file=sys.stderr, flush=True)
    return library.add(
        source,
        property=property,
        material=SOURCES[property].material,
        descriptor="morgan, shares",
        unit=unit,
        name=name,
        metrics=metrics,
        split=f"a tenth at random, seed {seed}; {n_left_out} structures of targets left out",
        data=(X[train], y[train]),
        wall_time=seconds,
    )
