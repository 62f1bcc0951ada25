"""Does transfer help on a few dozen measured molecules? Offline, in a few minutes.

Four source networks learn boiling points, melting points, critical temperatures and refractive indices from thousands
of molecules. Their hidden layers then describe 60 molecules with a measured surface tension, and 60 with a measured
thermal conductivity of the liquid: one case where transfer helps, and one where it need not. All data come with the
`chemicals` package. Molecules of the two targets are left out of the sources, stereoisomers included.

    python docs/examples/quickstart.py --output quickstart
"""

import argparse
import base64
import time
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import t as student_t
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline

from sktaag import datasets
from sktaag.descriptors import Fingerprints
from sktaag.heads import NeuralRegressor
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
SCORES = {"MAE": mean_absolute_error, "RMSE": root_mean_squared_error, "R2": r2_score}


def fit_sources(descriptor, without, max_epochs, seed):
    """Train one network for each source property on molecules that no target holds."""
    sources = {}
    for name, load in SOURCES.items():
        data = load()
        kept = ~np.isin(canonical_smiles(data.data, stereo=False), without)
        network = PyramidRegressor(criterion="huber", max_epochs=max_epochs, patience=8, random_state=seed)
        start = time.perf_counter()
        sources[name] = make_pipeline(descriptor, network).fit(data.data[kept], data.target[kept])
        print(
            f"source {name}: {kept.sum():,} molecules ({(~kept).sum()} shared with a target left out), "
            f"validation R2 {network.validation_score_:.2f}, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    return sources


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


def cross_validate(models, X, y, splits):
    """Fit every model on the same folds; return one row a model and fold, and the mean prediction of each row."""
    rows, predictions = [], {}
    for name, model in models.items():
        predicted, counts = np.zeros(len(y)), np.zeros(len(y))
        for fold, (train, test) in enumerate(splits):
            y_test = model.fit(X[train], y[train]).predict(X[test])
            predicted[test] += y_test
            counts[test] += 1
            rows.append({"model": name, "fold": fold, **{score: f(y[test], y_test) for score, f in SCORES.items()}})
        predictions[name] = predicted / counts
    return pd.DataFrame(rows), predictions


def interval(values, n_splits):
    """Half width of the 95% interval of a mean over repeated folds, whose training sets overlap.

    Corrected resampled t: C. Nadeau, Y. Bengio, Mach. Learn. 52, 239 (2003), doi 10.1023/A:1024068626366.
    """
    variance = np.var(values, ddof=1) * (1 / len(values) + 1 / (n_splits - 1))
    return student_t.ppf(0.975, len(values) - 1) * np.sqrt(variance)


def summarize(scores, n_splits):
    """Table of mean and 95% interval of each score of each model."""
    return pd.DataFrame(
        {
            name: {score: f"{group[score].mean():.3g} ± {interval(group[score], n_splits):.2g}" for score in SCORES}
            for name, group in scores.groupby("model", sort=False)
        }
    ).T


def verdict(scores, target, n_splits):
    """Say in one sentence whether transfer helped the random forest."""
    mae = scores.pivot_table(index="fold", columns="model", values="MAE")
    change = (mae[TRANSFERRED] - mae[DIRECT]) / mae[DIRECT].mean()
    mean, half = change.mean(), interval(change, n_splits)
    word = "helped" if mean < -half else "hurt" if mean > half else "made no certain difference"
    return (
        f"For {target}, transfer {word}: it changed the error of the random forest by {mean:+.0%} "
        f"(95% interval {mean - half:+.0%} to {mean + half:+.0%})."
    )


def plot_parity(y, predictions, scores, label):
    """Predicted against measured, each row predicted when it was not in the training fold."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    shown = np.concatenate([y, predictions[DIRECT], predictions[TRANSFERRED]])
    low, high = shown.min(), shown.max()
    for ax, name, colour in zip(axes, (DIRECT, TRANSFERRED), ("#D55E00", "#0072B2"), strict=True):
        ax.plot([low, high], [low, high], color="0.6", linewidth=1, zorder=0)
        ax.scatter(y, predictions[name], s=18, color=colour, alpha=0.8, edgecolors="white", linewidths=0.4)
        mae = scores.loc[scores.model == name, "MAE"].mean()
        ax.set_title(name, fontsize=10)
        ax.text(0.05, 0.92, f"MAE {mae:.3g}", transform=ax.transAxes, fontsize=9)
        ax.set_xlabel(f"measured {label}", fontsize=9)
        ax.tick_params(labelsize=8)
    axes[0].set_ylabel("predicted, cross-validated", fontsize=9)
    return figure


def write_page(path, sections, minutes):
    """Write one HTML file that needs no other file."""
    style = (
        "body{font-family:sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222}"
        "table{border-collapse:collapse;margin:1rem 0}"
        "th,td{padding:.3rem .8rem;border-bottom:1px solid #ddd;text-align:right}"
        "th:first-child,tbody th{text-align:left}img{max-width:100%}.verdict{font-weight:bold}"
    )
    body = ""
    for title, sentence, note, table, image in sections:
        picture = base64.b64encode(image.read_bytes()).decode()
        body += f"<h2>{title}</h2><p class='verdict'>{sentence}</p><p>{note}</p>{table.to_html(border=0)}"
        body += f"<img alt='Parity plot of {title}' src='data:image/png;base64,{picture}'>"
    path.write_text(
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>sktaag quickstart</title><style>{style}</style>"
        f"<h1>Does transfer help?</h1>{body}"
        f"<p>Made in {minutes:.1f} minutes by docs/examples/quickstart.py.</p></html>",
        encoding="utf-8",
    )


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
    sources = fit_sources(descriptor, held_out, args.max_epochs, args.seed)
    models = make_models(descriptor, sources, cache, args.seed)

    sections = []
    for name, data in targets.items():
        drawn = np.random.RandomState(args.seed).choice(len(data.data), args.samples, replace=False)
        X, y = data.data[drawn], data.target[drawn]
        folds = RepeatedKFold(n_splits=5, n_repeats=args.repeats, random_state=args.seed)
        scores, predictions = cross_validate(models, X, y, list(folds.split(X)))
        table, sentence = summarize(scores, 5), verdict(scores, name, 5)
        label = f"{name} / {data.target_units[0]}"
        note = (
            f"{args.samples} molecules drawn at random from {len(data.data)}, {args.repeats} x 5-fold "
            f"cross-validation, mean and 95% interval, errors in {data.target_units[0]}."
        )
        image = args.output / f"parity_{name.replace(' ', '_')}.png"
        plot_parity(y, predictions, scores, label).savefig(image, dpi=150)
        sections.append((name.capitalize(), sentence, note, table, image))
        print(f"\n{label}: {note}\n\n{table.to_string()}\n\n{sentence}", flush=True)

    page = args.output / "quickstart.html"
    write_page(page, sections, (time.perf_counter() - start) / 60)
    print(f"\nThe page with tables and plots: {page.resolve()}  ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
