"""Libraries that are torn, tampered with, newer, or written to by several processes, some of which die."""

import hashlib
import json
import multiprocessing
import os
import signal
import sqlite3
import stat
import sys
import time
import zipfile
from contextlib import closing

import numpy as np
import pytest
import safetensors.numpy
import skops.io
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.multioutput import RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeRegressor

from sktaag.sources import ModelLibrary, PyramidRegressor, load_source, save_source
from sktaag.sources import _library_shards as shards
from sktaag.sources import _model_library as model_library
from sktaag.sources._library_blocks import block_id
from sktaag.sources._library_index import Index

X = np.random.RandomState(0).rand(40, 5)
y = X.sum(axis=1)


def network(seed=0):
    return PyramidRegressor(hidden=(8, 4), max_epochs=1, random_state=seed).fit(X, y)


@pytest.fixture(scope="module")
def sources():
    return [network(seed) for seed in range(4)]


@pytest.fixture
def library(tmp_path, sources):
    """Two models in one shard and two in another."""
    library = ModelLibrary(tmp_path / "library")
    library.add_many(sources[:2], property="x", name=["0", "1"])
    library.add_many(sources[2:], property="y", name=["2", "3"])
    return library


def ids_of(library):
    return library.search().sort_values("name")["id"].tolist()


def shard_of(library, model_id):
    for path in (library.path / "shards").glob("*.safetensors"):
        if model_id in safetensors.numpy.load_file(path):
            return path
    raise AssertionError(model_id)


def files(library):
    return {path: path.read_bytes() for path in library.path.rglob("*") if path.is_file()}


def check_the_rest(library, sources, ids, lost):
    """Everything else is as it was, can be added to, handed on and removed."""
    for model_id, source in zip(ids, sources, strict=True):
        if model_id not in lost:
            assert_array_equal(library.get(model_id).predict(X), source.predict(X))
    new = library.add(network(9), property="new")
    assert_array_equal(library.get(new).predict(X), network(9).predict(X))
    kept = [model_id for model_id in ids if model_id not in lost]
    library.export(kept, library.path.parent / "kept.zip")
    library.remove(new)


# ---------------------------------------------------------------- shards and steps


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999])
def test_torn_shard(library, sources, share):
    ids = ids_of(library)
    path = shard_of(library, ids[0])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    for call in (library.get, library.card):
        with pytest.raises(ValueError, match=rf"{path.name} is missing or damaged .*Put back a copy .*repair=True"):
            call(ids[0])
    with pytest.raises(ValueError, match=path.name):
        library.export([ids[1]], library.path.parent / "a.zip")
    check_the_rest(library, sources, ids, lost=ids[:2])
    problems = library.verify()
    assert set(problems["id"]) == set(ids[:2])
    assert set(problems["file"]) == {str(path)}
    assert set(problems["remedy"]) == {"verify(repair=True) forgets the model"}
    library.verify(repair=True)
    assert library.verify().empty
    assert ids_of(library) == ids[2:]
    assert path.with_name(path.name + ".aside").exists()
    assert library.add(sources[0], property="x", name="0") == ids[0]  # the same id again


def test_missing_shard(library, sources):
    ids = ids_of(library)
    shard_of(library, ids[3]).unlink()
    with pytest.raises(ValueError, match="is missing or damaged"):
        library.get(ids[3])
    library.remove(ids[3])  # what cannot be read can be removed, and its neighbour stays what it is
    check_the_rest(library, sources, ids, lost=ids[2:])
    assert library.verify()["id"].tolist() == [ids[2]]


def test_any_changed_byte_of_a_model_is_seen(library, sources):
    ids = ids_of(library)
    path = shard_of(library, ids[0])
    content = path.read_bytes()
    block = safetensors.numpy.load_file(path)[ids[0]].tobytes()
    start = content.index(block)
    for position in range(start, start + len(block), len(block) // 40):
        changed = bytearray(content)
        changed[position] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=rf"Model '{ids[0]}' in .*{path.name} is damaged: SHA-256 [0-9a-f]+, not"):
            library.get(ids[0])
        with pytest.raises(ValueError, match="is damaged"):
            library.card(ids[0])
    check_the_rest(library, sources, ids, lost=ids[:1])
    assert library.verify()["id"].tolist() == ids[:1]
    library.verify(repair=True)
    assert ids_of(library) == ids[1:]  # its neighbour in the shard has moved
    assert_array_equal(library.get(ids[1]).predict(X), sources[1].predict(X))
    assert library.verify().empty


