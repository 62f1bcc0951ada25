"""What frozen layers cost: training the attention against fine-tuning, and features against each library's prediction.

python benchmarks/attention_speed.py

Training: *CO on metals (energies alone); both run the same epochs in the same batches. The frozen layers are computed
once, in the time that is shown, and alone in the last row, so that the ratio grows with the epochs. Features:
structures in, matrix out, beside the energies that CHGNet and PyG's SchNet compute of the same structures. Times are
those of the processor (one thread), which neighbours disturb less than the clock.
"""

import ctypes
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from _graph_runs import parser
from _timing import interleaved, machine, ratio
from _transfer_protocol import write
from ase.build import bulk
from pymatgen.io.ase import AseAtomsAdaptor
from torch_geometric.data import Batch
from torch_geometric.nn.models import SchNet

from sktaag.datasets import fetch_matbench_phonons, fetch_rmd17, fetch_simple_adsorbates
from sktaag.graphs import AtomGraphs
from sktaag.sources import GNNRegressor
from sktaag.transfer import FineTunedRegressor, GNNFeaturizer, TAAGRegressor

SHAPE = {
    "module__n_layers": 4,
    "module__n_features": 64,
    "module__n_filters": 64,
    "module__n_gaussians": 50,
    "module__cutoff": 5.0,
}
SHARED = {"batch_size": 10, "target": "intensive", "early_stopping": False, "device": "cpu", "random_state": 0}


def rows_of(seconds, first, per=1):
    """Write the median of each and how many times the first one's it takes."""
    return [
        f"| {name} | {np.median(times) / per:.3g} | {ratio(times, seconds[first]):.3g} |"
        for name, times in seconds.items()
    ]


def training(args, X, y):
    """Time fits of different lengths, of the attention and of all weights."""
    graphs = AtomGraphs(5.0).fit_transform(X)
    source = GNNRegressor("schnet", **SHAPE, **(SHARED | {"max_epochs": 1})).fit(graphs, y)
    lines = []
    for epochs in args.epochs:
        models = {
            "fine-tuned, all": FineTunedRegressor(source, max_epochs=epochs, **SHARED),
            "mix, layers frozen": TAAGRegressor(source, attention="mix", max_epochs=epochs, **SHARED),
            "query, layers frozen": TAAGRegressor(source, attention="query", max_epochs=epochs, **SHARED),
            "TAAG, layers frozen": TAAGRegressor(source, attention="taag", max_epochs=epochs, **SHARED),
            "TAAG, embeddings frozen": TAAGRegressor(
                source, attention="taag", freeze="embeddings", max_epochs=epochs, **SHARED
            ),
        }
        fits = {name: lambda model=model: model.fit(graphs, y) for name, model in models.items()}
        fits["the frozen layers alone, once"] = lambda: GNNFeaturizer(source, device="cpu").fit_transform(graphs)
        seconds = interleaved(fits, args.repeats, time.process_time)
        n_atoms = np.mean([len(atoms) for atoms in X])
        lines += ["", f"**Training, {len(y)} structures of {n_atoms:.0f} atoms, {epochs} epochs**", ""]
        lines += [
            "| method | s | times the speed of fine-tuning |",
            "|---|---|---|",
            *rows_of(seconds, "fine-tuned, all"),
        ]
    return lines


