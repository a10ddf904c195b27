"""One program at a time works in a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from napari_bioseg.core.errors import UnwritableFileError

_LOCK, _PATIENCE = ".training.lock", 2.0  # seconds


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Hold a run while it is trained, so that no other program trains in it.

    Raises
    ------
    UnwritableFileError
        Another one does.
    """
    lock = FileLock(folder / _LOCK)
    try:
        # Whoever only looks lets go at once.
        lock.acquire(timeout=_PATIENCE)
    except Timeout as error:
        problem = "is at work in another window or terminal"
        raise UnwritableFileError(str(folder), problem, "Wait for it, or stop it there") from error
    try:
        yield
    finally:
        lock.release()


def is_busy(folder: Path) -> bool:
    """Whether a program trains in a run now."""
    if not (folder / _LOCK).is_file():
        return False
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:  # a folder that cannot be written
        return False
    lock.release()
    return False
