"""What the command line prints: progress and notes to stderr, results to stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer

from napari_bioseg.core.job import Job, Progress

_REDRAW = 0.1
_STDERR = 2
_LINES = 5.0


class _Line:
    """One line of progress: redrawn in place on a terminal, now and then in a log."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = float("-inf")
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        finished = progress.total > 0 and progress.done >= progress.total
        if now - self._shown < (_REDRAW if self._terminal else _LINES) and not finished:
            return
        self._shown = now
        text = str(progress)
        if self._terminal:
            typer.echo("\r" + text.ljust(self._width), nl=finished, err=True)
            self._width = 0 if finished else len(text)
        else:
            typer.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Write a line of its own, over the progress on a terminal."""
        line = f"warning: {text}"
        typer.echo("\r" + line.ljust(self._width) if self._width else line, err=True)
        self._width = 0


@contextmanager
def console_job() -> Iterator[Job]:
    """Yield a job that shows its progress and is cancelled by Ctrl-C (again: at once)."""
    line = _Line()
    job = Job(line, line.warn)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if job.cancelled:
            raise KeyboardInterrupt
        job.cancel()
        # Not through sys.stderr: the signal may have come in the middle of a write to it, and Python's buffered
        # writers refuse to be entered twice.
        os.write(_STDERR, b"\nstopping after this tile; press Ctrl-C again to leave at once\n")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield job
    finally:
        signal.signal(signal.SIGINT, before)
        for note in job.notes:
            typer.echo(f"note: {note}", err=True)


def show(result: dict[str, Any], text: str, as_json: bool) -> None:
    """Print a result for a person, or as one JSON object."""
    typer.echo(json.dumps(result, ensure_ascii=False) if as_json else text)


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows under a header, in aligned columns."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
