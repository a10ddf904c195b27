"""The journal: every step is on disk as it is made, and painting does not wait for the disk.

A step is written by a thread as soon as it is handed over, straight to the file, so that it outlives the process; a
second thread has the disk confirm it at most once a second, so that it outlives a power cut. When the disk refuses,
what is not written stays in memory, in order, and is tried again.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from napari_bioseg.core.errors import BiosegError, UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.corrections.change import Change
from napari_bioseg.corrections.contents import FORMAT, VERSION, Contents, opened, read_journal, read_step
from napari_bioseg.corrections.linefile import LineFile, set_aside, write_down
from napari_bioseg.corrections.records import Record, Step
from napari_bioseg.corrections.replay import replay
from napari_bioseg.corrections.sealing import seal
from napari_bioseg.corrections.writer import Writer, writing

__all__ = ["Contents", "Journal", "read_journal", "replay"]

Told = Callable[[BiosegError], None]
Counted = Callable[[int], None]

_open: set[Path] = set()  # two writers would cut off what the other has written


class Journal:
    """Appends to a new journal; `resume` goes on with one.

    Parameters
    ----------
    path : Path
        Must not be there.
    header : mapping
        What else its first line says, as plain JSON: what is corrected.
    on_problem : callable
        Called with the error when the disk begins to refuse, once until all is written again. From another thread.
    on_written : callable, optional
        Called with `written` after each record, from another thread; it must not call the journal.

    Attributes
    ----------
    path : Path
    written : int
        How many records the file holds.

    Raises
    ------
    UnwritableFileError
        The file is there or cannot be made.
    """

    path: Path
    written: int
    _closed: bool
    _writer: Writer

    def __init__(
        self, path: Path, header: Mapping[str, Any], *, on_problem: Told, on_written: Counted | None = None
    ) -> None:
        line = seal({"format": FORMAT, "version": VERSION, **header})
        with writing(path), whole_or_nothing(path, overwrite=False) as part:
            write_down(part, line)
        self._begin(path, Contents({}, good_size=len(line)), on_problem, on_written)

    @classmethod
    def resume(cls, path: Path, contents: Contents, *, on_problem: Told, on_written: Counted | None = None) -> Self:
        """Go on with a journal.

        Parameters
        ----------
        path : Path
        contents : Contents
            What was just read from it. Bytes that were left out there are moved to the end of a file beside it, whose
            name ends in ``.cut``.
        on_problem, on_written : callable
            As for a new journal.

        Raises
        ------
        UnwritableFileError
            It cannot be written, is open already, or was changed since it was read.
        """
        journal = cls.__new__(cls)
        journal._begin(path, contents, on_problem, on_written)
        return journal

    def append(self, record: Record) -> None:
        """Hand a record to the writer; waits, about a millisecond, while the one before is still being written.

        Raises
        ------
        UnwritableFileError
            The journal is closed.
        """
        self._writer.put(record)

    def read(self, step: int) -> Change:
        """Return a step, from the file once it is there.

        Raises
        ------
        KeyError
            There is none of that number.
        UnreadableFileError
            The file was removed or damaged meanwhile.
        """
        for record in self._writer.pending():
            if isinstance(record, Step) and record.id == step:
                return record.change
        with opened(self.path) as stream:
            return read_step(self.path, stream, self._offsets[step])

    def flush(self) -> None:
        """Return when the disk confirmed all; raises `UnwritableFileError` when it refuses."""
        self._writer.flush()

    def close(self) -> None:
        """Flush and end; closing again does nothing. Happens by itself when Python ends.

        Raises
        ------
        UnwritableFileError
            The disk refuses, and what is not written is lost: `flush` first to let the user mend it.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._writer.flush()
        except UnwritableFileError as error:
            lost = len(self._writer.pending())
            problem = f"{error.problem}; {lost} steps are lost" if lost else error.problem
            raise UnwritableFileError(str(self.path), problem) from error
        finally:
            self._writer.close()
            _open.discard(self.path.resolve())
            atexit.unregister(self._at_exit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, path: Path, contents: Contents, on_problem: Told, on_written: Counted | None) -> None:
        if path.resolve() in _open:
            raise UnwritableFileError(str(path), "is being written already", "Go on in the layer that shows it")
        with writing(path):
            set_aside(path, contents.good_size, contents.cut_bytes)
            file = LineFile(path, contents.good_size)
        self.path, self.written, self._closed = path, len(contents.records), False
        self._offsets, self._on_written = dict(contents.offsets), on_written
        self._writer = Writer(file, self._saved, on_problem)
        _open.add(path.resolve())
        atexit.register(self._at_exit)

    def _saved(self, record: Record, offset: int) -> None:
        if isinstance(record, Step):
            self._offsets[record.id] = offset
        self.written += 1
        if self._on_written is not None:
            self._on_written(self.written)

    def _at_exit(self) -> None:
        try:
            self.close()
        except UnwritableFileError as error:
            sys.stderr.write(f"{error}\n")
