"""Shards: safetensors files with many models in each, one tensor of bytes a model."""

import json
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from sktaag.sources._library_blocks import block_id, read_meta

SHARDS, STEPS, CARDS = "shards", "steps", "cards"
TEMPORARY = ".unfinished-"
#: Names of the files of a folder of models, relative to it.
FILE = re.compile(r"(shards/[0-9a-f]+\.safetensors|cards/[0-9a-f]+\.jsonl|steps/[0-9a-f]{64}\.skops)")
_MAX_MODELS, _MAX_BYTES = 512, 128 * 2**20  # the header of a shard is read whole, for every model anew


class ShardWriter:
    """Writes models into new shards of a folder; they appear when `publish` is called, all of them.

    From then to `close`, a journal in the folder names the files that came and that are to go, so that `left_files`
    knows them if the process is killed meanwhile.

    Parameters
    ----------
    folder : pathlib.Path
        Of the library.
    """

    def __init__(self, folder):
        self._folder = folder
        self._finished = []  # temporary and final path of each file
        self._mended = set()  # final paths where a damaged file stands
        self._seen_steps = set()
        self._journal = folder / SHARDS / f"{TEMPORARY}{secrets.token_hex(8)}.json"
        self._begin()

    def _begin(self):
        self._name = secrets.token_hex(8)
        self._blocks, self._cards, self._size = {}, [], 0

    def add(self, model_id, block, card):
        """Append a model and return the name of the shard that will hold it."""
        if len(self._blocks) >= _MAX_MODELS or self._size + len(block) > _MAX_BYTES:
            self._write()
        self._blocks[model_id] = block
        self._cards.append(json.dumps({"id": model_id, **card}))
        self._size += len(block)
        return self._name

    def add_steps(self, sha256, content):
        """Keep the steps around the networks, once for each content."""
        if sha256 in self._seen_steps:
            return
        path = steps_path(self._folder, sha256)
        if not path.exists() or path.read_bytes() != content:  # the latter mends a damaged file
            self._mended |= {path} if path.exists() else set()
            self._write_file(path, content)
        self._seen_steps.add(sha256)

    def publish(self, leaving=()):
        """Give all files their final names.

        Parameters
        ----------
        leaving : iterable of pathlib.Path
            Files that are deleted before `close`.
        """
        self._write()
        paths = [*(path for _, path in self._finished), *leaving]
        if paths:
            self._journal.parent.mkdir(parents=True, exist_ok=True)
            names = [path.relative_to(self._folder).as_posix() for path in paths]
            _write_whole(self._journal, json.dumps(names).encode())
        for temporary, path in self._finished:
            os.replace(temporary, path)

    def close(self):
        """Take the journal away: what it names has come and gone."""
        self._journal.unlink(missing_ok=True)

    def discard(self):
        """Remove all that was written."""
        for temporary, path in self._finished:
            temporary.unlink(missing_ok=True)
            if path not in self._mended:
                path.unlink(missing_ok=True)
        self.close()

    def _write(self):
        if not self._blocks:
            return
        tensors = {name: np.frombuffer(block, np.uint8) for name, block in self._blocks.items()}
        self._write_file(shard_path(self._folder, self._name), safetensors.numpy.save(tensors))
        self._write_file(cards_path(self._folder, self._name), "".join(f"{card}\n" for card in self._cards).encode())
        self._begin()

    def _write_file(self, path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{TEMPORARY}{path.name}")
        self._finished.append((temporary, path))
        _write_whole(temporary, content)


def _write_whole(path, content):
    """Write a new file through to the disk."""
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def left_files(folder):
    """List the files that a killed process may have left, or not come to delete, as the journals name them.

    Parameters
    ----------
    folder : pathlib.Path
        Of the library.

    Returns
    -------
    names : set of str
        Relative to the folder. Those that a model needs have come to stay.
    """
    names = set()
    for path in (folder / SHARDS).glob(f"{TEMPORARY}*.json"):
        try:
            noted = json.loads(path.read_bytes())
        except ValueError:  # killed while it wrote the journal, before any file had its name
            continue
        noted = noted if isinstance(noted, list) else []
        names |= {name for name in noted if isinstance(name, str) and FILE.fullmatch(name)}
    return names


def shard_path(folder, shard):
    """File of a shard."""
    return Path(folder) / SHARDS / f"{shard}.safetensors"


def cards_path(folder, shard):
    """File of the cards of a shard."""
    return Path(folder) / CARDS / f"{shard}.jsonl"


def steps_path(folder, sha256):
    """File of the steps with a digest."""
    return Path(folder) / STEPS / f"{sha256}.skops"


def delete_shard(folder, shard):
    """Delete a shard and its cards. What another process holds open stays, and is left over."""
    for path in (shard_path(folder, shard), cards_path(folder, shard)):
        with suppress(OSError):
            path.unlink()


class Shard:
    """One shard, memory-mapped.

    Parameters
    ----------
    path : path

    Raises
    ------
    ValueError
        If the file is missing, torn or no shard.
    """

    def __init__(self, path):
        self.path = path
        try:
            self._file = safe_open(path, "np")
            self.ids = list(self._file.keys())
        except (OSError, SafetensorError) as error:
            raise ValueError(
                f"{path} is missing or damaged ({type(error).__name__}: {error}). Put back a copy of the file, or let "
                "verify(repair=True) forget its models; all others are as they were."
            ) from error

    def read(self, model_id, sha256=None):
        """Read a model and check it.

        Parameters
        ----------
        model_id : str
        sha256 : str or None, default=None
            What the index says; None where there is no index, and the id must do.

        Returns
        -------
        block : bytes

        Raises
        ------
        ValueError
            If it is not what was written.
        """
        try:
            block = self._file.get_tensor(model_id).tobytes()
        except (AttributeError, SafetensorError) as error:
            raise ValueError(f"{self.path} has no model {model_id!r}. {_REMEDY}") from error
        found_id, found = block_id(block)
        if found_id != model_id or sha256 not in (None, found):
            raise ValueError(
                f"Model {model_id!r} in {self.path} is damaged: SHA-256 {found}, not {sha256 or model_id}. {_REMEDY}"
            )
        return block


_REMEDY = "Put back a copy of the file, or let verify(repair=True) forget this model; all others are as they were."


def read_steps(folder, sha256):
    """Read the steps around the networks and check them.

    Raises
    ------
    ValueError
        If the file is missing or is not what was written.
    """
    path = steps_path(folder, sha256)
    remedy = "Put back a copy of it: the models that share these steps need it."
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing. {remedy}") from error
    if block_id(content)[1] != sha256:
        raise ValueError(f"{path} is damaged: its SHA-256 is not its name. {remedy}")
    return content


def read_folder(folder):
    """Yield id, block, meta and (digest, bytes) of the steps of every model in a folder of shards, checked.

    Raises
    ------
    ValueError
        At the first thing that is not as it was written.
    """
    steps = {}
    for path in sorted((Path(folder) / SHARDS).glob("*.safetensors")):
        shard = Shard(path)
        for model_id in shard.ids:
            block = shard.read(model_id)
            meta = read_meta(block, f"Model {model_id!r} in {path}")
            sha256 = meta["steps"]
            if sha256 not in steps:
                steps[sha256] = read_steps(folder, sha256)
            yield model_id, block, meta, (sha256, steps[sha256])
