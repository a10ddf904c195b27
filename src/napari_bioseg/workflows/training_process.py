"""A training in a process of its own: neither its memory nor a crash of it touches the window.

The two talk in lines of JSON: the process tells on its stdout where it stands, and hears on its stdin ``pause``,
``go on``, ``finish`` and ``cancel``. When its stdin ends, since the window is gone, it stops as if it were cancelled:
the run can be resumed after the last complete epoch.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

from napari_bioseg.core.errors import Cancelled, WorkerError
from napari_bioseg.core.files import writing
from napari_bioseg.core.job import Job, Progress
from napari_bioseg.runs import find_run
from napari_bioseg.runs.run import METRICS

LOG = "process.log"
Lines: TypeAlias = queue.SimpleQueue[str | None]
_TURN = 0.1  # seconds between looks at the job
_PATIENCE = 30.0  # seconds that a process may take to end by itself


class TrainingProcess:
    """Trains by the recipe of a run; what was trained before is gone on with.

    Parameters
    ----------
    folder : Path
        Of the run, which has its ``recipe.yaml``.

    Raises
    ------
    UnreadableFileError
        The folder holds no run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = find_run(folder).folder
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def run(self, job: Job, on_epoch: Callable[[], None] = lambda: None) -> Path:
        """Train to the end.

        Parameters
        ----------
        job : Job
            Is told where the training stands; a stop of it is one of the training, whose run can be resumed.
        on_epoch : callable
            Called after each epoch, when ``metrics.jsonl`` and ``preview.npz`` of its network have been written.

        Returns
        -------
        Path
            The model's folder.

        Raises
        ------
        WorkerError
            What went wrong there, in one line; or the process was killed.
        Cancelled
            The job was stopped.
        UnwritableFileError
            The run cannot be written.
        """
        with writing(self.folder / LOG), (self.folder / LOG).open("a", encoding="utf-8") as log:
            self._process = process = _start(self.folder, log)
        lines: Lines = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        try:
            return self._follow(process, lines, job, on_epoch)
        finally:
            self._process = None
            _end(process)
            reader.join()

    def pause(self) -> None:
        """Wait after the step at work, until `go_on`; memory is kept."""
        self._tell("pause")

    def go_on(self) -> None:
        """End a pause."""
        self._tell("go on")

    def stop(self) -> None:
        """End after the epoch at work, and make the model of what was learnt by then."""
        self._tell("finish")

    def _follow(self, process: subprocess.Popen[str], lines: Lines, job: Job, on_epoch: Callable[[], None]) -> Path:
        told, known, model = False, _written(self.folder), None
        while model is None:
            if job.cancelled and not told:
                told = True
                self._tell("cancel")
            with suppress(queue.Empty):
                line = lines.get(timeout=_TURN)
                if line is None:
                    job.check()
                    raise WorkerError(str(self.folder), _how_it_ended(process), "Resume the run to go on from there")
                model = _hear(json.loads(line), self.folder, job)
            if (now := _written(self.folder)) != known:
                known = now
                on_epoch()
        return model

    def _tell(self, word: str) -> None:
        with self._lock:
            stdin = self._process.stdin if self._process is not None else None
            if stdin is not None:
                # It may have ended just now; then there is nothing to tell any more.
                with suppress(OSError, ValueError):
                    stdin.write(f"{word}\n")
                    stdin.flush()


def _hear(said: dict[str, Any], folder: Path, job: Job) -> Path | None:
    """Pass on what the process said; returns the model once it is made."""
    if "progress" in said:
        job.show(Progress(**said["progress"]))
    elif "note" in said:
        job.note(said["note"])
    elif "cancelled" in said:
        raise Cancelled(str(folder), "cancelled", "Resume the run to go on after its last epoch")
    elif "error" in said:
        raise WorkerError(*said["error"])
    return Path(said["model"]) if "model" in said else None


def _written(folder: Path) -> int:
    """Return how long the metrics are, also those of the networks of an ensemble or of folds.

    A line comes with each epoch, after all that belongs to it but its weights.
    """
    return sum(path.stat().st_size for under in ("", "*/", "*/*/") for path in folder.glob(under + METRICS))


def _start(folder: Path, log: IO[str]) -> subprocess.Popen[str]:
    # -P: nothing is imported from the folder that the window happens to be in.
    command = [sys.executable, "-P", "-m", "napari_bioseg.workflows.training_worker", str(folder)]
    return subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8"
    )


def _read(process: subprocess.Popen[str], lines: Lines) -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    for line in process.stdout:
        lines.put(line)
    process.wait()
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """Close the pipe, at which the process stops by itself; one that does not is killed."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _how_it_ended(process: subprocess.Popen[str]) -> str:
    if process.returncode < 0:
        return f"its process was killed (signal {-process.returncode}), maybe for want of memory"
    return f"its process ended without a word (exit code {process.returncode}); {LOG} there says more"
