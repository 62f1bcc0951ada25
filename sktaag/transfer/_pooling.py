"""From the states of the atoms to those of the structure."""

import numpy as np

_POOLS = {"mean": np.mean, "std": np.std, "sum": np.sum, "max": np.max}


def check_pooling(pooling):
    """Return the parameter `pooling` as a tuple of names, each of them valid.

    Parameters
    ----------
    pooling : str or sequence of str

    Returns
    -------
    pools : tuple of str
    """
    pools = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    if not pools or not set(pools) <= set(_POOLS) or len(set(pools)) < len(pools):
        raise ValueError(f"pooling must be some of {', '.join(_POOLS)}, each once, got {pooling!r}.")
    return pools


def pool_atoms(states, pools):
    """Pool over the atoms.

    Parameters
    ----------
    states : ndarray of shape (n_atoms, ...)
        Zeros come out where there are no atoms.
    pools : tuple of str
        As `check_pooling` returns it.

    Returns
    -------
    pooled : ndarray of shape (n_pools, ...)
    """
    if not len(states):
        return np.zeros((len(pools), *states.shape[1:]), states.dtype)
    return np.stack([_POOLS[name](states, axis=0) for name in pools])
