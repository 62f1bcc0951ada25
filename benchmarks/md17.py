"""Molecules in motion from tens of frames: every way of transfer on the same frames of rMD17.

Sources: a SchNet trained on frames of OC20 (adsorbates on metals: another domain) or on five other molecules of rMD17
(the same domain), or CHGNet as its authors trained it on inorganic crystals (another domain). Targets: energies and
forces of the official split 01. All methods of a table have the same architecture, frames, epochs and optimizer; its
settings were chosen for training from scratch, on training frames of malonaldehyde. The "gentle" forms have a quarter
of the learning rate in what comes from the source. Training from scratch takes no weight of a source: it runs once and
stands in the tables of all sources of its architecture. Runs are kept in a file of lines, so that a stopped benchmark
goes on where it was.
"""

import argparse
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product, repeat
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch
from _md17 import CUTOFF, CUTOFFS, IN_DOMAIN, MOLECULES, N_TEST, SHAPE, draw, frames, interval, train_source
from _timing import machine
from matplotlib import pyplot as plt

from sktaag.sources import GNNRegressor, load_source
from sktaag.transfer import TAAGRegressor

matplotlib.use("agg")
matplotlib.rcParams["svg.hashsalt"] = "sktaag"  # the same figures, the same file

NETWORKS = {"oc20": "schnet", "rmd17": "schnet", "chgnet": "chgnet"}
SHARED = {"criterion": "mae", "force_weight": 100.0}
SETTINGS = {"schnet": SHARED | {"lr": 4e-3}, "chgnet": SHARED | {"lr": 8e-3}}  # of --choose
METHODS = {  # attention, freeze, further parameters
    "scratch": {"attention": "last", "freeze": "scratch"},
    "fine-tuned, all": {"attention": "last", "freeze": "none"},
    "fine-tuned, 2 blocks frozen": {"attention": "last", "freeze": 2},
    "frozen, last": {"attention": "last", "freeze": "all"},
    "frozen, sum": {"attention": "sum", "freeze": "all"},
    "frozen, mix": {"attention": "mix", "freeze": "all"},
    "frozen, query": {"attention": "query", "freeze": "all"},
    "TAAG, frozen": {"attention": "taag", "freeze": "all"},
    "TAAG, embeddings frozen (release)": {"attention": "taag", "freeze": "embeddings"},
    "mix, all trained": {"attention": "mix", "freeze": "none"},
    "TAAG, all trained, a fresh block": {"attention": "taag", "freeze": "none", "n_fresh_blocks": 1},
    "fine-tuned, all, gentle": {"attention": "last", "freeze": "none", "gentle": True},
    "TAAG, all trained, gentle": {"attention": "taag", "freeze": "none", "gentle": True},
}
SCHNET = SETTINGS["schnet"]
CHOICES = [  # source, method, settings
    ("oc20", "scratch", SCHNET),
    ("oc20", "scratch", SCHNET | {"module__n_gaussians": 50, "criterion": "mse", "lr": 2e-3}),
    ("oc20", "scratch", SCHNET | {"module__n_gaussians": 50}),
    ("oc20", "scratch", SCHNET | {"criterion": "mse"}),
    ("oc20", "scratch", SCHNET | {"force_weight": 10.0}),
    ("oc20", "scratch", SCHNET | {"criterion": "mse", "force_weight": 10.0}),
    ("oc20", "scratch", SCHNET | {"force_weight": 1000.0}),
    *(("chgnet", "scratch", SHARED | {"lr": lr}) for lr in (8e-3, 4e-3, 2e-3, 1e-3)),
    *(("chgnet", "fine-tuned, all", SHARED | {"lr": lr}) for lr in (4e-3, 1e-3)),
]


def make_model(source, method, size, seed, device, epochs, settings):
    """Build one model; what METHODS does not name is the same for all."""
    parameters = settings | METHODS[method]
    if parameters.pop("gentle", False):
        parameters["optimizer__param_groups"] = [("backbone.*", {"lr": settings["lr"] / 4})]
    return TAAGRegressor(
        source, **parameters, batch_size=5 if size <= 50 else 10 if size <= 200 else 32,
        max_epochs=epochs, scheduler="cosine", ema=0.99, early_stopping=False, device=device, random_state=seed,
    )  # fmt: skip


def open_source(kind, method, graphs, energies, path, shape=SHAPE):
    """Load the source, or make one of its architecture alone where that is all that the method takes."""
    if kind == "chgnet" or method != "scratch":
        return kind if kind == "chgnet" else load_source(path)
    source = GNNRegressor("schnet", **shape, module__cutoff=CUTOFF, max_epochs=1, force_weight=0, device="cpu")
    return source.fit(graphs[:2], energies[:2])


