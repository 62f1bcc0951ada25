"""What all splitters have in common."""

from itertools import chain

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline

from sktaag.descriptors import Fingerprints
from sktaag.model_selection import (
    ClusterKFold,
    ExtrapolationSplit,
    LeaveOneFamilyOut,
    ScaffoldKFold,
    StratifiedGroupKFoldRegression,
    polymer_family,
    scaffolds,
)
from sktaag.structures import InvalidRowsError

BACKBONES = ["*CC(*){}", "*CC(*)C(=O)O{}", "*CC({})O*", "*OCC({})C(=O)*", "*NCC({})C(=O)*", "*[Si](C)({})O*"]
SIDES = ["C", "CC", "CCC", "CCCC", "CC(C)C"]
X = np.array([backbone.format(side) for side in SIDES for backbone in BACKBONES], dtype=object)
y = np.random.RandomState(0).rand(len(X))
FAMILY = polymer_family(X)

SPLITTERS = [
    ScaffoldKFold(3),
    ScaffoldKFold(2, n_repeats=2, random_state=1),
    ClusterKFold(3),
    ClusterKFold(3, descriptor=CountVectorizer(analyzer="char"), n_repeats=2, random_state=0),
    ClusterKFold(2, clusterer=KMeans(5, random_state=0, n_init=3)),
    StratifiedGroupKFoldRegression(3, group_by=polymer_family),
    StratifiedGroupKFoldRegression(3, group_by=scaffolds, n_repeats=2, random_state=0),
    ExtrapolationSplit(),
    ExtrapolationSplit(7, end="both"),
    LeaveOneFamilyOut(),
    LeaveOneFamilyOut(["amide", "ether"]),
]
K_FOLDS = [cv for cv in SPLITTERS if hasattr(cv, "n_repeats")]


def folds(cv, X=X, y=y, **params):
    return [(train.tolist(), test.tolist()) for train, test in cv.split(X, y, **params)]


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_every_fold_is_a_partition_and_they_are_counted(cv):
    found = folds(cv)
    assert len(found) == cv.get_n_splits(X, y)
    for train, test in found:
        assert train
        assert test
        assert sorted(train + test) == list(range(len(X)))
    assert folds(clone(cv, safe=False)) == found == folds(cv)


@pytest.mark.parametrize("cv", K_FOLDS, ids=repr)
def test_each_repeat_tests_every_row_once(cv):
    tests = [test for _, test in folds(cv)]
    for start in range(0, len(tests), cv.n_splits):
        assert sorted(chain.from_iterable(tests[start : start + cv.n_splits])) == list(range(len(X)))


@pytest.mark.parametrize("cv", K_FOLDS, ids=repr)
def test_groups_are_kept_whole(cv):
    labels, _ = cv._groups(X, y, None)
    for train, test in folds(cv):
        assert not set(labels[train]) & set(labels[test])


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_forms_of_the_column_agree(cv):
    expected = folds(cv)
    for form in (list(X), tuple(X), pd.Series(X, index=range(9, 39)), pd.DataFrame({"unit": X}), pl.Series(X.tolist())):
        assert folds(cv, form) == expected


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_in_cross_val_score_and_grid_search(cv):
    model = make_pipeline(Fingerprints(size=64), Ridge())
    scores = cross_val_score(model, X, y, cv=cv, scoring="neg_mean_absolute_error")
    by_hand = []
    for train, test in cv.split(X, y):
        by_hand.append(-np.abs(model.fit(X[train], y[train]).predict(X[test]) - y[test]).mean())
    np.testing.assert_allclose(scores, by_hand)
    search = GridSearchCV(model, {"ridge__alpha": [0.1, 10]}, cv=cv, scoring="neg_mean_absolute_error").fit(X, y)
    assert search.n_splits_ == len(scores)


@pytest.mark.parametrize("cls", [ScaffoldKFold, ClusterKFold])
def test_seeds_differ(cls):
    draws = {str(folds(cls(2, n_repeats=2, random_state=seed))) for seed in range(10)}
    assert len(draws) > 5


