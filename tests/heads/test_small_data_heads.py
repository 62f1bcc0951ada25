from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist, squareform
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, scale

from sktaag.descriptors import Fingerprints
from sktaag.heads import direct_models, small_data_heads

rng = np.random.RandomState(0)
Z = rng.randn(60, 4)
X = Z @ rng.randn(4, 300) + 0.3 * rng.randn(60, 300)  # more columns than rows, as frozen layers are
y = 100 + 20 * Z[:, 0] + 10 * np.tanh(Z[:, 1])
ALCOHOLS = ["C" * n + "O" for n in range(1, 13)]
boiling = np.array([338, 351, 370, 391, 411, 430, 449, 468, 487, 504, 516, 532.0])
SHARES = make_pipeline(Fingerprints(counts=True, size=64), Normalizer("l1"))


@pytest.mark.parametrize("name", ["ridge", "Gaussian process", "extra trees"])
def test_heads_learn_from_few_rows_of_many_columns(name):
    head = small_data_heads(random_state=0)[name].fit(X[:40], y[:40])
    assert is_regressor(head)
    assert head.score(X[40:], y[40:]) > 0.6
    # units and zero points of features do not matter
    again = clone(head).fit(1000 * X[:40] + 5, y[:40])
    assert_allclose(again.predict(1000 * X[40:] + 5), head.predict(X[40:]), rtol=1e-3)


def test_ridge_is_that_of_the_best_penalty():
    fitted = small_data_heads()["ridge"].fit(X[:40], y[:40])[-1]
    penalties = np.logspace(-1, 6, 22)
    standard = scale(X[:40])
    errors = []
    for penalty in penalties:  # leave-one-out by the plain loop
        rows = np.arange(40)
        left_out = [
            y[i] - Ridge(penalty).fit(standard[rows != i], y[:40][rows != i]).predict(standard[[i]])[0] for i in rows
        ]
        errors.append(np.mean(np.square(left_out)))
    assert fitted.alpha_ == pytest.approx(penalties[np.argmin(errors)])


def test_the_process_is_one_of_matern_and_noise():
    process = small_data_heads()["Gaussian process"].fit(X[:40], y[:40])[-1]
    amplitude, length, noise = np.exp(process.kernel_.theta)
    distances = np.sqrt(3) * squareform(pdist(scale(X[:40]))) / length
    covariance = amplitude * (1 + distances) * np.exp(-distances) + noise * np.eye(40)
    normal = scale(y[:40])
    expected = -0.5 * (normal @ np.linalg.solve(covariance, normal) + np.linalg.slogdet(covariance)[1])
    assert_allclose(process.log_marginal_likelihood_value_, expected - 20 * np.log(2 * np.pi), rtol=1e-6)


def test_direct_models_are_pipelines_of_structures():
    models = direct_models(SHARES, random_state=0)
    assert list(models) == ["forest", "ridge", "Gaussian process"]
    for model in models.values():
        assert model.fit(ALCOHOLS, boiling).score(ALCOHOLS, boiling) > 0.9
        assert model[0] is not SHARES
    assert not hasattr(SHARES[1], "n_features_in_")


@pytest.mark.parametrize("make", [small_data_heads, lambda seed=None: direct_models(Normalizer(), seed)])
def test_random_state(make):
    for name, one in make(3).items():
        other = make(3)[name]
        assert_array_equal(one.fit(X, y).predict(X), other.fit(X, y).predict(X))
    assert make()["ridge"] is not make()["ridge"]


# ---------------------------------------------------------------- classes

two, three = np.where(y > 105, "high", "low"), np.digitize(y, [90, 110])


@pytest.mark.parametrize("name", ["logistic regression", "Gaussian process", "extra trees"])
@pytest.mark.parametrize("classes", [two, three], ids=["two", "three"])
def test_classifiers_learn_from_few_rows_of_many_columns(name, classes):
    head = small_data_heads(random_state=0, task="classification")[name].fit(X[:40], classes[:40])
    assert is_classifier(head)
    proba = head.predict_proba(X[40:])
    assert_allclose(proba.sum(axis=1), 1)
    scored = proba[:, 1] if len(head.classes_) == 2 else proba
    assert roc_auc_score(classes[40:], scored, multi_class="ovr", labels=head.classes_) > 0.8
    # units and zero points of features do not matter
    again = clone(head).fit(1000 * X[:40] + 5, classes[:40])
    assert_allclose(again.predict_proba(1000 * X[40:] + 5), proba, atol=1e-3)


def test_logistic_regression_has_a_penalty_for_each_number_of_columns():
    for n_columns in (30, 300):
        fitted = small_data_heads(task="classification")["logistic regression"].fit(X[:, :n_columns], two)
        # the sum of log losses and w^2 / (2 C), with C = 5 / n_columns, has no slope
        standard, sign = scale(X[:, :n_columns]), np.where(two == fitted.classes_[1], 1, -1)
        weights = fitted[-1].coef_[0] / np.sqrt(n_columns)
        pull = sign / (1 + np.exp(sign * (standard @ weights + fitted[-1].intercept_)))
        slope = standard.T @ pull - weights * n_columns / 5
        assert np.linalg.norm(slope) < 0.05 * np.linalg.norm(standard.T @ pull)


def test_direct_classifiers_are_pipelines_of_structures():
    kinds = ["small"] * 4 + ["large"] * 8
    models = direct_models(SHARES, random_state=0, task="classification")
    assert list(models) == ["forest", "logistic regression", "Gaussian process"]
    for model in models.values():
        assert model.fit(ALCOHOLS, kinds).score(ALCOHOLS, kinds) > 0.9
        assert model.predict_proba(["CCCCCCCCO"])[0, 0] > 0.5
        assert model[0] is not SHARES


@pytest.mark.parametrize("make", [small_data_heads, partial(direct_models, Normalizer())])
def test_random_state_of_classifiers(make):
    for name, one in make(3, task="classification").items():
        other = make(3, task="classification")[name]
        assert_array_equal(one.fit(X, two).predict_proba(X), other.fit(X, two).predict_proba(X))


@pytest.mark.parametrize("make", [small_data_heads, partial(direct_models, Normalizer())])
def test_there_are_two_tasks(make):
    with pytest.raises(ValueError, match="task must be 'regression' or 'classification', got 'classes'"):
        make(task="classes")
