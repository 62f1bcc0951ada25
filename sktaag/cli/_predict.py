"""``sktaag predict``."""

import csv
import io
import sys
import warnings
from pathlib import Path

import numpy as np

from sktaag.cli._table import TableError, read_table
from sktaag.inspection._axes import with_unit
from sktaag.io import load_model
from sktaag.structures import InvalidRowsError, InvalidRowsWarning


def run(args):
    """Predict for each row of a file."""
    table = read_table(args.data)
    model = load_model(args.model, trusted=args.trusted)
    name = args.structure or model.about_.get("structure")
    if name is None and len(table.header) > 1:
        raise TableError(f"{args.model} does not tell the column of structures. Name it by --structure.")
    column = 0 if name is None else table.find(name)
    predicted, problems = predict_rows(model, table.texts(column))
    if problems and args.on_invalid == "raise":
        raise TableError(
            f"{len(problems)} of {len(table.cells)} structures of {table.path} cannot be read:\n"
            f"{table.listing(column, sorted(problems.items()))}\n"
            "Correct these rows, or pass --on-invalid nan to leave their predictions empty."
        )
    for note in table.notes:
        print(f"{table.path}: {note}", file=sys.stderr)
    if problems:
        print(f"{table.path}: no prediction for {table.where(sorted(problems))}", file=sys.stderr)

    title = f"predicted {with_unit(model.about_.get('target', 'value'), model.about_.get('unit'))}"
    classes = _classes_of(model)
    n_targets = predicted.shape[1] - len(classes)
    titles = [title] if n_targets == 1 else [f"{title} {i}" for i in range(1, n_targets + 1)]
    titles += [f"probability of {name}" for name in classes]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=table.separator, lineterminator="\n")
    writer.writerow([*table.header, *titles, *(["problem"] if problems else [])])
    for row, cells in enumerate(table.cells):
        own = ["" if row in problems else _text(value) for value in predicted[row]]
        writer.writerow([*cells, *own, *([problems.get(row, "")] if problems else [])])
    if args.output:
        Path(args.output).write_text(text.getvalue(), encoding="utf-8")
        n_predicted = len(table.cells) - len(problems)
        print(f"{n_predicted} predictions are in {args.output}", file=sys.stderr)
    else:
        print(text.getvalue(), end="")


def predict_rows(model, structures):
    """Predict, whatever the policy of the model for structures that cannot be read.

    Parameters
    ----------
    model : fitted estimator
    structures : list of str

    Returns
    -------
    predicted : ndarray of shape (n_rows, n_targets) and dtype object
        Behind a class, the probabilities of all, if the model tells them.
    problems : dict of int to str
        Reason for each row that has no prediction.
    """
    X = np.array(structures, dtype=object)
    problems = {row: "the cell is empty" for row, text in enumerate(structures) if not text}

    def attempt():
        rows = [row for row in range(len(X)) if row not in problems]
        if not rows:
            return rows, np.empty((0, 1 + len(_classes_of(model))), dtype=object)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                found = np.asarray(model.predict(X[rows]), dtype=object).reshape(len(rows), -1)
                if len(_classes_of(model)):
                    found = np.hstack([found, model.predict_proba(X[rows])])
            except InvalidRowsError as error:
                problems.update({rows[row]: reason for row, _, reason in error.rows})
                return attempt()
        for warning in caught:
            if isinstance(warning.message, InvalidRowsWarning):
                problems.update({rows[row]: reason for row, _, reason in warning.message.rows})
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return rows, found

    rows, found = attempt()
    predicted = np.full((len(X), found.shape[1]), None, dtype=object)
    predicted[rows] = found
    return predicted, problems


def _classes_of(model):
    """Classes whose probabilities a model tells; none of several targets at once."""
    classes = getattr(model, "classes_", None) if hasattr(model, "predict_proba") else None
    return classes if isinstance(classes, np.ndarray) and classes.ndim == 1 else ()


def _text(value):
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
