import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn
from xenonpy.descriptor import FrozenFeaturizer as Original
from xenonpy.model.nn import Layer1d

from sktaag.structures import InvalidRowsError, InvalidRowsWarning
from sktaag.xenonpy import FrozenFeaturizer, SequentialLinear


def trained(widths=(6, 5, 4), seed=0):
    """A network whose batch norms and dropout would show in the features, if they were let in."""
    torch.manual_seed(seed)
    model = SequentialLinear(
        8, 1, h_neurons=widths, h_dropouts=0.3, h_activation_funcs=[nn.LeakyReLU()] * len(widths), h_normalizers=0.2
    )
    for part in model.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
    return model


@pytest.fixture(scope="module")
def frame():
    values = np.random.RandomState(0).normal(size=(12, 8))
    return pd.DataFrame(values, index=[f"s{i}" for i in range(12)][::-1], columns=list("abcdefgh"))


@pytest.mark.parametrize(
    ("depth", "n_layer"), [(d, n) for d in (None, 1, 2, 3) for n in (None, 1, 2, 3) if n is None or n <= (d or 3)]
)
@pytest.mark.parametrize("legacy", [False, True])
def test_r3_equals_xenonpy(frame, depth, n_layer, legacy):
    model = nn.Sequential(Layer1d(8, 6, drop_out=0.2), Layer1d(6, 5), Layer1d(5, 4), nn.Linear(4, 1))
    model = model if legacy else trained()
    ours = FrozenFeaturizer(model, depth=depth, n_layer=n_layer)
    theirs = Original(model, depth=depth, n_layer=n_layer)
    rows, expected = ours.transform(frame), theirs.transform(frame)
    assert rows.columns.tolist() == expected.columns.tolist() == ours.feature_labels
    assert rows.index.tolist() == expected.index.tolist() == frame.index.tolist()
    assert_allclose(rows, expected, atol=1e-6, rtol=0)
    array = ours.transform(frame.to_numpy())
    assert isinstance(array, np.ndarray)
    assert_allclose(array, theirs.transform(frame.to_numpy()), atol=1e-6, rtol=0)


def test_r3_depth_and_form_of_one_call(frame):
    model = trained()
    ours, theirs = FrozenFeaturizer(model), Original(model)
    expected = theirs.transform(frame.to_numpy(), depth=2, n_layer=1, return_type="df")
    rows = ours.transform(frame.to_numpy(), depth=2, n_layer=1, return_type="df")
    pd.testing.assert_frame_equal(rows, expected, atol=1e-6, rtol=0, check_dtype=False)
    assert isinstance(ours.transform(frame, return_type="array"), np.ndarray)
    assert isinstance(ours.transform(frame, return_type="custom"), np.ndarray)
    wide = frame.assign(more=1.0)
    assert_array_equal(ours.transform(wide, target_col=list("abcdefgh")), ours.transform(frame))
    assert ours.transform(frame).shape == (12, 15)  # one call changes nothing for the next


def test_depths_that_are_too_large_take_all_with_a_warning(frame):
    featurizer = FrozenFeaturizer(trained(), depth=9)
    with pytest.warns(UserWarning, match="depth=9 is more than the 3 hidden layers"):
        assert featurizer.transform(frame).shape == (12, 15)
    with pytest.warns(UserWarning, match="n_layer=3 is more than the 2 layers"):
        assert featurizer.transform(frame, depth=2, n_layer=3).shape == (12, 9)


def test_features_do_not_depend_on_the_mode_of_the_network(frame):
    model = trained()
    featurizer = FrozenFeaturizer(model)
    before = featurizer.transform(frame)
    model.train()
    assert_array_equal(featurizer.transform(frame), before)
    assert model.training


def test_lists_are_taken(frame):
    featurizer = FrozenFeaturizer(trained(), depth=1)
    assert_array_equal(featurizer.transform(frame.to_numpy().tolist()), featurizer.transform(frame.to_numpy()))


