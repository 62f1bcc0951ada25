"""Where transfer helps and where it does not: every pair of offline source and target, nothing left out.

OMP_NUM_THREADS=1 python benchmarks/transfer_pairs.py --output benchmarks/results/transfer_pairs.md

A pyramid network learns each source property without the molecules of the target, stereoisomers included. Its last
hidden layer then describes the molecules of the target: 40 drawn at random train a head, others test it, 15 times.
Beside each source alone stand all of them side by side. Descriptor and networks are those of the quickstart; the
settings of the heads are fixed, and no pair, head or setting was chosen by the errors shown here.
"""

import argparse
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy.stats import t as student_t
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag import datasets
from sktaag.descriptors import Fingerprints
from sktaag.sources import PyramidRegressor
from sktaag.structures import canonical_smiles
from sktaag.transfer import FrozenFeaturizer

SOURCES = {
    "boiling points": datasets.load_boiling_points,
    "melting points": datasets.load_melting_points,
    "critical temperatures": datasets.load_critical_temperatures,
    "refractive indices": datasets.load_refractive_indices,
    "heats of vaporization": datasets.load_heats_of_vaporization,
    "permittivities": datasets.load_permittivities,
}
TARGETS = {
    "surface tension": datasets.load_surface_tensions,
    "heat of vaporization": datasets.load_heats_of_vaporization,
    "liquid viscosity, logarithm": datasets.load_liquid_viscosities,
    "liquid thermal conductivity": datasets.load_liquid_thermal_conductivity,
    "liquid heat capacity, mass": lambda: datasets.load_liquid_heat_capacities(basis="mass"),
    "liquid heat capacity, molar": lambda: datasets.load_liquid_heat_capacities(basis="molar"),
    "permittivity": datasets.load_permittivities,
    "refractive index": datasets.load_refractive_indices,
    "critical temperature": datasets.load_critical_temperatures,
}
TOGETHER = "all of these, side by side"
LIBRARIES = ("chemicals", "numpy", "rdkit", "scikit-learn", "skorch", "sktaag", "torch")


def heads(seed):
    ridge = RidgeCV(alphas=np.logspace(-1, 5, 13))  # the penalty by leave-one-out on the training rows
    return {
        "forest": RandomForestRegressor(n_estimators=100, random_state=seed),
        "ridge": make_pipeline(StandardScaler(), ridge),
    }


def errors(features, y, draws, seed):
    """Mean absolute error of each head in each draw, on the same training and test rows for all features."""
    found = {name: [] for name in heads(seed)}
    for train, test in draws:
        for name, head in heads(seed).items():
            predicted = head.fit(features[train], y[train]).predict(features[test])
            found[name].append(mean_absolute_error(y[test], predicted))
    return found


def compare(errors, reference):
    """Error relative to a reference: median over the draws, 95% interval from the mean of the paired log ratios."""
    logs = np.log(np.divide(errors, reference))
    half = student_t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    return {
        "median": float(np.exp(np.median(logs))),
        "low": float(np.exp(logs.mean() - half)),
        "high": float(np.exp(logs.mean() + half)),
    }


def fit_sources(descriptor, target, target_names, args):
    """Train one network for each property that is not the target's own, without the molecules of the target."""
    sources, facts = {}, {}
    for name, load in SOURCES.items():
        data = load()
        if data.target_names == target.target_names:
            continue
        kept = ~np.isin(canonical_smiles(data.data, stereo=False), target_names)
        network = PyramidRegressor(criterion="huber", max_epochs=args.max_epochs, patience=8, random_state=args.seed)
        start = time.perf_counter()
        sources[name] = make_pipeline(descriptor, network).fit(data.data[kept], data.target[kept])
        facts[name] = {
            "molecules": int(kept.sum()),
            "left_out": int((~kept).sum()),
            "validation_r2": float(network.validation_score_),
            "seconds": round(time.perf_counter() - start, 1),
        }
    return sources, facts


