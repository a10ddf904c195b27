"""A batch on dask.distributed: images, and tiles of large ones, on many machines that share a disk."""

from __future__ import annotations

import importlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask

from napari_bioseg.core.errors import MissingDependencyError, RecipeError, WorkerError
from napari_bioseg.core.options import read_yaml
from napari_bioseg.workflows.batch_cores import share_of, shares
from napari_bioseg.workflows.batch_here import Ended
from napari_bioseg.workflows.batch_progress import NETWORK, BatchProgress
from napari_bioseg.workflows.batch_record import Record
from napari_bioseg.workflows.batch_task import Task
from napari_bioseg.workflows.batch_work import failed, finish, run_tiles, start, told

if TYPE_CHECKING:
    from distributed import Client, Future

_PATIENCE = 10.0  # seconds to reach a scheduler
_GLANCE = 0.05  # seconds between looks
_SHARES = 4  # into how many parts, for each worker, the tiles of an image are cut
_CHECK = "Check the address, and that 'dask scheduler' runs there"
_RETRIES = 1  # of a step that failed; what a dead worker was at is done again in any case


def connect(scheduler: str, stack: ExitStack) -> Client:
    """Return a client, closed with `stack`.

    Parameters
    ----------
    scheduler : str
        An address (``tcp://host:8786``), a scheduler file (``.json``, as ``dask scheduler --scheduler-file`` writes
        it), or a description of a cluster (``.yaml``: ``class`` is one of `dask_jobqueue`, e.g. ``SLURMCluster``, or
        ``LocalCluster``; ``workers`` says how many; everything else goes to the class). A cluster that is started here
        is stopped here.

    Raises
    ------
    MissingDependencyError
        dask.distributed, or dask-jobqueue, is not installed.
    RecipeError
        The description of a cluster is wrong.
    WorkerError
        Nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        fix = "pip install 'napari-bioseg[cluster]'"
        raise MissingDependencyError("dask.distributed", "is not installed here", fix) from error
    path, lost = Path(scheduler), WorkerError(f"scheduler {scheduler}", "does not answer", _CHECK)
    if path.suffix in (".yaml", ".yml"):
        return stack.enter_context(Client(stack.enter_context(_cluster(path))))
    where: dict[str, Any] = {"scheduler_file": str(path)} if path.suffix == ".json" else {"address": scheduler}
    if path.suffix == ".json" and not path.is_file():
        raise lost  # dask would wait for the file for ever
    try:
        return stack.enter_context(Client(**where, timeout=_PATIENCE))
    except (OSError, ValueError, TimeoutError) as error:
        raise lost from error


def run_on_cluster(
    client: Client, scheduler: str, tasks: Sequence[Task], progress: BatchProgress, ended: Ended
) -> None:
    """Work on all images; a worker that dies loses the tiles that it was at, and others take them over.

    Every worker must see the images and the folder of the results under the same paths. It reads the weights once.

    Parameters
    ----------
    client : distributed.Client
        See `connect`.
    scheduler : str
        What the user calls it.
    tasks : sequence of Task
    progress : BatchProgress
    ended : callable
        Told of every image that is done, or failed.

    Raises
    ------
    Cancelled
        The job was stopped.
    WorkerError
        The scheduler was lost on the way.
    """
    _Cluster(client, scheduler, progress, ended).run(tasks)


@dataclass(eq=False)
class _Image:
    """An image that is worked on."""

    task: Task
    tiles: int = 0
    left: int = 0


@dataclass(frozen=True)
class _Step:
    """Something that a worker does for an image."""

    image: _Image
    next: Callable[[_Image, Any], None]
    tiles: int = 0


class _Cluster:
    def __init__(self, client: Client, name: str, progress: BatchProgress, ended: Ended) -> None:
        self._client, self._name, self._progress, self._ended = client, name, progress, ended
        self._steps: dict[Future, _Step] = {}
        self._present: frozenset[str] = frozenset()
        self._threads: dict[str, int] = {}

    def run(self, tasks: Sequence[Task]) -> None:
        """Keep the workers busy until all images are done."""
        waiting = deque(tasks)
        while waiting and not self._workers():
            self._progress.job.rename(f"Waiting for a worker of {self._name}")
            self._progress.job.check()
            time.sleep(1)
        try:
            while waiting or self._steps:
                self._progress.job.step(0)
                if waiting and self._has_room():
                    task = waiting.popleft()
                    self._progress.begin(task.item)
                    self._submit(_Step(_Image(task), self._started), start, task)
                else:
                    self._look()
        except BaseException:
            self._client.cancel(list(self._steps), force=True)
            raise

    def _has_room(self) -> bool:
        # One image more than there are workers: it is begun before the last tiles of the others are done.
        images = len({step.image for step in self._steps.values()})
        return images < 2 or images <= self._workers()

    def _workers(self) -> int:
        """Return how many workers there are; where they are others than before, they share the cores anew."""
        self._check()
        try:
            present = frozenset(self._client.scheduler_info(n_workers=-1)["workers"])
            if present != self._present:
                self._present, self._threads = present, shares(self._client)
        except OSError as error:
            raise self._lost() from error
        return len(present)

    def _check(self) -> None:
        if self._client.status != "running":
            raise self._lost()

    def _look(self) -> None:
        """Wait a moment for what is done, and go on from there."""
        # What each future is at is told to this process as it happens: looking costs nothing.
        done = [future for future in self._steps if future.status != "pending"]
        if not done:
            self._check()
            time.sleep(_GLANCE)
        for future in done:
            step = self._steps.pop(future, None)
            if step is None:
                continue  # of an image that was given up
            if future.status == "finished":
                step.next(step.image, future.result())
                self._count(step)
            elif future.status == "error":
                self._give_up(step.image, future.exception())
            else:
                raise self._lost()

    def _started(self, image: _Image, tiles: int) -> None:
        image.tiles = image.left = tiles
        share = max(1, -(-tiles // (_SHARES * max(1, self._workers()))))
        for first in range(0, tiles, share):
            part = range(first, min(first + share, tiles))
            self._submit(_Step(image, self._computed, len(part)), run_tiles, image.task, part)

    def _computed(self, image: _Image, _: None) -> None:
        if all(step.image is not image for step in self._steps.values()):
            self._submit(_Step(image, self._finished), finish, image.task)

    def _finished(self, image: _Image, record: Record) -> None:
        self._ended(image.task, record)

    def _count(self, step: _Step) -> None:
        if step.tiles:
            step.image.left -= step.tiles
            self._progress.advance(step.image.task.item, NETWORK * (1 - step.image.left / step.image.tiles))

    def _give_up(self, image: _Image, error: BaseException | None) -> None:
        for future in [future for future, step in self._steps.items() if step.image is image]:
            del self._steps[future]
            self._client.cancel([future], force=True)
        self._ended(image.task, failed(image.task, told(error or RuntimeError("a worker failed"))))

    def _submit(self, step: _Step, function: Callable[..., Any], *arguments: Any) -> None:
        # Not pure: what a function did to the disk in an earlier batch must be looked at anew.
        future = self._client.submit(_on_worker, self._threads, function, *arguments, pure=False, retries=_RETRIES)
        self._steps[future] = step

    def _lost(self) -> WorkerError:
        return WorkerError(f"scheduler {self._name}", "is gone", "Start it again and run the same command")


def _on_worker(threads: dict[str, int], function: Callable[..., Any], *arguments: Any) -> Any:
    from distributed import get_worker

    # Inside a worker dask would hand the reading of an image to the cluster again, and wait for itself.
    with dask.config.set(scheduler="threads"), share_of(get_worker().address, threads):
        return function(*arguments)


def _cluster(path: Path) -> Any:
    values = read_yaml(path)
    name, workers = str(values.pop("class", "")), values.pop("workers", 1)
    room = "distributed" if name == "LocalCluster" else "dask_jobqueue"
    wrong = RecipeError(str(path), f"class {name!r} is no cluster", "Name one of dask_jobqueue, e.g. SLURMCluster")
    if not (name.isidentifier() and name.endswith("Cluster")):
        raise wrong
    try:
        kind = getattr(importlib.import_module(room), name, None)
    except ImportError as error:
        raise MissingDependencyError(room, "is not installed here", f"pip install {room.replace('_', '-')}") from error
    if kind is None:
        raise wrong
    try:
        cluster = kind(**values)
        cluster.scale(int(workers))
    except (TypeError, ValueError) as error:
        raise RecipeError(str(path), f"{name} cannot be started so ({error})", "Look at its documentation") from error
    return cluster
