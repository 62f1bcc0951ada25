import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import EpochScoring
from skorch.exceptions import DeviceWarning

from sktaag.heads import NeuralRegressor
from sktaag.heads._inner_split import inner_split

UNKNOWN_NAME = {
    "check_do_not_raise_errors_in_init_or_set_params": "takes **net_params for a parameter of that name; unknown names "
    "are a TypeError, as in any Python call"
}


@parametrize_with_checks([NeuralRegressor(max_epochs=20, lr=0.01)], expected_failed_checks=lambda _: UNKNOWN_NAME)
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    X = rng.randn(60, 8) * [1, 10, 100, 1, 1, 1, 1, 1] + 5
    y = 300 + 40 * (X[:, 0] - 5) + 4 * np.abs(X[:, 1] - 5)
    return X, y


def test_learns_on_tens_of_rows_what_a_line_cannot(data):
    X, y = data
    cv = KFold(5, shuffle=True, random_state=0)
    ours = cross_val_score(NeuralRegressor(random_state=0), X, y, cv=cv).mean()
    assert ours > cross_val_score(Ridge(), X, y, cv=cv).mean() + 0.05


def test_predictions_have_the_units_and_the_shape_of_y(data):
    X, y = data
    head = NeuralRegressor(random_state=0)
    one = head.fit(X, y).predict(X)
    column = head.fit(X, y[:, None]).predict(X)
    two = head.fit(X, np.column_stack([y, -1000 * y])).predict(X)
    assert one.shape == (60,)
    assert column.shape == (60, 1)
    np.testing.assert_array_equal(one, column[:, 0])
    assert two.shape == (60, 2)
    assert r2_score(y, two[:, 0]) > 0.9
    assert r2_score(-1000 * y, two[:, 1]) > 0.9


