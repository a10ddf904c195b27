"""The process of a training: ``python -m napari_bioseg.workflows.training_worker RUN``. See `training_process`."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Protocol

from napari_bioseg.core.errors import BiosegError, Cancelled
from napari_bioseg.core.job import Job


class Say(Protocol):
    """How the process tells something: called from any thread."""

    def __call__(self, **said: Any) -> None:
        """Tell plain values."""


def saying(stream: IO[str]) -> Say:
    """Return how to tell things to a stream, one line each."""
    lock = threading.Lock()

    def say(**said: Any) -> None:
        with lock:
            stream.write(json.dumps(said) + "\n")
            stream.flush()

    return say


def main(folder: Path, heard: IO[str], say: Say) -> None:
    """Train, say where it stands, and do what is heard."""
    from napari_bioseg.training.recipe import read_recipe
    from napari_bioseg.workflows.training import train

    job = Job(lambda progress: say(progress=asdict(progress)))
    threading.Thread(target=_obey, args=(heard, job), daemon=True).start()
    try:
        model = train(read_recipe(folder / "recipe.yaml"), folder, job=job)
    except Cancelled:
        say(cancelled=True)
    except BiosegError as error:
        say(error=[error.subject, error.problem, error.fix])
    except OSError as error:
        fix = "Check free space and permissions, then resume the run"
        say(error=[str(error.filename or folder), error.strerror or str(error), fix])
    else:
        for note in job.notes:
            say(note=note)
        say(model=str(model))


def _obey(heard: IO[str], job: Job) -> None:
    does = {"pause": job.pause, "go on": job.go_on, "finish": job.finish, "cancel": job.cancel}
    for line in heard:
        does[line.strip()]()
    # The window is gone: what was learnt up to the last epoch is on disk.
    job.cancel()


if __name__ == "__main__":
    # Lines of ours alone go to the pipe, whatever libraries print.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(Path(sys.argv[1]), sys.stdin, saying(pipe))
