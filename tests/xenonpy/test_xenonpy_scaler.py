"""Scaler and DescriptorHeatmap."""

import pickle

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from xenonpy.datatools import Scaler as OriginalScaler

from sktaag.xenonpy import DescriptorHeatmap, Scaler

X = pd.DataFrame(np.random.RandomState(0).lognormal(size=(30, 4)), columns=list("abcd"), index=range(5, 35))

CHAINS = {
    "recipe": lambda scaler: scaler.power_transformer().min_max(),
    "log": lambda scaler: scaler.log(),
    "box_cox": lambda scaler: scaler.box_cox().standard(),
    "yeo_johnson": lambda scaler: scaler.yeo_johnson(standardize=True),
    "given": lambda scaler: scaler.power_transformer(lmd=[0.5, 1.0, 2.0, 0.0]).min_max((0, 2)),
    "one": lambda scaler: scaler.box_cox(lmd=0.3),
}


@parametrize_with_checks(
    [Scaler(), Scaler().standard(), Scaler().power_transformer().min_max()],
    expected_failed_checks=lambda estimator: {
        f"check_estimator_sparse_{kind}": "sets with_mean on whatever is called Scaler" for kind in ("array", "matrix")
    },
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("chain", CHAINS)
def test_equals_xenonpy(chain):
    ours, theirs = CHAINS[chain](Scaler()), CHAINS[chain](OriginalScaler())
    data = X if chain == "log" else X.assign(constant=2.0) if chain in ("recipe", "yeo_johnson") else X
    rows, expected = ours.fit_transform(data), theirs.fit_transform(data)
    pd.testing.assert_frame_equal(rows, expected)
    pd.testing.assert_frame_equal(ours.transform(data[:3]), theirs.transform(data[:3]))
    assert_allclose(ours.transform(data.to_numpy()), expected)
    pd.testing.assert_frame_equal(ours.inverse_transform(rows), data)


def test_sparse_data_is_refused():
    with pytest.raises(TypeError, match="dense data is required"):
        Scaler().fit(csr_array(X))


def test_series():
    y = X["a"]
    rows = Scaler().log().fit_transform(y)
    assert rows.index.tolist() == y.index.tolist()
    assert_allclose(rows["a"], np.log(y))
    assert_allclose(Scaler().log().fit(y).inverse_transform(rows)["a"], y)


def test_what_does_not_go():
    with pytest.raises(ValueError, match=r"Add \.standard\(\)"):
        Scaler().box_cox(standardize=True, lmd=0.5).fit(X)
    with pytest.raises(ValueError, match="strictly positive"):
        Scaler().log().fit(-X)
    scaler = Scaler().log()
    scaler.reset()
    assert_array_equal(scaler.fit_transform(X), X)


def test_r9_scalers_are_kept_by_clone():
    scaler = Scaler().power_transformer(lmd=0.5).min_max()
    rows = scaler.fit_transform(X)
    for copy in (clone(scaler), pickle.loads(pickle.dumps(scaler))):
        pd.testing.assert_frame_equal(copy.fit_transform(X), rows)
        assert len(copy.get_params()["scalers"]) == 2
    assert "lmd=0.5" in repr(scaler)
    assert scaler.get_feature_names_out().tolist() == list("abcd")
    framed = clone(scaler).set_output(transform="polars").fit_transform(X)
    assert framed.columns == list("abcd")

    y = np.log(X["a"])
    model = make_pipeline(Scaler().log(), Ridge(alpha=1e-6))
    assert cross_val_score(model, X, y, cv=3).min() > 0.99  # only if it scales inside of the folds
    search = GridSearchCV(model, {"scaler": [Scaler(), Scaler().log()]}, cv=3, error_score="raise").fit(X, y)
    assert len(search.best_params_["scaler"].scalers) == 1


# ---------------------------------------------------------------- DescriptorHeatmap


@parametrize_with_checks([DescriptorHeatmap()])
def test_scikit_learns_own_checks_of_the_map(estimator, check):
    check(estimator)


@pytest.fixture
def agg():
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


@pytest.mark.parametrize("bc", [False, True])
def test_the_map_is_xenonpys(agg, bc, tmp_path):
    from xenonpy.visualization import DescriptorHeatmap as Original

    options = {"bc": bc, "figsize": (4, 3), "vmin": 0.0, "vmax": 1.0}
    maps = [cls(**options) for cls in (DescriptorHeatmap, Original)]
    orders, drawn = [], []
    for heatmap in maps:
        orders.append(heatmap.fit(X).draw(X["a"], return_sorted_idx=True))
        axes = plt.gcf().axes
        drawn.append([axis.get_position().bounds for axis in axes])
        assert axes[-1].get_xlabel() == "a"
    assert orders[0] == orders[1]
    assert drawn[0] == drawn[1]
    pd.testing.assert_frame_equal(maps[0].desc, maps[1].desc)
    saved = DescriptorHeatmap(figsize=(4, 3), save={"fname": tmp_path / "map.png"})
    saved.fit(X.to_numpy()).draw()
    assert (tmp_path / "map.png").stat().st_size > 1000


def test_what_xenonpy_leaves_aside_is_passed_on(agg):
    euclidean, cosine = (
        DescriptorHeatmap(metric=metric, figsize=(4, 3)).fit(X).draw(return_sorted_idx=True)
        for metric in ("euclidean", "cosine")
    )
    assert euclidean != cosine


def test_maps_have_no_holes():
    with pytest.raises(ValueError, match="contains NaN"):
        DescriptorHeatmap().fit(X.mask(X > 1))


def test_r9_the_map_is_cloned_and_pickled(agg):
    heatmap = DescriptorHeatmap(figsize=(4, 3), bc=True, vmin=0.2)
    for copy in (clone(heatmap), pickle.loads(pickle.dumps(heatmap))):
        assert copy.get_params() == heatmap.get_params()
        assert copy.get_params()["vmin"] == 0.2
    heatmap.set_params(vmin=0.3, bc=False)
    assert (heatmap.kwargs["vmin"], heatmap.bc) == (0.3, False)
    order = heatmap.fit(X).draw(return_sorted_idx=True)
    assert pickle.loads(pickle.dumps(heatmap)).draw(return_sorted_idx=True) == order
