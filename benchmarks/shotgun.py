"""A thousand source networks: XenonPy's Trainer and a loop of PyramidRegressor against PyramidEnsemble.

python benchmarks/shotgun.py                                   200 networks on 4,000 x 1,024 counts, all cores
python benchmarks/shotgun.py --members 30 --epochs 5           a quick look
python benchmarks/shotgun.py --nonzeros 400                    counts that are not sparse enough for bags of rows
python benchmarks/shotgun.py --members 1000 --epochs 100 --sample 24 --device cuda --reference cpu.json
                                                               where there is a device, beside figures of the CPU

The ensemble trains all networks; the others train a sample of them, spread evenly over the widths, of the same shapes,
on the same rows, for the same epochs, with the same optimizer, and their times are extrapolated per network. No early
stopping, so that all do the same work. The errors on rows outside of the training are of the sampled networks: they
show that all learn the same. Processes of joblib are started before the clock.

On a device the ensemble runs in each precision of its products. XenonPy's Trainer stays on the CPU: its time per
network and epoch is that of --reference, a file that --json wrote.
"""

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from _timing import machine, markdown, write_json
from joblib import Parallel, cpu_count, delayed
from pyramid import make_counts
from scipy.sparse import csr_array

from sktaag.nn import RandomPyramid
from sktaag.sources import PyramidEnsemble, PyramidRegressor

LR, WEIGHT_DECAY = 0.001, 0.01
PRECISIONS = {"float32": False, "TF32": "auto", "bfloat16": True}
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


def train_ensemble(X, y, args, n_jobs, mixed_precision="auto"):
    ensemble = PyramidEnsemble(
        args.members,
        SETUPS[args.hidden],
        lr=LR,
        weight_decay=WEIGHT_DECAY,
        batch_size=args.batch_size,
        max_epochs=args.epochs,
        early_stopping=False,
        models_per_batch=args.models_per_batch,
        max_memory=args.max_memory,
        mixed_precision=mixed_precision,
        device=args.device,
        n_jobs=n_jobs,
        random_state=0,
    )
    start = clock()
    ensemble.fit(X, y)
    return clock() - start, ensemble


def fastest(run, repeats, device):
    """Return the seconds of the fastest of some calls; on the CPU those of the processor, which may be busy."""
    clock, seconds = time.process_time if device == "cpu" else time.perf_counter, []
    for _ in range(repeats):
        synchronize(device)
        start = clock()
        run()
        synchronize(device)
        seconds.append(clock() - start)
    return min(seconds)


def synchronize(device):
    if device != "cpu":
        torch.cuda.synchronize()


def matmul_peak(device="cpu", dtype=torch.float32, precision="highest"):
    """Return the measured operations a second of a large product."""
    n = 1024 if device == "cpu" else 8192
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    torch.set_float32_matmul_precision(precision)
    seconds = fastest(lambda: a @ b, 100 if device == "cpu" else 8, device)
    torch.set_float32_matmul_precision("highest")
    return 2 * n**3 / seconds


