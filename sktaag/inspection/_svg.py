"""Plots as plain SVG text, for pages that must work without any other file."""

from html import escape

import numpy as np
from matplotlib.ticker import MaxNLocator

from sktaag.inspection._axes import COLOURS

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 44


class Plot:
    """Axes with ticks, to which marks are added; `str` gives the SVG.

    Parameters
    ----------
    x, y : tuple of (float, float)
        Limits.
    x_label, y_label : str
    description : str
        What a screen reader says.
    width, height : int
        Units of the SVG; the page scales it.
    counts : bool
        Whether only whole numbers stand along x.
    """

    def __init__(self, x, y, x_label, y_label, description, width=360, height=320, counts=False):
        self.x, self.y = _widened(x), _widened(y)
        self.width, self.height, self.counts = width, height, counts
        self.parts = [self._ticks(), self._labels(x_label, y_label)]
        self.description = description

    def to_page(self, x, y):
        """Place of a point in units of the SVG."""
        across = (np.asarray(x, dtype=float) - self.x[0]) / (self.x[1] - self.x[0])
        up = (np.asarray(y, dtype=float) - self.y[0]) / (self.y[1] - self.y[0])
        left, bottom = _LEFT, self.height - _BOTTOM
        return left + across * (self.width - _LEFT - _RIGHT), bottom - up * (bottom - _TOP)

    def line(self, x, y, colour, width=1.5):
        """Add a line through points."""
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(*self.to_page(x, y), strict=True))
        self.parts.append(f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='{width}'/>")

    def band(self, x, low, high, colour):
        """Add an area between two lines."""
        points = np.concatenate([np.array(self.to_page(x, low)), np.array(self.to_page(x, high))[:, ::-1]], axis=1).T
        text = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        self.parts.append(f"<polygon points='{text}' fill='{colour}' opacity='0.15'/>")

    def points(self, x, y, colour, titles=None, rows=None):
        """Add points, with a text that shows when one is pointed at, and the number of a row."""
        for i, (a, b) in enumerate(zip(*self.to_page(x, y), strict=True)):
            title = "" if titles is None else f"<title>{escape(titles[i])}</title>"
            row = "" if rows is None else f" data-row='{rows[i]}'"
            self.parts.append(f"<circle cx='{a:.1f}' cy='{b:.1f}' r='4' fill='{colour}'{row}>{title}</circle>")

    def bars(self, edges, heights, colour):
        """Add the bars of a histogram."""
        for low, high, height in zip(edges[:-1], edges[1:], heights, strict=True):
            (left, right), (bottom, top) = self.to_page([low, high], [0, height])
            self.parts.append(
                f"<rect x='{left:.1f}' y='{top:.1f}' width='{max(right - left - 1, 1):.1f}' "
                f"height='{bottom - top:.1f}' fill='{colour}'><title>{low:.4g} to {high:.4g}: {height}</title></rect>"
            )

    def __str__(self):
        return (
            f"<svg viewBox='0 0 {self.width} {self.height}' role='img' aria-label='{escape(self.description)}'>"
            f"{''.join(self.parts)}</svg>"
        )

    def _ticks(self):
        right, bottom = self.width - _RIGHT, self.height - _BOTTOM
        texts = [f"<path d='M{_LEFT},{_TOP}V{bottom}H{right}' fill='none' stroke='#888'/>"]
        for tick, text in _tick_labels(self.x, self.counts):
            place = self.to_page(tick, self.y[0])[0]
            texts.append(f"<path d='M{place:.1f},{bottom}v4' stroke='#888'/>")
            texts.append(f"<text x='{place:.1f}' y='{bottom + 17}' text-anchor='middle'>{text}</text>")
        for tick, text in _tick_labels(self.y):
            place = self.to_page(self.x[0], tick)[1]
            texts.append(f"<path d='M{_LEFT},{place:.1f}h-4' stroke='#888'/>")
            texts.append(f"<text x='{_LEFT - 7}' y='{place + 4:.1f}' text-anchor='end'>{text}</text>")
        return "".join(texts)

    def _labels(self, x_label, y_label):
        middle = (_LEFT + self.width - _RIGHT) / 2
        centre = (_TOP + self.height - _BOTTOM) / 2
        return (
            f"<text x='{middle}' y='{self.height - 6}' text-anchor='middle'>{escape(x_label)}</text>"
            f"<text transform='translate(13,{centre}) rotate(-90)' text-anchor='middle'>{escape(y_label)}</text>"
        )


def legend(names):
    """Names of lines with their colours, as HTML that wraps where the page is narrow."""
    items = "".join(
        f"<li><span style='background:{colour_of(i)}'></span>{escape(str(name))}</li>" for i, name in enumerate(names)
    )
    return f"<ul class='legend'>{items}</ul>"


def colour_of(i):
    """Colour of the i-th line."""
    return COLOURS[i % len(COLOURS)]


def _widened(limits):
    low, high = (float(limit) for limit in limits)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _tick_labels(limits, counts=False):
    locator = MaxNLocator(5, steps=[1, 2, 5, 10], integer=counts)
    ticks = [tick for tick in locator.tick_values(*limits) if limits[0] <= tick <= limits[1]]
    labels = [f"{tick:.6g}" for tick in ticks]
    return list(zip(ticks, labels, strict=True))
