"""Entries of a zip that came from elsewhere, taken out one by one and under names of our own choice."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_bioseg.core.errors import BiosegError, BrokenModelError, UnreadableFileError
from napari_bioseg.core.files import writing

AGAIN = "Ask for the file again"
_MOST_SMALLER = 100  # times that weights may shrink: no trained ones do by as much as two
_SMALL = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextmanager
def reading_zip(file: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip for reading.

    Raises
    ------
    UnreadableFileError
        The file is missing or no zip, or what is read of it is damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except BiosegError:
        raise
    except OSError as error:
        raise UnreadableFileError(str(file), f"cannot be read ({error.strerror or error})", "Check the path") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableFileError(str(file), f"is no zip, or a damaged one ({error})", AGAIN) from error


def check_entry(file: Path, entry: zipfile.ZipInfo, largest: int) -> None:
    """Refuse an entry that is no plain file, or would be larger than it may be once it is unpacked.

    Raises
    ------
    BrokenModelError
    """
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or entry.compress_type not in _METHODS:
        raise BrokenModelError(f"{file}: {entry.filename}", "is no plain file", AGAIN)
    packed = max(entry.compress_size * _MOST_SMALLER, _SMALL)
    if entry.file_size > min(largest, packed):
        problem = f"would be {entry.file_size / 2**20:,.0f} MiB, from {entry.compress_size / 2**20:,.0f} MiB"
        raise BrokenModelError(f"{file}: {entry.filename}", problem, AGAIN)


def unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Write an entry that was checked to `target`, whatever its own name is."""
    with archive.open(entry) as source, writing(target), target.open("wb") as stream:
        shutil.copyfileobj(source, stream)
