"""What every display has in common, found by inspection of the room."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import sktaag.inspection

RNG = np.random.RandomState(0)
FRAME = pd.DataFrame(
    {
        "source": ["density", "melting point"] * 4,
        "target": "heat capacity",
        "source_error": RNG.rand(8),
        "target_error": RNG.rand(8),
        "direct_error": 0.5,
    }
)
DISPLAYS = {
    "EmbeddingDisplay": sktaag.inspection.EmbeddingDisplay(RNG.rand(9, 2), RNG.rand(9), name="Cp", unit="J/kg/K"),
    "LayerAttentionDisplay": sktaag.inspection.LayerAttentionDisplay(RNG.rand(3, 4)),
    "LearningCurveDisplay": sktaag.inspection.LearningCurveDisplay([5, 10], {"direct": RNG.rand(2, 3)}),
    "NeuralDescriptorDisplay": sktaag.inspection.NeuralDescriptorDisplay(RNG.rand(9, 4), RNG.rand(9), ["L(-1)"] * 4),
    "ParityDisplay": sktaag.inspection.ParityDisplay(RNG.rand(9), RNG.rand(9), name="Cp", unit="J/kg/K"),
    "PropertyScatterMatrix": sktaag.inspection.PropertyScatterMatrix(pd.DataFrame(RNG.rand(9, 3), columns=list("abc"))),
    "SourceMapDisplay": sktaag.inspection.SourceMapDisplay(FRAME),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(params=[name for name in sktaag.inspection.__all__ if isinstance(vars(sktaag.inspection)[name], type)])
def display(request):
    return DISPLAYS[request.param]


def test_plot_returns_the_display_with_its_axes(display):
    assert display.plot() is display
    axes = np.ravel(display.ax_)[0]
    assert axes.figure is display.figure_


def test_plot_takes_axes(display):
    figure, (left, right) = plt.subplots(1, 2)
    display.plot(right)
    assert display.figure_ is figure
    assert not left.has_data()


def test_a_new_figure_fits_one_or_two_columns(display):
    width, height = display.plot().figure_.get_size_inches()
    assert width <= 7.0
    assert height <= 9.0


def test_no_text_overlaps_or_leaves_the_figure(display):
    figure = display.plot().figure_
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    whole = figure.bbox.padded(1)
    boxes = []
    for axes in figure.axes:
        if not axes.axison:
            continue
        texts = [axes.xaxis.label, axes.yaxis.label, axes.title, *axes.texts]
        texts += [label for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()]
        for text in texts:
            inside = text in axes.texts or axes.get_window_extent().padded(60).overlaps(
                text.get_window_extent(renderer)
            )
            if text.get_visible() and text.get_text() and inside and _is_drawn(axes, text):
                boxes.append((text.get_text(), text.get_window_extent(renderer).padded(-1)))
    assert boxes, "a picture without any text says nothing"
    for i, (text, box) in enumerate(boxes):
        assert whole.containsx(box.x0), text
        assert whole.containsx(box.x1), text
        assert whole.containsy(box.y0), text
        assert whole.containsy(box.y1), text
        for other, taken in boxes[:i]:
            assert not box.overlaps(taken), f"{text!r} overlaps {other!r}"


def _is_drawn(axes, text):
    """Tick labels beyond the limits of an axis exist, but are not drawn."""
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        labels = axis.get_ticklabels()
        if text in labels:
            place = axis.get_ticklocs()[labels.index(text)]
            return min(limits) - 1e-9 <= place <= max(limits) + 1e-9
    return True
