"""How long one pyramid takes to train: a plain torch loop, PyramidRegressor dense and sparse, XenonPy's Trainer.

python benchmarks/pyramid.py                 the four of them, same widths, batches, optimizer and epochs
python benchmarks/pyramid.py --density       where a CSR batch beats the same batch made dense, first layer alone

Synthetic counts in the shape of hashed fingerprints: a few frequent columns and a long tail. The target is a function
of the counts plus noise; the validation MAE on rows outside the training shows that all of them learn the same.
"""

import argparse
import platform
import time

import numpy as np
import scipy
import skorch
import torch
from scipy.sparse import csr_array
from scipy.sparse import random as random_sparse
from torch import nn

from sktaag.heads._rows import Rows
from sktaag.nn import SparseLinear
from sktaag.sources import PyramidRegressor

HIDDEN = (400, 200, 80)
LR, WEIGHT_DECAY = 0.001, 0.01


def make_counts(n_rows, n_columns, n_nonzero, rng):
    rates = rng.pareto(2.0, n_columns)
    low, high = 0.0, 1e3
    for _ in range(60):  # scale the rates so that a row has n_nonzero nonzeros on average
        scale = (low + high) / 2
        low, high = (scale, high) if (1 - np.exp(-scale * rates)).sum() < n_nonzero else (low, scale)
    X = rng.poisson(scale * rates, (n_rows, n_columns)).astype(np.float32)
    y = np.log1p(X) @ rng.randn(n_columns)
    return X, 400 + 50 * (y - y.mean()) / y.std() + 5 * rng.randn(n_rows)


def plain_loop(X, y, args, seed):
    """Train what one writes by hand: dense tensors, batches by index."""
    torch.manual_seed(seed)
    layers = []
    for n_in, n_out in zip((X.shape[1], *HIDDEN), HIDDEN, strict=False):
        layers += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    loss = nn.MSELoss()
    mean, scale = y.mean(), y.std()
    X, y = torch.from_numpy(X), torch.from_numpy(((y - mean) / scale).astype(np.float32))[:, None]
    for _ in range(args.epochs):
        model.train()
        for rows in torch.randperm(len(X)).split(args.batch_size):
            optimizer.zero_grad()
            loss(model(X[rows]), y[rows]).backward()
            optimizer.step()

    def predict(X):
        with torch.no_grad():
            return model.eval()(torch.from_numpy(X)).numpy().ravel() * scale + mean

    return predict


def pyramid_regressor(X, y, args, seed):
    source = PyramidRegressor(
        HIDDEN,
        dropout=0.0,
        batch_norm=True,
        optimizer="adamw",
        lr=LR,
        weight_decay=WEIGHT_DECAY,
        batch_size=args.batch_size,
        max_epochs=args.epochs,
        early_stopping=False,
        device="cpu",
        random_state=seed,
    )
    return source.fit(X, y).predict


def xenonpy_trainer(X, y, args, seed):
    from torch.utils.data import DataLoader
    from xenonpy.model import SequentialLinear
    from xenonpy.model.training import Trainer
    from xenonpy.model.training.dataset import ArrayDataset
    from xenonpy.model.training.extension import TensorConverter
    from xenonpy.model.training.loss import MSELoss
    from xenonpy.model.training.optimizer import AdamW

    torch.manual_seed(seed)
    mean, scale = y.mean(), y.std()
    model = SequentialLinear(X.shape[1], 1, h_neurons=HIDDEN)
    trainer = Trainer(optimizer=AdamW(lr=LR, weight_decay=WEIGHT_DECAY), loss_func=MSELoss(), epochs=args.epochs)
    trainer.extend(TensorConverter()).reset(to=model)
    batches = DataLoader(ArrayDataset(X, ((y - mean) / scale)[:, None]), shuffle=True, batch_size=args.batch_size)
    trainer.fit(training_dataset=batches, progress_bar=None)
    return lambda X: trainer.predict(x_in=torch.from_numpy(X)).ravel() * scale + mean


