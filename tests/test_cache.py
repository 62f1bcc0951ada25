import os
import pickle
import random
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.testing import assert_array_equal
from rdkit import Chem
from scipy.sparse import csr_array

from sktaag.cache import RowCache, cache_folder, content_key, decode_rows, encode_rows

SMILES = ["C" * n for n in range(1, 31)]
KEYS = [content_key(s) for s in SMILES]


def compute(missing):
    # one row is longer than a page of SQLite and lies on pages of its own
    return [s.encode() * (2000 if len(s) == 7 else 1) for s in missing]


ROWS = compute(SMILES)


class Counting:
    """Compute and remember what was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, missing):
        self.asked += missing
        return compute(missing)


# ---------------------------------------------------------------- keys


def test_keys_are_the_same_in_every_process():
    code = """
from rdkit import Chem
from sktaag.cache import content_key
for value in ["CCO", Chem.MolFromSmiles("C[C@H](N)O"), b"CCO", {"Fe": 2, "O": 3}, ("a", 1.5), 3, None]:
    print(content_key(value).hex())
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    here = [content_key(v).hex() for v in ("CCO", Chem.MolFromSmiles("C[C@H](N)O"), b"CCO", {"O": 3, "Fe": 2})]
    assert outputs.pop().split()[:4] == here


def test_different_values_have_different_keys():
    values = [
        "C",
        b"C",
        "",
        b"",
        "strC",
        " C",
        "c",
        "\ud800",  # a lone surrogate cannot be read, but it can be looked up
        Chem.MolFromSmiles("C"),
        Chem.MolFromSmiles("CC"),
        Chem.MolFromSmiles("[13CH4]"),
        Chem.MolFromSmiles("C[C@H](N)O"),
        Chem.MolFromSmiles("C[C@@H](N)O"),
        ("C",),
        ["C"],
        {"C": 1},
        {"C": 1.0},
        {"C": 2},
        1,
        1.0,
        True,
        "1",
        None,
        float("nan"),
        np.array([1, 2]),
        np.array([1.0, 2.0]),
    ]
    keys = [content_key(value) for value in values]
    assert all(len(key) == 16 for key in keys)
    assert len(set(keys)) == len(keys)


def test_equal_content_has_equal_keys():
    assert content_key("CCO") == content_key(np.array(["CCO"])[0]) == content_key("".join(["C", "CO"]))
    assert content_key(Chem.MolFromSmiles("CCO")) == content_key(Chem.Mol(Chem.MolFromSmiles("CCO")))
    assert content_key({"Fe": 2, "O": 3}) == content_key({"O": 3, "Fe": 2})


def test_kind_makes_other_keys():
    assert len({content_key("C"), content_key("C", b"a"), content_key("C", b"b")}) == 3


# ---------------------------------------------------------------- folders


def test_folder_of_what_is_accepted(tmp_path):
    assert cache_folder(None) is None
    assert cache_folder(str(tmp_path)) == tmp_path
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder(joblib.Memory(tmp_path, verbose=0)) == tmp_path
    assert cache_folder(joblib.Memory(None, verbose=0)) is None


@pytest.mark.parametrize("cache", [True, 3, {"location": "x"}, ["x"], b"x"], ids=repr)
def test_folder_of_what_is_not(cache):
    with pytest.raises(TypeError, match=f"None, a path or a joblib.Memory, got {type(cache).__name__}"):
        cache_folder(cache)


# ---------------------------------------------------------------- rows to bytes and back


def matrices():
    rng = np.random.RandomState(0)
    yield "few nonzero", (rng.rand(20, 300) < 0.02).astype("float32")
    yield "all nonzero", rng.rand(20, 30) + 1
    yield "mixed", np.where(rng.rand(20, 40) < np.linspace(0, 1, 20)[:, None], rng.rand(20, 40), 0)
    yield "NaN", np.where(rng.rand(20, 300) < 0.02, np.nan, rng.rand(20, 300) < 0.01)
    yield "infinite", np.array([[np.inf, 0, -np.inf, 0, 0, 0, 0, 0, 0, 0]])
    yield "all zeros", np.zeros((3, 50))
    yield "one column", np.array([[0.0], [1.0]])
    yield "counts", rng.poisson(0.1, (20, 300))
    yield "extremes", np.array([[np.finfo("float32").max, np.finfo("float32").tiny, -1, 0]])
    yield "last column", np.eye(1, 5000, 4999)


CASES = [
    pytest.param(matrix.astype(dtype), id=f"{name}-{dtype}")
    for name, matrix in matrices()
    for dtype in ("uint8", "uint16", "uint32", "float32", "float64")
    if not (dtype.startswith("u") and name in ("NaN", "infinite", "extremes"))
]