def bandwidth(device="cpu"):
    """Return the measured bytes a second of a copy, read and written."""
    n_bytes = 2**28 if device == "cpu" else 2**32
    a = torch.zeros(n_bytes // 4, device=device)
    b = torch.empty_like(a)
    return 2 * n_bytes / fastest(lambda: b.copy_(a), 20, device)


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


KERNELS = {
    "products": ("gemm", "cutlass", "nvjet", "xmma", "gemv", "splitk"),
    "AdamW": ("adam",),
    "batch norm": ("batch_norm",),
}


def profile(X, y, args):
    """Count what the device does in two epochs of one chunk of networks: kernels, their time by kind, and the wall."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    short = argparse.Namespace(**{**vars(args), "epochs": 2})
    short.members = min(args.members, 150)
    train_ensemble(X, y, short, None)
    with record(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as recorded:
        train_ensemble(X, y, short, None)
    table = recorded.key_averages()
    steps = sum(row.count for row in table if row.key == "aten::_fused_adamw_")
    kernels = [e for e in recorded.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    kernels = sorted((e.time_range.start, e.time_range.end, e.name.lower()) for e in kernels)
    busy = dict.fromkeys([*KERNELS, "else"], 0.0)
    for start, end, name in kernels:
        kind = next((kind for kind, parts in KERNELS.items() if any(part in name for part in parts)), "else")
        busy[kind] += end - start
    gaps = np.array([max(after[0] - before[1], 0) for before, after in pairwise(kernels)])
    within = gaps[gaps < 2000]  # longer ones are between chunks, whose first weights the host draws
    print(f"\nProfile of {short.members} networks, 2 epochs: {steps} steps, {len(kernels) / steps:.0f} kernels a step")
    total = sum(busy.values()) + within.sum()
    rows = [*busy.items(), ("device waits between kernels", within.sum())]
    rows = [(kind, us / steps, f"{us / total:.0%}") for kind, us in rows]
    markdown("Time of a step by kind of kernel", ["kind", "µs a step", "share"], rows)
    print(f"\nDevice waits between chunks: {(gaps.sum() - within.sum()) / 1e3:.0f} ms")
    if args.kernels:
        print(table.table(sort_by="self_device_time_total", row_limit=30, max_name_column_width=70))


OPERATIONS = {
    "products": ("aten::mm",),
    "bags of rows, the sparse products of the first layer": ("embedding_bag",),
    "batch norm": ("batch_norm",),
    "activation": ("clamp_min", "threshold_backward"),
    "AdamW": ("adam",),
}


def profile_on_cpu(X, y, args):
    """Print the shares of the time of one epoch of a few networks by kind of operation."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    short = argparse.Namespace(**{**vars(args), "epochs": 1})
    short.members = min(args.members, 8)
    with record(activities=[ProfilerActivity.CPU]) as recorded:
        train_ensemble(X, y, short, None, False)
    table = recorded.key_averages()
    spent = dict.fromkeys([*OPERATIONS, "else"], 0.0)
    for row in table:
        kind = next((kind for kind, parts in OPERATIONS.items() if any(part in row.key for part in parts)), "else")
        spent[kind] += row.self_cpu_time_total
    rows = [(kind, f"{us / sum(spent.values()):.0%}") for kind, us in spent.items()]
    markdown(f"Where PyramidEnsemble's time goes ({short.members} networks, 1 epoch)", ["operations", "share"], rows)
    if args.kernels:
        print(table.table(sort_by="self_cpu_time_total", row_limit=30, max_name_column_width=70))


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
    parser.add_argument("--max-memory", type=int, help="bytes for the networks that are trained together")
    parser.add_argument("--reference", help="file of --json with XenonPy's time on a CPU, for runs on a device")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS), help="on a device")
    parser.add_argument("--kernels", action="store_true", help="list the kernels that take most time")
    parser.add_argument("--json", help="file for the figures")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    rng = np.random.RandomState(0)
    n_test = args.rows // 4
    X, y = make_counts(args.rows + n_test, args.columns, args.nonzeros, rng)
    X, X_test, y, y_test = X[:-n_test], X[-n_test:], y[:-n_test], y[-n_test:]
    brief = argparse.Namespace(**{**vars(args), "epochs": 1})
    train_ensemble(X[:8], y[:8], argparse.Namespace(**{**vars(brief), "members": 8}), None)  # starts the device
    fixed, drawn = train_ensemble(X[:8], y[:8], brief, None)  # the shapes do not depend on the rows
    drawn = drawn.members_["hidden_sizes"]
    order = drawn.map(lambda hidden: X.shape[1] * hidden[0] + hidden[0] * hidden[1]).sort_values().index
    picked = order[((np.arange(args.sample) + 0.5) * len(order) / args.sample).astype(int)]
    shapes = [drawn[k] for k in picked]
    if args.device == "cpu":
        on_cpu(X, y, X_test, y_test, args, drawn, picked, shapes)
    else:
        on_device(X, y, X_test, y_test, args, drawn, picked, shapes, fixed[0])