def test_rows_that_are_not_finite(frame):
    X = frame.to_numpy().copy()
    X[2, 3], X[5, 0] = np.nan, np.inf
    with pytest.raises(InvalidRowsError, match=r'row 2: .*not finite(?s:.*)row 5: (?s:.*)on_errors="nan"'):
        FrozenFeaturizer(trained()).transform(X)
    with pytest.warns(InvalidRowsWarning, match="2 of 12"):
        rows = FrozenFeaturizer(trained(), on_errors="nan").transform(X)
    assert_array_equal(np.isnan(rows).all(axis=1), np.isin(np.arange(12), [2, 5]))
    kept = FrozenFeaturizer(trained(), on_errors="keep").transform(X)
    assert isinstance(kept[2, 0], ValueError)
    assert_allclose(np.delete(kept, [2, 5], axis=0).astype(float), np.delete(rows, [2, 5], axis=0))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": None}, TypeError, "must be a torch.nn.Module, got NoneType"),
        ({"model": SequentialLinear(8, 1)}, ValueError, "hidden layers need a second one"),
        ({"depth": 0}, ValueError, "depth must be a positive integer or None, got 0"),
        ({"n_layer": 1.5}, ValueError, "n_layer must be a positive integer or None, got 1.5"),
        ({"return_type": "list"}, ValueError, "return_type must be one of .*got 'list'"),
        ({"on_errors": "ignore"}, ValueError, "on_errors must be .*got 'ignore'"),
    ],
)
def test_bad_parameters(frame, options, error, message):
    featurizer = FrozenFeaturizer(**({"model": trained()} | options))
    for call in (featurizer.fit, featurizer.transform):
        with pytest.raises(error, match=message):
            call(frame)


def test_wrong_width(frame):
    with pytest.raises(ValueError, match="X has 7 columns, the network takes 8"):
        FrozenFeaturizer(trained()).transform(frame.iloc[:, 1:])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_cuda(frame):
    with pytest.raises(ValueError, match="finds 0 CUDA devices here"):
        FrozenFeaturizer(SequentialLinear(frame.shape[1], 1, h_neurons=(3,)), cuda=True).transform(frame)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda(frame):
    model = trained()
    rows = FrozenFeaturizer(model, cuda=True).transform(frame)
    assert_allclose(rows, FrozenFeaturizer(model).transform(frame), atol=1e-5)
    assert next(model.parameters()).device.type == "cpu"


def test_r9_a_citizen_of_scikit_learn(frame):
    y = frame["a"] + frame["b"] ** 2
    one, two = trained(seed=1), trained(seed=2)
    pipeline = make_pipeline(FrozenFeaturizer(one, depth=1), Ridge())
    assert np.isfinite(cross_val_score(pipeline, frame, y, cv=3, error_score="raise")).all()
    grid = {"frozenfeaturizer__depth": [1, 2, 3], "frozenfeaturizer__model": [one, two]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(frame, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 6

    featurizer = FrozenFeaturizer(one, depth=2, n_layer=1, on_errors="nan", return_type="array", target_col=["a"])
    copy = clone(featurizer)
    assert {k: v for k, v in copy.get_params().items() if k != "model"} == {
        "cuda": False,
        "depth": 2,
        "n_layer": 1,
        "on_errors": "nan",
        "return_type": "array",
        "target_col": ["a"],
    }
    featurizer = FrozenFeaturizer(one, depth=2)
    rows = featurizer.fit_transform(frame)
    assert_array_equal(clone(featurizer).fit_transform(frame), rows)
    assert_array_equal(pickle.loads(pickle.dumps(featurizer)).transform(frame), rows)
    for library in ("pandas", "polars"):
        pytest.importorskip(library)
        framed = clone(featurizer).set_output(transform=library).fit_transform(frame.to_numpy())
        assert list(framed.columns) == featurizer.get_feature_names_out().tolist() == rows.columns.tolist()
    framed = clone(featurizer).set_output(transform="pandas").fit_transform(frame)
    assert framed.index.tolist() == frame.index.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        featurizer.fit_transform(frame)
