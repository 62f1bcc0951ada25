"""Classes from tens of compounds by the search with its usual heads, against the direct forest.

SKTAAG_DATA=folder python benchmarks/classification_search.py --output benchmarks/results/classification_search.md

Targets, source and draws are those of classification.py: measured band gaps, metal or not and gap above 3 eV, from a
network of four computed properties that has seen no formula of the target. The search sees the training rows alone. It
takes `small_data_heads(task="classification")` behind the layers and the predicted properties of the network, the same
heads and the forest behind the descriptors, and averages the three best by log loss on three inner folds.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

from _timing import machine
from classification import DIRECT, N_TEST, make_models, train_source
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline

from sktaag.datasets import fetch_matbench_composition
from sktaag.descriptors import CompositionDescriptors
from sktaag.heads import small_data_heads
from sktaag.model_selection import compare
from sktaag.transfer import SourceSearchCV

SCORES = {"ROC AUC": "roc_auc", "log loss": "neg_log_loss"}


def make_search(descriptor, source, forest, cache, seed):
    """Make the search."""
    heads = small_data_heads(seed, task="classification")
    return SourceSearchCV(
        heads,
        {"four properties": source},
        layers=[1, 2, "output"],
        baseline={"forest": forest} | {name: make_pipeline(descriptor, head) for name, head in heads.items()},
        aggregate="average",
        n_best=3,
        cv=StratifiedKFold(3, shuffle=True, random_state=seed),
        scoring="neg_log_loss",
        cache=cache,
    )


def row(name, scores):
    """Make one row of a table of `compare`."""
    cells = []
    for metric in SCORES:
        score = scores.loc[metric]
        change = f", {score.difference:+.3f} ({(score.difference_high - score.difference_low) / 2:.3f})"
        half = (score.high - score.low) / 2
        cells.append(f"{score['mean']:.3f} ({half:.3f}){'' if name == DIRECT else change}")
    return f"| {name} | {' | '.join(cells)} | {scores.loc['log loss'].verdict} |"


def main():
    """Train the source, compare, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[60, 200])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--max-rows", type=int, default=6000, help="compounds of the source, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=None, help="markdown file")
    args = parser.parse_args()

    gaps = fetch_matbench_composition("expt_gap")
    with tempfile.TemporaryDirectory() as cache:
        descriptor = CompositionDescriptors(cache=cache)
        source, table = train_source(descriptor, gaps.data, args.max_rows, args.seed)
        direct = make_models(descriptor, source, args.seed)[DIRECT]
        models = {DIRECT: direct, "search": make_search(descriptor, source, direct, cache, args.seed)}
        lines = [
            f"{len(gaps.data):,} measured band gaps; {args.draws} draws of the training compounds, {N_TEST} others "
            "test; in brackets half of the 95% interval over the draws (Nadeau and Bengio), behind the comma the "
            f"change from the forest. Source: {len(table):,} compounds. Seed {args.seed}. "
            f"{machine('scikit-learn', 'sktaag', 'torch')}."
        ]
        for question, y in {"metal": gaps.target == 0, "gap above 3 eV": gaps.target > 3}.items():
            for size in args.sizes:
                draws = StratifiedShuffleSplit(args.draws, train_size=size, test_size=N_TEST, random_state=args.seed)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # elements without a property, optimisers of processes
                    result = compare(models, gaps.data, y.astype(int), cv=draws, baseline=DIRECT, scoring=SCORES)
                lines += ["", f"**{question}** ({y.mean():.0%} of the compounds), {size} compounds", ""]
                lines += [f"| model | {' | '.join(SCORES)} | verdict on log loss |", "|---|---|---|---|"]
                lines += [
                    row(name, rows.set_index("metric")) for name, rows in result.table.groupby("model", sort=False)
                ]
                print("\n".join(lines[-5:]), flush=True)
    if args.output:
        args.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
