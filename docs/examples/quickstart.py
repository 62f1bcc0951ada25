"""Does transfer help on a few dozen measured molecules? Offline, in a few minutes.

Four source networks learn boiling points, melting points, critical temperatures and refractive indices from thousands
of molecules. Their hidden layers then describe 60 molecules with a measured surface tension, and 60 with a measured
thermal conductivity of the liquid: one case where transfer helps, and one where it need not. All data come with the
`chemicals` package. Molecules of the two targets are left out of the sources, stereoisomers included.

    python docs/examples/quickstart.py --output quickstart
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline

from sktaag import datasets
from sktaag.descriptors import Fingerprints
from sktaag.heads import NeuralRegressor
from sktaag.inspection import report
from sktaag.model_selection import compare
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
}
DIRECT, TRANSFERRED = "direct random forest", "transferred random forest"
SCORES = {"MAE": "neg_mean_absolute_error", "RMSE": "neg_root_mean_squared_error", "R2": "r2"}


def fit_sources(descriptor, without, max_epochs, seed):
    """Train one network for each source property on molecules that no target holds; return them, and what they saw."""
    sources, seen = {}, {}
    for name, load in SOURCES.items():
        data = load()
        kept = ~np.isin(canonical_smiles(data.data, stereo=False), without)
        network = PyramidRegressor(criterion="huber", max_epochs=max_epochs, patience=8, random_state=seed)
        start = time.perf_counter()
        seen[name] = data.data[kept]
        sources[name] = make_pipeline(descriptor, network).fit(seen[name], data.target[kept])
        print(
            f"source {name}: {kept.sum():,} molecules ({(~kept).sum()} shared with a target left out), "
            f"validation R2 {network.validation_score_:.2f}, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    return sources, seen


def make_models(descriptor, sources, folder, seed):
    """Make the five models of the table."""

    def features(layers):
        return FrozenFeaturizer(sources, layers=layers, cache=folder)

    return {
        "mean of the training fold": make_pipeline(descriptor, DummyRegressor()),
        DIRECT: make_pipeline(descriptor, RandomForestRegressor(random_state=seed)),
        "source predictions, linear fit": make_pipeline(features("output"), LinearRegression()),
        TRANSFERRED: make_pipeline(features(1), RandomForestRegressor(random_state=seed)),
        "transferred neural head": make_pipeline(features(1), NeuralRegressor(random_state=seed)),
    }


def main():
    """Train the sources, judge the models on both targets, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("quickstart"), help="folder for the page and the plots")
    parser.add_argument("--samples", type=int, default=60, help="measured molecules of each target")
    parser.add_argument("--repeats", type=int, default=5, help="repeats of 5-fold cross-validation")
    parser.add_argument("--max-epochs", type=int, default=60, help="epochs of each source network, at most")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    start = time.perf_counter()
    args.output.mkdir(parents=True, exist_ok=True)
    cache = args.output / "cache"

    targets = {name: load() for name, load in TARGETS.items()}
    held_out = np.concatenate([canonical_smiles(data.data, stereo=False) for data in targets.values()])
    descriptor = Fingerprints(["morgan", "atom_pair", "torsion"], counts=True, size=1024, sparse=True, cache=cache)
    sources, seen = fit_sources(descriptor, held_out, args.max_epochs, args.seed)
    models = make_models(descriptor, sources, cache, args.seed)

    results, notes = {}, []
    for name, data in targets.items():
        drawn = np.random.RandomState(args.seed).choice(len(data.data), args.samples, replace=False)
        X, y = data.data[drawn], data.target[drawn]
        unit = data.target_units[0]
        folds = RepeatedKFold(n_splits=5, n_repeats=args.repeats, random_state=args.seed)
        result = compare(
            models,
            X,
            y,
            cv=folds,
            scoring=SCORES,
            baseline=DIRECT,
            source_X=seen,
            target_name=name,
            unit=unit,
            verbose=1,
        )
        assert len(result.overlap) == 0, "a source has seen a molecule of the target"
        table, sentence = result.summary()[list(SCORES)], result.sentences[TRANSFERRED]
        label = f"{name} / {unit}"
        note = (
            f"{args.samples} molecules drawn at random from {len(data.data)}, {args.repeats} x 5-fold "
            f"cross-validation, mean and 95% interval, errors in {unit}."
        )
        results[name.capitalize()] = result
        notes.append(f"{label}: {note}")
        print(f"\n{label}: {note}\n\n{table.to_string()}\n\n{sentence}", flush=True)

    page = report(results, args.output / "quickstart.html", title="Does transfer help?", notes=notes)
    print(f"\nThe page with tables and plots: {page.resolve()}  ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
