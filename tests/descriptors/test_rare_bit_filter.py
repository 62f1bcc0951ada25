import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktaag.descriptors import RareBitFilter


@parametrize_with_checks([RareBitFilter(min_fraction=0.0)])
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_boundary_is_kept():
    # exactly the asked share passes: the paper drops what is zero in *more* than 90 %
    X = np.zeros((10, 2))
    X[0, 0] = 1
    X[:2, 1] = 1
    assert_array_equal(RareBitFilter(min_fraction=0.1).fit(X).get_support(), [True, True])
    assert_array_equal(RareBitFilter(min_fraction=0.11).fit(X).get_support(), [False, True])


def test_sparse_equals_dense():
    X = (np.random.RandomState(0).rand(50, 30) < 0.1).astype(float)
    dense = RareBitFilter(max_features=5, random_state=0).fit(X)
    sparse = RareBitFilter(max_features=5, random_state=0).fit(csr_array(X))
    assert_array_equal(dense.get_support(), sparse.get_support())
    assert dense.get_support().sum() == 5


def test_nothing_left_says_how_close():
    X = np.eye(20)
    with pytest.raises(ValueError, match=r"most frequent one is in 5\.0%\. Lower min_fraction"):
        RareBitFilter(min_fraction=0.5).fit(X)
