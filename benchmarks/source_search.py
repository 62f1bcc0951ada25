"""What screening saves in a search over a thousand sources, and what it costs: each screen against trying all.

OMP_NUM_THREADS=1 python benchmarks/source_search.py --folder search --output benchmarks/results/source_search.md

Ensembles of small random pyramids learn six offline properties, without the molecules of the targets. For each draw of
training molecules of a target, SourceSearchCV picks a network, or the direct model, for a forest of 200 trees: from all
of them, and from those that each screen leaves. Test errors are those on molecules that no part of the search has seen.
No setting was chosen by them.

All that is done stays in the folder, and what is there is not done again: a killed run goes on, and targets can run in
several processes at once. Seconds are those of the processor, which other programs on the machine hardly change.
"""

import argparse
import json
import time
from pathlib import Path

import joblib
import numpy as np
from _timing import machine, write_json
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline

from sktaag import datasets
from sktaag.descriptors import Fingerprints
from sktaag.nn import RandomPyramid
from sktaag.sources import PyramidEnsemble
from sktaag.structures import canonical_smiles
from sktaag.transfer import SourceSearchCV

SOURCES = {
    "boiling point": datasets.load_boiling_points,
    "melting point": datasets.load_melting_points,
    "critical temperature": datasets.load_critical_temperatures,
    "refractive index": datasets.load_refractive_indices,
    "heat of vaporization": datasets.load_heats_of_vaporization,
    "permittivity": datasets.load_permittivities,
}
TARGETS = {
    "surface tension": datasets.load_surface_tensions,
    "liquid thermal conductivity": datasets.load_liquid_thermal_conductivity,
    "liquid viscosity, logarithm": datasets.load_liquid_viscosities,
    "liquid heat capacity, mass": lambda: datasets.load_liquid_heat_capacities(basis="mass"),
}
SCREENS = {"none": None, "log_me": "log_me", "ridge": "ridge", "halving": "halving"}


def load_tables(folder):
    """Read all molecules and values, or gather them; those of the targets are left out of the sources."""
    path = folder / "tables.json"
    if not path.exists():
        tables = {name: load() for name, load in {**SOURCES, **TARGETS}.items()}
        unseen = np.unique(np.concatenate([canonical_smiles(tables[name].data, stereo=False) for name in TARGETS]))
        content = {}
        for name, table in tables.items():
            kept = np.full(len(table.data), True)
            if name in SOURCES:
                kept = ~np.isin(canonical_smiles(table.data, stereo=False), unseen)
            content[name] = [np.asarray(table.data)[kept].tolist(), np.asarray(table.target, float)[kept].tolist()]
        write_json(path, content)
    return json.loads(path.read_text())


def load_sources(folder, tables, args):
    """Read the networks, or train an equal share of them on each property."""
    path = folder / f"sources-{args.sources}.joblib"
    if not path.exists():
        chains = {}
        for i, name in enumerate(SOURCES):
            share = args.sources // len(SOURCES) + (i < args.sources % len(SOURCES))
            chains[name] = make_pipeline(
                Fingerprints(["morgan", "atom_pair"], counts=True, size=256),
                PyramidEnsemble(
                    n_models=share,
                    hidden=RandomPyramid((3, 4), (10, 60)),
                    max_epochs=args.max_epochs,
                    random_state=args.seed,
                ),
            ).fit(*tables[name])
        joblib.dump(chains, path)
    chains = joblib.load(path)
    return {
        f"{name} {k}": make_pipeline(chain[0], chain[1][k])
        for name, chain in chains.items()
        for k in range(len(chain[1]))
    }


def run_search(search, screen, data):
    """Fit the search with one screen; returns what the table shows."""
    X, y, train, test = data
    model = clone(search).set_params(screen=SCREENS[screen])
    start = time.process_time()
    model.fit(X[train], y[train])
    seconds, found = time.process_time() - start, model.cv_results_
    scores = found["mean_test_score"][1:]  # the direct model is the first candidate
    result = {
        "seconds": seconds,
        "inner_mae": -float(np.nanmax(scores)),
        "test_mae": float(mean_absolute_error(y[test], model.predict(X[test]))),
        "chosen": model.best_strategy_,
        "best": str(found["param_source"][1:][np.nanargmax(scores)]),
        "machine": machine("numpy", "scikit-learn", "sktaag", "torch"),
    }
    if screen == "none":
        result["scores"] = dict(zip(map(str, found["param_source"][1:]), scores.round(6).tolist(), strict=True))
        direct = make_pipeline(*next(iter(search.sources.values()))[:-1], clone(search.head)).fit(X[train], y[train])
        result["direct"] = {
            "inner_mae": -float(found["mean_test_score"][0]),
            "test_mae": float(mean_absolute_error(y[test], direct.predict(X[test]))),
        }
    else:
        table = model.screening_results_
        result["screening"] = dict(zip(map(str, table["source"]), table["score"].round(6).tolist(), strict=True))
    return result


