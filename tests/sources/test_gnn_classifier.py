"""GNNClassifier; the conformance of its kind is in tests/test_common.py."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight
from skorch.callbacks import Callback

from sktaag.graphs import AtomGraphs
from sktaag.sources import GNNClassifier
from sktaag.structures import InvalidRowsWarning

TINY = {"module__n_layers": 1, "module__n_features": 8, "module__n_filters": 8, "module__cutoff": 4.0}
NAMES = ["CH4", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO", "HCN", "H2O", "NH3", "N2H4", "O2", "H2O2"]
MOLECULES = [molecule(name) for name in NAMES]
Y = np.array(["carbon"] * 7 + ["none"] * 5)


def tiny(**params):
    return GNNClassifier(**(TINY | {"max_epochs": 3, "random_state": 0, "device": "cpu"} | params))


@pytest.mark.parametrize("class_weight", [None, "balanced", {"carbon": 5.0, "none": 1.0}], ids=str)
def test_loss_by_hand(class_weight):
    model = tiny(class_weight=class_weight, lr=0.0, weight_decay=0.0, max_epochs=1).fit(MOLECULES, Y)
    expected = log_loss(Y, model.predict_proba(MOLECULES), sample_weight=compute_sample_weight(class_weight, Y))
    assert model.history_[0]["train_loss"] == pytest.approx(expected, rel=1e-4)


class Watch(Callback):
    """Notes the atoms of each structure that is held out."""

    def __init__(self):
        self.held = set()

    def __deepcopy__(self, memo):
        return self

    def on_batch_begin(self, net, batch, training, **kwargs):
        if not training:
            numbers = np.split(batch[0].z.numpy(), batch[0].ptr[1:-1])
            self.held |= {tuple(part) for part in numbers}


def test_validation_score_is_the_accuracy_of_rows_held_out():
    watch = Watch()
    params = {"early_stopping": True, "validation_fraction": 0.4, "max_epochs": 3, "lr": 0.03}
    model = tiny(callbacks=[watch], **params).fit(MOLECULES, Y)
    held = np.array([tuple(atoms.numbers) in watch.held for atoms in MOLECULES])
    assert held.sum() == 5  # odd, so that right and wrong are not half each
    right = model.predict(MOLECULES) == Y
    assert model.validation_score_ == right[held].mean() != right[~held].mean()
    assert model.history_[model.best_epoch_ - 1]["valid_loss"] == min(epoch["valid_loss"] for epoch in model.history_)


def test_invalid_structures_are_left_out():
    clash = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.01]])
    tolerant = tiny(graphs=AtomGraphs(4.0, on_invalid="nan"), class_weight="balanced")
    with pytest.warns(InvalidRowsWarning):
        tolerant.fit([clash, *MOLECULES], ["none", *Y])
    expected = tiny(class_weight="balanced").fit(MOLECULES, Y).predict_proba(MOLECULES)
    assert_allclose(tolerant.predict_proba(MOLECULES), expected, rtol=1e-10)