@pytest.mark.parametrize("sparse_out", [False, True])
@pytest.mark.parametrize("sparse_in", [False, True])
@pytest.mark.parametrize("matrix", CASES)
def test_round_trip(matrix, sparse_in, sparse_out):
    rows = encode_rows(csr_array(matrix) if sparse_in else matrix)
    assert all(isinstance(row, bytes) for row in rows)
    decoded = decode_rows(rows, matrix.shape[1], matrix.dtype, sparse_out)
    assert isinstance(decoded, csr_array if sparse_out else np.ndarray)
    assert decoded.dtype == matrix.dtype
    assert_array_equal(decoded.toarray() if sparse_out else decoded, matrix)


@pytest.mark.parametrize("sparse", [False, True])
def test_no_row_is_a_row_of_zeros(sparse):
    rows = encode_rows(np.ones((2, 3), "float32"))
    decoded = decode_rows([None, rows[0], None], 3, np.dtype("float32"), sparse)
    assert_array_equal(decoded.toarray() if sparse else decoded, [[0, 0, 0], [1, 1, 1], [0, 0, 0]])


def test_bytes_of_dense_and_sparse_input_are_the_same():
    matrix = (np.random.RandomState(0).rand(5, 100) < 0.05).astype("float32")
    assert encode_rows(matrix) == encode_rows(csr_array(matrix))


def test_a_sparse_row_is_short():
    assert len(encode_rows(np.eye(1, 2048, dtype="float32"))[0]) == 1 + 4 + 4
    assert len(encode_rows(np.ones((1, 2048), "uint8"))[0]) == 1 + 2048


# ---------------------------------------------------------------- the cache itself


def test_only_what_is_missing_is_computed(tmp_path):
    counting = Counting()
    cache = RowCache(tmp_path / "new" / "folder", "name")
    assert cache.rows(KEYS[:3], SMILES[:3], counting) == ROWS[:3]
    assert counting.asked == SMILES[:3]
    assert cache.rows(KEYS[:5], SMILES[:5], counting) == ROWS[:5]
    assert counting.asked == SMILES[:5]
    assert RowCache(tmp_path / "new" / "folder", "name").rows(KEYS[4::-1], SMILES[4::-1], counting) == ROWS[4::-1]
    assert counting.asked == SMILES[:5]


def test_repeated_values_are_computed_once(tmp_path):
    counting = Counting()
    assert RowCache(tmp_path, "n").rows(KEYS[:2] * 3, SMILES[:2] * 3, counting) == ROWS[:2] * 3
    assert counting.asked == SMILES[:2]


def test_another_name_is_another_cache(tmp_path):
    RowCache(tmp_path, "a").rows(KEYS, SMILES, compute)
    assert RowCache(tmp_path, "b").rows(KEYS[:1], SMILES[:1], lambda missing: [b"b"]) == [b"b"]
    assert RowCache(tmp_path, "a").rows(KEYS[:1], SMILES[:1], compute) == ROWS[:1]


def test_more_rows_than_one_statement_takes(tmp_path):
    values = [f"C{i}" for i in range(2500)]
    keys = [content_key(v) for v in values]
    rows = RowCache(tmp_path, "n").rows(keys, values, compute)
    counting = Counting()
    assert RowCache(tmp_path, "n").rows(keys, values, counting) == rows
    assert not counting.asked


def test_values_without_a_row_are_not_kept(tmp_path):
    cache = RowCache(tmp_path, "n")
    for _ in range(2):
        asked = []

        def one_bad(missing, asked=asked):
            asked += missing
            return [None if s == "CC" else s.encode() for s in missing]

        assert cache.rows(KEYS[:3], SMILES[:3], one_bad) == [b"C", None, b"CCC"]
    assert asked == ["CC"]


def test_an_error_while_computing_leaves_the_cache_usable(tmp_path):
    cache = RowCache(tmp_path, "n")
    cache.rows(KEYS[:2], SMILES[:2], compute)

    for error in (ZeroDivisionError("oops"), KeyboardInterrupt(), sqlite3.OperationalError("of the user")):

        def fails(missing, error=error):
            raise error

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(type(error)):
                cache.rows(KEYS, SMILES, fails)
    counting = Counting()
    assert cache.rows(KEYS, SMILES, counting) == ROWS
    assert counting.asked == SMILES[2:]


def test_wrong_number_of_rows_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        RowCache(tmp_path, "n").rows(KEYS, SMILES, lambda missing: [b"one"])
    assert RowCache(tmp_path, "n").rows(KEYS, SMILES, compute) == ROWS


