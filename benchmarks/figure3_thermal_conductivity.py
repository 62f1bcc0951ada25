"""Thermal conductivity of polymers from 19 or 58 of them, by transfer from another simulation and from everything else.

python benchmarks/figure3_thermal_conductivity.py

Figure 3 of XenonPy.MDL with RadonPy's simulated conductivity as the target, so that a thousand polymers judge what was
learned of 19. Sources have seen none of them; the same quantity from another simulation stands among densities, heat
capacities, glass transitions and conductivities of liquids, which a good search leaves alone. The measured
conductivities of 65 polymers are the cautionary tale.
"""

import time

import matplotlib.pyplot as plt
import pandas as pd
from _transfer_library import shared_source
from _transfer_protocol import draws, repeated_folds, write
from _transfer_study import TARGETS, mean_of, parser, report, settings, single_table, study, train
from _transfer_tasks import RADONPY, SOURCES, load_task

from sktaag import datasets
from sktaag.inspection import PropertyScatterMatrix

SHOWN = {
    "thermal_conductivity": "conductivity, W/(m K)",
    "Cp": "heat capacity, J/(kg K)",
    "density": "density, g/cm3",
    "refractive_index": "refractive index",
    "volume_expansion": "expansion, 1/K",
    "Rg": "radius of gyration, A",
}


def property_matrix(path):
    """Draw every property of RadonPy that is shown against every other."""
    radonpy = datasets.fetch_radonpy(target=list(SHOWN))
    frame = pd.DataFrame(radonpy.target, columns=radonpy.target_names)[list(SHOWN)].rename(columns=SHOWN)
    display = PropertyScatterMatrix.from_frame(frame)
    display.figure_.savefig(path, dpi=70, bbox_inches="tight")
    plt.close(display.figure_)


def ranks(results, cards):
    """Say where conductivities stand among the sources."""
    order = results[results["model"].isin(list(cards))].groupby("model")["mae"].mean().sort_values().index.tolist()
    own = [f"{name}: {order.index(name) + 1}" for name in order if name.startswith("thermal conductivity")]
    return f"Ranks among {len(order)} sources alone: {'; '.join(own)}."


def main():
    options = parser(__doc__, "figure3_thermal_conductivity.md")
    options.add_argument("--draws", type=int, default=20, help="draws of the training polymers")
    args, start = options.parse_args(), time.perf_counter()
    simulated = load_task("thermal conductivity, RadonPy", args.cache)
    sources, cards = train([simulated], args, [name for name in SOURCES if name not in RADONPY])
    shared = shared_source(args.cache, [simulated], tables=list(sources), seed=args.seed)
    n_draws, parts = args.draws, []
    for n_train in (19, 58):
        splits = draws(len(simulated.X), n_train, n_draws, args.seed)
        results = study(f"conductivity, RadonPy, {n_train}", simulated, sources, splits, args, shared=shared)
        parts.append(
            f"""**{n_train} training polymers, {n_draws} draws, {len(simulated.X) - n_train} polymers for the test.**

{report(results, simulated, side=n_train == 58)}

{single_table(results, cards, 12)}

{ranks(results, cards)}
"""
        )
    filtered = load_task("thermal conductivity", args.cache)
    everything = load_task("thermal conductivity, all entries", args.cache)
    sources, cards = train([load_task(name, args.cache) for name in TARGETS], args)
    for name, task in (("0.08 to 0.36 W/(m K)", filtered), ("all entries", everything)):
        splits = repeated_folds(len(task.X), args.repeats, args.seed)
        results = study(f"conductivity, measured, {name}", task, sources, splits, args, singles=False)
        parts.append(
            f"""**Measured conductivities, {name}: {len(task.X)} polymers**, five folds, repeated {args.repeats} times.

{report(results, task)}

The search explains {mean_of(results, "search", "r2"):.0%} of the variance.
"""
        )
    property_matrix(args.output.with_name("figure3_properties.png"))
    write(args.output, "\n\n".join([settings(args, sources, start), *parts]))


if __name__ == "__main__":
    main()
