import pickle

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from sktaag.structures import InvalidStructureError, MoleculeReader


def read(structure, **parameters):
    return Chem.MolToSmiles(MoleculeReader(**parameters).read(structure))


@pytest.mark.parametrize(
    ("structure", "largest"),
    [
        ("CC(=O)[O-].[Na+]", "CC(=O)[O-]"),
        ("O.CCO.O", "CCO"),
        ("[Na+].[Cl-]", "[Cl-]"),  # equally many atoms: the heavier one
        ("CCO", "CCO"),
        ("*CC*.O", "*CC*"),
    ],
)
def test_fragments(structure, largest):
    assert read(structure, fragments="largest") == largest
    assert read(structure, fragments="keep") == Chem.CanonSmiles(structure)


def test_fragments_do_not_change_the_molecule_given():
    salt = Chem.MolFromSmiles("CC(=O)[O-].[Na+]")
    read(salt, fragments="largest")
    assert salt.GetNumAtoms() == 5


@pytest.mark.parametrize(
    ("structure", "star", "cyclic", "oligomer"),
    [
        ("*CCO*", "*CCO*", "C1CO1", "CCOCCOCCO"),
        ("*C*", "*C*", "C1CC1", "CCC"),
        ("CCO", "CCO", "CCO", "CCO"),
        ("C.O", "C.O", "C.O", "C.O"),
    ],
)
def test_polymer(structure, star, cyclic, oligomer):
    assert read(structure) == Chem.CanonSmiles(star)
    assert read(structure, polymer="cyclic") == Chem.CanonSmiles(cyclic)
    assert read(structure, polymer="oligomer") == Chem.CanonSmiles(oligomer)


def test_polystyrene():
    assert read("*CC(*)c1ccccc1", polymer="oligomer", n_units=1) == Chem.CanonSmiles("CCc1ccccc1")
    ring = Chem.MolFromSmiles(read("*CC(*)c1ccccc1", polymer="cyclic"))
    assert CalcMolFormula(ring) == "C16H16"  # two units: one would be a ring of two atoms
    assert sorted(map(len, ring.GetRingInfo().AtomRings())) == [4, 6, 6]


@pytest.mark.parametrize(("n_units", "smiles"), [(1, "CCO"), (2, "CCOCCO"), (None, "CCOCCOCCO"), (5, "CCO" * 5)])
def test_oligomer_units(n_units, smiles):
    assert read("*OCC*", polymer="oligomer", n_units=n_units) == Chem.CanonSmiles(smiles)


@pytest.mark.parametrize(("n_units", "size"), [(None, 3), (1, 3), (2, 6), (4, 12)])
def test_cyclic_units(n_units, size):
    mol = MoleculeReader(polymer="cyclic", n_units=n_units).read("*OCC*")
    (ring,) = mol.GetRingInfo().AtomRings()
    assert len(ring) == size


@pytest.mark.parametrize(("unit", "fewest"), [("*C*", 3), ("*CC(C)*", 2), ("*CCO*", 1), ("*c1ccc(*)cc1", 1)])
def test_a_ring_has_three_backbone_atoms(unit, fewest):
    reader = MoleculeReader(polymer="cyclic")
    least = MoleculeReader(polymer="cyclic", n_units=fewest)
    assert Chem.MolToSmiles(reader.read(unit)) == Chem.MolToSmiles(least.read(unit))
    if fewest > 1:
        with pytest.raises(InvalidStructureError, match=f"set n_units to {fewest} or more, or to None"):
            MoleculeReader(polymer="cyclic", n_units=fewest - 1).read(unit)


@pytest.mark.parametrize("polymer", ["cyclic", "oligomer"])
@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ("*CC", r"has 1 attachment point '\*'; the repeat unit of a linear polymer has two \(polymer=\"star\""),
        ("*CC(*)*", r"has 3 attachment points '\*'"),
        ("*C(*)C(*)*", r"has 4 attachment points '\*'"),  # a ladder polymer
        ("*CC*.O", "several fragments; write one connected unit"),
        ("*C.*C", "several fragments"),
        ("*CC=*", r"has a '\*' that is not the end of one single bond"),
        ("C*C*C", r"has a '\*' that is not the end of one single bond"),
        ("**", "has no atom between its two attachment points"),
    ],
)
def test_what_is_no_linear_polymer(structure, reason, polymer):
    with pytest.raises(InvalidStructureError, match=reason):
        MoleculeReader(polymer=polymer).read(structure)
    assert read(structure) == Chem.CanonSmiles(structure)  # "star" takes any number


def test_counterions_can_be_left_out():
    unit = "*CC[N+](C)(C)*.[Cl-]"
    assert read(unit, polymer="oligomer", fragments="largest", n_units=1) == Chem.CanonSmiles("CC[NH+](C)C")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fragments": "biggest"}, 'fragments must be "keep" or "largest", got \'biggest\''),
        ({"polymer": "ring"}, 'polymer must be "star", "cyclic" or "oligomer", got \'ring\''),
        ({"polymer": "cyclic", "n_units": 0}, "n_units must be a positive integer or None, got 0"),
        ({"polymer": "cyclic", "n_units": 2.0}, "n_units must be a positive integer or None, got 2.0"),
        ({"n_units": 2}, 'n_units needs polymer="cyclic" or "oligomer"'),
    ],
)
def test_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        MoleculeReader(**parameters)


def test_numpy_integer_as_n_units():
    assert read("*CCO*", polymer="oligomer", n_units=np.int64(2)) == "CCOCCO"


def test_read_all_keeps_order_and_collects_failures(capfd):
    structures = ["CCO", "C1CC", None, "c1cccc1", "C(C)(C)(C)(C)C", "*CC", Chem.MolFromSmiles("C"), ""]
    results = list(MoleculeReader(polymer="cyclic").read_all(structures))
    assert [isinstance(r, Chem.Mol) for r in results] == [True, False, False, False, False, False, True, False]
    reasons = [str(r) for r in results if isinstance(r, InvalidStructureError)]
    assert reasons == [
        "SMILES Parse Error: unclosed ring for input: 'C1CC'",
        "is missing",
        "Can't kekulize mol.  Unkekulized atoms: 0 1 2 3 4",
        "Explicit valence for atom # 0 C, 5, is greater than permitted",
        "has 1 attachment point '*'; the repeat unit of a linear polymer has two "
        '(polymer="star", where there is that choice, takes any number)',
        "is an empty string",
    ]
    assert capfd.readouterr() == ("", "")


def test_the_log_is_not_silenced_for_good(capfd):
    list(MoleculeReader().read_all(["C1CC"]))
    Chem.MolFromSmiles("C1CC")
    assert "unclosed ring" in capfd.readouterr().err


def test_reader_is_a_value():
    reader = MoleculeReader(polymer="oligomer", n_units=2)
    assert pickle.loads(pickle.dumps(reader)) == reader
    assert reader != MoleculeReader(polymer="oligomer", n_units=3)
