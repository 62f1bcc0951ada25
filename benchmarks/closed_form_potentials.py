"""Closed forms on frozen networks: energies and forces of molecules in motion from tens of frames.

Sources: CHGNet as its authors trained it on inorganic crystals, a small SchNet trained on frames of OC20, neither of
which saw an organic molecule by itself, and TensorNet as matgl's authors trained it on ANI-1x, which did. Targets:
energies and forces of the official split 01 of rMD17, on the same frames as in md17.py, whose runs from scratch stand
beside them. Runs are kept in a file of lines, so that a stopped benchmark goes on where it was. No setting was chosen
on these molecules.
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _md17 import CUTOFFS, MOLECULES, N_TEST, NETWORKS, draw, frames, interval, read, train_source
from _timing import machine
from _transfer_protocol import write
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.datasets import fetch_ani1x_potential
from sktaag.heads import LayerKernelRegressor
from sktaag.nn.backbones import MatGL
from sktaag.sources import GNNRegressor, load_source
from sktaag.transfer import GNNFeaturizer, LinearPotential
from sktaag.transfer._graph_source import open_graph_source
from sktaag.transfer._pooled_jacobians import pooled_jacobians

RESULTS = Path(__file__).parent / "results"
BLOCKS = (1, 2, 3, 4)  # TensorNet has the first two
ALPHAS = np.logspace(-6, 6, 25)
AS_IT_IS = "the source as it is, energies shifted"
METHODS = {
    "mean energy, no forces": DummyRegressor(),
    AS_IT_IS: None,
    **{f"block {block}, ridge": block for block in BLOCKS},
    "all blocks, ridge": None,
    "all blocks, LayerKernelRegressor, linear": LayerKernelRegressor(),
    "all blocks, LayerKernelRegressor, rbf": LayerKernelRegressor(kernel="rbf"),
    **{
        f"LinearPotential, {layers}{labels}{readout}": settings
        for labels, of_labels in (("energies", {"use_forces": False}), ("energies and forces", {}))
        for readout, of_readout in ((", readout left out", {"readout": "fresh"}), ("", {}))
        for layers, of_layers in (("last block, ", {"layers": 1}), ("", {}))
        for settings in [of_labels | of_readout | of_layers]
    },
}
SCRATCH = "SchNet from scratch, energies and forces"


def features(source, graphs, cache):
    """States of all blocks, summed by element."""
    featurizer = GNNFeaturizer(source, pooling="sum", by_element=True, cache=cache).set_output(transform="pandas")
    return featurizer.fit_transform(graphs)


def run(task, source, cache):
    """Fit one model and judge it on the official test frames."""
    kind, molecule, size, seed, method = task
    graphs, energies, forces = frames(molecule, "train", cutoff=CUTOFFS[kind])
    test_graphs, test_energies, test_forces = frames(molecule, "test", N_TEST, CUTOFFS[kind])
    rows = draw(graphs, size, seed)
    setting, force_error, weights, seconds = METHODS[method], None, [], 0.0
    if method == AS_IT_IS:
        model = load_source(source) if isinstance(source, Path) else GNNRegressor.from_pretrained(source, device="cpu")
        predicted = model.predict(test_graphs) + (energies[rows] - model.predict(graphs[rows])).mean()
        found = np.concatenate(model.predict_forces(test_graphs))
        force_error = float(1000 * np.abs(found - np.concatenate(test_forces)).mean())
    elif method.startswith("LinearPotential"):
        model = LinearPotential(source, **setting, cache=cache, device="cpu")
        if model.use_forces:  # the clock runs for the fit, whether an earlier run left the derivatives or not
            backbone = open_graph_source(source).backbone.eval().requires_grad_(False)
            pooled_jacobians(backbone, graphs[rows], torch.device("cpu"), cache)
        start = time.process_time()
        model.fit(graphs[rows], energies[rows], forces=[forces[row] for row in rows])
        seconds = time.process_time() - start
        predicted = model.predict(test_graphs)
        found = np.concatenate(model.predict_forces(test_graphs))
        force_error = float(1000 * np.abs(found - np.concatenate(test_forces)).mean())
        weights = model.layer_weights_
    else:
        X, X_test = (features(source, part, cache) for part in (graphs[rows], test_graphs))
        model = setting
        if setting is None or method.endswith("ridge"):
            n_blocks = open_graph_source(source).backbone.n_layers
            prefix = "" if setting is None else f"L(-{n_blocks + 1 - setting})"
            columns = [name for name in X if name.startswith(prefix)]
            X, X_test = X[columns], X_test[columns]
            model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
        start = time.process_time()
        model.fit(X, energies[rows])
        seconds = time.process_time() - start
        predicted = model.predict(X_test)
        weights = getattr(model, "layer_weights_", [])
        if method.startswith("mean"):
            force_error = float(1000 * np.abs(np.concatenate(test_forces)).mean())
    return {
        "source": kind, "molecule": molecule, "size": size, "seed": seed, "method": method,
        "energy": float(1000 * np.abs(predicted - test_energies).mean()), "forces": force_error, "seconds": seconds,
        "layer_weights": np.round(weights, 4).tolist(),
    }  # fmt: skip


def cost(source, molecule, cutoff):
    """Seconds of a core for the states and for their derivatives, for each frame."""
    graphs, energies, forces = frames(molecule, "train", 20, cutoff)
    start = time.process_time()
    features(source, graphs, None)
    states = time.process_time() - start
    start = time.process_time()
    LinearPotential(source, device="cpu").fit(graphs, energies, forces=forces)
    return states / len(graphs), (time.process_time() - start) / len(graphs)


def cell(values):
    """Mean and half width of the interval over draws of frames as text."""
    values = [value for value in values if value is not None and not np.isnan(value)]
    if not values:
        return ""
    mean, half = interval(values)
    few = "1 draw" if len(values) == 1 else f"{len(values)} draws"
    return f"{mean:.1f} ± {half:.1f}" if len(values) > 2 else f"{mean:.1f} ({few})"


def report(results):
    """Make the tables as markdown."""
    lines = []
    methods = [*METHODS, SCRATCH]
    for (kind, size), table in results.groupby(["source", "size"]):
        molecules = [name for name in MOLECULES if name in set(table["molecule"])]
        heads = [f"{name}, {unit}" for name in molecules for unit in ("meV", "meV/Å")]
        lines += ["", f"**Source {kind}, {size} frames: MAE of energy and of forces**", ""]
        lines += [f"| method | {' | '.join(heads)} | s |", "|---" * (len(heads) + 2) + "|"]
        for method in methods:
            of_method = table[table["method"] == method]
            if of_method.empty:
                continue
            rows = [of_method[of_method["molecule"] == name] for name in molecules]
            cells = [cell(part[error].tolist()) for part in rows for error in ("energy", "forces")]
            seconds = of_method["seconds"].median()
            shown = f"{seconds:.0f}" if seconds > 10 else f"{seconds:.2g}"
            lines.append(f"| {method} | {' | '.join(cells)} | {shown} |")
        learned = table[table["layer_weights"].map(len) > 0]
        lines += ["", "Weights of the layers (embedding, each block; mean of the seeds)", ""]
        for (method, molecule), rows in learned.groupby(["method", "molecule"], sort=False):
            mean = np.mean(list(rows["layer_weights"]), axis=0)
            lines.append(f"- {method}, {molecule}: {', '.join(f'{value:.2f}' for value in mean)}")
    return "\n".join(lines)


def from_scratch(path, results):
    """Read the runs of md17.py from scratch, on frames that the tables have."""
    there = {(row["molecule"], row["size"], row["seed"]) for row in results}
    kinds = sorted({row["source"] for row in results})
    return [
        row | {"source": kind, "method": SCRATCH, "layer_weights": []}
        for row, kind in product(read(path), kinds)
        if row["method"] == "scratch"
        and NETWORKS[row["source"]] == "schnet"
        and (row["molecule"], row["size"], row["seed"]) in there
    ]


def main():
    """Run what is missing, print the tables of all that is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sources", nargs="+", default=["chgnet", "oc20", "ani1x"])
    parser.add_argument("--molecules", nargs="+", default=["toluene", "ethanol"], choices=MOLECULES)
    parser.add_argument("--sizes", nargs="+", type=int, default=[50, 200])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--source-epochs", type=int, help="of the SchNet on OC20, if not as in md17.py")
    parser.add_argument("--minutes", type=float, default=np.inf, help="start no run after this time")
    parser.add_argument("--folder", type=Path, default=Path("closed_form"), help="for source and states")
    parser.add_argument("--runs", type=Path, default=RESULTS / "closed_form_potentials.jsonl")
    parser.add_argument("--scratch", type=Path, default=RESULTS / "md17.jsonl", help="runs of md17.py")
    parser.add_argument("--output", type=Path, default=RESULTS / "closed_form_potentials.md")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes

    sources = {kind: train_source(kind, args.folder, "auto", args.source_epochs) for kind in args.sources}
    sources |= {"ani1x": MatGL.from_pretrained(fetch_ani1x_potential())} if "ani1x" in sources else {}
    done = read(args.runs)
    key = ("source", "molecule", "size", "seed", "method")
    known = {tuple(row[name] for name in key) for row in done}
    with open(args.runs, "a") as file:
        for size, kind, molecule, seed, method in product(
            args.sizes, args.sources, args.molecules, args.seeds, args.methods
        ):
            task = (kind, molecule, size, seed, method)
            beyond = kind == "ani1x" and METHODS[method] in (3, 4)
            if task in known or beyond or time.monotonic() > end:
                continue
            done.append(run(task, sources[kind], args.folder / "cache"))
            file.write(json.dumps(done[-1]) + "\n")
            file.flush()
            print({name: done[-1][name] for name in (*key, "energy", "forces", "seconds")}, flush=True)

    head = [
        machine("torch", "torch-geometric", "chgnet", "sktaag"),
        f"{N_TEST} official test frames; mean ± 95% interval of three draws of frames, or their number; s: seconds of "
        "one core for the fit, once states and derivatives are there; from scratch: for the whole training",
    ]
    for kind, molecule in product(args.sources, args.molecules):
        states, derivatives = cost(sources[kind], molecule, CUTOFFS[kind])
        head.append(
            f"Source {kind}, {molecule}: {1000 * states:.0f} ms of a core for the states of a frame, "
            f"{1000 * derivatives:.0f} ms for a fit to energies and forces from nothing, for each frame"
        )
    write(args.output, "\n\n".join(head) + "\n" + report(pd.DataFrame(done + from_scratch(args.scratch, done))))


if __name__ == "__main__":
    main()
