"""How a long job tells its progress and is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from napari_bioseg.core.errors import Cancelled

log = logging.getLogger("napari_bioseg")


@dataclass(frozen=True)
class Progress:
    """Where a job stands.

    Attributes
    ----------
    done, total : int
        Steps; `total` is 0 while unknown.
    elapsed : float
        Seconds since the stage began.
    message : str
        What is being done, for the user.
    before : int
        Steps that were done before the stage began, e.g. by a run that is resumed.
    unit : str
        What is counted, where that does not go without saying.
    """

    done: int
    total: int
    elapsed: float
    message: str
    before: int = 0
    unit: str = ""

    @property
    def remaining(self) -> float | None:
        """Seconds left by the mean pace so far; None before the first step."""
        made = self.done - self.before
        if made <= 0 or not self.total:
            return None
        return self.elapsed / made * (self.total - self.done)

    def __str__(self) -> str:
        left = self.remaining
        tail = "" if left is None else f", {format_duration(left)} left"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.message} {self.done}/{self.total}{unit}{tail}" if self.total else self.message


class Job:
    """Handed down through a long computation; safe to use from several threads.

    Parameters
    ----------
    listener : callable, optional
        Called with a `Progress` after each step, from whichever thread made it.
    warn : callable, optional
        Called with what the user should know before the job goes on; without it, that is logged.
    """

    def __init__(
        self, listener: Callable[[Progress], None] | None = None, warn: Callable[[str], None] | None = None
    ) -> None:
        self._listener, self._warn = listener, warn or log.warning
        self._stop = threading.Event()
        self._enough = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._lock = threading.Lock()
        self._done = self._total = self._before = 0
        self._message = self._unit = ""
        self._began = time.monotonic()
        self.notes: list[str] = []

    def stage(self, message: str, total: int = 0, before: int = 0, unit: str = "") -> None:
        """Begin a stage of `total` steps, of which some were done before."""
        with self._lock:
            self._done, self._total, self._message, self._before = before, total, message, before
            self._began, self._unit = time.monotonic(), unit
        self._tell()

    def rename(self, message: str) -> None:
        """Say what is being done now, within the same stage."""
        with self._lock:
            self._message = message
        self._tell()

    def part(self, listener: Callable[[Progress], None] | None = None) -> Job:
        """Return a job for a part of this one: it is paused and stopped with it, and counts steps of its own."""
        part = Job(listener, self._warn)
        part._stop, part._enough, part._going = self._stop, self._enough, self._going
        return part

    def step(self, n: int = 1) -> None:
        """Count `n` finished steps; waits while the job is paused, raises `Cancelled` when the user has stopped it."""
        with self._lock:
            self._done += n
        self._tell()
        self._wait()
        self.check()

    def show(self, progress: Progress) -> None:
        """Stand where a job in another process stands, by the clock of that."""
        with self._lock:
            self._done, self._total, self._before = progress.done, progress.total, progress.before
            self._message, self._unit = progress.message, progress.unit
            self._began = time.monotonic() - progress.elapsed
        self._tell()

    def note(self, text: str) -> None:
        """Keep a remark for the user and for the provenance (a fallback taken, a size assumed)."""
        with self._lock:
            if text not in self.notes:
                self.notes.append(text)

    def warn(self, text: str) -> None:
        """Tell the user something at once, in one line; the job goes on."""
        self._warn(text)

    def cancel(self) -> None:
        """Ask the job to stop at its next step."""
        self._stop.set()
        self._going.set()

    def pause(self) -> None:
        """Ask the job to wait at its next step, until `go_on`."""
        self._going.clear()

    def go_on(self) -> None:
        """End a pause."""
        self._going.set()

    @property
    def paused(self) -> bool:
        """Whether `pause` was called, and neither `go_on` nor what ends the job since."""
        return not self._going.is_set()

    def finish(self) -> None:
        """Tell a job that goes on for as long as it is useful that this is enough: it ends well, and soon."""
        self._enough.set()
        self._going.set()

    @property
    def finishing(self) -> bool:
        """Whether `finish` was called."""
        return self._enough.is_set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raise `Cancelled` when the user has stopped the job."""
        if self.cancelled:
            raise Cancelled(self._message or "job", "cancelled", "What was finished is kept")

    def _wait(self) -> None:
        if self._going.is_set():
            return
        began = time.monotonic()
        # In turns: a pause that crosses with a stop must not outlast it.
        while not (self._going.wait(0.5) or self.cancelled or self.finishing):
            pass
        with self._lock:
            # A pause is no time that the work took: the time left is told by the pace.
            self._began += time.monotonic() - began

    def _tell(self) -> None:
        if self._listener is not None:
            with self._lock:
                elapsed = time.monotonic() - self._began
                now = Progress(self._done, self._total, elapsed, self._message, self._before, self._unit)
            self._listener(now)


def format_duration(seconds: float) -> str:
    """Return ``"42 s"``, ``"3 min 05 s"`` or ``"1 h 02 min"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
