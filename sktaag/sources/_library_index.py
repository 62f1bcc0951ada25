"""The index: one SQLite file with what models are searched by and where they are. It can be built from the shards."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing, contextmanager
from numbers import Integral, Real

import pandas as pd

import sktaag

_VERSION = 1
_PATIENCE = 600  # seconds that a writer waits for another one
_CHUNK = 500  # values in one statement; SQLite takes at most 999 variables in old versions

_CARD_TEXTS = ("name", "property", "material", "unit", "descriptor", "dataset", "license", "task", "model", "parent")
TEXTS = (*_CARD_TEXTS, "hidden")
NUMBERS = ("n_train", "n_features", "r2", "mae", "rmse", "accuracy", "validation_score", "wall_time")
_SHOWN = ("id", *TEXTS, *NUMBERS, "size", "created")
_COLUMNS = (*_SHOWN, "sha256", "shard", "steps")
_SCHEMA = (
    f"CREATE TABLE models (id TEXT PRIMARY KEY, {', '.join(f'{name} TEXT COLLATE NOCASE' for name in TEXTS)}, "
    f"{', '.join(f'{name} REAL' for name in NUMBERS)}, size INTEGER, created TEXT, sha256 TEXT, "
    "shard TEXT, steps TEXT) WITHOUT ROWID",
    "CREATE INDEX by_property ON models (property, material, r2)",
    "CREATE INDEX by_material ON models (material, property)",
    "CREATE INDEX by_shard ON models (shard)",
    "CREATE INDEX by_steps ON models (steps)",
)


def make_row(model_id, card, **where):
    """Row of the index for a model.

    Parameters
    ----------
    model_id : str
    card : dict
    **where : dict
        size, created, sha256, shard, steps.

    Returns
    -------
    row : tuple
    """
    metrics, data = card["metrics"], card["training_data"] or {}
    searched = {
        **{name: card[name] for name in _CARD_TEXTS},
        **{name: metrics.get(name) for name in ("r2", "mae", "rmse", "accuracy")},
        "hidden": None if card["hidden"] is None else "-".join(map(str, card["hidden"])),
        "n_train": data.get("n_rows"),
        **{name: card[name] for name in ("n_features", "validation_score", "wall_time")},
    }
    row = {"id": model_id, **searched, **where}
    return tuple(row[name] for name in _COLUMNS)


class Index:
    """Reads and writes the index of a library.

    Parameters
    ----------
    path : pathlib.Path
        Of the file.
    """

    def __init__(self, path):
        self.path = path

    def exists(self):
        """Tell whether there is an index; complain if there should be one, or cannot be."""
        if self.path.parent.is_file():
            raise NotADirectoryError(
                f"{self.path.parent} is a file, and a library is a folder. import_ adds what a file of export holds."
            )
        if self.path.exists() and self.path.stat().st_size > 0:  # empty while another process creates it
            return True
        if any(self.path.parent.glob("shards/*.safetensors")):
            raise ValueError(f"{self.path} is missing. verify(repair=True) builds a new one from the shards.")
        return False

    def create(self):
        """Make an empty index, unless there is one."""
        with self._translated(), closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            if not db.execute("PRAGMA user_version").fetchone()[0]:
                for statement in _SCHEMA:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            db.execute("COMMIT")

    @contextmanager
    def transaction(self):
        """Hold the right to write; what is written stays only if the block ends well and calls `commit` of its value.

        Yields
        ------
        db : sqlite3.Connection
        """
        with self._translated(), closing(self._open()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def insert(self, db, rows):
        """Add rows of `make_row`."""
        db.executemany(f"INSERT INTO models VALUES ({', '.join('?' * len(_COLUMNS))})", rows)

    def count(self, what="*"):
        """Count the models, or the different values of a column, as "DISTINCT property"."""
        return self.select(f"SELECT COUNT({what}) FROM models")[0][0] if self.exists() else 0

    def find(self, ids, db=None):
        """Look up where models are.

        Parameters
        ----------
        ids : list of str
        db : sqlite3.Connection or None
            None opens one.

        Returns
        -------
        found : dict of str to (shard, sha256, steps, created)
        """
        found = {}
        if not self.exists():
            return found
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            query = f"SELECT id, shard, sha256, steps, created FROM models WHERE id IN ({', '.join('?' * len(chunk))})"
            rows = db.execute(query, chunk) if db else self.select(query, chunk)
            found |= {model_id: where for model_id, *where in rows}
        return found

    def search(self, filters, limit):
        """Find models by what the index knows of them, best first.

        Parameters
        ----------
        filters : dict
            As in `ModelLibrary.search`.
        limit : int or None

        Returns
        -------
        models : pandas.DataFrame
        """
        if limit is not None and (not isinstance(limit, Integral) or isinstance(limit, bool) or limit < 0):
            raise ValueError(f"limit must be None or a number of rows, got {limit!r}.")
        conditions, values = [], []
        for name, wanted in filters.items():
            condition, parameters = _condition(name, wanted)
            conditions.append(condition)
            values += parameters
        query = f"SELECT {', '.join(_SHOWN)} FROM models WHERE {' AND '.join(conditions) or '1'}"
        query += " ORDER BY r2 IS NULL, r2 DESC, validation_score IS NULL, validation_score DESC, id LIMIT ?"
        rows = self.select(query, [*values, -1 if limit is None else int(limit)]) if self.exists() else []
        models = pd.DataFrame(rows, columns=list(_SHOWN))
        return models.astype(dict.fromkeys(NUMBERS, "float64"))

    def select(self, query, values=()):
        """Run a query in a connection of its own."""
        with self._translated(), closing(self._open()) as db:
            return db.execute(query, values).fetchall()

    def _open(self):
        if not self.exists():  # SQLite would make it
            raise ValueError(f"{self.path} does not exist; nothing was added to this library yet.")
        db = self._connect()
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if found > _VERSION:
            raise ValueError(
                f"{self.path} has format {found}; sktaag {sktaag.__version__} reads up to {_VERSION}. Update sktaag."
            )
        if found < _VERSION:
            raise ValueError(f"{self.path} is not the index of a library. {_REMEDY}")
        return db

    def _connect(self):
        # one connection for each task: it would survive neither a fork nor a pickle
        return sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)

    @contextmanager
    def _translated(self):
        try:
            yield
        except sqlite3.OperationalError:  # locked, read-only, disk full: not the fault of the file
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path} is damaged ({error}). {_REMEDY}") from error


_REMEDY = "verify(repair=True) moves it aside and builds a new one from the shards."


def _condition(name, wanted):
    """One condition of SQL and its values for a filter."""
    if name in TEXTS or name == "id":
        if wanted is None:
            return f"{name} IS NULL", []
        choices = [wanted] if isinstance(wanted, str) else list(wanted) if isinstance(wanted, Iterable) else [wanted]
        if not all(isinstance(choice, str) for choice in choices):
            raise TypeError(f"{name} must be a string, a list of strings or None, got {wanted!r}.")
        exact = [choice for choice in choices if "*" not in choice and "?" not in choice]
        patterns = [_pattern(choice) for choice in choices if choice not in exact]
        parts = [f"{name} IN ({', '.join('?' * len(exact))})", *[f"{name} LIKE ? ESCAPE '!'" for _ in patterns]]
        return f"({' OR '.join(parts)})", [*exact, *patterns]
    bound, _, column = name.partition("_")
    if column in (*NUMBERS, "size") and bound in ("min", "max"):
        if not isinstance(wanted, Real) or wanted != wanted:
            raise TypeError(f"{name} must be a number, got {wanted!r}.")
        return f"{column} {'>=' if bound == 'min' else '<='} ?", [float(wanted)]
    raise TypeError(
        f"There is no filter {name!r}. Texts: id, {', '.join(TEXTS)}. Numbers: min_ or max_ before "
        f"{', '.join((*NUMBERS, 'size'))}."
    )


def _pattern(choice):
    """Turn the wildcards * and ? into those of SQL."""
    for char in "!%_":
        choice = choice.replace(char, f"!{char}")
    return choice.replace("*", "%").replace("?", "_")
