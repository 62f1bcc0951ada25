import pickle
import re
import warnings

import pytest

from sktaag.structures import InvalidRowsError, InvalidRowsWarning, check_on_invalid, handle_invalid

ROWS = [(1, "C1CC", "has an open ring"), (4, None, "is missing")]


def test_nothing_to_say():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        handle_invalid([], 5, "raise")
        handle_invalid([], 5, "nan")


def test_one_message_for_all_rows():
    with pytest.raises(InvalidRowsError) as caught:
        handle_invalid(ROWS, 6, "raise")
    assert str(caught.value) == (
        "2 of 6 structures are invalid:\n"
        "  row 1: 'C1CC': has an open ring\n"
        "  row 4: None: is missing\n"
        'Correct or drop these rows, or set on_invalid="nan" to get rows of NaN in their place.'
    )
    assert isinstance(caught.value, ValueError)
    assert caught.value.rows == ROWS


def test_one_row_is_singular():
    with pytest.raises(InvalidRowsError, match=r"^1 of 6 structures is invalid:"):
        handle_invalid(ROWS[:1], 6, "raise")


def test_one_warning_for_all_rows():
    with pytest.warns(InvalidRowsWarning) as caught:
        handle_invalid(ROWS, 6, "nan")
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith("2 of 6 structures are invalid and became rows of NaN:\n  row 1: 'C1CC': has an open ring\n")
    assert caught[0].message.rows == ROWS


@pytest.mark.parametrize("n", [20, 21, 500])
def test_long_lists_are_cut_but_kept(n):
    rows = [(2 * i, f"x{i}", "is nonsense") for i in range(n)]
    error = InvalidRowsError(rows, 2 * n)
    shown = re.findall(r"row (\d+): '(x\d+)': is nonsense", str(error))
    assert [int(row) for row, _ in shown] == [row for row, _, _ in rows[:20]]
    assert (f"and {n - 20} more, all of them in the attribute `rows`" in str(error)) == (n > 20)
    assert str(error).startswith(f"{n} of {2 * n} structures are invalid")
    assert len(error.rows) == n


def test_long_values_are_cut():
    error = InvalidRowsError([(0, "C" * 10_000 + "X", "is nonsense")], 1)
    assert len(str(error)) < 300
    assert "CCCX'" in str(error)


@pytest.mark.parametrize("kind", [InvalidRowsError, InvalidRowsWarning])
def test_survives_processes(kind):
    original = kind(ROWS, 6)
    copy = pickle.loads(pickle.dumps(original))
    assert (copy.rows, copy.n_rows, str(copy)) == (original.rows, original.n_rows, str(original))


@pytest.mark.parametrize("policy", ["raise", "nan"])
def test_policies(policy):
    check_on_invalid(policy)


@pytest.mark.parametrize("policy", ["drop", "ignore", None, True, float("nan")])
def test_no_other_policy(policy):
    with pytest.raises(ValueError, match=f'must be "raise" or "nan", got {re.escape(repr(policy))}'):
        check_on_invalid(policy)
