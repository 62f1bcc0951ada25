import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from sktaag.model_selection import scaffolds
from sktaag.structures import InvalidRowsError

MOLECULES = ["Cc1ccccc1CC2CCN(C)C2", "O=C1CCCC1C", "CCO", "CC(=O)[O-].[Na+]", "C[C@H](N)c1ccc(O)cc1", "*Cc1ccccc1"]


def test_molecules_are_as_rdkit_has_them():
    expected = [
        MurckoScaffold.MurckoScaffoldSmiles(Chem.MolToSmiles(Chem.MolFromSmiles(s), isomericSmiles=False))
        for s in MOLECULES
    ]
    assert scaffolds(MOLECULES).tolist() == expected


@pytest.mark.parametrize(
    ("units", "scaffold"),
    [
        (["*CC*", "*C*", "*CC(CCCC)*", "*CC(C)(C(=O)OC)*", "*C(C#N)C*"], "*C*"),
        (["*CCO*", "*OCC*", "*COC*", "*OCC(C)*", "*CCOCC(CO)O*"], "*CCO*"),
        (["*C(CC)C(=O)O*", "*OC(C)C(*)=O", "*C(=O)OC*"], "*OCC(*)=O"),
        (["*CC(*)c1ccccc1", "*C(c1ccccc1)C*", "*CC(*)c1ccc(Cl)cc1"], "*CC(*)c1ccccc1"),
        (["*CC(*)OC(=O)CC1CC1", "*C(OC(=O)C(C)C1CC1)C*"], "*CC(*)OC(=O)CC1CC1"),
        (["*Oc1ccc(*)cc1", "*c1ccc(O*)cc1", "*Oc1ccc(*)c(C)c1"], "*Oc1ccc(*)cc1"),
    ],
)
def test_one_scaffold_however_the_polymer_is_written(units, scaffold):
    assert set(scaffolds(units)) == set(scaffolds([scaffold]))


def test_what_is_no_linear_unit_counts_as_a_molecule():
    assert scaffolds(["*CC(*)*", "*C1CC1"]).tolist() == ["", "C1CC1"]


def test_input_is_not_changed():
    mol = Chem.MolFromSmiles("*C[C@H](C)O*")
    before = mol.ToBinary()
    scaffolds([mol])
    assert mol.ToBinary() == before


def test_all_invalid_rows_are_named():
    with pytest.raises(InvalidRowsError, match=r"(?s)row 1: 'C1CC'.*row 2: nan: is missing"):
        scaffolds(["CC", "C1CC", np.nan])
