import numpy as np
import pytest
from ase import Atoms
from pymatgen.core import Composition, Element, Lattice, Molecule, Species, Structure
from rdkit import Chem

from sktaag.structures import InvalidStructureError, to_composition

NACL = {"Na": 1, "Cl": 1}
WATER = {"H": 2, "O": 1}
BLUE_VITRIOL = {"Cu": 1, "S": 1, "O": 9, "H": 10}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("NaCl", NACL),
        (" Na Cl ", NACL),
        (np.str_("NaCl"), NACL),
        ("(Ba0.5Sr0.5)TiO3", {"Ba": 0.5, "Sr": 0.5, "Ti": 1, "O": 3}),
        ("K4[Fe(CN)6]", {"K": 4, "Fe": 1, "C": 6, "N": 6}),
        ("Na0.05Cl10", {"Na": 0.05, "Cl": 10}),
        ("2NaCl", {"Na": 2, "Cl": 2}),
        ("CuSO4·5H2O", BLUE_VITRIOL),
        ("CuSO4•5H2O", BLUE_VITRIOL),
        ("CuSO4*5H2O", BLUE_VITRIOL),
        ("0.5Li2O·0.5SiO2", {"Li": 1, "O": 1.5, "Si": 0.5}),
        ("(Na0.5)H2O", {"Na": 0.5, "H": 2, "O": 1}),
        ("D2O", WATER),
        ("NaN", {"Na": 1, "N": 1}),
        ({"Na": 1, "Cl": np.int64(1)}, NACL),
        ({"D": 1, "H": 1, "O": 1}, WATER),
        ({Element("Fe"): 1, Species("Fe", 3): 2}, {"Fe": 3}),
        (Composition("NaCl"), NACL),
        (Composition({"Fe2+": 1, "Fe3+": 2, "O2-": 4}), {"Fe": 3, "O": 4}),
        (Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]), NACL),
        (Molecule(["H", "H", "O"], np.eye(3)), WATER),
        (Atoms("OH2"), WATER),
        (Chem.MolFromSmiles("O"), WATER),
        (Chem.AddHs(Chem.MolFromSmiles("O")), WATER),
        (Chem.MolFromSmiles("[2H]O[3H]"), WATER),
        (Chem.MolFromSmiles("[Na+].[Cl-]"), NACL),
        (Chem.MolFromSmiles("*CC*"), {"C": 2, "H": 4}),
    ],
)
def test_counts(value, expected):
    composition = to_composition(value)
    assert composition == expected
    assert all(type(symbol) is str and type(amount) is float for symbol, amount in composition.items())


def test_ten_thousand_characters():
    assert to_composition("NaCl" * 2500) == {"Na": 2500, "Cl": 2500}


def test_strings_as_smiles():
    assert to_composition("CO", strings="smiles") == {"C": 1, "O": 1, "H": 4}
    assert to_composition("CO") == {"C": 1, "O": 1}
    assert to_composition("*CC*", strings="smiles") == {"C": 2, "H": 4}
    assert to_composition({"Na": 1}, strings="smiles") == {"Na": 1}


def test_unsanitised_molecule_is_left_as_it_is():
    mol = Chem.MolFromSmiles("CO", sanitize=False)
    assert to_composition(mol) == {"C": 1, "O": 1, "H": 4}
    assert mol.NeedsUpdatePropertyCache()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "^is missing$"),
        (np.nan, "^is missing$"),
        (3, r"^is a number \(int\), not a composition$"),
        (["NaCl"], "^is of type list, not a formula, a mapping of amounts, a molecule or a crystal$"),
        ("", "^is an empty string$"),
        ("  ", "^is an empty string$"),
        ({}, "^has no atoms$"),
        (Atoms(), "^has no atoms$"),
        (Chem.Mol(), "^has no atoms$"),
        (Chem.MolFromSmiles("**"), "^has no atoms$"),
        ("CuSO4.5H2O", "^is ambiguous: a full stop is a decimal point. Write a hydrate with '·', as in CuSO4·5H2O"),
        ("Na0Cl", "^the amount after 'Na' is zero: leave that part out$"),
        ("Na(OH)0.0", r"^the amount after '\)' is zero"),
        ("0NaCl", "^the amount of Na is 0.0, not a positive finite number$"),
        ("Na" + "9" * 400, "^the amount of Na is inf, not a positive finite number$"),
        ("Xx2", "^'Xx' is not the symbol of an element$"),
        ("QO2", "^'Q' is not the symbol of an element$"),
        ("Co1-xFex", '^is no chemical formula .*; SMILES need strings="smiles"$'),
        ("CC=O", '^is no chemical formula .*; SMILES need strings="smiles"$'),
        ("*CC*", '^is no chemical formula .*; SMILES need strings="smiles"$'),
        ("Fe(OH", "^is no chemical formula "),
        ("Na+", "^is no chemical formula "),
        ("nacl", "^is no chemical formula "),
        ("1", "^is no chemical formula "),
        ({"Na": 1, "Cl": 0}, "^the amount of Cl is 0, not a positive finite number$"),
        ({"Na": -1}, "^the amount of Na is -1, not a positive finite number$"),
        ({"Na": np.nan}, "^the amount of Na is nan, not a positive finite number$"),
        ({"Na": None}, "^the amount of Na is None, not a number$"),
        ({"Na": "1"}, "^the amount of Na is '1', not a number$"),
        ({"na": 1}, "^'na' is not the symbol of an element$"),
        ({11: 1}, "^11 is not the symbol of an element$"),
        (Atoms("X2"), "^'X' is not the symbol of an element$"),
        (Composition("Xx2"), "^'Xx' is not the symbol of an element$"),
    ],
)
def test_reasons(value, reason):
    with pytest.raises(InvalidStructureError, match=reason):
        to_composition(value)


def test_smiles_reason_is_rdkits():
    with pytest.raises(InvalidStructureError, match="unclosed ring"):
        to_composition("C1CC", strings="smiles")


def test_unknown_reading_of_strings():
    with pytest.raises(ValueError, match='strings must be "formula" or "smiles", got \'inchi\''):
        to_composition("NaCl", strings="inchi")
