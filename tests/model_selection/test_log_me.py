import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import helmert
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.linear_model import BayesianRidge

from sktaag.model_selection import log_me

rng = np.random.RandomState(0)


def problem(n, p, noise, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.randn(n, p) * rng.uniform(0.5, 2, p)
    return X, X @ rng.randn(p) + noise * rng.randn(n)


def evidence(X, y, alpha, beta):
    """Log density of y under its marginal distribution, the weights integrated out."""
    covariance = X @ X.T / alpha + np.eye(len(y)) / beta
    return multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)


def best_evidence(X, y):
    found = minimize(lambda logs: -evidence(X, y, *np.exp(logs)), [0.0, 0.0], method="Nelder-Mead", tol=1e-10)
    return -found.fun / len(y)


@pytest.mark.parametrize(("n", "p", "noise"), [(40, 5, 0.3), (40, 5, 5.0), (30, 29, 1.0), (25, 60, 4.0), (20, 20, 1.0)])
def test_equals_the_evidence_maximised_directly(n, p, noise):
    X, y = problem(n, p, noise)
    assert_allclose(log_me(X, y, max_iter=5000, tol=1e-13), best_evidence(X, y), atol=1e-6)
    assert_allclose(log_me(X, y), best_evidence(X, y), atol=1e-4)


@pytest.mark.parametrize(("n", "p", "noise"), [(30, 4, 1.0), (20, 19, 1.0), (20, 60, 4.0)])
def test_intercept_has_a_flat_prior(n, p, noise):
    X, y = problem(n, p, noise)
    contrasts = helmert(n)  # n - 1 orthonormal combinations of rows that no intercept reaches
    expected = best_evidence(contrasts @ X, contrasts @ y)
    assert_allclose(log_me(X, y, fit_intercept=True), expected, atol=1e-4)
    assert_allclose(log_me(X + 100, y - 1000, fit_intercept=True), expected, atol=1e-4)


def test_equals_the_log_marginal_likelihood_of_scikit_learn():
    X, y = problem(50, 6, 1.0)
    flat = 1e-12  # parameters of the gamma priors of the precisions
    model = BayesianRidge(
        fit_intercept=False,
        compute_score=True,
        max_iter=1000,
        tol=1e-12,
        alpha_1=flat,
        alpha_2=flat,
        lambda_1=flat,
        lambda_2=flat,
    ).fit(X, y)
    assert_allclose(log_me(X, y) * len(y), model.scores_[-1], rtol=1e-6)


def test_several_targets_are_averaged():
    X, first = problem(30, 4, 1.0)
    second = rng.randn(30)
    both = log_me(X, np.column_stack([first, second]))
    assert_allclose(both, (log_me(X, first) + log_me(X, second)) / 2)


def test_classes_are_one_against_the_others():
    X = rng.randn(30, 4)
    y = np.array(["a", "b", "c"])[rng.randint(3, size=30)]
    expected = np.mean([log_me(X, (y == label).astype(float)) for label in "abc"])
    assert_allclose(log_me(X, y, classification=True), expected)
    assert_allclose(log_me(X, np.unique(y, return_inverse=True)[1], classification=True), expected)


def test_units_of_the_target_shift_the_score():
    X, y = problem(30, 4, 1.0)
    assert_allclose(log_me(X, 1000 * y), log_me(X, y) - np.log(1000))


def test_order_of_columns_and_units_of_all_features_do_not_matter():
    X, y = problem(30, 8, 1.0)
    assert_allclose(log_me(X[:, ::-1], y), log_me(X, y))
    assert_allclose(log_me(1e-3 * X, y), log_me(X, y))


def test_constant_columns_of_zeros_do_not_matter():
    X, y = problem(30, 8, 1.0)
    assert_allclose(log_me(np.hstack([X, np.zeros((30, 3))]), y), log_me(X, y))


def test_useful_features_beat_useless_ones_of_any_number():
    X, y = problem(40, 5, 0.5)
    noise = rng.randn(40, 200)
    assert log_me(X, y) > log_me(np.hstack([X, noise]), y) > log_me(noise, y)


def test_a_target_outside_of_all_features():
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    y = np.array([1.0, 1.0, -1.0, -1.0])
    assert_allclose(log_me(X, y), multivariate_normal(np.zeros(4), np.eye(4)).logpdf(y) / 4)


def test_an_exact_fit_with_fewer_features_than_rows_is_unbounded():
    X = rng.randn(20, 3)
    assert log_me(X, X @ [1.0, 2.0, 3.0]) == np.inf


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.eye(3), [2.0, 2.0, 2.0], r"y is constant \(2\); no features can tell its rows apart"),
        (np.eye(3), [[0, 1], [1, 1], [2, 1]], "Column 1 of y is constant"),
        (np.zeros((3, 2)), [1.0, 2.0, 3.0], "X is zero everywhere"),
        (np.eye(3), ["a", "b", "a"], "not numbers. Set classification=True"),
        (np.eye(3), [True, False, True], "y holds bool values, not numbers"),
        (np.eye(3), [1.0, 2.0], "inconsistent numbers of samples"),
        (np.full((3, 1), np.nan), [1.0, 2.0, 3.0], "NaN"),
        (np.eye(3), [1.0, np.nan, 3.0], "NaN"),
        (np.ones((1, 2)), [1.0], "minimum of 2 is required"),
    ],
)
def test_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        log_me(X, y)


def test_constant_features_are_refused_beside_an_intercept():
    with pytest.raises(ValueError, match="X is constant; it explains nothing"):
        log_me(np.ones((3, 2)), [1.0, 2.0, 3.0], fit_intercept=True)


def test_a_single_class_is_refused():
    with pytest.raises(ValueError, match=r"only \('a'\); at least two"):
        log_me(np.eye(3), np.array(["a", "a", "a"], dtype=object), classification=True)
    with pytest.raises(ValueError, match="y holds continuous values, not classes"):
        log_me(np.eye(3), [0.5, 1.0, 1.5], classification=True)
