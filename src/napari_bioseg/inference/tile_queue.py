"""Tiles one after the other, from several threads: some are read and written while another is in the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job
from napari_bioseg.inference.checkpoint import Checkpoint
from napari_bioseg.inference.plan import Plan
from napari_bioseg.inference.runner import Runner
from napari_bioseg.inference.tiles import Tile

if TYPE_CHECKING:
    import zarr


class TileQueue:
    """Hands out the tiles that are to be computed, with their numbers, to one thread at a time."""

    def __init__(self, plan: Plan, wanted: range | None, checkpoint: Checkpoint | None) -> None:
        self.plan, self._checkpoint = plan, checkpoint
        wanted = range(plan.total) if wanted is None else wanted
        done = checkpoint.done() if checkpoint else frozenset[int]()
        self.total, self.before = len(wanted), sum(i in done for i in wanted)
        self._lock = threading.Lock()
        self._tiles = ((i, tile) for i, tile in enumerate(plan.tiles()) if i in wanted and i not in done)

    def next(self) -> tuple[int, Tile] | None:
        """Return a tile and its number, or None when there are no more."""
        with self._lock:
            return next(self._tiles, None)

    def mark(self, number: int, seconds: float) -> None:
        """Say that a tile is written, and how long the network took for it."""
        if self._checkpoint is not None:
            self._checkpoint.mark(number, seconds)


def run_tiles(
    queue: TileQueue, compute: Callable[[Tile], npt.NDArray[np.float16]], out: zarr.Array[Any], runner: Runner, job: Job
) -> bool:
    """Compute and write tiles, some reading and writing while another is in the network; return whether all were."""
    stop = threading.Event()
    threads = runner.workers + 1

    def drain() -> None:
        while not stop.is_set():
            taken = queue.next()
            if taken is None:
                return
            number, tile = taken
            try:
                job.check()
                values = compute(tile)
                out[(slice(None), *queue.plan.place(tile))] = values.reshape(out.shape[:1] + queue.plan.shape_of(tile))
                queue.mark(number, runner.take_seconds())
                job.step()
            except BaseException:
                stop.set()
                raise

    with ThreadPoolExecutor(threads, "tiles") as pool:
        futures = [pool.submit(drain) for _ in range(threads)]
        try:
            wait(futures)
        finally:
            stop.set()
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, Cancelled):
            raise error
    return not errors
