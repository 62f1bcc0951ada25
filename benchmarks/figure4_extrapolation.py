"""Beyond the range and the families of the training polymers, with and without transfer.

python benchmarks/figure4_extrapolation.py

Trained on the lower four fifths of a property and tested on the highest fifth, or the other way round; and trained on
58 polymers, none of them of the family that is tested. Sources have seen no target polymer. Polymers and sources are
those of figures 2 and 3.
"""

import time

import numpy as np
from _transfer_library import shared_source
from _transfer_methods import features
from _transfer_protocol import ratio, verdict_of, write
from _transfer_study import METHODS, TARGETS, mean_of, parser, settings, study, train, usable
from _transfer_tasks import RADONPY, SOURCES, load_task

from sktaag.model_selection import ExtrapolationSplit, polymer_family

SHOWN = ("direct forest", "direct, picked", "nested", "recipe", "search", "shared search")


def ends(y, end, n_draws, seed, n_train=None):
    """Hold out one end; draw four fifths of the rest, or `n_train` rows, for training."""
    ((rest, test),) = ExtrapolationSplit(0.2, end=end).split(y, y)
    splits = []
    for i in range(n_draws):
        order = np.random.RandomState(seed + i).permutation(rest)
        splits.append((np.sort(order[: n_train or int(0.8 * len(rest))]), test))
    return splits


def families(X, n_train, n_draws, seed, min_size):
    """Hold out each large family in turn; draw the training polymers from the others."""
    family = polymer_family(X)
    names, sizes = np.unique(family, return_counts=True)
    splits = {}
    for name in names[sizes >= min_size]:
        test, rest = np.flatnonzero(family == name), np.flatnonzero(family != name)
        orders = [np.random.RandomState(seed + i).permutation(rest) for i in range(n_draws)]
        splits[name] = [(np.sort(order[:n_train]), test) for order in orders]
    return splits


def row(name, results, task):
    """Write one line of the table."""
    cells = [f"{mean_of(results, 'direct forest'):.3g}"]
    for model in SHOWN[1:]:
        mean, low, high = ratio(results, model, "direct forest")
        mark = {"better": "", "**loses**": " loses"}.get(verdict_of(low, high), " ?")
        cells.append(f"{mean:.2f} ({low:.2f} to {high:.2f}){mark}")
    sizes = f"{results['n_train'].mean():.0f} / {results['n_test'].mean():.0f}"
    return f"| {name} | {sizes} | {task.unit} | {' | '.join(cells)} | {mean_of(results, 'shared search', 'r2'):.2f} |"


def main():
    options = parser(__doc__, "figure4_extrapolation.md")
    options.add_argument("--draws", type=int, default=10, help="draws of the training polymers")
    args, start = options.parse_args(), time.perf_counter()
    n_draws = args.draws
    lines = [
        "| polymers that are tested | training / test | unit | direct forest, error | "
        + " | ".join(f"{METHODS[model]}, relative" for model in SHOWN[1:])
        + " | R2 of the last one |",
        "|---" * 10 + "|",
    ]
    measured = [load_task(name, args.cache) for name in TARGETS]
    simulated = load_task("thermal conductivity, RadonPy", args.cache)
    others = [name for name in SOURCES if name not in RADONPY]
    groups = [
        (measured[:2], measured, train(measured, args)[0], None),
        ([simulated], [simulated], train([simulated], args, others)[0], 58),
    ]
    for tasks, left_out, sources, n_train in groups:
        network = shared_source(args.cache, left_out, tables=list(sources), seed=args.seed)
        for task in tasks:
            splits = {
                f"{task.name}, {end}est fifth": ends(task.y, end, n_draws, args.seed, n_train)
                for end in ("high", "low")
            }
            if len(task.X) > 100:
                found = families(task.X, 58, n_draws, args.seed, min_size=max(10, len(task.X) // 25))
                splits |= {f"{task.name}, family: {name}": own for name, own in found.items()}
            settled = {
                "computed": features(task.X, usable(sources, task), args.cache),
                "singles": False,
                "shared": network,
            }
            for name, own in splits.items():
                results = study(f"extrapolation, {name}", task, sources, own, args, **settled)
                lines.append(row(name, results, task))
    write(
        args.output,
        f"""{settings(args, sources, start)}

{n_draws} draws of the training polymers each. "loses": the interval is above 1; "?": it holds 1. The tested polymers of
the draws are the same, so that the intervals are those of the draw and of nothing else.

"""
        + "\n".join(lines),
    )


if __name__ == "__main__":
    main()
