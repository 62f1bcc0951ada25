"""From DFT to CCSD(T): energies and forces of ethanol from tens of frames of the better method.

python benchmarks/level_of_theory.py

Sources: a SchNet trained on frames of ethanol in rMD17 (PBE), without those that the CCSD(T) set has too; TensorNet as
matgl's authors trained it on the organic molecules of ANI-1x (another functional); CHGNet, trained on inorganic
crystals. Target: the thousand published CCSD(T) frames, without duplicates; half of them, the same for all, are for the
test, training frames are drawn from the others. All trained networks of an architecture share epochs and settings,
which were chosen on malonaldehyde (md17.py --choose). Runs are kept in a file of lines, so that a stopped benchmark
goes on.
"""

import json
import time
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _graph_runs import parser
from _md17 import CUTOFF, CUTOFFS, NETWORKS, RATES, SHAPE, SHARED, interval, read
from _timing import machine
from _transfer_protocol import write
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import cdist, pdist
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.datasets import fetch_ani1x_potential, fetch_ccsd_ethanol, fetch_rmd17
from sktaag.graphs import AtomGraphs
from sktaag.nn.backbones import MatGL
from sktaag.sources import GNNRegressor, load_source, save_source
from sktaag.transfer import GNNFeaturizer, LinearPotential, TAAGRegressor

SAME = 1e-3  # Å between all sorted distances of two frames that are the same
TRAINED = {  # source, attention, freeze, and a factor of the learning rate
    "scratch": ("rmd17", "last", "scratch", 1.0),
    "fine-tuned, all": ("rmd17", "last", "none", 1.0),
    "fine-tuned, all, a tenth of the learning rate": ("rmd17", "last", "none", 0.1),
    "fine-tuned, 2 blocks frozen": ("rmd17", "last", 2, 1.0),
    "frozen, sum": ("rmd17", "sum", "all", 1.0),
    "frozen, mix": ("rmd17", "mix", "all", 1.0),
    "frozen, query": ("rmd17", "query", "all", 1.0),
    "TAAG, frozen": ("rmd17", "taag", "all", 1.0),
    "TAAG, embeddings frozen": ("rmd17", "taag", "embeddings", 1.0),
    "TAAG, embeddings frozen, a tenth of the learning rate": ("rmd17", "taag", "embeddings", 0.1),
    "ANI-1x, TensorNet from scratch": ("ani1x", "last", "scratch", 1.0),
    "ANI-1x, fine-tuned, all": ("ani1x", "last", "none", 1.0),
    "ANI-1x, fine-tuned, embeddings frozen": ("ani1x", "last", "embeddings", 1.0),
    "ANI-1x, frozen, last": ("ani1x", "last", "all", 1.0),
    "ANI-1x, TAAG, frozen": ("ani1x", "taag", "all", 1.0),
    "ANI-1x, TAAG, embeddings frozen": ("ani1x", "taag", "embeddings", 1.0),
}
LINEAR = {  # source, layers and readout of a LinearPotential
    "last layer frozen, ridge": ("rmd17", 1, "fresh"),
    "LinearPotential on the DFT network, its readout left out": ("rmd17", "all", "fresh"),
    "LinearPotential on the DFT network": ("rmd17", "all", "auto"),
    "LinearPotential on ANI-1x, its readout left out": ("ani1x", "all", "fresh"),
    "LinearPotential on ANI-1x": ("ani1x", "all", "auto"),
    "LinearPotential on CHGNet, its readout left out": ("chgnet", "all", "fresh"),
    "LinearPotential on CHGNet": ("chgnet", "all", "auto"),
}
NOTHING, AS_IT_IS = "mean energy, no forces", "the DFT network as it is, energies shifted"
ENERGIES = "all layers frozen, ridge, energies alone"
METHODS = (NOTHING, AS_IT_IS, *TRAINED, ENERGIES, *LINEAR)
N_TEST = 500
SETTINGS = SHARED | {"scheduler": "cosine", "ema": 0.99, "device": "cpu"}


def distances(frames):
    """Sorted distances of each pair of elements in each frame: the same for frames that are turned or renumbered."""
    numbers = frames[0].numbers
    pairs = [sorted(numbers[list(pair)]) for pair in zip(*np.triu_indices(len(numbers), 1), strict=True)]
    kinds = np.unique(pairs, axis=0, return_inverse=True)[1]
    return np.array([pdist(frame.positions)[np.lexsort([pdist(frame.positions), kinds])] for frame in frames])


def originals(frames):
    """Rows of the frames that no earlier one equals."""
    same = cdist(*[distances(frames)] * 2, "chebyshev") < SAME
    return np.flatnonzero(~np.tril(same, -1).any(axis=1))


