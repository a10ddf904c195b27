"""Work outside the GUI thread, and the way back into it: every panel runs its jobs through here."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import create_worker
from napari.utils.notifications import notification_manager, show_error
from qtpy.QtCore import QObject, Signal
from superqt.utils import FunctionWorker

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import Job, Progress

REDRAW = 0.05


@dataclass(frozen=True)
class Failure:
    """An error of ours, carried as a value so that napari shows no traceback for it."""

    error: BiosegError


class JobWorker(FunctionWorker):
    """A napari worker around a `Job`: closing napari asks first, then cancels the job.

    Parameters
    ----------
    func : callable
        Called with the job.
    job : Job
        Cancelled by `quit`.
    """

    def __init__(self, func: Callable[[Job], Any], job: Job) -> None:
        super().__init__(func, job)
        self._job = job

    def quit(self) -> None:
        """Cancel the job and forget its result."""
        self._job.cancel()
        super().quit()

    def run(self) -> None:
        """Run without superqt's swap of `warnings.showwarning`, which two workers at once would leave swapped."""
        # Once napari is closing, Qt may have deleted the signals; nobody listens then.
        with suppress(RuntimeError):
            self.started.emit()
        self._running = True
        try:
            signal, outcome = "returned", self.work()
        except Exception as error:  # noqa: BLE001 - handed to napari, with its traceback
            signal, outcome = "errored", error
        self._running = False
        with suppress(RuntimeError):
            if not self.abort_requested:
                getattr(self, signal).emit(outcome)
            self.finished.emit()
            self._finished.emit(self)


class Task(QObject):
    """One job in a worker thread; signals arrive in the GUI thread.

    Parameters
    ----------
    work : callable
        Told the `Job`; returns the result. Runs in the worker thread.
    parent : QObject
        The widget that started it.
    expected : tuple of error classes
        Errors that the starter deals with itself; no notification is shown for them.
    """

    progressed = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object)
    finished = Signal()
    _told = Signal(object)

    def __init__(
        self, work: Callable[[Job], Any], parent: QObject, *, expected: tuple[type[BiosegError], ...] = ()
    ) -> None:
        super().__init__(parent)
        self.job = Job(self._listen)
        self._shown = float("-inf")
        self._expected = expected
        self._told.connect(self.progressed)
        self._worker = create_worker(
            _guarded(work), self.job, _worker_class=JobWorker, _start_thread=False, _ignore_errors=True
        )
        self._worker.returned.connect(self._returned)
        self._worker.errored.connect(self._errored)
        self.destroyed.connect(self.job.cancel)

    def start(self) -> Task:
        """Begin as soon as a thread is free."""
        self._worker.start()
        return self

    def cancel(self) -> None:
        """Ask the job to stop at its next step; what is done by then still arrives."""
        self.job.cancel()

    def _listen(self, progress: Progress) -> None:
        # Called from worker threads, maybe thousands of times a second: the signal queues it for the GUI thread.
        now = time.monotonic()
        if now - self._shown >= REDRAW or progress.done in (0, progress.total):
            self._shown = now
            try:
                self._told.emit(progress)
            except RuntimeError:  # the panel is gone
                self.job.cancel()

    def _returned(self, result: Any) -> None:
        if not isinstance(result, Failure):
            self.succeeded.emit(result)
        else:
            if not isinstance(result.error, self._expected):
                show_problem(result.error)
            self.failed.emit(result.error)
        self._end()

    def _errored(self, error: Exception) -> None:
        # A fault of ours, not of the user: napari shows it with its traceback.
        notification_manager.receive_error(type(error), error, error.__traceback__)
        self.failed.emit(error)
        self._end()

    def _end(self) -> None:
        self.finished.emit()
        self.deleteLater()


def show_problem(error: BiosegError) -> None:
    """Show one of our errors as a notification: its one line, no traceback."""
    show_error(str(error))


def _guarded(work: Callable[[Job], Any]) -> Callable[[Job], Any]:
    def guarded(job: Job) -> Any:
        try:
            return work(job)
        except BiosegError as error:
            return Failure(error)

    guarded.__name__ = getattr(work, "__name__", "bioseg")
    return guarded
