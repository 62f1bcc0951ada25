"""What all displays share: colours, and where a plot goes."""

import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap

# Okabe and Ito, https://jfly.uni-koeln.de/color/: told apart by readers with any kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "0.65"
PALETTE = ListedColormap(COLOURS)
COLUMN = 3.5  # inches: one column of a journal


def new_axes(ax, height=COLUMN, width=COLUMN):
    """Take the axes given, or make a figure of one column's width.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
    height, width : float, default=3.5
        Inches of a new figure.

    Returns
    -------
    ax : matplotlib.axes.Axes
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def style_of(i):
    """Colour and marker of the i-th group; they repeat only after 49 groups.

    Parameters
    ----------
    i : int

    Returns
    -------
    colour, marker : str
    """
    return COLOURS[i % len(COLOURS)], MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]


def with_unit(name, unit):
    """Label of an axis.

    Parameters
    ----------
    name : str
    unit : str or None

    Returns
    -------
    label : str
        ``name (unit)``.
    """
    return f"{name} ({unit})" if unit else name
