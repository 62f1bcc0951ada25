"""Kinds of scikit-fingerprints: its own rows, and a clear word where it is missing."""

import pickle
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from rdkit import Chem
from sklearn.base import clone

from sktaag.descriptors import Fingerprints
from sktaag.descriptors._extra_kinds import EXTRA_KINDS

SMILES = ["CCO", "c1ccccc1C(=O)O", "*CC(*)c1ccccc1", "ClC(Cl)Cl"]
needs_package = pytest.mark.skipif(
    find_spec("skfp") is None, reason="scikit-fingerprints is not installed; it holds RDKit at an older release"
)


def reference(kind, smiles, counts=False):
    from skfp import fingerprints

    classes = {"pubchem": "PubChemFingerprint", "klekota_roth": "KlekotaRothFingerprint"}
    fingerprint = getattr(fingerprints, classes[kind])(count=counts and kind != "pubchem")
    return fingerprint.transform([Chem.MolFromSmiles(s) for s in smiles])


@needs_package
@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("kind", EXTRA_KINDS)
def test_rows_are_those_of_the_package(kind, counts):
    model = Fingerprints(kind, counts=counts)
    rows = model.fit_transform(SMILES)
    assert_array_equal(rows, reference(kind, SMILES, counts))
    names = model.get_feature_names_out()
    assert len(names) == rows.shape[1]
    assert names[0] == f"{kind}_0"


@needs_package
def test_they_stand_beside_others(tmp_path):
    model = Fingerprints(["maccs", "klekota_roth", "pubchem"], cache=tmp_path, sparse=True)
    rows = model.fit_transform(SMILES).toarray()
    assert_array_equal(rows[:, :167], Fingerprints("maccs").fit_transform(SMILES))
    assert_array_equal(rows[:, 167:-881], reference("klekota_roth", SMILES))
    again = pickle.loads(pickle.dumps(clone(model))).fit_transform(SMILES[::-1])
    assert_array_equal(again.toarray(), rows[::-1])


@needs_package
def test_joined_repeat_units():
    rows = Fingerprints("pubchem", polymer="cyclic").fit_transform(["*CCO*", "*OCC*"])
    assert_array_equal(rows[0], rows[1])
    assert np.any(rows)


@pytest.mark.parametrize("kind", EXTRA_KINDS)
def test_without_the_package(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "skfp.fingerprints", None)
    with pytest.raises(ImportError, match='need scikit-fingerprints: pip install "sktaag\\[fingerprints\\]"'):
        Fingerprints(["morgan", kind]).fit(SMILES)
    assert Fingerprints("morgan").fit_transform(SMILES).shape == (4, 2048)
