import numpy as np
import pytest
from rdkit import Chem

from sktaag.model_selection import polymer_family
from sktaag.structures import InvalidRowsError

# polymers whose family everybody knows
KNOWN = {
    "polyolefin": ["*CC*", "*CC(*)C", "*CC(*)(C)C", "*CC(*)C1CCCCC1"],
    "diene": ["*CC=CC*", "*CC(C)=CC*"],
    "fluoropolymer": ["*C(F)(F)C(*)(F)F", "*CC(*)(F)F", "*C(F)(F)C(*)(F)Cl"],
    "vinyl halide": ["*CC(*)Cl", "*CC(*)(Cl)Cl", "*CC(*)Br"],
    "acrylate": ["*CC(*)(C)C(=O)OC", "*CC(*)C(=O)OCCCC", "*CC(*)C(=O)O", "*CC(*)C(=O)OCc1ccccc1"],
    "acrylamide": ["*CC(*)C(N)=O", "*CC(*)C(=O)NC(C)C"],
    "acrylonitrile": ["*CC(*)C#N"],
    "styrenic": ["*CC(*)c1ccccc1", "*CC(*)(C)c1ccccc1", "*CC(*)c1ccc(Cl)cc1"],
    "vinyl ester": ["*CC(*)OC(C)=O"],
    "vinyl ether": ["*CC(*)OC", "*CC(*)O"],
    "N-vinyl": ["*CC(*)N1CCCC1=O", "*CC(*)n1c2ccccc2c2ccccc12"],
    "conjugated": ["*C=C*", "*C=Cc1ccc(*)cc1", "*c1ccc(*)s1", "*c1ccc(*)cc1", "*C#CC=C*"],
    "siloxane": ["*[Si](C)(C)O*", "*O[Si](C)(*)c1ccccc1"],
    "phosphazene": ["*N=P(*)(OCC)OCC"],
    "imide": ["*c1ccc(cc1)Oc1ccc(cc1)N1C(=O)c2cc3c(cc2C1=O)C(=O)N(*)C3=O"],
    "urethane": ["*OCCOC(=O)NCCCCCCNC(*)=O"],
    "urea": ["*NCCCCNC(*)=O"],
    "carbonate": ["*Oc1ccc(cc1)C(C)(C)c1ccc(OC(*)=O)cc1"],
    "anhydride": ["*OC(=O)CCCCCCCCC(*)=O"],
    "amide": ["*NCCCCCC(*)=O", "*NCCCCCCNC(=O)CCCCC(*)=O", "*Nc1ccc(NC(=O)c2ccc(C(*)=O)cc2)cc1"],
    "ester": ["*OCCOC(=O)c1ccc(cc1)C(*)=O", "*OC(C)C(*)=O", "*OCCCCCC(*)=O"],
    "sulfone": ["*Oc1ccc(cc1)S(=O)(=O)c1ccc(*)cc1"],
    "ketone": ["*Oc1ccc(cc1)Oc1ccc(cc1)C(=O)c1ccc(*)cc1"],
    "sulfide": ["*Sc1ccc(*)cc1", "*CCS*"],
    "ether": ["*CO*", "*CCO*", "*CC(C)O*", "*Oc1c(C)cc(*)cc1C"],
    "amine": ["*CCN*", "*Nc1ccc(*)cc1"],
    "other": ["*Cc1ccc(C*)cc1", "*CC(*)*", "CCO", "*[SiH2]*", "[Na+].[Cl-]"],
}


@pytest.mark.parametrize("family", KNOWN)
def test_known_polymers(family):
    assert polymer_family(KNOWN[family]).tolist() == [family] * len(KNOWN[family])


def test_family_does_not_depend_on_where_the_unit_begins():
    assert set(
        polymer_family(["*OCCOC(=O)CC(*)=O", "*CCOC(=O)CC(=O)O*", "*C(=O)CC(=O)OCCO*", "*CC(=O)OCCOC(*)=O"])
    ) == {"ester"}
    assert set(polymer_family(["*OC(=O)NCCN*", "*NCCNC(=O)O*"])) == set(polymer_family(["*C(=O)ONCCN*"]))
    assert set(polymer_family(["*CC*", "*C*", "*CCCCCC*"])) == {"polyolefin"}


def test_a_group_in_the_side_chain_is_no_linkage():
    # esters, amides and ethers beside the backbone
    found = polymer_family(["*CC(*)CCCC(=O)OC", "*CC(*)CCCOC", "*CC(*)CCC(=O)N(C)C"])
    assert not set(found) & {"ester", "ether", "amide"}


def test_marks_stay_inside():
    mol = Chem.MolFromSmiles("*CC([2H])O*")
    before = mol.ToBinary()
    assert polymer_family([mol]).tolist() == ["ether"]
    assert mol.ToBinary() == before


def test_all_invalid_rows_are_named():
    with pytest.raises(InvalidRowsError, match=r"(?s)row 0: 'C1CC'.*row 2: nan: is missing"):
        polymer_family(["C1CC", "*CC*", np.nan])
