import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from sktaag.model_selection import find_overlap
from sktaag.model_selection._find_overlap import source_masks, target_mask
from sktaag.structures import InvalidRowsError

SOURCE = ["CCO", "*COC*", "C[C@H](N)O", "c1ccccc1", "OCC", "*CCOCCO*"]
TARGET = ["*OCC*", "CC", "C[C@@H](N)O", "CCO", "*CCO*"]


def shared(overlap):
    return {row.structure: (row.source_rows, row.target_rows) for row in overlap.itertuples()}


def test_structures_are_found_however_they_are_written():
    assert shared(find_overlap(SOURCE, TARGET)) == {
        "*CCO*": ([1, 5], [0, 4]),
        "CC(N)O": ([2], [2]),
        "CCO": ([0, 4], [3]),
    }


def test_stereoisomers_can_be_told_apart():
    assert set(shared(find_overlap(SOURCE, TARGET, stereo=True))) == {"*CCO*", "CCO"}


def test_several_sources_and_other_names():
    overlap = find_overlap({"a": ["NaCl", "SiO2"], "b": pd.Series(["SiO2", "KCl"])}, ["SiO2"], key=lambda X: X)
    assert overlap["source"].tolist() == ["a", "b"]
    assert overlap["source_rows"].tolist() == [[1], [0]]


def test_masks():
    overlap = find_overlap(SOURCE, TARGET)
    assert source_masks(SOURCE, overlap).tolist() == [False, False, False, True, False, False]
    assert target_mask(TARGET, overlap).tolist() == [False, True, False, False, False]
    masks = source_masks({"a": SOURCE, "b": ["CC"]}, find_overlap({"a": SOURCE, "b": ["CC"]}, TARGET))
    assert masks["a"].sum() == 1
    assert masks["b"].tolist() == [False]
    nothing = find_overlap(["CCC"], ["CC"])
    assert list(nothing) == ["source", "structure", "source_rows", "target_rows"]
    assert source_masks(["CCC"], nothing).all()
    assert target_mask(["CC"], nothing).all()


def test_forms_and_errors():
    mols = [Chem.MolFromSmiles(s) for s in SOURCE]
    assert shared(find_overlap(mols, TARGET)) == shared(find_overlap(np.array(SOURCE), pd.DataFrame({"x": TARGET})))
    with pytest.raises(InvalidRowsError, match=r"(?s)row 1: 'C1CC'"):
        find_overlap(["CC", "C1CC"], TARGET)
