"""How long graphs take: AtomGraphs against ASE's own neighbour list, growth with atoms, the cache, graphs of SMILES.

python benchmarks/graphs.py                   all tables, and benchmarks/results/graphs.md with them
python benchmarks/graphs.py --rounds 3 --output none

Needs no download: crystals of rattled copper, molecules of ASE's G2 set, and those of
`sktaag.datasets.load_melting_points`. Each round times every function once; medians of the rounds are given. One core,
and seconds of the processor, so that busy neighbours weigh little.
"""

import argparse
import io
import os
import time
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: one core is one core

import numpy as np
import vesin
from _timing import interleaved, machine, markdown, ratio
from ase.build import bulk, molecule
from ase.collections import g2
from ase.neighborlist import neighbor_list

from sktaag import datasets
from sktaag.graphs import AtomGraphs, MoleculeGraphs

SIZES = (1, 2, 3, 4, 6, 8)  # copper cells along each edge: 4 to 2,048 atoms
RESULTS = Path(__file__).parent / "results" / "graphs.md"


def crystals(n_cells, count, seed=0):
    """Rattled copies of a cubic copper crystal of 4 n^3 atoms."""
    cell = bulk("Cu", cubic=True).repeat(n_cells)
    copies = [cell.copy() for _ in range(count)]
    for i, copy in enumerate(copies):
        copy.rattle(0.05, seed=seed + i)
    return copies


def with_ase(structures, cutoff):
    for atoms in structures:
        neighbor_list("ijS", atoms, cutoff)


def with_vesin(structures, cutoff):
    neighbors = vesin.NeighborList(cutoff=cutoff, full_list=True)
    for atoms in structures:
        neighbors.compute(atoms.positions, np.array(atoms.cell), atoms.pbc, "ijSd")


def growth(cutoff, rounds):
    """One row for each size of a copper crystal."""
    rows = []
    for n_cells in SIZES:
        structures = crystals(n_cells, count=max(1, 64 // n_cells**3))
        transformer = AtomGraphs(cutoff).fit(structures)
        seconds = interleaved(
            {
                "ours": lambda transformer=transformer, structures=structures: transformer.transform(structures),
                "vesin": lambda structures=structures: with_vesin(structures, cutoff),
                "ase": lambda structures=structures: with_ase(structures, cutoff),
            },
            rounds,
            time.process_time,
        )
        graph = transformer.transform(structures[:1])[0]
        each = float(np.median(seconds["ours"])) / len(structures)
        rows.append(
            [
                graph.num_nodes,
                graph.num_edges,
                1e3 * each,
                1 / each,
                graph.num_nodes / each,
                1e3 * float(np.median(seconds["vesin"])) / len(structures),
                ratio(seconds["ours"], seconds["ase"]),
            ]
        )
    return rows


def inputs(cutoff, rounds, n_smiles):
    """One row for each kind of input."""
    molecules = [molecule(name) for name in g2.names if len(molecule(name)) > 1]
    smiles = np.random.RandomState(0).choice(datasets.load_melting_points().data, n_smiles, replace=False).tolist()
    embedded = smiles[: n_smiles // 10]
    rows = []
    with TemporaryDirectory() as folder:
        kinds = {
            "molecules of the G2 set, positions given": (AtomGraphs(cutoff), molecules),
            "the same out of a full cache": (AtomGraphs(cutoff, cache=folder), molecules),
            "SMILES, bonds alone (MoleculeGraphs)": (MoleculeGraphs(), smiles),
            "the same out of a full cache ": (MoleculeGraphs(cache=folder), smiles),
            "SMILES, one conformer embedded and relaxed": (AtomGraphs(cutoff, on_invalid="nan"), embedded),
        }
        for name, (transformer, X) in kinds.items():
            graphs = transformer.fit_transform(X)  # fills the cache
            seconds = interleaved({"ours": lambda t=transformer, X=X: t.transform(X)}, rounds, time.process_time)[
                "ours"
            ]
            each = float(np.median(seconds)) / len(X)
            n_atoms = float(np.mean([graph.num_nodes for graph in graphs if graph is not None]))
            rows.append([name.strip(), len(X), n_atoms, 1e3 * each, 1 / each, n_atoms / each])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutoff", type=float, default=6.0, help="longest edge in Å")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--smiles", type=int, default=1000, help="how many SMILES; a tenth of them are embedded")
    parser.add_argument("--output", default=str(RESULTS), help='file for the tables, or "none"')
    args = parser.parse_args()
    page = io.StringIO()
    with redirect_stdout(page):
        print(machine("vesin", "ase", "torch-geometric", "rdkit"))
        print(f"\nCutoff {args.cutoff:g} Å, medians of {args.rounds} rounds, seconds of one core, seed 0.")
        columns = [
            "atoms",
            "edges",
            "ms/structure",
            "structures/s",
            "atoms/s",
            "vesin alone, ms",
            "ASE takes, times ours",
        ]
        markdown("Copper crystals, rattled:", columns, growth(args.cutoff, args.rounds))
        columns = ["input", "structures", "atoms each", "ms/structure", "structures/s", "atoms/s"]
        markdown("Kinds of input:", columns, inputs(args.cutoff, args.rounds, args.smiles))
    print(page.getvalue())
    if args.output != "none":
        Path(args.output).write_text(page.getvalue())


if __name__ == "__main__":
    main()
