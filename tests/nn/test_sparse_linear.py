import copy

import numpy as np
import pytest
import torch
from scipy.sparse import random as random_sparse
from torch import nn

from sktaag.nn import SparseLinear


def batch(dtype=torch.int64, n=20, p=50, density=0.1):
    X = random_sparse(n, p, density=density, format="csr", random_state=np.random.RandomState(0), dtype=np.float32)
    parts = torch.from_numpy(X.indptr).to(dtype), torch.from_numpy(X.indices).to(dtype), torch.from_numpy(X.data)
    return torch.sparse_csr_tensor(*parts, size=X.shape), torch.from_numpy(X.toarray())


@pytest.mark.parametrize("index", [torch.int32, torch.int64])
@pytest.mark.parametrize("column_major", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_values_and_gradients_equal_linear(index, column_major, bias):
    sparse, dense = batch(index)
    layer = SparseLinear(50, 7, bias, column_major=column_major)
    reference = nn.Linear(50, 7, bias)
    reference.load_state_dict(layer.state_dict())
    weights = torch.randn(20, 7)
    for x in (sparse, dense):
        layer.zero_grad()
        reference.zero_grad()
        y, expected = layer(x), reference(dense)
        (y * weights).sum().backward()
        (expected * weights).sum().backward()
        torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
        for ours, theirs in zip(layer.parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)


def test_gradient_by_finite_differences():
    sparse, _ = batch(n=4, p=6, density=0.5)
    layer = SparseLinear(6, 3).double()
    sparse = sparse.double()

    def forward(weight):
        return torch.func.functional_call(layer, {"weight": weight}, sparse)

    assert torch.autograd.gradcheck(forward, layer.weight.detach().requires_grad_())


def test_empty_rows_and_empty_batch():
    layer = SparseLinear(5, 2)
    x = torch.zeros(3, 5).to_sparse_csr()
    torch.testing.assert_close(layer(x), layer.bias.expand(3, 2))
    layer(x).sum().backward()
    assert not layer.weight.grad.any()
    assert layer(torch.zeros(0, 5).to_sparse_csr()).shape == (0, 2)


def test_training_step_keeps_layout_and_values():
    # the layout is for speed alone: an optimizer step, a copy and a state dict do not see it
    sparse, dense = batch()
    torch.manual_seed(0)
    rows = SparseLinear(50, 7)
    columns = SparseLinear(50, 7, column_major=True)
    columns.load_state_dict(rows.state_dict())
    for layer, x in ((rows, dense), (columns, sparse)):
        optimizer = torch.optim.AdamW(layer.parameters())
        layer(x).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(rows.weight, columns.weight)
    assert columns.weight.t().is_contiguous()
    assert copy.deepcopy(columns).weight.t().is_contiguous()


def test_wrong_width_says_both():
    with pytest.raises(ValueError, match="has 4 columns, the layer takes 5"):
        SparseLinear(5, 2)(torch.zeros(3, 4).to_sparse_csr())