def on_device(X, y, X_test, y_test, args, drawn, picked, shapes, fixed):
    pyramid_regressor(shapes[0], X, y, X_test, argparse.Namespace(**{**vars(args), "epochs": 1}), 0)  # warm up
    rows, maes = {}, {}
    loop = pyramid_regressor, shapes[:: max(1, len(shapes) // 4)]
    seconds, maes["loop of PyramidRegressor, dense"] = train_sample(*loop, X, y, X_test, y_test, args)
    rows["loop of PyramidRegressor, dense"] = np.mean(seconds, axis=0)[0]
    for name in args.precisions:
        torch.cuda.reset_peak_memory_stats()
        total, ensemble = train_ensemble(X, y, args, None, PRECISIONS[name])
        memory = torch.cuda.max_memory_allocated()
        name = f"PyramidEnsemble, {name}"
        rows[name] = total[0] / args.members
        maes[name] = [float(np.abs(ensemble[k].predict(X_test) - y_test).mean()) for k in picked]
        print(f"{name}: {total[0]:.1f} s, MAE {np.mean(maes[name]):.3f}, {memory / 2**30:.1f} GiB", flush=True)

    reference = None
    if args.reference:
        figures = json.loads(Path(args.reference).read_text())
        reference = figures["training"]["XenonPy Trainer"]["processor_s"] / figures["arguments"]["epochs"]
    print(f"{torch.cuda.get_device_name()}; {machine('torch', 'skorch', 'scikit-learn')}")
    print(describe(X, args) + f"; {len(loop[1])} networks one by one; errors of {len(picked)}")
    exact = np.array(maes[f"PyramidEnsemble, {args.precisions[0]}"])
    table = [
        (
            name,
            1e3 * seconds,
            seconds * args.members,
            rows["loop of PyramidRegressor, dense"] / seconds,
            "" if reference is None else reference * args.epochs / seconds,
            f"{np.mean(maes[name]):.2f} ± {np.std(maes[name]):.2f}",
            f"{np.mean(maes[name] - exact):+.3f}" if len(maes[name]) == len(exact) else "",
        )
        for name, seconds in rows.items()
    ]
    columns = ["training", "ms / network", f"s / {args.members} networks", "times the loop", "times XenonPy on a CPU"]
    markdown("Time of training", [*columns, "MAE", f"MAE less that of {args.precisions[0]}"], table)
    print(f"\nMAE of the mean: {np.abs(y_test - y.mean()).mean():.2f}")
    if reference is not None:
        print(f"XenonPy's Trainer on the CPU: {1e3 * reference:.0f} ms of processor time a network and epoch")

    _, dense, moved = bounds(drawn, X, args)
    copies = bandwidth(args.device)
    peaks = {
        "float32": matmul_peak(args.device),
        "TF32": matmul_peak(args.device, precision="high"),
        "bfloat16": matmul_peak(args.device, torch.bfloat16),
    }
    limits = [("fixed: weights drawn on the host, stacks made and fetched", "", fixed)]
    limits += [
        (f"products in {kind} at {peak / 1e12:.0f} TFLOP/s", f"{dense * args.members / 1e12:.0f} TFLOP", seconds)
        for kind, peak in peaks.items()
        for seconds in [dense * args.members / peak]
    ]
    amount = moved * args.members
    limits += [(f"AdamW at {copies / 1e12:.1f} TB/s", f"{amount / 1e12:.1f} TB", amount / copies)]
    name, seconds = list(rows.items())[-1]
    took = seconds * args.members
    limits = [(work, amount, seconds, f"{seconds / took:.0%}") for work, amount, seconds in limits]
    columns = ["work", "amount", "s", f"share of {name}"]
    markdown(f"What bounds {args.members} networks, at measured full speed", columns, limits)
    profile(X, y, args)
    figures = {name: {"wall_s": seconds, "mae": maes[name]} for name, seconds in rows.items()}
    write_json(args.json, {"arguments": arguments(args), "training": figures, "bounds": limits})


def on_cpu(X, y, X_test, y_test, args, drawn, picked, shapes):
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

    ensembles = {"PyramidEnsemble": False, "PyramidEnsemble, bfloat16 products": True}
    together, totals = {}, {}
    run_loops()  # before, between and after: the machine may be busy
    for name, mixed_precision in ensembles.items():
        totals[name], ensemble = train_ensemble(X, y, args, None, mixed_precision)
        together[name] = [float(np.abs(ensemble[k].predict(X_test) - y_test).mean()) for k in picked]
        run_loops()
    rows = {name: (np.mean(seconds, axis=0), errors[name]) for name, seconds in each.items() if seconds}
    rows |= {name: (total / args.members, together[name]) for name, total in totals.items()}
    if args.jobs > 1:
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
        seconds = np.array([total[0] / args.members, np.nan])
        rows[f"PyramidEnsemble, {args.jobs} processes"] = (seconds, together["PyramidEnsemble"])

    print(machine("torch", "skorch", "scikit-learn", "xenonpy"))
    print(describe(X, args) + f"; {args.sample} networks one by one, three times")
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
    speed, peaks = bandwidth(), {"float32": matmul_peak(), "bfloat16": matmul_peak(dtype=torch.bfloat16)}
    works = [
        (f"products in {dtype}, {what}, at {peak / 1e9:.0f} GFLOP/s", f"{amount / 1e9:.2f} GFLOP", amount / peak)
        for what, amount in (("zeros of X skipped", skipping), ("all of X", dense))
        for dtype, peak in peaks.items()
    ]
    works.append((f"AdamW, copies at {speed / 1e9:.0f} GB/s", f"{moved / 1e9:.2f} GB", moved / speed))
    took = [rows[name][0][1] for name in ensembles]
    limits = [
        (work, amount, 1e3 * seconds, *(f"{seconds / whole:.0%}" for whole in took)) for work, amount, seconds in works
    ]
    title = "What bounds one network, at measured full speed"
    markdown(title, ["work", "amount", "ms", *(f"share of {name}" for name in ensembles)], limits)
    profile_on_cpu(X, y, args)
    figures = {
        name: {"wall_s": s[0], "processor_s": None if np.isnan(s[1]) else s[1], "mae": mae}
        for name, (s, mae) in rows.items()
    }
    write_json(args.json, {"arguments": arguments(args), "training": figures, "bounds": limits})


def describe(X, args):
    return (
        f"{args.rows:,} x {args.columns:,} counts, {np.count_nonzero(X) / len(X):.0f} nonzeros a row; {args.members} "
        f"networks ({args.hidden}), {args.epochs} epochs, batches of {args.batch_size}, {args.threads} threads, "
        f"{args.device}"
    )


def arguments(args):
    return {name: value for name, value in vars(args).items() if name not in ("json", "reference", "kernels")}


if __name__ == "__main__":
    main()
