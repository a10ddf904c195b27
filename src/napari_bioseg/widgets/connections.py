"""Connections to napari's events that end with the widget that made them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget


class Connections:
    """Callbacks on a viewer that outlives the widget; all are disconnected when the widget is destroyed.

    Parameters
    ----------
    widget : QWidget
        Their owner.
    """

    def __init__(self, widget: QWidget) -> None:
        self._all: list[tuple[Any, Callable[..., Any]]] = []
        # Bound to this object, not to the widget, which no longer exists by then.
        widget.destroyed.connect(self.close)

    def add(self, emitter: Any, callback: Callable[..., Any]) -> None:
        """Connect a callback to one of napari's event emitters, or to a signal of psygnal."""
        emitter.connect(callback)
        self._all.append((emitter, callback))

    def close(self, *_: Any) -> None:
        """Disconnect everything."""
        while self._all:
            emitter, callback = self._all.pop()
            emitter.disconnect(callback)