def test_changed_header_of_a_shard(library):
    ids = ids_of(library)
    path = shard_of(library, ids[0])
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    for position in range(0, end, 3):
        changed = bytearray(content)
        changed[position] ^= 0x01
        path.write_bytes(changed)
        for model_id in ids[:2]:
            try:
                library.get(model_id)
            except ValueError as error:
                assert path.name in str(error)  # noqa: PT017
        library.get(ids[2])


def test_another_model_under_the_name(library):
    ids = ids_of(library)
    path = shard_of(library, ids[0])
    tensors = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file({ids[0]: tensors[ids[1]], ids[1]: tensors[ids[0]]}, path)
    with pytest.raises(ValueError, match=f"Model '{ids[0]}' in .* is damaged"):
        library.get(ids[0])
    safetensors.numpy.save_file({ids[1]: tensors[ids[1]]}, path)
    with pytest.raises(ValueError, match=f"has no model '{ids[0]}'"):
        library.get(ids[0])


@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_damaged_steps(library, sources, content):
    ids = ids_of(library)
    forest = RandomForestRegressor(2, random_state=0).fit(X, y)
    model_id = library.add(forest, property="z")
    steps = next(path for path in (library.path / "steps").iterdir() if b"_forest" in path.read_bytes())
    original = steps.read_bytes()
    steps.unlink() if content is None else steps.write_bytes(content)
    fresh = ModelLibrary(library.path)
    with pytest.raises(ValueError, match=rf"{steps.name} is (missing|damaged)") as caught:
        fresh.get(model_id)
    assert "Put back a copy" in str(caught.value)
    assert fresh.verify()["id"].tolist() == [model_id]
    check_the_rest(fresh, sources, ids, lost=[])
    assert fresh.add(forest, property="other") in fresh  # adding what shares the file mends it
    assert steps.read_bytes() == original
    assert fresh.verify().empty
    steps.write_bytes(b"")
    assert len(fresh.verify(repair=True)) == 2
    assert ids_of(fresh) == ids
    assert fresh.verify().empty


def block_with(library, change):
    """Put a model with a changed card, but with a right digest, into the library as a new version might."""
    model_id = ids_of(library)[0]
    path = shard_of(library, model_id)
    block = safetensors.numpy.load_file(path)[model_id].tobytes()
    end = 8 + int.from_bytes(block[:8], "little")
    header = json.loads(block[8:end])
    meta = json.loads(header["__metadata__"]["sktaag"])
    change(meta)
    header["__metadata__"]["sktaag"] = json.dumps(meta)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + block[end:]


def plant(library, block, steps=None):
    """Give the first model of the library another content."""
    old = ids_of(library)[0]
    new, sha256 = block_id(block)
    path = shard_of(library, old)
    tensors = safetensors.numpy.load_file(path)
    del tensors[old]
    safetensors.numpy.save_file({**tensors, new: np.frombuffer(block, np.uint8)}, path)
    with closing(sqlite3.connect(library.path / "index.sqlite")) as db:
        db.execute("UPDATE models SET id = ?, sha256 = ? WHERE id = ?", [new, sha256, old])
        db.commit()
    return new


def test_card_of_a_newer_version(library, sources):
    ids = ids_of(library)
    new = plant(library, block_with(library, lambda meta: meta["card"].update(format=2)))
    for call in (library.get, library.card):
        with pytest.raises(ValueError, match=r"has a card of format 2; sktaag \S+ reads up to 1\. Update sktaag\."):
            call(new)
    check_the_rest(library, sources, ids, lost=ids[:1])
    (remedy,) = library.verify()["remedy"]
    assert remedy == "a newer sktaag reads it"
    library.verify(repair=True)  # nothing to repair
    assert new in library
    library.remove(ids[1])  # the shard cannot be written anew, and stays
    assert new in library
    with pytest.raises(ValueError, match="Update sktaag"):
        library.get(new)


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.update(steps="../../../../etc/passwd"),
        lambda meta: meta.pop("steps"),
        lambda meta: meta.pop("card"),
        lambda meta: meta.update(card=[]),
        lambda meta: meta.update(networks=None),
        lambda meta: meta["networks"]["source"].pop("module"),
        lambda meta: meta["networks"]["source"]["module"].update(hidden=[8, 5]),
        lambda meta: meta["networks"]["source"]["module"].update(activation="eval"),
        lambda meta: meta["networks"]["source"]["attributes"].update(hidden={"os.system": "true"}),
        lambda meta: meta["networks"]["source"]["attributes"].update(hidden={"array": "not there"}),
        lambda meta: meta["networks"]["source"]["attributes"].update(hidden={"scalar": ["O", 1, 2, 3][:1]}),
        lambda meta: meta["networks"].pop("source"),
    ],
)
def test_hostile_blocks(library, sources, change):
    ids = ids_of(library)
    new = plant(library, block_with(library, change))
    with pytest.raises(
        ValueError, match=rf"(?s)Model '{new}' in .* (is no model|does not fit its own steps).*Remove it"
    ):
        library.get(new)
    check_the_rest(library, sources, ids, lost=ids[:1])
    library.remove(new)
    assert new not in library


