import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sktaag.datasets import _remote
from sktaag.datasets._remote import RemoteFile, fetch_file, registry

CONTENT = b"smiles,value\nCCO,1.0\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def origin():
    """A web server on this machine; `served` maps paths to contents, `requests` lists what was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests.append(self.path)
            content = self.server.served.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.served, server.requests = {}, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def remote(origin, monkeypatch):
    monkeypatch.delenv("SKTAAG_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    file = RemoteFile("a/b", "molecules/raw/a/b.csv", f"http://127.0.0.1:{origin.server_port}/b.csv", SHA256, "MIT")
    monkeypatch.setattr(_remote, "registry", lambda: {file.key: file})
    return file


def test_download_once(origin, remote, tmp_path):
    origin.served["/b.csv"] = CONTENT
    path = fetch_file("a/b", data_home=tmp_path)
    assert path == tmp_path / remote.path
    assert path.read_bytes() == CONTENT
    assert fetch_file("a/b", data_home=tmp_path) == path
    assert origin.requests == ["/b.csv"]


def test_damaged_cache_is_downloaded_again(origin, remote, tmp_path):
    origin.served["/b.csv"] = CONTENT
    path = fetch_file("a/b", data_home=tmp_path)
    path.write_bytes(b"torn")
    assert fetch_file("a/b", data_home=tmp_path).read_bytes() == CONTENT


def test_wrong_hash_is_refused_and_not_kept(origin, remote, tmp_path):
    origin.served["/b.csv"] = b"<html>moved</html>"
    found = hashlib.sha256(b"<html>moved</html>").hexdigest()
    with pytest.raises(ValueError, match=r"molecules/raw/a/b\.csv") as error:
        fetch_file("a/b", data_home=tmp_path)
    for part in (found, SHA256, remote.url, "was not kept", "SKTAAG_DATA"):
        assert part in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_gone_url_says_where_and_what_else(remote, tmp_path):
    with pytest.raises(OSError, match="404") as error:
        fetch_file("a/b", data_home=tmp_path)
    for part in (remote.url, str(tmp_path / remote.path), "SKTAAG_DATA", remote.path):
        assert part in str(error.value)


def test_no_network(origin, remote, tmp_path):
    origin.shutdown()
    origin.server_close()
    with pytest.raises(
        OSError, match=r"Could not download .* Without a network, set the environment variable SKTAAG_DATA"
    ):
        fetch_file("a/b", data_home=tmp_path)


def test_local_folder_comes_first(origin, remote, tmp_path, monkeypatch):
    local = tmp_path / "local" / remote.path
    local.parent.mkdir(parents=True)
    local.write_bytes(CONTENT)
    monkeypatch.setenv("SKTAAG_DATA", str(tmp_path / "local"))
    assert fetch_file("a/b", data_home=tmp_path / "home") == local
    assert origin.requests == []


def test_wrong_hash_in_local_folder_is_refused_but_left_alone(origin, remote, tmp_path, monkeypatch):
    local = tmp_path / remote.path
    local.parent.mkdir(parents=True)
    local.write_bytes(b"edited")
    monkeypatch.setenv("SKTAAG_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="Replace the file in your SKTAAG_DATA folder") as error:
        fetch_file("a/b", data_home=tmp_path / "home")
    assert str(local) in str(error.value)
    assert local.read_bytes() == b"edited"
    assert origin.requests == []


def test_missing_in_local_folder_is_downloaded(origin, remote, tmp_path, monkeypatch):
    origin.served["/b.csv"] = CONTENT
    (tmp_path / "local").mkdir()
    monkeypatch.setenv("SKTAAG_DATA", str(tmp_path / "local"))
    assert fetch_file("a/b", data_home=tmp_path / "home") == tmp_path / "home" / remote.path


def test_local_folder_must_exist(remote, tmp_path, monkeypatch):
    monkeypatch.setenv("SKTAAG_DATA", str(tmp_path / "typo"))
    with pytest.raises(NotADirectoryError, match=r"SKTAAG_DATA is .*typo.* not a folder"):
        fetch_file("a/b", data_home=tmp_path)


def test_progress_bar(origin, remote, tmp_path, capfd):
    origin.served["/b.csv"] = CONTENT
    fetch_file("a/b", data_home=tmp_path, verbose=True)
    assert "100%" in capfd.readouterr().err


def test_registry_is_well_formed():
    files = registry()
    assert len(files) == 159
    assert len({file.path for file in files.values()}) == len(files)
    for key, file in files.items():
        assert key == file.key
        assert file.url.startswith("https://")
        assert len(file.sha256) == 64
        assert set(file.sha256) <= set("0123456789abcdef")
        assert file.licence
        assert file.path.split("/")[0] in {"molecules", "atoms"}