@cache
def target(cutoff=CUTOFF):
    """Graphs, energies in eV and forces in eV/Å of CCSD(T) ethanol; the first ones are for the test."""
    data = fetch_ccsd_ethanol()
    rows = np.random.RandomState(0).permutation(originals(data.data))
    graphs = AtomGraphs(cutoff).fit(data.data).transform(data.data)
    return graphs[rows], np.asarray(data.target)[rows], [data.forces[row] for row in rows]


def train_source(folder, epochs):
    """Train the source once and keep it."""
    path = folder / "ethanol.source"
    if not path.exists():
        data = fetch_rmd17("ethanol")
        held = cdist(distances(data.data), distances(fetch_ccsd_ethanol().data), "chebyshev").min(axis=1) < SAME
        rows = np.flatnonzero(~held)
        graphs = AtomGraphs(CUTOFF).fit(data.data).transform(data.data)[rows]
        start = time.perf_counter()
        model = GNNRegressor(
            "schnet", **SHAPE, module__cutoff=CUTOFF, max_epochs=epochs, batch_size=16, lr=RATES["schnet"],
            random_state=0, **SETTINGS,
        )  # fmt: skip
        model.fit(graphs, np.asarray(data.target)[rows], forces=[data.forces[row] for row in rows])
        save_source(model, path)
        note = {"frames": len(rows), "left_out": int(held.sum()), "epochs": model.n_iter_}
        path.with_suffix(".json").write_text(json.dumps(note | {"seconds": time.perf_counter() - start}))
    return path


def before_transfer(source):
    """Mean absolute differences of forces in meV/Å: the source on frames of its own, DFT and CCSD(T) on common ones."""
    dft, better = fetch_rmd17("ethanol"), fetch_ccsd_ethanol()
    found = np.concatenate(source.predict_forces(dft.data[:200]))
    own = np.abs(found - np.concatenate(list(dft.forces[:200]))).mean()
    common = []
    for i, j in np.argwhere(cdist(distances(dft.data), distances(better.data), "chebyshev") < SAME):
        left, right = (xyz - xyz.mean(axis=0) for xyz in (dft.data[i].positions, better.data[j].positions))
        common.append(np.abs(dft.forces[i] @ orthogonal_procrustes(left, right)[0] - better.forces[j]).mean())
    return 1000 * own, 1000 * np.mean(common)


def kind_of(method):
    """Name the source that a method takes."""
    return (TRAINED | LINEAR).get(method, ["rmd17"])[0]


def fit(method, source, size, seed, epochs):
    """Fit one model; functions for energies and forces of graphs, and the weights of the depths."""
    kind = kind_of(method)
    graphs, energies, forces = target(CUTOFFS[kind])
    rows = N_TEST + np.random.RandomState(seed).permutation(len(graphs) - N_TEST)[:size]
    X, y, F = graphs[rows], energies[rows], [forces[row] for row in rows]
    if method == NOTHING:
        return lambda X: np.full(len(X), y.mean()), lambda X: [np.zeros(graph.pos.shape) for graph in X], []
    start = {"rmd17": source, "chgnet": "chgnet"}.get(kind) or MatGL.from_pretrained(fetch_ani1x_potential())
    if method in TRAINED:
        _, attention, freeze, factor = TRAINED[method]
        model = TAAGRegressor(
            start, attention=attention, freeze=freeze, lr=factor * RATES[NETWORKS[kind]],
            batch_size=5 if size <= 50 else 10, max_epochs=epochs, early_stopping=False, random_state=seed, **SETTINGS,
        )  # fmt: skip
        model.fit(X, y, forces=F)
        return model.predict, model.predict_forces, model.layer_weights_
    if method == ENERGIES:
        pooled = GNNFeaturizer(start, pooling="sum", by_element=True, device="cpu")
        model = make_pipeline(pooled, StandardScaler(), RidgeCV(np.logspace(-6, 6, 25))).fit(X, y)
        return model.predict, None, []
    if method in LINEAR:
        _, layers, readout = LINEAR[method]
        model = LinearPotential(start, layers=layers, readout=readout, device="cpu").fit(X, y, forces=F)
        return model.predict, model.predict_forces, model.layer_weights_
    shift = (y - source.predict(X)).mean()
    return lambda X: source.predict(X) + shift, source.predict_forces, []


def run(method, source, size, seed, epochs):
    """Fit one model and judge it on the test frames."""
    start = time.process_time()
    predict, predict_forces, weights = fit(method, source, size, seed, epochs)
    seconds = time.process_time() - start
    graphs, energies, forces = (part[:N_TEST] for part in target(CUTOFFS[kind_of(method)]))
    error = None
    if predict_forces is not None:
        error = float(1000 * np.abs(np.concatenate(predict_forces(graphs)) - np.concatenate(forces)).mean())
    return {
        "method": method, "size": size, "seed": seed, "epochs": epochs, "seconds": seconds,
        "energy": float(1000 * np.abs(predict(graphs) - energies).mean()), "forces": error,
        "layer_weights": np.round(weights, 4).tolist(),
    }  # fmt: skip


