"""How many molecules a grid search reads: plain Pipeline, Pipeline(memory=...), and a cache on the featurizer.

python benchmarks/grid_search_cache.py             5-fold search over 4 settings with refit on ESOL
python benchmarks/grid_search_cache.py --n 100     the same, in a hurry

A Pipeline with memory keeps the training folds of each setting of the steps before the head, and no test fold. A cache
on the featurizer keeps molecules, whatever fold they are in. Reads are counted, at the one function that turns a SMILES
into a molecule; all caches begin empty.
"""

import argparse
import os
import time
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: one core is one core

import numpy as np
from _timing import machine, markdown, write_json
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.datasets import fetch_esol, load_boiling_points
from sktaag.descriptors import Fingerprints
from sktaag.sources import PyramidRegressor
from sktaag.structures import _reader
from sktaag.transfer import FrozenFeaturizer

KINDS = ["morgan", "atom_pair", "torsion"]


def count_reads():
    """Return a list that grows with every structure that is read, by the one function through which all of them go."""
    read, to_mol = [], _reader.to_mol

    def remember(structure):
        read.append(structure)
        return to_mol(structure)

    _reader.to_mol = remember
    return read


def make_searches(folds):
    smiles, y = load_boiling_points(return_X_y=True)
    rows = np.random.RandomState(0).permutation(len(y))[:1000]
    network = PyramidRegressor(hidden=(128, 64, 32, 16), max_epochs=20, random_state=0)
    source = make_pipeline(Fingerprints(KINDS, counts=True, size=1024), StandardScaler(), network)
    source.fit(smiles[rows], y[rows])

    def search(featurizer, grid):
        def make(cache, memory):
            model = make_pipeline(featurizer(cache), StandardScaler(), Ridge(), memory=memory)
            return GridSearchCV(model, grid, cv=folds, error_score="raise")

        return make

    alphas = {"ridge__alpha": [1.0, 10.0, 100.0, 1000.0]}
    return {
        "Fingerprints, 4 heads": search(lambda cache: Fingerprints(KINDS, counts=True, size=1024, cache=cache), alphas),
        "FrozenFeaturizer, 4 heads": search(lambda cache: FrozenFeaturizer(source, "all", cache=cache), alphas),
        "FrozenFeaturizer, 4 choices of layers": search(
            lambda cache: FrozenFeaturizer(source, cache=cache), {"frozenfeaturizer__layers": [1, 2, 3, "all"]}
        ),
    }


def run(make, way, X, y, reads):
    with TemporaryDirectory() as folder:
        found = make(folder if "cache=" in way else None, folder if "memory=" in way else None)
        reads.clear()
        start = time.perf_counter()
        found.fit(X, y)
        return len(reads), time.perf_counter() - start, found.cv_results_["mean_test_score"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, help="molecules, all of ESOL if not given")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="file for the figures")
    args = parser.parse_args()

    X, y = fetch_esol(return_X_y=True)
    X, y = X[: args.n], y[: args.n]
    assert len(set(X)) == len(X)
    searches = make_searches(KFold(5, shuffle=True, random_state=0))
    reads, ways = count_reads(), ("plain Pipeline", "Pipeline(memory=folder)", "featurizer with cache=folder")
    results = {(name, way): [] for name in searches for way in ways}
    for _ in range(args.repeats):
        for name, way in results:  # interleaved: a busy neighbour slows all of them
            results[name, way].append(run(searches[name], way, X, y, reads))
    rows = []
    for (name, way), repeats in results.items():
        counts, seconds, scores = zip(*repeats, strict=True)
        assert len(set(counts)) == 1
        np.testing.assert_allclose(scores, np.broadcast_to(results[name, ways[0]][0][2], np.shape(scores)), rtol=1e-3)
        rows.append((name, way, counts[0], f"{counts[0] / len(X):.4g} N", float(np.median(seconds))))
    where = machine("scikit-learn", "joblib", "rdkit", "torch")
    print(where)
    markdown(
        f"5 folds, 4 settings, refit; N = {len(X):,} molecules; medians of {args.repeats} interleaved runs",
        ("search", "way", "molecules read", "", "s"),
        rows,
    )
    write_json(args.json, {"machine": where, "arguments": vars(args), "rows": rows})


if __name__ == "__main__":
    main()
