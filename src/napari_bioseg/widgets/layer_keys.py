"""Keys that work while one layer is active, before napari's own of the same name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtWidgets import QWidget

Action = Callable[[], None]


class LayerKeys:
    """Binds keys on a layer until another is bound, or the panel is gone.

    Parameters
    ----------
    widget : QWidget
        Their owner.
    """

    def __init__(self, widget: QWidget) -> None:
        self._bound: list[tuple[Any, str]] = []
        widget.destroyed.connect(self._end)

    def bind(self, layer: Any, actions: Mapping[str, Action]) -> None:
        """Bind keys on a layer (None: on none), and let go of the one before."""
        _release(self._bound)
        if layer is not None:
            self._bound = _bind(layer, actions)

    def _end(self, *_: Any) -> None:
        _release(self._bound)


def _bind(layer: Any, actions: Mapping[str, Action]) -> list[tuple[Any, str]]:
    for key, action in actions.items():
        layer.bind_key(key, lambda _layer, action=action: action(), overwrite=True)
    return [(layer, key) for key in actions]


def _release(bound: list[tuple[Any, str]]) -> None:
    while bound:
        layer, key = bound.pop()
        layer.bind_key(key, None, overwrite=True)
