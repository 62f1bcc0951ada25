"""Which depths of a graph network are asked for."""

from numbers import Integral

import numpy as np


def pick_depths(layers, n_tokens):
    """Resolve the parameter `layers` of estimators over layer tokens.

    Parameters
    ----------
    layers : int, list of int or "all"
        k takes the last k depths; a list picks some, counted from the last one, which is 1.
    n_tokens : int
        Number of depths of the source, the embedding among them.

    Returns
    -------
    depths : list of int
        0 for the embedding, in the order of the network.

    Raises
    ------
    ValueError
        If `layers` is none of these, picks none, or asks for more depths than there are.
    """
    if isinstance(layers, str) and layers == "all":
        return list(range(n_tokens))
    asked = range(1, layers + 1) if isinstance(layers, Integral) else layers
    if not isinstance(asked, (list, tuple, range, np.ndarray)):
        raise ValueError(f'layers must be an integer, a list of integers or "all", got {layers!r}.')
    for depth in asked:
        if not isinstance(depth, Integral) or not 1 <= depth <= n_tokens:
            raise ValueError(
                f"layers={layers!r} asks for depth {depth!r}, counted from the last block; the source has "
                f"{n_tokens}, the embedding among them."
            )
    if not len(asked):
        raise ValueError(f"layers={layers!r} picks no depth.")
    return sorted({n_tokens - depth for depth in asked})
