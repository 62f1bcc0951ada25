"""Adsorption energies of *CO from tens of structures, with a source of seven other adsorbates: every way of transfer.

python benchmarks/adsorption.py

Source: the structures of WWL-GPR's simple adsorbates without *CO; a SchNet learns their adsorption energies less the
mean of each adsorbate. Target: *CO, test folds of whole surfaces (metal and facet) that no training row of the target
has. The source does know other adsorbates on these surfaces, as whoever transfers within a project would. CHGNet, which
its authors trained on inorganic crystals, stands beside it, frozen.

A structure is the adsorbate and the metal atoms within a radius of it. Targets are intensive: an adsorption energy does
not grow with the slab. Nothing was chosen on these data: the learning rate of each method is the best of RATES with *OH
as the target and a source that knows neither. All trained networks share epochs, batches and optimizer.
"""

import json
import time

import numpy as np
import pandas as pd
import torch
from _graph_runs import best_rates, errors_by_rate, parser, rate_table, run
from _timing import machine
from _transfer_protocol import table, write
from ase import Atoms
from ase.geometry import find_mic
from scipy.spatial.distance import cdist
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.datasets import fetch_simple_adsorbates
from sktaag.graphs import AtomGraphs
from sktaag.heads import LayerKernelRegressor
from sktaag.sources import GNNRegressor, load_source, save_source
from sktaag.transfer import FineTunedRegressor, GNNFeaturizer, TAAGRegressor

CUTOFF, RADIUS = 5.0, 5.0  # Å
SHAPE = {
    "module__n_layers": 4,
    "module__n_features": 64,
    "module__n_filters": 64,
    "module__n_gaussians": 20,
    "module__cutoff": CUTOFF,
}
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2)
TRAINING = {"scheduler": "cosine", "ema": 0.99, "target": "intensive", "device": "cpu", "random_state": 0}
POOLS = ("mean", "std", "max")
TRAINED = {  # which estimator, and its parameters
    "scratch": (FineTunedRegressor, {"strategy": "scratch"}),
    "fine-tuned, all": (FineTunedRegressor, {"strategy": "full"}),
    "fine-tuned, 2 blocks frozen": (FineTunedRegressor, {"strategy": "freeze", "n_blocks": 2}),
    "frozen, sum": (TAAGRegressor, {"attention": "sum", "freeze": "all"}),
    "frozen, mix": (TAAGRegressor, {"attention": "mix", "freeze": "all"}),
    "frozen, query": (TAAGRegressor, {"attention": "query", "freeze": "all"}),
    "TAAG, frozen": (TAAGRegressor, {"attention": "taag", "freeze": "all"}),
    "TAAG, embeddings frozen": (TAAGRegressor, {"attention": "taag", "freeze": "embeddings"}),
    "mix, all trained": (TAAGRegressor, {"attention": "mix", "freeze": "none"}),
    "CHGNet, frozen, mix": (TAAGRegressor, {"source": "chgnet", "attention": "mix", "freeze": "all"}),
    "CHGNet, TAAG, frozen": (TAAGRegressor, {"source": "chgnet", "attention": "taag", "freeze": "all"}),
}
ADSORBATES = (1, 6, 8)  # hydrogen, carbon and oxygen; all others are metals


def neighbourhood(atoms, radius=RADIUS, adsorbates=ADSORBATES):
    """Cut the adsorbate and the metal atoms within a radius of one of its atoms out of the slab."""
    is_metal = ~np.isin(atoms.numbers, adsorbates)
    metal, light = atoms[is_metal], atoms[~is_metal]
    away, _ = find_mic(light.positions - light.positions[0], atoms.cell, atoms.pbc)
    light.positions = light.positions[0] + away  # in one piece
    shifts = np.array([[i, j, 0] for i in range(-2, 3) for j in range(-2, 3)]) @ atoms.cell.array
    images = (metal.positions + shifts[:, None]).reshape(-1, 3)
    near = cdist(images, light.positions).min(axis=1) < radius
    numbers, positions = np.tile(metal.numbers, len(shifts))[near], images[near]
    return Atoms([*light.numbers, *numbers], [*light.positions, *positions])


