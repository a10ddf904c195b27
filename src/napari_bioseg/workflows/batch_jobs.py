"""Workers that a batch starts itself, by a description in YAML: jobs of a queue, SLURM's for one."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import MissingDependencyError, RecipeError, WorkerError
from napari_bioseg.core.options import read_yaml

_EVERY = 5.0  # seconds between looks at whether jobs have ended


class Jobs:
    """As many workers as the description says, for as long as the batch lasts.

    Parameters
    ----------
    path : Path
        Mapping in YAML: ``class`` is one of `dask_jobqueue`, e.g. ``SLURMCluster``, or ``LocalCluster``; ``workers``
        says how many; everything else goes to the class.

    Attributes
    ----------
    cluster : distributed.SpecCluster
        Has been started; to be closed by the caller.

    Raises
    ------
    MissingDependencyError
        dask-jobqueue is not installed.
    RecipeError
        The description is wrong.
    """

    def __init__(self, path: Path) -> None:
        values, self._path, self._looked = read_yaml(path), path, time.monotonic()
        name, self._workers = str(values.pop("class", "")), values.pop("workers", 1)
        if not (isinstance(self._workers, int) and self._workers > 0):
            raise RecipeError(str(path), f"workers is {self._workers!r}", "Give the number of workers, 1 or more")
        kind = _class(path, name)
        if hasattr(kind, "job_cls"):
            values["job_cls"] = _telling(kind.job_cls)
        try:
            self.cluster = kind(**values)
        except (TypeError, ValueError, RuntimeError, OSError) as error:
            problem = f"{name} cannot be started so ({error})"
            raise RecipeError(str(path), problem, "Look at its documentation") from error
        self.cluster.scale(self._workers)

    def keep(self) -> None:
        """Ask anew for jobs that have ended, now and then: a queue ends each at its walltime.

        Raises
        ------
        WorkerError
            The queue refuses, and no job is left.
        """
        if time.monotonic() - self._looked > _EVERY:
            self._looked = time.monotonic()
            self.check()
            self.cluster.scale(self._workers)  # dask itself only notes that a worker is gone

    def check(self) -> None:
        """Tell when the queue has refused all jobs.

        Raises
        ------
        WorkerError
            So it is; names what the queue said.
        """
        refusals = [getattr(job, "refusal", "") for job in list(self.cluster.workers.values())]
        if refusals and all(refusals):
            fix = f"Check {self._path.name}, and that jobs can be submitted from this computer"
            raise WorkerError(str(self._path), f"no job was taken ({refusals[0]})", fix)


def _class(path: Path, name: str) -> Any:
    room = "distributed" if name == "LocalCluster" else "dask_jobqueue"
    wrong = RecipeError(str(path), f"class {name!r} is no cluster", "Name one of dask_jobqueue, e.g. SLURMCluster")
    if not (name.isidentifier() and name.endswith("Cluster")):
        raise wrong
    try:
        kind = getattr(importlib.import_module(room), name, None)
    except ImportError as error:
        raise MissingDependencyError(room, "is not installed here", "pip install 'napari-bioseg[cluster]'") from error
    if kind is None:
        raise wrong
    return kind


def _telling(job_class: Any) -> Any:
    """Return a class of jobs that keep a refusal: dask would write it as a traceback, and wait for the worker."""
    from distributed.core import Status

    class Job(job_class):  # type: ignore[misc]
        refusal = ""

        async def start(self) -> None:
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                missing = isinstance(error, FileNotFoundError)
                self.refusal = f"{self.submit_command}: no such command here" if missing else _reason(error)
                self.status = Status.running  # as dask wants it of a job that has been asked for

    Job.__name__ = job_class.__name__  # which dask-jobqueue names in what it says
    return Job


def _reason(error: Exception) -> str:
    """Return what the queue said, of all that dask-jobqueue tells around it."""
    return str(error).rpartition("stderr:")[2].strip() or str(error)
