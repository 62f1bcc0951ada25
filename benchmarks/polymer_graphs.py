"""Graph networks of polymers beside descriptors, at 19 to 100 training rows: do they earn their cost.

python benchmarks/polymer_graphs.py

One simulated property is the source, for a pyramid network on Morgan counts and for a graph network (GINE on the
joined repeat unit), of the same rows; no structure of a target is among them. The target is the same quantity measured,
or simulated elsewhere. Heads on frozen layers, fine-tuning and the attention run on the same folds. The learning rate
of each network that is trained on a target is the best of RATES where simulated conductivities of polymers that neither
the source nor a target has are learned from the source of heat capacities.
"""

import json
import time

import numpy as np
import pandas as pd
import torch
from _graph_runs import best_rates, errors_by_rate, parser, rate_table, run
from _timing import machine
from _transfer_library import network
from _transfer_protocol import draws, repeated_folds, table, write
from _transfer_tasks import SOURCES, descriptor, load_task, training_rows
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.graphs import MoleculeGraphs
from sktaag.heads import LayerKernelRegressor
from sktaag.sources import GNNRegressor, load_source, save_source
from sktaag.transfer import FineTunedRegressor, FrozenFeaturizer, GNNFeaturizer, TAAGRegressor

CASES = {  # target, source, training rows (None: five folds)
    "measured heat capacity": ("heat capacity", "heat capacity, MD", None),
    "conductivity by RadonPy, 19 rows": ("thermal conductivity, RadonPy", "thermal conductivity, NEMD", 19),
    "conductivity by RadonPy, 58 rows": ("thermal conductivity, RadonPy", "thermal conductivity, NEMD", 58),
    "measured refractive index": ("refractive index", "refractive index, RadonPy", None),
}
POOLS = ("mean", "std", "max")
TRAINING = {"target": "intensive", "scheduler": "cosine", "device": "cpu", "random_state": 0}
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
CHOICE_SIZES, CHOICE_DRAWS = (19, 58), 3


def train_sources(name, task, cache, max_rows):
    """Train both networks on the same rows, once, and keep them."""
    folder = cache / "polymers" / f"{task.name}, {name}".replace(", ", "-").replace(" ", "_")
    note = folder / "note.json"
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        X, y, _, _ = training_rows(SOURCES[name], task.X, cache, max_rows=max_rows)
        graph = GNNRegressor(
            "gine", graphs=MoleculeGraphs(polymer="cyclic"), module__n_layers=3, module__n_features=64, batch_size=32,
            max_epochs=60, lr=2e-3, **TRAINING,
        )  # fmt: skip
        described = make_pipeline(*[step for _, step in descriptor().steps], network(0, len(X)))
        found = {"rows": len(X)}
        for kind, model in (("graphs", graph), ("descriptors", described)):
            start = time.perf_counter()
            model.fit(X, y)
            last = model[-1] if kind == "descriptors" else model
            found[kind] = {"seconds": time.perf_counter() - start, "R2": last.validation_score_}
            save_source(model, folder / f"{kind}.source")
        note.write_text(json.dumps(found))
    return (
        load_source(folder / "graphs.source"),
        load_source(folder / "descriptors.source"),
        json.loads(note.read_text()),
    )


def trained_models(source, graphs, rates):
    """Return the networks that are trained on the target: what they read, and the unfitted model."""
    shared = TRAINING | {"batch_size": 16, "max_epochs": 100, "early_stopping": False}
    models = {
        "graphs, scratch": FineTunedRegressor(source, strategy="scratch", **shared),
        "graphs, fine-tuned": FineTunedRegressor(source, **shared),
        "graphs, TAAG, layers frozen": TAAGRegressor(source, **shared),
    }
    return {name: (graphs, model.set_params(lr=rates(name))) for name, model in models.items()}


