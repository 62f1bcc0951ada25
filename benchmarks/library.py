"""How large may a `ModelLibrary` grow? As large as XenonPy.MDL was: 140,000 networks.

python benchmarks/library.py                          140,000 small networks; needs 3 GB of disk and some minutes
python benchmarks/library.py --models 2000 --folder .  fewer, on the disk in question

The networks are one trained chain (StandardScaler, PyramidRegressor) whose weights are drawn anew for each model. Times
are those of calls as a user makes them. Cold means that the system was told to forget the pages of every file of the
library before each call (posix_fadvise), and that the object was made anew.
"""

import argparse
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from _timing import machine, markdown, write_json
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.sources import ModelLibrary, PyramidRegressor

SMALL = (64, (32, 16))
REALISTIC = (290, (187, 151, 110, 102))  # one of the published networks, ACS Cent. Sci. 2019
N_PROPERTIES, MATERIALS = 39, ("polymer", "molecule", "inorganic")


def make_chain(n_features, hidden):
    rng = np.random.RandomState(0)
    X = rng.rand(200, n_features)
    return make_pipeline(StandardScaler(), PyramidRegressor(hidden=hidden, max_epochs=30, random_state=0)).fit(
        X, X[:, 0]
    )


def draw_anew(chain, n_models):
    """Yield the chain again and again, with other weights; whoever takes it must be done with the one before."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(n_models):
        with torch.no_grad():
            for weight in chain[-1].module_.parameters():
                weight.normal_(0, 0.1, generator=generator)
        yield chain


def fill(library, chain, n_models, batch):
    rng = np.random.RandomState(1)
    sources = draw_anew(chain, n_models)
    start = time.perf_counter()
    for first in range(0, n_models, batch):
        size = min(batch, n_models - first)
        library.add_many(
            (next(sources) for _ in range(size)),
            property=[f"property {rng.randint(N_PROPERTIES)}" for _ in range(size)],
            material=[MATERIALS[rng.randint(3)] for _ in range(size)],
            metrics=[{"r2": r2, "mae": 1 - r2} for r2 in rng.rand(size)],
            name=[f"network {first + i}" for i in range(size)],
            dataset="drawn at random",
            license="CC0-1.0",
            unit="1",
        )
    return time.perf_counter() - start


def forget_pages(folder):
    """Take all files of the library out of memory."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def stopwatch(milliseconds):
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    milliseconds.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)))


def measure(folder, repeats):
    """Milliseconds of each call, by the clock and of the CPU: cold, then warm."""
    times = {name: [] for name in ("open cold", "search cold", "search", "get cold", "get", "card")}
    rng = np.random.RandomState(2)
    ids = ModelLibrary(folder).search(limit=10 * repeats)["id"].tolist()
    rng.shuffle(ids)
    found = []
    for i in range(repeats):
        wanted = {"property": f"property {rng.randint(N_PROPERTIES)}", "material": "polymer", "min_r2": 0.8}
        forget_pages(folder)
        with stopwatch(times["open cold"]):
            library = ModelLibrary(folder)
            len(library)
        forget_pages(folder)
        with stopwatch(times["search cold"]):
            found.append(len(ModelLibrary(folder).search(**wanted)))
        with stopwatch(times["search"]):
            library.search(**wanted)
        forget_pages(folder)
        with stopwatch(times["get cold"]):
            ModelLibrary(folder).get(ids[i])
    for i in range(repeats):
        with stopwatch(times["get"]):
            library.get(ids[repeats + i])
        with stopwatch(times["card"]):
            library.card(ids[repeats + i])
    return times, int(np.median(found))


def disk(folder, n_models):
    """Kilobytes for each model."""
    rooms = {room: sum(p.stat().st_size for p in (folder / room).iterdir()) for room in ("shards", "cards", "steps")}
    rooms["index"] = (folder / "index.sqlite").stat().st_size
    return {room: size / n_models / 1000 for room, size in rooms.items()}


def weights_kb(chain):
    return sum(tensor.nbytes for tensor in chain[-1].module_.state_dict().values()) / 1000


def summary(values):
    wall, cpu = values.T
    return {"median": float(np.median(wall)), "95 %": float(np.percentile(wall, 95)), "CPU": float(np.median(cpu))}


def run(folder, shape, n_models, args):
    chain = make_chain(*shape)
    seconds = fill(ModelLibrary(folder), chain, n_models, args.batch)
    times, n_found = measure(folder, args.repeats)
    network = "-".join(map(str, (shape[0], *shape[1], 1)))
    return {
        "network": network,
        "models": n_models,
        "add, models/s": n_models / seconds,
        "ms": {name: summary(np.array(values)) for name, values in times.items()},
        "models found by a search": n_found,
        "disk, kB/model": disk(folder, n_models),
        "weights, kB/model": weights_kb(chain),
        "shards": len(list((folder / "shards").iterdir())),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=140_000, help="small networks")
    parser.add_argument("--realistic", type=int, default=1000, help="networks of a published size, in another library")
    parser.add_argument("--batch", type=int, default=10_000, help="models added in one transaction")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="where the libraries are made, and deleted")
    parser.add_argument("--json", help="file for the figures")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results = []
    for shape, n_models in ((SMALL, args.models), (REALISTIC, args.realistic)):
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            results.append(run(Path(folder), shape, n_models, args))

    print(machine("sktaag", "torch", "safetensors", "skops"))
    print(
        f"One thread; median (95th percentile) of {args.repeats} calls, and CPU time, which no busy neighbour changes;"
        f" {args.batch:,} models added at a time."
    )
    columns = ["", *[f"{result['models']:,} x {result['network']}" for result in results]]
    labels = {
        "open cold": "open and count, cold, ms",
        "search cold": "search by property, material and r2, cold, ms",
        "search": "the same again, ms",
        "get cold": "get a model, cold, ms",
        "get": "get a model, ms",
        "card": "read a card, ms",
    }
    rows = [
        [label, *["{:.1f} ({:.1f}), {:.1f}".format(*result["ms"][name].values()) for result in results]]
        for name, label in labels.items()
    ]
    rows.append(["models found by the search", *[result["models found by a search"] for result in results]])
    rows.append(["added, models a second", *[float(result["add, models/s"]) for result in results]])
    rows.append(["weights alone, kB a model", *[result["weights, kB/model"] for result in results]])
    for room in ("shards", "cards", "steps", "index"):
        rows.append([f"disk: {room}, kB a model", *[result["disk, kB/model"][room] for result in results]])
    rows.append(["number of files", *[2 * result["shards"] + 2 for result in results]])
    markdown("A library", columns, rows)
    write_json(args.json, results)


if __name__ == "__main__":
    main()
