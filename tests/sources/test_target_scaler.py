import numpy as np
from numpy.testing import assert_allclose

from sktaag.sources._target_scaler import TargetScaler

RNG = np.random.RandomState(0)
NUMBERS = [RNG.choice([1, 6, 8], size=n) for n in RNG.randint(3, 20, size=40)]
TRUE = {1: -13.6, 6: -1030.2, 8: -2041.9}  # eV
SUMS = np.array([sum(TRUE[z] for z in row) for row in NUMBERS])[:, None]


def test_reference_energies_are_found():
    y = SUMS + RNG.normal(scale=0.1, size=SUMS.shape)
    scaler = TargetScaler().fit(NUMBERS, y)
    assert_allclose([scaler.reference_energies_[z, 0] for z in TRUE], list(TRUE.values()), atol=0.05)
    assert_allclose(scaler.baseline(NUMBERS), SUMS, atol=0.5)
    assert_allclose(scaler.spread_, 0.1, rtol=0.3)
    assert_allclose(scaler.scale_, scaler.spread_ / np.sqrt(np.mean([len(row) for row in NUMBERS])))


def test_one_composition_has_the_mean_as_its_baseline():
    y = -4209.0 + RNG.normal(scale=0.2, size=(30, 1))
    scaler = TargetScaler().fit([np.array([6, 6, 8, 1, 1, 1, 1, 1, 1])] * 30, y)
    assert_allclose(scaler.baseline([np.array([6, 6, 8, 1, 1, 1, 1, 1, 1])]), [[y.mean()]], rtol=1e-12)


def test_more_elements_than_rows_do_not_fit_the_labels_by_chance():
    numbers = [np.array([1, z]) for z in range(20, 50)]  # an element of its own for each row
    scaler = TargetScaler().fit(numbers, RNG.normal(size=(30, 1)))
    assert scaler.spread_[0] > 0.5


def test_missing_labels_and_several_targets():
    y = np.hstack([SUMS, 2 * SUMS, RNG.normal(size=SUMS.shape)])
    y[::2, 1] = np.nan
    scaler = TargetScaler().fit(NUMBERS, y)
    assert_allclose(scaler.baseline(NUMBERS)[:, 1], 2 * SUMS[:, 0], rtol=1e-4)
    assert_allclose(scaler.baseline(NUMBERS)[:, 0], SUMS[:, 0], rtol=1e-4)


def test_what_a_network_says_already_is_taken_off():
    contribution = RNG.normal(scale=5.0, size=SUMS.shape)
    scaler = TargetScaler().fit(NUMBERS, SUMS + contribution, contribution, np.array([0.7]))
    assert_allclose(scaler.baseline(NUMBERS), SUMS, rtol=1e-4)
    assert scaler.scale_.tolist() == [0.7]


def test_intensive_targets_have_a_mean():
    y = RNG.normal(3.0, 2.0, size=(40, 1))
    scaler = TargetScaler("intensive").fit(NUMBERS, y)
    assert_allclose(scaler.baseline(NUMBERS), y.mean())
    assert_allclose(scaler.scale_, y.std())


def test_equal_labels_leave_a_scale_of_one():
    scaler = TargetScaler().fit([np.array([1, 8, 1])] * 3, np.full((3, 1), -14.2))
    assert scaler.spread_.tolist() == [1.0]


def test_unknown_elements_are_named():
    scaler = TargetScaler().fit(NUMBERS, SUMS)
    assert scaler.unknown([np.array([1, 6]), np.array([1, 7])]).tolist() == [1]
    assert_allclose(scaler.reference_energies_[7], SUMS.sum() / sum(map(len, NUMBERS)))