def run_target(name, load, folder, args):
    """Errors of the heads on the descriptors, then on the hidden layer of each source and of all together."""
    data = load()
    rng = np.random.RandomState(args.seed)
    orders = [rng.permutation(len(data.data)) for _ in range(args.draws)]
    draws = [(order[: args.train], order[args.train : args.train + args.test]) for order in orders]
    descriptor = Fingerprints(["morgan", "atom_pair", "torsion"], counts=True, size=1024, sparse=True, cache=folder)

    direct = errors(descriptor.fit_transform(data.data).toarray(), data.target, draws, args.seed)
    means = [np.abs(data.target[test] - data.target[train].mean()).mean() for train, test in draws]
    result = {
        "unit": data.target_units[0],
        "molecules": len(data.data),
        "test_molecules": len(draws[0][1]),
        "mae_direct_forest": float(np.median(direct["forest"])),
        "mean_predictor": compare(means, direct["forest"]),
        "direct_ridge": compare(direct["ridge"], direct["forest"]),
        "errors": {"mean predictor": means, "direct": direct},
        "pairs": {},
    }
    sources, facts = fit_sources(descriptor, data, canonical_smiles(data.data, stereo=False), args)
    for source_name, source in {**sources, TOGETHER: sources}.items():
        # the featurizer learns nothing and sees each row alone: one transform serves all draws
        features = FrozenFeaturizer(source, layers=1, cache=folder).fit_transform(data.data)
        found = errors(features, data.target, draws, args.seed)
        pair = {head: compare(found[head], direct["forest"]) for head in found}
        result["pairs"][source_name] = facts.get(source_name, {}) | pair
        result["errors"][source_name] = found
        note = f"forest {cell(pair['forest'])}, ridge {cell(pair['ridge'])}"
        print(f"{source_name} -> {name}: {facts.get(source_name, '')} {note}", file=sys.stderr, flush=True)
    return result


def cell(ratio):
    """Write median and interval; bold where transfer helps, italic where it hurts, beyond the interval."""
    text = f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
    return f"**{text}**" if ratio["high"] < 1 else f"*{text}*" if ratio["low"] > 1 else text


def count(results):
    """How often transfer helped, hurt, or neither."""
    lines = []
    for head in heads(0):
        ratios = [pair[head] for result in results.values() for pair in result["pairs"].values()]
        better = sum(ratio["high"] < 1 for ratio in ratios)
        worse = sum(ratio["low"] > 1 for ratio in ratios)
        lines.append(
            f"- transferred {head}: better than the direct forest in {better} of {len(ratios)} rows, worse in {worse}, "
            f"no certain difference in {len(ratios) - better - worse}"
        )
    return lines


def to_markdown(report):
    s, results = report["settings"], report["targets"]
    lines = [
        f"Mean absolute error relative to a random forest on the descriptors of the same {s['train']} molecules: the "
        f"median over {s['draws']} draws and, in brackets, the 95% interval of the mean of the logarithm of the paired "
        "ratios. Below 1 transfer is better. **Bold**: the interval is below 1; *italic*: it is above 1.",
        "",
        f"Seed {s['seed']}, at most {s['max_epochs']} epochs for each source, {report['minutes']:.0f} minutes on "
        f"{report['machine']}, {', '.join(f'{name} {number}' for name, number in report['versions'].items())}.",
        "",
        "| target | unit | molecules | tested in each draw | direct forest, MAE | mean predictor | direct ridge |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {r['unit']} | {r['molecules']:,} | {r['test_molecules']} | {r['mae_direct_forest']:.3g} | "
        f"{r['mean_predictor']['median']:.2f} | {cell(r['direct_ridge'])} |"
        for name, r in results.items()
    ]
    lines += [
        "",
        "| target | source | source molecules | source validation R2 | transferred forest | transferred ridge |",
        "|---|---|---|---|---|---|",
    ]
    for name, r in results.items():
        for source, p in r["pairs"].items():
            facts = f"{p['molecules']:,} | {p['validation_r2']:.2f}" if "molecules" in p else " | "
            lines.append(f"| {name} | {source} | {facts} | {cell(p['forest'])} | {cell(p['ridge'])} |")
    return "\n".join([*lines, "", *count(results), ""])


def machine():
    """Processor, threads and interpreter."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = next(iter(names), processor)
    threads = torch.get_num_threads()
    return (
        f"{processor}, {threads} thread{'s' * (threads > 1)}, {platform.system()}, Python {platform.python_version()}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--train", type=int, default=40, help="training molecules of the target")
    parser.add_argument("--test", type=int, default=500, help="test molecules of the target, at most")
    parser.add_argument("--draws", type=int, default=15)
    parser.add_argument("--max-epochs", type=int, default=60, help="epochs of each source network, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="Markdown file; the errors of every draw go beside it as JSON")
    args = parser.parse_args()
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        results = {name: run_target(name, TARGETS[name], folder, args) for name in args.targets}
    report = {
        "machine": machine(),
        "versions": {name: version(name) for name in LIBRARIES},
        "settings": {name: getattr(args, name) for name in ("train", "test", "draws", "max_epochs", "seed")},
        "minutes": round((time.perf_counter() - start) / 60, 1),
        "targets": results,
    }
    print(to_markdown(report))
    if args.output:
        args.output.write_text(to_markdown(report), encoding="utf-8")
        args.output.with_suffix(".json").write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
