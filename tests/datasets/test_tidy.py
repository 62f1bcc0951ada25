import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from sktaag.datasets._tidy import canonical, canonical_organic, celsius_to_kelvin, reduced_formulas, tidy, widen


def test_canonical_keeps_order_and_marks_the_unreadable(capfd):
    assert canonical(["OCC", None, "not SMILES", "CCO", "C[*]"]) == ["CCO", None, None, "CCO", "*C"]
    assert capfd.readouterr().err == ""  # RDKit says nothing


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("OCC", "CCO"),
        ("C[Si](C)(C)C", "C[Si](C)(C)C"),
        ("C[N+](=O)[O-]", "C[N+](=O)[O-]"),
        ("F/C=C/F", "F/C=C/F"),
        ("O", None),  # no carbon
        ("ClP(Cl)Cl", None),  # the C of Cl is none
        ("CC.O", None),
        ("[Na+].CC(=O)[O-]", None),
        ("CC(=O)[O-]", None),
        ("C[Sn](C)(C)C", None),
        ("[2H]C", None),
        ("[CH3]", None),
        ("C1CC", None),
    ],
)
def test_organic(smiles, expected, capfd):
    assert canonical_organic(smiles) == expected
    assert capfd.readouterr().err == ""


def test_reduced_formulas():
    assert reduced_formulas(["K6S6", "Hf2Si2Te2", "XeF2"]) == ["KS", "HfSiTe", "XeF2"]


def test_one_row_each_with_median_and_spread():
    raw = pd.DataFrame(
        {
            "smiles": ["*CC*", "C(*)C*", "*CC*", "*CC(*)C", "CC", "bad", "*C*"],
            "y": [1.0, 2.0, 6.0, 4.0, 5.0, 6.0, np.nan],
            "name": ["PE", "again", "thrice", "PP", "ethane", "?", "empty"],
        }
    )
    done = tidy(raw, features=["smiles"], targets=["y"], linear=True)
    expected = pd.DataFrame(
        {"smiles": ["*CC(*)C", "*CC*"], "y": [4.0, 2.0], "name": ["PP", "PE"], "n": [1, 3], "spread": [0.0, 5.0]}
    )
    assert_frame_equal(done.frame, expected, check_dtype=False)
    assert (done.n_raw, done.n_unreadable, done.n_not_linear, done.n_merged) == (6, 1, 1, 2)
    assert raw["smiles"].tolist()[1] == "C(*)C*"  # the input is left as it was


def test_several_targets_keep_missing_values():
    raw = pd.DataFrame({"smiles": ["CO", "OC", "CC"], "a": [1.0, 3.0, np.nan], "b": [np.nan, np.nan, 7.0]})
    frame = tidy(raw, features=["smiles"], targets=["a", "b"]).frame
    assert frame.columns.tolist() == ["smiles", "a", "b", "n"]
    np.testing.assert_array_equal(frame[["a", "b"]], [[np.nan, 7.0], [2.0, np.nan]])


def test_unmerged_rows_keep_their_order():
    raw = pd.DataFrame({"smiles": ["OC", "CC", "CO"], "y": [1.0, 2.0, 3.0]})
    done = tidy(raw, features=["smiles"], targets=["y"], merge=False)
    assert done.frame.values.tolist() == [["CO", 1.0], ["CC", 2.0], ["CO", 3.0]]
    assert done.n_merged == 0


def test_widen_keeps_rows():
    long = pd.DataFrame({"smiles": ["A", "A", "B"], "property": ["p", "q", "p"], "value": [1.0, 2.0, 3.0]})
    wide = widen(long)
    assert wide.columns.tolist() == ["smiles", "p", "q"]
    np.testing.assert_array_equal(wide[["p", "q"]], [[1.0, np.nan], [np.nan, 2.0], [3.0, np.nan]])


def test_celsius_to_kelvin():
    frame = pd.DataFrame({"t": [0.0, -273.15]})
    assert celsius_to_kelvin(frame, "t")["t"].tolist() == [273.15, 0.0]
    assert frame["t"].tolist() == [0.0, -273.15]
