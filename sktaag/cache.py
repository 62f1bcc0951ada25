"""Rows that are computed once: a cache keyed by content, shared by clones, processes and sessions.

One SQLite file for each kind of row (transformer class and those of its parameters that change its rows). Values are
plain bytes, each with its own checksum: reading a cache never runs code, and a damaged value is a miss.
"""

import sqlite3
import warnings
import zlib
from contextlib import closing, suppress
from hashlib import blake2b
from pathlib import Path

import joblib
import numpy as np
from rdkit import Chem
from scipy.sparse import csr_array

_CHUNK = 500  # values looked up in one statement; SQLite takes at most 999 variables in old versions
_PATIENCE = 86400  # seconds that a process waits for another one that computes
_SQL_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter if SQLite quotes damaged text in its message
_NOT_THE_FILES_FAULT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
}


def content_key(value, kind=b""):
    """Digest of what a structure is, equal in every process.

    Parameters
    ----------
    value : str, rdkit.Chem.Mol, bytes, ase.Atoms or any object that pickles the same way each time
        The structure. Of ase.Atoms, the arrays, the cell and what a calculator has found count, `info` does not.
    kind : bytes, default=b""
        Mixed into the key.

    Returns
    -------
    key : bytes of length 16
    """
    if isinstance(value, str):
        content = b"str" + value.encode(errors="surrogatepass")
    elif isinstance(value, Chem.Mol):
        content = b"mol" + value.ToBinary()
    elif isinstance(value, bytes):
        content = b"raw" + value
    elif hasattr(value, "get_chemical_symbols"):  # ase.Atoms, whose pickle takes longer than a neighbour list
        content = b"ase" + _content_of_atoms(value)
    else:
        content = b"any" + joblib.hash(value).encode()
    return blake2b(kind + content, digest_size=16).digest()


def _content_of_atoms(atoms):
    results = getattr(atoms.calc, "results", None) or {}
    arrays = {"cell": atoms.cell, "pbc": atoms.pbc} | atoms.arrays | {f"result {k}": v for k, v in results.items()}
    parts = []
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        content = joblib.hash(arrays[name]).encode() if array.dtype.hasobject else array.tobytes()
        parts += [repr((name, array.dtype.str, array.shape)).encode(), content]
    theirs = getattr(atoms.calc, "atoms", None) if results else None
    if theirs is not None:  # the results may be those of other positions
        parts += [b"results of", _content_of_atoms(theirs if theirs.calc is None else theirs.copy())]
    return b"".join(parts)


def cache_folder(cache):
    """Turn the `cache` parameter of a transformer into a folder.

    Parameters
    ----------
    cache : None, str, path or joblib.Memory
        A `Memory` stands for its location.

    Returns
    -------
    folder : pathlib.Path or None

    Raises
    ------
    TypeError
        If `cache` is something else.
    """
    cache = getattr(cache, "location", cache)
    if cache is None:
        return None
    if not isinstance(cache, (str, Path)):
        raise TypeError(f"cache must be None, a path or a joblib.Memory, got {type(cache).__name__}.")
    return Path(cache)


def encode_rows(features):
    """Turn each row into bytes: nonzero entries with their column numbers, or all entries if that is shorter.

    Parameters
    ----------
    features : ndarray or csr_array of shape (n, n_columns)

    Returns
    -------
    rows : list of bytes
    """
    rows, itemsize = [], features.dtype.itemsize
    for i in range(features.shape[0]):
        if isinstance(features, np.ndarray):
            columns = np.flatnonzero(features[i])
            values = features[i, columns]
        else:
            entries = slice(features.indptr[i], features.indptr[i + 1])
            columns, values = features.indices[entries], features.data[entries]
        if len(columns) * (4 + itemsize) < features.shape[1] * itemsize:
            rows.append(b"s" + columns.astype(np.int32).tobytes() + values.tobytes())
        else:
            full = np.zeros(features.shape[1], features.dtype)
            full[columns] = values
            rows.append(b"d" + full.tobytes())
    return rows


