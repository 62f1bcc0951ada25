import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from sktaag.structures import InvalidRowsError, canonical_smiles


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("OCC", "CCO"),
        ("C1=CC=CC=C1", "c1ccccc1"),
        ("[Na+].CC(=O)[O-]", "CC(=O)[O-].[Na+]"),
        ("N[C@@H](C)C(=O)O", "C[C@H](N)C(=O)O"),
        ("*OCC*", "*CCO*"),
        ("*CCCC*", "*C*"),
        ("[*:1]OCC[*:2]", "*CCO*"),
        ("*OCC", "*OCC"),
        ("*C(*)C(*)C*", "*CC(*)C(*)*"),
        ("*=CC=*", "*=CC=*"),
        ("*C.C*", "*C.*C"),
        ("**", "**"),
    ],
)
def test_names(written, name):
    assert canonical_smiles([written]).tolist() == [
        name if "*" in name and name in ("*CCO*", "*C*") else Chem.CanonSmiles(name)
    ]


def test_order_type_and_forms():
    names = canonical_smiles(["OCC", "C", "OCC"])
    assert isinstance(names, np.ndarray)
    assert names.dtype == object
    assert names.tolist() == ["CCO", "C", "CCO"]
    assert canonical_smiles(pd.DataFrame({"smiles": ["OCC"]}))[0] == "CCO"
    assert canonical_smiles([Chem.MolFromSmiles("OCC")])[0] == "CCO"


def test_a_name_is_its_own_name():
    names = canonical_smiles(["OCC", "*OCC*", "*OCC", "*C(*)C(*)C*", "*C(C)(C)O*", "[Na+].[Cl-]", "*C[C@H](C)*"])
    assert canonical_smiles(names).tolist() == names.tolist()


def test_all_bad_rows_at_once_and_a_silent_log(capfd):
    with pytest.raises(InvalidRowsError, match="4 of 6 structures are invalid") as caught:
        canonical_smiles(["C", "C1CC", None, 3, "c1cccc1", "CC"])
    assert [row for row, _, _ in caught.value.rows] == [1, 2, 3, 4]
    for line in [
        "row 1: 'C1CC': SMILES Parse Error: unclosed ring",
        "row 2: None: is missing",
        "row 3: 3: is a number",
    ]:
        assert line in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_more_than_twenty_bad_rows():
    with pytest.raises(InvalidRowsError, match="and 80 more, all of them in the attribute `rows`") as caught:
        canonical_smiles(["C("] * 100 + ["C"])
    assert len(caught.value.rows) == 100


def test_empty():
    with pytest.raises(ValueError, match="X is empty"):
        canonical_smiles([])
