"""How long fingerprints take and how much memory: a bare RDKit loop, Fingerprints, XenonPy, scikit-fingerprints.

python benchmarks/fingerprints.py            SMILES in, matrix out; several kinds at once; peak memory
python benchmarks/fingerprints.py --molecules measured    the same without a download

The molecules are a random sample, either of the Clean Energy Project's fused rings (`sktaag.datasets.fetch_cep`, which
downloads them or takes them from the folder SKTAAG_DATA) or of the smaller ones with a measured property, which need no
download (--molecules measured): what does not grow with the molecule weighs more there.

Every function starts at SMILES and ends at a matrix. Pools of processes are warm: they have worked before the clock
starts. Speeds are compared within each round, then the median is taken.
"""

import argparse
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: one core is one core

import joblib
import numpy as np
from _timing import interleaved, machine, markdown, ratio, write_json
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.rdBase import BlockLogs

from sktaag import datasets
from sktaag.descriptors import Fingerprints

SIZE, RADIUS = 2048, 2
THREE = ["morgan", "atom_pair", "torsion"]


def bare_loop(smiles, dtype="uint8"):
    """Compute what one writes by hand."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=SIZE)
    return np.array([generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(s)) for s in smiles], dtype=dtype)


def bare_loop_and_drop(smiles):
    bare_loop(smiles)


def parse(smiles):
    for s in smiles:
        Chem.MolFromSmiles(s)


def ours(smiles, **params):
    return Fingerprints(**{"kinds": "morgan", "size": SIZE, "radius": RADIUS} | params).fit_transform(smiles)


def xenonpy(smiles):
    from xenonpy.descriptor import Fingerprints as XenonPyFingerprints

    with BlockLogs():  # it writes a line for each molecule on stderr, which costs it even more
        describe = XenonPyFingerprints(1, featurizers=["ECFP"], radius=RADIUS, n_bits=SIZE, input_type="smiles")
        return describe.transform(smiles)


def scikit_fingerprints(smiles, n_jobs):
    from skfp.fingerprints import ECFPFingerprint

    return ECFPFingerprint(fp_size=SIZE, radius=RADIUS, n_jobs=n_jobs).transform(smiles)


def available(run):
    try:
        run()
    except ImportError as error:
        return f"not installed ({error})"
    return None


def compare_speed(smiles, args):
    few = smiles[: args.xenonpy_n]
    halves = [smiles[: len(smiles) // 2], smiles[len(smiles) // 2 :]]
    pool = joblib.Parallel(n_jobs=2)
    runs = {
        "bare RDKit loop, uint8": lambda: bare_loop(smiles),
        "bare RDKit loop, float32": lambda: bare_loop(smiles, "float32"),
        "Fingerprints, uint8": lambda: ours(smiles, dtype="uint8"),
        "Fingerprints, float32 (default)": lambda: ours(smiles),
        "Fingerprints, float32 in CSR": lambda: ours(smiles, sparse=True),
        "two processes: bare loops whose rows stay there": lambda: pool(
            joblib.delayed(bare_loop_and_drop)(half) for half in halves
        ),
        "two processes: Fingerprints, uint8": lambda: ours(smiles, dtype="uint8", n_jobs=2),
        "two processes: Fingerprints, float32": lambda: ours(smiles, n_jobs=2),
        "two processes: Fingerprints, float32 in CSR": lambda: ours(smiles, n_jobs=2, sparse=True),
    }
    sizes = dict.fromkeys(runs, len(smiles))
    others = {
        "XenonPy Fingerprints(featurizers=['ECFP'])": (lambda: xenonpy(few), len(few), lambda: xenonpy(few[:2])),
        "scikit-fingerprints ECFP": (
            lambda: scikit_fingerprints(smiles, 1),
            len(smiles),
            lambda: scikit_fingerprints(few[:2], 1),
        ),
        "two processes: scikit-fingerprints ECFP": (
            lambda: scikit_fingerprints(smiles, 2),
            len(smiles),
            lambda: scikit_fingerprints(few[:2], 2),
        ),
    }
    missing = {}
    for name, (run, size, probe) in others.items():
        reason = available(probe)
        if reason:
            missing[name] = reason
        else:
            runs[name], sizes[name] = run, size
    assert np.array_equal(bare_loop(few), ours(few, dtype="uint8", n_jobs=2))
    for name in runs:  # once, so that processes, code and memory are warm
        runs[name]()
    seconds = interleaved(runs, args.repeats)
    each = {name: np.array(seconds[name]) / sizes[name] for name in runs}
    bare = each["bare RDKit loop, uint8"]
    rows = [
        (name, sizes[name], float(np.median(seconds[name])), 1e6 * float(np.median(t)), ratio(t, bare))
        for name, t in each.items()
    ]
    markdown(
        f"{SIZE}-bit Morgan, radius {RADIUS}, {args.molecules} molecules, medians of {args.repeats} interleaved rounds",
        ("SMILES in, matrix out", "molecules", "s", "us a molecule", "times the first one's speed"),
        rows + [(name, reason, "", "", "") for name, reason in missing.items()],
    )
    compared = {}
    for name, other in [
        ("Fingerprints, uint8", "bare RDKit loop, uint8"),
        ("Fingerprints, float32 (default)", "bare RDKit loop, float32"),
        ("Fingerprints, float32 in CSR", "bare RDKit loop, float32"),
        ("two processes: Fingerprints, uint8", "Fingerprints, uint8"),
        ("two processes: Fingerprints, float32", "Fingerprints, float32 (default)"),
        ("two processes: Fingerprints, float32 in CSR", "Fingerprints, float32 in CSR"),
        *(("Fingerprints, float32 (default)", name) for name in others if name in runs),
    ]:
        compared[f"{name} / {other}"] = ratio(each[name], each[other])
    markdown("The same by pairs", ("speed of", "times"), list(compared.items()))
    return {"rows": rows, "missing": missing, "pairs": compared, "seconds": seconds}


def compare_kinds(smiles, args):
    runs = {"parsing alone": lambda: parse(smiles)}
    for kind in THREE:
        runs[kind] = lambda kind=kind: ours(smiles, kinds=kind, dtype="uint8")
    runs["all three, one transformer"] = lambda: ours(smiles, kinds=THREE, dtype="uint8")
    seconds = {name: np.array(s) for name, s in interleaved(runs, args.repeats).items()}
    separate = sum(seconds[kind] for kind in THREE)
    seconds["all three, three transformers"] = separate
    seconds["the latter less two parses"] = separate - 2 * seconds["parsing alone"]
    together = seconds["all three, one transformer"]
    rows = [(name, float(np.median(s)), ratio(together, s)) for name, s in seconds.items()]
    markdown(
        f"Three kinds at once, {len(smiles):,} molecules, uint8, one core",
        ("kinds", "s", "times the time of the three in one"),
        rows,
    )
    return {"rows": rows}


def compare_memory(smiles):
    peaks = {}
    for sparse in (False, True):
        for tool in ("resident", "tracemalloc"):
            command = [sys.executable, __file__, "--peak", tool, *(["--sparse"] if sparse else [])]
            answer = subprocess.run(command, input=json.dumps(smiles), capture_output=True, text=True, check=True)
            peaks[sparse, tool] = json.loads(answer.stdout)
    rows = [
        [name, *(peaks[s, "resident"][k] / 1e6 for k in ("matrix", "peak")), peaks[s, "tracemalloc"]["peak"] / 1e6]
        for name, s in (("dense", False), ("CSR", True))
    ]
    rows.append(["dense / CSR", *(dense / csr for dense, csr in zip(rows[0][1:], rows[1][1:], strict=True))])
    markdown(
        f"Memory of {SIZE}-bit Morgan, {len(smiles):,} molecules, float32, one core, each in a process of its own",
        ("output", "the matrix, MB", "peak resident above start, MB", "peak by tracemalloc, MB"),
        rows,
    )
    print("\nThe start is after imports and one batch. Resident is what Linux counts (VmHWM, set back at the start);")
    print("tracemalloc counts what Python and numpy ask for, without RDKit and without memory that was left free.")
    return {"rows": rows}


def measure_peak(tool, sparse):
    smiles = json.load(sys.stdin)
    ours(smiles[:512], sparse=sparse)
    if tool == "tracemalloc":
        tracemalloc.start()
        rows = ours(smiles, sparse=sparse)
        peak = tracemalloc.get_traced_memory()[1]
    else:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to what is in use now
        start = high_water()
        rows = ours(smiles, sparse=sparse)
        peak = high_water() - start
    matrix = rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes if sparse else rows.nbytes
    print(json.dumps({"peak": peak, "matrix": matrix}))


def high_water():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def make_smiles(args):
    if args.molecules == "cep":
        data = datasets.fetch_cep().data.tolist()
    else:
        loaders = [getattr(datasets, name) for name in datasets.__all__ if name.startswith("load_")]
        data = sorted({smiles for load in loaders for smiles in load().data.tolist()})
    return [data[i] for i in np.random.RandomState(0).permutation(len(data))[: args.n]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20_000, help="number of molecules, at most")
    parser.add_argument("--molecules", choices=["cep", "measured"], default="cep")
    parser.add_argument("--xenonpy-n", type=int, default=2000, help="molecules for XenonPy, which is slow")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument(
        "--peak", choices=["resident", "tracemalloc"], help=argparse.SUPPRESS
    )  # in a process of its own
    parser.add_argument("--sparse", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        measure_peak(args.peak, args.sparse)
        return
    smiles = make_smiles(args)
    where = machine("rdkit", "numpy", "scipy", "scikit-learn", "joblib", "xenonpy")
    print(where)
    tables = {
        "speed": compare_speed(smiles, args),
        "kinds": compare_kinds(smiles, args),
        "memory": compare_memory(smiles),
    }
    write_json(args.json, {"machine": where, "arguments": vars(args), **tables})


if __name__ == "__main__":
    main()
