"""The sources of a search, whatever holds them: each by a name, opened when it is needed."""

from functools import partial
from operator import getitem
from pathlib import Path

import pandas as pd
import torch
from sklearn.pipeline import Pipeline


def named_sources(sources):
    """Name sources and tell how to open each.

    Parameters
    ----------
    sources : list, dict, DataFrame or sequence
        A DataFrame comes from a search in a library: its column (or index) ``id`` names the sources and
        ``attrs["library"].get(id)`` opens one. Any other object with ``len`` and ``[i]`` is a sequence, so that an
        ensemble can build its members one at a time.

    Returns
    -------
    openers : dict of callables
        By the key of a dict, the id of a library, or the place in a sequence.
    """
    if isinstance(sources, (str, Path, Pipeline, torch.nn.Module)) or not hasattr(sources, "__len__"):
        raise TypeError(
            f"sources must be a list, dict, sequence or DataFrame of sources, got {type(sources).__name__}. Wrap a "
            "single source in a list."
        )
    if len(sources) == 0:
        raise ValueError("sources is empty; at least one is needed.")
    if isinstance(sources, pd.DataFrame):
        return _of_library(sources)
    names = list(sources) if isinstance(sources, dict) else range(len(sources))
    return {name: partial(getitem, sources, name) for name in names}


def _of_library(frame):
    library = frame.attrs.get("library")
    ids = frame.index if frame.index.name == "id" else frame.get("id")
    if library is None or ids is None:
        raise ValueError(
            'A DataFrame of sources must have a column "id" and the library that it comes from in attrs["library"]. '
            "Pass what ModelLibrary.search returned, or a list of sources."
        )
    return {name: partial(library.get, name) for name in ids}
