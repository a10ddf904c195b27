"""Named things that a package can add to: one file and one line, or an entry point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from napari_bioseg.core.errors import RecipeError

T = TypeVar("T")


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
        self._scanned = False

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
        if self._scanned:
            return
        self._scanned = True
        for point in entry_points(group=self._group):
            self.register(point.name)(point.load())