def test_nothing_but_the_file_is_left(tmp_path):
    cache = RowCache(tmp_path, "n")
    cache.rows(KEYS, SMILES, compute)
    assert os.listdir(tmp_path) == ["n.rows.sqlite"]


# ---------------------------------------------------------------- damage


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    cache = RowCache(tmp_path_factory.mktemp("intact"), "n")
    cache.rows(KEYS, SMILES, compute)
    return cache.path.read_bytes()


def look_up_damaged(folder, content):
    """Return the rows that are served from a damaged file."""
    for path in folder.iterdir():
        path.unlink()
    cache = RowCache(folder, "n")
    cache.path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        first, second = (cache.rows(KEYS, SMILES, compute) for _ in range(2))
    counting = Counting()
    assert cache.rows(KEYS, SMILES, counting) == ROWS
    assert not counting.asked  # usable again
    assert first == second
    return first


def test_torn_file(tmp_path, intact):
    for size in [*range(0, 110, 7), *range(110, len(intact), 499), len(intact) - 1]:
        assert look_up_damaged(tmp_path, intact[:size]) == ROWS, size


def test_flipped_bits(tmp_path, intact):
    rng = random.Random(0)
    used = [i for i, byte in enumerate(intact) if byte]  # elsewhere is nothing to damage
    for _ in range(200):
        damaged = bytearray(intact)
        place = rng.choice(used)
        damaged[place] ^= 1 << rng.randrange(8)
        assert look_up_damaged(tmp_path, bytes(damaged)) == ROWS, place


def test_pages_of_zeros(tmp_path, intact):
    for start in range(0, len(intact), 4096):
        damaged = intact[:start] + bytes(4096) + intact[start + 4096 :]
        assert look_up_damaged(tmp_path, damaged) == ROWS, start


def test_a_flipped_bit_in_a_row_is_a_miss_of_that_row(tmp_path):
    cache = RowCache(tmp_path, "n")
    cache.rows(KEYS, SMILES, compute)
    with sqlite3.connect(cache.path) as db:
        db.execute("UPDATE rows SET row = ? WHERE key = ?", (b"CCCX", KEYS[3]))
    db.close()
    counting = Counting()
    assert cache.rows(KEYS, SMILES, counting) == ROWS
    assert counting.asked == [SMILES[3]]
    assert cache.rows(KEYS, SMILES, counting) == ROWS
    assert counting.asked == [SMILES[3]]  # repaired


@pytest.mark.parametrize("row", [None, "text", 3, 2.5])
def test_a_row_of_another_type_is_a_miss(tmp_path, row):
    cache = RowCache(tmp_path, "n")
    cache.rows(KEYS, SMILES, compute)
    with sqlite3.connect(cache.path) as db:
        db.execute("UPDATE rows SET row = ? WHERE key = ?", (row, KEYS[3]))
    db.close()
    counting = Counting()
    assert cache.rows(KEYS, SMILES, counting) == ROWS
    assert counting.asked == [SMILES[3]]


def make_text(path):
    path.write_text("my notes\n" * 1000)


