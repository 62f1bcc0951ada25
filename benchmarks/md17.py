"""Molecules in motion from tens of frames: every way of transfer on the same frames of rMD17.

Sources: a SchNet trained on frames of OC20 (adsorbates on metals: another domain) or on five other molecules of rMD17
(the same domain); CHGNet as its authors trained it on inorganic crystals (another domain); TensorNet as matgl's authors
trained it on ANI-1x (organic molecules in other conformations, with another functional). Targets: energies and forces
of the official split 01. All methods of a table have the same architecture, frames, epochs and optimizer, but for the
closed forms, which have no epochs, and "all else by default", with the epochs, batches and loss that `TAAGRegressor`
has if nothing is said. The learning rate is the best from scratch of those tried on training frames of malonaldehyde
(--choose); TensorNet's is the best for fine-tuning, and that of its frozen rows the best for them. "As released",
attention takes the place of the readout of the source, in all other rows it stands beside it. The "gentle" forms have a
quarter of the rate in what comes from the source. Training from scratch takes no weight of a source: it runs once and
stands in the tables of all sources of its architecture. Runs are kept in a file of lines, so that a stopped benchmark
goes on where it was: the tables are made of all runs in it. To run everything anew, name another file.
"""

import argparse
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product, repeat
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _md17 import (
    CUTOFF,
    CUTOFFS,
    IN_DOMAIN,
    MOLECULES,
    N_TEST,
    NETWORKS,
    RATES,
    RATES_FROZEN,
    SHAPE,
    SHARED,
    draw,
    frames,
    read,
    train_source,
)
from _md17_tables import ATTENTION, CONTROL, FINE_TUNED, plot, report, report_choices
from _timing import machine

from sktaag.datasets import fetch_ani1x_potential
from sktaag.nn.backbones import MatGL
from sktaag.sources import GNNRegressor, load_source
from sktaag.transfer import LinearPotential, TAAGRegressor

