"""What keeps a library in order: models move together when neighbours leave, damage is found and set aside."""

from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from sktaag.sources._library_blocks import block_id, read_meta
from sktaag.sources._library_index import make_row
from sktaag.sources._library_shards import (
    CARDS,
    SHARDS,
    STEPS,
    TEMPORARY,
    Shard,
    ShardWriter,
    left_files,
    read_steps,
    shard_path,
    steps_path,
)

_ASIDE = ".aside"
_FORGET = "verify(repair=True) forgets the model"
_SET_ASIDE = f"verify(repair=True) gives the file the ending {_ASIDE}"
_DELETE = "verify(repair=True) deletes the file"
_REBUILD = "verify(repair=True) builds the index anew from the shards"
_UPDATE = "a newer sktaag reads it"


def sweep(folder, db):
    """Delete what a killed process has left: only who holds the right to write may do so.

    Parameters
    ----------
    folder : pathlib.Path
        Of the library.
    db : sqlite3.Connection
        Of a transaction of the index.
    """
    for name in left_files(folder):
        path = folder / name
        column = "steps" if path.parent.name == STEPS else "shard"
        if not db.execute(f"SELECT 1 FROM models WHERE {column} = ? LIMIT 1", [path.stem]).fetchone():
            with suppress(OSError):  # another process has it open
                path.unlink()
    for path in folder.glob(f"*/{TEMPORARY}*"):
        path.unlink(missing_ok=True)


def move_models(folder, db, shard, leaving, writer):
    """Give the models of a shard a new home, but for those that leave.

    Parameters
    ----------
    folder : pathlib.Path
        Of the library.
    db : sqlite3.Connection
        Of a transaction of the index.
    shard : str
    leaving : set of str
        Ids.
    writer : ShardWriter

    Returns
    -------
    emptied : bool
        False if something in the shard cannot be read; then nothing has moved.
    """
    ids = [model_id for (model_id,) in db.execute("SELECT id FROM models WHERE shard = ?", [shard])]
    staying = [model_id for model_id in ids if model_id not in leaving]
    if not staying:
        return True
    try:
        old = Shard(shard_path(folder, shard))
        blocks = {model_id: old.read(model_id) for model_id in staying}
        cards = {model_id: read_meta(block, model_id)["card"] for model_id, block in blocks.items()}
    except ValueError:
        return False
    for model_id, block in blocks.items():
        db.execute("UPDATE models SET shard = ? WHERE id = ?", [writer.add(model_id, block, cards[model_id]), model_id])
    return True


def find_problems(folder, index):
    """Read all of a library.

    Parameters
    ----------
    folder : pathlib.Path
    index : Index

    Returns
    -------
    problems : list of (str, str or None, str, str)
        File, id of a model, what is wrong, what helps.
    """
    try:
        if not index.exists():
            return []
        with index.transaction() as db:  # nobody writes meanwhile
            rows = db.execute("SELECT shard, id, sha256, steps FROM models ORDER BY shard").fetchall()
            return _check_models(folder, rows) + _check_files(
                folder, {row[0] for row in rows}, {row[3] for row in rows}
            )
    except ValueError as error:
        newer = "Update sktaag" in str(error)
        return [(str(index.path), None, str(error), _UPDATE if newer else _REBUILD)]


def repair_library(folder, index, problems):
    """Mend what `find_problems` has found. Nothing is deleted but temporary files.

    Parameters
    ----------
    folder : pathlib.Path
    index : Index
    problems : list
        As `find_problems` returns it.
    """
    if any(remedy == _REBUILD for *_, remedy in problems):
        _rebuild(folder, index)
        problems = find_problems(folder, index)
    if any(file == str(index.path) for file, *_ in problems):
        return  # of a newer version
    forgotten = {model_id for _, model_id, _, remedy in problems if remedy == _FORGET}
    with index.transaction() as db:
        writer = ShardWriter(folder)
        try:
            for shard in {shard for shard, *_ in index.find(list(forgotten), db).values()}:
                move_models(folder, db, shard, forgotten, writer)
            db.executemany("DELETE FROM models WHERE id = ?", [(model_id,) for model_id in forgotten])
            writer.publish()
            rows = db.execute("SELECT DISTINCT shard, steps FROM models").fetchall()
            db.execute("COMMIT")
        except BaseException:
            writer.discard()
            raise
        writer.close()
        for file, _, _, remedy in _check_files(folder, {shard for shard, _ in rows}, {steps for _, steps in rows}):
            if remedy == _DELETE:
                Path(file).unlink(missing_ok=True)
            else:
                _set_aside(Path(file))


def _check_models(folder, rows):
    problems, steps = [], {}
    for shard, models in groupby(rows, key=lambda row: row[0]):
        path, opened, reason = shard_path(folder, shard), None, ""
        try:
            opened = Shard(path)
        except ValueError as error:
            reason = str(error)
        for _, model_id, sha256, digest in models:
            if opened is None:
                problems.append((str(path), model_id, reason, _FORGET))
                continue
            try:
                block = opened.read(model_id, sha256)
            except ValueError as error:
                problems.append((str(path), model_id, str(error), _FORGET))
                continue
            try:
                read_meta(block, f"Model {model_id!r} in {path}")
            except ValueError as error:
                problems.append((str(path), model_id, str(error), _UPDATE))
            if digest not in steps:
                steps[digest] = _reason(read_steps, folder, digest)
            if steps[digest]:
                problems.append((str(steps_path(folder, digest)), model_id, steps[digest], _FORGET))
    return problems


def _check_files(folder, shards, steps):
    expected = {f"{SHARDS}/{shard}.safetensors" for shard in shards} | {f"{CARDS}/{shard}.jsonl" for shard in shards}
    expected |= {f"{STEPS}/{digest}.skops" for digest in steps}
    problems, left = [], left_files(folder)
    for path in sorted(path for room in (SHARDS, CARDS, STEPS) for path in (folder / room).glob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == _ASIDE or name in expected:
            continue
        if path.name.startswith(".") or name in left:
            problems.append((str(path), None, f"{path} is what an interrupted process has left.", _DELETE))
        else:
            problems.append((str(path), None, f"{path} belongs to no model of the index.", _SET_ASIDE))
    return problems


def _rebuild(folder, index):
    """Make a new index of all models in the shards that can be read."""
    if index.path.exists():
        _set_aside(index.path)
    index.create()
    with index.transaction() as db:
        for path in sorted((folder / SHARDS).glob("*.safetensors")):
            with suppress(ValueError):  # a torn one is no longer listed, and set aside for that
                shard = Shard(path)
                created = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
                for model_id in shard.ids:
                    with suppress(ValueError):
                        block = shard.read(model_id)
                        meta = read_meta(block, model_id)
                        where = {"size": len(block), "created": created, "shard": path.stem, "steps": meta["steps"]}
                        row = make_row(model_id, meta["card"], sha256=block_id(block)[1], **where)
                        if not index.find([model_id], db):
                            index.insert(db, [row])
        db.execute("COMMIT")


def _set_aside(path):
    with suppress(FileNotFoundError):
        path.replace(path.with_name(path.name + _ASIDE))


def _reason(function, *args):
    """Message of the error that a call raises, or nothing."""
    try:
        function(*args)
    except ValueError as error:
        return str(error)
    return ""
