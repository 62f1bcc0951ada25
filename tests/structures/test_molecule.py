import pickle
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from sktaag.structures import InvalidStructureError, MoleculeReader, to_mol


def smiles(structure):
    return Chem.MolToSmiles(to_mol(structure))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("OCC", "CCO"),
        (" OCC\n", "CCO"),
        ("C1=CC=CC=C1", "c1ccccc1"),
        ("[H]O[H]", "O"),
        ("CC(=O)[O-].[Na+]", "CC(=O)[O-].[Na+]"),
        ("O.CCO.O", "CCO.O.O"),
        ("[13CH4]", "[13CH4]"),
        ("[2H]C([2H])([2H])O", "[2H]C([2H])([2H])O"),
        ("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O"),
        ("F/C=C\\F", "F/C=C\\F"),
        ("*CC*", "*CC*"),
        ("[*:1]CC[*:2]", "C(C[*:2])[*:1]"),
        ("*", "*"),
        ("[He]", "[He]"),
        ("CCO ethanol", "CCO"),  # the second word is a name, as in SMILES files
        ("CCO |$a;b;c$|", "CCO"),
    ],
)
def test_strings_are_kept_as_written(written, read):
    assert smiles(written) == read


def test_stereo_is_told_apart():
    assert smiles("C[C@H](N)C(=O)O") != smiles("C[C@@H](N)C(=O)O")
    assert smiles("F/C=C\\F") != smiles("F/C=C/F")


def test_numpy_strings():
    assert smiles(np.array(["OCC"])[0]) == "CCO"


def test_molecule_comes_back_as_it_is():
    mol = Chem.MolFromSmiles("CCO")
    assert to_mol(mol) is mol


def test_raw_molecule_is_sanitised_in_a_copy():
    raw = Chem.MolFromSmiles("C1=CC=CC=C1", sanitize=False)
    assert smiles(raw) == "c1ccccc1"
    assert raw.NeedsUpdatePropertyCache()


def pickled(mol):
    return pickle.loads(pickle.dumps(mol))


def unsanitised(mol):
    return Chem.MolFromSmiles(Chem.MolToSmiles(mol), sanitize=False)


@pytest.mark.parametrize("change", [pickled, unsanitised, Chem.AddHs])
def test_labels_of_stereo_are_those_of_the_written_molecule(change):
    mol = Chem.MolFromSmiles("C[C@H](N)/C=C/F")
    changed = change(mol)
    before = changed.ToBinary(Chem.PropertyPickleOptions.AllProps)
    labels = [atom.GetProp("_CIPCode") for atom in to_mol(changed).GetAtoms() if atom.HasProp("_CIPCode")]
    assert labels == ["S"] == [atom.GetProp("_CIPCode") for atom in mol.GetAtoms() if atom.HasProp("_CIPCode")]
    assert Chem.BondStereo.STEREOE in [bond.GetStereo() for bond in to_mol(changed).GetBonds()]
    assert changed.ToBinary(Chem.PropertyPickleOptions.AllProps) == before


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ("", "is an empty string"),
        ("  \t", "is an empty string"),
        (None, "is missing"),
        (float("nan"), "is missing"),
        (np.float32("nan"), "is missing"),
        (np.datetime64("NaT"), "is missing"),
        (pd.NA, "is missing"),
        (pd.NaT, "is missing"),
        (Decimal("NaN"), "is missing"),
        (3, "is a number (int), not a SMILES string or a molecule"),
        (2.5, "is a number (float), not a SMILES string or a molecule"),
        (np.int64(3), "is a number (int64), not a SMILES string or a molecule"),
        (float("inf"), "is a number (float), not a SMILES string or a molecule"),
        (True, "is a number (bool), not a SMILES string or a molecule"),
        (b"CC", "is of type bytes, not a SMILES string or a molecule"),
        ({"C": 1}, "is of type dict, not a SMILES string or a molecule"),
        (["C", "O"], "is of type list, not a SMILES string or a molecule"),
        (np.array([1.0]), "is of type ndarray, not a SMILES string or a molecule"),
        (Chem.Mol(), "has no atoms"),
        (Chem.MolFromSmiles("C(C)(C)(C)(C)C", sanitize=False), "Explicit valence for atom # 0 C, 5, is greater than"),
        ("C1CC", "SMILES Parse Error: unclosed ring for input: 'C1CC'"),
        ("C(C)(C)(C)(C)C", "Explicit valence for atom # 0 C, 5, is greater than permitted"),
        ("c1cccc1", "Can't kekulize mol.  Unkekulized atoms: 0 1 2 3 4"),
        ("CC(C", "SMILES Parse Error: extra open parentheses"),
        ("nan", "SMILES Parse Error: syntax error while parsing: nan"),
        ("CCO |junk|", "RDKit cannot read it"),
        ("CC\0O", "SMILES Parse Error: syntax error while parsing: CC"),
        ("CCé", "has the character '\\xe9', which is not ASCII"),
        ("C\u2212C", "has the character '\\u2212', which is not ASCII"),
        ("\ud800", "has the character '\\ud800', which is not ASCII"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_reasons(structure, reason):
    with pytest.raises(InvalidStructureError, match=f"^{re.escape(reason)}"):
        to_mol(structure)


def test_10000_characters_that_are_a_molecule():
    assert to_mol("C" * 10_000).GetNumAtoms() == 10_000
    assert to_mol("C.C" * 2500).GetNumAtoms() == 5000
    assert to_mol("C" + "(C" * 3333 + ")" * 3333).GetNumAtoms() == 3334


@pytest.mark.parametrize("piece", ["C(", "(", "x", "1", "C1", "[", "%"])
def test_10000_characters_that_are_none(piece):
    with pytest.raises(InvalidStructureError) as caught:
        to_mol(piece * (10_000 // len(piece)))
    assert 10 < len(str(caught.value)) <= 160


def test_reason_does_not_depend_on_the_state_of_the_log(capfd):
    with pytest.raises(InvalidStructureError) as alone:
        to_mol("C1CC")
    capfd.readouterr()
    in_batch = next(MoleculeReader().read_all(["C1CC"]))
    assert str(in_batch) == str(alone.value)
    Chem.MolFromSmiles("C1CC")
    assert "unclosed ring" in capfd.readouterr().err  # the user's own log is as before