MIX, AS_RELEASED = "mix, embeddings frozen", "TAAG, embeddings frozen, no residual (as released)"
RESULTS = Path(__file__).parent / "results"
METHODS = {  # attention, freeze, further parameters
    "scratch": {"attention": "last", "freeze": "scratch"},
    FINE_TUNED: {"attention": "last", "freeze": "none"},
    CONTROL: {"attention": "last", "freeze": "embeddings"},
    "fine-tuned, 1 block frozen": {"attention": "last", "freeze": 1},
    "fine-tuned, 2 blocks frozen": {"attention": "last", "freeze": 2},
    "frozen, last": {"attention": "last", "freeze": "all"},
    "frozen, sum": {"attention": "sum", "freeze": "all"},
    "frozen, mix": {"attention": "mix", "freeze": "all"},
    "frozen, query": {"attention": "query", "freeze": "all"},
    "TAAG, frozen": {"attention": "taag", "freeze": "all"},
    ATTENTION: {"attention": "taag", "freeze": "embeddings"},
    AS_RELEASED: {
        "attention": "taag",
        "freeze": "embeddings",
        "readout": "fresh",
        "module__residual": False,
        "module__positional": False,
    },
    "TAAG, 1 block frozen": {"attention": "taag", "freeze": 1},
    MIX: {"attention": "mix", "freeze": "embeddings"},
    "mix, all trained": {"attention": "mix", "freeze": "none"},
    "TAAG, all trained, a fresh block": {"attention": "taag", "freeze": "none", "n_fresh_blocks": 1},
    "fine-tuned, all, gentle": {"attention": "last", "freeze": "none", "gentle": True},
    "TAAG, all trained, gentle": {"attention": "taag", "freeze": "none", "gentle": True},
}
BY_DEFAULT = {  # what is said of them
    "scratch, all else by default": {"attention": "last", "freeze": "scratch"},
    "TAAG, embeddings frozen, all else by default": {"freeze": "embeddings"},
}
CLOSED_FORMS = {
    "frozen, last, ridge": {"layers": 1, "readout": "fresh"},
    "frozen, all layers, LinearPotential": {},
}
ALL_METHODS = [*METHODS, *BY_DEFAULT, *CLOSED_FORMS]
SCHNET = SHARED | {"lr": RATES["schnet"]}
CHOICES = [  # source, method, settings
    ("oc20", "scratch", SCHNET),
    ("oc20", "scratch", SCHNET | {"module__n_gaussians": 50, "criterion": "mse", "lr": 2e-3}),
    ("oc20", "scratch", SCHNET | {"module__n_gaussians": 50}),
    ("oc20", "scratch", SCHNET | {"criterion": "mse"}),
    ("oc20", "scratch", SCHNET | {"force_weight": 10.0}),
    ("oc20", "scratch", SCHNET | {"criterion": "mse", "force_weight": 10.0}),
    ("oc20", "scratch", SCHNET | {"force_weight": 1000.0}),
    *(("oc20", "scratch", SCHNET | {"lr": lr}) for lr in (8e-3, 2e-3)),
    ("oc20", "scratch", SCHNET | {"scheduler": None}),
    ("ani1x", ATTENTION, SHARED | {"lr": RATES["tensornet"]}),
    ("ani1x", ATTENTION, SHARED | {"lr": RATES["tensornet"], "scheduler": None}),
    *(("chgnet", "scratch", SHARED | {"lr": lr}) for lr in (1.6e-2, 8e-3, 4e-3, 2e-3, 1e-3)),
    *(("chgnet", FINE_TUNED, SHARED | {"lr": lr}) for lr in (8e-3, 4e-3, 1e-3)),
    *(("ani1x", "scratch", SHARED | {"lr": lr}) for lr in (8e-3, 4e-3, 2e-3, 1e-3)),
    *(("ani1x", FINE_TUNED, SHARED | {"lr": lr}) for lr in (4e-3, 1e-3, 2.5e-4)),
]
for kind in ("ani1x", "chgnet"):  # is there a form of attention that gains over fine-tuning with as much frozen?
    rated = SHARED | {"lr": RATES[NETWORKS[kind]]}
    CHOICES += [(kind, method, rated) for method in (CONTROL, ATTENTION) if (kind, method, rated) not in CHOICES]
    CHOICES += [(kind, method, rated | {"lr_decay": 0.5}) for method in (CONTROL, ATTENTION)]
    CHOICES += [
        (kind, method, rated) for method in (AS_RELEASED, MIX, "fine-tuned, 1 block frozen", "TAAG, 1 block frozen")
    ]
tensornet = SHARED | {"lr": RATES["tensornet"]}
CHOICES += [("ani1x", method, tensornet | {"lr": 5e-4}) for method in (CONTROL, ATTENTION)]
CHOICES += [
    ("ani1x", ATTENTION, tensornet | {"n_fresh_blocks": 1}),
    ("ani1x", ATTENTION, tensornet | {"optimizer__param_groups": [("attention.*", {"lr": 4e-3})]}),
]
CHOICES += [  # does transfer want another rate than training from scratch?
    ("oc20", method, SCHNET | {"lr": lr}) for method in (FINE_TUNED, ATTENTION) for lr in (8e-3, 4e-3, 2e-3, 1e-3)
]
CHOICES += [
    ("oc20", method, SCHNET | {"lr": lr}) for method in ("frozen, mix", "TAAG, frozen") for lr in (3.2e-2, 1.6e-2, 4e-3)
]
CHOICES += [
    ("ani1x", method, tensornet | {"lr": lr})
    for method in ("frozen, mix", "TAAG, frozen")
    for lr in (1.6e-2, 4e-3, 1e-3)
]
CHOICES += [
    (source, method, batches | settings)
    for source, method in zip(("oc20", "ani1x"), BY_DEFAULT, strict=True)
    for batches in ({}, {"batch_size": 32})
    for settings in ({}, {"scheduler": None}, {"criterion": "mse"}, {"scheduler": None, "criterion": "mse"})
]
CHOICES = [("malonaldehyde", *choice) for choice in CHOICES]
CHOICES += [("toluene", "ani1x", "scratch", SHARED | {"lr": lr}) for lr in (4e-3, 2e-3, 1e-3)]


