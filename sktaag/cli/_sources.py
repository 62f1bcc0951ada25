"""Source networks for the command line: trained once on the offline tables, kept in a folder."""

import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import pooch
from sklearn.pipeline import make_pipeline

import sktaag
from sktaag import datasets
from sktaag.cli._table import TableError
from sktaag.descriptors import Fingerprints
from sktaag.sources import PyramidRegressor, load_source, save_source
from sktaag.structures import canonical_smiles

_DEFAULT = ("boiling_points", "critical_temperatures", "refractive_indices")


def cache_folder(path):
    """Folder for what is computed once."""
    return Path(pooch.os_cache("sktaag") if path is None else path) / "command_line"


def descriptor(cache=None):
    """Return the fingerprints of all models; repeat units are joined to rings, molecules are as they are."""
    kinds = ["morgan", "atom_pair", "torsion"]
    return Fingerprints(kinds, counts=True, size=1024, sparse=True, polymer="cyclic", cache=cache)


def offline_sources(names, X, folder, seed):
    """Train networks on the offline tables without the molecules of X, or take them from the folder.

    Parameters
    ----------
    names : list of str or None
        Of the ``load_`` functions of `sktaag.datasets`.
    X : ndarray of str
        Structures of the target.
    folder : pathlib.Path
    seed : int

    Returns
    -------
    sources : dict of str to fitted Pipeline
    seen : dict of str to ndarray of str
        What they were trained on.
    """
    known = [name.removeprefix("load_") for name in datasets.__all__ if name.startswith("load_")]
    for name in names or ():
        if name not in known:
            raise TableError(f"--source {name}: there is no such table. There are {', '.join(known)}.")
    held_out = canonical_smiles(X, stereo=False)
    sources, seen = {}, {}
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    for name in names or _DEFAULT:
        data = getattr(datasets, f"load_{name}")()
        new = ~np.isin(canonical_smiles(data.data, stereo=False), held_out)
        seen[name], values = data.data[new], data.target[new]
        network = PyramidRegressor(criterion="huber", max_epochs=60, patience=8, random_state=seed)
        source = make_pipeline(descriptor(folder / "rows"), network)
        path = folder / "sources" / f"{name}-{_digest(source, seen[name], values)}.source"
        if not path.exists():
            print(f"Training a network on {new.sum():,} {name} ...", file=sys.stderr, flush=True)
            start = time.perf_counter()
            save_source(source.fit(seen[name], values), path)
            score = source[-1].validation_score_
            told = "" if score is None else f", R2 {score:.2f} on its validation rows"
            took = f"  {time.perf_counter() - start:.0f} s{told}; kept as {path}"
            print(took, file=sys.stderr, flush=True)
        sources[name] = load_source(path)
    return sources, seen


def _digest(source, X, y):
    """Name a network by all that decides what it learns."""
    network = {name: str(value) for name, value in source[-1].get_params().items()}
    recipe = json.dumps([sktaag.__version__, source[0].cache_name(), network, X.tolist(), y.tolist()])
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]
