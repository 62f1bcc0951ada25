"""From forces on surfaces to relaxed energies: GAME-Net's molecules on metals, in the folds that were published.

python benchmarks/across_tasks.py

The target is the energy of the relaxed structure less that of the slab; models see the structure before relaxation.
Folds are the outer ones of the published nested cross-validation, whose predictions by PaiNN, DimeNet++ and GemNet-dT
are judged on the same rows. Most of such an energy is that of the atoms which were added: in each fold a linear model
of the counts of H, C, N, O and S and of the metal is fitted to the training rows, and what it leaves is the target of
every model, so that all have this information. Whether a model can tell the isomers apart is left to it; the additive
model of molecule and metal is told their names.

Sources: CHGNet as its authors trained it on inorganic crystals, frozen, and a SchNet trained on energies and forces of
5,217 frames of OC20, frozen or trained further. All read the molecule and the metal within a radius of it, which costs
a fifth of the whole slab; one row of the table has the whole slab. The learning rate of each network that is trained is
the best of RATES on rows of the last three folds, of which the second table judges none (--folds 2). No other setting
was chosen on these data.
"""

import json
import tarfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _graph_runs import errors_by_rate, parser, rate_table, run
from _md17 import CUTOFFS, train_source
from _timing import machine
from _transfer_protocol import table, write
from adsorption import neighbourhood
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sktaag.datasets import fetch_game_net
from sktaag.datasets._remote import fetch_file
from sktaag.graphs import AtomGraphs
from sktaag.heads import LayerKernelRegressor
from sktaag.sources import load_source
from sktaag.transfer import FineTunedRegressor, GNNFeaturizer, TAAGRegressor

ADDED = {1: "H", 6: "C", 7: "N", 8: "O", 16: "S"}  # elements of the molecules; all others are the metal
RADIUS, N_DEPTHS = 4.0, 5
CHOICE_FOLD = 2  # the first one of those on which learning rates are judged
RATES = (2e-3, 4e-3, 8e-3, 1.6e-2)
TRAINING = {"scheduler": "cosine", "ema": 0.99, "batch_size": 32, "early_stopping": False, "device": "cpu"}
PUBLISHED = {"painn": "PaiNN", "dimenet++": "DimeNet++", "gemnet-dt": "GemNet-dT"}
FOLDERS = {"painn": "painn", "dimenet++": "dpp", "gemnet-dt": "gemnet"}
LINEAR, WHOLE, SCRATCH = "elements and metal, linear", "OC20 SchNet, whole slab", "SchNet from scratch"


def composition(frame):
    """Count the elements of the molecule, and name the metal."""
    counts = [[np.sum(atoms.numbers == z) for z in ADDED] for atoms in frame["atoms"]]
    return np.hstack([counts, pd.get_dummies(frame["metal"]).to_numpy(float)])


def features(kind, source, structures, first, folder, end):
    """States of all depths, summed over each element of the molecule and over the metal; kept in parts.

    Parameters
    ----------
    kind, source : str
        Name for the files, and the source.
    structures : list of ase.Atoms
    first : list of int
        Rows that have all elements.
    folder : pathlib.Path
    end : float
        On the monotonic clock; nothing begins after it.

    Returns
    -------
    X : ndarray of shape (n_samples, 5 * 6 * d) or None
        Depth by depth. None if the time was up.
    """
    featurizer = GNNFeaturizer(source, pooling="sum", by_element=True, device="cpu")
    featurizer.fit(np.fromiter((structures[row] for row in first), object))
    n_elements, parts = len(featurizer.elements_), []
    for start in range(0, len(structures), 100):
        path = folder / f"{kind.replace(', ', '-').replace(' ', '_')}_{start}.npy"
        if not path.exists():
            if time.monotonic() > end:
                return None
            rows = featurizer.transform(np.fromiter(structures[start : start + 100], object))
            rows = rows.reshape(len(rows), N_DEPTHS, n_elements, -1)
            own = [rows[:, :, featurizer.elements_ == z].sum(axis=2) for z in ADDED]
            metal = rows[:, :, ~np.isin(featurizer.elements_, list(ADDED))].sum(axis=2)
            np.save(path, np.stack([*own, metal], axis=2).astype(np.float32))
        parts.append(np.load(path))
    return np.concatenate(parts).reshape(len(structures), -1)


def single_models(frame):
    """Mean absolute error of one published network, mean over the twenty of each kind."""
    with tarfile.open(fetch_file("adsorption/gamenet_fg_predictions")) as archive:
        folder, errors = "lmdb_fg_ensemble_poscar", {}
        ids = pd.read_csv(archive.extractfile(f"{folder}/ds_data.csv"), header=None).sort_values(0)[0].to_numpy()
        y = pd.Series(frame["energy_less_slab"].to_numpy(), index=ids)
        for name, part in FOLDERS.items():
            errors[name] = []
            for k in range(20):
                with np.load(archive.extractfile(f"{folder}/{part}/predictions_{k}.npz")) as raw:
                    errors[name].append(np.abs(raw["energy"] - y[raw["ids"].astype(int)].to_numpy()).mean())
    return {name: float(np.mean(values)) for name, values in errors.items()}


