import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import sktaag.sources._pyramid_ensemble as module
from sktaag.nn import RandomPyramid, resolve_hidden
from sktaag.sources import PyramidEnsemble, PyramidRegressor, load_source, save_source
from sktaag.sources._shotgun_draws import SharedDraws


@parametrize_with_checks([PyramidEnsemble(6, (16, 8), max_epochs=20, lr=0.01)])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.RandomState(0)
    X = rng.poisson(0.05, (300, 100)).astype(np.float32)
    return X, 500 + 30 * X[:, :20].sum(axis=1) + rng.randn(300)


RANGES = {
    "hidden": RandomPyramid((2, 3), (4, 24)),
    "activation": ["relu", "tanh", "gelu"],
    "dropout": (0.0, 0.4),
    "lr": (0.001, 0.01),
    "max_features": (30, 80),
    "batch_size": 80,
    "max_epochs": 10,
    "patience": 3,
    "random_state": 7,
}


class PlainDropout(torch.nn.Module):
    """Drops what given noise says."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, h):
        return h * (self.noise[:, : h.shape[1]] >= self.rate) / (1 - self.rate) if self.training else h


def train_plainly(ensemble, k, X, y):
    """Train network k alone: a module, torch's AdamW, a loop over epochs and batches."""
    member, shared = ensemble._members[k], SharedDraws(ensemble._entropy, 0)
    net = member.pyramid(X.shape[1])
    layers = list(net.children())[:-1]
    for layer in layers:
        layer.dropout = PlainDropout(member.dropout)
        if member.batch_norm:
            layer.linear.bias.requires_grad_(False)
    optimizer = torch.optim.AdamW(
        [p for p in net.parameters() if p.requires_grad], lr=member.lr, weight_decay=ensemble.weight_decay
    )
    X = torch.from_numpy(X if member.columns is None else X[:, member.columns])
    y = torch.from_numpy(((y - y.mean()) / y.std()).astype(np.float32))
    train, valid = shared.split(len(y), ensemble.validation_fraction)
    best, best_epoch, misses, state = np.inf, 0, 0, None
    for epoch in range(ensemble.max_epochs):
        net.train()
        for b, batch in enumerate(shared.batches(epoch, len(train), ensemble.batch_size)):
            for i, layer in enumerate(layers):
                width = layer.linear.out_features
                layer.dropout.noise = torch.from_numpy(shared.noise(epoch, b, i, len(batch), width))
            optimizer.zero_grad()
            (net(X[train[batch]])[:, 0] - y[train[batch]]).square().mean().backward()
            optimizer.step()
        with torch.no_grad():
            loss = (net.eval()(X[valid])[:, 0] - y[valid]).square().mean().item()
        if loss < best * (1 - 1e-4):
            best, best_epoch, misses = loss, epoch + 1, 0
            state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        else:
            misses += 1
        if misses == ensemble.patience:
            break
    return state, best_epoch, epoch + 1


@pytest.mark.parametrize("columns", [None, (30, 80)])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_network_alone_in_a_plain_loop(counts, columns, sparse, batch_norm):
    X, y = counts
    X = X if sparse else np.random.RandomState(1).randn(*X.shape).astype(np.float32) + X
    ensemble = PyramidEnsemble(9, **{**RANGES, "max_features": columns, "batch_norm": batch_norm}).fit(X, y)
    for k in range(len(ensemble)):
        state, best_epoch, n_iter = train_plainly(ensemble, k, X, y)
        assert (ensemble.members_["best_epoch"][k], ensemble.members_["n_iter"][k]) == (best_epoch, n_iter)
        ours = ensemble._trained[k].state
        assert list(ours) == list(state)
        for name in state:
            np.testing.assert_allclose(ours[name], state[name], rtol=1e-4, atol=1e-4, err_msg=f"{k} {name}")
