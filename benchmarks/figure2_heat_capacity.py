"""Heat capacity of 118 measured polymers, from simulated, estimated and molecular heat capacities and all else.

python benchmarks/figure2_heat_capacity.py

Figure 2 of XenonPy.MDL on open data. No source has seen a target polymer. All methods have the same folds: five at
random, repeated; draws of 58 training polymers; and folds of whole chemical families. Random pyramids on five heat
capacities show what the error of a source says about the error of its transfer.
"""

import time

import matplotlib.pyplot as plt
import pandas as pd
from _transfer_library import shared_source
from _transfer_protocol import draws, evaluate, ratio, repeated_folds, write
from _transfer_study import TARGETS, mean_of, parser, report, settings, single_table, study, train
from _transfer_tasks import SOURCES, descriptor, load_task, training_rows
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GroupKFold, train_test_split
from sklearn.pipeline import make_pipeline

from sktaag.inspection import NeuralDescriptorDisplay, SourceMapDisplay
from sktaag.model_selection import polymer_family
from sktaag.nn import RandomPyramid
from sktaag.sources import PyramidEnsemble
from sktaag.transfer import FrozenFeaturizer

HEAT_CAPACITIES = [name for name in SOURCES if name.startswith("heat capacity")]


def shotgun(task, args, splits):
    """Train random pyramids on each heat capacity; a forest on the last layer of each learns the target."""
    rows = []
    for property in HEAT_CAPACITIES:
        X, y, *_ = training_rows(SOURCES[property], task.X, args.cache, max_rows=2000)
        train, test = train_test_split(range(len(X)), test_size=0.1, random_state=args.seed)
        ensemble = PyramidEnsemble(
            args.shotgun // len(HEAT_CAPACITIES),
            RandomPyramid((2, 4), (10, 200)),
            lr=(0.001, 0.005),
            max_epochs=40,
            patience=10,
            batch_size=64,
            random_state=args.seed,
            checkpoint=args.cache / "shotgun" / f"{property} {args.shotgun} {args.seed}",
        )
        steps = [step for _, step in descriptor(args.cache / "descriptors").steps]
        chain = make_pipeline(*steps, ensemble).fit(X[train], y[train])
        for k in range(len(ensemble)):
            layer = FrozenFeaturizer(chain, member=k).fit_transform(task.X)
            found = evaluate(
                f"figure 2, {property} {k} of {args.shotgun} seed {args.seed}",
                {"forest": (layer, RandomForestRegressor(50, random_state=args.seed))},
                task.y,
                splits,
                args.cache / "results.jsonl",
                n_jobs=args.n_jobs,
            )
            predicted = ensemble[k].predict(chain[:-1].transform(X[test]))
            rows.append(
                {
                    "source": property.removeprefix("heat capacity, "),
                    "target": "heat capacity, measured",
                    "source_error": mean_absolute_error(y[test], predicted) / y[test].std(),
                    "target_error": found["mae"].mean(),
                }
            )
    return pd.DataFrame(rows)


def shotgun_table(frame, direct):
    """Say for each property how its networks did, and whether the better one is the better source."""
    lines = [
        "| source | networks | median error, relative to the direct forest | best | better than the direct forest "
        "| rank correlation of source error and target error |",
        "|---|---|---|---|---|---|",
    ]
    for source, rows in frame.groupby("source", sort=False):
        relative = rows["target_error"] / direct
        correlation = spearmanr(rows["source_error"], rows["target_error"]).statistic
        lines.append(
            f"| {source} | {len(rows)} | {relative.median():.2f} | {relative.min():.2f} | "
            f"{(relative < 1).mean():.0%} | {correlation:+.2f} |"
        )
    return "\n".join(lines)


def plots(task, frame, direct, sources, args):
    """Draw the scatter of errors and the heat map of layers."""
    display = SourceMapDisplay.from_frame(frame.assign(direct_error=direct))
    display.ax_.set_ylabel(f"error on the target, {task.unit}", fontsize="small")
    display.ax_.set_xlabel("error of the network on its source, in standard deviations", fontsize="small")
    display.figure_.savefig(args.output.with_name("figure2_scatter.png"), dpi=110, bbox_inches="tight")
    plt.close(display.figure_)
    featurizer = FrozenFeaturizer(sources["heat capacity, RadonPy"][0], "all").fit(task.X)
    display = NeuralDescriptorDisplay.from_estimator(
        featurizer, task.X, task.y, name="measured heat capacity", unit=task.unit
    )
    display.figure_.savefig(args.output.with_name("figure2_neurons.png"), dpi=90, bbox_inches="tight")
    plt.close(display.figure_)


def main():
    options = parser(__doc__, "figure2_heat_capacity.md")
    options.add_argument("--shotgun", type=int, default=50, help="random networks on five heat capacities")
    options.add_argument("--draws", type=int, default=20, help="draws of 58 training polymers")
    args, start = options.parse_args(), time.perf_counter()
    tasks = [load_task(name, args.cache) for name in TARGETS]
    sources, cards = train(tasks, args)
    task, families = tasks[0], polymer_family(tasks[0].X)
    n_samples, splits = len(task.X), repeated_folds(len(task.X), args.repeats, args.seed)
    by_family = list(GroupKFold(5).split(task.X, groups=families))
    small = draws(n_samples, 58, args.draws, args.seed)

    shared = shared_source(args.cache, tasks, tables=list(sources), seed=args.seed)
    everything = study("heat capacity, five folds", task, sources, splits, args, parts=True, shared=shared)
    few = study("heat capacity, 58", task, sources, small, args, singles=False, shared=shared)
    grouped = study(
        "heat capacity, families", task, sources, by_family, args, singles=False, nested=False, shared=shared
    )
    frame = shotgun(task, args, splits[:5])
    direct = mean_of(everything[everything["fold"] < 5], "direct forest")  # the folds of the shotgun
    plots(task, frame, direct, sources, args)

    qm9, low, high = ratio(everything, "heat capacity, QM9", "direct forest")
    write(
        args.output,
        f"""{settings(args, sources, start)}

**{n_samples} polymers, five folds at random, repeated {args.repeats} times.** Two compilations of measured heat
capacities differ by 158 J/(kg K) on average over 45 polymers: nobody can be much better than that.

{report(everything, task, side=True)}

**58 training polymers, {len(small)} draws, the other {n_samples - 58} for the test.**

{report(few, task)}

**Folds of whole chemical families** ({len(set(families))} families in five folds, once).

{report(grouped, task)}

**Each source alone**, last layer and forest, five folds at random: the best twenty.

{single_table(everything, cards, 20)}

The paper's source, the heat capacity of QM9's molecules: {qm9:.2f} ({low:.2f} to {high:.2f}) of the direct forest's
error.

**{args.shotgun} random pyramids** on five heat capacities, at most 2,000 rows each, five folds.

{shotgun_table(frame, direct)}
""",
    )


if __name__ == "__main__":
    main()
