"""A thousand source networks: XenonPy's Trainer and a loop of PyramidRegressor against PyramidEnsemble.

python benchmarks/shotgun.py                                   200 networks on 4,000 x 1,024 counts, all cores
python benchmarks/shotgun.py --members 30 --epochs 5           a quick look
python benchmarks/shotgun.py --nonzeros 400                    counts that are not sparse enough for bags of rows
python benchmarks/shotgun.py --members 1000 --device cuda      where there is a device

The ensemble trains all networks; the others train a sample of them, spread evenly over the widths, of the same shapes,
on the same rows, for the same epochs, with the same optimizer, and their times are extrapolated per network. No early
stopping, so that all do the same work. The errors on rows outside of the training are of the sampled networks: they
show that all learn the same. Processes of joblib are started before the clock.
"""

import argparse
import time

import numpy as np
import torch
from _timing import machine, markdown, write_json
from joblib import Parallel, cpu_count, delayed
from pyramid import make_counts
from scipy.sparse import csr_array

from sktaag.nn import RandomPyramid
from sktaag.sources import PyramidEnsemble, PyramidRegressor

LR, WEIGHT_DECAY = 0.001, 0.01
SETUPS = {"setup 1": PyramidEnsemble.paper_setup(1).hidden, "ratios": RandomPyramid()}


def clock():
    """Wall time and processor time of this process: the latter suffers less from busy neighbours."""
    return np.array([time.perf_counter(), time.process_time()])


def pyramid_regressor(hidden, X, y, X_test, args, seed):
    source = PyramidRegressor(
        hidden,
        lr=LR,
        weight_decay=WEIGHT_DECAY,
        batch_size=args.batch_size,
        max_epochs=args.epochs,
        early_stopping=False,
        device=args.device,
        random_state=seed,
    )
    start = clock()
    source.fit(X, y)
    return clock() - start, source.predict(X_test)


def xenonpy_trainer(hidden, X, y, X_test, args, seed):
    from torch.utils.data import DataLoader
    from xenonpy.model import SequentialLinear
    from xenonpy.model.training import Trainer
    from xenonpy.model.training.dataset import ArrayDataset
    from xenonpy.model.training.extension import TensorConverter
    from xenonpy.model.training.loss import MSELoss
    from xenonpy.model.training.optimizer import AdamW

    torch.manual_seed(seed)
    mean, scale = y.mean(), y.std()
    start = clock()
    model = SequentialLinear(X.shape[1], 1, h_neurons=hidden)
    trainer = Trainer(optimizer=AdamW(lr=LR, weight_decay=WEIGHT_DECAY), loss_func=MSELoss(), epochs=args.epochs)
    trainer.extend(TensorConverter()).reset(to=model)
    batches = DataLoader(ArrayDataset(X, ((y - mean) / scale)[:, None]), shuffle=True, batch_size=args.batch_size)
    trainer.fit(training_dataset=batches, progress_bar=None)
    seconds = clock() - start
    return seconds, trainer.predict(x_in=torch.from_numpy(X_test)).ravel() * scale + mean


def train_sample(train, shapes, X, y, X_test, y_test, args):
    """Return seconds and validation errors of networks trained one by one."""
    results = [train(hidden, X, y, X_test, args, seed) for seed, hidden in enumerate(shapes)]
    return [seconds for seconds, _ in results], [float(np.abs(p - y_test).mean()) for _, p in results]


def train_ensemble(X, y, args, n_jobs):
    ensemble = PyramidEnsemble(
        args.members,
        SETUPS[args.hidden],
        lr=LR,
        weight_decay=WEIGHT_DECAY,
        batch_size=args.batch_size,
        max_epochs=args.epochs,
        early_stopping=False,
        models_per_batch=args.models_per_batch,
        device=args.device,
        n_jobs=n_jobs,
        random_state=0,
    )
    start = clock()
    ensemble.fit(X, y)
    return clock() - start, ensemble


def matmul_peak(n=1024, repeats=8):
    """Return the measured float32 operations a second of a large product."""
    a = torch.randn(n, n)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds)


