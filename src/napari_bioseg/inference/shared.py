"""What predictions of many images by one model share: engines that were made, and the threads that run them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from queue import PriorityQueue
from types import TracebackType
from typing import Any, Self, TypeVar

import torch

from napari_bioseg.inference.devices import cores
from napari_bioseg.inference.engine import Engine

T = TypeVar("T")


class Engines:
    """Engines of one model, whose weights must not change meanwhile; safe to use from several threads."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], Engine] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...], make: Callable[[], Engine]) -> Engine:
        """Return the engine that is called by a key; made when it is first asked for."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]


class NetworkPool:
    """Threads that run networks and nothing else: torch keeps its number of threads for each of them.

    Parameters
    ----------
    workers : int
        Tiles that are in a network at once; they share the cores.
    """

    def __init__(self, workers: int) -> None:
        self.workers, self.threads = workers, max(1, cores() // workers)
        self._waiting: PriorityQueue[tuple[int, int, Callable[[], None]]] = PriorityQueue()
        self._numbers = count()

    def __enter__(self) -> Self:
        self._before = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(self.workers, "network", torch.set_num_threads, (self.threads,))
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._pool.shutdown()
        torch.set_num_threads(self._before)

    def run(self, rank: int, call: Callable[[], T]) -> T:
        """Return what a call returns, or raise its error; of those that wait, the lowest rank goes first."""
        told: Future[T] = Future()

        def answer() -> None:
            try:
                told.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is raised where the call was made
                told.set_exception(error)

        self._waiting.put((rank, next(self._numbers), answer))
        self._pool.submit(self._run_first)
        return told.result()

    def _run_first(self) -> None:
        self._waiting.get()[2]()


@dataclass(frozen=True)
class Turn:
    """Whose turn it is in a pool that several images share.

    Attributes
    ----------
    pool : NetworkPool
    rank : int
        Tiles of an image of a higher rank run only while none of this one waits.
    """

    pool: NetworkPool
    rank: int = 0
