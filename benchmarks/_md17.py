"""Frames, source networks and intervals that the benchmarks on molecules in motion share."""

import json
import time
from functools import cache

import numpy as np
from scipy.stats import t as student_t

from sktaag.datasets import fetch_oc20_frames, fetch_rmd17
from sktaag.graphs import AtomGraphs
from sktaag.sources import GNNRegressor, save_source

MOLECULES = ("toluene", "ethanol", "aspirin", "malonaldehyde", "benzene", "naphthalene", "salicylic_acid")
IN_DOMAIN = ("toluene", "aspirin")  # the others train the source
CUTOFF = 5.0
SHAPE = {"module__n_layers": 4, "module__n_features": 64, "module__n_filters": 64, "module__n_gaussians": 20}
N_TEST = 500
SHARED = {"criterion": "mae", "force_weight": 100.0}
RATES = {"schnet": 4e-3, "chgnet": 8e-3, "tensornet": 1e-3}  # of md17.py --choose
RATES_FROZEN = RATES | {"tensornet": 4e-3}  # likewise, where the whole source is frozen
SOURCES = {"oc20": (10, 5), "rmd17": (8, 1)}  # epochs; the step between frames, which hardly differ in a relaxation
NETWORKS = {"oc20": "schnet", "rmd17": "schnet", "chgnet": "chgnet", "ani1x": "tensornet"}  # of each source
CUTOFFS = {"oc20": CUTOFF, "rmd17": CUTOFF, "chgnet": 6.0, "ani1x": 5.0}  # of the graphs that each source reads


@cache
def frames(molecule, subset, n=None, cutoff=CUTOFF):
    """Graphs, energies in eV and forces in eV/Å of a molecule."""
    data = fetch_rmd17(molecule, subset)
    graphs = AtomGraphs(cutoff).fit(data.data).transform(data.data[:n])
    return graphs, np.asarray(data.target[:n]), list(data.forces[:n])


def draw(graphs, size, seed):
    """Row numbers of one draw of training frames."""
    return np.random.RandomState(seed).permutation(len(graphs))[:size]


def train_source(kind, folder, device, epochs=None):
    """Train the source network once and keep it; a CPU needs some minutes. Others come from their authors."""
    if kind not in SOURCES:
        return kind
    path = folder / f"{kind}.source"
    if path.exists():
        return path
    if kind == "oc20":
        data = fetch_oc20_frames()
        graphs, energies, forces = AtomGraphs(CUTOFF).fit(data.data).transform(data.data), data.target, data.forces
    else:
        parts = [frames(molecule, "train") for molecule in MOLECULES if molecule not in IN_DOMAIN]
        graphs = np.concatenate([graphs for graphs, _, _ in parts])
        energies = np.concatenate([energies for _, energies, _ in parts])
        forces = [force for _, _, part in parts for force in part]
    default, every = SOURCES[kind]
    graphs, energies, forces = graphs[::every], energies[::every], forces[::every]
    start = time.perf_counter()
    model = GNNRegressor(
        "schnet", **SHAPE, module__cutoff=CUTOFF, max_epochs=epochs or default, batch_size=8, criterion="mae",
        force_weight=100.0, lr=2e-3, scheduler="cosine", ema=0.99, device=device, random_state=0,
    )  # fmt: skip
    model.fit(graphs, energies, forces=list(forces))
    seconds = time.perf_counter() - start
    path.parent.mkdir(parents=True, exist_ok=True)
    save_source(model, path)
    note = {"source": kind, "frames": len(graphs), "epochs": model.n_iter_, "seconds": seconds}
    path.with_suffix(".json").write_text(json.dumps(note))
    return path


def read(path):
    """Read the lines of what was run."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def interval(values):
    """Mean and half width of the 95% interval; values are taken as independent."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return values.mean(), np.nan
    return values.mean(), student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
