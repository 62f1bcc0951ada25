"""Widths of hidden layers: given, relative to the input, or drawn at random."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np


@dataclass(frozen=True)
class RandomPyramid:
    """Hidden layers of random number and width, from wide to narrow: the shotgun of XenonPy.MDL [1]_.

    Parameters
    ----------
    n_layers : (int, int), default=(3, 4)
        Smallest and largest number of hidden layers.
    width : (float, float) or (int, int), default=(0.2, 0.8)
        Range of the widths: floats are ratios of the input width, integers are numbers of units.
    last : (float, float), (int, int) or None, default=None
        Range of the last hidden layer, where it is another one; it must not go beyond `width`.

    Raises
    ------
    ValueError
        If a range is empty or not positive, mixes ratios and numbers of units, or `last` goes beyond `width`.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> from sktaag.nn import RandomPyramid
    >>> RandomPyramid().draw(290, random_state=0)
    (208, 205, 162)
    >>> RandomPyramid(n_layers=(2, 2), width=(16, 64)).draw(290, random_state=0)
    (63, 60)
    >>> RandomPyramid(n_layers=(3, 4), width=(10, 400), last=(10, 30)).draw(1024, random_state=0)
    (202, 127, 13)
    """

    n_layers: tuple[int, int] = (3, 4)
    width: tuple[float, float] = (0.2, 0.8)
    last: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        low, high = self.n_layers
        if not (_is_int(low) and _is_int(high) and 0 < low <= high):
            raise ValueError(f"n_layers must be two positive integers, smallest first, got {self.n_layers!r}.")
        for name, bounds in (("width", self.width), ("last", self.width if self.last is None else self.last)):
            narrow, wide = bounds
            if _is_int(narrow) != _is_int(wide) or not 0 < narrow <= wide:
                raise ValueError(
                    f"{name} must be two positive ratios of the input width or two positive integers, smallest first, "
                    f"got {bounds!r}."
                )
        last = self.last or self.width
        if _is_int(last[0]) != _is_int(self.width[0]) or last[0] < self.width[0] or last[1] > self.width[1]:
            raise ValueError(f"last must lie within width and be of its kind, got {self.last!r} and {self.width!r}.")

    def draw(self, in_features: int, random_state: int | np.random.RandomState | None = None) -> tuple[int, ...]:
        """Draw the widths of the hidden layers.

        Parameters
        ----------
        in_features : int
            Width of the input.
        random_state : int, RandomState instance or None, default=None
            None draws anew each time.

        Returns
        -------
        tuple of int
            Widths from wide to narrow.
        """
        rng = random_state if isinstance(random_state, np.random.RandomState) else np.random.RandomState(random_state)
        n_layers = rng.randint(self.n_layers[0], self.n_layers[1] + 1)
        widths = sorted(_draw_widths(self.width, n_layers, in_features, rng), reverse=True)
        if self.last is not None:
            widths[-1:] = _draw_widths(self.last, 1, in_features, rng)
        return tuple(sorted(widths, reverse=True))


def _draw_widths(bounds: tuple[float, float], size: int, in_features: int, rng: np.random.RandomState) -> list[int]:
    low, high = bounds
    if _is_int(low):
        return rng.randint(int(low), int(high) + 1, size).tolist()
    return np.ceil(rng.uniform(low, high, size) * in_features).astype(int).tolist()


def resolve_hidden(
    hidden: int | float | str | RandomPyramid | Sequence[int | float],
    in_features: int,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[int, ...]:
    """Turn any description of the hidden layers into their widths.

    Parameters
    ----------
    hidden : int, float, sequence of these, "pyramid" or RandomPyramid
        Integers are numbers of units, floats are ratios of the input width, rounded up as in XenonPy. "pyramid"
        stands for ``RandomPyramid()``.
    in_features : int
        Width of the input.
    random_state : int, RandomState instance or None, default=None
        For random widths.

    Returns
    -------
    tuple of int
        Widths of the hidden layers, from the input side.

    Raises
    ------
    TypeError
        If `hidden` is none of these.
    ValueError
        If a width is not positive, or a ratio is larger than 10.

    Examples
    --------
    >>> from sktaag.nn import resolve_hidden
    >>> resolve_hidden((0.8, 0.6, 50), 290)
    (232, 174, 50)
    """
    if isinstance(hidden, str) and hidden == "pyramid":
        hidden = RandomPyramid()
    if isinstance(hidden, RandomPyramid):
        return hidden.draw(in_features, random_state)
    if isinstance(hidden, Real):
        return (_width(hidden, in_features),)
    if isinstance(hidden, str) or not isinstance(hidden, (Sequence, np.ndarray)):
        raise TypeError(f'hidden must be a sequence of widths, "pyramid" or a RandomPyramid, got {hidden!r}.')
    return tuple(_width(width, in_features) for width in hidden)


def widest_hidden(hidden: int | float | str | RandomPyramid | Sequence[int | float], in_features: int) -> int:
    """Return the width that no hidden layer exceeds, whatever is drawn.

    Parameters
    ----------
    hidden : int, float, sequence of these, "pyramid" or RandomPyramid
        As in `resolve_hidden`.
    in_features : int
        Width of the input.

    Returns
    -------
    int
        0 without hidden layers.
    """
    if isinstance(hidden, str) and hidden == "pyramid":
        hidden = RandomPyramid()
    if isinstance(hidden, RandomPyramid):
        return _width(hidden.width[1], in_features)
    return max(resolve_hidden(hidden, in_features), default=0)


def _width(width: object, in_features: int) -> int:
    if isinstance(width, Integral) and not isinstance(width, bool):
        if int(width) < 1:
            raise ValueError(f"A hidden layer needs at least one unit, got {width}.")
        return int(width)
    if isinstance(width, bool) or not isinstance(width, Real):
        raise TypeError(f"A hidden width is an integer or a ratio of the input width, got {width!r}.")
    if not 0 < float(width) <= 10:
        raise ValueError(
            f"A float is a ratio of the input width and must be in (0, 10], got {width}. Write an integer for a number "
            "of units."
        )
    return math.ceil(float(width) * in_features)


def _is_int(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