def choose(args, end):
    """Judge learning rates on simulated conductivities; None until all has run."""
    task = load_task("heat capacity", args.cache, args.seed)
    source, _, _ = train_sources("heat capacity, MD", task, args.cache, args.max_rows)
    known, _, _, _ = training_rows(SOURCES["heat capacity, MD"], task.X, args.cache, max_rows=args.max_rows)
    targets = [known, *(load_task(target, args.cache, args.seed).X for target, _, _ in CASES.values())]
    source_of_rows, store = SOURCES["thermal conductivity, NEMD"], args.cache / "polymer_graphs.jsonl"
    X, y, _, _ = training_rows(source_of_rows, np.concatenate(targets), args.cache, max_rows=args.max_rows)
    graphs = MoleculeGraphs(polymer="cyclic").fit_transform(X)
    errors = {}
    for size in CHOICE_SIZES:
        errors[f"{size} rows"] = errors_by_rate(
            f"choice, {size} rows",
            lambda rate: trained_models(source, graphs, lambda name: rate),
            RATES,
            y,
            draws(len(y), size, CHOICE_DRAWS),
            store,
            end,
        )
        if errors[f"{size} rows"] is None:
            return None
    errors = pd.concat(errors, axis=1)
    return errors, best_rates(errors)


def make_models(task, graph_source, descriptor_source, seed, rates):
    """Return every model: what it reads, and the unfitted estimator."""
    graphs = MoleculeGraphs(polymer="cyclic").fit_transform(task.X)
    described = descriptor(sparse=False).fit_transform(task.X)
    pyramid = FrozenFeaturizer(descriptor_source, layers=1).fit_transform(task.X)
    featurizer = GNNFeaturizer(graph_source, pooling=POOLS, device="cpu")
    frozen = featurizer.fit_transform(graphs)
    n_depths = featurizer.backbone_.n_layers + 1
    forest = RandomForestRegressor(100, max_features=1 / 3, random_state=seed)
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 6, 22)))
    return {
        "direct forest": (described, forest),
        "descriptors, last layer, forest": (pyramid, forest),
        "descriptors, last layer, ridge": (pyramid, ridge),
        "graphs, all layers, forest": (frozen, forest),
        "graphs, all layers, ridge": (frozen, ridge),
        "graphs, a kernel for each layer": (frozen, LayerKernelRegressor(n_depths)),
        **trained_models(graph_source, graphs, rates),
    }


def main():
    """Run what is missing, print the tables of what is complete."""
    options = parser(__doc__, "polymer_graphs.md")
    options.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    options.add_argument("--draws", type=int, default=5, help="draws of 19 or 58 rows")
    options.add_argument("--repeats", type=int, default=1, help="of five folds")
    options.add_argument("--max-rows", type=int, default=2000, help="of a source")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes
    chosen = choose(args, end)
    if chosen is None:
        return
    errors, rates = chosen
    lines = [
        machine("torch", "torch-geometric", "scikit-learn", "sktaag"),
        "",
        f"GINE of 3 blocks of 64, layers pooled by {', '.join(POOLS)}; pyramid and its last layer as in the other "
        "benchmarks. Intervals of 95 % corrected for training sets that overlap (Nadeau and Bengio).",
    ]
    for case in args.cases:
        target, name, n_train = CASES[case]
        task = load_task(target, args.cache, args.seed)
        graph_source, descriptor_source, note = train_sources(name, task, args.cache, args.max_rows)
        models = make_models(task, graph_source, descriptor_source, args.seed, rates.get)
        n_rows = len(task.y)
        splits = draws(n_rows, n_train, args.draws) if n_train else repeated_folds(n_rows, args.repeats, args.seed)
        label = f"{case}, rates {' '.join(f'{rate:g}' for rate in rates)}"
        results = run(label, models, task.y, splits, args.cache / "polymer_graphs.jsonl", end)
        if results is None:
            continue
        times = results.groupby("model")["seconds"].median()
        lines += [
            "",
            f"**{case}** ({results['n_train'].mean():.0f} training rows, {results['fold'].nunique()} splits; source "
            f"{name}, {note['rows']:,} rows: pyramid {note['descriptors']['seconds']:.0f} s, R2 "
            f"{note['descriptors']['R2']:.2f}; GINE {note['graphs']['seconds']:.0f} s, R2 {note['graphs']['R2']:.2f})",
            "",
            table(results, {model: f"{model} ({times[model]:.2g} s)" for model in models}, unit=task.unit),
        ]
    lines += [
        "",
        f"Mean absolute error of simulated conductivities by learning rate, {CHOICE_DRAWS} draws, W/(m K)",
        "",
    ]
    lines += rate_table(errors, rates)
    write(args.output, "\n".join(lines))


if __name__ == "__main__":
    main()
