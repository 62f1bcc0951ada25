"""Small sets of crystals: frozen layers of CHGNet against descriptors of the composition and published models.

python benchmarks/crystals.py

Highest phonon frequency (Matbench's task, its five folds) and refractive index (Petousis et al., five folds by
formula). CHGNet was trained by others on energies, forces, stresses and magnetic moments of the Materials Project: it
may have seen these crystals, but neither of these properties. Layers are frozen and pooled over the atoms; only heads
are fitted.
"""

import time

import numpy as np
import torch
from _graph_runs import parser, run
from _timing import machine
from _transfer_protocol import table, write
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.datasets import fetch_dielectric_crystals, fetch_matbench_phonons
from sktaag.descriptors import CompositionDescriptors
from sktaag.heads import LayerKernelRegressor
from sktaag.transfer import GNNFeaturizer

POOLS = ("mean", "std", "max")
KERNELS = "CHGNet, a kernel for each layer"
SETS = ("phonons", "dielectric")
PUBLISHED = {  # mean absolute errors of Matbench v0.1 on the same folds
    "phonons": {
        "mean of the training rows": 323.98,
        "random forest on Magpie and structure": 67.61,
        "CrabNet (composition)": 55.11,
        "CGCNN": 57.76,
        "SchNet": 38.96,
        "DimeNet++": 37.46,
        "MODNet 0.1.12": 34.28,
        "ALIGNN": 29.54,
        "MEGNet": 28.76,
    }
}


def load(name):
    """Return crystals, target, its unit and the folds."""
    if name == "phonons":
        data = fetch_matbench_phonons()
        X, y = data.data, np.asarray(data.target)
        folds = KFold(5, shuffle=True, random_state=18012019).split(y)  # those of Matbench
    else:
        data = fetch_dielectric_crystals(target="refractive_index")
        X, y = data.data, np.asarray(data.target)
        folds = GroupKFold(5, shuffle=True, random_state=0).split(y, groups=data.frame["formula"])
    unit = data.target_units[0]
    return X, y, "" if unit == "1" else unit, list(folds)


def features(name, X, folder):
    """Compute frozen layers of CHGNet once and keep them."""
    path = folder / f"chgnet_{name}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, GNNFeaturizer("chgnet", pooling=POOLS, device="cpu").fit_transform(X))
    return np.load(path)


def make_models(X, frozen, n_depths, seed):
    """Return every model: what it reads, and the unfitted estimator."""
    composition = CompositionDescriptors().fit_transform([atoms.get_chemical_formula() for atoms in X])
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 6, 17)))
    trees = ExtraTreesRegressor(200, max_features=1 / 3, random_state=seed)
    last = frozen[:, -frozen.shape[1] // n_depths :]
    return {
        "mean": (composition, DummyRegressor()),
        "composition, forest": (composition, RandomForestRegressor(200, max_features=1 / 3, random_state=seed)),
        "composition, extra trees": (composition, trees),
        "CHGNet, last layer, ridge": (last, ridge),
        "CHGNet, all layers, ridge": (frozen, ridge),
        "CHGNet, all layers, extra trees": (frozen, trees),
        "CHGNet and composition, extra trees": (np.hstack([frozen, composition]), trees),
        KERNELS: (frozen, LayerKernelRegressor(n_depths, kernel="rbf")),
    }


def main():
    """Run what is missing, print the tables of what is complete."""
    options = parser(__doc__, "crystals.md")
    options.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    options.add_argument("--kernels", action="store_true", help="LayerKernelRegressor too: minutes for each fit")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes
    lines = [machine("torch", "chgnet", "scikit-learn", "sktaag"), "", f"Layers pooled by {', '.join(POOLS)}."]
    for name in args.sets:
        X, y, unit, folds = load(name)
        start, n_depths = time.perf_counter(), 5
        frozen = features(name, X, args.cache)
        print(f"features of {name}: {time.perf_counter() - start:.0f} s")
        models = make_models(X, frozen, n_depths, args.seed)
        if not args.kernels:
            del models[KERNELS]
        results = run(name, models, y, folds, args.cache / "crystals.jsonl", end)
        if results is None:
            continue
        title = f"**{name}, {len(y):,} crystals** ({results['fold'].nunique()} folds)"
        lines += ["", title, "", table(results, {m: m for m in models}, reference="composition, forest", unit=unit)]
        published = PUBLISHED.get(name, {})
        if published:
            title = f"Published, same folds{f', {unit}' if unit else ''}"
            lines += ["", title, "", "| model | mean absolute error |", "|---|---|"]
            lines += [f"| {model} | {error:.3g} |" for model, error in published.items()]
        times = results.groupby("model")["seconds"].median()
        lines += ["", "Median time of a fit, s: " + ", ".join(f"{m} {times[m]:.2g}" for m in models)]
        if args.kernels:
            weights = np.round(models[KERNELS][1].fit(frozen, y).layer_weights_, 2).tolist()
            lines += ["", f"Weights of the kernels on all rows, embedding, then each block: {weights}"]
    write(args.output, "\n".join(lines))


if __name__ == "__main__":
    main()
