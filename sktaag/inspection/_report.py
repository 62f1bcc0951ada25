"""One page that shows a comparison or a search to people who have neither Python nor a network."""

from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.rdBase import BlockLogs

from sktaag.inspection._axes import COLOURS, with_unit
from sktaag.inspection._learning_curve_display import LearningCurveDisplay
from sktaag.inspection._svg import Plot, colour_of, legend
from sktaag.sources._parts import library_versions, write_whole
from sktaag.structures import InvalidStructureError, to_mol

_DRAWN = 2000  # molecules; a drawing takes some kB
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#222;max-width:62rem;margin:0 auto;padding:1rem}
h1{line-height:1.2}h2{margin-top:2.2rem;border-bottom:1px solid #ddd}figure{margin:0}figcaption{font-size:.9rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .55rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th:first-child,tbody th,.facts td{text-align:left}.facts td{white-space:normal;vertical-align:top}
.facts td+td{overflow-wrap:anywhere}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(18rem,100%),1fr));gap:1rem}
svg{width:100%;height:auto;font-size:12px}.plots svg{max-width:30rem}circle{fill-opacity:.75;stroke:#fff}
circle:hover{stroke:#000;fill-opacity:1}.worse{color:#b00}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.9rem}
.legend span{display:inline-block;width:1em;height:.7em;margin-right:.4em}
pre{overflow-x:auto;background:#f6f6f6;padding:.6rem;font-size:.85rem}
#card{position:fixed;display:none;max-width:15rem;background:#fff;border:1px solid #888;border-radius:4px;
padding:.4rem;font-size:.85rem;overflow-wrap:anywhere;pointer-events:none;box-shadow:0 2px 8px #0003}
"""
# the only JavaScript of the page: a card with the molecule beside the point
_SCRIPT = """
const card = document.getElementById('card');
function show(event) {
  const point = event.target.closest('circle[data-row]');
  if (!point) { card.style.display = 'none'; return; }
  const drawing = document.getElementById('molecule-' + point.dataset.row);
  const text = document.createElement('div');
  text.textContent = point.querySelector('title').textContent;
  card.replaceChildren(...(drawing ? [drawing.content.cloneNode(true)] : []), text);
  card.style.display = 'block';
  const box = point.getBoundingClientRect();
  const left = Math.min(box.right + 8, innerWidth - card.offsetWidth - 4);
  const below = box.bottom + 8 + card.offsetHeight < innerHeight;
  card.style.left = Math.max(4, left) + 'px';
  card.style.top = Math.max(4, below ? box.bottom + 8 : box.top - card.offsetHeight - 8) + 'px';
}
document.addEventListener('pointerover', show);
document.addEventListener('click', show);
"""


def report(found, path, *, fitted=None, title=None, notes=()):
    """Write a comparison or a search as one HTML file that needs no other.

    Of a comparison it shows what came out in words, the table with intervals, the data, the leak guard, predicted
    against measured values with the molecule beside the point under the mouse, the learning curve if there is one,
    settings, seeds and versions. Of a search it shows the summary, the strategies and the best candidates. The page
    opens offline; without JavaScript it lacks nothing but the drawings beside the mouse.

    Parameters
    ----------
    found : Comparison, fitted SourceSearchCV, or dict of these
        What `sktaag.model_selection.compare` returns, or `sktaag.transfer.SourceSearchCV`; several by their headings.
    path : path
        File to write. An existing one is replaced.
    fitted : dict of str to fitted estimator, or None, default=None
        Models whose layer weights are shown, those with ``layer_weights_`` as `sktaag.transfer.TAAGRegressor` has.
    title : str or None, default=None
        Of the page. None: the name of the target.
    notes : sequence of str, default=()
        What readers must know of the data, one paragraph each.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    TypeError
        If `found` is neither a comparison nor a fitted search.

    See Also
    --------
    sktaag.model_selection.compare : Makes a comparison.
    ParityDisplay : The plot alone, for a paper.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.inspection import report
    >>> from sktaag.model_selection import compare
    >>> X = ["C" * n + end for n in range(1, 11) for end in ("", "O", "N")]
    >>> y = [30.0 * n + 80 * shift for n in range(1, 11) for shift in (0, 2, 1)]
    >>> models = {"mean": DummyRegressor(), "ridge": make_pipeline(Fingerprints(counts=True, size=64), Ridge())}
    >>> result = compare(models, X, y, target_name="boiling point", unit="K")
    >>> with TemporaryDirectory() as folder:
    ...     page = report(result, f"{folder}/boiling.html").read_text()
    >>> "ridge is better than mean" in page
    True
    """
    several = isinstance(found, dict) and not hasattr(found, "sentences")
    parts = [_sections(one, f"{i}-") for i, one in enumerate(found.values())] if several else [_sections(found, "")]
    weights = {name: model.layer_weights_ for name, model in _with_layer_weights(fitted or {})}
    if weights:
        parts[-1].insert(-1, ("Layer weights", _layer_weights(weights)))
    remarks = "".join(f"<p>{escape(note)}</p>" for note in notes)
    if notes and not several:
        parts[0].insert(1, ("Notes on the data", remarks))
    bodies = [
        "".join(f"<section><h2>{escape(heading)}</h2>{content}</section>" for heading, content in sections)
        for sections in parts
    ]
    if several:
        name = title or "Which model is best?"
        headings = [f"<h1>{escape(str(heading))}</h1>" for heading in found]
        body = remarks + "".join(heading + content for heading, content in zip(headings, bodies, strict=True))
        drawings = "".join(_drawings(one, f"{i}-") for i, one in enumerate(found.values()))
    else:
        name = title or _title(found)
        body, drawings = bodies[0], _drawings(found, "")
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        f"<title>{escape(name)}</title><style>{_STYLE}</style></head><body><h1>{escape(name)}</h1>{body}"
        f"{drawings}<div id='card'></div><script>{_SCRIPT}</script></body></html>\n"
    )
    path = Path(path)
    write_whole(path, page.encode())
    return path


def _sections(found, prefix):
    """Headings and contents; `prefix` tells the rows of several comparisons on a page apart."""
    if hasattr(found, "sentences"):
        return _comparison_sections(found, prefix)
    if hasattr(found, "contest_"):
        return _search_sections(found)
    raise TypeError(
        f"report takes what compare returns, or a fitted SourceSearchCV, got {type(found).__name__}. "
        "Compare or fit first."
    )


def _title(found):
    if hasattr(found, "contest_"):
        return "Which source is best?"
    return f"{found.target_name or 'Target'}: which model is best?"


# ---------------------------------------------------------------- comparison


def _comparison_sections(found, prefix):
    sentences = "".join(
        f"<p{' class=worse' if found.negative_transfer[name] else ''}>{escape(sentence)}</p>"
        for name, sentence in found.sentences.items()
    )
    unit = f" Errors in {found.unit}." if found.unit else ""
    caption = (
        f"{len(found.rows)} rows, {len(found.folds)} folds, mean ± half of the {found.settings['confidence']:.0%} "
        f"interval ({found.settings['interval']}); difference to {found.baseline} in {found.metrics[0]}.{unit}"
    )
    sections = [
        ("In words", sentences or "<p>There is one model only.</p>"),
        ("Table", f"<p>{escape(caption)}</p><div class='wide'>{found.summary().to_html(border=0)}</div>"),
        ("Data", _data(found)),
        ("Leak guard", f"<p>{escape(_guard(found))}</p>"),
        ("Predicted and measured", _confusion(found) if found.classes is not None else _parity(found, prefix)),
    ]
    if found.learning_curve is not None:
        sections.append(("Learning curve", _learning_curve(found)))
    settings = {**found.settings, "seconds": f"{found.wall_time:.1f}", "seeds": found.seeds}
    models = "".join(
        f"<h3>{escape(str(name))}</h3><pre>{escape(repr(model))}</pre>" for name, model in found.estimators.items()
    )
    models = f"<details><summary>Parameters of the models</summary>{models}</details>"
    sections.append(("Settings, seeds, versions", _facts(settings | found.versions) + models))
    return sections


def _data(found):
    if found.classes is not None:
        counts = pd.Series(found.y).value_counts().rename_axis("class").to_frame("rows")
        return f"<p>{len(found.y)} rows.</p><div class='wide'>{counts.to_html(border=0)}</div>"
    parts = []
    for name, values in _targets(found).items():
        values = values[np.isfinite(values)]
        label = with_unit(name, found.unit)
        heights, edges = np.histogram(values, bins="auto" if len(values) < 1000 else 40)
        plot = Plot((edges[0], edges[-1]), (0, heights.max()), label, "rows", f"Histogram of {label}", 480, 220)
        plot.bars(edges, heights, COLOURS[0])
        text = (
            f"{len(values)} values of {label}: median {np.median(values):.4g}, from {values.min():.4g} to "
            f"{values.max():.4g}, standard deviation {values.std():.3g}."
        )
        parts.append(f"<figure>{plot}<figcaption>{escape(text)}</figcaption></figure>")
    return f"<div class='plots'>{''.join(parts)}</div>"


def _targets(found):
    name = found.target_name or "target"
    if found.y.ndim == 1:
        return {name: np.asarray(found.y, dtype=float)}
    return {f"{name} {i}": np.asarray(values, dtype=float) for i, values in enumerate(found.y.T)}


def _guard(found):
    guard = found.leak_guard().removeprefix("Leak guard: ")
    if not guard:
        return (
            "Nobody said which structures the sources were trained on (source_X of compare), so it is not known "
            "whether test rows are new to the models."
        )
    return guard[0].upper() + guard[1:]


def _parity(found, prefix):
    structures, figures = dict(zip(found.rows.tolist(), found.X, strict=True)) if _is_column(found) else {}, []
    several = "target" in found.predictions
    names = list(_targets(found))
    for (model, target), rows in found.predictions.groupby(
        ["model", "target"] if several else ["model", found.predictions["model"].map(lambda _: 0)], sort=False
    ):
        means = rows.groupby("row")[["y_true", "y_pred"]].mean().dropna()
        if not len(means):
            continue
        label = with_unit(names[target], found.unit)
        low, high = means.to_numpy().min(), means.to_numpy().max()
        margin = 0.04 * (high - low)
        limits = low - margin, high + margin
        heading = f"{model}, {names[target]}" if several else str(model)
        plot = Plot(limits, limits, f"measured {label}", f"predicted {label}", f"Parity plot of {heading}")
        plot.line(limits, limits, "#999", 1)
        unit = f" {found.unit}" if found.unit else ""
        titles = [
            (f"{structures[row]}\n" if isinstance(structures.get(row), str) else "")
            + f"measured {point.y_true:.4g}{unit}, predicted {point.y_pred:.4g}{unit} (row {row})"
            for row, point in zip(means.index, means.itertuples(), strict=True)
        ]
        colour = colour_of(found.models.index(model))
        plot.points(means["y_true"], means["y_pred"], colour, titles, [f"{prefix}{row}" for row in means.index])
        error = (means["y_true"] - means["y_pred"]).abs().mean()
        text = f"<b>{escape(heading)}</b>: mean absolute error of these points {error:.3g}{escape(unit)}"
        figures.append(f"<figure>{plot}<figcaption>{text}</figcaption></figure>")
    note = "Each point is a row in a test fold, the mean where it was in several. Point at it to see the molecule."
    return f"<p>{note}</p><div class='plots'>{''.join(figures)}</div>"


def _confusion(found):
    parts = []
    for model, rows in found.predictions.groupby("model", sort=False):
        counts = pd.crosstab(rows["y_true"].rename("measured"), rows["y_pred"].rename("predicted"))
        parts.append(f"<figure><figcaption><b>{escape(str(model))}</b></figcaption>{counts.to_html(border=0)}</figure>")
    note = "Rows of all test folds: measured classes down, predicted ones across."
    return f"<p>{note}</p><div class='plots wide'>{''.join(parts)}</div>"


def _learning_curve(found):
    display = LearningCurveDisplay._of_comparison(found)
    sizes, lines = display.train_sizes, display.lines()
    lowest = min((mean - error).min() for mean, error in lines.values())
    highest = max((mean + error).max() for mean, error in lines.values())
    limits, label = (sizes[0], sizes[-1]), display.score_name
    plot = Plot(limits, (lowest, highest), "rows fitted to", label, "Learning curve", 480, 300, counts=True)
    for i, (mean, error) in enumerate(lines.values()):
        plot.band(sizes, mean - error, mean + error, colour_of(i))
        plot.line(sizes, mean, colour_of(i), 2)
    caption = "Mean over the folds; the bands are its standard error."
    return f"<figure class='plots'>{plot}</figure>{legend(found.models)}<p>{caption}</p>"


def _is_column(found):
    return getattr(found.X, "ndim", 0) == 1


def _drawings(found, prefix):
    """Molecules in templates, which a browser does not show."""
    if (
        not hasattr(found, "sentences")
        or not _is_column(found)
        or len(found.rows) > _DRAWN
        or found.classes is not None
    ):
        return ""
    parts = []
    with BlockLogs():
        for row, structure in zip(found.rows, found.X, strict=True):
            try:
                drawing = _draw(to_mol(structure))
            except (InvalidStructureError, RuntimeError):
                continue  # no molecule, such as a formula
            parts.append(f"<template id='molecule-{prefix}{row}'>{drawing}</template>")
    return "".join(parts)


def _draw(mol):
    canvas = rdMolDraw2D.MolDraw2DSVG(200, 150)
    canvas.drawOptions().clearBackground = False
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, mol)
    canvas.FinishDrawing()
    text = canvas.GetDrawingText()
    body = text[text.index("<!-- END OF HEADER -->") + len("<!-- END OF HEADER -->") :]  # the rest names its own DTD
    return f"<svg viewBox='0 0 200 150' width='200' height='150'>{body}"


# ---------------------------------------------------------------- search


def _search_sections(search):
    strategies = pd.DataFrame(search.contest_)
    shown = [name for name in ("mean_test_score", "std_test_score", "gain", "error_of_gain") if name in strategies]
    strategies = strategies.set_index("strategy")[shown]
    strategies.index.name = None
    results = pd.DataFrame(search.cv_results_)
    columns = [name for name in results if name.startswith("param_")] + ["mean_test_score", "std_test_score"]
    best = results.sort_values("rank_test_score").set_index("rank_test_score")[columns].head(20)
    best.index.name = None
    summary = "".join(f"<p>{escape(line)}</p>" for line in search.summary_.splitlines())
    names = ("layers", "cv", "scoring", "screen", "one_standard_error", "aggregate", "n_best", "random_state")
    settings = {name: getattr(search, name) for name in names} | {"head": search.head}
    return [
        ("In words", summary),
        ("Strategies", f"<div class='wide'>{strategies.to_html(border=0, float_format='{:.4g}'.format)}</div>"),
        ("Best candidates", f"<div class='wide'>{best.to_html(border=0, float_format='{:.4g}'.format)}</div>"),
        ("Settings, seeds, versions", _facts(settings | library_versions())),
    ]


# ---------------------------------------------------------------- both


def _with_layer_weights(fitted):
    for name, model in fitted.items():
        steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
        yield from ((name, step) for step in steps if hasattr(step, "layer_weights_"))


def _layer_weights(weights):
    highest, n_layers = max(w.max() for w in weights.values()), max(len(w) for w in weights.values())
    label = "layer (0: before the first block)"
    plot = Plot((0, n_layers - 1), (0, highest), label, "weight", "Layer weights", 480, 260, counts=True)
    for i, values in enumerate(weights.values()):
        plot.line(range(len(values)), values, colour_of(i), 2)
        titles = [f"layer {depth}: {value:.3g}" for depth, value in enumerate(values)]
        plot.points(range(len(values)), values, colour_of(i), titles)
    return f"<figure class='plots'>{plot}</figure>{legend(weights)}"


def _facts(facts):
    rows = "".join(f"<tr><td>{escape(str(name))}</td><td>{escape(str(fact))}</td></tr>" for name, fact in facts.items())
    return f"<table class='facts'>{rows}</table>"
