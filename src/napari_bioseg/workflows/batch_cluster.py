"""A batch on dask.distributed: images, and tiles of large ones, on many machines that share a disk."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask

from napari_bioseg.core.errors import WorkerError
from napari_bioseg.workflows.batch_connection import Connection
from napari_bioseg.workflows.batch_cores import share_of, shares
from napari_bioseg.workflows.batch_here import Ended
from napari_bioseg.workflows.batch_progress import NETWORK, BatchProgress
from napari_bioseg.workflows.batch_record import Record
from napari_bioseg.workflows.batch_task import Task
from napari_bioseg.workflows.batch_work import failed, finish, run_tiles, start, told

if TYPE_CHECKING:
    from distributed import Future

_GLANCE = 0.05  # seconds between looks
_SHARES = 4  # into how many parts, for each worker, the tiles of an image are cut
_RETRIES = 1  # of a step that failed; what a dead worker was at is done again in any case


def run_on_cluster(connection: Connection, tasks: Sequence[Task], progress: BatchProgress, ended: Ended) -> None:
    """Work on all images; a worker that dies loses the tiles that it was at, and others take them over.

    Every worker must see the images and the folder of the results under the same paths. It reads the weights once.

    Parameters
    ----------
    connection : Connection
    tasks : sequence of Task
    progress : BatchProgress
    ended : callable
        Told of every image that is done, or failed.

    Raises
    ------
    Cancelled
        The job was stopped.
    WorkerError
        The scheduler was lost on the way, or the queue takes no more jobs and none is left.
    """
    _Cluster(connection, progress, ended).run(tasks)


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
    def __init__(self, connection: Connection, progress: BatchProgress, ended: Ended) -> None:
        self._connection, self._progress, self._ended = connection, progress, ended
        self._client, self._name = connection.client, connection.name
        self._steps: dict[Future, _Step] = {}
        self._present: frozenset[str] = frozenset()
        self._threads: dict[str, int] = {}

    def run(self, tasks: Sequence[Task]) -> None:
        """Keep the workers busy until all images are done."""
        waiting = deque(tasks)
        while waiting and not self._workers():
            self._progress.job.rename(self._connection.waiting)
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
        if self._connection.jobs is not None:
            self._connection.jobs.keep()

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
