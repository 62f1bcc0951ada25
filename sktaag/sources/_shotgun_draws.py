"""What chance decides in a shotgun: of each network alone, and of the training that networks of a property share."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch

from sktaag.heads._inner_split import inner_split
from sktaag.heads._torch_state import isolated_seed
from sktaag.nn import Pyramid, resolve_hidden

_PROPERTIES, _MEMBERS = 0, 1  # first part of the key of a random stream


@dataclass(frozen=True, eq=False)
class Member:
    """A network before its training.

    Parameters
    ----------
    index : int
        Its number in the ensemble.
    target : int
        Column of y that it learns.
    hidden_sizes : tuple of int
    activation : str
    dropout, lr : float
    columns : ndarray of int or None
        Columns of X that it takes, ascending; None for all.
    batch_norm : bool
    seed : int
        Of its first weights.
    n_outputs : int
    """

    index: int
    target: int
    hidden_sizes: tuple
    activation: str
    dropout: float
    lr: float
    columns: np.ndarray | None
    batch_norm: bool
    seed: int
    n_outputs: int = 1

    def n_columns(self, n_features):
        """Return how many columns of X it takes."""
        return n_features if self.columns is None else len(self.columns)

    def pyramid(self, n_features):
        """Return the untrained network over its own columns.

        Biases in front of a batch norm are zero, and stay so: see `sktaag.nn._plain_pyramid`.
        """
        with isolated_seed(self.seed, torch.device("cpu")):
            net = Pyramid(
                self.n_columns(n_features),
                self.n_outputs,
                self.hidden_sizes,
                dropout=self.dropout,
                activation=self.activation,
                batch_norm=self.batch_norm,
            )
        if self.batch_norm:
            for layer in list(net.children())[:-1]:
                torch.nn.init.zeros_(layer.linear.bias)
        return net


def draw_member(
    index, n_targets, n_features, entropy, n_outputs, *, hidden, activation, dropout, lr, max_features, batch_norm
):
    """Draw one network; it depends on its number and the ensemble's seed, not on the other networks.

    Each quantity has a random stream of its own, so that a change of one range leaves the other draws as they were.

    Parameters
    ----------
    index : int
    n_targets, n_features : int
        Columns of y and of X.
    entropy : int
        Seed of the ensemble.
    n_outputs : int
    hidden, activation, dropout, lr, max_features, batch_norm
        As in `PyramidEnsemble`.

    Returns
    -------
    member : Member
    """
    seeds = np.random.SeedSequence(entropy, spawn_key=(_MEMBERS, index)).generate_state(6)
    of_hidden, of_activation, of_dropout, of_lr, of_columns = map(np.random.RandomState, seeds[:5])
    columns = _draw_columns(max_features, n_features, of_columns)
    if isinstance(dropout, (tuple, list)):
        dropout = of_dropout.uniform(*dropout)
    if isinstance(lr, (tuple, list)):
        lr = np.exp(of_lr.uniform(*np.log(lr)))
    if not isinstance(activation, str):
        activation = activation[of_activation.randint(len(activation))]
    return Member(
        index=index,
        target=index % n_targets,
        hidden_sizes=resolve_hidden(hidden, n_features if columns is None else len(columns), of_hidden),
        activation=activation,
        dropout=float(dropout),
        lr=float(lr),
        columns=columns,
        batch_norm=batch_norm,
        seed=int(seeds[5]),
        n_outputs=n_outputs,
    )


class SharedDraws:
    """What the networks of one property share: validation rows, order of batches, noise of dropout.

    Shared batches let all networks take one slice of X; shared validation rows make their scores comparable. Noise is
    shared as uniform numbers: each network compares those of its units with its own rate. All of it depends on the
    ensemble's seed, the property and the epoch alone, noise also on the kind of device, which draws it.

    Parameters
    ----------
    entropy : int
        Seed of the ensemble.
    target : int
        Column of y.
    widest : int
        Number of units that no hidden layer of the ensemble exceeds: noise is drawn for so many, so that a network
        sees the same whatever it is trained beside.
    """

    def __init__(self, entropy, target, widest):
        self.seed = int(np.random.SeedSequence(entropy, spawn_key=(_PROPERTIES, target)).generate_state(1)[0])
        self.widest = widest

    def split(self, n_rows, fraction, classes=None):
        """Return row numbers for training and for validation, which hold every class in its share."""
        return inner_split(n_rows, fraction, np.random.RandomState(self.seed), classes)

    def batches(self, epoch, n_rows, batch_size):
        """Return arrays of row numbers; a last batch of a single row joins the one before it."""
        order = np.random.default_rng([self.seed, epoch]).permutation(n_rows)
        ends = list(range(batch_size, n_rows, batch_size))
        if ends and ends[-1] == n_rows - 1:
            ends.pop()
        return np.split(order, ends)

    def noise(self, epoch, batch, n_layers, n_rows, device):
        """Draw uniform numbers in [0, 1) of shape (n_layers, widest, n_rows) and dtype float32 on a device."""
        seed = np.random.SeedSequence([self.seed, epoch, batch]).generate_state(1, np.uint64)[0]
        generator = torch.Generator(device).manual_seed(int(seed))
        return torch.rand(n_layers, self.widest, n_rows, generator=generator, device=device)


def _draw_columns(max_features, n_features, rng):
    if max_features is None:
        return None
    bounds = max_features if isinstance(max_features, (tuple, list)) else (max_features, max_features)
    low, high = (_n_columns(bound, n_features) for bound in bounds)
    n_kept = rng.randint(low, high + 1)
    return np.sort(rng.choice(n_features, n_kept, replace=False))


def _n_columns(bound, n_features):
    number = bound if isinstance(bound, Integral) else int(np.ceil(bound * n_features))
    return min(max(int(number), 1), n_features)


def check_ranges(*, activation, dropout, lr, max_features):
    """Check the parameters that give a range to draw from.

    Raises
    ------
    ValueError
        If one is no range.
    """
    if not isinstance(activation, (str, tuple, list)) or len(activation) == 0:
        raise ValueError(f"activation must be a name or a list of names, got {activation!r}.")
    for name, value, lowest, highest in (("dropout", dropout, 0, 1), ("lr", lr, 1e-12, np.inf)):
        bounds = value if isinstance(value, (tuple, list)) else (value, value)
        if not _is_range(bounds) or not lowest <= bounds[0] <= bounds[1] < highest:
            raise ValueError(
                f"{name} must be a number or two, smallest first, in [{lowest}, {highest}), got {value!r}."
            )
    bounds = max_features if isinstance(max_features, (tuple, list)) else (max_features, max_features)
    counts = _is_range(bounds) and all(map(_is_count, bounds)) and bounds[0] <= bounds[1]
    if max_features is not None and not (counts and len({isinstance(bound, Integral) for bound in bounds}) == 1):
        raise ValueError(
            "max_features must be None, a number of columns, a ratio in (0, 1], or two of a kind, smallest first, got "
            f"{max_features!r}."
        )


def _is_range(bounds):
    return len(bounds) == 2 and all(isinstance(bound, Real) and not isinstance(bound, bool) for bound in bounds)


def _is_count(bound):
    return bound >= 1 if isinstance(bound, Integral) else 0 < bound <= 1