def decode_rows(rows, n_columns, dtype, sparse=False):
    """Undo `encode_rows`.

    Parameters
    ----------
    rows : list of bytes or None
        None stands for a row of zeros.
    n_columns : int
        Width of the result.
    dtype : numpy.dtype
        Type of the entries.
    sparse : bool, default=False
        Return a csr_array.

    Returns
    -------
    features : ndarray or csr_array of shape (len(rows), n_columns)
    """
    dense = None if sparse else np.zeros((len(rows), n_columns), dtype)
    parts = []
    for i, row in enumerate(rows):
        if row is None:
            columns, values = np.empty(0, np.int32), np.empty(0, dtype)
        elif row[:1] == b"d":
            columns, values = np.arange(n_columns, dtype=np.int32), np.frombuffer(row, dtype, offset=1)
        else:
            count = (len(row) - 1) // (4 + dtype.itemsize)
            columns = np.frombuffer(row, np.int32, count, offset=1)
            values = np.frombuffer(row, dtype, count, offset=1 + 4 * count)
        if sparse:
            parts.append((columns, values))
        else:
            dense[i, columns] = values
    if not sparse:
        return dense
    # 32-bit indices, as scikit-learn's trees want them
    indptr = np.cumsum([0] + [len(columns) for columns, _ in parts], dtype=np.int32)
    columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    return csr_array((values, columns, indptr), shape=(len(rows), n_columns))


class RowCache:
    """A persistent mapping from content keys to rows of bytes.

    Parameters
    ----------
    folder : path
        Made if missing. Several processes may share it.
    name : str
        Name of the kind of row; another name is another file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     cache = RowCache(folder, "lower-case")
    ...     compute = lambda missing: [value.lower().encode() for value in missing]
    ...     cache.rows([b"key 1", b"key 2"], ["CC", "CCC"], compute)
    [b'cc', b'ccc']
    """

    def __init__(self, folder, name):
        self.path = Path(folder) / f"{name}.rows.sqlite"

    def rows(self, keys, values, compute):
        """Look up the rows of all values; compute and keep those that are missing.

        While one process computes, another one that misses rows of the same kind waits and then finds them.

        Parameters
        ----------
        keys : list of bytes
            Content key of each value.
        values : list
            Structures, in the order of `keys`.
        compute : callable
            Called with the list of missing values, each once; returns a list with the row of each as bytes, or None
            for a value that has no row.

        Returns
        -------
        rows : list of bytes or None
            In the order of `values`.
        """
        known = self._read(keys)
        missing = {key: value for key, value in zip(keys, values, strict=True) if key not in known}
        if missing:
            known |= self._compute(missing, compute)
        return [known[key] for key in keys]

    def _compute(self, missing, compute):
        """Compute and keep what is missing, while holding the right to write."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            db, found = self._begin(missing)
        except _SQL_ERRORS as error:
            self._give_up(error)
            return dict(zip(missing, compute(list(missing.values())), strict=True))
        with closing(db):
            left = {key: value for key, value in missing.items() if key not in found}
            new = dict(zip(left, compute(list(left.values())) if left else [], strict=True))
            rows = ((key, zlib.crc32(row), row) for key, row in new.items() if row is not None)
            try:
                db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)
                db.execute("COMMIT")
            except _SQL_ERRORS as error:
                self._give_up(error)
        return found | new

    def _begin(self, keys):
        """Wait for the right to write and look again: another process may have computed rows since."""
        db = self._connect()
        try:
            db.execute("BEGIN IMMEDIATE")  # one writer; rolled back if this process is killed
            db.execute("CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, crc INTEGER, row BLOB) WITHOUT ROWID")
            return db, self._select(db, keys)
        except _SQL_ERRORS:
            db.close()
            raise

    def _read(self, keys):
        if not self.path.exists():
            return {}
        try:
            with closing(self._connect()) as db:
                return self._select(db, keys)
        except _SQL_ERRORS:  # no table yet, or a file that `_compute` will complain about
            return {}

    def _connect(self):
        # the plain rollback journal, not WAL: switching to WAL fails when two processes do it at once
        return sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)

    @staticmethod
    def _select(db, keys):
        keys, found = list(keys), {}
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            query = f"SELECT key, crc, row FROM rows WHERE key IN ({','.join('?' * len(chunk))})"
            for key, crc, row in db.execute(query, chunk):
                if isinstance(row, bytes) and zlib.crc32(row) == crc:
                    found[key] = row
        return found

    def _give_up(self, error):
        """Go on without the cache; a file that is damaged or no cache of ours is kept under another name."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_THE_FILES_FAULT:
            warnings.warn(f"{self.path} cannot be used now ({error}); rows are computed without it.", stacklevel=4)
            return
        aside = self.path.with_suffix(".unreadable")
        while aside.exists():
            aside = aside.with_name(aside.name + "_")
        with suppress(FileNotFoundError):  # another process has moved it
            self.path.rename(aside)
        warnings.warn(
            f"{self.path} cannot be read ({error}); it is now {aside.name} and a new cache begins.", stacklevel=4
        )
