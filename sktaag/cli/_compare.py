"""``sktaag compare``."""

import sys
from collections import defaultdict

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline

from sktaag.cli._library import open_library
from sktaag.cli._sources import cache_folder, descriptor, offline_sources
from sktaag.cli._table import TableError, read_table, split_unit
from sktaag.inspection import report
from sktaag.io import save_model
from sktaag.model_selection import compare
from sktaag.structures import InvalidStructureError, MoleculeReader, canonical_smiles
from sktaag.transfer import FrozenFeaturizer, SourceSearchCV

_SCORES = {"MAE": "neg_mean_absolute_error", "RMSE": "neg_root_mean_squared_error", "R2": "r2"}
_N_TRIED = 8  # pairs of source and layers that a search fits forests to


def run(args):
    """Judge direct and transferred models on a file."""
    table = read_table(args.data)
    structure, target = table.find(args.structure), table.find(args.target)
    name, unit = split_unit(table.header[target])
    X, y = tidy(table, structure, target, args)
    for note in table.notes:
        print(f"{table.path}: {note}", file=sys.stderr)
    if len(y) < 2 * args.cv:
        raise TableError(f"{table.path} leaves {len(y)} rows, too few for {args.cv} folds. Add rows, or lower --cv.")

    folder = cache_folder(args.cache)
    models, seen = make_models(args, X, folder)
    result = compare(
        models,
        X,
        y,
        cv=RepeatedKFold(n_splits=args.cv, n_repeats=args.repeats, random_state=args.seed),
        scoring=_SCORES,
        baseline="direct",
        source_X=seen,
        learning_curve=[0.25, 0.5] if args.learning_curve else None,
        target_name=name,
        unit=args.unit or unit,
        n_jobs=args.jobs,
        random_state=args.seed,
        verbose=1,
    )
    print(result)
    notes = list(table.notes)
    if args.library:
        notes.append(
            "The networks come from a library, which does not keep the structures that they were trained on. Whether "
            "they have seen rows of this file is not known."
        )
        print(notes[-1])
    if args.report:
        path = report(result, args.report, notes=notes)
        print(f"The page with plots: {path}", file=sys.stderr)
    if args.save:
        _save(args, result, X, y, table.header[structure])


def tidy(table, structure, target, args):
    """Take the rows that can be fitted, one for each structure; what happens to the others goes to the notes.

    Parameters
    ----------
    table : Table
    structure, target : int
        Places of the columns.
    args : argparse.Namespace

    Returns
    -------
    X : ndarray of str
    y : ndarray of float
    """
    texts, values = table.texts(structure), table.numbers(target)
    missing = np.flatnonzero(np.isnan(values)).tolist()
    if missing:
        table.notes.append(f"{table.where(missing)}: no value in {table.header[target]!r}, left out")
    rows = np.flatnonzero(~np.isnan(values)).tolist()
    read = MoleculeReader(polymer="cyclic").read_all(texts[row] for row in rows)
    reasons = {
        row: "the cell is empty" if not texts[row] else str(found)
        for row, found in zip(rows, read, strict=True)
        if isinstance(found, InvalidStructureError) or not texts[row]
    }
    if reasons and args.on_invalid == "raise":
        raise TableError(
            f"{len(reasons)} of {len(rows)} structures of {table.path} cannot be read:\n"
            f"{table.listing(structure, list(reasons.items()))}\n"
            "Correct these rows, or pass --on-invalid skip to leave them out."
        )
    table.notes += [f"line {table.lines[row]}: {texts[row]!r} left out: {reason}" for row, reason in reasons.items()]
    rows = [row for row in rows if row not in reasons]
    if not rows:
        raise TableError(f"{table.path} has no row with both a structure and a value.")
    groups = defaultdict(list)
    for row, key in zip(rows, canonical_smiles([texts[row] for row in rows]), strict=True):
        groups[key].append(row)
    several = {key: group for key, group in groups.items() if len(group) > 1}
    listing = [
        f"{table.where(group)}: {key} has the values {', '.join(f'{values[row]:g}' for row in group)}"
        for key, group in several.items()
    ]
    if several and args.duplicates == "raise":
        way_out = "Leave one row for each, or pass --duplicates median to take the median of their values."
        raise TableError("\n".join([f"{table.path} has structures in several rows:", *listing, way_out]))
    table.notes += [f"{text}; their median counts" for text in listing]
    X = np.array([texts[group[0]] for group in groups.values()], dtype=object)
    return X, np.array([np.median(values[group]) for group in groups.values()])


def make_models(args, X, folder):
    """Return the models by name, and what the sources have seen."""
    head = RandomForestRegressor(random_state=args.seed)
    models = {"direct": make_pipeline(descriptor(folder / "rows"), head)}
    searching = {"cv": 3, "screen": _N_TRIED, "random_state": args.seed, "cache": folder / "rows"}
    if args.library:
        filters = {"property": args.source} if args.source else {}
        found = open_library(args.library).search(**filters)
        if found.empty:
            raise TableError(f"{args.library} holds no model of {', '.join(args.source)}. Try sktaag library info.")
        models["search"] = SourceSearchCV(head, found, layers=[1], **searching)
        return models, None
    sources, seen = offline_sources(args.source, X, folder, args.seed)
    models["transfer"] = make_pipeline(FrozenFeaturizer(sources, layers=1, cache=folder / "rows"), head)
    if args.search:
        models["search"] = SourceSearchCV(head, sources, layers=[1, 2], **searching)
    return models, seen


def _save(args, result, X, y, structure):
    errors = result.table[result.table["metric"] == "MAE"].set_index("model")["mean"]
    best = errors.idxmin()
    about = {
        "structure": structure,
        "target": result.target_name,
        "unit": result.unit,
        "model": best,
        "MAE": float(errors[best]),
        "n_rows": len(y),
    }
    sha256 = save_model(clone(result.estimators[best]).fit(X, y), args.save, about=about)
    print(f"The model with the lowest mean error, {best!r}, fitted to all rows: {args.save}", file=sys.stderr)
    print(f"  SHA-256 {sha256}", file=sys.stderr)