def test_same_seed_same_numbers_and_no_global_state(data):
    X, y = data
    numpy_state, torch_state = _numpy_state(), torch.get_rng_state()
    first = NeuralRegressor(dropout=0.2, max_epochs=5, random_state=0).fit(X, y).predict(X)
    np.testing.assert_array_equal(_numpy_state(), numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    torch.manual_seed(7)
    second = NeuralRegressor(dropout=0.2, max_epochs=5, random_state=0).fit(X, y).predict(X)
    np.testing.assert_array_equal(first, second)
    other = NeuralRegressor(dropout=0.2, max_epochs=5, random_state=1).fit(X, y).predict(X)
    assert not np.allclose(first, other)


def _numpy_state():
    return check_random_state(None).get_state()[1].copy()  # None is numpy's global generator


def test_missing_labels_equal_rows_left_out(data):
    X, y = data
    missing = y[:, None].copy()
    missing[::3] = np.nan
    kept = ~np.isnan(missing[:, 0])
    masked = NeuralRegressor(max_epochs=5, random_state=0).fit(X, missing)
    dropped = NeuralRegressor(max_epochs=5, random_state=0).fit(X[kept], y[kept])
    np.testing.assert_array_equal(masked.predict(X)[:, 0], dropped.predict(X))


@pytest.mark.parametrize("n_rows", [60, 120])  # without and with early stopping
def test_missing_labels_of_one_target_leave_the_other_alone(data, n_rows):
    X, y = (np.concatenate([part, part])[:n_rows] for part in data)
    Y = np.column_stack([y, 5 * X[:, 2]])
    Y[10:, 1] = np.nan
    head = NeuralRegressor(random_state=0).fit(X, Y)
    assert head.score(X, Y) > 0.9
    assert r2_score(y, head.predict(X)[:, 0]) > 0.9
    assert np.isfinite(head.predict(X)).all()
    assert (head.validation_score_ is None) == (n_rows < 100)


def test_score_averages_over_known_labels(data):
    X, y = data
    Y = np.column_stack([y, X[:, 1]])
    head = NeuralRegressor(max_epochs=3, random_state=0).fit(X, Y)
    Y[::2, 1] = np.nan
    predicted = head.predict(X)
    expected = (r2_score(y, predicted[:, 0]) + r2_score(Y[1::2, 1], predicted[1::2, 1])) / 2
    assert head.score(X, Y) == pytest.approx(expected)
    Y[:, 1] = np.nan  # a test fold may hold no label of a target
    assert head.score(X, Y) == pytest.approx(r2_score(y, predicted[:, 0]))
    Y[:4, 1] = [1, 2, 3, 4]
    assert np.isfinite(cross_val_score(clone(head), X, Y, cv=KFold(3, shuffle=True, random_state=0))).all()


def test_bad_targets_say_where(data):
    X, y = data
    with_nan = y.copy()
    with_nan[[3, 7]] = np.nan
    with pytest.raises(ValueError, match=r"NaN in 2 rows \(first: 3, 7\).*only a 2-D y"):
        NeuralRegressor().fit(X, with_nan)
    with pytest.raises(ValueError, match="no label at all in column 1"):
        NeuralRegressor().fit(X, np.column_stack([y, np.full(60, np.nan)]))
    y[0] = np.inf
    with pytest.raises(ValueError, match="Input y contains infinity"):
        NeuralRegressor().fit(X, np.column_stack([y, y]))


def test_nan_in_x_is_refused(data):
    X, y = data
    head = NeuralRegressor(max_epochs=1).fit(X, y)
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        head.predict(X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        head.fit(X, y)


@pytest.mark.parametrize(("n_rows", "held_out"), [(99, False), (100, True)])
def test_early_stopping_begins_at_a_hundred_rows(n_rows, held_out):
    rng = np.random.RandomState(0)
    head = NeuralRegressor(max_epochs=3, random_state=0).fit(rng.randn(n_rows, 3), rng.randn(n_rows))
    assert ("valid_loss" in head.history_[0]) == held_out
    assert (head.validation_score_ is not None) == held_out


def test_best_epoch_is_kept():
    rng = np.random.RandomState(0)
    X, y = rng.randn(150, 20), rng.randn(150)  # noise: the validation loss rises soon
    head = NeuralRegressor(lr=0.01, patience=10, random_state=0).fit(X, y)
    losses = [epoch["valid_loss"] for epoch in head.history_]
    assert head.n_iter_ == len(losses) == head.best_epoch_ + 10
    assert losses[head.best_epoch_ - 1] == min(losses) < losses[-1]
    _, valid = inner_split(150, 0.1, check_random_state(0))
    error = ((head.predict(X[valid]) - y[valid]) / head.target_scaler_.scale_).std()
    bias = ((head.predict(X[valid]) - y[valid]) / head.target_scaler_.scale_).mean()
    assert error**2 + bias**2 == pytest.approx(min(losses), rel=1e-4)
    assert head.validation_score_ == pytest.approx(r2_score(y[valid], head.predict(X[valid])), rel=1e-4)


def test_sparse_equals_dense():
    rng = np.random.RandomState(0)
    X = rng.poisson(0.05, (80, 100)).astype(float)
    y = X[:, :10].sum(axis=1)
    head = NeuralRegressor(max_epochs=20, random_state=0).fit(csr_array(X), y)
    np.testing.assert_allclose(head.predict(csr_array(X)), head.predict(X), atol=1e-5)
    dense = NeuralRegressor(max_epochs=20, random_state=0).fit(X, y)
    np.testing.assert_allclose(dense.predict(csr_array(X)), dense.predict(X), atol=1e-5)
    assert dense.score(X, y) == pytest.approx(head.score(X, y), abs=0.1)  # the dense one also centres its input


@pytest.mark.parametrize("n_rows", [33, 65])  # the last of the batches of 32 would hold a single row
def test_batch_norm_takes_any_number_of_rows(n_rows):
    rng = np.random.RandomState(0)
    head = NeuralRegressor(batch_norm=True, max_epochs=2, random_state=0).fit(rng.randn(n_rows, 3), rng.randn(n_rows))
    assert head.history_[0]["train_batch_count"] == n_rows // 32


def test_grid_search_over_routed_and_plain_parameters(data):
    X, y = data
    grid = {"optimizer__weight_decay": [0.0, 1.0], "hidden": [(4,), 0.5], "optimizer": ["adam", torch.optim.RMSprop]}
    search = GridSearchCV(NeuralRegressor(max_epochs=2, random_state=0), grid, cv=2).fit(X, y)
    assert search.best_params_.keys() == grid.keys()
    assert search.best_estimator_.hidden_sizes_ == (4,)
    assert len(set(search.cv_results_["mean_test_score"])) > 2


def test_routed_parameters_reach_the_net(data):
    X, y = data
    head = NeuralRegressor(
        max_epochs=8,
        module__dropout=0.3,
        optimizer__betas=(0.5, 0.6),
        iterator_train__batch_size=20,
        callbacks__early_stopping__patience=2,
        early_stopping=True,
        callbacks=[EpochScoring("r2", name="valid_r2", lower_is_better=False)],
        random_state=0,
    ).fit(X, y)
    assert head.module_.layer_0.dropout.p == 0.3
    assert head.history_[0]["train_batch_count"] == 3
    assert head.net_.optimizer__betas == (0.5, 0.6)
    assert head.net_.get_params()["optimizer__weight_decay"] == 3.0
    assert head.history_[head.best_epoch_ - 1]["valid_r2"] == pytest.approx(head.validation_score_, rel=1e-3)
    assert not hasattr(head.callbacks[0], "best_score_")  # the user's own callback was not touched


def test_optimizers_without_weight_decay_work(data):
    X, y = data
    head = NeuralRegressor(optimizer=torch.optim.LBFGS, lr=0.1, batch_size=60, max_epochs=20, random_state=0).fit(X, y)
    assert head.score(X, y) > 0.9


@pytest.mark.parametrize("scheduler", ["plateau", "cosine"])
def test_schedulers_lower_the_learning_rate(data, scheduler):
    X, y = data[0], np.random.RandomState(0).randn(60)
    head = NeuralRegressor(scheduler=scheduler, early_stopping=True, lr=0.01, patience=9, random_state=0).fit(X, y)
    rates = [epoch["event_lr"] for epoch in head.history_]
    assert rates[0] == 0.01
    assert rates[-1] < 0.01


def test_pickle_is_small_and_predicts_the_same():
    rng = np.random.RandomState(0)
    X, y = rng.randn(200, 50), rng.randn(200)
    head = NeuralRegressor(hidden=(400,), max_epochs=3, random_state=0).fit(X, y)
    data = pickle.dumps(head)
    weights = 4 * sum(weight.numel() for weight in head.module_.parameters())
    assert len(data) < 1.1 * weights + 20_000
    np.testing.assert_array_equal(pickle.loads(data).predict(X), head.predict(X))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_model_loads_on_a_cpu_machine(data):
    # a model fitted on CUDA differs in its device name; the storages are mapped by skorch under the same condition
    X, y = data
    head = NeuralRegressor(max_epochs=1, random_state=0).fit(X, y)
    expected = head.predict(X)
    head.net_.device = "cuda"
    with pytest.warns(DeviceWarning, match="cuda"):
        loaded = pickle.loads(pickle.dumps(head))
    np.testing.assert_array_equal(loaded.predict(X), expected)


def test_mixed_precision_trains_in_bfloat16_and_predicts_in_float64(data, monkeypatch):
    X, y = data
    plain = NeuralRegressor(max_epochs=5, mixed_precision="auto", device="cpu", random_state=0).fit(X, y).predict(X)
    monkeypatch.setattr("sktaag.heads._base.use_bfloat16", lambda *_: True)
    products = []
    linear = torch.nn.functional.linear
    monkeypatch.setattr(torch.nn.functional, "linear", lambda *a: products.append(linear(*a)) or products[-1])
    head = NeuralRegressor(max_epochs=5, random_state=0).fit(X, y)
    assert {product.dtype for product in products} == {torch.bfloat16}
    products.clear()
    mixed = head.predict(X)
    assert {product.dtype for product in products} == {torch.float64}
    assert {weight.dtype for weight in head.module_.parameters()} == {torch.float32}
    assert not np.array_equal(mixed, plain)
    np.testing.assert_allclose(mixed, plain, rtol=0.05)


def test_hidden_outputs(data):
    X, y = data
    head = NeuralRegressor(hidden=(6, 4), max_epochs=2, random_state=0).fit(X, y)
    first, second = head.hidden_outputs(X)
    assert (first.shape, second.shape, first.dtype) == ((60, 6), (60, 4), np.float32)
    scaled = torch.from_numpy(head.input_scaler_.transform(X.astype(np.float32)))
    np.testing.assert_allclose(first, head.module_.layer_0.linear(scaled).detach(), atol=1e-6)
    post = head.hidden_outputs(X, activation="post")[1]
    np.testing.assert_allclose(post, np.maximum(second, 0))
    output = torch.from_numpy(post) @ head.module_.output.weight.T + head.module_.output.bias
    predicted = head.target_scaler_.inverse_transform(output.detach().numpy())
    np.testing.assert_allclose(predicted.ravel(), head.predict(X), rtol=1e-5)


def test_divergence_is_an_error(data):
    X, y = data
    with pytest.raises(ValueError, match=r"Training diverged: after 30 epochs.*Lower lr \(now 1e\+30\)"):
        NeuralRegressor(optimizer="sgd", lr=1e30, max_epochs=30).fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_epochs": 0}, "max_epochs must be an integer of at least 1, got 0"),
        ({"batch_norm": True, "batch_size": 1}, "batch_size must be an integer of at least 2, got 1"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"lr": -1}, "lr must be in"),
        ({"validation_fraction": 1.0}, r"validation_fraction must be in \(0, 1\)"),
        ({"early_stopping": "yes"}, "early_stopping must be True, False or \"auto\", got 'yes'"),
        ({"scheduler": "step"}, "scheduler must be None"),
        ({"optimizer": "lion"}, "optimizer must be one of adamw, adam, sgd or a torch optimizer class, got 'lion'"),
        ({"criterion": "r2"}, "criterion must be one of mse, mae, huber, or a torch loss class, got 'r2'"),
        ({"mixed_precision": "yes"}, "mixed_precision must be"),
        ({"hidden": "cone"}, "hidden must be a sequence"),
    ],
)
def test_bad_parameters(data, params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        NeuralRegressor(**params).fit(*data)


def test_early_stopping_needs_rows():
    with pytest.raises(ValueError, match="nothing to train or validate on: n_samples=2"):
        NeuralRegressor(early_stopping=True).fit(np.eye(2), [0.0, 1.0])
