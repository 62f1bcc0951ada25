"""CSV files as people hand them around: read with their line numbers, so that messages can name them."""

import csv
import difflib
import io
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_SEPARATORS = ",;\t|"
MISSING = {"", "-", "n/a", "na", "nan", "none", "null", "?"}
_UNIT = re.compile(r"^(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\]|\s/\s(?P<slash>\S+))$")
_SHOWN = 20  # lines listed in a message


class TableError(ValueError):
    """Something in a file that its owner must mend or decide. Its text is for them."""


@dataclass
class Table:
    """The rows of a file that are not empty.

    Parameters
    ----------
    path : path
    header : list of str
    cells : list of list of str
        One list for each row, as long as the header, without blanks around the texts.
    lines : list of int
        Where each row begins in the file; the first line is 1.
    separator : str
    notes : list of str
        What was noticed and not taken as it stood.
    """

    path: Path
    header: list[str]
    cells: list[list[str]]
    lines: list[int]
    separator: str
    notes: list[str] = field(default_factory=list)

    def find(self, name):
        """Return the place of a column; letter case and the unit behind its name may be left out."""
        tests = (
            lambda title: title == name,
            lambda title: title.lower() == name.lower(),
            lambda title: split_unit(title)[0].lower() == split_unit(name)[0].lower(),
        )
        for test in tests:
            found = [i for i, title in enumerate(self.header) if test(title)]
            if len(found) > 1:
                raise TableError(f"{self.path}: {len(found)} columns match {name!r}. Give them different names.")
            if found:
                return found[0]
        titles = {title.lower(): title for title in self.header}
        close = [titles[title] for title in difflib.get_close_matches(name.lower(), titles, 1)]
        close += [title for title in self.header if name.lower() in title.lower()]
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise TableError(f"{self.path} has no column {name!r}, but {', '.join(map(repr, self.header))}.{hint}")

    def texts(self, column):
        """Texts of a column, by its place."""
        return [row[column] for row in self.cells]

    def numbers(self, column):
        """Numbers of a column, NaN where there is none; decimal commas are understood.

        Returns
        -------
        numbers : ndarray of shape (n_rows,)

        Raises
        ------
        TableError
            If texts are no numbers, or a comma may mean two things; all are named.
        """
        texts = [_plain(text) for text in self.texts(column)]
        commas = any("," in text for text in texts)
        if commas and any("." in text and "," not in text for text in texts):
            both = [i for i, text in enumerate(texts) if "," in text]
            self._refuse(column, both, "a comma here, a point in other rows", "Write all numbers in one way.")
        if commas:
            grouped = [i for i, text in enumerate(texts) if text.count(",") > 1 or text.rfind(".") > text.find(",") > 0]
            self._refuse(column, grouped, "not clear which mark is the decimal one", "Write numbers without groups.")
            texts = [text.replace(".", "").replace(",", ".") for text in texts]
            self.notes.append(f"column {self.header[column]!r}: commas are decimal marks")
        numbers = np.array([_number(text) for text in texts], dtype=object)
        bad = [i for i, number in enumerate(numbers) if number is None]
        self._refuse(
            column, bad, "not a number", "Write a number, with the unit in the header, or leave the cell empty."
        )
        return numbers.astype(float)

    def where(self, rows):
        """Name the lines of some rows."""
        lines = [str(self.lines[row]) for row in rows]
        shown = ", ".join(lines[:_SHOWN]) + (f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else "")
        return f"line{'s' * (len(lines) > 1)} {shown}"

    def listing(self, column, rows):
        """List rows of a column with the reason of each, as lines of a message.

        Parameters
        ----------
        column : int
        rows : list of (int, str)
        """
        texts = [
            f"  line {self.lines[row]}, column {self.header[column]!r}, {self.cells[row][column]!r}: {reason}"
            for row, reason in rows[:_SHOWN]
        ]
        return "\n".join(texts + ([f"  and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []))

    def _refuse(self, column, rows, reason, way_out):
        if rows:
            raise TableError(f"{self.path}:\n{self.listing(column, [(row, reason) for row in rows])}\n{way_out}")


def read_table(path):
    """Read a CSV file: comma, semicolon, tab or bar between the cells; UTF-8, UTF-16 or Windows letters.

    Parameters
    ----------
    path : path

    Returns
    -------
    table : Table

    Raises
    ------
    TableError
        If there is no header, no row, or a row has more cells than the header.
    """
    path, notes = Path(path), []
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        notes.append("not UTF-8; read as Windows-1252")
    first = next((line for line in text.splitlines() if line.strip(_SEPARATORS + " \t")), None)
    if first is None:
        raise TableError(f"{path} is empty. A header and at least one row are needed.")
    separator = max(_SEPARATORS, key=first.count)
    header, cells, lines, empty = None, [], [], []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    start = 1
    for row in reader:
        row, line, start = [cell.strip() for cell in row], start, reader.line_num + 1
        if not any(row):
            if header is not None:
                empty.append(line)
        elif header is None:
            header = row
        else:
            if any(row[len(header) :]):
                raise TableError(
                    f"{path}, line {line}: {len(row)} cells, the header has {len(header)}. If a cell holds "
                    f"{separator!r} itself, such as a decimal comma, quote it, or separate the cells by another sign."
                )
            cells.append([*row[: len(header)], *[""] * (len(header) - len(row))])
            lines.append(line)
    if not cells:
        raise TableError(f"{path} has a header and no rows.")
    if empty:
        shown = ", ".join(map(str, empty[:_SHOWN])) + (" ..." if len(empty) > _SHOWN else "")
        notes.append(f"{len(empty)} empty row{'s' * (len(empty) > 1)} left out (line {shown})")
    return Table(path, header, cells, lines, separator, notes)


def split_unit(title):
    """Split "Tg (K)", "Tg [K]" or "Tg / K" into name and unit; the unit is None if there is none."""
    match = _UNIT.match(title)
    if match is None:
        return title, None
    return match["name"].strip(), (match["round"] or match["square"] or match["slash"] or "").strip() or None


def _plain(text):
    return re.sub(r"\s", "", text).replace("\u2212", "-")


def _number(text):
    """Return a number, NaN for a text that says there is none, None for any other text."""
    if text.lower() in MISSING:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
