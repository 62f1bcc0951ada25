import numpy as np
import pytest

from sktaag.cli._table import TableError, read_table, split_unit


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode(encoding))
    return read_table(path)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_encodings(tmp_path, separator, encoding, end):
    lines = ["name,SMILES code ,Tg (°C)", "Äthanol, CCO,-97.5", "hexane,CCCCCC,3"]
    found = table(tmp_path, end.join(lines).replace(",", separator), encoding)
    assert found.header == ["name", "SMILES code", "Tg (°C)"]
    assert found.cells == [["Äthanol", "CCO", "-97.5"], ["hexane", "CCCCCC", "3"]]
    assert (found.lines, found.separator) == ([2, 3], separator)
    assert found.numbers(2).tolist() == [-97.5, 3]
    assert found.notes == (["not UTF-8; read as Windows-1252"] if encoding == "cp1252" else [])


def test_lines_are_those_of_the_file(tmp_path):
    found = table(tmp_path, '\n\nsmiles,note\nCCO,"two\nlines"\n,\n\nCC,"a, b"\n  ,  \nC\n')
    assert found.cells == [["CCO", "two\nlines"], ["CC", "a, b"], ["C", ""]]
    assert found.lines == [4, 8, 10]
    assert found.notes == ["3 empty rows left out (line 6, 7, 9)"]
    assert found.where([0, 2]) == "lines 4, 10"


@pytest.mark.parametrize("text", ["", "\n\n", ",,\n"])
def test_empty_files(tmp_path, text):
    with pytest.raises(TableError, match=r"data\.csv is empty\. A header and at least one row"):
        table(tmp_path, text)


def test_header_alone(tmp_path):
    with pytest.raises(TableError, match="has a header and no rows"):
        table(tmp_path, "smiles,Tg\n")


def test_decimal_comma_that_splits_a_cell(tmp_path):
    with pytest.raises(TableError, match=r"data\.csv, line 3: 3 cells, the header has 2\. If a cell holds ','"):
        table(tmp_path, "smiles,Tg\nCC,3\nCCO,97,5\n")


@pytest.mark.parametrize(
    ("name", "place"), [("Tg (K)", 1), ("tg", 1), ("TG [C]", 1), ("smiles", 0), ("Tm", 2), ("Eg", 3)]
)
def test_columns_are_found(tmp_path, name, place):
    assert table(tmp_path, "SMILES,Tg (K),Tm [K],Eg / eV\nC,1,2,3\n").find(name) == place


def test_columns_that_are_not_found(tmp_path):
    found = table(tmp_path, "SMILES code,Tg (K),Tg (C)\nC,1,2\n")
    with pytest.raises(TableError, match=r"has no column 'smiles', but 'SMILES code', .* mean 'SMILES code'\?"):
        found.find("smiles")
    with pytest.raises(TableError, match=r"has no column 'density', but 'SMILES code', 'Tg \(K\)', 'Tg \(C\)'\.$"):
        found.find("density")
    with pytest.raises(TableError, match="2 columns match 'Tg'"):
        found.find("Tg")


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1", "-2.5", "1e-3"], [1, -2.5, 0.001]),
        (["1,5", "2", "\u22123,25"], [1.5, 2, -3.25]),
        (["1.234,5", "2,5"], [1234.5, 2.5]),
        (["1\u00a0234,5", "2"], [1234.5, 2]),
        (["n/a", "", "3"], [np.nan, np.nan, 3]),
    ],
)
def test_numbers(tmp_path, texts, numbers):
    found = table(tmp_path, "\n".join(["smiles;Tg", *(f"C;{text}" for text in texts)]))
    np.testing.assert_array_equal(found.numbers(1), numbers)
    assert found.notes == (["column 'Tg': commas are decimal marks"] if any("," in text for text in texts) else [])


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["1", "350 K"], r"line 3, column 'Tg', '350 K': not a number\nWrite a number, with the unit in the header"),
        (["<5", "inf"], r"line 2, column 'Tg', '<5': not a number\n  line 3, column 'Tg', 'inf': not a number"),
        (["1.5", "2,5"], r"line 3, column 'Tg', '2,5': a comma here, a point in other rows\nWrite all numbers in one"),
        (["1,234.5"], r"line 2, column 'Tg', '1,234\.5': not clear which mark is the decimal one"),
    ],
)
def test_texts_that_are_no_numbers(tmp_path, texts, reason):
    found = table(tmp_path, "\n".join(["smiles;Tg", *(f"C;{text}" for text in texts)]))
    with pytest.raises(TableError, match=rf"data\.csv:\n  {reason}"):
        found.numbers(1)


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        ("Tg (K)", ("Tg", "K")),
        ("Tg[K]", ("Tg", "K")),
        ("Eg / eV", ("Eg", "eV")),
        ("n", ("n", None)),
        ("log(P)", ("log", "P")),
        ("n ()", ("n", None)),
    ],
)
def test_units(title, parts):
    assert split_unit(title) == parts
