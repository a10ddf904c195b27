"""A batch on this computer: one image is in the network, the next is read, of the one before results are written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.inference.devices import torch_threads
from napari_bioseg.inference.shared import NetworkPool, Turn
from napari_bioseg.workflows.batch_progress import NETWORK, BatchProgress
from napari_bioseg.workflows.batch_record import Record
from napari_bioseg.workflows.batch_task import Task
from napari_bioseg.workflows.batch_work import failed, finish, look, run_tiles, start, told

Ended = Callable[[Task, Record], None]

_BESIDE = 1  # threads of torch beside the network: two teams that spin cost it more than they gain
_AT_ONCE = 2  # images that are read: the one in the network, and the next


def run_here(tasks: Sequence[Task], progress: BatchProgress, ended: Ended) -> None:
    """Work on all images, in their order; a bad one does not stop the others.

    Raises
    ------
    Cancelled
        The job was stopped.
    """
    if not tasks:
        return
    with (
        NetworkPool(tasks[0].options.workers or 1) as network,
        ThreadPoolExecutor(1, "results") as results,
        ThreadPoolExecutor(_AT_ONCE, "images") as images,
    ):
        try:
            _Line(network, images, results, progress, ended).run(tasks)
        except BaseException:
            progress.job.cancel()  # what else is at work must not be waited for to its end
            raise


class _Line:
    def __init__(
        self,
        network: NetworkPool,
        images: ThreadPoolExecutor,
        results: ThreadPoolExecutor,
        progress: BatchProgress,
        ended: Ended,
    ) -> None:
        self._network, self._images, self._results = network, images, results
        self._progress, self._ended = progress, ended
        self._behind: tuple[Task, Future[Record]] | None = None

    def run(self, tasks: Sequence[Task]) -> None:
        """Take all images through, each after the one before it."""
        left = iter(enumerate(tasks))
        ahead = deque(self._images.submit(self._see, *numbered) for numbered in islice(left, _AT_ONCE))
        for task in tasks:
            self._progress.begin(task.item)
            began = time.time()
            try:
                drift = ahead.popleft().result()
            except Cancelled:
                raise
            except Exception as error:  # noqa: BLE001 - one bad image must not stop the others
                self._ended(task, failed(task, told(error)))
            else:
                self._settle()
                self._behind = task, self._results.submit(self._finish, task, began, drift)
            ahead.extend(self._images.submit(self._see, *numbered) for numbered in islice(left, 1))
        self._settle()

    def _see(self, number: int, task: Task) -> dict[str, Any]:
        """Take an image through the network, and return how unlike the training it is."""
        with torch_threads(_BESIDE):
            start(task, self._progress.job.part())
            # The first image goes to the network at once, which has nothing else to do.
            drift = look(task, self._progress.job.part()) if number else None
        run_tiles(task, turn=Turn(self._network, number), job=self._progress.part(task.item, 0, NETWORK))
        with torch_threads(_BESIDE):
            return look(task, self._progress.job.part()) if drift is None else drift

    def _finish(self, task: Task, began: float, drift: dict[str, Any]) -> Record:
        with torch_threads(_BESIDE):
            return finish(task, self._progress.part(task.item, NETWORK, 1), began=began, drift=drift)

    def _settle(self) -> None:
        """Wait for the results that are being written."""
        if self._behind is None:
            return
        (task, future), self._behind = self._behind, None
        try:
            record = future.result()
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - one bad image must not stop the others
            record = failed(task, told(error))
        self._ended(task, record)
