"""Adsorption energies of *CO from tens of structures, with a source of seven other adsorbates: every way of transfer.

python benchmarks/adsorption.py

Source: the structures of WWL-GPR's simple adsorbates without *CO; a SchNet learns their adsorption energies less the
mean of each adsorbate. Target: *CO, test folds of whole surfaces (metal and facet) that no training row of the target
has. The source does know other adsorbates on these surfaces, as whoever transfers within a project would. CHGNet, which
its authors trained on inorganic crystals, stands beside it, frozen.

A structure is the adsorbate and the metal atoms within a radius of it. Targets are intensive: an adsorption energy does
not grow with the slab. Nothing was chosen on these data: the learning rate is that of benchmarks/md17.py, which was
chosen for training from scratch; all trained networks share epochs, batches and optimizer.
"""

import json
import time

import numpy as np
import torch
from _graph_runs import parser, run
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
TRAINING = {"lr": 2e-3, "scheduler": "cosine", "ema": 0.99, "target": "intensive", "device": "cpu", "random_state": 0}
POOLS = ("mean", "std", "max")
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


def train_source(graphs, frame, folder, epochs):
    """Train the source once and keep it."""
    path = folder / "adsorbates.source"
    if path.exists():
        return path
    rows = frame[frame["adsorbate"] != "CO"]
    y = rows["adsorption_energy"] - rows.groupby("adsorbate")["adsorption_energy"].transform("mean")
    start = time.perf_counter()
    model = GNNRegressor("schnet", **SHAPE, **TRAINING, batch_size=32, max_epochs=epochs)
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


def make_models(source, graphs, epochs):
    """Return every method: what it reads, and the unfitted model."""
    featurizer = GNNFeaturizer(source, pooling=POOLS, device="cpu")
    features = featurizer.fit_transform(graphs)  # frozen: they know no target
    n_depths = featurizer.backbone_.n_layers + 1
    last = features[:, -features.shape[1] // n_depths :]
    chgnet = GNNFeaturizer("chgnet", pooling=POOLS, device="cpu").fit_transform(graphs)  # five depths too
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 6, 22)))
    shared = TRAINING | {"batch_size": 10, "max_epochs": epochs, "early_stopping": False}
    taag = {
        "frozen, sum": {"attention": "sum", "freeze": "all"},
        "frozen, mix": {"attention": "mix", "freeze": "all"},
        "frozen, query": {"attention": "query", "freeze": "all"},
        "TAAG, frozen": {"attention": "taag", "freeze": "all"},
        "TAAG, embeddings frozen": {"attention": "taag", "freeze": "embeddings"},
        "mix, all trained": {"attention": "mix", "freeze": "none"},
    }
    return {
        "mean": (features, DummyRegressor()),
        "scratch": (graphs, FineTunedRegressor(source, strategy="scratch", **shared)),
        "fine-tuned, all": (graphs, FineTunedRegressor(source, strategy="full", **shared)),
        "fine-tuned, 2 blocks frozen": (graphs, FineTunedRegressor(source, strategy="freeze", n_blocks=2, **shared)),
        "last layer frozen, ridge": (last, ridge),
        "all layers frozen, ridge": (features, ridge),
        "all layers frozen, kernel for each": (features, LayerKernelRegressor(n_depths)),
        **{name: (graphs, TAAGRegressor(source, **params, **shared)) for name, params in taag.items()},
        "CHGNet, all layers, kernel for each": (chgnet, LayerKernelRegressor(n_depths)),
        "CHGNet, frozen, mix": (graphs, TAAGRegressor("chgnet", **taag["frozen, mix"], **shared)),
        "CHGNet, TAAG, frozen": (graphs, TAAGRegressor("chgnet", **taag["TAAG, frozen"], **shared)),
    }


def layer_weights(models, y):
    """Return what each depth weighs in models of all rows of *CO."""
    names = ("all layers frozen, kernel for each", "frozen, mix", "frozen, query", "TAAG, frozen")
    return {name: models[name][1].fit(models[name][0], y).layer_weights_ for name in names}


def main():
    """Run what is missing, print the tables of all that is complete."""
    options = parser(__doc__, "adsorption.md")
    options.add_argument("--sizes", nargs="+", type=int, default=[50, 1000], help="training rows, at most")
    options.add_argument("--splits", type=int, default=10)
    options.add_argument("--epochs", type=int, default=100, help="of the target, for 50 rows; fewer for more rows")
    options.add_argument("--source-epochs", type=int, default=20)
    args = options.parse_args()
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes
    args.cache.mkdir(parents=True, exist_ok=True)

    data = fetch_simple_adsorbates()
    frame, local = data.frame, [neighbourhood(atoms) for atoms in data.data]
    graphs = AtomGraphs(6.0).fit_transform(local)  # for CHGNet; SchNet leaves out what is beyond its own cutoff
    source = train_source(graphs, frame, args.cache, args.source_epochs)
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
        f"{args.epochs} epochs for 50 rows, AdamW with a cosine from {TRAINING['lr']:g}, EMA {TRAINING['ema']:g}. "
        f"Pools {', '.join(POOLS)}. Intervals of 95 % corrected for training sets that overlap (Nadeau and Bengio).",
    ]
    for size in args.sizes:
        splits = list(splits_of(surfaces, size, args.splits))
        n_train = np.mean([len(train) for train, _ in splits])
        epochs = max(20, round(args.epochs * 50 / n_train))
        models = make_models(load_source(source), graphs, epochs)
        results = run(f"{size} rows, {epochs} epochs", models, y, splits, args.cache / "adsorption.jsonl", end)
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
    write(args.output, "\n".join(lines))


if __name__ == "__main__":
    main()
