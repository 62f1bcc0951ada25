"""What the scripts in this folder share: interleaved timing, the machine, tables."""

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np


def interleaved(runs, repeats, clock=time.perf_counter):
    """Time each function once a round, so that a busy neighbour slows all of them; a dict of lists of seconds."""
    seconds = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return seconds


def ratio(seconds, other):
    """Return the median over the rounds of how many times the time of `other` is the time of `seconds`."""
    return float(np.median(np.array(other) / np.array(seconds)))


def machine(*packages):
    """Name the processor and the versions that the figures belong to."""
    cpu = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{cpu.partition(': ')[2] or cpu}, {len(os.sched_getaffinity(0))} cores, load average {load}; "
        f"Python {platform.python_version()}, {versions}"
    )


def markdown(title, columns, rows):
    """Print one table."""
    print(f"\n{title}\n")
    print(f"| {' | '.join(columns)} |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print(f"| {' | '.join(_cell(value) for value in row)} |")


def write_json(path, content):
    """Write the figures, if a file was asked for."""
    if path:
        Path(path).write_text(json.dumps(content, indent=1) + "\n")


def _cell(value):
    if isinstance(value, float):
        return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _lines(path):
    return Path(path).read_text().splitlines() if Path(path).exists() else []
