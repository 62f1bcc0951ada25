import numpy as np
import pytest

from sktaag.heads._inner_split import inner_split


@pytest.mark.parametrize(("n_rows", "fraction", "n_valid"), [(100, 0.1, 10), (7, 0.01, 1), (10, 0.99, 9), (1, 0.5, 0)])
def test_a_partition_of_the_asked_size(n_rows, fraction, n_valid):
    train, valid = inner_split(n_rows, fraction, np.random.RandomState(0))
    assert len(valid) == n_valid
    np.testing.assert_array_equal(np.sort(np.r_[train, valid]), np.arange(n_rows))


def test_classes_keep_their_share():
    classes = np.repeat([0, 1, 2], [100, 80, 20])
    _, valid = inner_split(200, 0.1, np.random.RandomState(0), classes)
    np.testing.assert_array_equal(np.bincount(classes[valid]), [10, 8, 2])


def test_each_class_and_each_target_keeps_a_row_to_train_on():
    classes = np.repeat([0, 1], [99, 1])
    known = np.ones((100, 3), bool)
    known[1:, 1] = False
    known[:, 2] = False
    known[50, 2] = True
    for seed in range(20):
        train, _ = inner_split(100, 0.9, np.random.RandomState(seed), classes, known)
        assert {0, 50, 99} <= set(train)


def test_random_state_draws():
    first, second, other = (inner_split(50, 0.2, np.random.RandomState(seed))[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