def make_model(source, method, size, seed, device, epochs, settings):
    """Build one model; what METHODS does not name is the same for all."""
    if method in CLOSED_FORMS:
        return LinearPotential(source, **CLOSED_FORMS[method], device=device)
    if method in BY_DEFAULT:
        return TAAGRegressor(source, **BY_DEFAULT[method] | settings, device=device, random_state=seed)
    parameters = {"scheduler": "cosine"} | settings | METHODS[method]
    if parameters.pop("gentle", False):
        parameters["optimizer__param_groups"] = [("backbone.*", {"lr": settings["lr"] / 4})]
    return TAAGRegressor(
        source, **parameters, batch_size=5 if size <= 50 else 10 if size <= 200 else 32,
        max_epochs=epochs, ema=0.99, early_stopping=False, device=device, random_state=seed,
    )  # fmt: skip


def open_source(kind, method, graphs, energies, path, shape=SHAPE):
    """Load the source, or make one of its architecture alone where that is all that the method takes."""
    if kind == "chgnet":
        return kind
    if kind == "ani1x":
        return MatGL.from_pretrained(fetch_ani1x_potential())
    if "scratch" not in method:
        return load_source(path)
    source = GNNRegressor("schnet", **shape, module__cutoff=CUTOFF, max_epochs=1, force_weight=0, device="cpu")
    return source.fit(graphs[:2], energies[:2])


def choose(choice, folder, device):
    """Judge settings of a method on 50 training frames of a molecule, by 200 others of them."""
    torch.set_num_threads(1)
    molecule, kind, method, settings, epochs = choice
    graphs, energies, forces = frames(molecule, "train", cutoff=CUTOFFS[kind])
    rows = np.random.RandomState(99).permutation(len(graphs))
    fitted, held_out = rows[:50], rows[-200:]
    shape = {name: value for name, value in settings.items() if name in SHAPE}
    settings = {name: value for name, value in settings.items() if name not in shape}
    source = open_source(kind, method, graphs, energies, folder / f"{kind}.source", SHAPE | shape)
    model = make_model(source, method, 50, 99, device, epochs, settings)
    model.fit(graphs[fitted], energies[fitted], forces=[forces[row] for row in fitted])
    predicted = np.concatenate(model.predict_forces(graphs[held_out]))
    error = np.abs(predicted - np.concatenate([forces[row] for row in held_out])).mean()
    energy_error = np.abs(model.predict(graphs[held_out]) - energies[held_out]).mean()
    return {
        "molecule": molecule, "network": NETWORKS[kind], "method": method, "settings": str(choice[3]), "epochs": epochs,
        "forces": float(1000 * error), "energy": float(1000 * energy_error),
    }  # fmt: skip


def choices_beside(runs):
    """Name the file of what --choose found."""
    return runs.with_name(f"{runs.stem}_choices.jsonl")


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
    rates = RATES_FROZEN if METHODS.get(method, {}).get("freeze") == "all" else RATES
    settings = {} if method in BY_DEFAULT else SHARED | {"lr": rates[NETWORKS[kind]]}
    model = make_model(source, method, size, seed, device, epochs, settings)
    clock = time.process_time if name_of(device) == "CPU" else time.perf_counter  # a core may be shared
    start = clock()
    model.fit(graphs[rows], energies[rows], forces=[forces[row] for row in rows])
    seconds = clock() - start
    test_graphs, test_energies, test_forces = frames(molecule, "test", N_TEST, CUTOFFS[kind])
    energy_error = np.abs(model.predict(test_graphs) - test_energies).mean()
    predicted = model.predict_forces(test_graphs)
    force_error = np.abs(np.concatenate(predicted) - np.concatenate(test_forces)).mean()
    return {
        "source": kind, "molecule": molecule, "size": size, "seed": seed, "method": method, "epochs": epochs,
        "forces": float(1000 * force_error), "energy": float(1000 * energy_error), "seconds": seconds,
        "device": name_of(device),
        "layer_weights": np.round(model.layer_weights_, 4).tolist(),
    }  # fmt: skip


