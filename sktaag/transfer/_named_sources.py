"""The sources of a search, whatever holds them: each by a name, opened when it is needed."""

from functools import partial
from operator import getitem
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import Pipeline, make_pipeline

from sktaag.sources import PyramidEnsemble


def named_sources(sources):
    """Name sources and tell how to open each.

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
    if isinstance(sources, Pipeline) and isinstance(sources[-1], PyramidEnsemble):
        return {k: partial(_chain_of_member, sources, k) for k in _trained(sources[-1])}
    if isinstance(sources, PyramidEnsemble):
        return {k: partial(getitem, sources, k) for k in _trained(sources)}
    if isinstance(sources, (str, Path, Pipeline, torch.nn.Module)) or not hasattr(sources, "__len__"):
        raise TypeError(
            "sources must be a list, dict, ensemble, sequence or DataFrame of sources, got "
            f"{type(sources).__name__}. Wrap a single source in a list."
        )
    if len(sources) == 0:
        raise ValueError("sources is empty; at least one is needed.")
    if isinstance(sources, pd.DataFrame):
        if not {"id", "source"} <= set(sources.columns):
            raise ValueError(
                'A DataFrame of sources must have the columns "id" and "source", as ModelLibrary.search returns them, '
                f"got {', '.join(map(repr, sources.columns))}."
            )
        sources = dict(zip(sources["id"], sources["source"], strict=True))
    names = list(sources) if isinstance(sources, dict) else range(len(sources))
    return {name: partial(getitem, sources, name) for name in names}


def _trained(ensemble):
    len(ensemble)  # says so if it is not fitted
    return np.flatnonzero(ensemble.members_["best_epoch"] > 0).tolist()


def _chain_of_member(pipeline, k):
    return make_pipeline(*pipeline[:-1], pipeline[-1][k])
