import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, csr_matrix

from sktaag.heads._rows import RowBatches, Rows

X = np.arange(44, dtype=np.float32).reshape(11, 4) * (np.arange(44).reshape(11, 4) % 13 == 0)


def batches(rows, **params):
    return [x.to_dense() if x.layout == torch.sparse_csr else x for x, _ in RowBatches(rows, **params)]


@pytest.mark.parametrize("make", [np.asarray, csr_array, csr_matrix])
def test_all_rows_in_order(make):
    rows = Rows(make(X), np.arange(11))
    np.testing.assert_array_equal(torch.cat(batches(rows, batch_size=4)), X)
    np.testing.assert_array_equal(torch.cat([y for _, y in RowBatches(rows, 4)]), np.arange(11))


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(1, [1] * 11), (4, [4, 4, 3]), (5, [5, 6]), (10, [11]), (11, [11]), (64, [11])]
)
def test_a_single_last_row_joins_the_batch_before(batch_size, sizes):
    assert [len(x) for x in batches(Rows(X), batch_size=batch_size)] == sizes


def test_shuffle_is_a_new_permutation_each_epoch():
    loader = RowBatches(Rows(X, np.arange(11)), 4, shuffle=True)
    first, second = (torch.cat([y for _, y in loader]).tolist() for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(11))
    assert first != second


def test_only_truly_sparse_batches_stay_sparse():
    layouts = [Rows(make(X)).take(np.array([1]))[0].layout for make in (csr_array, np.asarray)]
    assert layouts == [torch.sparse_csr, torch.strided]
    assert Rows(csr_array(np.ones((3, 3), np.float32))).take(np.array([1]))[0].layout == torch.strided


def test_read_only_arrays_do_not_warn(recwarn):
    frozen = X.copy()
    frozen.flags.writeable = False
    batches(Rows(frozen), batch_size=4)
    batches(Rows(csr_array(frozen)), batch_size=4)
    assert len(recwarn) == 0