def compare_trainers(args):
    rng = np.random.RandomState(0)
    n_test = args.size // 5
    X, y = make_counts(args.size + n_test, args.columns, args.nonzeros, rng)
    X, X_test, y, y_test = X[:-n_test], X[-n_test:], y[:-n_test], y[-n_test:]
    runs = {
        "plain torch loop, dense": (plain_loop, X),
        "PyramidRegressor, dense": (pyramid_regressor, X),
        "PyramidRegressor, CSR": (pyramid_regressor, csr_array(X)),
        "XenonPy Trainer, dense": (xenonpy_trainer, X),
    }
    seconds, errors, skipped = {name: [] for name in runs}, {name: [] for name in runs}, {}
    for seed in range(args.repeats):
        for name, (train, inputs) in runs.items():  # interleaved: a busy neighbour slows all of them
            if name in skipped:
                continue
            start = time.perf_counter()
            try:
                predict = train(inputs, y, args, seed)
            except ImportError as error:
                skipped[name] = f"{type(error).__name__}: {error}"
                continue
            seconds[name].append(time.perf_counter() - start)
            errors[name].append(np.abs(predict(X_test) - y_test).mean())

    density = np.count_nonzero(X) / X.size
    print(f"{len(X):,} x {X.shape[1]:,} counts, {density * X.shape[1]:.0f} nonzeros a row ({density:.1%});")
    print(f"{HIDDEN} units, {args.epochs} epochs, batches of {args.batch_size}, {args.repeats} interleaved repeats;")
    print(f"{machine()}\n")
    print("| training (medians) | s | s / epoch | times the plain loop's speed | validation MAE |")
    print("|---|---|---|---|---|")
    plain = np.array(seconds["plain torch loop, dense"])
    for name in runs:
        if name in skipped:
            print(f"| {name} | skipped: {skipped[name]} | | | |")
            continue
        median, speed = np.median(seconds[name]), np.median(plain / np.array(seconds[name]))
        print(f"| {name} | {median:.2f} | {median / args.epochs:.3f} | {speed:.2f} | {np.median(errors[name]):.2f} |")
    print(f"\nMAE of the mean: {np.abs(y_test - y.mean()).mean():.2f}")


def compare_densities(args):
    print(f"forward and backward of one layer to {HIDDEN[0]} units, batches of {args.batch_size} sliced from CSR;")
    print(f"medians of {20 * args.repeats} batches; {machine()}\n")
    print("| nonzeros | as CSR, ms | made dense, ms | ratio |\n|---|---|---|---|")
    for density in (0.01, 0.02, 0.05, 0.1, 0.15, 0.2):
        rng = np.random.RandomState(0)
        X = csr_array(random_sparse(args.size, args.columns, density=density, random_state=rng, dtype=np.float32))
        times = {True: [], False: []}
        layers = {sparse: SparseLinear(args.columns, HIDDEN[0], column_major=sparse) for sparse in times}
        for _ in range(20 * args.repeats):
            chosen = rng.permutation(args.size)[: args.batch_size]
            for sparse, layer in layers.items():
                rows = Rows(X)
                rows.sparse = sparse
                start = time.perf_counter()
                layer.zero_grad()
                layer(rows.take(chosen)[0]).sum().backward()
                times[sparse].append(1e3 * (time.perf_counter() - start))
        csr, dense = np.median(times[True]), np.median(times[False])
        print(f"| {density:.0%} | {csr:.2f} | {dense:.2f} | {dense / csr:.2f} |")


def machine():
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (torch, skorch, scipy))
    return f"{torch.get_num_threads()} threads, {platform.machine()}, Python {platform.python_version()}, {versions}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--size", type=int, default=5000, help="training rows")
    parser.add_argument("--columns", type=int, default=3072)
    parser.add_argument("--nonzeros", type=int, default=100, help="a row")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--threads", type=int, help="torch's threads; its own choice if not given")
    parser.add_argument("--density", action="store_true", help="compare densities instead of trainers")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    (compare_densities if args.density else compare_trainers)(args)


if __name__ == "__main__":
    main()