def bandwidth(n_bytes=2**28, repeats=5):
    """Return the measured bytes a second of a copy, read and written."""
    a = torch.zeros(n_bytes // 4)
    b = torch.empty_like(a)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        b.copy_(a)
        seconds.append(time.perf_counter() - start)
    return 2 * n_bytes / min(seconds)


def bounds(shapes, X, args):
    """Return operations of the products, with zeros skipped and without, and bytes that AdamW must move, per network.

    A product costs 2 operations a weight and row, forward and for both gradients; the first layer needs no gradient of
    its input. AdamW reads weight, gradient and two moments and writes three of them.
    """
    n, p = X.shape
    nonzeros = np.count_nonzero(X)
    steps = args.epochs * -(-n // args.batch_size)
    skipped, dense, moved = [], [], []
    for hidden in shapes:
        inner = sum(a * b for a, b in zip(hidden, [*hidden[1:], 1], strict=True))
        skipped.append(args.epochs * (4 * nonzeros * hidden[0] + 6 * n * inner))
        dense.append(args.epochs * (4 * n * p * hidden[0] + 6 * n * inner))
        moved.append(7 * 4 * (p * hidden[0] + inner) * steps)
    return np.mean(skipped), np.mean(dense), np.mean(moved)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--sample", type=int, default=8, help="networks that the others train")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--nonzeros", type=int, default=50, help="a row")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--hidden", choices=SETUPS, default="setup 1")
    parser.add_argument("--models-per-batch", type=int)
    parser.add_argument("--threads", type=int, default=1, help="torch's threads in this process")
    parser.add_argument("--jobs", type=int, default=cpu_count(), help="processes of the parallel rows")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", help="file for the figures")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    rng = np.random.RandomState(0)
    n_test = args.rows // 4
    X, y = make_counts(args.rows + n_test, args.columns, args.nonzeros, rng)
    X, X_test, y, y_test = X[:-n_test], X[-n_test:], y[:-n_test], y[-n_test:]
    args.epochs, epochs = 1, args.epochs
    drawn = train_ensemble(X[:8], y[:8], args, None)[1].members_["hidden_sizes"]  # the shapes do not depend on the rows
    args.epochs = epochs
    order = drawn.map(lambda hidden: X.shape[1] * hidden[0] + hidden[0] * hidden[1]).sort_values().index
    picked = order[((np.arange(args.sample) + 0.5) * len(order) / args.sample).astype(int)]
    shapes = [drawn[k] for k in picked]

    loops = {
        "XenonPy Trainer": (xenonpy_trainer, X),
        "loop of PyramidRegressor, dense": (pyramid_regressor, X),
        "loop of PyramidRegressor, CSR": (pyramid_regressor, csr_array(X)),
    }
    each, errors, skipped = {name: [] for name in loops}, {}, {}

    def run_loops():
        for name, (train, inputs) in loops.items():
            try:
                seconds, errors[name] = train_sample(train, shapes, inputs, y, X_test, y_test, args)
                each[name].append(np.mean(seconds, axis=0))
            except ImportError as error:
                skipped[name] = f"{type(error).__name__}: {error}"

    run_loops()  # before and after the ensemble: the machine may be busy
    total, ensemble = train_ensemble(X, y, args, None)
    run_loops()
    together = [float(np.abs(ensemble[k].predict(X_test) - y_test).mean()) for k in picked]
    rows = {name: (np.mean(seconds, axis=0), errors[name]) for name, seconds in each.items() if seconds}
    rows["PyramidEnsemble"] = (total / args.members, together)
    if args.jobs > 1 and args.device == "cpu":
        with Parallel(n_jobs=args.jobs) as parallel:
            parallel(delayed(pyramid_regressor)((4,), X[:8], y[:8], X[:2], args, 0) for _ in range(2 * args.jobs))
            start = time.perf_counter()
            parallel(
                delayed(pyramid_regressor)(shapes[k % len(shapes)], csr_array(X), y, X_test, args, k)
                for k in range(2 * len(shapes))
            )
            seconds = (time.perf_counter() - start) / (2 * len(shapes))
        rows[f"loop of PyramidRegressor, CSR, {args.jobs} processes"] = (
            np.array([seconds, np.nan]),
            errors["loop of PyramidRegressor, CSR"],
        )
        train_ensemble(X[:8], y[:8], args, args.jobs)  # starts its processes
        total, ensemble = train_ensemble(X, y, args, args.jobs)
        rows[f"PyramidEnsemble, {args.jobs} processes"] = (np.array([total[0] / args.members, np.nan]), together)

    print(machine("torch", "skorch", "scikit-learn", "xenonpy"))
    print(
        f"{args.rows:,} x {args.columns:,} counts, {np.count_nonzero(X) / len(X):.0f} nonzeros a row; {args.members} "
        f"networks ({args.hidden}), {args.epochs} epochs, batches of {args.batch_size}, {args.threads} threads, "
        f"{args.device}; {args.sample} networks one by one, twice"
    )
    missing = (np.full(2, np.nan), [])
    reference, loop = (rows.get(name, missing)[0] for name in ("XenonPy Trainer", "loop of PyramidRegressor, dense"))
    table = [
        (
            name,
            1e3 * seconds[0],
            1e3 * seconds[1],
            seconds[0] * args.members,
            *(other[~np.isnan(seconds)][-1] / seconds[~np.isnan(seconds)][-1] for other in (reference, loop)),
            f"{np.mean(mae):.2f} ± {np.std(mae):.2f}",
        )
        for name, (seconds, mae) in rows.items()
    ]
    columns = [
        "training",
        "ms / network",
        "processor ms / network",
        f"s / {args.members} networks",
        "times XenonPy",
        "times the loop, dense",
        "MAE",
    ]
    title = "Time of training; ratios are of processor time, or of wall time for several processes"
    markdown(title, columns, table + [(name, reason, *[""] * 5) for name, reason in skipped.items()])
    print(f"\nMAE of the mean: {np.abs(y_test - y.mean()).mean():.2f}")

    skipping, dense, moved = bounds(drawn, X, args)
    peak, speed, took = matmul_peak(), bandwidth(), rows["PyramidEnsemble"][0][1]
    limits = [
        ("products, zeros of X skipped", f"{skipping / 1e9:.2f} GFLOP", 1e3 * skipping / peak, skipping / peak / took),
        ("products, all of X", f"{dense / 1e9:.2f} GFLOP", 1e3 * dense / peak, dense / peak / took),
        ("AdamW", f"{moved / 1e9:.2f} GB", 1e3 * moved / speed, moved / speed / took),
    ]
    title = f"What bounds one network ({peak / 1e9:.0f} GFLOP/s, copies at {speed / 1e9:.0f} GB/s)"
    columns = ["work", "amount", "ms at full speed", "share of PyramidEnsemble's processor time"]
    markdown(title, columns, [(name, amount, ms, f"{share:.0%}") for name, amount, ms, share in limits])
    figures = {
        name: {"wall_s": s[0], "processor_s": None if np.isnan(s[1]) else s[1], "mae": mae}
        for name, (s, mae) in rows.items()
    }
    arguments = {name: value for name, value in vars(args).items() if name != "json"}
    write_json(args.json, {"arguments": arguments, "training": figures, "bounds": limits})


if __name__ == "__main__":
    main()
