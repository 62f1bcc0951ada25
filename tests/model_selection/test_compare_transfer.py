"""Splitters and the comparison with what they are for: sources, searches, prediction intervals."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktaag.descriptors import Fingerprints
from sktaag.model_selection import (
    ClusterKFold,
    LeaveOneFamilyOut,
    ScaffoldKFold,
    StratifiedGroupKFoldRegression,
    compare,
    polymer_family,
)
from sktaag.sources import PyramidRegressor
from sktaag.transfer import FrozenFeaturizer, SourceSearchCV

BACKBONES = ["*CC(*){}", "*CC(*)C(=O)O{}", "*CC({})O*", "*OCC({})C(=O)*"]
X = np.array([backbone.format("C" * n) for n in range(1, 9) for backbone in BACKBONES], dtype=object)
y = np.array([10.0 * n + 40 * shift for n in range(1, 9) for shift in (0, 3, 1, 2)])


@pytest.fixture(scope="module")
def source():
    molecules = ["C" * n + end for n in range(1, 9) for end in ("", "O", "N", "C(=O)O")]
    descriptor = Fingerprints(counts=True, size=64, polymer="cyclic")
    network = PyramidRegressor((8, 4), max_epochs=20, random_state=0)
    return make_pipeline(descriptor, network).fit(molecules, np.arange(32.0))


@pytest.fixture(scope="module")
def transferred(source):
    return make_pipeline(FrozenFeaturizer(source, layers=1), Ridge())


@pytest.mark.parametrize(
    "cv",
    [
        ScaffoldKFold(2),
        ClusterKFold(2),
        LeaveOneFamilyOut(),
        StratifiedGroupKFoldRegression(2, group_by=polymer_family),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_splitters_inside_a_search_over_sources(source, cv):
    search = SourceSearchCV(Ridge(), [source], cv=cv, scoring="neg_mean_absolute_error").fit(X, y)
    assert search.n_splits_ == cv.get_n_splits(X, y)
    expected = cross_val_score(
        make_pipeline(FrozenFeaturizer(source, layers=1), Ridge()), X, y, cv=cv, scoring="neg_mean_absolute_error"
    )
    row = [params["source"] is not None for params in search.cv_results_["params"]].index(True)
    assert search.cv_results_["mean_test_score"][row] == pytest.approx(expected.mean(), rel=1e-4)


def test_a_descriptor_of_clusters_may_be_a_network(source):
    labels, _ = ClusterKFold(2, descriptor=FrozenFeaturizer(source, layers=1))._groups(X, None, None)
    assert 2 <= len(set(labels)) <= 8


def test_fitted_sources_are_not_fitted_again(source, transferred):
    before = source[-1].predict(source[:-1].transform(X))
    search = SourceSearchCV(Ridge(), [source], cv=2)
    result = compare({"direct": make_pipeline(source[0], Ridge()), "transferred": transferred, "search": search}, X, y)
    np.testing.assert_array_equal(source[-1].predict(source[:-1].transform(X)), before)
    expected = cross_val_score(transferred, X, y, cv=result.folds, scoring="r2")
    np.testing.assert_allclose(result.scores.query("model == 'transferred'")["r2"], expected, rtol=1e-5)


@pytest.mark.parametrize("form", [np.array, pd.Series], ids=["array", "Series"])
def test_mapie_takes_our_pipelines(transferred, form):
    regression = pytest.importorskip("mapie.regression", reason="MAPIE is not installed")
    train = np.isin(np.arange(32), np.random.RandomState(0).permutation(32)[:16])
    test = ~train
    conformal = regression.CrossConformalRegressor(transferred, confidence_level=[0.5, 0.9], cv=4, random_state=0)
    _, interval = conformal.fit_conformalize(form(X[train]), y[train]).predict_interval(form(X[test]))
    assert interval.shape == (16, 2, 2)
    inside = (interval[:, 0] <= y[test, None]) & (y[test, None] <= interval[:, 1])
    assert inside[:, 1].mean() >= 0.8
    assert (interval[:, 1, 1] - interval[:, 0, 1] >= interval[:, 1, 0] - interval[:, 0, 0]).all()
    # the prediction is that of our pipeline
    split = regression.SplitConformalRegressor(transferred.fit(X[train], y[train]), prefit=True)
    split.conformalize(form(X[test]), y[test])
    np.testing.assert_allclose(split.predict(form(X[test])), transferred.predict(X[test]))


def test_outliers_in_the_neural_features(source):
    domain = make_pipeline(
        FrozenFeaturizer(source, layers=1), StandardScaler(), LocalOutlierFactor(10, novelty=True)
    ).fit(X)
    strange = ["*c1ccc(cc1)S(=O)(=O)c1ccc(*)cc1", "*CC(*)" + "C" * 60]
    assert domain.score_samples(strange).max() < np.median(domain.score_samples(X))
