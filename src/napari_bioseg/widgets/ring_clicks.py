"""Clicks on the rings around findings, on the canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget


class RingClicks:
    """Tells which point of a layer was clicked, until another layer is watched, or the panel is gone.

    Parameters
    ----------
    widget : QWidget
        Their owner.
    clicked : callable
        Told the number of the point; while its layer is active, in any mode.
    """

    def __init__(self, widget: QWidget, clicked: Callable[[int], None]) -> None:
        self._clicked = clicked
        self._layers: list[Any] = []
        widget.destroyed.connect(lambda *_: self.watch(None))

    def watch(self, layer: Any) -> None:
        """Follow the clicks on this Points layer; None: on none."""
        while self._layers:
            self._layers.pop().mouse_drag_callbacks.remove(self._pressed)
        if layer is not None:
            layer.mouse_drag_callbacks.append(self._pressed)
            self._layers.append(layer)

    def _pressed(self, layer: Any, event: Any) -> None:
        point = layer.get_value(
            event.position, view_direction=event.view_direction, dims_displayed=event.dims_displayed, world=True
        )
        if point is not None:
            self._clicked(int(point))
