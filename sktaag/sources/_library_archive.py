"""Models in one file to hand on: a plain zip of shards and steps."""

import secrets
import shutil
import stat
import zipfile
from pathlib import Path

from sktaag.sources._library_shards import FILE

_UNREADABLE = (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


def write_archive(folder, path):
    """Zip the files of a folder; an existing file is replaced in one step.

    Parameters
    ----------
    folder : pathlib.Path
        Holds shards, cards and steps.
    path : pathlib.Path
        File to write.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with zipfile.ZipFile(temporary, "x") as archive:
            for member in sorted(folder.rglob("*.*")):
                archive.write(member, member.relative_to(folder).as_posix())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def extract_archive(path, folder):
    """Unzip an archive of models, if it holds nothing else.

    Parameters
    ----------
    path : pathlib.Path
        The archive.
    folder : path
        Where its files go.

    Raises
    ------
    ValueError
        If the file is torn, or a member is not what `write_archive` writes: a path that leads elsewhere, a link, a
        name that occurs twice. Then nothing is unzipped.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            seen = set()
            for member in archive.infolist():
                if reason := _objection(member, seen):
                    raise _RefusedError(
                        f"{path} is refused: its member {member.filename!r} {reason}. Nothing was imported; get an "
                        "archive that ModelLibrary.export has written."
                    )
                seen.add(member.filename)
            for member in archive.infolist():
                target = Path(folder, *member.filename.split("/"))
                target.parent.mkdir(exist_ok=True)
                with archive.open(member) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
    except FileNotFoundError:
        raise
    except _RefusedError as error:
        raise ValueError(str(error)) from None
    except _UNREADABLE as error:
        raise ValueError(
            f"{path} is damaged or no archive of models ({type(error).__name__}: {error}). Nothing was imported; get "
            "it again."
        ) from error


class _RefusedError(Exception):
    pass


def _objection(member, seen):
    """Say what is wrong with a member of a zip, or nothing."""
    if not FILE.fullmatch(member.filename):
        return "is neither a shard nor steps nor cards"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.filename in seen:
        return "occurs twice"
    if member.compress_type != zipfile.ZIP_STORED:
        return "is compressed, which export never does and a bomb would be"
    return None
