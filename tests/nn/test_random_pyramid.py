import numpy as np
import pytest

from sktaag.nn import RandomPyramid, resolve_hidden


def test_draws_stay_in_range_and_narrow():
    draws = [RandomPyramid((2, 5), (0.1, 0.5)).draw(100, seed) for seed in range(200)]
    assert {len(widths) for widths in draws} == {2, 3, 4, 5}
    assert all(list(widths) == sorted(widths, reverse=True) for widths in draws)
    assert min(map(min, draws)) in (11, 12)
    assert max(map(max, draws)) in (49, 50)
    units = [RandomPyramid((1, 1), (3, 5)).draw(100, seed) for seed in range(50)]
    assert set(units) == {(3,), (4,), (5,)}


def test_a_range_of_the_last_layer():
    draws = [RandomPyramid((2, 4), (10, 400), last=(10, 30)).draw(100, seed) for seed in range(200)]
    assert {len(widths) for widths in draws} == {2, 3, 4}
    assert {widths[-1] for widths in draws} == set(range(10, 31))
    assert max(widths[0] for widths in draws) > 390
    assert all(list(widths) == sorted(widths, reverse=True) for widths in draws)
    assert RandomPyramid((2, 2), (0.5, 1.0), last=(0.5, 0.5)).draw(10, 0)[1] == 5


def test_same_seed_same_widths():
    assert RandomPyramid().draw(290, 3) == RandomPyramid().draw(290, 3)
    rng = np.random.RandomState(3)
    assert RandomPyramid().draw(290, rng) == RandomPyramid().draw(290, 3)
    assert RandomPyramid().draw(290, rng) != RandomPyramid().draw(290, 3)


def test_ratios_are_xenonpys():
    sequential = pytest.importorskip("xenonpy.model.sequential")
    theirs = sequential.SequentialLinear(290, 1, h_neurons=(0.8, 0.61, 0.333))
    assert resolve_hidden((0.8, 0.61, 0.333), 290) == tuple(
        getattr(theirs, f"layer_{k}").linear.out_features for k in range(3)
    )


@pytest.mark.parametrize(
    ("hidden", "widths"),
    [
        ((400, 200), (400, 200)),
        ([0.5, np.int64(7)], (5, 7)),
        (np.array([4, 2]), (4, 2)),
        (np.float64(0.25), (3,)),
        (12, (12,)),
        ((), ()),
    ],
)
def test_descriptions(hidden, widths):
    assert resolve_hidden(hidden, 10) == widths


def test_pyramid_by_name():
    assert resolve_hidden("pyramid", 290, 1) == RandomPyramid().draw(290, 1)


@pytest.mark.parametrize(
    ("hidden", "error", "message"),
    [
        ((0,), ValueError, "at least one unit, got 0"),
        ((400.0,), ValueError, r"in \(0, 10\], got 400.0. Write an integer"),
        ((-0.5,), ValueError, "got -0.5"),
        ((True,), TypeError, "got True"),
        ("cone", TypeError, "\"pyramid\" or a RandomPyramid, got 'cone'"),
        (None, TypeError, "got None"),
    ],
)
def test_bad_descriptions(hidden, error, message):
    with pytest.raises(error, match=message):
        resolve_hidden(hidden, 10)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_layers": (0, 3)}, r"got \(0, 3\)"),
        ({"n_layers": (4, 3)}, "smallest first"),
        ({"width": (0.5, 0.2)}, "smallest first"),
        ({"width": (10, 0.5)}, r"got \(10, 0.5\)"),
        ({"last": (0.5, 0.2)}, "last must be two positive"),
        ({"last": (0.1, 0.3)}, r"last must lie within width and be of its kind, got \(0.1, 0.3\) and \(0.2, 0.8\)"),
        ({"last": (5, 10)}, "last must lie within width"),
    ],
)
def test_bad_ranges(params, message):
    with pytest.raises(ValueError, match=message):
        RandomPyramid(**params)
