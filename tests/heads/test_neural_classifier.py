import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import EpochScoring

from sktaag.heads import NeuralClassifier

UNKNOWN_NAME = {
    "check_do_not_raise_errors_in_init_or_set_params": "takes **net_params for a parameter of that name; unknown names "
    "are a TypeError, as in any Python call"
}


@parametrize_with_checks([NeuralClassifier(max_epochs=20, lr=0.01)], expected_failed_checks=lambda _: UNKNOWN_NAME)
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True)
    rows = np.random.RandomState(0).permutation(len(y))[:60]
    return X[rows], np.array(["red", "white", "rose"])[y[rows]]


@pytest.fixture
def labels():
    rng = np.random.RandomState(0)
    X = rng.randn(80, 5)
    return X, (X[:, :3] > 0).astype(float)


def test_learns_on_tens_of_rows(wine):
    assert cross_val_score(NeuralClassifier(random_state=0), *wine, cv=5).mean() > 0.9


def test_classes_are_the_users(wine):
    X, y = wine
    head = NeuralClassifier(random_state=0).fit(X, y)
    np.testing.assert_array_equal(head.classes_, ["red", "rose", "white"])
    proba = head.predict_proba(X)
    assert proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(head.classes_[proba.argmax(axis=1)], head.predict(X))


def test_balanced_weights_favour_the_rare_class():
    rng = np.random.RandomState(0)
    X = rng.randn(300, 2)
    y = (X[:, 0] + rng.randn(300) > 1.8).astype(int)
    plain = NeuralClassifier(random_state=0).fit(X, y).predict(X)
    balanced = NeuralClassifier(class_weight="balanced", random_state=0).fit(X, y)
    assert plain.sum() < y.sum() < balanced.predict(X).sum()
    weight = len(y) / 2 / np.bincount(y)
    as_dict = NeuralClassifier(class_weight={0: weight[0], 1: weight[1]}, random_state=0).fit(X, y)
    np.testing.assert_allclose(as_dict.predict_proba(X), balanced.predict_proba(X), atol=1e-6)


def test_several_labels_as_mlp_classifier(labels):
    X, y = labels
    ours = NeuralClassifier(random_state=0).fit(X, y)
    theirs = MLPClassifier(random_state=0, tol=1.0).fit(X, y.astype(int))
    assert ours.predict(X).shape == theirs.predict(X).shape
    assert ours.predict(X).dtype == theirs.predict(X).dtype
    assert ours.predict_proba(X).shape == theirs.predict_proba(X).shape
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert (ours.predict(X) == y).mean() > 0.95


def test_missing_labels_are_masked(labels):
    X, y = labels
    y[20:, 2] = np.nan
    y[::2, 0] = np.nan
    head = NeuralClassifier(class_weight="balanced", random_state=0).fit(X, y)
    known = ~np.isnan(y)
    assert (head.predict(X) == y)[known].mean() > 0.95
    assert (head.predict(X)[:, 0] == (X[:, 0] > 0)).mean() > 0.85  # the rows without that label as well
    assert np.isfinite(head.predict_proba(X)).all()


def test_labels_with_early_stopping(labels):
    X, y = labels
    y[::3, 1] = np.nan
    head = NeuralClassifier(early_stopping=True, random_state=0).fit(X, y)
    assert head.validation_score_ > 0.7
    assert "valid_loss" in head.history_[0]


def test_a_class_with_a_single_row_can_be_trained_on():
    rng = np.random.RandomState(0)
    X, y = rng.randn(120, 3), np.r_[np.zeros(60), np.ones(59), 2]
    head = NeuralClassifier(early_stopping=True, validation_fraction=0.5, patience=200, random_state=0).fit(X, y)
    assert head.predict_proba(X[-1:])[0, 2] > 1 / 120
    assert head.validation_score_ is not None


def test_bad_labels_say_what(labels):
    X, y = labels
    with pytest.raises(ValueError, match="two classes; y has one class only: 1"):
        NeuralClassifier().fit(X, np.ones(80, int))
    y[:, 1] = np.nan
    with pytest.raises(ValueError, match="no label at all in column 1"):
        NeuralClassifier().fit(X, y)
    y[:, 1] = 2
    with pytest.raises(ValueError, match=r"0, 1 and NaN \(missing\) only, got 2"):
        NeuralClassifier().fit(X, y)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        NeuralClassifier().fit(X, np.r_[np.nan, np.ones(79)])
    with pytest.raises(ValueError, match='class_weight must be None or "balanced" for a y of several columns'):
        NeuralClassifier(class_weight={0: 1}).fit(X, (y > 0) * 1)
    with pytest.raises(ValueError, match="criterion must be \"log_loss\" or a torch loss class, got 'hinge'"):
        NeuralClassifier(criterion="hinge").fit(X, y[:, 0])


def test_criterion_class_and_routing(wine):
    X, y = wine
    plain = NeuralClassifier(max_epochs=20, random_state=0).fit(X, y)
    smooth = NeuralClassifier(max_epochs=20, random_state=0, criterion__label_smoothing=0.5).fit(X, y)
    assert smooth.predict_proba(X).max(axis=1).mean() < plain.predict_proba(X).max(axis=1).mean()
    same = NeuralClassifier(max_epochs=20, random_state=0, criterion=torch.nn.CrossEntropyLoss).fit(X, y)
    np.testing.assert_array_equal(same.predict_proba(X), plain.predict_proba(X))


def test_skorch_scoring_callback(wine):
    X, y = wine
    scoring = EpochScoring("accuracy", name="valid_accuracy", lower_is_better=False)
    head = NeuralClassifier(early_stopping=True, callbacks=[scoring], max_epochs=30, random_state=0).fit(X, y)
    assert head.history_[head.best_epoch_ - 1]["valid_accuracy"] == pytest.approx(head.validation_score_)
