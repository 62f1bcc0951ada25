import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime
from scipy.spatial.distance import pdist
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneOut, cross_val_predict
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktaag.heads import LayerKernelRegressor
from sktaag.heads._layer_kernel_regressor import _MEAN, _likelihood_loss, _loo_loss

RNG = np.random.RandomState(0)
X = RNG.randn(40, 12) * np.repeat([1.0, 10.0, 0.1], 4)
Y = X[:, 4:8] @ [0.3, -0.2, 0.1, 0.2] + 3.0 + 0.3 * RNG.randn(40)


@parametrize_with_checks(
    [LayerKernelRegressor(layers=1), LayerKernelRegressor(layers=1, kernel="rbf", criterion="loo")]
)
def test_sklearn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("loss", [_likelihood_loss, _loo_loss])
def test_gradients_are_finite_differences(loss):
    kernels = np.array([X[:, i : i + 4] @ X[:, i : i + 4].T for i in (0, 4, 8)]) / 50
    y = (Y - Y.mean()) / Y.std()
    for logs in ([0.0, 0, 0, 0], [-2.0, 1.0, 0.5, -1.5]):
        expected = approx_fprime(np.array(logs), lambda point: loss(point, kernels, y)[0], 1e-6)
        assert_allclose(loss(np.array(logs), kernels, y)[1], expected, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("criterion", ["likelihood", "loo"])
def test_finds_the_layer_that_counts(kernel, criterion):
    model = LayerKernelRegressor(3, kernel=kernel, criterion=criterion).fit(X, Y)
    assert model.layer_weights_.argmax() == 1
    assert model.layer_weights_.sum() == pytest.approx(1)
    assert model.layer_weights_[1] > 0.6


def test_one_linear_layer_is_ridge_regression():
    model = LayerKernelRegressor(1).fit(X, Y)
    scaler = StandardScaler().fit(X)
    weight, noise = model._weights[0] / model._sizes[0], (model.noise_ / Y.std()) ** 2
    ridge = Ridge(noise / weight).fit(scaler.transform(X), Y)
    assert_allclose(model.predict(X[:5] + 1), ridge.predict(scaler.transform(X[:5] + 1)), rtol=1e-6)


def test_one_rbf_layer_is_the_gaussian_process_of_scikit_learn():
    model = LayerKernelRegressor(1, kernel="rbf").fit(X, Y)
    noise = (model.noise_ / Y.std()) ** 2
    kernel = ConstantKernel(model._weights[0]) * RBF(model._widths[0]) + ConstantKernel(_MEAN) + WhiteKernel(noise)
    scaler = StandardScaler().fit(X)
    theirs = GaussianProcessRegressor(kernel, alpha=0, optimizer=None, normalize_y=True).fit(scaler.transform(X), Y)
    mean, std = theirs.predict(scaler.transform(X[:6] + 0.5), return_std=True)
    ours = model.predict(X[:6] + 0.5, return_std=True)
    assert_allclose(ours[0], mean, rtol=1e-6)
    assert_allclose(ours[1], std, rtol=1e-6)
    assert model.log_likelihood_ == pytest.approx(theirs.log_marginal_likelihood_value_, rel=1e-8)
    assert model._widths[0] == pytest.approx(np.median(pdist(scaler.transform(X))))


def test_each_criterion_is_best_at_what_it_asks_for():
    by_likelihood, by_loo = (LayerKernelRegressor(3, criterion=name).fit(X, Y) for name in ("likelihood", "loo"))
    assert by_likelihood.log_likelihood_ > by_loo.log_likelihood_
    errors = [np.square(model.loo_predictions_ - Y).mean() for model in (by_loo, by_likelihood)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("seed", [35, 180])  # much noise is more likely, and little
def test_the_higher_of_two_maxima(seed, monkeypatch):
    rng = np.random.RandomState(seed)
    few = rng.randn(rng.randint(8, 20), 12)
    y = few[:, :4] @ rng.randn(4) * 0.3 + 0.5 * rng.randn(len(few))
    found = LayerKernelRegressor(3).fit(few, y).log_likelihood_
    alone = []
    for start in (-6.0, 0.0):
        monkeypatch.setattr("sktaag.heads._layer_kernel_regressor._STARTS", (start,))
        alone.append(LayerKernelRegressor(3).fit(few, y).log_likelihood_)
    assert max(alone) > min(alone) + 1
    assert found == pytest.approx(max(alone), rel=1e-6)


def many_columns(n, n_columns=90):
    """Rows of three layers of many more columns than rows, as those of a network, and a target that is half noise."""
    rng = np.random.RandomState(1)
    hidden = rng.randn(n, 6)
    columns = hidden @ rng.randn(6, n_columns) + 0.3 * rng.randn(n, n_columns)
    return columns, hidden[:, 0] + rng.randn(n)


@pytest.mark.parametrize("criterion", ["likelihood", "loo"])
@pytest.mark.parametrize(("rows", "y"), [(X, Y), many_columns(25)], ids=["few columns", "many columns"])
def test_leave_one_out_is_ridge_regression_without_the_row(rows, y, criterion):
    model = LayerKernelRegressor(3, criterion=criterion).fit(rows, y)
    scale = np.repeat(np.sqrt(model._weights / model._sizes), rows.shape[1] // 3)
    columns = StandardScaler().fit_transform(rows) * scale
    ridge = Ridge((model.noise_ / y.std()) ** 2, solver="svd")
    assert_allclose(model.loo_predictions_, cross_val_predict(ridge, columns, y, cv=LeaveOneOut()), atol=0.01 * y.std())


def test_rbf_leave_one_out_is_a_plain_loop():
    model = LayerKernelRegressor(3, kernel="rbf").fit(X, Y)
    kernels = model._kernels(model._rows) / model._sizes[:, None, None]
    whole = np.tensordot(model._weights, kernels, axes=1) + _MEAN
    y, noise = (Y - Y.mean()) / Y.std(), (model.noise_ / Y.std()) ** 2
    for i in range(5):
        others = np.delete(np.arange(len(y)), i)
        dual = np.linalg.solve(whole[np.ix_(others, others)] + noise * np.eye(len(others)), y[others])
        assert model.loo_predictions_[i] == pytest.approx(whole[i, others] @ dual * Y.std() + Y.mean(), rel=1e-6)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("criterion", ["likelihood", "loo"])
def test_many_columns_and_noise(kernel, criterion):
    rows, y = many_columns(300)
    model = LayerKernelRegressor(3, kernel=kernel, criterion=criterion).fit(rows[:40], y[:40])
    predicted, std = model.predict(rows[40:], return_std=True)
    error = np.sqrt(np.mean((predicted - y[40:]) ** 2))
    assert 0.7 < np.sqrt(np.mean((model.loo_predictions_ - y[:40]) ** 2)) / error < 1.2
    assert 0.7 < np.sqrt(np.mean(std**2)) / error < 1.2
    assert 0.7 < model.noise_ < 1.2  # it is 1


def test_layers_by_name_number_and_label():
    names = [f"L(-{k})_mean_{j}" for k in (3, 2, 1) for j in range(4)]
    frame = LayerKernelRegressor().fit(pd.DataFrame(X, columns=names), Y)
    assert frame.layers_.tolist() == ["L(-3)", "L(-2)", "L(-1)"]
    number = LayerKernelRegressor(3).fit(X, Y)
    label = LayerKernelRegressor(np.tile(["a", "b", "c"], 4)).fit(X[:, np.arange(12).reshape(3, 4).T.ravel()], Y)
    assert_allclose(frame.layer_weights_, number.layer_weights_)
    assert_allclose(label.layer_weights_, number.layer_weights_, atol=1e-4)


def test_layers_of_several_sources():
    """As FeatureUnion, ColumnTransformer and FrozenFeaturizer name them."""
    names = [
        f"{source}__L(-{k})_{j}" for source in ("melting_point", "union__two_steps") for k in (2, 1) for j in (1, 2, 3)
    ]
    model = LayerKernelRegressor().fit(pd.DataFrame(X, columns=names), Y)
    steps = ["melting_point__L(-2)", "melting_point__L(-1)", "union__two_steps__L(-2)", "union__two_steps__L(-1)"]
    assert model.layers_.tolist() == steps


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_constant_layers_have_no_weight(kernel):
    constant = np.c_[X[:, :4], 1 / 3 + 1e-9 * RNG.randn(40, 4)].astype(np.float32)  # but for rounding
    model = LayerKernelRegressor(2, kernel=kernel).fit(constant, Y)
    assert model.layer_weights_[1] == 0
    assert np.isfinite(model.predict(constant + 1)).all()
    assert np.isfinite(model.predict(constant + 1, return_std=True)[1]).all()


def test_constant_target():
    assert_allclose(LayerKernelRegressor(3).fit(X, np.full(40, 7.0)).predict(X), 7.0)


def test_grid_search():
    search = GridSearchCV(LayerKernelRegressor(3), {"kernel": ["linear", "rbf"], "criterion": ["likelihood", "loo"]})
    assert search.fit(X, Y).best_params_["kernel"] == "linear"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "layers=None reads the names of the columns, and X has none"),
        ({"layers": 5}, "X has 12 columns, which are not 5 equal blocks"),
        ({"layers": ["a", "b"]}, r"layers has shape \(2,\); X has 12 columns"),
        ({"layers": 3, "kernel": "poly"}, "kernel must be one of linear, rbf"),
        ({"layers": 3, "criterion": "cv"}, "criterion must be one of likelihood, loo"),
    ],
)
def test_errors(params, message):
    with pytest.raises(ValueError, match=message):
        LayerKernelRegressor(**params).fit(X, Y)
