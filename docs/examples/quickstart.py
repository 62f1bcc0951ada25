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
from matplotlib.figure import Figure
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline

from sktaag import datasets
from sktaag.descriptors import Fingerprints
from sktaag.heads import NeuralRegressor
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


def plot_parity(result, label):
    """Predicted against measured: the mean of each row's predictions when it was not in the training fold."""
    predicted = result.predictions.pivot_table(index="row", columns="model", values="y_pred")
    y = result.y[predicted.index]
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    shown = np.concatenate([y, predicted[DIRECT], predicted[TRANSFERRED]])
    low, high = shown.min(), shown.max()
    for ax, name, colour in zip(axes, (DIRECT, TRANSFERRED), ("#D55E00", "#0072B2"), strict=True):
        ax.plot([low, high], [low, high], color="0.6", linewidth=1, zorder=0)
        ax.scatter(y, predicted[name], s=18, color=colour, alpha=0.8, edgecolors="white", linewidths=0.4)
        mae = result.scores.loc[result.scores["model"] == name, "MAE"].mean()
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
    sources, seen = fit_sources(descriptor, held_out, args.max_epochs, args.seed)
    models = make_models(descriptor, sources, cache, args.seed)

    sections = []
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
        image = args.output / f"parity_{name.replace(' ', '_')}.png"
        plot_parity(result, label).savefig(image, dpi=150)
        sections.append((name.capitalize(), sentence, note, table, image))
        print(f"\n{label}: {note}\n\n{table.to_string()}\n\n{sentence}", flush=True)

    page = args.output / "quickstart.html"
    write_page(page, sections, (time.perf_counter() - start) / 60)
    print(f"\nThe page with tables and plots: {page.resolve()}  ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
