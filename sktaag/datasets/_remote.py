"""Find the raw files of the data sets: in a local folder, in the cache, or at their origin."""

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pooch


class RemoteFile(NamedTuple):
    """One raw file at a fixed commit of a public repository."""

    key: str
    path: str
    url: str
    sha256: str
    licence: str


@cache
def registry() -> dict[str, RemoteFile]:
    """All raw files that the fetchers know, by key."""
    with files(__package__).joinpath("_registry.csv").open(encoding="utf-8") as lines:
        table = pd.read_csv(lines)
    return {row[0]: RemoteFile(*row) for row in table.itertuples(index=False, name=None)}


def fetch_file(key: str, *, data_home=None, verbose: bool = False) -> Path:
    """Path of a raw file whose content has been checked.

    A file below the folder that the environment variable ``SKTAAG_DATA`` names comes first, then `data_home`, then
    the origin on the web.

    Parameters
    ----------
    key : str
        Name of the file in the registry.
    data_home : path-like or None, default=None
        Where downloads are kept. None is the user's cache folder, ``pooch.os_cache("sktaag")``.
    verbose : bool, default=False
        Show a progress bar while downloading.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    ValueError
        If the content differs from the SHA-256 on record. A bad download is not kept.
    OSError
        If the file cannot be downloaded, or if ``SKTAAG_DATA`` is not a folder.
    """
    remote = registry()[key]
    if local := local_file(remote):
        return local
    home = pooch.os_cache("sktaag") if data_home is None else Path(data_home).expanduser()
    target = home / remote.path
    try:
        pooch.retrieve(
            remote.url,
            known_hash=f"sha256:{remote.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=_CheckedDownload(remote, verbose),
        )
    except OSError as error:
        raise OSError(
            f"Could not download {remote.url} to {target}: {error}. Without a network, set the environment variable "
            f"SKTAAG_DATA to a folder that holds {remote.path}."
        ) from error
    return target


def local_file(remote: RemoteFile) -> Path | None:
    """Path of a raw file below ``SKTAAG_DATA`` whose content has been checked, or None if there is none."""
    folder = os.environ.get("SKTAAG_DATA")
    if not folder:
        return None
    if not Path(folder).expanduser().is_dir():
        raise NotADirectoryError(f"SKTAAG_DATA is {folder!r}, which is not a folder. Correct it or unset it.")
    local = Path(folder).expanduser() / remote.path
    if not local.is_file():
        return None
    _check_hash(local, remote, "Replace the file in your SKTAAG_DATA folder, or move it away to download it.")
    return local


class _CheckedDownload:
    """pooch's downloader, with a check of our own so that the message can say what to do."""

    def __init__(self, remote: RemoteFile, verbose: bool) -> None:
        self.remote = remote
        self.verbose = verbose

    def __call__(self, url, output_file, pooch_object) -> None:
        download = pooch.HTTPDownloader(progressbar=self.verbose)
        download(url, output_file, pooch_object)
        _check_hash(
            output_file,
            self.remote,
            "The download was not kept. Try again; if it fails again, the file has changed at its origin: report it, "
            "or set SKTAAG_DATA to a folder with the old one.",
        )


def _check_hash(path, remote: RemoteFile, advice: str) -> None:
    found = pooch.file_hash(path, alg="sha256")
    if found != remote.sha256:
        raise ValueError(
            f"{remote.path} ({path}) has SHA-256 {found}, expected {remote.sha256} as in {remote.url}. {advice}"
        )
