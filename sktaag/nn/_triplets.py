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


def reverse_edges(edge_index: Tensor, edge_shift: Tensor, n_atoms: int) -> Tensor:
    """Find the edge i -> j of each edge j -> i, periodic images told apart.

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
    Tensor of shape (E,)
        Number of the reverse edge.

    Raises
    ------
    ValueError
        If an edge has no reverse; the message names the first.
    """
    source, target = edge_index
    x, y, z = (edge_shift.double() * 1e3).round().long().unbind(dim=1)  # thousandths of Å
    image = (x * 2_000_003 + y) * 2_000_003 + z  # one number, and minus it for the opposite shift
    backwards = (source > target) | ((source == target) & (image < 0))
    _, image = torch.where(backwards, -image, image).unique(return_inverse=True)
    pair = (torch.minimum(source, target) * n_atoms + torch.maximum(source, target)) * (len(source) + 1) + image
    _, pair = pair.unique(return_inverse=True)

    n_pairs = len(source)  # at most
    there, back = (torch.bincount(pair[way], minlength=n_pairs)[pair] for way in (~backwards, backwards))
    lonely = torch.nonzero((there != 1) | (back != 1))[:, 0]
    if len(lonely):
        j, i = edge_index[:, lonely[0]].tolist()
        raise ValueError(
            f"{len(lonely)} edges have no reverse, the first from atom {j} to atom {i} of the batch; this network "
            "needs all neighbours within its cutoff, not the k nearest ones."
        )
    one, other = (2 * pair + backwards).argsort().view(-1, 2).T
    reverse = torch.empty_like(pair)
    reverse[one], reverse[other] = other, one
    return reverse