def relative(rows, scratch):
    """Error of forces relative to scratch on the same frames: geometric mean and its interval as text."""
    both = rows.merge(scratch, on="seed", suffixes=("", "_scratch"))
    logs = np.log(both["forces"].astype(float) / both["forces_scratch"])
    mean, half = interval(logs)
    spread = f" ({np.exp(mean - half):.2f} to {np.exp(mean + half):.2f})" if len(logs) > 2 else ""
    return f"{np.exp(mean):.2f}{spread}"


def report(results):
    """Make the tables as markdown."""
    lines = []
    for size, table in results.groupby("size"):
        lines += ["", f"**{size} frames of CCSD(T)**", ""]
        lines += [
            "| method | energy, meV | forces, meV/Å | forces / scratch | s | draws |",
            "|---|---|---|---|---|---|",
        ]
        scratch = table[table["method"] == "scratch"]
        for method in METHODS:
            rows = table[table["method"] == method]
            if rows.empty:
                continue
            cells = []
            for error in ("energy", "forces"):
                mean, half = interval(rows[error].dropna()) if rows[error].notna().any() else (np.nan, np.nan)
                text = f"{mean:.1f}" + (f" ± {half:.1f}" if len(rows) > 2 else "")
                cells.append("" if np.isnan(mean) else text)
            cells.append(relative(rows, scratch) if rows["forces"].notna().any() and len(scratch) else "")
            lines.append(f"| {method} | {' | '.join(cells)} | {rows['seconds'].median():.2g} | {len(rows)} |")
        weighed = table[table["layer_weights"].map(len) > 0]
        lines += ["", "Weights of the layers (embedding, each block; mean of the draws)", ""]
        for method in METHODS:
            rows = weighed[weighed["method"] == method]
            if len(rows) and not any(word in method for word in ("scratch", "fine-tuned", "last", "sum")):
                mean = np.mean(list(rows["layer_weights"]), axis=0)
                lines.append(f"- {method}: {', '.join(f'{value:.2f}' for value in mean)}")
    return "\n".join(lines)


def main():
    """Run what is missing, print the tables of all that is there."""
    options = parser(__doc__, "level_of_theory.md")
    options.add_argument("--sizes", nargs="+", type=int, default=[50])
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    options.add_argument("--epochs", type=int, default=100, help="of the target")
    options.add_argument("--source-epochs", type=int, default=15)
    options.add_argument("--runs", type=Path, default=Path(__file__).parent / "results" / "level_of_theory.jsonl")
    args = options.parse_args()
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes
    args.cache.mkdir(parents=True, exist_ok=True)
    path = train_source(args.cache, args.source_epochs)
    source, note = load_source(path), json.loads(path.with_suffix(".json").read_text())
    done = read(args.runs)
    key = ("method", "size", "seed", "epochs")
    known = {tuple(row[name] for name in key) for row in done}
    with open(args.runs, "a") as file:
        for size, seed, method in product(args.sizes, args.seeds, args.methods):
            if (method, size, seed, args.epochs) not in known and time.monotonic() < end:
                done.append(run(method, source, size, seed, args.epochs))
                file.write(json.dumps(done[-1]) + "\n")
                file.flush()
                print({name: done[-1][name] for name in (*key, "energy", "forces", "seconds")}, flush=True)
    own, common = before_transfer(source)
    lines = [
        machine("torch", "torch-geometric", "chgnet", "sktaag"),
        "",
        f"SchNet of 4 blocks of 64, {source.backbone_.config['n_gaussians']} Gaussians, "
        f"cutoff {CUTOFF:g} Å. Source: {note['frames']:,} frames of ethanol in rMD17 "
        f"({note['left_out']} that the CCSD(T) set has too are left out), {note['epochs']} epochs, forces of its "
        f"own frames to {own:.0f} meV/Å; DFT and CCSD(T) differ by {common:.0f} meV/Å on the frames of both. Target: "
        f"{args.epochs} epochs, AdamW with a cosine from {RATES['schnet']:g} (TensorNet: {RATES['tensornet']:g}), "
        f"EMA 0.99, mean absolute errors, forces "
        f"{SETTINGS['force_weight']:g} times the weight of energies; {N_TEST} test frames, the same for all; "
        f"{len(target()[0]):,} frames of CCSD(T) without duplicates. Mean ± 95 % interval over draws of training "
        "frames; s: of a core for the fit.",
    ]
    write(args.output, "\n".join(lines) + "\n" + report(pd.DataFrame(done)))


if __name__ == "__main__":
    main()
