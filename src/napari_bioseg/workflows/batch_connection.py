"""How a batch reaches a scheduler of dask."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.errors import MissingDependencyError, WorkerError
from napari_bioseg.workflows.batch_jobs import Jobs

if TYPE_CHECKING:
    from distributed import Client

_PATIENCE = 10.0  # seconds to reach a scheduler
# Otherwise all that this process computes beside it would go to the cluster, and wait for ever where that is gone.
_OURS: dict[str, Any] = {"set_as_default": False}
_CHECK = "Check the address, and that 'dask scheduler' runs there"


@dataclass(frozen=True)
class Connection:
    """A scheduler that answers.

    Attributes
    ----------
    client : distributed.Client
    name : str
        What the user calls it.
    jobs : Jobs, optional
        Its workers, where they were started here.
    """

    client: Client
    name: str
    jobs: Jobs | None = None

    @property
    def waiting(self) -> str:
        """What is said for as long as there is no worker."""
        line = f"Waiting for a worker of {self.name}"
        return f"{line}; if none comes, read what its jobs wrote" if self.jobs else line


def connect(scheduler: str, stack: ExitStack) -> Connection:
    """Return a connection, closed with `stack`.

    Parameters
    ----------
    scheduler : str
        An address (``tcp://host:8786``), a scheduler file (``.json``, as ``dask scheduler --scheduler-file`` writes
        it), or a description of a cluster (``.yaml``, see `Jobs`). A cluster that is started here is stopped here.

    Raises
    ------
    MissingDependencyError
        dask.distributed, or dask-jobqueue, is not installed.
    RecipeError
        The description of a cluster is wrong.
    WorkerError
        Nobody answers, or the queue refuses all jobs.
    """
    try:
        from distributed import Client
    except ImportError as error:
        fix = "pip install 'napari-bioseg[cluster]'"
        raise MissingDependencyError("dask.distributed", "is not installed here", fix) from error
    path, lost = Path(scheduler), WorkerError(f"scheduler {scheduler}", "does not answer", _CHECK)
    if path.suffix in (".yaml", ".yml"):
        jobs = Jobs(path)
        stack.enter_context(jobs.cluster)
        # Which waits until the queue has answered for each job.
        client = stack.enter_context(Client(jobs.cluster, **_OURS))
        jobs.check()
        return Connection(client, scheduler, jobs)
    where: dict[str, Any] = {"scheduler_file": str(path)} if path.suffix == ".json" else {"address": scheduler}
    if path.suffix == ".json" and not path.is_file():
        raise lost  # dask would wait for the file for ever
    try:
        return Connection(stack.enter_context(Client(**where, **_OURS, timeout=_PATIENCE)), scheduler)
    except (OSError, ValueError, TimeoutError) as error:
        raise lost from error
