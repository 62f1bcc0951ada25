"""From the states of the atoms to those of the structure."""

import numpy as np
import torch

_POOLS = ("mean", "std", "sum", "max")


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


def pool_atoms(states, group, n_groups, pools):
    """Pool over the atoms of each group, such as those of one structure.

    Parameters
    ----------
    states : ndarray of shape (n_atoms, ...)
    group : ndarray of int, of shape (n_atoms,)
        Number of the group of each atom.
    n_groups : int
        Zeros come out of groups without atoms.
    pools : tuple of str
        As `check_pooling` returns it.

    Returns
    -------
    pooled : ndarray of shape (n_groups, n_pools, ...)
    """
    states, shape = torch.from_numpy(states).flatten(1), states.shape[1:]
    group = torch.from_numpy(group)
    places = group[:, None].expand_as(states)
    empty = states.new_zeros(n_groups, states.shape[1])
    total = empty.scatter_add(0, places, states)
    count = torch.bincount(group, minlength=n_groups).clamp(min=1)[:, None]
    pooled = []
    for pool in pools:
        if pool == "max":
            pooled.append(empty.scatter_reduce(0, places, states, "amax", include_self=False))
        elif pool == "std":
            off = states - (total / count)[group]
            pooled.append((empty.scatter_add(0, places, off.square()) / count).sqrt())
        else:
            pooled.append(total if pool == "sum" else total / count)
    return np.stack([part.numpy().reshape(n_groups, *shape) for part in pooled], axis=1)
