"""Outputs that appear complete or not at all; checksums."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_bioseg.core.errors import BiosegError, UnwritableFileError

_LEFTOVER = re.compile(r"\.[0-9a-f]{8}\.(part|old)\.")  # as `whole_or_nothing` names what it works on


@contextmanager
def whole_or_nothing(target: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it there on success, remove it on any error.

    Parameters
    ----------
    target : Path
        The file or folder to make. Its name's endings are kept on the temporary one, since writers
        choose a format by them.
    overwrite : bool
        Whether an existing target is replaced (only once the new one is complete).

    Raises
    ------
    UnwritableFileError
        The parent folder is missing, or the target exists and must not be replaced.
    """
    if not target.parent.is_dir():
        raise UnwritableFileError(str(target), f"the folder {target.parent} does not exist", "Make it first")
    if target.exists() and not overwrite:
        raise UnwritableFileError(str(target), "exists already", "Choose another name or allow overwriting")
    temporary = target.with_name(f".{uuid.uuid4().hex[:8]}.part.{target.name}")
    try:
        yield temporary
        _swap(temporary, target)
    finally:
        remove(temporary)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a failed write (disk full, no permission) into one of our errors.

    Raises
    ------
    UnwritableFileError
        Instead of any other `OSError`.
    """
    try:
        yield
    except BiosegError:
        raise
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise UnwritableFileError(str(path), problem, "Check free space and permissions") from error


def append_line(path: Path, line: str) -> None:
    """Append a line to a file; it is on disk when this returns. What a crash has cut before stays a line of its own."""
    with path.open("a+b") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 1))
        start = b"" if stream.read(1) in (b"", b"\n") else b"\n"
        stream.write(start + line.encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def _swap(new: Path, target: Path) -> None:
    # os.replace cannot put a folder over a non-empty one: move the old one aside first.
    if not target.is_dir():
        os.replace(new, target)
        return
    old = target.with_name(f".{uuid.uuid4().hex[:8]}.old.{target.name}")
    os.replace(target, old)
    try:
        os.replace(new, target)
    except BaseException:
        os.replace(old, target)
        raise
    remove(old)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path, endings: tuple[str, ...]) -> None:
    """Remove what processes that were killed left half written in a folder, of targets with some endings.

    Only for a folder that nobody else writes such targets to meanwhile.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if _LEFTOVER.match(path.name) and path.name.endswith(endings):
            remove(path)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree_sha256(path: Path) -> str:
    """Return one sha256 of all that a file, or a folder, holds: contents and relative names, nothing else."""
    if not path.is_dir():
        return file_sha256(path)
    total = hashlib.sha256()
    for file in sorted(f for f in path.rglob("*") if f.is_file()):
        total.update(f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n".encode())
    return total.hexdigest()
