"""Tables and plots of the runs of md17.py."""

import matplotlib
import numpy as np
import pandas as pd
from _md17 import MOLECULES, NETWORKS, interval
from matplotlib import pyplot as plt

matplotlib.use("agg")
matplotlib.rcParams["svg.hashsalt"] = "sktaag"  # the same figures, the same file

FINE_TUNED, CONTROL, ATTENTION = "fine-tuned, all", "fine-tuned, embeddings frozen", "TAAG, embeddings frozen"


def cell(values):
    """Mean over the seeds and their number as text."""
    return f"{np.mean(values):.1f} ({len(values)})" if len(values) else ""


def with_interval(logs, digits):
    """Geometric mean of ratios and the interval of pairs taken as independent as text."""
    if not len(logs):
        return ""
    mean, half = interval(logs)
    low, high = np.exp([mean - half, mean + half])
    shown = "" if np.isnan(half) else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{np.exp(mean):.{digits}f}{shown}"


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


def log_errors(table, error):
    """Logarithms of errors: a row for each molecule and draw of frames, a column for each method."""
    return np.log(table.pivot_table(index=["molecule", "seed"], columns="method", values=error))


def report_choices(rows):
    """Make a table of what --choose found."""
    lines = ["", "**Settings: 50 training frames of a molecule, MAE of 200 others of its training frames**", ""]
    lines += ["| molecule | network | method | settings | epochs | forces, meV/Å | energy, meV |", "|---" * 7 + "|"]
    for row in rows:
        cells = f"{row['molecule']} | {row['network']} | {row['method']} | {row['settings'][1:-1]} | {row['epochs']}"
        lines.append(f"| {cells} | {row['forces']:.1f} | {row['energy']:.1f} |")
    return "\n".join(lines)


def groups_of(results):
    """Name the tables: source, size, epochs of runs that take weights of a source."""
    results = results[results["method"] != "scratch"]
    return sorted(set(zip(results["source"], results["size"], results["epochs"], strict=True)))


def report(results, methods):
    """Make the tables as markdown, with the methods in this order."""
    lines = []
    for source, size, epochs in groups_of(results):
        title = f"source {source}, {size} frames, {epochs} epochs"
        table = with_scratch(results, source, size, epochs)
        for error, unit in (("forces", "meV/Å"), ("energy", "meV")):
            molecules = [name for name in MOLECULES if name in set(table["molecule"])]
            logs = log_errors(table, error)
            ratios = logs.sub(logs.get("scratch", np.nan), axis=0)
            lines += ["", f"**MAE of {error} in {unit}, {title} (number of seeds)**", ""]
            lines += [f"| method | {' | '.join(molecules)} | / scratch | pairs | s |"]
            lines += ["|---" * (len(molecules) + 4) + "|"]
            for method in [*methods, *sorted(set(table["method"]) - set(methods))]:
                rows = table[table["method"] == method]
                if rows.empty:
                    continue
                cells = [cell(rows.loc[rows["molecule"] == name, error]) for name in molecules]
                known = ratios[method].dropna()
                shown = "1" if method == "scratch" else with_interval(known, 2)
                seconds = f"{rows['seconds'].median():.0f}"
                lines.append(f"| {method} | {' | '.join(cells)} | {shown} | {len(known)} | {seconds} |")
            lines += against_fine_tuning(logs)
        weights = weights_of(table)
        if weights:
            lines += ["", f"Layer weights, {title}: embedding, each block; mean of runs", ""]
        lines += [f"- {method}: {np.round(values, 2).tolist()}" for method, values in weights.items()]
    return "\n".join(lines)


def against_fine_tuning(logs):
    """Make lines that compare attention with the same training without it, all trained or with the same part frozen."""
    lines = []
    for other in (FINE_TUNED, CONTROL):
        if not {ATTENTION, other} <= set(logs):
            continue
        known = (logs[ATTENTION] - logs[other]).dropna()
        if len(known):
            lines += ["", f"{ATTENTION} / {other}: {with_interval(known, 3)}, {len(known)} pairs"]
    return lines


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
