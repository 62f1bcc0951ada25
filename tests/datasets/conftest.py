import hashlib
import os
from pathlib import Path

import pytest

from sktaag.datasets import _remote


@pytest.fixture(scope="session")
def real_data():
    """Folder with the real raw files, laid out as SKTAAG_DATA; skips where there is none."""
    folder = Path(os.environ.get("SKTAAG_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not (folder / "molecules" / "raw").is_dir():
        pytest.skip("needs the raw data: set SKTAAG_DATA to a folder that holds molecules/raw")
    return folder


@pytest.fixture
def raw_files(tmp_path, monkeypatch):
    """Write raw files of our own: raw_files({registry key: content}) makes them the ones on record."""

    def write(contents):
        registry = dict(_remote.registry())
        for key, content in contents.items():
            content = content.encode() if isinstance(content, str) else content
            path = tmp_path / registry[key].path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            registry[key] = registry[key]._replace(sha256=hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(_remote, "registry", lambda: registry)
        monkeypatch.setenv("SKTAAG_DATA", str(tmp_path))

    return write