def closed_forms(frame, frozen):
    """Return every model that trains no network: what it reads, and the unfitted model."""
    names = OneHotEncoder().fit_transform(frame[["molecule", "metal"]]).toarray()
    described = composition(frame)
    models = {
        LINEAR: (described, DummyRegressor()),
        "elements and metal, extra trees": (described, ExtraTreesRegressor(200, random_state=0)),
        "molecule and metal by name, additive": (names, RidgeCV(np.logspace(-3, 3, 13))),
    }
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 6, 15)))
    trees = ExtraTreesRegressor(100, max_features=0.1, random_state=0)
    for name, X in frozen.items():
        models[f"{name}, all layers, ridge"] = (X, ridge)
        if name != WHOLE:
            models[f"{name}, last layer, ridge"] = (X[:, -X.shape[1] // N_DEPTHS :], ridge)
            models[f"{name}, all layers, extra trees"] = (np.hstack([X, described]), trees)
    return models


def kernels(frozen):
    """Return models with a kernel for each depth, whose fit costs the third power of the number of rows."""
    return {
        f"{name}, a kernel for each layer": (X, LayerKernelRegressor(N_DEPTHS, kernel="rbf"))
        for name, X in frozen.items()
        if name != WHOLE
    }


def trained(source, graphs, epochs, rates):
    """Return the networks that are trained: what they read, and the unfitted model."""
    shared = TRAINING | {"max_epochs": epochs, "random_state": 0}
    taag = {
        "TAAG, embeddings frozen": {"attention": "taag", "freeze": "embeddings"},
        **{f"frozen, {kind}": {"attention": kind, "freeze": "all"} for kind in ("sum", "mix", "query")},
        "TAAG, frozen": {"attention": "taag", "freeze": "all"},
    }
    models = {
        SCRATCH: FineTunedRegressor(source, strategy="scratch", **shared),
        "OC20 SchNet, fine-tuned": FineTunedRegressor(source, strategy="full", **shared),
        "OC20 SchNet, fine-tuned, 2 blocks frozen": FineTunedRegressor(source, strategy="freeze", n_blocks=2, **shared),
        **{f"OC20 SchNet, {name}": TAAGRegressor(source, **params, **shared) for name, params in taag.items()},
        "CHGNet, frozen, mix": TAAGRegressor("chgnet", attention="mix", freeze="all", **shared),
        "CHGNet, TAAG, frozen": TAAGRegressor("chgnet", attention="taag", freeze="all", **shared),
    }
    return {name: (graphs, model.set_params(lr=rates(name))) for name, model in models.items()}


def choose(source, graphs, frame, y, args, store, end):
    """Judge learning rates on rows of the last three folds, of a single draw; None until all has run."""
    rows = np.random.RandomState(0).permutation(np.flatnonzero(frame["fold"] >= CHOICE_FOLD))
    train, test = rows[: args.rows], rows[args.rows :][: args.rows]
    left = additive_rest(frame, y, train)

    def make_models(rate):
        return trained(source, graphs, args.epochs, lambda name: rate)

    label = f"choice, {args.rows} rows, {args.epochs} epochs"
    return errors_by_rate(label, make_models, RATES, left, [(train, test)], store, end)


def additive_rest(frame, y, train):
    """Take off what a linear model of elements and metal says that was fitted to the training rows."""
    X = composition(frame)
    return y - Ridge(1e-3).fit(X[train], y[train]).predict(X)


def run_folds(label, models, frame, y, store, end, n_folds, size=None):
    """Run all models on the first of the published folds, on some or all training rows; None if none is complete."""
    fold, found = frame["fold"].to_numpy(), []
    for k in range(n_folds):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        train = np.sort(np.random.RandomState(k).permutation(train)[:size])
        left = additive_rest(frame, y, train)
        result = run(label, models, left, [(train, test)], store, end)
        if result is not None:
            published = [published_row(name, frame, y, k, left) for name in PUBLISHED]
            found += [result.assign(fold=k), pd.DataFrame(published)]
    return pd.concat(found, ignore_index=True) if found else None


def published_row(name, frame, y, k, left):
    """Judge a published network as `evaluate` judges a model."""
    test = np.flatnonzero(frame["fold"] == k)
    errors = (frame[name].to_numpy() - y)[test]
    row = {"model": name, "fold": k, "n_test": len(test), "seconds": np.nan}
    return row | {"mae": np.abs(errors).mean(), "r2": 1 - (errors**2).mean() / left[test].var()}


def section(title, results, models, reference):
    """Make a table with the time of a fit, the published networks last."""
    seconds = results.groupby("model")["seconds"].median()
    names = {name: f"{name} ({seconds[name]:.2g} s)" for name in models}
    names |= {name: f"{label}, published, all rows" for name, label in PUBLISHED.items()}
    title = f"**{title}** ({results['fold'].nunique()} of 5 folds)"
    return ["", title, "", table(results, names, reference=reference, unit="eV")]


def main():
    """Run what is missing, print the tables of what is complete."""
    options = parser(__doc__, "across_tasks.md")
    options.add_argument("--parts", nargs="+", default=["all", "few"], choices=["all", "few"], help="training rows")
    options.add_argument("--rows", type=int, default=500, help="of the second part, where networks are trained too")
    options.add_argument("--folds", type=int, default=CHOICE_FOLD, help="of the second part")
    options.add_argument("--kernel-folds", type=int, default=5, help="of LayerKernelRegressor on all rows")
    options.add_argument("--epochs", type=int, default=40, help="of the trained networks")
    options.add_argument("--source-epochs", type=int, default=30, help="of the SchNet on OC20")
    args = options.parse_args()
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * args.minutes
    args.cache.mkdir(parents=True, exist_ok=True)
    store = args.cache / "across_tasks.jsonl"

    data = fetch_game_net("initial", target="energy_less_slab")
    frame, y = data.frame, np.asarray(data.target)
    path = train_source("oc20", args.cache, "cpu", args.source_epochs)
    local = [neighbourhood(atoms, RADIUS, tuple(ADDED)) for atoms in data.data]
    first = [*frame.groupby("metal").head(1).index, *frame.index[frame["metal"] == "gas"]]
    sources = {
        "OC20 SchNet": (str(path), local),
        "CHGNet": ("chgnet", local),
        WHOLE: (str(path), list(data.data)),
    }
    frozen = {name: features(name, *source, first, args.cache, end) for name, source in sources.items()}
    frozen = {name: X for name, X in frozen.items() if X is not None}

    backbone = load_source(path).backbone_.config
    note, single = json.loads(Path(path).with_suffix(".json").read_text()), single_models(frame)
    lines = [
        machine("torch", "torch-geometric", "chgnet", "scikit-learn", "sktaag"),
        "",
        f"{len(y):,} structures, {np.sum(frame['metal'] == 'gas')} of them molecules alone; five published folds. "
        f"Errors in eV; R2 of what the linear model of elements and metal leaves. OC20 SchNet: "
        f"{backbone['n_layers']} blocks of {backbone['n_features']}, {backbone['n_gaussians']} Gaussians, "
        f"cutoff {backbone['cutoff']:g} Å, {note['frames']:,} frames, {note['epochs']} epochs. "
        "Frozen layers: states summed over each element of the molecule and over the metal; the molecule and the metal "
        f"within {RADIUS:g} Å of it, {np.mean([len(atoms) for atoms in local]):.0f} atoms on average. "
        "One published network, trained on three of the four other fifths: "
        + ", ".join(f"{PUBLISHED[name]} {error:.3f}" for name, error in single.items())
        + "; in the tables are the means of four, which together have seen all four fifths.",
    ]
    if "all" in args.parts:
        models = closed_forms(frame, frozen)
        results = run_folds("closed forms", models, frame, y, store, end, 5)
        more = kernels({name: X for name, X in frozen.items() if name == "CHGNet"})
        part = run_folds("closed forms", more, frame, y, store, end, args.kernel_folds)
        if results is not None and part is not None:  # fewer folds, if time was short
            models, results = models | more, pd.concat([results, part[part["model"].isin(list(more))]])
        if results is not None:
            n_train = results["n_train"].mean()
            lines += section(f"All training rows, {n_train:,.0f}: no network is trained", results, models, LINEAR)
    if "few" in args.parts:
        graphs = AtomGraphs(CUTOFFS["chgnet"]).fit_transform(local)  # SchNet leaves out what is beyond its own cutoff
        source = load_source(path)
        errors = choose(source, graphs, frame, y, args, store, end)
        if errors is not None:
            rates = errors.idxmin(axis=1)
            models = closed_forms(frame, frozen) | kernels(frozen)
            models |= trained(source, graphs, args.epochs, rates.get)
            label = f"{args.rows} rows, {args.epochs} epochs, rates {' '.join(f'{rate:g}' for rate in rates)}"
            results = run_folds(label, models, frame, y, store, end, args.folds, args.rows)
        if errors is not None and results is not None:
            title = f"{args.rows:,} of the training rows, {args.epochs} epochs for networks that are trained"
            lines += section(title, results, models, SCRATCH)
            lines += ["", "Mean absolute error in eV by learning rate, on other rows, and the rate taken", ""]
            lines += rate_table(pd.concat({f"{args.rows} rows": errors}, axis=1), rates)
    write(args.output, "\n".join(lines))


if __name__ == "__main__":
    main()