# ---------------------------------------------------------------- trees whose nodes lead astray


def crooked(**nodes):
    """A tree as a file may describe it, though no training makes it."""
    model = DecisionTreeRegressor(max_depth=3, random_state=0).fit(X, y)
    state = model.tree_.__getstate__()
    state["nodes"] = state["nodes"].copy()
    for name, value in nodes.items():
        state["nodes"][name][0] = value
    model.tree_.__setstate__(state)
    return model


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ({"left_child": 10**6}, "lead out of it or in a circle"),
        ({"right_child": -5}, "lead out of it or in a circle"),
        ({"left_child": 0}, "lead out of it or in a circle"),
        ({"feature": 10**6}, "a feature that its rows do not have"),
        ({"feature": 5}, "a feature that its rows do not have"),
        ({"feature": -3}, "a feature that its rows do not have"),
    ],
)
@pytest.mark.parametrize("forest", [False, True])
def test_crooked_trees_are_refused(tmp_path, nodes, reason, forest):
    model = crooked(**nodes)
    if forest:
        tree, model = model, RandomForestRegressor(2, random_state=0).fit(X, y)
        tree.n_features_in_ = 10**7  # what the forest says counts
        model.estimators_[1] = tree
    save_source(model, tmp_path / "a.source")
    with pytest.raises(ValueError, match=rf"a\.source holds a tree .*{reason}, and may crash Python"):
        load_source(tmp_path / "a.source")


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeRegressor(max_leaf_nodes=7),
        ExtraTreesRegressor(3),
        GradientBoostingRegressor(n_estimators=3, init=RandomForestRegressor(2)),
        BaggingRegressor(DecisionTreeRegressor(), 3, max_features=0.5),
        make_pipeline(PolynomialFeatures(), RandomForestRegressor(2)),
        AdaBoostRegressor(make_pipeline(PolynomialFeatures(), DecisionTreeRegressor()), n_estimators=2),
        StackingRegressor(
            [(str(i), DecisionTreeRegressor(max_depth=i)) for i in range(1, 9)], RandomForestRegressor(2), cv=2
        ),
        VotingRegressor([("a", RandomForestRegressor(2)), ("b", DecisionTreeRegressor())]),
        RegressorChain(DecisionTreeRegressor()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_straight_trees_are_not(tmp_path, model):
    model = clone(model).fit(X, X[:, :2] if isinstance(model, RegressorChain) else y)
    save_source(model, tmp_path / "a.source")
    assert_array_equal(load_source(tmp_path / "a.source").predict(X), model.predict(X))


def test_a_tree_alone_is_refused(tmp_path):
    steps = skops.io.dumps(crooked().tree_)
    from sktaag.sources._parts import load_steps

    with pytest.raises(ValueError, match="may crash Python"):
        load_steps(steps, "a.skops")


# ---------------------------------------------------------------- the index


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100, "middle"])
def test_lost_index(library, sources, content):
    ids, cards = ids_of(library), [library.card(i) for i in ids_of(library)]
    path = library.path / "index.sqlite"
    if content is None:
        path.unlink()
    else:
        original = path.read_bytes()
        path.write_bytes(original[:4096] + b"\x55" * (len(original) - 4096) if content == "middle" else content)
    before = {name: content for name, content in files(library).items() if name != path}
    for call in (
        lambda: library.get(ids[0]),
        lambda: library.search(property="x"),
        lambda: library.add(network(7), property="new"),
        lambda: library.remove(ids[0]),
        lambda: len(library),
    ):
        with pytest.raises(
            ValueError, match=r"index\.sqlite is (missing|damaged|not the index).*verify\(repair=True\)"
        ):
            call()
    assert {name: content for name, content in files(library).items() if name != path} == before
    (remedy,) = library.verify()["remedy"]
    assert remedy == "verify(repair=True) builds the index anew from the shards"
    library.verify(repair=True)
    assert library.verify().empty
    assert ids_of(library) == ids
    for model_id, card in zip(ids, cards, strict=True):
        assert {**library.card(model_id), "created": None} == {**card, "created": None}
    check_the_rest(library, sources, ids, lost=[])


