"""What the benchmarks of graph networks share: runs until the time is up, and options."""

import argparse
import time
from pathlib import Path

import numpy as np
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