def train_source(graphs, frame, folder, epochs, without):
    """Train the source once, without some adsorbates, and keep it."""
    path = folder / f"without_{'_'.join(without)}.source"
    if path.exists():
        return path
    rows = frame[~frame["adsorbate"].isin(without)]
    y = rows["adsorption_energy"] - rows.groupby("adsorbate")["adsorption_energy"].transform("mean")
    start = time.perf_counter()
    model = GNNRegressor("schnet", **SHAPE, **TRAINING, lr=2e-3, batch_size=32, max_epochs=epochs)
    model.fit(graphs[rows.index], y.to_numpy())
    note = {"rows": len(rows), "epochs": model.n_iter_, "R2": model.validation_score_}
    save_source(model, path)
    path.with_suffix(".json").write_text(json.dumps(note | {"seconds": time.perf_counter() - start}))
    return path


def splits_of(surfaces, size, n_splits):
    """Draw test surfaces, a fifth of all, and training rows from the others."""
    draw = GroupShuffleSplit(n_splits, test_size=0.2, random_state=0)
    for i, (train, test) in enumerate(draw.split(surfaces, groups=surfaces)):
        yield np.sort(np.random.RandomState(i).permutation(train)[:size]), test


def trained_models(source, graphs, epochs, rates):
    """Return what gradients train: what it reads, and the unfitted model."""
    shared = TRAINING | {"source": source, "batch_size": 10, "max_epochs": epochs, "early_stopping": False}
    return {
        name: (graphs, estimator(**(shared | params), lr=rates[name])) for name, (estimator, params) in TRAINED.items()
    }


def make_models(source, graphs, epochs, rates):
    """Return every method: what it reads, and the unfitted model."""
    featurizer = GNNFeaturizer(source, pooling=POOLS, device="cpu")
    features = featurizer.fit_transform(graphs)  # frozen: they know no target
    n_depths = featurizer.backbone_.n_layers + 1
    last = features[:, -features.shape[1] // n_depths :]
    chgnet = GNNFeaturizer("chgnet", pooling=POOLS, device="cpu").fit_transform(graphs)  # five depths too
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 6, 22)))
    return {
        "mean": (features, DummyRegressor()),
        **trained_models(source, graphs, epochs, rates),
        "last layer frozen, ridge": (last, ridge),
        "all layers frozen, ridge": (features, ridge),
        "all layers frozen, kernel for each": (features, LayerKernelRegressor(n_depths)),
        "CHGNet, all layers, kernel for each": (chgnet, LayerKernelRegressor(n_depths)),
    }


def epochs_for(splits, epochs):
    """Scale the epochs of 50 rows to the mean number of training rows, and return both."""
    n_train = np.mean([len(train) for train, _ in splits])
    return max(20, round(epochs * 50 / n_train)), n_train


def choose(graphs, frame, args, end):
    """Find the best learning rate of each method where *OH is the target; None until all has run."""
    source = load_source(train_source(graphs, frame, args.cache, args.source_epochs, ("CO", "OH")))
    rows = frame.index[frame["adsorbate"] == "OH"]
    graphs, y, surfaces = graphs[rows], frame.loc[rows, "adsorption_energy"].to_numpy(), frame.loc[rows, "surface"]
    errors = {}
    for size in args.sizes:
        splits = list(splits_of(surfaces.to_numpy(), size, args.choice_splits))
        epochs, _ = epochs_for(splits, args.epochs)

        def make_models(rate, epochs=epochs):
            return trained_models(source, graphs, epochs, dict.fromkeys(TRAINED, rate))

        label, store = f"*OH, {size} rows", args.cache / "adsorption.jsonl"
        errors[f"{size} rows"] = errors_by_rate(label, make_models, RATES, y, splits, store, end)
        if errors[f"{size} rows"] is None:
            return None
    errors = pd.concat(errors, axis=1)
    return errors, best_rates(errors)