def test_index_of_a_newer_version(library):
    with closing(sqlite3.connect(library.path / "index.sqlite")) as db:
        db.execute("PRAGMA user_version = 2")
    before = files(library)
    for call in (library.search, lambda: library.add(network(7), property="new")):
        with pytest.raises(ValueError, match=r"index\.sqlite has format 2; sktaag \S+ reads up to 1\. Update sktaag\."):
            call()
    assert library.verify(repair=True)["remedy"].tolist() == ["a newer sktaag reads it"]
    assert files(library) == before


def test_files_of_nobody(library):
    foreign = library.path / "shards" / "0123456789abcdef.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(3)}, foreign)
    temporary = library.path / "shards" / ".unfinished-0123.safetensors"
    temporary.write_bytes(b"torn")
    ids = ids_of(library)
    problems = library.verify()
    assert dict(zip(problems["file"], problems["remedy"], strict=True)) == {
        str(foreign): "verify(repair=True) gives the file the ending .aside",
        str(temporary): "verify(repair=True) deletes the file",
    }
    library.add(network(7), property="new")
    assert not temporary.exists()
    assert foreign.exists()
    library.verify(repair=True)
    assert not foreign.exists()
    assert library.verify().empty
    assert set(ids) < set(library.search()["id"])


# ---------------------------------------------------------------- archives


@pytest.fixture
def archive(library, tmp_path):
    library.export(None, tmp_path / "models.zip")
    return tmp_path / "models.zip"


def refuse(tmp_path, archive, message):
    other = ModelLibrary(tmp_path / "other")
    kept = other.add(network(7), property="kept")
    before = files(other)
    outside = sorted(path for path in tmp_path.iterdir())
    with pytest.raises(ValueError, match=message) as caught:
        other.import_(archive)
    assert "models.zip" in str(caught.value)
    assert files(other) == before
    assert other.search()["id"].tolist() == [kept]
    assert sorted(path for path in tmp_path.iterdir()) == outside
    assert other.verify().empty


@pytest.mark.parametrize(
    "name",
    [
        "../evil.safetensors",
        "shards/../../evil.safetensors",
        "/tmp/evil.safetensors",
        "C:\\evil.safetensors",
        "shards\\..\\evil.safetensors",
        "shards/evil.py",
        "evil.safetensors",
        "steps/0123.skops",
        "index.sqlite",
        "shards/sub/0123.safetensors",
        "shards/",
        "shards/0123.safetensors\n",
    ],
)
def test_hostile_paths(tmp_path, archive, name):
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(zipfile.ZipInfo(name), b"")
    refuse(tmp_path, archive, r"is refused: its member .* is neither a shard nor steps nor cards. Nothing was imported")


def test_links(tmp_path, archive):
    link = zipfile.ZipInfo("shards/0123.safetensors")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(link, "/etc/passwd")
    refuse(tmp_path, archive, r"its member 'shards/0123\.safetensors' is a link")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_twice_the_same_name(tmp_path, archive):
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(zipfile.ZipInfo(file.namelist()[0]), b"")
    refuse(tmp_path, archive, "occurs twice")


