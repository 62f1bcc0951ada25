"""Which layers of a source a search tries."""

from numbers import Integral

from sklearn.utils.random import sample_without_replacement

_WORDS = ("all", "output", "random")
_MOST_DEPTHS = 30  # subsets of more layers than that are drawn from the last ones; 2**30 is enough to draw from


def check_layers(layers):
    """Return the entries of the parameter `layers` as a list, each of them valid."""
    entries = list(layers) if isinstance(layers, (list, tuple)) else [layers]
    for entry in entries:
        depths = entry if isinstance(entry, (list, tuple)) and len(entry) > 0 else [entry]
        if not (isinstance(entry, str) and entry in _WORDS) and not all(
            isinstance(depth, Integral) and not isinstance(depth, bool) and depth >= 1 for depth in depths
        ):
            raise ValueError(
                'layers must hold positive integers, lists of them, "all", "output" or "random", '
                f"got {entry!r} in {layers!r}."
            )
    if not entries:
        raise ValueError("layers is empty; at least one choice is needed.")
    return entries


def layer_choices(entries, depths, n_draws, rng):
    """Resolve what was asked for into what a source has, each set of layers once.

    Parameters
    ----------
    entries : list
        From `check_layers`.
    depths : list of int
        Numbers of hidden layers of the network, or of each network of a bundle.
    n_draws : int
        How many subsets "random" draws.
    rng : RandomState

    Returns
    -------
    choices : list
        Values of `FrozenFeaturizer(layers=)`. Entries that ask for deeper layers than there are left out.
    """
    n_hidden, one_depth = min(depths), len(set(depths)) == 1
    found = {}
    for entry in entries:
        if entry == "output" or (entry == "all" and not one_depth):
            found.setdefault(entry, entry)
        elif entry == "all":
            found.setdefault(tuple(range(1, n_hidden + 1)), entry)
        elif entry == "random":
            n_layers = min(n_hidden, _MOST_DEPTHS)
            n_subsets = 2**n_layers - 1
            for bits in sample_without_replacement(n_subsets, min(n_draws, n_subsets), random_state=rng):
                subset = [depth for depth in range(1, n_layers + 1) if (int(bits) + 1) >> (depth - 1) & 1]
                found.setdefault(tuple(subset), subset)
        else:
            picked = tuple(range(1, entry + 1)) if isinstance(entry, Integral) else tuple(sorted(set(entry)))
            if picked[-1] <= n_hidden:
                found.setdefault(picked, entry)
    return list(found.values())