def choose(choice, folder, device, epochs):
    """Judge settings of a method on 50 frames of malonaldehyde, on 200 others of the training frames."""
    torch.set_num_threads(1)
    kind, method, settings = choice
    graphs, energies, forces = frames("malonaldehyde", "train", cutoff=CUTOFFS[kind])
    rows = np.random.RandomState(99).permutation(len(graphs))
    fitted, held_out = rows[:50], rows[-200:]
    shape = {name: value for name, value in settings.items() if name.startswith("module__")}
    settings = {name: value for name, value in settings.items() if name not in shape}
    source = open_source(kind, method, graphs, energies, folder / f"{kind}.source", SHAPE | shape)
    start = time.perf_counter()
    model = make_model(source, method, 50, 99, device, epochs, settings)
    model.fit(graphs[fitted], energies[fitted], forces=[forces[row] for row in fitted])
    seconds = time.perf_counter() - start
    predicted = np.concatenate(model.predict_forces(graphs[held_out]))
    error = np.abs(predicted - np.concatenate([forces[row] for row in held_out])).mean()
    energy_error = np.abs(model.predict(graphs[held_out]) - energies[held_out]).mean()
    return {
        "network": NETWORKS[kind], "method": method, "settings": str(choice[2]), "epochs": epochs,
        "forces": 1000 * error, "energy": 1000 * energy_error, "seconds": seconds,
    }  # fmt: skip