def run_target(name, tables, sources, args):
    """Run all searches of one target that are not in the folder yet."""
    X, y = (np.array(column, dtype) for column, dtype in zip(tables[name], (object, float), strict=True))
    for draw in range(args.draws):
        order = np.random.RandomState(args.seed + draw).permutation(len(X))
        data = (X, y, order[: args.train], order[args.train : args.train + args.test])
        head = RandomForestRegressor(args.trees, random_state=draw)
        search = SourceSearchCV(head, sources, scoring="neg_mean_absolute_error", n_screened=args.n_screened)
        for screen in args.screens:
            path = result_path(name, draw, screen, args)
            if not path.exists():
                write_json(path, run_search(search, screen, data))


def result_path(name, draw, screen, args):
    sizes = f"{args.sources}-{args.trees}-{args.train}-{args.n_screened}-{args.seed}"
    return args.folder / f"{name} {sizes} {draw} {screen}.json"


def collect(args):
    """Read the results of all draws that are complete."""
    targets = {}
    for name in TARGETS:
        for draw in range(args.draws):
            paths = {screen: result_path(name, draw, screen, args) for screen in SCREENS}
            if all(path.exists() for path in paths.values()):
                found = {screen: json.loads(path.read_text()) for screen, path in paths.items()}
                scores = found["none"].pop("scores")
                found["direct"] = found["none"].pop("direct")
                for screen in list(SCREENS)[1:]:
                    screened = found[screen].pop("screening")
                    if screen == "halving":  # scores of several rounds
                        continue
                    pairs = [(screened[source], scores[source]) for source in scores]
                    found[screen]["rank_correlation"] = float(spearmanr(*zip(*pairs, strict=True)).statistic)
                targets.setdefault(name, []).append(found)
    return targets


def to_markdown(report):
    s, targets = report["settings"], report["targets"]
    lines = [
        f"{s['sources']} source networks, forests of {s['trees']} trees on the last hidden layer, 5 inner folds, "
        f"{s['train']} training molecules, {min(map(len, targets.values()))} or more draws of each target, seed "
        f"{s['seed']}; a screen keeps {s['n_screened']} networks. {report['machine']}. Medians over the draws; errors "
        "relative to the search that tries all, in the same draw; inner errors are those of the best network.",
        "",
        "| target | screen | seconds | times faster | inner MAE | test MAE | rank correlation with inner score |",
        "|---|---|---|---|---|---|---|",
    ]
    for target, draws in targets.items():
        for name in ("direct", *SCREENS):
            inner, test = (relative(draws, name, key) for key in ("inner_mae", "test_mae"))
            label, seconds, faster, correlation = "direct forest, no search", "", "", ""
            if name != "direct":
                label, seconds = name, f"{np.median([draw[name]['seconds'] for draw in draws]):.0f}"
                faster = f"{1 / relative(draws, name, 'seconds'):.0f}"
            if "rank_correlation" in draws[0][name]:
                correlation = f"{np.median([draw[name]['rank_correlation'] for draw in draws]):.2f}"
            lines.append(f"| {target} | {label} | {seconds} | {faster} | {inner:.3f} | {test:.3f} | {correlation} |")
    lines += ["", "Largest regret of each screen over all targets and draws, inner MAE lost in percent:", ""]
    for name in list(SCREENS)[1:]:
        lost = [100 * (draw[name]["inner_mae"] / draw["none"]["inner_mae"] - 1) for d in targets.values() for draw in d]
        lines.append(f"- {name}: {max(lost):.1f}, median {np.median(lost):.1f}")
    return "\n".join([*lines, ""])


def relative(draws, name, key):
    """Median over the draws of a figure relative to that of the search without a screen."""
    return float(np.median([draw[name][key] / draw["none"][key] for draw in draws]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where tables, networks and results stay")
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--screens", nargs="+", choices=list(SCREENS), default=list(SCREENS), metavar="SCREEN")
    parser.add_argument("--sources", type=int, default=1000)
    parser.add_argument("--train", type=int, default=58, help="training molecules of the target")
    parser.add_argument("--test", type=int, default=300, help="test molecules of the target, at most")
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--n-screened", type=int, default=10)
    parser.add_argument("--max-epochs", type=int, default=20, help="epochs of each source network, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["tables", "sources"], help="stop once these are in the folder")
    parser.add_argument("--output", type=Path, help="Markdown file; the figures of every draw go beside it as JSON")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    tables = load_tables(args.folder)
    if args.only == "tables":
        return
    sources = load_sources(args.folder, tables, args)
    if args.only == "sources":
        return
    for name in args.targets:
        run_target(name, tables, sources, args)
    targets = collect(args)
    if not targets:
        return
    machines = sorted({draw["none"].pop("machine") for draws in targets.values() for draw in draws})
    report = {
        "machine": machines[0],
        "settings": {
            k: v for k, v in vars(args).items() if k not in ("folder", "output", "targets", "screens", "only")
        },
        "targets": targets,
    }
    print(to_markdown(report))
    if args.output:
        args.output.write_text(to_markdown(report), encoding="utf-8")
        write_json(args.output.with_suffix(".json"), report)


if __name__ == "__main__":
    main()
