"""The loss of graph networks and a step of their training, by hand."""

import numpy as np
import pytest
import torch
from ase.build import molecule
from numpy.testing import assert_allclose

from sktaag.nn import make_backbone
from sktaag.sources._graph_net import GraphLoss
from sktaag.transfer import FineTunedRegressor

MOLECULES = [molecule(name) for name in ("H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2")]
NAN = np.nan


def elementwise(loss, error):
    error = np.abs(error)
    huber = np.where(error < 1, error**2 / 2, error - 0.5)
    return {"mse": error**2, "mae": error, "huber": huber, torch.nn.L1Loss: error}[loss]


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", torch.nn.L1Loss])
def test_loss_is_its_formula(loss):
    predicted = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]])
    true = np.array([[0.5, NAN], [0.0, 5.0], [NAN, NAN]])
    unit = np.array([2.0, 0.25])
    forces = np.array([[1.0, 2, 2], [0, 0, 0], [4, 4, 4], [0.1, 0, 0.2]])
    true_forces = np.array([[0.0, 0, 0], [0, 3, 4], [1, NAN, 1], [NAN, NAN, NAN]])
    labels = {"y": torch.from_numpy(true), "forces": torch.from_numpy(true_forces)}

    errors = ((predicted - true) / unit)[~np.isnan(true)]
    of_energy = elementwise(loss, errors).mean()
    if isinstance(loss, str):  # the atom with one unknown component has no vector
        lengths = np.array([3.0, 5.0]) / 0.5 / (3**0.5 if loss == "mse" else 1)
        of_forces = elementwise(loss, lengths).mean()
    else:
        known = ~np.isnan(true_forces)
        of_forces = elementwise(loss, ((forces - true_forces) / 0.5)[known]).mean()

    criterion = GraphLoss(loss, unit, force_weight=7.0, force_unit=0.5)
    outputs = torch.from_numpy(predicted)
    assert criterion((outputs, None), labels).item() == pytest.approx(of_energy)
    found = criterion((outputs, torch.from_numpy(forces)), labels).item()
    assert found == pytest.approx(of_energy + 7.0 * of_forces)


def test_labels_of_which_none_is_known_cost_nothing():
    criterion = GraphLoss("mae", np.ones(1), force_weight=7.0)
    nothing = {"y": torch.full((2, 1), NAN), "forces": torch.full((3, 3), NAN)}
    outputs, forces = torch.ones(2, 1, requires_grad=True), torch.ones(3, 3, requires_grad=True)
    loss = criterion((outputs, forces), nothing)
    loss.backward()
    assert loss == 0
    assert not outputs.grad.any()
    assert not forces.grad.any()


def test_the_pull_back_is_its_formula():
    """The second step of plain gradient descent differs by the gradient of penalty / 2 times the squared distance."""
    torch.manual_seed(0)
    source = make_backbone("schnet", n_layers=1, n_features=8, n_filters=8, cutoff=4.0)
    y = np.arange(7.0)

    def weights(strategy, n_steps):
        model = FineTunedRegressor(
            source, strategy=strategy, penalty=5.0, optimizer="sgd", lr=0.1, weight_decay=0.0, clip=None,
            scheduler=None, max_epochs=n_steps, random_state=0, device="cpu",
        ).fit(MOLECULES, y)  # fmt: skip
        return {name: weight.detach() for name, weight in model.module_.named_parameters()}

    begin = dict(source.named_parameters())
    one, two, pulled = weights("full", 1), weights("full", 2), weights("l2sp", 2)
    for name, weight in two.items():
        step = torch.zeros(())
        if name.startswith("backbone."):
            step = -0.1 * 5.0 * (one[name] - begin[name.removeprefix("backbone.")]).detach()
        assert_allclose(pulled[name] - weight, step.expand_as(weight), atol=1e-6)
    assert max(float((pulled[name] - two[name]).abs().max()) for name in two) > 1e-4
