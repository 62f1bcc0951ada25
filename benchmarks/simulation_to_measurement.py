"""The same quantity at another fidelity, everything else, and both: fifteen targets.

python benchmarks/simulation_to_measurement.py

For each target 60 structures drawn at random train the model and the others of its pool test it (sets of less than 150
rows: five folds, repeated). No structure of the pool is in any source, and no source has the target's own quantity at
the target's own fidelity. Beside the methods of the other figures stand the sources that have the same quantity from a
simulation or calculation, alone. The recipe was made on the first nine targets; the others were not looked at before.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _transfer_protocol import draws, ratio, repeated_folds, verdict_of, write
from _transfer_study import OPTIMISTIC, mean_of, parser, settings, study, train
from _transfer_tasks import SOURCES, load_task

from sktaag.inspection import SourceMapDisplay

# targets that share their sources; for each the same quantity at another fidelity
GROUPS = (
    {
        "heat capacity": "heat capacity",
        "refractive index": "refractive index",
        "thermal conductivity, all entries": "thermal conductivity",
    },
    {
        "density": "density",
        "glass transition": "glass transition",
        "oxygen permeability": "oxygen permeability",
        "hydration energy": "hydration energy",
        "permittivity of liquids": "dielectric constant",
        "surface tension of liquids": None,
    },
    {
        "viscosity of liquids": "viscosity",
        "critical temperature": "boiling point",
        "solubility in water": "hydration energy",
        "heat capacity of liquids": "heat capacity",
        "band gap of crystals": "band gap",
        "electron affinity": "LUMO",
    },
)
SHOWN = {
    "direct, picked": "best direct",
    "same quantity": "same quantity, best one alone",
    OPTIMISTIC: "best source, optimistic",
    "nested": "best source, nested",
    "search": "guarded search",
    "recipe": "recipe",
    "guarded": "recipe or direct",
}


def add_same_quantity(results, quantity):
    """Copy the rows of the source that has the same quantity; of several, the one that is best on average."""
    alone = [name for name in results["model"].unique() if quantity and name.startswith(quantity) and name in SOURCES]
    if not alone:
        return results, ""
    best = min(alone, key=lambda name: mean_of(results, name))
    copied = results[results["model"] == best].assign(model="same quantity")
    return pd.concat([results, copied], ignore_index=True), best


def main():
    options = parser(__doc__, "simulation_to_measurement.md")
    options.add_argument("--train", type=int, default=60, help="training structures of the larger targets")
    options.add_argument("--groups", type=int, nargs="+", default=[0, 1, 2], help="which groups of targets")
    args, start = options.parse_args(), time.perf_counter()
    rows, maps, all_sources = [], [], {}
    for i in args.groups:
        tasks = {name: load_task(name, args.cache) for name in GROUPS[i]}
        sources, cards = train(list(tasks.values()), args)
        all_sources |= {f"{i} {name}": networks for name, networks in sources.items()}
        for name, task in tasks.items():
            n_samples = len(task.X)
            few = n_samples < 150
            splits = repeated_folds(n_samples, args.repeats, args.seed)
            splits = splits if few else draws(n_samples, args.train, 4 * args.repeats, args.seed)
            label = {"heat capacity": "heat capacity, five folds"}.get(name, f"fidelity, {name}")
            results = study(label, task, sources, splits, args)
            results, same = add_same_quantity(results, GROUPS[i][name])
            rows.append((name, i, task, results, same))
            maps += [
                {
                    "source": source,
                    "target": name,
                    "target_error": mean_of(results, source),
                    "direct_error": mean_of(results, "direct forest"),
                }
                for source in cards
                if source in set(results["model"])
            ]
    frame = pd.DataFrame(maps)
    plot(frame, args.output.with_name("simulation_to_measurement.png"))
    write(args.output, text(rows, all_sources, args, start))


def plot(frame, path):
    """Draw which source helps which target: sources that are among the six best for some target."""
    relative = frame.assign(relative=frame["target_error"] / frame["direct_error"])
    place = relative.groupby("target")["relative"].rank()
    useful = relative.loc[place <= 6, "source"].unique()
    display = SourceMapDisplay.from_frame(frame[frame["source"].isin(useful)], kind="matrix")
    display.figure_.savefig(path, dpi=75, bbox_inches="tight")
    plt.close(display.figure_)


def text(rows, sources, args, start):
    """Write the tables."""
    lines = [
        settings(args, sources, start),
        "",
        "| target | unit | rows, training / test | direct forest, error | direct forest, R2 | recipe, error | R2 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, _, task, results, _ in rows:
        sizes = f"{results['n_train'].mean():.0f} / {results['n_test'].mean():.0f}"
        figures = [mean_of(results, model, part) for model in ("direct forest", "recipe") for part in ("mae", "r2")]
        shown = " | ".join(f"{value:.3g}" if i % 2 == 0 else f"{value:.2f}" for i, value in enumerate(figures))
        lines.append(f"| {name} | {task.unit} | {sizes} | {shown} |")
    lines += [
        "",
        "Error relative to the direct forest on the same folds. **Bold**: worse beyond the 95 % interval.",
        "",
        f"| target | {' | '.join(SHOWN.values())} | same quantity |",
        "|---" * (len(SHOWN) + 2) + "|",
    ]
    figures = {model: [] for model in SHOWN}
    for name, i, _, results, same in rows:
        cells, known = [], set(results["model"])
        for model, values in figures.items():
            if model not in known:
                cells.append("")
                continue
            mean, low, high = ratio(results, model, "direct forest")
            values.append((i, mean, mean_of_ratio(results, model)))
            cells.append(f"**{mean:.2f}**" if verdict_of(low, high) == "**loses**" else f"{mean:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} | {same} |")
    for label, chosen in (("first nine targets", (0, 1)), ("targets not looked at before", (2,))):
        medians = [[mean for i, mean, _ in values if i in chosen] for values in figures.values()]
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
