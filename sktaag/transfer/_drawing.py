"""How estimators over fitted sources draw themselves in a notebook."""

import pandas as pd
from sklearn.pipeline import FeatureUnion

from sktaag.transfer._named_sources import named_paths

_DRAWN = 8  # sources; more would hide what else there is


def draw_beside(parts):
    """Return the drawing of parts that stand side by side.

    Parameters
    ----------
    parts : dict of str to estimator or str

    Returns
    -------
    block : object
        For scikit-learn's diagrams.
    """
    return FeatureUnion(list(parts.items()))._sk_visual_block_()


def drawn_sources(sources):
    """Name the sources that a drawing shows.

    Parameters
    ----------
    sources : object
        As the `source` of `FrozenFeaturizer` or the `sources` of `SourceSearchCV`.

    Returns
    -------
    parts : dict of str to estimator or str
    """
    if isinstance(sources, pd.DataFrame):
        sources = named_paths(sources)
    elif isinstance(sources, (list, tuple)):
        sources = dict(enumerate(sources))
    elif not isinstance(sources, dict):
        sources = {} if sources is None else {"source": sources}
    drawn = {f"{name}: {type(source).__name__}": _part(source) for name, source in list(sources.items())[:_DRAWN]}
    if len(sources) > _DRAWN:
        drawn["more"] = f"and {len(sources) - _DRAWN} more"
    return drawn


def _part(source):
    """Return what scikit-learn can draw: an estimator, or a text."""
    return source if hasattr(source, "get_params") else f"{source!s:.80}"
