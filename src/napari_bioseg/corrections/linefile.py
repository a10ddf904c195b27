"""A file that grows by whole lines, whatever the disk does."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from io import FileIO
from pathlib import Path


class LineFile:
    """Appends lines to a file that is there; unbuffered, so that what was appended outlives the process.

    One thread appends; any may call `sync`.

    Parameters
    ----------
    path : Path
    size : int
        Where the last whole line ends; what the file holds beyond is cut off.

    Raises
    ------
    OSError
        As every method: the disk, or the file on it, refuses.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self._file: FileIO | None = None
        self._file = self._opened()

    def append(self, line: bytes) -> int:
        """Write a line, whole or not at all, and return the byte at which it begins.

        After a failure the file is opened anew: the disk may have been away meanwhile.
        """
        file = self._file = self._opened()
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            with suppress(OSError):
                file.truncate(self.size)
            self.close()
            raise
        self.size += len(line)
        return self.size - len(line)

    def sync(self) -> None:
        """Wait until the disk holds what was written; also notices when the file was removed or replaced."""
        with self.path.open("r+b") as same:
            if not os.path.samestat(os.fstat(same.fileno()), self._identity):
                raise FileNotFoundError(0, "it was replaced by another file")
            os.fsync(same.fileno())

    def close(self) -> None:
        """Close the file; the next `append` opens it again."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    def _opened(self) -> FileIO:
        if self._file is not None:
            return self._file
        file = self.path.open("r+b", buffering=0)
        try:
            if file.seek(0, 2) < self.size:
                raise OSError(0, "it became shorter")
            file.truncate(self.size)
            file.seek(self.size)
        except OSError:
            file.close()
            raise
        self._identity = os.fstat(file.fileno())
        return file


def write_down(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk holds it."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def set_aside(path: Path, keep: int, rest: int) -> None:
    """Copy what a file holds beyond `keep` bytes to the end of one beside it, whose name ends in ``.cut``.

    Raises
    ------
    OSError
        Among others, where that is not `rest` bytes: the file was changed meanwhile.
    """
    with path.open("rb") as stream:
        if stream.seek(0, 2) != keep + rest:
            raise OSError(0, "it was changed since it was read")
        if rest:
            stream.seek(keep)
            with path.with_name(f"{path.name}.cut").open("ab") as kept:
                shutil.copyfileobj(stream, kept)
                kept.flush()
                os.fsync(kept.fileno())