@pytest.mark.parametrize("cls", [ScaffoldKFold, ClusterKFold, StratifiedGroupKFoldRegression])
def test_wrong_parameters(cls):
    with pytest.raises(ValueError, match="n_repeats=2 needs a random_state"):
        folds(cls(2, n_repeats=2), groups=FAMILY)
    with pytest.raises(ValueError, match="n_splits must be an integer of at least 2, got 1"):
        folds(cls(1), groups=FAMILY)
    with pytest.raises(ValueError, match=r"n_splits=30 is more than the \d+ (scaffolds|clusters|groups) of X"):
        folds(cls(30), groups=FAMILY)


@pytest.mark.parametrize("cv", [ScaffoldKFold(2), ClusterKFold(2), LeaveOneFamilyOut()], ids=repr)
def test_invalid_rows_are_named_all(cv):
    with pytest.raises(InvalidRowsError, match=r"(?s)2 of 4 .*row 1: 'C1CC': SMILES Parse.*row 3: None: is missing"):
        folds(cv, ["*CC*", "C1CC", "*CCO*", None], [1, 2, 3, 4])


@pytest.mark.parametrize("cv", [LeaveOneFamilyOut(), StratifiedGroupKFoldRegression(2)], ids=repr)
def test_groups_are_routed(cv):
    groups = np.arange(len(X)) % 3
    model = make_pipeline(Fingerprints(size=64), Ridge())
    with config_context(enable_metadata_routing=True):
        assert cv.get_metadata_routing().split.requests == {"groups": True}
        scores = cross_val_score(model, X, y, cv=cv, params={"groups": groups})
        outer = cross_val_score(
            GridSearchCV(model, {"ridge__alpha": [1.0]}, cv=cv), X, y, cv=LeaveOneGroupOut(), params={"groups": groups}
        )
    assert len(scores) == len(folds(cv, groups=groups))
    assert np.isfinite(outer).all()


# ---------------------------------------------------------------- each


def test_scaffold_folds_are_even_if_they_can_be():
    sizes = [
        len(test)
        for _, test in folds(ScaffoldKFold(3, acyclic="apart"), ["CC", "CCC", "CCCC", "C", "CO", "CN"], list(range(6)))
    ]
    assert sizes == [2, 2, 2]
    with pytest.raises(ValueError, match="more than the 1 scaffolds"):
        folds(ScaffoldKFold(2), ["CC", "CCC", "CCCC"], [1, 2, 3])
    # the same molecule twice stays in one fold
    train, test = folds(ScaffoldKFold(2, acyclic="apart"), ["CCO", "OCC", "CC"], [1, 2, 3])[0]
    assert [train, test] in ([[2], [0, 1]], [[0, 1], [2]])
    with pytest.raises(ValueError, match="acyclic must be"):
        folds(ScaffoldKFold(2, acyclic="no"))


def test_clusters_of_numbers():
    numbers = np.concatenate([np.random.RandomState(0).normal(centre, 0.1, (10, 2)) for centre in (0, 5, 10)])
    labels = np.repeat([0, 1, 2], 10)
    for cv in (ClusterKFold(3, clusterer=KMeans(3, n_init=3, random_state=0)), ClusterKFold(3, clusterer=DBSCAN(1.0))):
        for train, test in folds(cv, numbers, labels):
            assert not set(labels[train]) & set(labels[test])
    assert len(folds(ClusterKFold(3), numbers, labels)) == 3  # Ward's clusters are finer than the three
    noise = ClusterKFold(3, clusterer=DBSCAN(1e-6))  # every row is noise
    assert [len(test) for _, test in folds(noise, numbers, labels)] == [10, 10, 10]


def test_tanimoto_clusters_equal_those_of_scipy():
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    bits = Fingerprints("morgan", polymer="cyclic").fit_transform(X).astype(bool)
    expected = fcluster(linkage(pdist(bits, "jaccard"), "average"), 0.7, "distance")
    labels, _ = ClusterKFold()._groups(X, None, None)
    assert len(set(zip(labels, expected, strict=True))) == len(set(labels)) == len(set(expected))


