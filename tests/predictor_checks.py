"""Conformance of classifiers and regressors whose X is a column of structures.

`sktaag.testing` holds the same contract for transformers.
"""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from sktaag.testing._checks import check_constructor, check_set_params, through_joblib
from sktaag.testing._equality import assert_same_parameters
from sktaag.testing._forms import as_frame, containers


def check_parameters(estimator, X, y):
    check_constructor(estimator, X)
    check_set_params(estimator, X)
    assert_same_parameters(estimator, clone(estimator), "clone")


def check_fit(estimator, X, y):
    fitted = clone(estimator)
    before = fitted.get_params(deep=False)
    assert fitted.fit(X, y) is fitted
    assert all(value is before[name] for name, value in fitted.get_params(deep=False).items()), "fit changes parameters"
    predicted = fitted.predict(X)
    assert len(predicted) == len(X)
    assert_same(predicted, fitted.predict(X))
    assert_same(predicted, clone(estimator).fit(X, y).predict(X))  # the same seed gives the same numbers
    assert_same(predicted, clone(estimator).fit(X[:-1], y[:-1]).fit(X, y).predict(X))  # earlier fits are forgotten
    assert fitted.n_features_in_ == 1
    if is_classifier(estimator):
        assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0)


def check_not_fitted(estimator, X, y):
    with pytest.raises(NotFittedError):
        clone(estimator).predict(X)


def check_pickle(estimator, X, y):
    fitted = clone(estimator).fit(X, y)
    for copy, how in ((pickle.loads(pickle.dumps(fitted)), "pickle"), (through_joblib(fitted), "joblib")):
        assert_same_parameters(fitted, copy, how)
        assert_same(fitted.predict(X), copy.predict(X))
    assert_same(fitted.predict(X), pickle.loads(pickle.dumps(clone(estimator))).fit(X, y).predict(X))


def check_containers(estimator, X, y):
    fitted = clone(estimator).fit(as_frame(X), y)
    expected = fitted.predict(X)
    for name, form in containers(X).items():
        assert len(fitted.predict(form)) == len(X), name
        assert_same(expected, fitted.predict(form))
    for bad in ([], as_frame(X).iloc[:, [0, 0]], "CCO"):
        with pytest.raises((TypeError, ValueError)):
            fitted.predict(bad)


def check_row_independence(estimator, X, y):
    fitted = clone(estimator).fit(X, y)
    predict = fitted.predict_proba if is_classifier(estimator) else fitted.predict
    expected, order = predict(X), np.random.RandomState(0).permutation(len(X))
    assert_same(expected[order], predict([X[i] for i in order]))
    assert_same(expected, np.concatenate([predict([structure]) for structure in X]))


def check_global_state(estimator, X, y):
    import torch

    numbers, tensors = np.random.get_state()[1].copy(), torch.get_rng_state().clone()  # noqa: NPY002
    clone(estimator).fit(X, y).predict(X)
    assert (np.random.get_state()[1] == numbers).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), tensors)


def check_model_selection(estimator, X, y):
    scores = cross_val_score(clone(estimator), X, y, cv=2, error_score="raise")
    assert np.isfinite(scores).all()
    grid = {"lr": [1e-3, 3e-3]} if "lr" in estimator.get_params() else {"use_forces": [True, False]}
    search = GridSearchCV(clone(estimator), grid, cv=2, error_score="raise").fit(X, y)
    best = clone(estimator).set_params(**search.best_params_).fit(X, y)
    assert_same(best.predict(X), search.predict(X))


def assert_same(expected, actual):
    if np.asarray(expected).dtype.kind in "fc":
        assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)
    else:
        assert list(actual) == list(expected)


CHECKS = [
    check_parameters,
    check_fit,
    check_not_fitted,
    check_pickle,
    check_containers,
    check_row_independence,
    check_global_state,
    check_model_selection,
]
