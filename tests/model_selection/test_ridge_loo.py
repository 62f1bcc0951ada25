import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from sktaag.model_selection import ridge_loo

rng = np.random.RandomState(0)


def loop(X, y, alpha):
    return cross_val_predict(Ridge(alpha=alpha, solver="svd"), X, y, cv=LeaveOneOut())


@pytest.mark.parametrize(("n", "p"), [(30, 4), (30, 29), (20, 20), (15, 60)])
@pytest.mark.parametrize("alpha", [1e-4, 1.0, 1e3])
def test_equals_a_loop_over_rows(n, p, alpha):
    X = rng.randn(n, p) + 5
    y = X[:, 0] + rng.randn(n) + 100
    predicted = loop(X, y, alpha)
    assert_allclose(ridge_loo(X, y, alphas=alpha), r2_score(y, predicted), rtol=1e-8, atol=1e-8)
    score = ridge_loo(X, y, alphas=[alpha], scoring="neg_root_mean_squared_error")
    assert_allclose(-score, root_mean_squared_error(y, predicted), rtol=1e-8)


@pytest.mark.parametrize("p", [5, 60])
def test_equals_ridge_cv(p):
    X = rng.randn(40, p)
    y = X[:, :5].sum(axis=1) + rng.randn(40)
    alphas = np.logspace(-2, 3, 6)
    model = RidgeCV(alphas).fit(X, y)  # its best score is the negative mean squared error
    assert_allclose(ridge_loo(X, y, alphas=alphas, scoring="neg_root_mean_squared_error") ** 2, -model.best_score_)


def test_dependent_and_constant_columns():
    X = rng.randn(25, 3)
    y = rng.randn(25)
    X = np.column_stack([X, X[:, 0] - X[:, 1], np.full(25, 0.1)])
    assert_allclose(ridge_loo(X, y, alphas=0.5), r2_score(y, loop(X, y, 0.5)), rtol=1e-8)


def test_constant_features_predict_the_mean_of_the_others():
    y = rng.randn(12)
    expected = r2_score(y, (y.sum() - y) / 11)
    assert_allclose(ridge_loo(np.ones((12, 2)), y), expected)
    assert_allclose(ridge_loo(np.full((12, 2), 0.1), y), expected)


def test_several_targets_take_a_penalty_each():
    X = rng.randn(30, 40)
    y = np.column_stack([X[:, 0], rng.randn(30)])
    assert_allclose(ridge_loo(X, y), (ridge_loo(X, y[:, 0]) + ridge_loo(X, y[:, 1])) / 2)


def test_classes():
    X = rng.randn(30, 4)
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    expected = np.mean([ridge_loo(X, (y == label).astype(float)) for label in "abc"])
    assert_allclose(ridge_loo(X, y, classification=True), expected)


def test_invariances():
    X = rng.randn(30, 40)
    y = X[:, 0] + 0.1 * rng.randn(30)
    assert_allclose(ridge_loo(X[:, ::-1], y), ridge_loo(X, y))
    assert_allclose(ridge_loo(X + 7, 100 * y - 3), ridge_loo(X, y))
    assert_allclose(ridge_loo(X + 1e4, y, alphas=1e-3), ridge_loo(X, y, alphas=1e-3), rtol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alphas": [1.0, 0.0]}, r"alphas must be positive numbers, got \[1.0, 0.0\]"),
        ({"alphas": []}, "alphas must be positive numbers"),
        ({"alphas": np.inf}, "alphas must be positive numbers"),
        ({"scoring": "mae"}, "scoring must be one of 'r2', 'neg_root_mean_squared_error', got 'mae'"),
    ],
)
def test_refused_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        ridge_loo(np.eye(3), [1.0, 2.0, 3.0], **params)


def test_constant_target_is_refused():
    with pytest.raises(ValueError, match=r"y is constant \(5\)"):
        ridge_loo(np.eye(3), [5, 5, 5])
