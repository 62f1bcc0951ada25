import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktaag.nn import RandomPyramid
from sktaag.nn._batched_adamw import ADAM_EPS
from sktaag.sources import (
    ModelLibrary,
    PyramidClassifier,
    PyramidEnsembleClassifier,
    _shotgun_training,
    load_source,
    save_source,
)
from sktaag.sources._shotgun_draws import SharedDraws
from sktaag.sources._shotgun_networks import NetworksInTurn, StackedNetworks
from sktaag.transfer import FrozenFeaturizer


@parametrize_with_checks([PyramidEnsembleClassifier(4, (16, 8), max_epochs=30, lr=0.01)])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.RandomState(0)
    X = rng.randn(240, 12).astype(np.float32)
    return X, np.array(["glass", "metal", "polymer"])[(X[:, 0] > 0.3).astype(int) + (X[:, 1] > 0)]


PARAMS = {
    "hidden": RandomPyramid((2, 2), (6, 16)),
    "lr": (0.003, 0.01),
    "batch_size": 50,
    "max_epochs": 8,
    "patience": 3,
    "random_state": 1,
    "device": "cpu",
}


def train_plainly(ensemble, k, X, y):
    member, shared = ensemble.net_.members[k], SharedDraws(ensemble._entropy, 0, 16)
    net = member.pyramid(X.shape[1])
    for layer in list(net.children())[:-1]:
        layer.linear.bias.requires_grad_(False)
    parameters = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=member.lr, weight_decay=ensemble.weight_decay, eps=ADAM_EPS)
    X, codes = torch.from_numpy(X), torch.from_numpy(np.unique(y, return_inverse=True)[1])
    loss = torch.nn.CrossEntropyLoss()
    train, valid = shared.split(len(y), 0.1, codes.numpy())
    best, misses, state = np.inf, 0, None
    for epoch in range(ensemble.max_epochs):
        net.train()
        for batch in shared.batches(epoch, len(train), ensemble.batch_size):
            optimizer.zero_grad()
            loss(net(X[train[batch]]), codes[train[batch]]).backward()
            optimizer.step()
        with torch.no_grad():
            outputs = net.eval()(X[valid])
        valid_loss, misses = loss(outputs, codes[valid]).item(), misses + 1
        if valid_loss < best * (1 - 1e-4):
            best, misses, score = valid_loss, 0, (outputs.argmax(1) == codes[valid]).float().mean().item()
            state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        if misses == ensemble.patience:
            break
    return state, score


@pytest.mark.parametrize("kind", [NetworksInTurn, StackedNetworks])
def test_a_network_alone_in_a_plain_loop(data, kind, monkeypatch):
    monkeypatch.setattr(_shotgun_training, "networks_for", lambda device: kind)
    X, y = data
    ensemble = PyramidEnsembleClassifier(5, **PARAMS).fit(X, y)
    for k in range(5):
        state, score = train_plainly(ensemble, k, X, y)
        assert ensemble.members_["validation_score"][k] == pytest.approx(score)
        for name, tensor in ensemble.net_.trained[k].state.items():
            np.testing.assert_allclose(tensor, state[name], rtol=1e-4, atol=1e-4, err_msg=f"{k} {name}")


def test_a_member_is_an_ordinary_source(data, tmp_path):
    X, y = data
    ensemble = PyramidEnsembleClassifier(4, **PARAMS).fit(X, y)
    source = ensemble[2]
    assert isinstance(source, PyramidClassifier)
    assert source.classes_.tolist() == ["glass", "metal", "polymer"]
    codes = np.unique(y, return_inverse=True)[1]
    _, valid = SharedDraws(ensemble._entropy, 0, 16).split(len(y), 0.1, codes)
    assert source.validation_score_ == pytest.approx(accuracy_score(y[valid], source.predict(X[valid])))
    np.testing.assert_allclose(ensemble.predict_proba(X), np.mean([s.predict_proba(X) for s in ensemble], axis=0))
    assert ensemble.score(X, y) > 0.6
    assert clone(source).fit(X, y).hidden_sizes_ == source.hidden_sizes_
    features = FrozenFeaturizer(ensemble, member=2, layers=1).fit_transform(X)
    np.testing.assert_allclose(features, source.hidden_outputs(X)[-1], atol=1e-5)


def test_files_and_library(data, tmp_path):
    X, y = data
    chain = make_pipeline(StandardScaler(), PyramidEnsembleClassifier(3, **PARAMS)).fit(X, y)
    save_source(chain, tmp_path / "all.source")
    again = load_source(tmp_path / "all.source")
    np.testing.assert_array_equal(again.predict_proba(X), chain.predict_proba(X))
    library = ModelLibrary(tmp_path / "library")
    ids = library.add_ensemble(chain, property="kind of material")
    assert library.search(task="classification")["id"].isin(ids).sum() == 3
    expected = chain[-1][1].predict_proba(chain[0].transform(X))
    np.testing.assert_array_equal(library.get(ids[1]).predict_proba(X), expected)


def test_a_series_names_the_classes(data, tmp_path):
    X, y = data
    named = PyramidEnsembleClassifier(2, (4,), max_epochs=1, random_state=0).fit(X, pd.Series(y, name="phase"))
    assert named.members_["property"].tolist() == ["phase", "phase"]
    library = ModelLibrary(tmp_path)
    assert library.card(library.add_ensemble(named)[0])["property"] == "phase"


def test_what_goes_wrong(data):
    X, y = data
    with pytest.raises(ValueError, match="needs two classes; y has one class only: glass"):
        PyramidEnsembleClassifier(2, **PARAMS).fit(X, ["glass"] * len(X))
    params = PARAMS | {"hidden": (8,), "batch_norm": False, "early_stopping": False, "weight_decay": 0.1}
    ensemble = PyramidEnsembleClassifier(10, **params | {"lr": (1e-3, 1e35), "random_state": 0})
    with pytest.warns(ConvergenceWarning, match="of 10 networks diverged; they are left out"):
        ensemble.fit(X, y)
    sound = np.flatnonzero(ensemble.members_["best_epoch"])
    np.testing.assert_allclose(
        ensemble.predict_proba(X), np.mean([ensemble[k].predict_proba(X) for k in sound], axis=0)
    )
    with pytest.raises(ValueError, match="no network of property 0 has finite weights"):
        PyramidEnsembleClassifier(2, **params | {"lr": 1e35}).fit(X, y)
