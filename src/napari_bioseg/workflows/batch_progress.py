"""Where a batch stands: as a whole for a `Job`, and image by image for a queue that is looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from napari_bioseg.core.job import Job, Progress
from napari_bioseg.workflows.batch_items import Item
from napari_bioseg.workflows.batch_record import Record

NETWORK = 0.85
"""Share of the work on an image that is counted for the network; the rest is decoding, writing and tables."""


class State(StrEnum):
    """Of an image in the queue."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Place:
    """Where one image stands.

    Attributes
    ----------
    item : Item
    state : State
    share : float
        Of its work that is done, 0 to 1.
    record : Record or None
        Once it is done or failed.
    """

    item: Item
    state: State = State.WAITING
    share: float = 0.0
    record: Record | None = None


Listener = Callable[[Place], None]


class BatchProgress:
    """Counts bytes of images, since a volume is more work than a frame; safe to use from several threads.

    Parameters
    ----------
    items : sequence of Item
    job : Job
        Told of every step; pauses and stops the batch.
    listener : callable, optional
        Told of every image that moves, from whichever thread moved it.
    """

    def __init__(self, items: Sequence[Item], job: Job, listener: Listener | None = None) -> None:
        self.job, self._listener = job, listener or (lambda _: None)
        self._places = {item.name: Place(item) for item in items}
        self._total = sum(item.weight for item in items)
        self._size, self._unit = (1e6, "MB") if self._total >= 1e7 else (1e3, "kB")
        self._lock = threading.Lock()
        self._told = 0
        for place in self._places.values():
            self._listener(place)

    @property
    def places(self) -> tuple[Place, ...]:
        """All images, in their order."""
        with self._lock:
            return tuple(self._places.values())

    def open(self) -> None:
        """Begin to count, with what was found done before."""
        self._told = self._units()
        self.job.stage("Images", max(1, round(self._total / self._size)), self._told, self._unit)

    def found(self, item: Item, record: Record) -> None:
        """Say that an image was done by an earlier batch."""
        self._move(Place(item, State.DONE, 1.0, record))

    def begin(self, item: Item) -> None:
        """Say that work on an image begins."""
        self._move(Place(item, State.RUNNING))
        places = self.places
        begun = sum(place.state != State.WAITING for place in places)
        self.job.rename(f"{item.name} ({begun} of {len(places)} images)")

    def advance(self, item: Item, share: float) -> None:
        """Say how much of the work on an image is done; waits while paused, raises `Cancelled` when stopped.

        An image that is only read ahead counts as waiting until `begin`.
        """
        with self._lock:
            ahead = self._places[item.name].state == State.WAITING
        if not ahead:
            self._move(Place(item, State.RUNNING, share))
        self._count()

    def end(self, item: Item, record: Record) -> None:
        """Say that an image is done, or failed."""
        self._move(Place(item, State(record.state), 1.0, record))
        self._count()

    def part(self, item: Item, first: float, last: float) -> Job:
        """Return a job for a part of the work on an image, from one share of it to another."""

        def tell(progress: Progress) -> None:
            if progress.total:
                self.advance(item, first + (last - first) * progress.done / progress.total)

        return self.job.part(tell)

    def _move(self, place: Place) -> None:
        with self._lock:
            self._places[place.item.name] = place
        self._listener(place)

    def _count(self) -> None:
        with self._lock:
            units = self._units()
            more, self._told = max(0, units - self._told), max(units, self._told)
        self.job.step(more)

    def _units(self) -> int:
        return round(sum(place.share * place.item.weight for place in self._places.values()) / self._size)
