"""Pairs of edges that share an atom."""

import torch
from torch import Tensor


def triplets(edge_index: Tensor, edge_shift: Tensor, n_atoms: int) -> tuple[Tensor, Tensor]:
    """Find all pairs of edges k -> j -> i, periodic images told apart.

    Pairs are made of edges, not of atoms, so that two images of one atom are two neighbours. Only an edge and its own
    reverse make no pair.

    Parameters
    ----------
    edge_index : Tensor of shape (2, E)
        Source above target.
    edge_shift : Tensor of shape (E, 3)
        Shift of the source's image in Å.
    n_atoms : int
        Number of atoms.

    Returns
    -------
    kj, ji : Tensor of shape (n_triplets,)
        Numbers of the edges.
    """
    source, target = edge_index
    n_edges = len(source)
    into = target.argsort(stable=True)  # edges grouped by the atom that they lead to
    n_into = torch.bincount(target, minlength=n_atoms)
    first_into = n_into.cumsum(0) - n_into

    n_pairs = n_into[source]
    ji = torch.arange(n_edges, device=source.device).repeat_interleave(n_pairs)
    rank = torch.arange(len(ji), device=source.device) - (n_pairs.cumsum(0) - n_pairs)[ji]
    kj = into[first_into[source[ji]] + rank]

    there_and_back = (edge_shift[kj] + edge_shift[ji]).abs().amax(dim=1) < 1e-3  # Å
    reverse = (source[kj] == target[ji]) & there_and_back
    return kj[~reverse], ji[~reverse]
