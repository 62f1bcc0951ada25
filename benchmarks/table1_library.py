"""A small library over every source property at hand, four learners each (table 1 of the XenonPy.MDL paper).

OMP_NUM_THREADS=1 python benchmarks/table1_library.py --library ~/sktaag-table1 \
    --output benchmarks/results/table1_library.md

Random forest, gradient boosting, elastic net and a pyramid network learn each property from the same rows, and all four
go to a `ModelLibrary` with their scores on the same held-out fifth. Only networks can be frozen; any of them predicts.
What is in the library already is not trained again, so that a broken run goes on.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from _timing import machine
from _transfer_tasks import SOURCES
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sktaag import datasets
from sktaag.descriptors import CompositionDescriptors, Fingerprints, RareBitFilter
from sktaag.sources import ModelLibrary, PyramidRegressor
from sktaag.structures import InvalidStructureError, MoleculeReader

LEARNERS = ("random forest", "gradient boosting", "elastic net", "network")
INORGANIC = {
    **{
        f"{name.replace('_', ' ')}, AFLOW": (lambda name=name: datasets.fetch_aflow_composition(name))
        for name in ("bulk_modulus", "debye_temperature", "thermal_conductivity", "thermal_expansion")
    },
    "refractive index, crystals": lambda: datasets.fetch_dielectric_constants(),
    **{
        f"{label}, Matbench": (lambda task=task: datasets.fetch_matbench_composition(task))
        for task, label in {
            "expt_gap": "band gap, measured",
            "jdft2d": "exfoliation energy",
            "log10_G_VRH": "shear modulus, log10",
            "log10_K_VRH": "bulk modulus, log10",
            "phonons": "phonon peak",
        }.items()
    },
}


def learner(name, seed):
    """Return the unfitted end of a chain; targets of the linear model are standardised, as inside the network."""
    if name == "random forest":
        return RandomForestRegressor(40, max_features=0.3, random_state=seed)
    if name == "gradient boosting":
        return GradientBoostingRegressor(n_estimators=100, max_features=0.3, subsample=0.7, random_state=seed)
    if name == "elastic net":
        return TransformedTargetRegressor(ElasticNet(0.01, max_iter=2000), transformer=StandardScaler())
    return PyramidRegressor(
        (150, 80, 40), dropout=0.1, lr=0.002, batch_size=64, max_epochs=60, patience=10, random_state=seed
    )


def inorganic_rows(load):
    """Formulas, the first target, its unit; conductivities by their logarithm."""
    bunch = load()
    y = np.asarray(bunch.target, dtype=float).reshape(len(bunch.data), -1)[:, 0]
    name, unit = bunch.target_names[0], bunch.target_units[0]
    X, kept = np.asarray(bunch.data, dtype=object), np.isfinite(y)
    if name in ("thermal_conductivity", "debye_temperature", "thermal_expansion", "bulk_modulus"):
        kept &= y > 0
        return X[kept], np.log10(y[kept]), f"log10({unit})"
    return X[kept], y[kept], unit


def readable(X):
    """Which structures are molecules or repeat units whose two ends can be joined."""
    read = MoleculeReader(polymer="cyclic").read_all(X)
    return np.array([not isinstance(mol, InvalidStructureError) for mol in read], dtype=bool)


def draw(X, y, max_rows, seed, check=None):
    """Take rows at random that can be read; more are drawn than wanted, since few cannot."""
    order = np.random.RandomState(seed).permutation(len(X))[: int(1.05 * max_rows)]
    order = order[check(X[order])] if check else order
    return X[order[:max_rows]], y[order[:max_rows]]


def train(library, name, material, X, y, unit, descriptor, args):
    """Train the four learners of one property and keep them."""
    order = np.random.RandomState(args.seed).permutation(len(X))
    test, rows = order[: len(X) // 5], order[len(X) // 5 :]
    for method in LEARNERS:
        start = time.perf_counter()
        source = make_pipeline(*descriptor(), learner(method, args.seed)).fit(X[rows], y[rows])
        predicted = source.predict(X[test])
        metrics = {
            "r2": float(r2_score(y[test], predicted)),
            "mae": float(mean_absolute_error(y[test], predicted)),
            "pearson": float(np.corrcoef(y[test], predicted)[0, 1]) if np.ptp(predicted) > 0 else 0.0,
        }
        library.add(
            source,
            property=name,
            material=material,
            name=method,
            unit=unit,
            metrics=metrics,
            split=f"a fifth at random, seed {args.seed}",
            data=(X[rows], y[rows]),
            wall_time=time.perf_counter() - start,
        )
    print(f"{name}: {len(rows)} rows, R {metrics['pearson']:.2f} (network)", file=sys.stderr, flush=True)


def run(args):
    """Train what the library does not have."""
    library = ModelLibrary(args.library)
    found = library.search()
    kept = found.groupby("property")["name"].agg(set).to_dict() if len(found) else {}
    done = {
        name for name, methods in kept.items() if methods == set(LEARNERS)
    }  # a run may have been stopped in between
    cache = args.library / "rows"

    def fingerprints():
        counts = Fingerprints("morgan", counts=True, polymer="cyclic", sparse=True, cache=cache)
        return counts, RareBitFilter(0.01), MaxAbsScaler()

    def compositions():
        return CompositionDescriptors(cache=cache), StandardScaler()

    for name, load in INORGANIC.items():
        if name in args.properties and name not in done:
            X, y, unit = inorganic_rows(load)
            train(library, name, "inorganic", *draw(X, y, args.max_rows, args.seed), unit, compositions, args)
    for name, table in SOURCES.items():
        if name in args.properties and name not in done:
            X, y, unit = table.rows()
            X, y = draw(X, y, args.max_rows, args.seed, readable)
            train(library, name, table.material, X, y, unit, fingerprints, args)
    return library


def to_markdown(library, args):
    found = library.search()
    names = [name for name in (*INORGANIC, *SOURCES) if name in set(found["property"])]
    out = [
        f"Pearson correlation on a held-out fifth, at most {args.max_rows} rows of each property (a fifth of them held "
        f"out). {len(names)} properties, {len(names) * len(LEARNERS)} models in one `ModelLibrary`.",
        "",
        f"| property | material | rows | {' | '.join(LEARNERS)} |",
        "|---" * (3 + len(LEARNERS)) + "|",
    ]
    table = {(row.property, row.name): row.id for row in found.itertuples(index=False)}
    best = dict.fromkeys(LEARNERS, 0)
    values = {method: [] for method in LEARNERS}
    for name in names:
        cards = {method: library.card(table[name, method]) for method in LEARNERS}
        scores = {method: card["metrics"]["pearson"] for method, card in cards.items()}
        best[max(scores, key=scores.get)] += 1
        for method, value in scores.items():
            values[method].append(value)
        card = cards["network"]
        cells = " | ".join(f"{value:.2f}" for value in scores.values())
        out.append(f"| {name} | {card['material']} | {card['training_data']['n_rows']:,} | {cells} |")
    out.append(f"| median | | | {' | '.join(f'{np.median(values[method]):.2f}' for method in LEARNERS)} |")
    out.append(f"| best of the four | | | {' | '.join(str(best[method]) for method in LEARNERS)} |")
    out += [
        "",
        f"Seed {args.seed}, {found['wall_time'].sum() / 60:.0f} minutes of training, "
        f"{machine('scikit-learn', 'sktaag', 'torch')}.",
        "",
    ]
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*INORGANIC, *SOURCES]
    parser.add_argument(
        "--properties", nargs="*", default=every, metavar="NAME", help="all by default; none: table only"
    )
    parser.add_argument("--max-rows", type=int, default=1000, help="rows of each property, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--library", type=Path, required=True, help="folder of the library")
    parser.add_argument("--output", type=Path, help="Markdown file")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="Objective did not converge")
    library = run(args)
    text = to_markdown(library, args)
    print(text)
    if args.output:
        args.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
