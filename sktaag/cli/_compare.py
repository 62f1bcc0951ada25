"""``sktaag compare``."""

import sys
from collections import defaultdict

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline

from sktaag.cli._library import open_library
from sktaag.cli._sources import cache_folder, descriptor, offline_sources
from sktaag.cli._table import TableError, read_table, split_unit
from sktaag.cli._target import check_classes, middle, read_target
from sktaag.inspection import report
from sktaag.io import save_model
from sktaag.model_selection import compare
from sktaag.structures import InvalidStructureError, MoleculeReader, canonical_smiles
from sktaag.transfer import FrozenFeaturizer, SourceSearchCV

_SCORES = {"MAE": "neg_mean_absolute_error", "RMSE": "neg_root_mean_squared_error", "R2": "r2"}
_CLASS_SCORES = {"ROC AUC": "roc_auc_ovr", "balanced accuracy": "balanced_accuracy"}
_N_TRIED = 8  # pairs of source and layers that a search fits forests to


def run(args):
    """Judge direct and transferred models on a file."""
    table = read_table(args.data)
    structure, target = table.find(args.structure), table.find(args.target)
    name, unit = split_unit(table.header[target])
    values, is_class = read_target(table, target, args.task)
    X, y = tidy(table, structure, target, values, args)
    for note in table.notes:
        print(f"{table.path}: {note}", file=sys.stderr)
    if len(y) < 2 * args.cv:
        raise TableError(f"{table.path} leaves {len(y)} rows, too few for {args.cv} folds. Add rows, or lower --cv.")
    if is_class:
        check_classes(table.path, y, args.cv)

    folder = cache_folder(args.cache)
    models, seen = make_models(args, X, folder, is_class)
    folds = RepeatedStratifiedKFold if is_class else RepeatedKFold
    result = compare(
        models,
        X,
        y,
        cv=folds(n_splits=args.cv, n_repeats=args.repeats, random_state=args.seed),
        scoring=_CLASS_SCORES if is_class else _SCORES,
        baseline="direct",
        source_X=seen,
        learning_curve=[0.25, 0.5] if args.learning_curve else None,
        target_name=name,
        unit=None if is_class else args.unit or unit,
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


def tidy(table, structure, target, values, args):
    """Take the rows that can be fitted, one for each structure; what happens to the others goes to the notes.

    Parameters
    ----------
    table : Table
    structure, target : int
        Places of the columns.
    values : ndarray
        Of the target, as `read_target` returns them.
    args : argparse.Namespace

    Returns
    -------
    X : ndarray of str
    y : ndarray of float, or of str
    """
    texts, is_class = table.texts(structure), values.dtype == object
    absent = np.array([value is None for value in values]) if is_class else np.isnan(values)
    missing = np.flatnonzero(absent).tolist()
    if missing:
        table.notes.append(f"{table.where(missing)}: no value in {table.header[target]!r}, left out")
    rows = np.flatnonzero(~absent).tolist()
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
        f"{table.where(group)}: {key} has the {'classes' if is_class else 'values'} "
        + ", ".join(values[row] if is_class else f"{values[row]:g}" for row in group)
        for key, group in several.items()
    ]
    if several and args.duplicates == "raise":
        way = "their most frequent class" if is_class else "the median of their values"
        way_out = f"Leave one row for each, or pass --duplicates median to take {way}."
        raise TableError("\n".join([f"{table.path} has structures in several rows:", *listing, way_out]))
    X = np.array([texts[group[0]] for group in groups.values()], dtype=object)
    y = [middle(values[group]) for group in groups.values()]
    if undecided := [text for text, key in zip(listing, several, strict=True) if y[list(groups).index(key)] is None]:
        way_out = "No class is the most frequent one. Leave one row for each."
        raise TableError("\n".join([f"{table.path} has structures of several classes:", *undecided, way_out]))
    counts = "the most frequent class counts" if is_class else "their median counts"
    table.notes += [f"{text}; {counts}" for text in listing]
    return X, np.array(y)


def make_models(args, X, folder, is_class):
    """Return the models by name, and what the sources have seen."""
    head = (RandomForestClassifier if is_class else RandomForestRegressor)(random_state=args.seed)
    models = {"direct": make_pipeline(descriptor(folder / "rows"), head)}
    searching = {"cv": 3, "screen": _N_TRIED, "random_state": args.seed, "cache": folder / "rows"}
    if is_class:
        searching["scoring"] = "balanced_accuracy"  # a small class may be missing in an inner fold
    if args.library:
        filters = {"property": args.source} if args.source else {}
        found = open_library(args.library).search(hidden="*", **filters)
        if found.empty:
            wanted = f" of {', '.join(args.source)}" if args.source else ""
            raise TableError(f"{args.library} holds no network{wanted}. Try sktaag library info.")
        # the first network found may read graphs and have no descriptors
        models["search"] = SourceSearchCV(head, found, layers=[1], baseline=models["direct"], **searching)
        return models, None
    sources, seen = offline_sources(args.source, X, folder, args.seed)
    models["transfer"] = make_pipeline(FrozenFeaturizer(sources, layers=1, cache=folder / "rows"), head)
    if args.search:
        models["search"] = SourceSearchCV(head, sources, layers=[1, 2], **searching)
    return models, seen


def _save(args, result, X, y, structure):
    metric = result.metrics[0]
    means = result.table[result.table["metric"] == metric].set_index("model")["mean"]
    lower = result.lower_is_better[metric]
    best = means.idxmin() if lower else means.idxmax()
    about = {
        "structure": structure,
        "target": result.target_name,
        "unit": result.unit,
        "model": best,
        metric: float(means[best]),
        "n_rows": len(y),
    }
    sha256 = save_model(clone(result.estimators[best]).fit(X, y), args.save, about=about)
    found = "lowest mean error" if lower else f"highest mean {metric}"
    print(f"The model with the {found}, {best!r}, fitted to all rows: {args.save}", file=sys.stderr)
    print(f"  SHA-256 {sha256}", file=sys.stderr)
