"""Named things that a package can add to: one file and one line, or an entry point."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from napari_bioseg.core.errors import RecipeError

T = TypeVar("T")
LOG = logging.getLogger(__name__)


class Registry(Generic[T]):
    """Names and what they stand for; a name given twice is an error.

    Parameters
    ----------
    kind : str
        What is registered, for error messages: ``"architecture"``, ``"loss"``.
    group : str
        Entry-point group in which other packages may add their own.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind, self._group = kind, group
        self._items: dict[str, T] = {}
        self._lock = threading.RLock()  # a package that is being loaded may ask for names itself
        self._waiting: list[EntryPoint] | None = None

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers under `name`."""

        def add(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return add

    def get(self, name: str) -> T:
        """Return what `name` stands for.

        Raises
        ------
        RecipeError
            Nothing of that name is registered.
        """
        self._scan()
        if name not in self._items:
            raise RecipeError(f"{self.kind} {name!r}", "does not exist", f"Choose one of: {', '.join(self)}")
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._scan()
        return iter(sorted(self._items))

    def _scan(self) -> None:
        with self._lock:
            if self._waiting is None:
                self._waiting = list(entry_points(group=self._group))
            while self._waiting:
                self._load(self._waiting.pop(0))

    def _load(self, point: EntryPoint) -> None:
        try:
            self.register(point.name)(point.load())
        except Exception as error:  # noqa: BLE001 - another package's code: whatever it raises, the rest is not to go
            LOG.warning(
                "%s %r of %s is left out: %s: %s", self.kind, point.name, point.value, type(error).__name__, error
            )
