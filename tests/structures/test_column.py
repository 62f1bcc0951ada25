import numpy as np
import pandas as pd
import polars as pl
import pytest
from ase import Atoms
from rdkit import Chem

from sktaag.structures import as_column

SMILES = ["CCO", "C", "*CC*"]
FORMS = {
    "list": SMILES,
    "tuple": tuple(SMILES),
    "array of str": np.array(SMILES),
    "array of objects": np.array(SMILES, dtype=object),
    "array of one column": np.array(SMILES, dtype=object)[:, None],
    "list of rows": [[s] for s in SMILES],
    "pandas Series": pd.Series(SMILES, index=[5, 3, 3]),
    "pandas Series of dtype string": pd.Series(SMILES, dtype="string"),
    "pandas Series of categories": pd.Series(SMILES, dtype="category"),
    "pandas DataFrame": pd.DataFrame({"smiles": SMILES}, index=list("abc")),
    "polars Series": pl.Series("smiles", SMILES),
    "polars DataFrame": pl.DataFrame({"smiles": SMILES}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_column(form):
    column = as_column(FORMS[form])
    assert column.dtype == object
    assert column.shape == (3,)
    assert column.tolist() == SMILES


def test_result_is_never_the_input():
    X = np.array(SMILES, dtype=object)
    as_column(X)[0] = "changed"
    assert X.tolist() == SMILES


@pytest.mark.parametrize(
    "make", [list, tuple, lambda s: pd.Series(s, dtype=object), lambda s: pl.Series(s, dtype=pl.Object)]
)
def test_objects_stay_the_same_objects(make):
    mols = [Chem.MolFromSmiles(s) for s in SMILES]
    assert all(a is b for a, b in zip(as_column(make(mols)), mols, strict=True))


def test_structures_that_are_sequences_are_not_unpacked():
    atoms = [Atoms("H2", [[0, 0, 0], [0, 0, 1]]), Atoms("CO", [[0, 0, 0], [0, 0, 1]])]
    column = as_column(atoms)
    assert column.shape == (2,)
    assert column[1] is atoms[1]


def test_dictionaries_are_structures():
    column = as_column([{"Fe": 2, "O": 3}, {"C": 1}])
    assert column.tolist() == [{"Fe": 2, "O": 3}, {"C": 1}]


def test_missing_values_are_kept():
    assert as_column(["C", None])[1] is None
    assert as_column(pl.Series(["C", None]))[1] is None
    assert pd.isna(as_column(pd.DataFrame({"smiles": ["C", np.nan]}))[1])
    assert pd.isna(as_column(pd.Series(["C", pd.NA], dtype="string"))[1])


@pytest.mark.parametrize(
    "empty",
    [[], (), np.empty(0, object), pd.Series([], dtype=object), pd.DataFrame({"a": []}), pl.DataFrame({"a": []})],
)
def test_empty(empty):
    with pytest.raises(ValueError, match="X is empty: at least one structure is needed"):
        as_column(empty)


@pytest.mark.parametrize(
    "single", ["CCO", b"CCO", Chem.MolFromSmiles("C"), 3, None, {"C": 1}, {"C"}, (s for s in SMILES)], ids=repr
)
def test_single_structure_or_no_sequence(single):
    with pytest.raises(TypeError, match=f"got {type(single).__name__}. Wrap a single structure in a list"):
        as_column(single)


def test_several_columns_are_named():
    with pytest.raises(ValueError, match=r"DataFrame with 2 columns \('name', 'smiles'\)\. Select the column"):
        as_column(pd.DataFrame({"name": ["a"], "smiles": ["C"]}))
    with pytest.raises(ValueError, match=r"with 7 columns \('0', '1', '2', '3', '4', \.\.\.\)"):
        as_column(pl.DataFrame({str(i): ["C"] for i in range(7)}))
    with pytest.raises(ValueError, match=r"with 0 columns"):
        as_column(pd.DataFrame(index=[1, 2]))


@pytest.mark.parametrize("shape", [(3, 2), (1, 1, 3), ()])
def test_arrays_of_other_shapes(shape):
    with pytest.raises(ValueError, match="got an array of shape"):
        as_column(np.full(shape, "C", dtype=object))


def test_lazy_frame():
    with pytest.raises(TypeError, match=r"lazy frame\. Collect it first"):
        as_column(pl.LazyFrame({"a": ["C"]}))
