"""One policy for structures that cannot be read: name them all, drop none."""

import reprlib
import warnings

_SHOWN = 20  # rows listed in a message; the error object holds all

_value_repr = reprlib.Repr()
_value_repr.maxstring = _value_repr.maxother = 60


class InvalidStructureError(ValueError):
    """A structure that cannot be read. Its text is the reason, without the structure."""


class InvalidRowsError(ValueError):
    """Rows of X that hold no valid structure.

    Attributes
    ----------
    rows : list of (int, object, str)
        Row number from zero, value and reason of every invalid row.
    """

    def __init__(self, rows, n_rows):
        self.rows = rows
        self.n_rows = n_rows
        super().__init__(rows, n_rows)

    def __str__(self):
        return (
            f"{_count(self.rows, self.n_rows)}:\n{_listing(self.rows)}\n"
            'Correct or drop these rows, or set on_invalid="nan" to get rows of NaN in their place.'
        )


class InvalidRowsWarning(UserWarning):
    """Some rows of X hold no valid structure and became rows of NaN.

    Attributes
    ----------
    rows : list of (int, object, str)
        Row number from zero, value and reason of every invalid row.
    """

    def __init__(self, rows, n_rows):
        self.rows = rows
        self.n_rows = n_rows
        super().__init__(rows, n_rows)

    def __str__(self):
        return f"{_count(self.rows, self.n_rows)} and became rows of NaN:\n{_listing(self.rows)}"


def check_on_invalid(on_invalid):
    """Refuse a policy that does not exist.

    Parameters
    ----------
    on_invalid : {"raise", "nan"}
        What the user asked for.

    Raises
    ------
    ValueError
        If `on_invalid` is neither "raise" nor "nan".

    Examples
    --------
    >>> check_on_invalid("drop")
    Traceback (most recent call last):
    ValueError: on_invalid must be "raise" or "nan", got 'drop'.
    """
    if on_invalid not in ("raise", "nan"):
        raise ValueError(f'on_invalid must be "raise" or "nan", got {on_invalid!r}.')


def handle_invalid(rows, n_rows, on_invalid):
    """Raise or warn about the invalid rows of a column, all in one message.

    Parameters
    ----------
    rows : list of (int, object, str)
        Row number, value and reason of every invalid row.
    n_rows : int
        Length of the column.
    on_invalid : {"raise", "nan"}
        What the user asked for.

    Raises
    ------
    InvalidRowsError
        If there are invalid rows and `on_invalid` is "raise".

    Warns
    -----
    InvalidRowsWarning
        If there are invalid rows and `on_invalid` is "nan".

    Examples
    --------
    >>> handle_invalid([(1, "C1CC", "has an open ring")], 5, "raise")
    Traceback (most recent call last):
    sktaag.structures._invalid.InvalidRowsError: 1 of 5 structures is invalid:
      row 1: 'C1CC': has an open ring
    Correct or drop these rows, or set on_invalid="nan" to get rows of NaN in their place.
    """
    if not rows:
        return
    if on_invalid == "raise":
        raise InvalidRowsError(rows, n_rows)
    warnings.warn(InvalidRowsWarning(rows, n_rows), stacklevel=3)


def _count(rows, n_rows):
    return f"{len(rows)} of {n_rows} structures {'is' if len(rows) == 1 else 'are'} invalid"


def _listing(rows):
    lines = [f"  row {row}: {_value_repr.repr(value)}: {reason}" for row, value, reason in rows[:_SHOWN]]
    if len(rows) > _SHOWN:
        lines.append(f"  and {len(rows) - _SHOWN} more, all of them in the attribute `rows`")
    return "\n".join(lines)