def main():
    """Run what is missing, print the tables of all that is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sources", nargs="+", default=["oc20"], choices=list(NETWORKS))
    parser.add_argument("--molecules", nargs="+", default=["toluene", "ethanol"], choices=MOLECULES)
    parser.add_argument("--sizes", nargs="+", type=int, default=[50])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=ALL_METHODS, choices=ALL_METHODS)
    parser.add_argument("--epochs", type=int, default=200, help="of the target: passes over its frames")
    parser.add_argument("--source-epochs", type=int, help="of the source, if not as in the tables")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--minutes", type=float, default=np.inf, help="start no run after this time")
    parser.add_argument("--folder", type=Path, default=Path("md17"), help="for the source networks")
    parser.add_argument("--runs", type=Path, default=RESULTS / "md17.jsonl", help="file of runs: read, and added to")
    parser.add_argument("--output", type=Path, default=RESULTS / "md17.md", help="markdown file for the tables")
    parser.add_argument("--choose", action="store_true", help="judge settings on frames that no table uses, and stop")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    if args.choose:
        kept = choices_beside(args.runs)
        key = ("molecule", "network", "method", "settings", "epochs")
        known = {tuple(row[name] for name in key) for row in read(kept)}
        choices = [
            (molecule, kind, method, settings, epochs)
            for molecule, kind, method, settings in CHOICES
            for epochs in [200 if method in BY_DEFAULT else args.epochs]  # that of sktaag
            if kind in args.sources and (molecule, NETWORKS[kind], method, str(settings), epochs) not in known
        ]
        with ProcessPoolExecutor(args.jobs, mp_context=spawn) as pool, open(kept, "a") as file:
            for row in pool.map(choose, choices, repeat(args.folder), repeat(args.device)):
                print(row, flush=True)
                file.write(json.dumps(row) + "\n")
                file.flush()
        return
    end = time.monotonic() + 60 * args.minutes

    done = read(args.runs)
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
    with ProcessPoolExecutor(args.jobs, mp_context=spawn) as pool, open(args.runs, "a") as file:
        training = {
            source: pool.submit(train_source, source, args.folder, args.device, args.source_epochs)
            for source in sorted({task[0] for task in tasks if "scratch" not in task[4]})
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
        f"rate {RATES['schnet']:g}; CHGNet 0.3.0, learning rate {RATES['chgnet']:g}; TensorNet of 2 blocks of 64, "
        f"learning rate {RATES['tensornet']:g}, frozen {RATES_FROZEN['tensornet']:g}; AdamW with a cosine, EMA 0.99, "
        f"mean absolute errors in units of the spread, forces {SHARED['force_weight']:g} times the weight of energies; "
        f"{N_TEST} official test frames. s: of the fit, of one core or of the GPU. / scratch: geometric mean over "
        "pairs of molecule and draw of frames, with the 95% interval of pairs taken as independent",
    ]
    for note in notes:
        head.append(
            f"Source {note['source']}: {note['frames']:,} frames, {note['epochs']} epochs, {note['seconds']:.0f} s"
        )
    text = "\n\n".join(head) + "\n" + report(pd.DataFrame(done), ALL_METHODS)
    if choices := read(choices_beside(args.runs)):
        text += "\n" + report_choices(choices)
    print(text)
    args.output.write_text(text + "\n")
    plot(pd.DataFrame(done), args.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
