"""Classes from tens of compounds: metal or not, wide gap or not, with computed properties as the source.

SKTAAG_DATA=folder python benchmarks/classification.py --output benchmarks/results/classification.md

One source network learns four computed properties of Matbench at once (bulk and shear modulus, phonon peak, refractive
index); most compounds have one or two of them, and missing labels count for nothing. Targets are measured band gaps
(Matbench's expt_gap): metal (gap zero) or not, and gap above 3 eV, one compound in ten. No formula of the target is in
the source. The training rows of a draw are the same for all models; all other compounds are the test.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _timing import machine
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import RocCurveDisplay
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.datasets import fetch_matbench_composition
from sktaag.descriptors import CompositionDescriptors
from sktaag.model_selection import compare
from sktaag.sources import PyramidClassifier, PyramidRegressor
from sktaag.transfer import FrozenFeaturizer

SOURCES = ("log10_K_VRH", "log10_G_VRH", "phonons", "dielectric")
N_TEST = 800
DIRECT = "direct forest"


def train_source(descriptor, unseen, max_rows, seed):
    """Fit one network to all four properties, NaN where a compound has none."""
    columns = {}
    for task in SOURCES:
        data = fetch_matbench_composition(task)
        y = np.log10(data.target) if task in ("phonons", "dielectric") else data.target
        columns[task] = pd.Series((y - y.mean()) / y.std(), index=data.data)
    table = pd.DataFrame(columns)
    table = table[~table.index.isin(unseen)].sample(frac=1, random_state=seed)[:max_rows]
    network = PyramidRegressor((160, 80, 40), max_epochs=40, patience=8, random_state=seed)
    source = make_pipeline(descriptor, StandardScaler(), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # elements without a tabulated property
        source.fit(table.index.to_numpy(dtype=object), table.to_numpy())
    return source, table


def make_models(descriptor, source, seed):
    """Make direct and transferred models; weights of the classes are those of their counts."""

    def forest():
        return RandomForestClassifier(200, class_weight="balanced", random_state=seed)

    def logistic():
        return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))

    layers = FrozenFeaturizer(source, layers=2)
    return {
        DIRECT: make_pipeline(descriptor, forest()),
        "direct logistic regression": make_pipeline(descriptor, logistic()),
        "direct pyramid network": make_pipeline(
            descriptor,
            StandardScaler(),
            PyramidClassifier((40, 20), class_weight="balanced", max_epochs=60, random_state=seed),
        ),
        "transferred forest": make_pipeline(layers, forest()),
        "transferred logistic regression": make_pipeline(layers, logistic()),
        "four predicted properties, logistic regression": make_pipeline(
            FrozenFeaturizer(source, layers="output"), logistic()
        ),
    }


def row(name, scores):
    """Make one row of a table of `compare`."""
    auc, balanced = scores.loc["roc_auc"], scores.loc["balanced_accuracy"]
    half = (auc.difference_high - auc.difference_low) / 2
    change = "" if name == DIRECT else f"{auc.difference:+.3f} ({half:.3f})"
    cells = [f"{score['mean']:.3f} ({(score.high - score.low) / 2:.3f})" for score in (auc, balanced)]
    return f"| {name} | {cells[0]} | {change} | {cells[1]} | {auc.verdict} |"


def main():
    """Train the source, compare, write table and curves."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[60, 200])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--max-rows", type=int, default=6000, help="compounds of the source, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=None, help="folder for descriptors and layers")
    parser.add_argument("--output", type=Path, default=None, help="markdown file; the curves go beside it")
    args = parser.parse_args()

    gaps = fetch_matbench_composition("expt_gap")
    descriptor = CompositionDescriptors(cache=args.cache)
    source, table = train_source(descriptor, gaps.data, args.max_rows, args.seed)
    models = make_models(descriptor, source, args.seed)
    lines = [
        f"{len(gaps.data):,} measured band gaps; {args.draws} draws of the training compounds, {N_TEST} others test; "
        f"in brackets half of the 95% interval over the draws (Nadeau and Bengio). "
        f"Source: {len(table):,} compounds, labels of "
        f"{', '.join(f'{name} {n:,}' for name, n in table.count().items())}; held-out R2 "
        f"{source[-1].validation_score_:.2f}. Seed {args.seed}. {machine('scikit-learn', 'sktaag', 'torch')}."
    ]
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, (question, y) in zip(
        axes, {"metal": gaps.target == 0, "gap above 3 eV": gaps.target > 3}.items(), strict=True
    ):
        for size in args.sizes:
            draws = StratifiedShuffleSplit(args.draws, train_size=size, test_size=N_TEST, random_state=args.seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                result = compare(models, gaps.data, y.astype(int), cv=draws, baseline=DIRECT)
            lines += ["", f"**{question}** ({y.mean():.0%} of the compounds), {size} compounds", ""]
            lines += ["| model | ROC AUC | change | balanced accuracy | verdict |", "|---|---|---|---|---|"]
            lines += [row(name, rows.set_index("metric")) for name, rows in result.table.groupby("model", sort=False)]
        train, test = next(draws.split(gaps.data, y))
        for name, colour in ((DIRECT, "#D55E00"), ("transferred logistic regression", "#0072B2")):
            model = models[name].fit(gaps.data[train], y[train])
            RocCurveDisplay.from_estimator(
                model, gaps.data[test], y[test], ax=ax, name=name, curve_kwargs={"color": colour}
            )
        ax.set_title(f"{question}, {size} compounds, first draw", fontsize=9)
        ax.legend(fontsize=7)
    text = "\n".join(lines)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")
        figure.savefig(args.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
