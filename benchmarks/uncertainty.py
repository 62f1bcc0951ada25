"""Prediction intervals that hold what they promise, and where they do not: by distance in the neural features.

OMP_NUM_THREADS=1 python benchmarks/uncertainty.py --output benchmarks/results/uncertainty.md

Four source networks learn offline properties without the molecules of the targets. MAPIE's CrossConformalRegressor
(CV+, 5 folds) wraps a direct random forest and one on the last hidden layers, both as pipelines that take SMILES. It
sees some molecules of a target; the share of the other molecules whose value lies in the interval is the coverage. Test
molecules are drawn at random, or are whole clusters of similar molecules that the training molecules do not belong
to. The applicability domain is a local outlier factor on the standardised hidden layers of the training molecules. No
setting was chosen by the figures shown.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _timing import machine
from mapie.regression import CrossConformalRegressor
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag import datasets
from sktaag.descriptors import Fingerprints
from sktaag.model_selection import ClusterKFold
from sktaag.sources import PyramidRegressor
from sktaag.structures import canonical_smiles
from sktaag.transfer import FrozenFeaturizer

SOURCES = {
    "boiling": datasets.load_boiling_points,
    "melting": datasets.load_melting_points,
    "critical": datasets.load_critical_temperatures,
    "refraction": datasets.load_refractive_indices,
}
TARGETS = {
    "surface tension": datasets.load_surface_tensions,
    "thermal conductivity": datasets.load_liquid_thermal_conductivity,
    "viscosity, logarithm": datasets.load_liquid_viscosities,
}
LEVELS = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
SHOWN = LEVELS.index(0.9)
COLOURS = {"direct": "#D55E00", "transferred": "#0072B2"}


def fit_sources(descriptor, args):
    """Train one network for each source property on molecules that no target holds."""
    unseen = np.concatenate([canonical_smiles(load().data, stereo=False) for load in TARGETS.values()])
    sources = {}
    for name, load in SOURCES.items():
        data = load()
        kept = ~np.isin(canonical_smiles(data.data, stereo=False), unseen)
        network = PyramidRegressor(criterion="huber", max_epochs=args.max_epochs, patience=8, random_state=args.seed)
        sources[name] = make_pipeline(descriptor, network).fit(data.data[kept], data.target[kept])
    return sources


def draws(X, kind, args):
    """Yield training and test rows."""
    for seed in range(args.seed, args.seed + args.draws):
        if kind == "random":
            order = np.random.RandomState(seed).permutation(len(X))
            yield order[: args.train], order[args.train :]
        else:
            pool, test = next(ClusterKFold(3, random_state=seed).split(X))
            yield np.random.RandomState(seed).choice(pool, min(args.train, len(pool)), replace=False), test


def judge(model, X, y, train, test):
    """Return coverage and mean width at each level, and the absolute error of each test row."""
    conformal = CrossConformalRegressor(model, confidence_level=LEVELS, method="plus", cv=5, random_state=0)
    predicted, interval = conformal.fit_conformalize(X[train], y[train]).predict_interval(X[test])
    inside = (interval[:, 0] <= y[test, None]) & (y[test, None] <= interval[:, 1])
    return inside.mean(axis=0), (interval[:, 1] - interval[:, 0]).mean(axis=0), np.abs(predicted - y[test])


def run(X, y, models, domain, kind, args):
    """Figures of one target and one way to draw, one entry a draw."""
    found = {name: {"coverage": [], "width": [], "mae": []} for name in models}
    outliers = []
    for train, test in draws(X, kind, args):
        errors = {}
        for name, model in models.items():
            coverage, width, errors[name] = judge(model, X, y, train, test)
            found[name]["coverage"].append(coverage)
            found[name]["width"].append(width)
            found[name]["mae"].append(errors[name].mean())
        distance = -domain.fit(X[train]).score_samples(X[test])
        far = distance >= np.quantile(distance, 0.9)
        error = errors["transferred"]
        outliers.append((spearmanr(distance, error).statistic, error[far].mean() / error[~far].mean()))
    return found, np.array(outliers)


def plot(results, path):
    """Coverage against the level that was asked for."""
    figure = Figure(figsize=(2.6 * len(results), 5), layout="constrained")
    axes = figure.subplots(2, len(results), sharex=True, sharey=True, squeeze=False)
    for column, (target, kinds) in zip(axes.T, results.items(), strict=True):
        for ax, (kind, (found, _)) in zip(column, kinds.items(), strict=True):
            ax.plot([0.45, 1], [0.45, 1], color="0.6", linewidth=1)
            for name, figures in found.items():
                coverage = np.array(figures["coverage"])
                ax.errorbar(
                    LEVELS, coverage.mean(axis=0), coverage.std(axis=0), marker="o", markersize=3, linewidth=1,
                    color=COLOURS[name], label=name,
                )  # fmt: skip
            ax.set_title(f"{target}\n{'random' if kind == 'random' else 'unseen clusters'}", fontsize=9)
            ax.tick_params(labelsize=8)
    axes[0, 0].legend(fontsize=8, frameon=False)
    figure.supxlabel("confidence asked for", fontsize=9)
    figure.supylabel("share of test molecules in the interval", fontsize=9)
    figure.savefig(path)


def spread(values):
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def to_markdown(results, units, minutes, args):
    lines = [
        f"Intervals of 90 % from {args.train} molecules of each target: mean ± standard deviation over {args.draws} "
        f"draws (seeds {args.seed} to {args.seed + args.draws - 1}). Width: mean, upper end less lower end. Distance: "
        "rank correlation of the outlier factor with the absolute error of the transferred forest, and the ratio of "
        "its error on the tenth of test molecules that is farthest away to that on the rest.",
        "",
        f"At most {args.max_epochs} epochs for each source, {minutes:.0f} minutes; "
        f"{machine('mapie', 'numpy', 'rdkit', 'scikit-learn', 'sktaag', 'torch')}.",
        "",
        "| target | test molecules | model | MAE | coverage | width | distance: rank correlation | error far / near |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for target, kinds in results.items():
        for kind, (found, outliers) in kinds.items():
            for name, figures in found.items():
                coverage, width = np.array(figures["coverage"]), np.array(figures["width"])
                distance = f"{spread(outliers[:, 0])} | {spread(outliers[:, 1])}" if name == "transferred" else " | "
                lines.append(
                    f"| {target} / {units[target]} | {kind} | {name} | {np.mean(figures['mae']):.3g} | "
                    f"{spread(coverage[:, SHOWN])} | {width[:, SHOWN].mean():.3g} | {distance} |"
                )
    return "\n".join([*lines, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--train", type=int, default=100, help="training molecules of the target")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--max-epochs", type=int, default=60, help="epochs of each source network, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the first draw and the networks")
    parser.add_argument("--output", type=Path, help="Markdown file; the figure goes beside it as SVG")
    args = parser.parse_args()
    start = time.perf_counter()
    results, units = {}, {}
    with TemporaryDirectory() as folder:
        descriptor = Fingerprints(["morgan", "atom_pair", "torsion"], counts=True, size=1024, sparse=True, cache=folder)
        features = FrozenFeaturizer(fit_sources(descriptor, args), layers=1, cache=folder)
        models = {
            "direct": make_pipeline(descriptor, RandomForestRegressor(50, random_state=0)),
            "transferred": make_pipeline(features, RandomForestRegressor(50, random_state=0)),
        }
        domain = make_pipeline(features, StandardScaler(), LocalOutlierFactor(novelty=True))
        for target in args.targets:
            data = TARGETS[target]()
            units[target] = data.target_units[0]
            results[target] = {
                kind: run(data.data, data.target, models, domain, kind, args) for kind in ("random", "clusters")
            }
            print(f"{target}: {time.perf_counter() - start:.0f} s", flush=True)
    text = to_markdown(results, units, (time.perf_counter() - start) / 60, args)
    print(text)
    if args.output:
        args.output.write_text(text, encoding="utf-8")
        plot(results, args.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