def test_regression_strata_are_balanced():
    rng = np.random.RandomState(0)
    groups, target = np.arange(200) // 2, rng.rand(200) ** 3
    cv = StratifiedGroupKFoldRegression(5, n_bins=10, random_state=0)
    means = [target[test].mean() for _, test in folds(cv, np.zeros(200), target, groups=groups)]
    shuffled = [target[rng.permutation(200)[:40]].mean() for _ in range(200)]
    assert np.std(means) < 0.5 * np.std(shuffled)
    draws = {
        str(folds(StratifiedGroupKFoldRegression(5, random_state=s), X, y, groups=np.arange(30))) for s in range(5)
    }
    assert len(draws) == 5


def test_regression_strata_errors():
    with pytest.raises(ValueError, match="pass groups, or set group_by"):
        folds(StratifiedGroupKFoldRegression(2))
    with pytest.raises(ValueError, match="y is needed"):
        folds(StratifiedGroupKFoldRegression(2), y=None, groups=FAMILY)
    with pytest.raises(ValueError, match="finite numbers"):
        folds(StratifiedGroupKFoldRegression(2), y=np.where(np.arange(len(X)) == 3, np.nan, y), groups=FAMILY)
    with pytest.raises(ValueError, match="n_bins must be a positive integer"):
        folds(StratifiedGroupKFoldRegression(2, n_bins=0), groups=FAMILY)


def test_extrapolation():
    values = [3.0, 1.0, 5.0, 2.0, 4.0]
    column = ["C"] * 5
    assert folds(ExtrapolationSplit(2), column, values) == [([0, 1, 3], [2, 4])]
    assert folds(ExtrapolationSplit(0.4, end="low"), column, values) == [([0, 2, 4], [1, 3])]
    assert folds(ExtrapolationSplit(1, end="both"), column, values) == [([0, 1, 3, 4], [2]), ([0, 2, 3, 4], [1])]
    for size in (0, 1.0, 5, -1, "all"):
        with pytest.raises(ValueError, match=f"below the 5 rows, got {size!r}"):
            folds(ExtrapolationSplit(size), column, values)
    with pytest.raises(ValueError, match="y is needed"):
        folds(ExtrapolationSplit(), column, None)
    with pytest.raises(ValueError, match="end must be"):
        folds(ExtrapolationSplit(end="up"), column, values)
    with pytest.raises(ValueError, match="finite numbers"):
        folds(ExtrapolationSplit(), column, list("abcde"))


def test_leave_one_family_out():
    assert [sorted(set(FAMILY[test])) for _, test in folds(LeaveOneFamilyOut())] == [
        [family] for family in sorted(set(FAMILY))
    ]
    assert LeaveOneFamilyOut(["amide"]).get_n_splits(X) == 1
    assert LeaveOneFamilyOut(min_size=2).get_n_splits(["*CC*", "*CCO*", "*CC(C)O*"]) == 1
    assert LeaveOneFamilyOut().get_n_splits(groups=[1, 1, 2]) == 2
    with pytest.raises(ValueError, match="depends on X"):
        LeaveOneFamilyOut().get_n_splits()
    with pytest.raises(ValueError, match=r"No row is of the family 'imide'. X has acrylate, amide"):
        folds(LeaveOneFamilyOut(["imide"]))
    with pytest.raises(ValueError, match="No family has min_size=9 rows; the largest one has 5"):
        folds(LeaveOneFamilyOut(min_size=9))
    with pytest.raises(ValueError, match="min_size must be"):
        folds(LeaveOneFamilyOut(min_size=0))
    with pytest.raises(ValueError, match="All rows are of the family 'other'"):
        folds(LeaveOneFamilyOut(), ["CCO", "CC"], [1, 2])


def test_forest_extrapolates_worse_than_it_interpolates():
    alkanes = np.array(["C" * n for n in range(1, 31)], dtype=object)
    length = np.arange(1.0, 31.0)
    model = make_pipeline(Fingerprints(counts=True, size=64), RandomForestRegressor(30, random_state=0))
    inside, beyond = (
        cross_val_score(model, alkanes, length, cv=cv, scoring="neg_mean_absolute_error").mean()
        for cv in (KFold(5, shuffle=True, random_state=0), ExtrapolationSplit())
    )
    assert beyond < 2 * inside  # errors are negative
