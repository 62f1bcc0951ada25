"""A model library hands its models on: as a file, or by the Hugging Face Hub."""

import hashlib
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

from sktaag.sources import _library_hub
from sktaag.sources._library_archive import extract_archive, write_archive
from sktaag.sources._library_blocks import read_meta
from sktaag.sources._library_shards import Shard, ShardWriter, read_folder, read_steps, shard_path

_KIND = ("property", "material", "dataset", "license")


class LibraryExchangeMixin:
    """Methods of `ModelLibrary` that copy models out of one library and into another."""

    def export(self, ids, file):
        """Write models to one file, to hand on.

        Parameters
        ----------
        ids : str, sequence of str, DataFrame or None
            A DataFrame is what `search` returns; None takes all.
        file : path
            A zip of shards, cards and steps. An existing one is replaced in one step.

        Returns
        -------
        sha256 : str
            Digest of the file, to hand to whoever imports it.

        Raises
        ------
        KeyError
            If a model is not there.
        ValueError
            If a model is damaged.
        """
        file = Path(file)
        with tempfile.TemporaryDirectory() as folder:
            self._copy(ids, Path(folder))
            write_archive(Path(folder), file)
        return _sha256(file)

    def import_(self, file, *, sha256=None):
        """Add the models of a file that `export` wrote: all of them or, if anything is wrong with it, none.

        Parameters
        ----------
        file : path
        sha256 : str or None, default=None
            Digest that the file must have.

        Returns
        -------
        ids : list of str
            Those that were there already included.

        Raises
        ------
        ValueError
            If the file is torn or was changed, holds anything that an export does not, or comes from a newer version.
        """
        file = Path(file)
        if sha256 is not None and (found := _sha256(file)) != sha256:
            raise ValueError(f"{file} has SHA-256 {found}, not {sha256}. Get the file again from where it came.")
        with tempfile.TemporaryDirectory() as folder:
            extract_archive(file, folder)
            return self._absorb(folder, file)

    def push(self, repo_id, *, ids=None, private=True, token=None, revision=None):
        """Make a repository of the Hugging Face Hub hold these models; needs ``pip install sktaag[hub]``.

        Parameters
        ----------
        repo_id : str
            As "user/name". It is made if there is none.
        ids : str, sequence of str, DataFrame or None, default=None
            A DataFrame is what `search` returns; None takes all.
        private : bool, default=True
            For a new repository.
        token : str or None, default=None
            None takes the one of the last login.
        revision : str or None, default=None
            Branch to write to.

        Returns
        -------
        url : str
            Of the commit.
        """
        with tempfile.TemporaryDirectory() as folder:
            kinds = self._copy(ids, Path(folder))
            Path(folder, "README.md").write_text(_readme(repo_id, kinds), encoding="utf-8")
            return _library_hub.upload(folder, repo_id, private=private, token=token, revision=revision)

    def pull(self, repo_id, *, token=None, revision=None):
        """Add the models of a repository that `push` wrote, with the checks of `import_`.

        Parameters
        ----------
        repo_id : str
        token : str or None, default=None
            None takes the one of the last login.
        revision : str or None, default=None
            Branch, tag or commit. A commit is what cannot change.

        Returns
        -------
        ids : list of str
            Those that were there already included.
        """
        with tempfile.TemporaryDirectory() as folder:
            _library_hub.download(repo_id, folder, token=token, revision=revision)
            return self._absorb(folder, repo_id)

    def _copy(self, ids, folder):
        """Write models into an empty folder, as shards; count them by property, material, data set and licence."""
        with self._index.transaction() as db:  # nothing is removed meanwhile
            if ids is None:
                ids = [model_id for (model_id,) in db.execute("SELECT id FROM models")]
            found = self._locate(dict.fromkeys(list_ids(ids)), db)
            writer, shard, kinds = ShardWriter(folder), None, Counter()
            for model_id, (name, sha256, steps, _) in sorted(found.items(), key=lambda item: item[1][0]):
                path = shard_path(self.path, name)
                shard = shard if shard is not None and shard.path == path else Shard(path)
                block = shard.read(model_id, sha256)
                meta = read_meta(block, f"Model {model_id!r} in {path}")
                kinds[tuple(meta["card"][key] for key in _KIND)] += 1
                writer.add(model_id, block, meta["card"])
                writer.add_steps(steps, read_steps(self.path, steps))
            writer.publish()
            writer.close()
        return kinds

    def _absorb(self, folder, origin):
        try:
            return self._store(read_folder(folder))
        except ValueError as error:
            raise ValueError(f"Nothing of {origin} was added: {error}") from error


def list_ids(ids):
    """List ids that are given as one, as several or as what `ModelLibrary.search` returns."""
    if isinstance(ids, str):
        return [ids]
    return list(ids["id"] if isinstance(ids, pd.DataFrame) else ids)


def _sha256(file):
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _readme(repo_id, kinds):
    """Front page of a repository on the Hub."""
    rows = sorted((*(text or "" for text in kind), f"{count:,}") for kind, count in kinds.items())
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    return f"""---
library_name: sktaag
tags: [chemistry, transfer-learning]
---

# {repo_id}

Source models for transfer learning, from a model library of sktaag.

```python
from sktaag.sources import ModelLibrary

library = ModelLibrary("models")
library.pull("{repo_id}")
```

| {" | ".join(_KIND)} | models |
|{"---|" * (len(_KIND) + 1)}
{table}
"""
