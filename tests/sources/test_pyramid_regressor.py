import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktaag.nn import RandomPyramid, resolve_hidden
from sktaag.sources import PyramidRegressor

UNKNOWN_NAME = {
    "check_do_not_raise_errors_in_init_or_set_params": "takes **net_params for a parameter of that name; unknown names "
    "are a TypeError, as in any Python call"
}


@parametrize_with_checks(
    [PyramidRegressor(hidden=(16, 8), max_epochs=20, lr=0.01)], expected_failed_checks=lambda _: UNKNOWN_NAME
)
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.RandomState(0)
    X = rng.poisson(0.05, (400, 300)).astype(np.float32)
    return X, 500 + 30 * X[:, :20].sum(axis=1)


def test_sparse_counts_give_the_network_of_dense_ones(counts):
    # the same batches, weights and updates; only the order of sums differs, which SGD, unlike Adam, does not amplify
    X, y = counts
    params = {"hidden": (20, 10), "optimizer": "sgd", "lr": 0.01, "max_epochs": 20, "batch_size": 64, "random_state": 0}
    dense = PyramidRegressor(**params).fit(X, y)
    for make in (csr_array, csr_matrix):
        sparse = PyramidRegressor(**params).fit(make(X), y)
        np.testing.assert_allclose(sparse.predict(make(X)), dense.predict(X), rtol=1e-4)
        np.testing.assert_allclose(sparse.predict(X), dense.predict(make(X)), rtol=1e-4)
        for ours, theirs in zip(sparse.hidden_outputs(make(X)), dense.hidden_outputs(X), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert dense.score(X, y) > 0.9
    assert sparse.validation_score_ == pytest.approx(dense.validation_score_, abs=1e-3)


@pytest.mark.parametrize("hidden", [(12, 6), (0.1, 0.05), "pyramid", RandomPyramid((2, 2), (4, 9))])
def test_hidden_sizes(counts, hidden):
    X, y = counts
    source = PyramidRegressor(hidden, max_epochs=1, random_state=3).fit(X, y)
    assert source.hidden_sizes_ == resolve_hidden(hidden, 300, 3)
    assert [layer.shape for layer in source.hidden_outputs(X)] == [(400, width) for width in source.hidden_sizes_]
    other = PyramidRegressor("pyramid", max_epochs=1, random_state=4).fit(X, y)
    assert other.hidden_sizes_ != source.hidden_sizes_


def test_several_targets_with_missing_labels(counts):
    X, y = counts
    Y = np.column_stack([y, X[:, :5].sum(axis=1), -y])
    Y[np.random.RandomState(0).rand(*Y.shape) < 0.5] = np.nan
    source = PyramidRegressor((40, 20), batch_size=32, early_stopping=False, max_epochs=30, random_state=0)
    predicted = source.fit(csr_array(X), Y).predict(csr_array(X))
    assert predicted.shape == (400, 3)
    for k, true in ((0, y), (2, -y)):
        known = ~np.isnan(Y[:, k])
        assert np.corrcoef(predicted[known, k], true[known])[0, 1] > 0.95
        assert np.corrcoef(predicted[~known, k], true[~known])[0, 1] > 0.5  # half of them are known as the other target


def test_does_not_scale_its_input(counts):
    X, y = counts
    source = PyramidRegressor((8,), max_epochs=1, random_state=0).fit(X, y)
    assert not hasattr(source, "input_scaler_")
    pre = source.hidden_outputs(X)[0]
    linear = source.module_.layer_0.linear
    np.testing.assert_allclose(pre, X @ linear.weight.detach().numpy().T + linear.bias.detach().numpy(), atol=1e-5)


def test_a_pipeline_pickles_with_its_weights_once(counts):
    X, y = counts
    source = make_pipeline(StandardScaler(), PyramidRegressor((200, 100), max_epochs=2, random_state=0)).fit(X, y)
    data = pickle.dumps(source)
    weights = 4 * sum(weight.numel() for weight in source[-1].module_.parameters())
    assert len(data) < 1.1 * weights + 20_000
    np.testing.assert_array_equal(pickle.loads(data).predict(X), source.predict(X))


def test_batches_do_not_change_hidden_outputs(counts):
    X, y = counts
    source = PyramidRegressor((8, 4), max_epochs=1, random_state=0, iterator_valid__batch_size=64).fit(X, y)
    for whole, parts in zip(
        source.hidden_outputs(X), zip(*map(source.hidden_outputs, np.array_split(X, 7)), strict=True), strict=True
    ):
        np.testing.assert_allclose(whole, np.concatenate(parts), rtol=1e-6)
    alone = np.concatenate([source.predict(row) for row in np.array_split(X, 400)])
    np.testing.assert_allclose(alone, source.predict(X), rtol=1e-12)


def test_unfitted_and_bad_activation(counts):
    with pytest.raises(ValueError, match="not fitted"):
        PyramidRegressor().hidden_outputs(counts[0])
    source = PyramidRegressor((4,), max_epochs=1).fit(*counts)
    with pytest.raises(ValueError, match='"pre" or "post", got \'mid\''):
        source.hidden_outputs(counts[0], activation="mid")
    with pytest.raises(ValueError, match="hidden layers need a second one"):
        PyramidRegressor((), max_epochs=1).fit(*counts).hidden_outputs(counts[0])