def test_bomb(tmp_path, archive):
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("shards/0123.safetensors", bytes(10**6))
    refuse(tmp_path, archive, "is compressed, which export never does")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_torn_archive(tmp_path, archive, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    refuse(tmp_path, archive, r"is damaged or no archive of models \(BadZipFile.*get it again|is neither a shard")


def test_flipped_bytes_of_an_archive(tmp_path, archive, library):
    content = archive.read_bytes()
    ids = set(library.search()["id"])
    other, refused = ModelLibrary(tmp_path / "other"), 0
    for position in range(0, len(content), len(content) // 60):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        archive.write_bytes(changed)
        try:
            assert set(other.import_(archive)) == ids  # cards for people, dates and the like
            other.remove(list(ids))
        except ValueError as error:
            assert "models.zip" in str(error)  # noqa: PT017
            refused += 1
    assert refused > 30
    assert len(other) == 0


def rewrite(archive, change):
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members = change(members)
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def test_archive_without_steps(tmp_path, archive):
    rewrite(archive, lambda members: {name: members[name] for name in members if not name.startswith("steps")})
    refuse(tmp_path, archive, r"Nothing of .*models\.zip was added: .*\.skops is missing")


def test_archive_with_other_steps(tmp_path, archive):
    rewrite(archive, lambda members: {n: b"else" if n.startswith("steps") else members[n] for n in members})
    refuse(tmp_path, archive, r"\.skops is damaged: its SHA-256 is not its name")


def test_archive_of_a_newer_version(tmp_path, archive, library):
    block = block_with(library, lambda meta: meta["card"].update(format=2))
    shard = safetensors.numpy.save({block_id(block)[0]: np.frombuffer(block, np.uint8)})
    rewrite(archive, lambda members: members | {"shards/ff.safetensors": shard})
    refuse(tmp_path, archive, r"card of format 2; .*Update sktaag")


def test_archive_with_a_path_on_a_card(tmp_path, archive, library):
    block = block_with(library, lambda meta: meta.update(steps="../" * 8 + "etc/passwd"))
    shard = safetensors.numpy.save({block_id(block)[0]: np.frombuffer(block, np.uint8)})
    rewrite(archive, lambda members: members | {"shards/ff.safetensors": shard})
    refuse(tmp_path, archive, "is no model of a library")


def test_digest_of_the_archive(tmp_path, archive, library):
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    other = ModelLibrary(tmp_path / "other")
    with pytest.raises(ValueError, match=rf"models\.zip has SHA-256 {found}, not 00\. Get the file again"):
        other.import_(archive, sha256="00")
    assert len(other.import_(archive, sha256=found)) == 4
    with pytest.raises(FileNotFoundError):
        other.import_(tmp_path / "none.zip")


# ---------------------------------------------------------------- interrupted and at the same time


@pytest.mark.parametrize("function", ["os.replace", "os.fsync", "safetensors.numpy.save"])
def test_interrupted_add_leaves_no_trace(library, sources, monkeypatch, function):
    before, ids = files(library), ids_of(library)

    def interrupt(*args):
        raise KeyboardInterrupt

    for nth in range(1, 8):
        calls = []

        def sometimes(*args, calls=calls, nth=nth, original=None):
            calls.append(args)
            if len(calls) == nth:
                raise KeyboardInterrupt
            return original(*args)

        module, _, name = function.rpartition(".")
        original = getattr(sys.modules[module], name)
        with monkeypatch.context() as patch:
            patch.setattr(function, lambda *args, f=sometimes, o=original: f(*args, original=o))
            model = RandomForestRegressor(2, random_state=nth).fit(X, y)
            try:
                library.add(model, property="new")
            except KeyboardInterrupt:
                assert files(library) == before
                assert library.verify().empty
            else:
                assert nth > 1
                break
    else:
        raise AssertionError("never came to its end")
    assert ids == [i for i in ids_of(library) if i in ids]


def test_interrupted_remove_leaves_everything(library, monkeypatch):
    before = files(library)

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        library.remove(ids_of(library)[0])
    assert files(library) == before


needs_fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes cannot fork")


def start(work, *args):
    """Run a function in another process, which has all imports and sources already."""
    process = multiprocessing.get_context("fork").Process(target=work, args=args)
    process.start()
    return process


@needs_fork
def test_several_processes_add_and_remove(tmp_path, sources):
    def work(who):
        library = ModelLibrary(tmp_path / "library")
        for i in range(5):
            ids = library.add_many(sources[:3], property=f"p{who}", name=[f"{i}-{j}" for j in range(3)])
            library.remove(ids[0])
            library.get(ids[1])
            library.add(sources[3], property=f"p{who}", name="always the same")

    processes = [start(work, who) for who in range(3)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    library = ModelLibrary(tmp_path / "library")
    assert len(library) == 3 * (5 * 2 + 1)
    assert library.verify().empty
    for who in range(3):
        found = library.search(property=f"p{who}")
        assert len(found) == 11
        same = library.search(property=f"p{who}", name="always the same")["id"][0]
        assert_array_equal(library.get(same).predict(X), sources[3].predict(X))


@needs_fork
def test_a_killed_process_leaves_no_trace(library, sources):
    ids = ids_of(library)
    written = multiprocessing.get_context("fork").Event()

    def sources_without_end():
        yield from sources[:3]
        written.set()
        time.sleep(60)

    def work():
        shards._MAX_MODELS = 1
        library.add_many(sources_without_end(), property="killed")

    process = start(work)
    assert written.wait(30)
    assert ids_of(library) == ids  # readers do not wait
    process.kill()
    process.join(10)
    fresh = ModelLibrary(library.path)
    assert ids_of(fresh) == ids
    left = fresh.verify()
    assert set(left["remedy"]) == {"verify(repair=True) deletes the file"}
    assert len(left) == 4  # two shards with their cards
    fresh.add(network(7), property="after")
    assert fresh.verify().empty
    assert len(fresh) == 5


def killed(work):
    """Run a function in another process, which it is to kill."""
    process = start(work)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL


def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


@needs_fork
@pytest.mark.parametrize("moment", ["os.replace", "insert", "fsync", "close"])
def test_killed_between_the_files_and_the_index(library, sources, moment):
    before, ids = files(library), ids_of(library)

    def work():
        if moment == "os.replace":  # one file has its name, others do not
            shards.os.replace = lambda *paths, replace=os.replace: (replace(*paths), die())
        elif moment == "fsync":  # before the journal is on the disk
            calls = []
            shards.os.fsync = lambda file: calls.append(file) or (len(calls) == 4 and die())
        elif moment == "insert":
            Index.insert = die
        else:
            shards.ShardWriter.close = die
        library.add(RandomForestRegressor(2, random_state=0).fit(X, y), property="killed", name="killed")

    killed(work)
    fresh = ModelLibrary(library.path)
    assert ids_of(fresh)[: len(ids)] == ids
    assert set(fresh.verify()["remedy"]) == {"verify(repair=True) deletes the file"}
    if moment == "close":  # it is in the index: there to stay
        assert_array_equal(fresh.get(ids_of(fresh)[-1]).predict(X).shape, y.shape)
        fresh.remove(ids_of(fresh)[-1])
    else:
        fresh.remove(fresh.add(network(7), property="after"))
    assert ids_of(fresh) == ids
    assert files(fresh).keys() == before.keys()
    assert fresh.verify().empty


@needs_fork
@pytest.mark.parametrize("moment", ["move", "delete"])
def test_a_killed_remove_is_undone_or_done(library, sources, moment):
    ids = ids_of(library)
    forest = library.add(RandomForestRegressor(2, random_state=0).fit(X, y), property="z", name="z")

    def work():
        if moment == "move":
            shards.os.replace = lambda *paths, replace=os.replace: (replace(*paths), die())
        else:
            model_library.delete_shard = die
        library.remove([ids[0], forest])

    killed(work)
    fresh = ModelLibrary(library.path)
    assert (forest in fresh) == (moment == "move")
    left = fresh.verify(repair=True)
    assert len(left) > 0
    assert set(left["remedy"]) == {"verify(repair=True) deletes the file"}
    assert fresh.verify().empty
    for model_id, source in zip(ids[moment == "delete" :], sources[moment == "delete" :], strict=True):
        assert_array_equal(fresh.get(model_id).predict(X), source.predict(X))


@pytest.mark.parametrize(
    "content", ['["../index.sqlite"]', '["/etc/hosts"]', "{}", "[1]", "torn", '["shards/../index.sqlite"]']
)
def test_a_journal_names_nothing_outside(library, sources, content):
    (library.path / "shards" / ".unfinished-aa.json").write_text(content)
    library.add(network(7), property="after")
    assert library.verify().empty
    assert len(library) == 5


def test_readers_follow_a_model_that_moves(library, monkeypatch):
    ids = ids_of(library)
    locate = ModelLibrary._locate
    calls = []

    def move_meanwhile(self, wanted, db=None):
        found = locate(self, wanted, db)
        if not calls:
            calls.append(1)
            ModelLibrary(library.path).remove(ids[0])
        return found

    monkeypatch.setattr(ModelLibrary, "_locate", move_meanwhile)
    assert_array_equal(library.get(ids[1]).predict(X), network(1).predict(X))