def throughput(args):
    """Time features and the predictions of the libraries."""
    from chgnet.model import CHGNet  # says where it runs

    crystals = list(fetch_matbench_phonons().data[: args.structures])
    structures = [AseAtomsAdaptor.get_structure(atoms) for atoms in crystals]
    model, ours = CHGNet.load(use_device="cpu", verbose=False), GNNFeaturizer("chgnet", device="cpu")
    ours.fit(crystals[:1])
    seconds = interleaved(
        {
            'CHGNet.predict_structure(task="e")': lambda: model.predict_structure(structures, task="e", batch_size=16),
            'GNNFeaturizer("chgnet")': lambda: ours.transform(crystals),
        },
        args.repeats,
        time.process_time,
    )
    n_atoms = np.mean([len(atoms) for atoms in crystals])
    lines = ["", f"**CHGNet, {len(crystals)} crystals of {n_atoms:.1f} atoms: ms a structure**", ""]
    lines += ["| call | ms | times the first one's speed |", "|---|---|---|"]
    lines += rows_of(seconds, next(iter(seconds)), len(crystals) / 1000)

    molecules = fetch_rmd17("aspirin", "train").data[: args.structures]
    graphs = AtomGraphs(5.0).fit_transform(molecules)
    plain = SchNet(64, 64, 4, 50, 5.0, interaction_graph=lambda pos, batch: (edges[0], edges[1]))
    edges = [None, None]

    def forward():
        with torch.no_grad():
            for start in range(0, len(graphs), 32):
                batch = Batch.from_data_list(list(graphs[start : start + 32]))
                pos = batch.pos.float()
                edges[:] = batch.edge_index, (pos[batch.edge_index[0]] - pos[batch.edge_index[1]]).norm(dim=1)
                plain(batch.z, pos, batch.batch)

    source = GNNRegressor("schnet", **SHAPE, **(SHARED | {"max_epochs": 1})).fit(graphs[:2], [0.0, 1.0])
    ours = GNNFeaturizer(source, device="cpu").fit(graphs[:1])
    seconds = interleaved(
        {
            "SchNet of PyG, edges given, batches of 32": forward,
            "GNNFeaturizer, edges given": lambda: ours.transform(graphs),
            "GNNFeaturizer, structures": lambda: ours.transform(molecules),
        },
        args.repeats,
        time.process_time,
    )
    lines += ["", f"**SchNet of 4 blocks of 64, {len(graphs)} frames of aspirin: ms a structure**", ""]
    lines += ["| call | ms | times the first one's speed |", "|---|---|---|"]
    return lines + rows_of(seconds, next(iter(seconds)), len(graphs) / 1000)


def growth(args):
    """Time and memory of single crystals of more and more atoms."""
    lines = ["", "**One crystal of copper: processor time and peak memory above what was there**", ""]
    lines += ["| source | atoms | ms | ms an atom | peak, MB |", "|---|---|---|---|---|"]
    source = GNNRegressor("schnet", **SHAPE, **(SHARED | {"max_epochs": 1}))
    source.fit([bulk("Cu") * (2, 2, 2)] * 2, [0.0, 1.0])
    for name, backbone in (("SchNet, 5 Å", source), ("CHGNet", "chgnet")):
        featurizer = GNNFeaturizer(backbone, device="cpu").fit([bulk("Cu")])
        for n in args.cells:
            crystal = bulk("Cu", cubic=True) * (n, n, n)
            featurizer.transform([crystal])
            ctypes.CDLL(None).malloc_trim(0)  # gives back what is free, so that it counts again
            Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to what is in use now
            before, start = high_water(), time.process_time()
            featurizer.transform([crystal])
            seconds, peak = time.process_time() - start, high_water() - before
            atoms = len(crystal)
            lines.append(f"| {name} | {atoms:,} | {1000 * seconds:.0f} | {1000 * seconds / atoms:.2g} | {peak:.0f} |")
    return lines


def high_water():
    """Return the peak of the resident memory in MB, as Linux counts it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


def main():
    """Run the three parts."""
    options = parser(__doc__, "attention_speed.md")
    options.add_argument("--epochs", nargs="+", type=int, default=[10, 100])
    options.add_argument("--rows", type=int, default=50, help="training structures")
    options.add_argument("--structures", type=int, default=200, help="whose features are timed")
    options.add_argument("--cells", nargs="+", type=int, default=[2, 3, 4, 6], help="cubic cells along each edge")
    options.add_argument("--repeats", type=int, default=3)
    args = options.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning, module="pymatgen")
    end = time.monotonic() + 60 * args.minutes
    lines = [
        machine("torch", "torch-geometric", "chgnet", "sktaag") + f"; medians of {args.repeats} interleaved rounds"
    ]
    data = fetch_simple_adsorbates()
    rows = np.flatnonzero(data.frame["adsorbate"] == "CO")[: args.rows]
    X, y = data.data[rows], np.asarray(data.target)[rows]
    for part in (lambda: training(args, X, y), lambda: throughput(args), lambda: growth(args)):
        if time.monotonic() < end:
            lines += part()
    write(args.output, "\n".join(lines))


if __name__ == "__main__":
    main()
