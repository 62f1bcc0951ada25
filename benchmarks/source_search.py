"""What screening saves in a search over sources, and what it costs: each screen against trying all.

OMP_NUM_THREADS=1 python benchmarks/source_search.py --output benchmarks/results/source_search.md

Ensembles of random pyramids learn six offline properties, without the molecules of the targets. For each draw of
training molecules of a target, SourceSearchCV picks a network, layers, or the direct model for a forest: from all of
them, and from those that each screen leaves. Its error is that on molecules that no part of the search has seen. No
setting was chosen by the errors shown.
"""

import argparse
import time
from pathlib import Path

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
SCREENS = {
    "none": None,
    "log_me": "log_me",
    "ridge": "ridge",
    "h_score": "h_score",
    "forest of 4 trees": RandomForestRegressor(4, random_state=0),
}


def fit_sources(unseen, args):
    """Train an equal share of the networks on each property, without the molecules of the targets."""
    descriptor = Fingerprints(["morgan", "atom_pair", "torsion"], counts=True, size=1024, sparse=True)
    sources = {}
    for name, load in SOURCES.items():
        data = load()
        kept = ~np.isin(canonical_smiles(data.data, stereo=False), unseen)
        ensemble = PyramidEnsemble(
            n_models=args.sources // len(SOURCES),
            hidden=RandomPyramid((3, 4), (20, 200)),
            max_epochs=args.max_epochs,
            random_state=args.seed,
        )
        make_pipeline(descriptor, ensemble).fit(data.data[kept], data.target[kept])
        for k in range(len(ensemble)):
            sources[f"{name} {k}"] = make_pipeline(descriptor, ensemble[k])
    return sources


def run_draw(search, X, y, train, test):
    """Fit the search with every screen to the same rows."""
    found = {}
    for name, screen in SCREENS.items():
        model = clone(search).set_params(screen=screen)
        start = time.perf_counter()
        model.fit(X[train], y[train])
        found[name] = {
            "seconds": time.perf_counter() - start,
            "inner_mae": -float(model.best_score_),
            "test_mae": float(mean_absolute_error(y[test], model.predict(X[test]))),
            "winner": [str(model.best_source_), str(model.best_layers_)],
        }
        if screen is None:
            tried = model.cv_results_
            pairs = zip(tried["param_source"][1:], map(str, tried["param_layers"][1:]), strict=True)
            scores = dict(zip(pairs, tried["mean_test_score"][1:], strict=True))
            direct = make_pipeline(*next(iter(search.sources.values()))[:-1], clone(search.head))
            found["direct"] = {
                "inner_mae": -float(tried["mean_test_score"][0]),
                "test_mae": float(mean_absolute_error(y[test], clone(direct).fit(X[train], y[train]).predict(X[test]))),
            }
        else:
            table = model.screening_results_
            pairs = zip(table["source"], map(str, table["layers"]), strict=True)
            found[name]["rank_correlation"] = float(spearmanr(table["score"], [scores[p] for p in pairs]).statistic)
    return found


def to_markdown(report):
    s = report["settings"]
    lines = [
        f"{s['sources']} source networks, layers 1 and all, forests of {s['trees']} trees, 5 inner folds, "
        f"{s['train']} training molecules, {s['draws']} draws of each target; a screen keeps {s['n_screened']} of "
        f"{2 * s['sources']} pairs of network and layers. One process, {report['machine']}; {report['minutes']:.1f} "
        "minutes. Medians over the draws; errors relative to the search that tries all, in the same draw.",
        "",
        "| target | screen | seconds | times faster | inner MAE | test MAE | rank correlation with inner score |",
        "|---|---|---|---|---|---|---|",
    ]
    for target, draws in report["targets"].items():
        for name in ("direct", *SCREENS):
            inner, test = (relative(draws, name, key) for key in ("inner_mae", "test_mae"))
            label, seconds, faster, correlation = "direct forest, no search", "", "", ""
            if name != "direct":
                label, seconds = name, f"{np.median([draw[name]['seconds'] for draw in draws]):.1f}"
                faster = f"{1 / relative(draws, name, 'seconds'):.1f}"
            if "rank_correlation" in draws[0].get(name, {}):
                correlation = f"{np.median([draw[name]['rank_correlation'] for draw in draws]):.2f}"
            lines.append(f"| {target} | {label} | {seconds} | {faster} | {inner:.3f} | {test:.3f} | {correlation} |")
    return "\n".join([*lines, ""])


def relative(draws, name, key):
    """Median over the draws of a figure relative to that of the search without a screen."""
    return float(np.median([draw[name][key] / draw["none"][key] for draw in draws]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--sources", type=int, default=60)
    parser.add_argument("--train", type=int, default=40, help="training molecules of the target")
    parser.add_argument("--test", type=int, default=300, help="test molecules of the target, at most")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--trees", type=int, default=25)
    parser.add_argument("--n-screened", type=int, default=10)
    parser.add_argument("--max-epochs", type=int, default=20, help="epochs of each source network, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="Markdown file; the figures of every draw go beside it as JSON")
    args = parser.parse_args()
    start = time.perf_counter()
    targets = {name: TARGETS[name]() for name in args.targets}
    unseen = np.unique(np.concatenate([canonical_smiles(data.data, stereo=False) for data in targets.values()]))
    sources = fit_sources(unseen, args)
    results = {}
    for name, data in targets.items():
        results[name] = []
        for draw in range(args.draws):
            order = np.random.RandomState(args.seed + draw).permutation(len(data.data))
            train, test = order[: args.train], order[args.train : args.train + args.test]
            head = RandomForestRegressor(args.trees, random_state=draw)
            search = SourceSearchCV(
                head, sources, layers=[1, "all"], scoring="neg_mean_absolute_error", n_screened=args.n_screened
            )
            results[name].append(run_draw(search, data.data, data.target, train, test))
    report = {
        "machine": machine("numpy", "scikit-learn", "sktaag", "torch"),
        "settings": {key: value for key, value in vars(args).items() if key not in ("output", "targets")},
        "minutes": (time.perf_counter() - start) / 60,
        "targets": results,
    }
    print(to_markdown(report))
    if args.output:
        args.output.write_text(to_markdown(report), encoding="utf-8")
        write_json(args.output.with_suffix(".json"), report)


if __name__ == "__main__":
    main()
