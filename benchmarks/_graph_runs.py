"""What the benchmarks of graph networks share: runs until the time is up, and options."""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _transfer_protocol import _digest, _read, evaluate


def parser(doc, output):
    """Return the options that these scripts have."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cache", type=Path, default=Path("~/.cache/sktaag-benchmarks/graphs").expanduser())
    options.add_argument("--minutes", type=float, default=np.inf, help="begin no further fit after this time")
    options.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / output)
    return options


def run(label, models, y, splits, store, end):
    """Fit all models on one split after another, keep each fit, and return what is complete.

    Parameters
    ----------
    label, models, y, splits, store : object
        As `evaluate` takes them.
    end : float
        On the monotonic clock; nothing begins after it.

    Returns
    -------
    results : DataFrame or None
        As `evaluate` returns them, for the splits on which all models ran. None if there is none.
    """
    for split in splits:
        for name, model in models.items():
            if time.monotonic() < end:
                evaluate(label, {name: model}, y, [split], store)
    known = _read(store)
    complete = [split for split in splits if all((label, name, _digest(*split)) in known for name in models)]
    return evaluate(label, models, y, complete, store) if complete else None


def errors_by_rate(label, make_models, rates, y, splits, store, end):
    """Judge every learning rate, with `run`.

    Parameters
    ----------
    make_models : callable
        From a rate to models, as `evaluate` takes them.
    rates : sequence of float
    label, y, splits, store, end : object
        As in `run`.

    Returns
    -------
    errors : DataFrame or None
        Mean absolute errors, a row for each model and a column for each rate; None until all have run.
    """
    errors = {}
    for rate in rates:
        results = run(f"{label}, rate {rate:g}", make_models(rate), y, splits, store, end)
        if results is None or results["fold"].nunique() < len(splits):
            return None
        errors[rate] = results.groupby("model", sort=False)["mae"].mean()
    return pd.DataFrame(errors)


def best_rates(errors):
    """Return the rate of each method with the smallest geometric mean over the data, of which `errors` has a level."""
    return np.log(errors).T.groupby(level=1).mean().idxmin()


def rate_table(errors, rates):
    """Return the lines of a table: errors by data and learning rate, and the rate taken."""
    head = [f"{label}, {rate:g}" for label, rate in errors.columns] + ["taken"]
    lines = ["| method | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for name, row in errors.iterrows():
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + f" | {rates[name]:g} |")
    return lines
