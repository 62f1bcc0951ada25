"""``sktaag library``."""

import json
from pathlib import Path

from sktaag.cli._table import TableError
from sktaag.sources import ModelLibrary

_SHOWN = ["id", "property", "unit", "material", "dataset", "hidden", "r2", "validation_score", "n_train"]


def open_library(path):
    """Open a library that is there."""
    if not Path(path).is_dir():
        raise TableError(f"{path} is no model library; there is no such folder.")
    library = ModelLibrary(path)
    if not len(library):
        raise TableError(f"{path} holds no model.")
    return library


def search(args):
    """List models."""
    names = ("property", "material", "dataset", "name", "min_r2")
    filters = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    found = open_library(args.library).search(limit=args.limit, **filters)
    if found.empty:
        print("No model matches. Fewer conditions find more; * and ? stand for any letters.")
    else:
        shown = found[_SHOWN].dropna(axis=1, how="all")
        print(shown.to_string(index=False, na_rep="", float_format="{:.3g}".format))


def info(args):
    """Show what is in a library, or one card."""
    library = open_library(args.library)
    if args.id is not None:
        print(json.dumps(library.card(args.id), indent=1))
        return
    print(library)
    counts = library.search().fillna("").groupby(["property", "unit", "material"]).size().rename("models")
    print(counts.reset_index().to_string(index=False))