def read(path):
    """Read the lines of what was run."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def name_of(device):
    """Name the machine that a run was on."""
    is_cuda = torch.cuda.is_available() if device == "auto" else torch.device(device).type == "cuda"
    return torch.cuda.get_device_name() if is_cuda else "CPU"


def run(task, source, device, epochs):
    """Train one model and judge it on the official test frames."""
    torch.set_num_threads(1)
    kind, molecule, size, seed, method = task
    graphs, energies, forces = frames(molecule, "train", cutoff=CUTOFFS[kind])
    rows = draw(graphs, size, seed)
    source = open_source(kind, method, graphs, energies, source)
    model = make_model(source, method, size, seed, device, epochs, SETTINGS[NETWORKS[kind]])
    start = time.perf_counter()
    model.fit(graphs[rows], energies[rows], forces=[forces[row] for row in rows])
    seconds = time.perf_counter() - start
    test_graphs, test_energies, test_forces = frames(molecule, "test", N_TEST, CUTOFFS[kind])
    energy_error = np.abs(model.predict(test_graphs) - test_energies).mean()
    predicted = model.predict_forces(test_graphs)
    force_error = np.abs(np.concatenate(predicted) - np.concatenate(test_forces)).mean()
    return {
        "source": kind, "molecule": molecule, "size": size, "seed": seed, "method": method, "epochs": epochs,
        "forces": 1000 * force_error, "energy": 1000 * energy_error, "seconds": seconds, "device": name_of(device),
        "layer_weights": np.round(model.layer_weights_, 4).tolist(),
    }  # fmt: skip


def cell(values):
    """Mean over the seeds and their number as text."""
    return f"{np.mean(values):.1f} ({len(values)})" if len(values) else ""


def with_scratch(results, source, size, epochs):
    """Pick the runs of one source, size and number of epochs, and those from scratch on the same frames.

    Beside another architecture than SchNet stands a SchNet from scratch, with the epochs that it has elsewhere.
    """
    results = results[results["size"] == size]
    networks = results["source"].map(NETWORKS)
    table = results[(networks == NETWORKS[source]) & (results["epochs"] == epochs)]
    scratch = table[table["method"] == "scratch"]
    table = table[(table["source"] == source) & (table["method"] != "scratch")]
    if NETWORKS[source] != "schnet":
        other = results[(networks == "schnet") & (results["method"] == "scratch")]
        names = [f"SchNet from scratch, {epochs} epochs" for epochs in other["epochs"]]
        scratch = pd.concat([scratch, other.assign(method=names)])
    scratch = scratch.merge(table[["molecule", "seed"]].drop_duplicates(), on=["molecule", "seed"])
    return pd.concat([table, scratch]).drop_duplicates(["molecule", "seed", "method"])


def relative_to_scratch(table, error):
    """Logarithm of error / error from scratch for each molecule and draw of frames."""
    wide = table.pivot_table(index=["molecule", "seed"], columns="method", values=error)
    return np.log(wide.div(wide["scratch"], axis=0))


def report_choices(rows):
    """Make a table of what --choose found."""
    lines = ["", "**Settings: 50 training frames of malonaldehyde, MAE of 200 others of its training frames**", ""]
    lines += ["| network | method | settings | epochs | forces, meV/Å | energy, meV |", "|---" * 6 + "|"]
    for row in rows:
        cells = f"{row['network']} | {row['method']} | {row['settings'][1:-1]} | {row['epochs']}"
        lines.append(f"| {cells} | {row['forces']:.1f} | {row['energy']:.1f} |")
    return "\n".join(lines)


def groups_of(results):
    """Name the tables: source, size, epochs."""
    return sorted(set(zip(results["source"], results["size"], results["epochs"], strict=True)))


def report(results):
    """Make the tables as markdown."""
    lines = []
    for source, size, epochs in groups_of(results):
        title = f"source {source}, {size} frames, {epochs} epochs"
        table = with_scratch(results, source, size, epochs)
        for error, unit in (("forces", "meV/Å"), ("energy", "meV")):
            molecules = [name for name in MOLECULES if name in set(table["molecule"])]
            ratios = relative_to_scratch(table, error)
            lines += ["", f"**MAE of {error} in {unit}, {title} (number of seeds)**", ""]
            lines += [f"| method | {' | '.join(molecules)} | / scratch | pairs | s |"]
            lines += ["|---" * (len(molecules) + 4) + "|"]
            for method in [*METHODS, *sorted(set(table["method"]) - set(METHODS))]:
                rows = table[table["method"] == method]
                if rows.empty:
                    continue
                cells = [cell(rows.loc[rows["molecule"] == name, error]) for name in molecules]
                known = ratios[method].dropna()
                mean, half = interval(known)
                low, high = np.exp([mean - half, mean + half])
                shown = f"{np.exp(mean):.2f}" + ("" if np.isnan(half) else f" ({low:.2f} to {high:.2f})")
                shown = "1" if method == "scratch" else shown
                seconds = f"{rows['seconds'].median():.0f}"
                lines.append(f"| {method} | {' | '.join(cells)} | {shown} | {len(known)} | {seconds} |")
            lines += against_fine_tuning(ratios)
        weights = weights_of(table)
        if weights:
            lines += ["", f"Layer weights, {title}: embedding, each block; mean of runs", ""]
        lines += [f"- {method}: {np.round(values, 2).tolist()}" for method, values in weights.items()]
    return "\n".join(lines)


def against_fine_tuning(ratios):
    """Make a line that compares attention with the same training without it."""
    taag, plain = "TAAG, embeddings frozen (release)", "fine-tuned, all"
    if not {taag, plain} <= set(ratios):
        return []
    known = (ratios[taag] - ratios[plain]).dropna()
    mean, half = interval(known)
    low, high = np.exp([mean - half, mean + half])
    shown = f"{np.exp(mean):.3f}" + ("" if np.isnan(half) else f" ({low:.3f} to {high:.3f})")
    return ["", f"{taag} / {plain}: {shown}, {len(known)} pairs"]


def weights_of(table):
    """Mean layer weights of the methods that learn them."""
    learned = table[~table["method"].str.contains("scratch|fine-tuned|last|sum")]
    return {method: np.mean(list(rows["layer_weights"]), axis=0) for method, rows in learned.groupby("method")}


def plot(results, path):
    """Draw the layer weights, one panel for each source and size, three in a row."""
    found = {group: weights_of(with_scratch(results, *group)) for group in groups_of(results)}
    found = {group: weights for group, weights in found.items() if weights}
    if not found:
        return
    n_rows = -(-len(found) // 3)
    n_columns = -(-len(found) // n_rows)
    figure, panels = plt.subplots(
        n_rows, n_columns, figsize=(4.2 * n_columns, 3 * n_rows), squeeze=False, layout="constrained"
    )
    for ax in panels.flat[len(found) :]:
        ax.axis("off")
    for ax, ((source, size, epochs), weights) in zip(panels.flat, found.items(), strict=False):
        for method, values in weights.items():
            ax.plot(range(len(values)), values, "o-", label=method)
        depths = range(max(len(values) for values in weights.values()))
        ax.set_xticks(depths, ["emb.", *depths[1:]])
        ax.set(xlabel="layer", ylabel="weight", title=f"{source}, {size} frames, {epochs} epochs", ylim=(0, None))
        ax.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main():
    """Run what is missing, print the tables of all that is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sources", nargs="+", default=["oc20"], choices=list(NETWORKS))
    parser.add_argument("--molecules", nargs="+", default=["toluene", "ethanol"], choices=MOLECULES)
    parser.add_argument("--sizes", nargs="+", type=int, default=[50])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--epochs", type=int, default=200, help="of the target: passes over its frames")
    parser.add_argument("--source-epochs", type=int, help="of the source, if not as in the tables")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--minutes", type=float, default=np.inf, help="start no run after this time")
    parser.add_argument("--folder", type=Path, default=Path("md17"), help="for the source networks and the runs")
    parser.add_argument("--output", type=Path, default=None, help="markdown file for the tables")
    parser.add_argument("--choose", action="store_true", help="judge settings on frames that no table uses, and stop")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    if args.choose:
        kept = args.folder / "choices.jsonl"
        known = {(row["network"], row["method"], row["settings"], row["epochs"]) for row in read(kept)}
        choices = [
            (kind, method, settings)
            for kind, method, settings in CHOICES
            if kind in args.sources and (NETWORKS[kind], method, str(settings), args.epochs) not in known
        ]
        with ProcessPoolExecutor(args.jobs, mp_context=spawn) as pool, open(kept, "a") as file:
            for row in pool.map(choose, choices, repeat(args.folder), repeat(args.device), repeat(args.epochs)):
                print(row, flush=True)
                file.write(json.dumps(row) + "\n")
                file.flush()
        return
    end = time.monotonic() + 60 * args.minutes

    kept = args.folder / "runs.jsonl"
    done = read(kept)
    key = ("source", "molecule", "size", "seed", "method", "epochs")
    known = {tuple(row[name] for name in key) for row in done}
    known |= {
        (source, *run[1:])
        for run in known
        for source in args.sources
        if run[4] == "scratch" and NETWORKS[source] == NETWORKS[run[0]]
    }
    tasks = [
        (source, molecule, size, seed, method)
        for size, source, seed, molecule, method in product(
            args.sizes, args.sources, args.seeds, args.molecules, args.methods
        )
        if (source, molecule, size, seed, method, args.epochs) not in known
        and not (source == "rmd17" and molecule not in IN_DOMAIN)
    ]
    with ProcessPoolExecutor(args.jobs, mp_context=spawn) as pool, open(kept, "a") as file:
        training = {
            source: pool.submit(train_source, source, args.folder, args.device, args.source_epochs)
            for source in sorted({task[0] for task in tasks if task[4] != "scratch"})
        }
        paths = {source: future.result() for source, future in training.items()}
        futures, waiting = set(), iter(tasks)
        while True:
            while len(futures) < args.jobs and time.monotonic() < end and (task := next(waiting, None)):
                futures.add(pool.submit(run, task, paths.get(task[0]), args.device, args.epochs))
            if not futures:
                break
            future = next(as_completed(futures))
            futures.remove(future)
            done.append(future.result())
            file.write(json.dumps(done[-1]) + "\n")
            file.flush()
            print({name: done[-1][name] for name in (*key, "forces", "energy", "seconds")}, flush=True)

    notes = [json.loads(path.read_text()) for path in sorted(args.folder.glob("*.json"))]
    head = [
        "Tables by " + machine("torch", "torch-geometric", "sktaag"),
        "Runs, several at a time: "
        + ", ".join(f"{n} on {name}" for name, n in pd.DataFrame(done)["device"].value_counts().items()),
        f"SchNet of 4 blocks of 64, {SHAPE['module__n_gaussians']} Gaussians to a cutoff of {CUTOFF:g} Å, learning "
        f"rate {SETTINGS['schnet']['lr']:g}; CHGNet 0.3.0, learning rate {SETTINGS['chgnet']['lr']:g}; AdamW with a "
        f"cosine, EMA 0.99, mean absolute errors in units of the spread, forces {SHARED['force_weight']:g} times the "
        f"weight of energies; {N_TEST} official test frames. / scratch: geometric mean over pairs of molecule and draw "
        "of frames, with the 95% interval of pairs taken as independent",
    ]
    for note in notes:
        head.append(
            f"Source {note['source']}: {note['frames']:,} frames, {note['epochs']} epochs, {note['seconds']:.0f} s"
        )
    text = "\n\n".join(head) + "\n" + report(pd.DataFrame(done))
    if choices := read(args.folder / "choices.jsonl"):
        text += "\n" + report_choices(choices)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")
        plot(pd.DataFrame(done), args.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