def make_other_database(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE rows (something TEXT)")
    db.close()


@pytest.mark.parametrize("make", [make_text, make_other_database])
def test_foreign_file_is_set_aside_and_not_deleted(tmp_path, make):
    cache = RowCache(tmp_path, "n")
    contents = []
    for times in range(3):  # each one is kept, not only the last
        cache.path.unlink(missing_ok=True)
        make(cache.path)
        contents.append(cache.path.read_bytes())
        with pytest.warns(
            UserWarning, match=r"n\.rows\.sqlite cannot be read .* it is now n\.rows\.unreadable_*"
        ) as told:
            assert cache.rows(KEYS, SMILES, compute) == ROWS
        assert len(told) == 1
        assert told[0].filename == __file__
        assert len(list(tmp_path.glob("n.rows.unreadable*"))) == times + 1
        counting = Counting()
        assert cache.rows(KEYS, SMILES, counting) == ROWS
        assert counting.asked == SMILES  # the new cache begins
        counting = Counting()
        assert cache.rows(KEYS, SMILES, counting) == ROWS
        assert not counting.asked
    assert sorted(p.read_bytes() for p in tmp_path.glob("n.rows.unreadable*")) == sorted(contents)


def test_a_file_that_cannot_be_opened_is_left_alone(tmp_path):
    cache = RowCache(tmp_path, "n")
    cache.path.mkdir()
    (cache.path / "thesis").touch()
    with pytest.warns(UserWarning, match=r"cannot be used now \(unable to open database file\); rows are computed"):
        assert cache.rows(KEYS, SMILES, compute) == ROWS
    assert (cache.path / "thesis").exists()


def test_a_locked_file_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("sktaag.cache._PATIENCE", 0.1)
    cache = RowCache(tmp_path, "n")
    cache.rows(KEYS[:5], SMILES[:5], compute)
    other = sqlite3.connect(cache.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    counting = Counting()
    with pytest.warns(UserWarning, match="database is locked"):
        assert cache.rows(KEYS, SMILES, counting) == ROWS
    assert counting.asked == SMILES[5:]  # reading does not wait for the writer
    other.execute("ROLLBACK")
    other.close()
    counting = Counting()
    assert cache.rows(KEYS[:5], SMILES[:5], counting) == ROWS[:5]
    assert not counting.asked


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises((FileExistsError, NotADirectoryError)):
        RowCache(tmp_path / "file", "n").rows(KEYS, SMILES, compute)


# ---------------------------------------------------------------- several processes


def python(code, *arguments):
    code = "import os, sys, time\nfrom sktaag.cache import RowCache, content_key\n" + code
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_killed_writer_leaves_no_half_of_the_rows(tmp_path):
    cache = RowCache(tmp_path, "n")
    cache.rows(KEYS[:2], SMILES[:2], compute)
    killed = python(
        """
values = ["C" * n for n in range(1, 31)]
def die(missing):
    assert len(missing) == 28
    os._exit(9)
RowCache(sys.argv[1], "n").rows([content_key(v) for v in values], values, die)
""",
        tmp_path,
    )
    assert killed.wait() == 9
    killed.stdout.close()
    counting = Counting()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.rows(KEYS, SMILES, counting) == ROWS
    assert counting.asked == SMILES[2:]


def test_two_processes_compute_each_row_once(tmp_path):
    code = """
values = ["C" * n for n in range(1, 31)][int(sys.argv[2]) : int(sys.argv[3])]
def compute(missing):
    open(sys.argv[1] + "/computing-" + sys.argv[2], "x").close()
    time.sleep(1)
    print(*map(len, missing), flush=True)
    return [v.encode() for v in missing]
rows = RowCache(sys.argv[1], "n").rows([content_key(v) for v in values], values, compute)
assert rows == [v.encode() for v in values]
"""
    first = python(code, tmp_path, 0, 20)
    while not list(tmp_path.glob("computing-*")) and first.poll() is None:
        time.sleep(0.01)
    second = python(code, tmp_path, 10, 30)
    outputs = [process.communicate()[0].split() for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert outputs == [[str(n) for n in range(1, 21)], [str(n) for n in range(21, 31)]]


def test_many_threads_start_at_once(tmp_path):
    for attempt in range(10):
        counting, results = Counting(), []
        barrier = threading.Barrier(8)

        def look_up(attempt=attempt, barrier=barrier, counting=counting, results=results):
            barrier.wait()
            results.append(RowCache(tmp_path, f"n{attempt}").rows(KEYS, SMILES, counting))

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            threads = [threading.Thread(target=look_up) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert results == [ROWS] * 8
        assert not told
        assert counting.asked == SMILES


def test_pandas_values_are_content(tmp_path):
    assert content_key(pd.Timestamp("2020-01-01")) == content_key(pd.Timestamp("2020-01-01"))
    assert Path(RowCache(str(tmp_path), "n").path).parent == tmp_path


def test_key_of_atoms():
    atoms = molecule("H2O")
    others = [molecule("H2O") for _ in range(7)]
    others[0].positions[0, 0] += 1e-9
    others[1].numbers[0] = 16
    others[2].cell = [9, 9, 9]
    others[3].pbc = True
    others[4].set_tags(1)
    others[5].calc = SinglePointCalculator(others[5], energy=-1.0)
    others[6].calc = SinglePointCalculator(others[6], energy=-2.0)
    keys = {content_key(other) for other in [atoms, *others]}
    assert len(keys) == 8
    assert content_key(atoms.copy()) == content_key(pickle.loads(pickle.dumps(atoms))) == content_key(atoms)
    atoms.info["name"] = "water"
    assert content_key(atoms) in keys
    # results of other positions are not results of these
    moved = others[5].copy()
    moved.calc = others[5].calc
    assert content_key(moved) == content_key(others[5])
    moved.positions += 0.1
    fresh = moved.copy()
    fresh.calc = SinglePointCalculator(fresh, energy=-1.0)
    assert content_key(moved) != content_key(fresh)
    # a calculator that points back at the atoms it belongs to
    moved.calc.atoms = moved
    assert content_key(moved) == content_key(fresh)
