"""Seven benchmark sets of polymers (Khazana, TransPolymer): five folds beside the published scores.

OMP_NUM_THREADS=1 python benchmarks/khazana.py --cache ~/sktaag-khazana --output benchmarks/results/khazana.md

The polymers of the six small sets are nearly the same ones, so that none of the six can teach another: they are left
out of all sources together. The sources are Gaussian processes on other polymers and molecules, one for each property;
what they predict stands beside the counts of substructures. Whatever is chosen or weighed is so on the training rows
of a fold alone. Results come as they are ready: a run that is broken off goes on where it was.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _kernel_gp import CountGP, GramGP, count_views, feature_kernels, half_interval, joined, minmax_kernel
from _timing import machine
from _transfer_tasks import SOURCES
from joblib import Memory
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import KFold

from sktaag.datasets import fetch_khazana

SETS = ("Eea", "Egb", "Egc", "Ei", "EPS", "Nc", "Xc")
PUBLISHED = {  # mean R2 of five folds, J. Zhou et al., Digital Discovery (2025), PolyCL, table 1, as quoted elsewhere
    "forest, ECFP": (0.840, 0.864, 0.870, 0.742, 0.684, 0.754),
    "XGBoost, ECFP": (0.835, 0.857, 0.868, 0.722, 0.673, 0.757),
    "network, ECFP": (0.854, 0.871, 0.884, 0.756, 0.747, 0.807),
    "GCN": (0.854, 0.804, 0.799, 0.665, 0.740, 0.524),
    "GIN": (0.883, 0.835, 0.818, 0.784, 0.693, 0.632),
    "TransPolymer": (0.894, 0.896, 0.876, 0.792, 0.757, 0.811),
    "polyBERT": (0.907, 0.883, 0.878, 0.767, 0.769, 0.802),
    "PolyCL": (0.907, 0.888, 0.883, 0.811, 0.788, 0.846),
}
TABLES = (  # of other polymers and molecules: electronic, optical, and what goes with size and packing
    "band gap, chains",
    "band gap, polymers",
    "HOMO, polymers",
    "LUMO, polymers",
    "dipole moment, polymers",
    "polarizability, polymers",
    "polarizability, monomers",
    "refractive index, RadonPy",
    "dielectric constant, RadonPy",
    "density, RadonPy",
    "refractive index, organics",
    "density, organics",
    "refractive index, liquids",
    "permittivity, liquids",
    "band gap, QM9",
    "polarizability, QM9",
    "melting point, measured",
    "glass transition, measured",
)
FOREST, GP, RIDGE = "direct forest, counts", "direct Gaussian process, counts", "direct ridge, counts"
TREES, BOTH = "extra trees, predicted properties", "Gaussian process, counts and predicted properties"
GUARDED, STACK = "guarded search (nested)", "stack (nested)"
MODELS = (FOREST, RIDGE, GP, TREES, BOTH, GUARDED, STACK)
COMPETE = (GP, TREES, BOTH)
# Egc, the large set, goes without the target itself among the sources and with less of everything
LARGE_TABLES, LARGE_ROWS = TABLES[1:10], 1000


def source_table(name, max_rows, seed):
    """Structures of one property as `joined` writes them, and values; at most `max_rows` at random."""
    X, y, _ = SOURCES[name].rows()
    order = np.sort(np.random.RandomState(seed).permutation(len(X))[:max_rows])
    return joined(X[order]), y[order]


def predicted_property(name, polymers, without, max_rows, seed):
    """Train a source without the structures in `without`; its predictions, standardised, and its score."""
    X, y = source_table(name, max_rows, seed)
    shared = np.isin(X, sorted(without))
    X, y = X[~shared], y[~shared]
    order = np.random.RandomState(seed).permutation(len(X))
    test, train = order[: len(X) // 10], order[len(X) // 10 :]
    source = CountGP().fit(X[train], y[train])
    card = {"rows": len(train), "left_out": int(shared.sum()), "r2": float(r2_score(y[test], source.predict(X[test])))}
    return (source.predict(polymers) - y[train].mean()) / y[train].std(), card


def predicted_properties(target, polymers, without, args, memory):
    """Stand the predictions of all sources side by side."""
    read = memory.cache(predicted_property)
    columns, cards = {}, {}
    for name in TABLES:
        if target == "Egc" and name not in LARGE_TABLES:
            continue
        start = time.perf_counter()
        rows = min(args.source_rows, LARGE_ROWS) if target == "Egc" else args.source_rows
        columns[name], cards[name] = read(name, polymers, tuple(sorted(without)), rows, args.seed)
        print(target, name, cards[name], f"{time.perf_counter() - start:.0f} s", flush=True)
    return np.column_stack(list(columns.values())), cards


class OnRows:
    """Let an estimator of features be fitted to row numbers, as `GramGP` is."""

    def __init__(self, estimator, features):
        self.estimator, self.features = estimator, features

    def fit(self, X, y):
        """Fit to rows."""
        self.fitted_ = clone(self.estimator).fit(self.features[X], y)
        return self

    def predict(self, X):
        """Predict rows."""
        return self.fitted_.predict(self.features[X])


def make_models(X, smiles, Z, seed, max_rows=500):
    """Build what competes, all over the same row numbers."""
    views = count_views(smiles, X)
    grams = [minmax_kernel(view, view) for view in views]
    counts = np.log1p(views[1].toarray())
    counts = counts[:, counts.any(axis=0)]
    return {
        FOREST: OnRows(RandomForestRegressor(100, max_features=0.3, random_state=seed), counts),
        RIDGE: OnRows(RidgeCV(np.logspace(-1, 4, 11)), counts),
        GP: GramGP(grams, max_rows),
        TREES: OnRows(ExtraTreesRegressor(100, min_samples_leaf=2, random_state=seed), Z),
        BOTH: GramGP([*grams, *feature_kernels(Z, Z)], max_rows),
    }


def run_fold(models, y, train, test, seed, names):
    """Fit all models to the training rows; the choice and the weights rest on three inner folds of these."""
    predicted = {name: models[name].fit(train, y[train]).predict(test) for name in names}
    inner = {name: np.empty(len(train)) for name in COMPETE if name in names}
    for a, b in KFold(3, shuffle=True, random_state=seed).split(train):
        for name in inner:
            inner[name][b] = models[name].fit(train[a], y[train[a]]).predict(train[b])
    errors = {name: mean_squared_error(y[train], values) for name, values in inner.items()}
    winner = min(errors, key=errors.get)
    predicted[GUARDED] = predicted[winner]
    weights, _ = nnls(np.column_stack(list(inner.values())), y[train])
    predicted[STACK] = np.column_stack([predicted[name] for name in inner]) @ weights
    scores = {
        name: {
            "r2": r2_score(y[test], p),
            "rmse": float(np.sqrt(mean_squared_error(y[test], p))),
            "mae": mean_absolute_error(y[test], p),
        }
        for name, p in predicted.items()
    }
    return {"scores": scores, "winner": winner, "weights": dict(zip(inner, weights.round(3), strict=True))}


def run_set(target, args, memory, log):
    """All folds of one set that are not in the log yet."""
    bunch = fetch_khazana(target)
    X, y = np.asarray(bunch.data, dtype=object), np.asarray(bunch.target, dtype=float)
    small = [name for name in SETS if name != "Egc"]
    group = ["Egc"] if target == "Egc" else small
    write = memory.cache(joined)
    polymers = np.unique(np.concatenate([write(np.asarray(fetch_khazana(name).data, dtype=object)) for name in group]))
    Z, cards = predicted_properties(target, polymers, set(polymers), args, memory)
    log.cards[target] = cards
    large = target == "Egc"
    splits = [
        (repeat, fold, train, test)
        for repeat in range(1 if large else args.repeats)
        for fold, (train, test) in enumerate(KFold(5, shuffle=True, random_state=args.seed + repeat).split(X))
        if (target, repeat, fold) not in log.done
    ]
    if not splits:
        return
    smiles = write(X)
    models = make_models(X, smiles, Z[np.searchsorted(polymers, smiles)], args.seed, 300 if large else 500)
    if large:
        del models[RIDGE], models[FOREST]
    for repeat, fold, train, test in splits:
        start = time.perf_counter()
        found = run_fold(models, y, train, test, args.seed, [name for name in MODELS if name in models])
        log.add({"set": target, "repeat": repeat, "fold": fold, "rows": len(X), **found}, start)


class Log:
    """Results as lines of a file, so that a run can go on."""

    def __init__(self, path):
        self.path, self.cards = path, {}
        self.lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def done(self):
        """Folds that are there."""
        return {(line["set"], line["repeat"], line["fold"]) for line in self.lines}

    def add(self, line, start):
        """Keep one fold."""
        line["seconds"] = round(time.perf_counter() - start, 1)
        self.lines.append(line)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(line["set"], line["repeat"], line["fold"], line["winner"], f"{line['seconds']} s", flush=True)


def to_markdown(log, args):
    sets = [name for name in SETS if any(line["set"] == name for line in log.lines)]
    lines_of = {name: [line for line in log.lines if line["set"] == name] for name in sets}
    best = {name: max(row[i] for row in PUBLISHED.values()) for i, name in enumerate(s for s in SETS if s != "Xc")}
    out = [
        "Mean R2 over five folds; ours with half of the 95% interval (Nadeau and Bengio). **Bold**: above every "
        "published row. Rows without an interval were published by J. Zhou et al. (PolyCL, Digital Discovery 2025, "
        "table 1); they are quoted after another document, and their folds are not known to be ours.",
        "",
        f"| model | {' | '.join(sets)} |",
        "|---" * (len(sets) + 1) + "|",
        f"| polymers | {' | '.join(format(lines_of[name][0]['rows'], ',') for name in sets)} |",
        f"| folds of ours | {' | '.join(str(len(lines_of[name])) for name in sets)} |",
    ]
    published = [name for name in SETS if name != "Xc"]
    for model, row in PUBLISHED.items():
        cells = [f"{row[published.index(name)]:.3f}" if name in published else "" for name in sets]
        out.append(f"| {model} | {' | '.join(cells)} |")
    for model in MODELS:
        cells = []
        for name in sets:
            values = [line["scores"][model]["r2"] for line in lines_of[name] if model in line["scores"]]
            if not values:
                cells.append("")
                continue
            mean = np.mean(values)
            text = f"{mean:.3f} ± {half_interval(values):.3f}"
            cells.append(f"**{text}**" if mean > best.get(name, np.inf) else text)
        out.append(f"| {model} | {' | '.join(cells)} |")
    out += ["", "RMSE of the same folds:", "", f"| model | {' | '.join(sets)} |", "|---" * (len(sets) + 1) + "|"]
    for model in MODELS:
        means = [pd.DataFrame([line["scores"].get(model, {}) for line in lines_of[name]]) for name in sets]
        cells = ["" if mean.empty else f"{mean['rmse'].mean():.3f}" for mean in means]
        out.append(f"| {model} | {' | '.join(cells)} |")
    out += ["", "What the guarded search took, of all folds:", ""]
    for name in sets:
        winners = [line["winner"] for line in lines_of[name]]
        out.append(f"- {name}: " + ", ".join(f"{model} {winners.count(model)}" for model in dict.fromkeys(winners)))
    shown = {name: log.cards[name] for name in log.cards if name in ("Egc", "Nc")} or log.cards
    out += ["", "Sources (R2 on a tenth held out; rows left out are those of the target's polymers):", ""]
    out += ["| property | " + " | ".join(f"for {name}: rows, left out, R2" for name in shown) + " |"]
    out += ["|---" * (len(shown) + 1) + "|"]
    for table in TABLES:
        cells = []
        for cards in shown.values():
            card = cards.get(table)
            cells.append(f"{card['rows']:,}, {card['left_out']:,}, {card['r2']:.2f}" if card else "")
        out.append(f"| {table} | {' | '.join(cells)} |")
    out += [
        "",
        "Egc, the large set: nine sources of at most 1,000 rows, no forest and no ridge of ours, one repeat.",
    ]
    out += ["", f"Seed {args.seed}, {machine('numpy', 'rdkit', 'scikit-learn', 'scipy', 'sktaag')}."]
    return "\n".join([*out, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--repeats", type=int, default=2, help="repeats of the five folds (Egc: 1)")
    parser.add_argument("--source-rows", type=int, default=1500, help="rows of each source table, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, required=True, help="folder for sources and finished folds")
    parser.add_argument("--output", type=Path, help="Markdown file")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    memory = Memory(args.cache / "memory", verbose=0)
    log = Log(args.cache / "folds.jsonl")
    for target in args.sets:
        run_set(target, args, memory, log)
    text = to_markdown(log, args)
    print(text)
    if args.output:
        args.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
