import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from rdkit import Chem

from sktaag.structures import AtomsReader, InvalidStructureError


def test_atoms_come_back_as_they_are():
    atoms = bulk("Cu")
    assert AtomsReader().read(atoms) is atoms


def test_hydrogens_of_smiles_become_atoms():
    atoms = AtomsReader().read("CCO")
    assert atoms.get_chemical_formula() == "C2H6O"
    assert atoms.get_chemical_symbols()[:3] == ["C", "C", "O"]
    assert not atoms.pbc.any()


def test_atom_maps_and_isotopes_do_not_matter():
    plain, mapped = (AtomsReader().read(smiles) for smiles in ("CCO", "[CH3:7][CH2:2][OH:1]"))
    assert abs(plain.positions - mapped.positions).max() < 1e-6


def test_stereo_is_kept():
    for smiles in ("C[C@H](N)C(=O)O", "C/C=C\\C"):
        atoms = AtomsReader(random_state=5).read(smiles)
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
        conformer = Chem.Conformer(mol.GetNumAtoms())
        conformer.SetPositions(atoms.positions)
        mol.AddConformer(conformer)
        Chem.AssignStereochemistryFrom3D(mol)
        assert Chem.MolToSmiles(Chem.RemoveHs(mol)) == Chem.CanonSmiles(smiles)


@pytest.mark.parametrize(
    ("smiles", "shortest", "longest"),
    [
        ("[Na+].[Cl-]", 2.0, 3.0),
        ("CC(=O)[O-].[Na+]", 1.9, 2.6),
        ("CCO.O", 1.6, 3.0),
        ("c1ccccc1.c1ccccc1", 2.5, 4.5),
        ("CCO.CCN.O", 1.6, 3.0),
    ],
)
def test_fragments_stand_beside_each_other(smiles, shortest, longest):
    """Å between the nearest atoms of different fragments: in contact, and not in each other."""
    distances = AtomsReader(n_conformers=2).read(smiles).get_all_distances()
    number = np.empty(len(distances), int)
    for k, fragment in enumerate(Chem.GetMolFrags(Chem.AddHs(Chem.MolFromSmiles(smiles)))):
        number[list(fragment)] = k
    for k in range(number.max() + 1):
        assert shortest < distances[number == k][:, number != k].min() < longest


@pytest.mark.parametrize("smiles", ["[He]", "[Pt]", "[Na+]"])
def test_an_atom_alone_needs_no_field_of_force(smiles):
    assert AtomsReader().read(smiles).positions.tolist() == [[0.0, 0.0, 0.0]]


def test_oligomer_has_its_units():
    assert AtomsReader(n_units=2).read("*CC(*)C").get_chemical_formula() == "C6H14"
    assert AtomsReader(polymer="cyclic", n_units=2).read("*CC(*)C").get_chemical_formula() == "C6H12"


@pytest.mark.parametrize("structure", [b"CCO", ["CCO"], {"C": 1}, object()])
def test_other_things_are_refused(structure):
    with pytest.raises(InvalidStructureError, match="is of type"):
        AtomsReader().read(structure)


def test_a_star_atom_is_no_element():
    with pytest.raises(InvalidStructureError, match="atomic number 119, which is no element"):
        AtomsReader().read(Atoms([119]))
    with pytest.raises(InvalidStructureError, match="'\\*'"):
        AtomsReader().read("*C(*)*")
