import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.covariance import LedoitWolf
from sklearn.preprocessing import StandardScaler

from sktaag.model_selection import h_score

rng = np.random.RandomState(0)


def between(X, y):
    """Covariance of the features with the mean of its class in place of each row."""
    means = np.array([X[y == label].mean(axis=0) for label in y])
    return np.cov(means, rowvar=False, bias=True)


def data(n=60, p=5, n_classes=3):
    y = rng.randint(n_classes, size=n)
    return rng.randn(n, p) @ rng.randn(p, p) + rng.randn(n_classes, p)[y], y


def test_equals_the_definition():
    X, y = data()
    expected = np.trace(np.linalg.inv(np.cov(X, rowvar=False, bias=True)) @ between(X, y))
    assert_allclose(h_score(X, y, shrinkage=0), expected)


@pytest.mark.parametrize("p", [5, 100])
def test_regularised_score_equals_its_definition(p):
    X, y = data(p=p)
    fitted = LedoitWolf().fit(X)
    kept = 1 - fitted.shrinkage_
    expected = np.trace(np.linalg.inv(fitted.covariance_) @ (kept * between(X, y)))
    assert_allclose(h_score(X, y), expected)
    assert_allclose(h_score(X, y, shrinkage=fitted.shrinkage_), expected)


def test_invariances():
    X, y = data()
    assert_allclose(h_score(X[:, ::-1], y), h_score(X, y))
    assert_allclose(h_score(7 * X + 3, y), h_score(X, y))
    assert_allclose(h_score(X, np.array(["u", "v", "w"])[y]), h_score(X, y))
    mixed = X @ rng.randn(5, 5)
    assert_allclose(h_score(mixed, y, shrinkage=0), h_score(X, y, shrinkage=0))


def test_bounds_and_order():
    X, y = data(n=90)
    assert 0 <= h_score(X, y) <= 2
    assert h_score(X, y) > h_score(X, rng.permutation(y))
    # more features than rows reproduce any class means, so that only shrinkage keeps the score from its bound
    wide = rng.randn(20, 50)
    labels = np.arange(20) % 3
    assert_allclose(h_score(wide, labels, shrinkage=0), 2)
    assert_allclose(h_score(wide + 1e4, labels, shrinkage=0), 2)
    assert h_score(wide, labels) < 1.9


def test_white_features_lose_their_score_to_the_estimated_shrinkage():
    X = StandardScaler().fit_transform(np.random.RandomState(0).randn(60, 2))
    y = X[:, 0] > 0
    assert h_score(X, y, shrinkage=0) > 0.5
    assert h_score(X, y) < 0.1
    assert h_score(X, y, shrinkage=0.1) > 0.5


def test_numbers_are_cut_into_bins_of_equal_size():
    X = rng.randn(40, 3)
    y = X[:, 0] + 0.1 * rng.randn(40)
    quarter = np.argsort(np.argsort(y)) // 10
    assert_allclose(h_score(X, y, n_bins=4), h_score(X, quarter))


def test_constant_column_does_not_matter():
    X, y = data()
    wider = np.column_stack([X, np.full(len(X), 0.1)])
    assert_allclose(h_score(wider, y, shrinkage=0), h_score(X, y, shrinkage=0))


@pytest.mark.parametrize(
    ("X", "y", "params", "message"),
    [
        (np.eye(4), [0.1, 0.2, 0.3, 0.4], {}, "y is continuous, .* Set n_bins"),
        (np.eye(4), [1, 1, 1, 1], {}, "y has one class only"),
        (np.full((4, 2), 0.1), [0, 1, 0, 1], {}, "X is constant"),
        (np.eye(4), [0, 1, 0, 1], {"shrinkage": 1}, r'shrinkage must be "auto" or in \[0, 1\), got 1'),
        (np.eye(4), [0, 1, 0, 1], {"shrinkage": "oas"}, "shrinkage must be"),
        (np.eye(4), [0.0, 1.0, 2.0, 3.0], {"n_bins": 1}, "n_bins must be None or an integer of at least 2, got 1"),
        (np.eye(4), [2.0, 2.0, 2.0, 2.0], {"n_bins": 2}, "y is constant"),
        (np.eye(4), [0.0, 2.0, 2.0, 2.0], {"n_bins": 2}, "one of 2 bins, for most of it is 2. Raise n_bins"),
        (np.eye(4), np.eye(4), {"n_bins": 2}, "y must be one column, got 4"),
        (np.eye(4), ["a", "b", "a", "b"], {"n_bins": 2}, "y holds str32 values, not numbers"),
    ],
)
def test_refused(X, y, params, message):
    with pytest.raises(ValueError, match=message):
        h_score(X, y, **params)
