import pickle
import tracemalloc

import numpy as np
import pytest
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sktaag.descriptors import Fingerprints
from sktaag.heads import TanimotoKernel
from sktaag.structures import to_mol

SMILES = ["CCO", "c1ccccc1O", "CC(=O)OC", "C1CCCCC1", "CCN(CC)CC", "OCC(O)CO", "FC(F)F", "CCCCCC", "CC#N", "CS(C)=O"]


def slowly(X, Y):
    return np.array([[np.minimum(x, y).sum() / np.maximum(x, y).sum() for y in Y] for x in X])


@pytest.fixture
def counts():
    return np.random.RandomState(0).poisson(0.4, (40, 30)).astype(float)


@pytest.mark.parametrize("kind", ["counts", "logarithms", "any values"])
def test_is_the_definition(counts, kind):
    X = {"counts": counts, "logarithms": np.log1p(counts), "any values": counts * np.random.RandomState(1).rand(40, 30)}
    X, Y = X[kind][:25], X[kind][25:]
    kernel = TanimotoKernel()
    np.testing.assert_allclose(kernel(X, Y), slowly(X, Y), atol=1e-12)
    np.testing.assert_allclose(kernel(X), slowly(X, X), atol=1e-12)
    np.testing.assert_allclose(kernel(csr_array(X), csr_array(Y)), slowly(X, Y), atol=1e-12)
    np.testing.assert_array_equal(kernel.diag(X), np.ones(25))


def test_more_distinct_values_than_levels_and_more_rows_than_a_block():
    random = np.random.RandomState(0)
    X = random.rand(30, 40) * (random.rand(30, 40) < 0.5)  # some 600 values
    np.testing.assert_allclose(TanimotoKernel()(X), slowly(X, X), atol=1e-12)
    X = random.poisson(0.5, (1100, 5)) + np.eye(1, 5)
    rows = [0, 511, 512, 1023, 1024, 1099]
    np.testing.assert_allclose(TanimotoKernel()(X)[rows], slowly(X[rows], X), atol=1e-12)


def test_bits_are_rdkits_tanimoto():
    fingerprints = Fingerprints(size=512)
    X = fingerprints.fit_transform(SMILES)
    assert set(np.unique(X)) == {0, 1}
    vectors = [GetMorganGenerator(radius=fingerprints.radius, fpSize=512).GetFingerprint(to_mol(s)) for s in SMILES]
    np.testing.assert_array_equal(X.sum(axis=1), [v.GetNumOnBits() for v in vectors])
    expected = [BulkTanimotoSimilarity(vector, vectors) for vector in vectors]
    np.testing.assert_allclose(TanimotoKernel()(X), expected, atol=1e-12)


def test_is_a_kernel(counts):
    counts[:3] = 0  # rows that say nothing are equal
    K = TanimotoKernel()(counts)
    np.testing.assert_array_equal(K[:3, :3], np.ones((3, 3)))
    np.testing.assert_array_equal(K[:3, 3:], np.zeros((3, 37)))
    np.testing.assert_array_equal(K, K.T)
    assert np.linalg.eigvalsh(K).min() > -1e-10
    kernel = TanimotoKernel()
    assert not kernel.is_stationary()
    assert (kernel.n_dims, kernel.get_params(), repr(kernel)) == (0, {}, "TanimotoKernel()")
    assert clone(kernel) == kernel == pickle.loads(pickle.dumps(kernel))
    with pytest.raises(ValueError, match="only be evaluated when Y is None"):
        kernel(counts, counts, eval_gradient=True)


def test_gradients_of_sums_and_products(counts):
    kernel = ConstantKernel(2.0) * TanimotoKernel() + TanimotoKernel() ** 1.5 + WhiteKernel(0.1)
    K, gradient = kernel(counts, eval_gradient=True)
    assert gradient.shape == (40, 40, 2)
    for j in range(2):
        step = np.zeros(2)
        step[j] = 1e-6
        up, down = (kernel.clone_with_theta(kernel.theta + s)(counts) for s in (step, -step))
        np.testing.assert_allclose(gradient[:, :, j], (up - down) / 2e-6, atol=1e-6)
    np.testing.assert_allclose(kernel.diag(counts), np.diag(K))
    alone = TanimotoKernel()(counts, eval_gradient=True)[1]
    assert alone.shape == (40, 40, 0)


def test_in_a_gaussian_process_on_molecules():
    smiles = ["C" * n + end for n in range(1, 9) for end in ("", "O", "N", "C(=O)C")]
    y = np.array([len(s) + 5 * ("O" in s) for s in smiles], dtype=float)
    process = GaussianProcessRegressor(ConstantKernel() * TanimotoKernel() + WhiteKernel(0.1), normalize_y=True)
    model = make_pipeline(Fingerprints(counts=True, size=256), process)
    train = np.arange(len(y)) % 4 != 1
    model.fit(np.array(smiles)[train], y[train])
    predicted, spread = model.predict(np.array(smiles)[~train], return_std=True)
    assert np.abs(predicted - y[~train]).mean() < 0.5 * y.std()
    assert (spread > 0).all()
    fitted = model[-1].kernel_
    assert fitted.k2.noise_level != 0.1
    assert pickle.loads(pickle.dumps(model)).predict(smiles[:1]) == model.predict(smiles[:1])
    grid = {
        "gaussianprocessregressor__kernel": [TanimotoKernel() + WhiteKernel(), TanimotoKernel() ** 2 + WhiteKernel()]
    }
    assert GridSearchCV(model, grid, cv=2).fit(smiles, y).best_score_ > 0


def test_memory_is_that_of_the_result():
    X = csr_array(np.random.RandomState(0).poisson(0.02, (1500, 2000)))
    tracemalloc.start()
    K = TanimotoKernel()(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * K.nbytes  # all differences between rows would take 2,000 times as much


def test_what_is_no_count(counts):
    counts[7, 3] = -0.5
    with pytest.raises(ValueError, match=r"not negative, got -0.5 in row 7, column 3 of X\. Leave out the step"):
        TanimotoKernel()(counts)
    with pytest.raises(ValueError, match="row 7, column 3 of Y"):
        TanimotoKernel()(abs(counts), counts)
    counts[7, 3] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        TanimotoKernel()(counts)
    with pytest.raises(ValueError, match="different numbers of columns: 30 and 29"):
        TanimotoKernel()(abs(counts[:5]), abs(counts[:5, :29]))
