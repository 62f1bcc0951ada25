"""Quantities or classes: what the command line takes a column for."""

import numpy as np
import pytest

from sktaag.cli._table import TableError, read_table
from sktaag.cli._target import check_classes, middle, read_target


@pytest.fixture
def column(tmp_path):
    def read(cells, task=None):
        path = tmp_path / "data.csv"
        path.write_text("smiles;value\n" + "".join(f"C;{cell}\n" for cell in cells))
        return read_target(read_table(path), 1, task)

    return read


def test_texts_are_classes(column):
    values, is_class = column(["active", "inactive", "", "n/a", "active"])
    assert is_class
    assert values.tolist() == ["active", "inactive", None, None, "active"]


def test_numbers_are_quantities(column):
    values, is_class = column(["1,5", "", "3"])
    assert not is_class
    np.testing.assert_array_equal(values, [1.5, np.nan, 3])


@pytest.mark.parametrize("cells", [["350 K", "370 K"], ["> 3", "~4"], [".5x", "-7 C"]])
def test_numbers_with_something_are_no_classes(column, cells):
    with pytest.raises(TableError, match=r"not a number[^$]*If the column holds classes, pass --task classification"):
        column(cells)
    assert column(cells, "classification")[0].tolist() == cells


def test_said_quantities_must_be_numbers(column):
    with pytest.raises(TableError, match="not a number") as caught:
        column(["active", "1"], "regression")
    assert "--task" not in str(caught.value)


@pytest.mark.parametrize("found", [["0", "1"], ["1.0", "2.0", "3.0"]])
def test_numbers_that_look_like_classes(column, found):
    cells = found * 5
    with pytest.raises(TableError, match=r"the numbers (0, 1|1, 2, 3), which look like classes. Pass --task class"):
        column(cells)
    assert not column(cells, "regression")[1]
    values, is_class = column([*cells, ""], "classification")
    assert is_class
    assert set(values[:-1]) == {f"{float(name):g}" for name in found}
    assert values[-1] is None


@pytest.mark.parametrize("cells", [["0.5", "1"] * 9, ["3"] * 9, ["1", "2", "3"] * 2, [str(i) for i in range(30)]])
def test_numbers_that_do_not(column, cells):
    assert not column(cells)[1]


def test_one_class_written_in_two_ways(column):
    with pytest.raises(TableError, match="the classes 'Yes', 'yes' differ in letter case only"):
        column(["yes", "no", "Yes"])


def test_classes_must_fill_the_folds():
    check_classes("data.csv", np.array(["a", "b"] * 3), 3)
    with pytest.raises(TableError, match=r"data.csv leaves one class only, 'a' \(4 rows\). At least two are needed."):
        check_classes("data.csv", np.array(["a"] * 4), 3)
    with pytest.raises(TableError, match=r"fewer rows than the 3 folds: 'b' \(2\), 'c' \(1\). Add rows, join or leave"):
        check_classes("data.csv", np.array(["a"] * 4 + ["b"] * 2 + ["c"]), 3)


def test_middle():
    assert middle(np.array([1.0, 2.0, 9.0])) == 2
    assert middle(np.array(["b", "a", "b"], dtype=object)) == "b"
    assert middle(np.array(["b", "a", "b", "a"], dtype=object)) is None
