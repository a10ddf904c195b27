"""Clicks on the canvas that a tool waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from napari_bioseg.plugin.places import data_shape
from napari_bioseg.plugin.placing import placement_like

SEEDS = "clicks"
SHAKE = 3  # screen pixels that a hand moves within one click


class Clicks:
    """Collects clicks on a layer, and shows them, until the tool has what it needs.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Labels
        Active while clicks are collected; the canvas can be moved by dragging.
    wanted : int or None
        How many; None: until `finish`.
    done : callable
        Told the places: indices into the data of the layer.
    """

    def __init__(
        self, viewer: Any, layer: Any, wanted: int | None, done: Callable[[list[tuple[int, ...]]], None]
    ) -> None:
        self._viewer, self.layer, self._wanted, self._done = viewer, layer, wanted, done
        self.places: list[tuple[int, ...]] = []
        self._shown: Any = None
        self.told: Callable[[int], None] = lambda _n: None
        layer.mode = "pan_zoom"
        layer.mouse_drag_callbacks.append(self._pressed)

    def finish(self) -> None:
        """Hand over what was clicked."""
        places, self.places = self.places, []
        self._forget()
        if places:
            self._done(places)

    def close(self) -> None:
        """Collect no more."""
        if self._pressed in self.layer.mouse_drag_callbacks:
            self.layer.mouse_drag_callbacks.remove(self._pressed)
        self._forget()

    def add(self, place: tuple[int, ...]) -> None:
        """Count a click."""
        self.places.append(place)
        if self._wanted is not None and len(self.places) >= self._wanted:
            self.finish()
        else:
            self._show()
        self.told(len(self.places))

    def _pressed(self, layer: Any, event: Any) -> Iterator[None]:
        start = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            if np.abs(np.array(event.pos) - start).max() > SHAKE:
                return  # the view is being moved
            yield
        if len(event.dims_displayed) != 2:
            return
        point = np.round(layer.world_to_data(event.position)).astype(int)
        if ((point >= 0) & (point < data_shape(layer))).all():
            self.add(tuple(int(p) for p in point))

    def _show(self) -> None:
        if self._shown is None or self._shown not in self._viewer.layers:
            layer = self.layer
            self._shown = self._viewer.add_points(
                np.empty((0, layer.ndim)),
                name=SEEDS,
                face_color="#f0e442",
                border_color="black",
                size=6,
                **placement_like(layer),
            )
            self._viewer.layers.selection.active = layer
        self._shown.data = np.array(self.places, dtype=float)

    def _forget(self) -> None:
        if self._shown is not None and self._shown in self._viewer.layers:
            self._viewer.layers.remove(self._shown)
            self._viewer.layers.selection.active = self.layer
        self._shown = None
