"""One target, all methods: what every script on transfer runs and prints."""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _timing import machine
from _transfer_library import source_library
from _transfer_methods import (
    bundle_of,
    bundles,
    features,
    guarded_search,
    nested_source,
    of_descriptors,
    recipe,
    shared_recipe,
    single_sources,
)
from _transfer_protocol import evaluate, ratio, table, verdict_of
from _transfer_tasks import SOURCES

# measured targets that share their sources: no structure of any of them is in any source
TARGETS = (
    "heat capacity",
    "refractive index",
    "thermal conductivity",
    "thermal conductivity, all entries",
    "density",
    "glass transition",
    "oxygen permeability",
    "hydration energy",
    "permittivity of liquids",
    "surface tension of liquids",
    "viscosity of liquids",
    "critical temperature",
    "solubility in water",
    "heat capacity of liquids",
    "band gap of crystals",
    "electron affinity",
)
OPTIMISTIC = "best single source, chosen on the test folds (optimistic)"
METHODS = {
    "direct forest": "direct forest",
    "direct ridge": "direct ridge",
    "direct Gaussian process": "direct Gaussian process",
    "direct, picked": "direct, picked by inner folds",
    OPTIMISTIC: OPTIMISTIC,
    "nested": "best single source, chosen on inner folds (nested)",
    "recipe": "three heads on all sources, their mean",
    "search": "the search: SourceSearchCV over heads, layers and direct models",
    "shared recipe": "three heads on one network of all properties, and on the same quantity, their mean",
    "shared search": "the search over these two",
}
SIDE = {
    f"{columns}, {head}": f"all sources, {columns}, {head}"
    for columns in ("output", "last layers")
    for head in ("ridge", "Gaussian process", "extra trees")
}


def parser(doc, output):
    """Return the options that all scripts have."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cache", type=Path, default=Path("~/.cache/sktaag-benchmarks").expanduser(), help="folder")
    options.add_argument("--networks", type=int, default=1, help="networks for each source property")
    options.add_argument("--tables", type=int, default=54, help=f"source properties, the first of {len(SOURCES)}")
    options.add_argument("--repeats", type=int, default=3, help="repetitions of the folds, or draws / 5")
    options.add_argument("--alone", type=int, default=3, help="folds or draws of each source alone")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--n-jobs", type=int, default=1, help="processes")
    options.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / output)
    return options


def train(tasks, args, tables=None):
    """Return the sources of these targets and their cards."""
    tables = [name for name in (SOURCES if tables is None else tables) if name in list(SOURCES)[: args.tables]]
    return source_library(args.cache, tasks, tables=tables, n_seeds=args.networks, n_jobs=args.n_jobs)


def usable(sources, task):
    """Return the sources that do not hold the target's own quantity at its own fidelity."""
    return {name: networks for name, networks in sources.items() if name not in task.without}


def same_quantity(sources, task):
    """Return the sources of the same quantity, or the nearest one, from simulation or calculation."""
    return [name for name in usable(sources, task) if task.quantity and name.startswith(task.quantity)]


