"""Names of sources, whatever holds them: those that a search tries one by one, those that stand side by side."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import Pipeline, make_pipeline

from sktaag.nn import Backbone
from sktaag.sources import GNNRegressor, ModelLibrary, load_source
from sktaag.sources._graph_networks import is_backbone
from sktaag.sources._shotgun_ensemble import ShotgunEnsemble


def named_sources(sources):
    """Name the sources of a search and tell how to open each.

    Parameters
    ----------
    sources : list, dict, DataFrame, ensemble or sequence
        A DataFrame is what `ModelLibrary.search` returns: its column ``source`` holds what `FrozenFeaturizer` takes and
        ``id`` the names. An ensemble, or a Pipeline that ends in one, stands for its networks, but for those whose
        training diverged. Any other object with ``len`` and ``[i]`` is a sequence.

    Returns
    -------
    openers : dict of callables
        By the key of a dict, the id in a library, or the place in a sequence.
    """
    _refuse_library(sources)
    if _ensemble_of(sources) is not None:
        return {k: partial(_member, sources, k) for k in _trained(sources)}
    if isinstance(sources, (str, Path, Pipeline, torch.nn.Module)) or not hasattr(sources, "__len__"):
        raise TypeError(
            "sources must be a list, dict, ensemble, sequence or DataFrame of sources, got "
            f"{type(sources).__name__}. Wrap a single source in a list."
        )
    _refuse_nothing("sources", sources)
    libraries = {}
    if isinstance(sources, pd.DataFrame):
        rows = zip(*_check_library_rows(sources), strict=True)
        return {model_id: partial(open_source, path, libraries) for model_id, path in rows}
    names = list(sources) if isinstance(sources, dict) else range(len(sources))
    return {name: partial(_take, sources, name, libraries) for name in names}


def card_labels(sources):
    """Say in words what each model of a library query predicts.

    Parameters
    ----------
    sources : object
        As in `named_sources`.

    Returns
    -------
    labels : dict of str
        Property and unit by id; empty for anything but a DataFrame.
    """
    return dict(zip(sources["id"], _cards(sources), strict=True)) if isinstance(sources, pd.DataFrame) else {}


def parts_of(source, member):
    """List what stands side by side in the `source` of a `FrozenFeaturizer`.

    Parameters
    ----------
    source, member : object
        Its parameters.

    Returns
    -------
    parts : dict of (source, int or None)
        Source and member by their name, which is what the column of a predicted property is called: key of the dict,
        property and unit in a library, property and number of the network in an ensemble, stem of a path, place in a
        list. A single source has the name "".

    Raises
    ------
    ValueError
        If there is no source, or two have the same name.
    """
    if isinstance(source, pd.DataFrame):
        named = [(name, (path, None)) for name, path in named_paths(source).items()]
    elif isinstance(source, dict):
        named = [(str(name), (one, member)) for name, one in source.items()]
    elif isinstance(source, (list, tuple)):
        stems = [Path(one).stem if isinstance(one, (str, Path)) else f"source{i}" for i, one in enumerate(source)]
        named = [(stem, (one, member)) for stem, one in zip(stems, source, strict=True)]
    elif _ensemble_of(source) is not None and (isinstance(member, (list, tuple, np.ndarray)) or member == "all"):
        named = _named_members(source, member)
    else:
        named = [("", (source, member))]
    _refuse_nothing("source", source if isinstance(source, pd.DataFrame) else named)
    if len(dict(named)) < len(named):
        names = ", ".join(name for name, _ in named)
        raise ValueError(f"Several sources have the same name: {names}. Name them by a dict.")
    return dict(named)


def named_paths(frame):
    """Return the ``"folder#id"`` of the models that `search` of a library found, by the names of their columns."""
    _, paths = _check_library_rows(frame)
    return dict(zip(_card_names(frame), paths, strict=True))


def for_file(source):
    """Return what a file keeps in place of sources.

    It holds no DataFrame, but the names and paths of its rows, and no bare torch module, but the estimator of it.
    """
    if isinstance(source, pd.DataFrame):
        return named_paths(source)
    if isinstance(source, dict):
        return {name: for_file(one) for name, one in source.items()}
    if isinstance(source, (list, tuple)):
        return [for_file(one) for one in source]
    return GNNRegressor.from_pretrained(source) if isinstance(source, Backbone) else source


def _refuse_library(sources):
    if isinstance(sources, ModelLibrary):
        raise TypeError(
            "A whole ModelLibrary is no source. Take what its search returns: library.search(property=...), or "
            "library.search(hidden='*') for all networks."
        )


def _refuse_nothing(name, sources):
    if len(sources) == 0:
        found = " The query found no model." if isinstance(sources, pd.DataFrame) else ""
        raise ValueError(f"{name} is empty; at least one is needed.{found}")


def _check_library_rows(frame):
    if not {"id", "source"} <= set(frame.columns):
        raise ValueError(
            'A DataFrame of sources must have the columns "id" and "source", as ModelLibrary.search returns them, '
            f"got {', '.join(map(repr, frame.columns))}."
        )
    return frame["id"].tolist(), frame["source"].tolist()


def open_source(source, libraries):
    """Load a source that is named by its path; anything else is one.

    Parameters
    ----------
    source : object
    libraries : dict of ModelLibrary
        By folder, those that are open: models of one library share what stands before their networks.

    Returns
    -------
    source : fitted estimator or torch.nn.Module
    """
    _refuse_library(source)
    if is_backbone(source) and not (isinstance(source, str) and Path(source).exists()):
        return GNNRegressor.from_pretrained(source)
    if not isinstance(source, (str, Path)):
        return source
    folder, _, model_id = str(source).rpartition("#")
    if not folder or Path(source).exists():
        return load_source(source)
    return libraries.setdefault(folder, ModelLibrary(folder)).get(model_id)


def _take(sources, name, libraries):
    return open_source(sources[name], libraries)


def _card_names(frame):
    """Name each model by its card, and by its id where that is not enough to tell it from another one."""
    names = _cards(frame)
    return [
        f"{name} {model_id}" if names.count(name) > 1 else name
        for name, model_id in zip(names, frame["id"], strict=True)
    ]


def _cards(frame):
    """Write property and unit of each model, or its id if its card has no property."""
    names = []
    for card in frame.to_dict("records"):
        name, unit = card.get("property"), card.get("unit")
        if not isinstance(name, str):  # there is no such column, or nothing in it
            name, unit = str(card["id"]), None
        names.append(f"{name} ({unit})" if isinstance(unit, str) and unit else name)
    return names


def _named_members(source, member):
    table = _ensemble_of(source).members_["property"]
    numbers = _trained(source) if isinstance(member, str) else [int(k) for k in member]
    names = [table.get(k) for k in numbers]
    return [
        (f"{name} {k}" if isinstance(name, str) else f"member{k}", (source, k))
        for name, k in zip(names, numbers, strict=True)
    ]


def _ensemble_of(source):
    last = source[-1] if isinstance(source, Pipeline) else source
    return last if isinstance(last, ShotgunEnsemble) else None


def _trained(source):
    ensemble = _ensemble_of(source)
    len(ensemble)  # says so if it is not fitted
    return np.flatnonzero(ensemble.members_["best_epoch"] > 0).tolist()


def _member(source, k):
    return make_pipeline(*source[:-1], source[-1][k]) if isinstance(source, Pipeline) else source[k]
