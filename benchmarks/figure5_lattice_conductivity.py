"""Lattice thermal conductivity of inorganic compounds from 45 of them (figure 5 of the XenonPy.MDL paper).

OMP_NUM_THREADS=1 python benchmarks/figure5_lattice_conductivity.py --cache ~/sktaag-figure5 \
    --output benchmarks/results/figure5_lattice_conductivity.md

The compounds of AFLOW are split once: one part teaches the source networks other properties by composition, 45 of the
rest and their conductivities train the models, all others of the rest test them. So no compound of the target is in a
source. A second table draws the 45 from the lower nine tenths and tests on the highest tenth. Draws that are done stay
in the cache folder, so that a broken run goes on.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from _kernel_gp import half_interval
from _timing import machine
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor, VotingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.datasets import fetch_aflow_composition, fetch_matbench_composition
from sktaag.descriptors import CompositionDescriptors
from sktaag.sources import ModelLibrary, PyramidRegressor
from sktaag.transfer import FrozenFeaturizer, SourceSearchCV

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SOURCES = {  # what the paper took first; name: (fetch, scale)
    "Debye temperature": (lambda: fetch_aflow_composition("debye_temperature"), np.log10),
    "thermal expansion": (lambda: fetch_aflow_composition("thermal_expansion"), np.log10),
    "bulk modulus": (lambda: fetch_aflow_composition("bulk_modulus"), np.log10),
    "bulk modulus, Matbench": (lambda: fetch_matbench_composition("log10_K_VRH"), None),
    "shear modulus, Matbench": (lambda: fetch_matbench_composition("log10_G_VRH"), None),
    "phonon peak, Matbench": (lambda: fetch_matbench_composition("phonons"), np.log10),
}
TREES = 30
DIRECT = "direct {}"
ALONE = "{}, last layer + forest"
SINGLE = "best single source, forest (nested)"
NESTED, GUARDED = "best transferred of the search", "guarded search"
REGIMES = {"random": "45 random compounds, all others as test", "highest": "45 of the lower nine tenths, highest tenth"}


def heads(seed):
    """Return heads by name; the last is the mean of the three others."""
    kernel = ConstantKernel(1.0) * RBF(15.0, (1.0, 1e3)) + WhiteKernel(0.1)
    single = {
        "forest": RandomForestRegressor(TREES, random_state=seed),
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13))),
        "Gaussian process": make_pipeline(
            StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
        ),
    }
    return {**single, "mean of the three": VotingRegressor(list(single.items()))}


def descriptor(args):
    elements = args.elements and pd.read_csv(args.elements, index_col=0, keep_default_na=False).astype(float)
    return CompositionDescriptors(elements=elements, cache=args.cache / "descriptors")


def fit_sources(target, args):
    """Train one network for each property, without the compounds of the target, and keep it in a library."""
    library = ModelLibrary(args.cache / "library")
    sources, cards = {}, {}
    for name, (load, scale) in SOURCES.items():
        known = library.search(property=name)
        if len(known) == 0:
            bunch = load()
            formulas, y = np.asarray(bunch.data, dtype=object), np.asarray(bunch.target, dtype=float)
            kept = ~np.isin(formulas, target) & ((y > 0) if scale else np.isfinite(y))
            rows = np.random.RandomState(args.seed).permutation(np.flatnonzero(kept))[: args.source_rows]
            test, train = rows[: len(rows) // 10], rows[len(rows) // 10 :]
            values = scale(y) if scale else y  # zeros are among the rows left out
            network = PyramidRegressor((150, 80, 40), dropout=0.1, max_epochs=60, patience=10, random_state=args.seed)
            source = make_pipeline(descriptor(args), StandardScaler(), network)
            source.fit(formulas[train], values[train])
            r2 = r2_score(values[test], source.predict(formulas[test]))
            library.add(
                source,
                property=name,
                material="inorganic",
                metrics={"r2": float(r2)},
                split=f"a tenth at random; {int(np.isin(formulas, target).sum())} compounds of the target left out",
                data=(formulas[train], values[train]),
            )
            known = library.search(property=name)
            print(name, len(train), f"R2 {r2:.2f}", flush=True)
        sources[name] = library.get(known["id"].iloc[0])
        cards[name] = library.card(known["id"].iloc[0])
    return sources, cards


def score(y_train, y_test, predicted):
    return {
        "mae": float(mean_absolute_error(y_test, predicted)),
        "r2": float(r2_score(y_test, predicted)),
        "rank": float(spearmanr(y_test, predicted).statistic),
        "beyond": float(np.mean(predicted > y_train.max())),
    }


def run_draw(X, y, descriptors, train, test, sources, args, seed):
    """Fit everything to the same 45 rows, score on the same test rows."""
    kept = {}
    for name, head in heads(seed).items():
        kept[DIRECT.format(name)] = head.fit(descriptors[train], y[train]).predict(descriptors[test])
    for name, source in sources.items():
        features = FrozenFeaturizer(source, cache=args.cache / "layers").fit_transform(X)
        kept[ALONE.format(name)] = heads(seed)["forest"].fit(features[train], y[train]).predict(features[test])
    settings = {"scoring": "neg_mean_absolute_error", "cache": args.cache / "layers"}
    head = heads(seed)["forest"]
    single = SourceSearchCV(head, sources, layers=[1], baseline=False, cv=5, **settings).fit(X[train], y[train])
    kept[SINGLE] = single.predict(X[test])
    bundles = {"the paper's three": {name: sources[name] for name in list(sources)[:3]}, "all six": sources}
    folds = RepeatedKFold(n_splits=5, n_repeats=2, random_state=seed)
    compete = {name: heads(seed)[name] for name in ("ridge", "mean of the three")}
    guarded = SourceSearchCV(compete, bundles, layers=[1, "output"], cv=folds, **settings).fit(X[train], y[train])
    kept[GUARDED] = guarded.predict(X[test])
    kept[NESTED] = kept[GUARDED]
    best = guarded.best_params_
    if guarded.best_source_ is None:  # the best of the others
        params = guarded.cv_results_["params"]
        ranked = [params[i] for i in np.argsort(guarded.cv_results_["rank_test_score"])]
        best = next(found for found in ranked if found["source"] is not None)
        transferred = FrozenFeaturizer(bundles[best["source"]], best["layers"], cache=args.cache / "layers")
        model = make_pipeline(transferred, heads(seed)[best["head"]]).fit(X[train], y[train])
        kept[NESTED] = model.predict(X[test])
    scores = {name: score(y[train], y[test], predicted) for name, predicted in kept.items()}
    return {
        "scores": scores,
        "inner_mae": {SINGLE: -float(single.best_score_), GUARDED: -float(guarded.best_score_)},
        "direct": guarded.best_source_ is None,
        "transferred": {name: str(value) for name, value in best.items()},
    }, {name: kept[name] for name in (DIRECT.format("forest"), GUARDED)}


def draw_rows(y, regime, args, draw):
    order = np.random.RandomState(1000 + draw).permutation(len(y))
    if regime == "random":
        return order[: args.train], order[args.train :]
    high = y[order] >= np.quantile(y, 0.9)
    return order[~high][: args.train], order[high]


def run(args):
    bunch = fetch_aflow_composition("thermal_conductivity")
    order = np.random.RandomState(args.seed).permutation(len(bunch.data))[: args.target_rows]
    X = np.asarray(bunch.data, dtype=object)[order]
    y = np.log10(np.asarray(bunch.target, dtype=float)[order])
    sources, cards = fit_sources(X, args)
    descriptors = descriptor(args).fit_transform(X)
    path = args.cache / "draws.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(line["regime"], line["draw"]) for line in lines}
    for draw in range(args.draws):
        for regime in REGIMES:
            if (regime, draw) in done or (regime == "highest" and draw >= args.draws // 2):
                continue
            start = time.perf_counter()
            train, test = draw_rows(y, regime, args, draw)
            found, predicted = run_draw(X, y, descriptors, train, test, sources, args, draw)
            lines.append({"regime": regime, "draw": draw, **found, "seconds": time.perf_counter() - start})
            with path.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            if draw == 0:
                np.savez(args.cache / f"{regime}.npz", y_train=y[train], y_test=y[test], **predicted)
            print(regime, draw, found["direct"], found["transferred"], f"{lines[-1]['seconds']:.0f} s", flush=True)
    return lines, cards, len(X)


def plot(path, args):
    """Draw measured against predicted for both tests of the first draw."""
    figure, axes = plt.subplots(2, 2, figsize=(7, 6.4), sharex="row", sharey="row", layout="constrained")
    for row, (regime, label) in zip(axes, REGIMES.items(), strict=True):
        kept = np.load(args.cache / f"{regime}.npz")
        for ax, name in zip(row, (DIRECT.format("forest"), GUARDED), strict=True):
            ax.scatter(kept["y_test"], kept[name], s=4, alpha=0.35, lw=0, rasterized=True)
            ax.axline((0, 0), slope=1, color="0.4", lw=0.8)
            ax.axhline(kept["y_train"].max(), color="0.4", lw=0.8, ls=":")
            ax.set_title(f"{name}\n{label}", fontsize=8)
    figure.supxlabel("log10 of AFLOW's lattice thermal conductivity, W/(m K)", fontsize=9)
    figure.supylabel("predicted", fontsize=9)
    figure.savefig(path, dpi=110)


def to_markdown(lines, cards, n_rows, args):
    out = [
        f"{args.train} compounds of {n_rows:,} train; target log10 of W/(m K), a model's value "
        "(AFLOW-AGL), not a measured one. Mean over the draws; in brackets half of the 95% interval of the mean over "
        "the draws, corrected for the training rows that they share (Nadeau and Bengio). Ratio: mean absolute error "
        "relative to the direct forest, median over the draws. Beyond: share of test compounds predicted above all "
        "training values.",
    ]
    for regime, label in REGIMES.items():
        rows = [line for line in lines if line["regime"] == regime]
        out += [
            "",
            f"**{label}** ({len(rows)} draws)",
            "",
            "| model | MAE | ratio | R2 | rank correlation | beyond |",
            "|---" * 6 + "|",
        ]
        forest = np.array([line["scores"][DIRECT.format("forest")]["mae"] for line in rows])
        for name in rows[0]["scores"]:
            values = pd.DataFrame([line["scores"][name] for line in rows])
            mae = values["mae"].to_numpy()
            out.append(
                f"| {name} | {mae.mean():.3f} ({half_interval(mae, args.train / n_rows):.3f}) | "
                f"{np.median(mae / forest):.2f} | {values['r2'].mean():.2f} | {values['rank'].mean():.2f} | "
                f"{values['beyond'].mean():.2f} |"
            )
        inner = ", ".join(
            f"{name} {np.mean([line['inner_mae'][name] for line in rows]):.3f}" for name in (SINGLE, GUARDED)
        )
        alone = {
            name: np.mean([line["scores"][name]["mae"] for line in rows]) for name in rows[0]["scores"] if "+" in name
        }
        best = min(alone, key=alone.get)
        out += ["", f"Best single source if chosen on the test rows, as in the paper (optimistic): {best}."]
        picked = [f"{line['transferred']['source']} + {line['transferred']['head']}" for line in rows]
        direct = sum(line["direct"] for line in rows)
        out += ["", f"Inner MAE of the winners (optimistic, what the paper reports): {inner}."]
        out += [f"The guarded search took a direct model in {direct} of {len(rows)} draws; the best transferred ones:"]
        out[-1] += " " + ", ".join(f"{name} ({picked.count(name)})" for name in sorted(set(picked))) + "."
    out += ["", "| source | compounds | R2, held out |", "|---|---|---|"]
    out += [
        f"| {name} | {card['training_data']['n_rows']:,} | {card['metrics']['r2']:.2f} |"
        for name, card in cards.items()
    ]
    width = 290 if args.elements else 235
    out += ["", f"{width} composition descriptors, seed {args.seed}, {machine('scikit-learn', 'sktaag', 'torch')}.", ""]
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=45)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--target-rows", type=int, default=1500, help="compounds that no source may see")
    parser.add_argument("--source-rows", type=int, default=3300, help="compounds of each source, at most")
    parser.add_argument("--elements", type=Path, help="XenonPy's table of 58 properties as CSV, for its 290 columns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, required=True, help="folder for sources, descriptors and finished draws")
    parser.add_argument("--output", type=Path, help="Markdown file; the plot goes beside it")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", ConvergenceWarning)  # length scales at their bounds
    lines, cards, n_rows = run(args)
    text = to_markdown(lines, cards, n_rows, args)
    print(text)
    if args.output:
        args.output.write_text(text, encoding="utf-8")
        plot(args.output.with_suffix(".png"), args)


if __name__ == "__main__":
    main()