def study(label, task, sources, splits, args, *, computed=None, singles=True, nested=True, parts=False, shared=None):
    """Run every method on the same splits.

    Parameters
    ----------
    label : str
        Of target and splits.
    task : Task
    sources : dict of list of str
        As `source_library` returns them.
    splits : list of (ndarray, ndarray)
    args : Namespace
        As `parser` makes it.
    computed : tuple or None
        What `features` returned for the task and its usable sources; None computes it.
    singles : bool or list
        Whether to run each source alone (a list: these), on the first `args.alone` splits.
    nested : bool
        Whether to search for the best single source.
    parts : bool
        Whether to run each head on each kind of features of all sources.
    shared : str or None
        What `shared_source` returned: whether to run the recipe and the search on it and on the sources of the
        target's own quantity.

    Returns
    -------
    results : DataFrame
        As `evaluate`; single sources have their names, the best of them is there once more as `OPTIMISTIC`.
    """
    store = args.cache / "results.jsonl"
    sources = usable(sources, task)
    label = f"{label} {sum(map(len, sources.values()))} networks seed {args.seed}"
    matrix, columns = computed or features(task.X, sources, args.cache)
    models = of_descriptors(columns, args.seed) | (bundles(columns, args.seed) if parts else {})
    models |= {"recipe": recipe(columns, args.seed)}
    models = {name: (matrix, model) for name, model in models.items()}
    models["search"] = (task.X, guarded_search({"all sources": bundle_of(sources)}, args.cache, args.seed))
    if shared:
        same = bundle_of({name: sources[name] for name in same_quantity(sources, task)})
        two = {"all properties": shared} | ({"same quantity": same} if same else {})
        models["shared recipe"] = (task.X, shared_recipe(shared, same, args.cache, args.seed))
        models["shared search"] = (task.X, guarded_search(two, args.cache, args.seed))
    if nested:
        models["nested"] = (task.X, nested_source(sources, args.cache, args.seed))
    results = [evaluate(label, models, task.y, splits, store, n_jobs=args.n_jobs)]
    results.append(picked_direct(results[0]))
    if singles:
        alone = {name: (matrix, model) for name, model in single_sources(columns, args.seed).items()}
        alone = alone if singles is True else {name: alone[name] for name in singles}
        results.append(evaluate(label, alone, task.y, splits[: args.alone], store, n_jobs=args.n_jobs))
        best = results[-1].groupby("model")["mae"].mean().idxmin()
        results.append(results[-1][results[-1]["model"] == best].assign(model=OPTIMISTIC, note=best))
    return pd.concat(results, ignore_index=True)


def picked_direct(results):
    """Return the rows of the direct model that the inner folds of the search liked best, fold by fold."""
    direct = [name for name in results["model"].unique() if name.startswith("direct ")]
    searches = results[results["model"] == "search"].set_index("fold")  # direct models are its first candidates
    rows = [
        results[(results["fold"] == fold) & (results["model"] == direct[int(np.argmax(inner[: len(direct)]))])]
        for fold, inner in searches["inner"].items()
    ]
    return pd.concat(rows).assign(model="direct, picked")


def report(results, task, *, side=False):
    """Write the table of methods; `side` adds each head on each kind of features."""
    shown = METHODS | SIDE if side else METHODS
    known = set(results["model"])
    return table(results, {name: text for name, text in shown.items() if name in known}, unit=task.unit)


def single_table(results, cards, n_shown=None):
    """Write each source alone, the best first, with its own held-out R2."""
    alone = [name for name in cards if name in set(results["model"])]
    rows = sorted((ratio(results, name, "direct forest"), name) for name in alone)
    lines = ["| source | rows | its own R2 | error relative to the direct forest | verdict |", "|---|---|---|---|---|"]
    for (mean, low, high), name in rows[:n_shown]:
        card = cards[name][0]
        lines.append(
            f"| {name} | {card['training_data']['n_rows']:,} | {card['metrics']['r2']:.2f} | "
            f"{mean:.2f} ({low:.2f} to {high:.2f}) | {verdict_of(low, high)} |"
        )
    verdicts = [verdict_of(low, high) for (_, low, high), _ in rows]
    n_better, n_worse = verdicts.count("better"), verdicts.count("**loses**")
    lines.append("")
    lines.append(
        f"Of {len(rows)} sources alone {n_better} are better than the direct forest beyond the interval, {n_worse} are "
        f"worse, {len(rows) - n_better - n_worse} make no certain difference."
    )
    return "\n".join(lines)


def against_best_direct(results, model):
    """Return the error of a model relative to the direct model that inner folds picked."""
    return ratio(results, model, "direct, picked")[0]


def settings(args, sources, start):
    """Write sizes, seeds and machine."""
    n_networks = sum(map(len, sources.values()))
    minutes = (time.perf_counter() - start) / 60
    packages = ("numpy", "scikit-learn", "torch", "rdkit", "sktaag")
    alone = f" Sources alone: the first {args.alone} folds or draws." if args.alone else ""
    return (
        f"{len(sources)} source properties, {n_networks} networks, seed {args.seed}.{alone} {args.n_jobs} process"
        f"{'es' * (args.n_jobs > 1)}, {minutes:.0f} minutes with what was kept of earlier runs; {machine(*packages)}."
    )


def mean_of(results, model, column="mae"):
    """Return the mean of one figure over the folds."""
    return float(np.mean(results.loc[results["model"] == model, column]))
