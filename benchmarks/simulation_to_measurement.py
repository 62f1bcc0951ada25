"""The same quantity at another fidelity, everything else, and both: fifteen targets.

python benchmarks/simulation_to_measurement.py

For each target 60 structures drawn at random from a pool of 120, or half of a smaller set, train the model and the
others test it. No structure of any pool is in any source, and no source has the target's own quantity at the target's
own fidelity. Beside the recipe stand the sources that have the same quantity from a simulation or calculation, or the
nearest one, alone: the best of them, so that their figure is optimistic. The recipe was made on the first nine targets;
the others were not looked at before. One network of all properties that are no target of the fifteen, and what single
networks of the same quantity predict, are a second set of features for recipe and search; that was settled on four of
the first nine.
"""

import sys
import time

import numpy as np
import pandas as pd
from _transfer_library import shared_source
from _transfer_protocol import draws, ratio, verdict_of, write
from _transfer_study import TARGETS, mean_of, parser, same_quantity, settings, study, train, usable
from _transfer_tasks import load_task

MEASURED = [name for name in TARGETS if name != "thermal conductivity, all entries"]
TARGETS_FIRST, TARGETS_LATER = MEASURED[:9], MEASURED[9:]  # those that the recipe was made on, and the others
SHOWN = {
    "direct ridge": "direct ridge",
    "direct Gaussian process": "direct Gaussian process",
    "direct, picked": "direct, picked",
    "same quantity": "same quantity alone",
    "recipe": "recipe",
    "search": "search",
    "shared recipe": "recipe on one network",
    "shared search": "search on one network",
}


def main():
    options = parser(__doc__, "simulation_to_measurement.md")
    options.add_argument("--train", type=int, default=60, help="training structures of pools of 120")
    options.add_argument("--draws", type=int, default=5, help="draws of them")
    args, start, rows = options.parse_args(), time.perf_counter(), []
    args.alone = None  # the sources of the same quantity run on all draws
    tasks = {name: load_task(name, args.cache) for name in TARGETS}
    sources, _ = train(list(tasks.values()), args)
    kept = set.intersection(*(set(usable(sources, tasks[name])) for name in TARGETS_FIRST + TARGETS_LATER))
    shared = shared_source(args.cache, list(tasks.values()), tables=sorted(kept), seed=args.seed)
    for name in TARGETS_FIRST + TARGETS_LATER:
        task, n_samples = tasks[name], len(tasks[name].X)
        splits = draws(n_samples, min(args.train, n_samples // 2), args.draws, args.seed)
        alone = same_quantity(sources, task)
        results = study(f"fidelity, {name}", task, sources, splits, args, singles=alone, nested=False, shared=shared)
        best = min(alone, key=lambda source, found=results: mean_of(found, source), default="")
        if best:
            copied = results[results["model"] == best].assign(model="same quantity")
            results = pd.concat([results, copied], ignore_index=True)
        rows.append((name, name in TARGETS_FIRST, task, results, best))
        print(f"{name}: {mean_of(results, 'search') / mean_of(results, 'direct forest'):.2f}", file=sys.stderr)
    write(args.output, text(rows, sources, args, start))


def text(rows, sources, args, start):
    """Write the tables."""
    lines = [
        settings(args, sources, start),
        "",
        "| target | unit | rows, training / test | direct forest, error | direct forest, R2 | recipe, error | R2 "
        "| search, error | R2 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, _, task, results, _ in rows:
        sizes = f"{results['n_train'].mean():.0f} / {results['n_test'].mean():.0f}"
        figures = [
            mean_of(results, model, part) for model in ("direct forest", "recipe", "search") for part in ("mae", "r2")
        ]
        cells = " | ".join(f"{value:.3g}" if i % 2 == 0 else f"{value:.2f}" for i, value in enumerate(figures))
        lines.append(f"| {name} | {task.unit} | {sizes} | {cells} |")
    lines += [
        "",
        "Error relative to the direct forest on the same folds. **Bold**: worse beyond the 95 % interval.",
        "",
        f"| target | {' | '.join(SHOWN.values())} | same quantity |",
        "|---" * (len(SHOWN) + 2) + "|",
    ]
    figures = {model: [] for model in SHOWN}
    for name, first, _, results, same in rows:
        cells, known = [], set(results["model"])
        for model, values in figures.items():
            if model not in known:
                cells.append("")
                continue
            mean, low, high = ratio(results, model, "direct forest")
            values.append((first, mean, mean_of_ratio(results, model)))
            cells.append(f"**{mean:.2f}**" if verdict_of(low, high) == "**loses**" else f"{mean:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} | {same} |")
    groups = {"first nine targets": (True,), "targets not looked at before": (False,), "all targets": (True, False)}
    for label, chosen in groups.items():
        medians = [[mean for first, mean, _ in values if first in chosen] for values in figures.values()]
        if medians[0]:
            cells = [f"{np.median(values):.2f}" if values else "" for values in medians]
            lines.append(f"| median, {label} | {' | '.join(cells)} | |")
    lines += ["", "The same relative to the direct model that inner folds picked:", ""]
    lines += ["| model | median | worst |", "|---|---|---|"]
    for model, shown in SHOWN.items():
        against = [value for _, _, value in figures[model]]
        if against:
            lines.append(f"| {shown} | {np.median(against):.2f} | {max(against):.3f} |")
    return "\n".join(lines)


def mean_of_ratio(results, model):
    """Return the error relative to the direct model that inner folds picked, on the same folds."""
    return ratio(results, model, "direct, picked")[0]


if __name__ == "__main__":
    main()