def layer_weights(models, y):
    """Return what each depth weighs in models of all rows of *CO."""
    names = ("all layers frozen, kernel for each", "frozen, mix", "frozen, query", "TAAG, frozen")
    return {name: models[name][1].fit(models[name][0], y).layer_weights_ for name in names}


def main():
    """Run what is missing, print the tables of all that is complete."""
    options = parser(__doc__, "adsorption.md")
    options.add_argument("--sizes", nargs="+", type=int, default=[50, 1000], help="training rows, at most")
    options.add_argument("--splits", type=int, default=10)
    options.add_argument("--choice-splits", type=int, default=3, help="of *OH, to choose the learning rates by")
    options.add_argument("--epochs", type=int, default=100, help="of the target, for 50 rows; fewer for more rows")
    options.add_argument("--source-epochs", type=int, default=20)
    args = options.parse_args()
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes
    args.cache.mkdir(parents=True, exist_ok=True)

    data = fetch_simple_adsorbates()
    frame, local = data.frame, [neighbourhood(atoms) for atoms in data.data]
    graphs = AtomGraphs(6.0).fit_transform(local)  # for CHGNet; SchNet leaves out what is beyond its own cutoff
    chosen = choose(graphs, frame, args, end)
    if chosen is None:
        return
    errors, rates = chosen
    source = train_source(graphs, frame, args.cache, args.source_epochs, ("CO",))
    carbon_monoxide = frame.index[frame["adsorbate"] == "CO"]
    graphs, y = graphs[carbon_monoxide], frame.loc[carbon_monoxide, "adsorption_energy"].to_numpy()
    surfaces = frame.loc[carbon_monoxide, "surface"].to_numpy()

    note = json.loads(source.with_suffix(".json").read_text())
    n_atoms = np.mean([len(graph.z) for graph in graphs])
    lines = [
        machine("torch", "torch-geometric", "scikit-learn", "sktaag"),
        "",
        f"SchNet of 4 blocks of 64 on the adsorbate and what is within {RADIUS:g} Å of it, {n_atoms:.0f} atoms on "
        f"average, cutoff {CUTOFF:g} Å. Source: {note['rows']:,} structures, {note['epochs']} epochs, "
        f"R2 {note['R2']:.2f} on those held out. Target: {len(y)} structures of *CO on {len(set(surfaces))} surfaces; "
        f"{args.epochs} epochs for 50 rows, AdamW with a cosine, EMA {TRAINING['ema']:g}. Pools {', '.join(POOLS)}. "
        "Intervals of 95 % corrected for training sets that overlap (Nadeau and Bengio).",
    ]
    for size in args.sizes:
        splits = list(splits_of(surfaces, size, args.splits))
        epochs, n_train = epochs_for(splits, args.epochs)
        models = make_models(load_source(source), graphs, epochs, rates)
        label = f"*CO, {size} rows, {epochs} epochs, rates {' '.join(f'{rate:g}' for rate in rates)}"
        results = run(label, models, y, splits, args.cache / "adsorption.jsonl", end)
        if results is None:
            continue
        n_splits = results["fold"].nunique()
        seconds = results.groupby("model")["seconds"].median()
        names = {name: f"{name} ({seconds[name]:.2g} s)" for name in models}
        lines += ["", f"**{n_train:.0f} training structures** ({n_splits} draws of test surfaces; time of a fit)", ""]
        lines.append(table(results, names, reference="scratch", unit="eV"))
    weights = layer_weights(models, y)
    lines += ["", "Layer weights on all rows of *CO: embedding, then each block", ""]
    lines += [f"- {name}: {np.round(values, 2).tolist()}" for name, values in weights.items()]
    lines += [
        "",
        f"Mean absolute error in eV on *OH by learning rate, {args.choice_splits} draws, and the rate taken",
        "",
    ]
    lines += rate_table(errors, rates)
    write(args.output, "\n".join(lines))


if __name__ == "__main__":
    main()
