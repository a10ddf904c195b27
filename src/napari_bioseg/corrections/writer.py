"""The threads behind a journal: one writes each record at once, one has the disk confirm them now and then."""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import BiosegError, UnwritableFileError
from napari_bioseg.corrections.linefile import LineFile
from napari_bioseg.corrections.records import Record, encode

RETRY_S, SYNC_S = 2.0, 1.0
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Writer:
    """Writes records in the order in which they are put; those that the disk refuses stay in memory until it does not.

    Parameters
    ----------
    file : LineFile
    on_saved : callable
        Called with each record and the byte at which its line begins, from the writing thread.
    on_problem : callable
        Called with the error when the disk begins to refuse, once until all is written again; from a thread.
    """

    def __init__(
        self, file: LineFile, on_saved: Callable[[Record, int], None], on_problem: Callable[[BiosegError], None]
    ) -> None:
        self._file, self._on_saved, self._on_problem = file, on_saved, on_problem
        self._changed = threading.Condition()  # guards what follows
        self._pending: deque[Record] = deque()  # the first one is being written
        self._problem: UnwritableFileError | None = None
        self._told: set[str] = set()
        self._try_now = self._busy = self._unconfirmed = self._closing = self._over = False
        self._threads = [threading.Thread(target=t, name=t.__name__, daemon=True) for t in (self._write, self._confirm)]
        for thread in self._threads:
            thread.start()

    def put(self, record: Record) -> None:
        """Hand over a record; waits while the one before is being written, but not for a disk that refuses.

        Raises
        ------
        UnwritableFileError
            The writer has ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._pending or self._problem or self._over)
            if self._over:
                raise UnwritableFileError(str(self._file.path), "is closed", "Open the project again")
            self._pending.append(record)
            self._try_now = True
            self._changed.notify_all()

    def pending(self) -> tuple[Record, ...]:
        """Return what is not yet in the file, in order."""
        with self._changed:
            return tuple(self._pending)

    def flush(self) -> None:
        """Return when the disk has confirmed all; tries again at once what it refused before.

        Raises
        ------
        UnwritableFileError
            It still refuses.
        """
        with self._changed:
            self._try_now = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._pending or self._over or self._refused())
            if self._pending:
                raise self._problem or UnwritableFileError(str(self._file.path), "its writer has ended")
        with writing(self._file.path):
            self._file.sync()

    def close(self) -> None:
        """End both threads, without another try."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._file.close()

    def _refused(self) -> bool:
        return self._problem is not None and not self._try_now and not self._busy

    def _write(self) -> None:
        saved = True
        try:
            while self._next_try(saved):
                saved = self._save(self._pending[0])
        except Exception as error:  # no record of ours: what follows it cannot be written either
            problem = f"a step cannot be recorded ({error})"
            self._tell("write", UnwritableFileError(str(self._file.path), problem, "Save the labels as a file"))
            raise
        finally:  # nobody may wait for this thread any more
            with self._changed:
                self._over, self._busy = True, False
                self._changed.notify_all()

    def _next_try(self, saved: bool) -> bool:
        """Wait for something to write and, after a failure, for the time to try again; False to end."""
        with self._changed:
            if not saved:
                self._changed.wait_for(lambda: self._try_now or self._closing, RETRY_S)
            self._changed.wait_for(lambda: self._pending or self._closing)
            self._try_now, self._busy = False, not self._closing
            return self._busy

    def _save(self, record: Record) -> bool:
        try:
            offset = self._file.append(encode(record))
        except (OSError, MemoryError) as error:
            problem = unwritable(self._file.path, error, "; what is not saved is kept in memory until then")
            with self._changed:
                self._problem, self._busy = problem, False
                self._changed.notify_all()
            self._tell("write", problem)
            return False
        guarded(self._on_saved, record, offset)
        with self._changed:
            self._pending.popleft()
            self._problem, self._busy, self._unconfirmed = None, False, True
            if not self._pending:
                self._told.discard("write")
            self._changed.notify_all()
        return True

    def _confirm(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unconfirmed or self._closing)
                if self._closing:
                    return
                self._unconfirmed = False
            try:
                self._file.sync()
                self._told.discard("confirm")
            except OSError as error:
                self._tell("confirm", unwritable(self._file.path, error))
            with self._changed:
                self._changed.wait_for(lambda: self._closing, SYNC_S)

    def _tell(self, what: str, problem: BiosegError) -> None:
        if what not in self._told:
            self._told.add(what)
            guarded(self._on_problem, problem)


def unwritable(path: Path, error: OSError | MemoryError, until_then: str = "") -> UnwritableFileError:
    """Return what the system says as one of our errors."""
    number = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
    fix = "Free some space" if number in _FULL else "See that the folder is there and can be written"
    return UnwritableFileError(str(path), f"cannot be written ({reason})", fix + until_then)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a failed write into our error."""
    try:
        yield
    except BiosegError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error


def guarded(call: Callable[..., None], *arguments: Any) -> None:
    """Call what a window gave: what goes wrong there must not end the writing."""
    try:
        call(*arguments)
    except Exception:
        logging.getLogger(__name__).exception("told of the journal, the window failed")
