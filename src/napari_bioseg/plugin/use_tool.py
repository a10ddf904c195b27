"""A tool of `editing`, used on the layer of a correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_bioseg.core.axes import to_standard_unit
from napari_bioseg.corrections.change import Box, Change
from napari_bioseg.editing.objects import highest_label
from napari_bioseg.editing.scene import EditOptions, Scene
from napari_bioseg.editing.tools import TOOLS
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.plugin.places import current_position, data_shape, in_units_of

DEEP = 3  # axes of a volume


def scene_of(
    viewer: Any, correction: Correction, options: EditOptions, *, volume: bool, image_layer: Any = None
) -> Scene:
    """Freeze what a tool is to see.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    correction : Correction
    options : EditOptions
    volume : bool
        The volume at the sliders, not the plane alone.
    image_layer : napari.layers.Image, optional
        Under the labels.
    """
    layer, info = correction.layer, correction.saved.info
    shape = tuple(int(n) for n in correction.labels.shape)
    free = min(len(shape), DEEP if volume else 2)
    position = current_position(viewer, layer)
    scope: Box = tuple(
        slice(0, n) if i >= len(shape) - free else slice(p, p + 1)
        for i, (n, p) in enumerate(zip(shape, position, strict=True))
    )
    spacing = tuple(to_standard_unit(a, s, u)[0] for a, s, u in zip(info.axes, info.scale, info.units, strict=True))
    return Scene(
        correction.labels,
        scope,
        spacing,
        label=int(layer.selected_label),
        highest=correction.highest,
        image=grey_values(layer, image_layer),
        probability=foreground(correction),
        options=options,
    )


def grey_values(layer: Any, image_layer: Any) -> Any:
    """Return the pixels of an image on the grid of a Labels layer; None where they do not lie pixel on pixel."""
    if image_layer is None or image_layer.rgb or image_layer.ndim != layer.ndim:
        return None
    corners = np.array([[0] * layer.ndim, data_shape(layer)], dtype=float)
    world = [in_units_of(image_layer, layer.data_to_world(c), layer.units) for c in corners]
    first, last = (np.asarray(image_layer.world_to_data(w)) for w in world)
    start = np.round(first)
    steps = np.allclose(last - first, corners[1], atol=0.1) and np.allclose(first, start, atol=0.1)
    if not steps or (start < 0).any() or (start + corners[1] > data_shape(image_layer)).any():
        return None
    data = image_layer.data[0] if image_layer.multiscale else image_layer.data
    return Shifted(data, tuple(int(s) for s in start), data_shape(layer))


class Shifted:
    """A part of an array, read where it is sliced.

    Parameters
    ----------
    data : array
    start : tuple of int
        Where the part begins.
    shape : tuple of int
        Of the part.
    """

    def __init__(self, data: Any, start: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self._data, self._start, self.shape = data, start, shape
        self.ndim = len(shape)

    def __getitem__(self, key: Box) -> Any:
        spans = (range(n)[k] for k, n in zip(key, self.shape, strict=True))
        place = tuple(slice(r.start + s, r.stop + s) for r, s in zip(spans, self._start, strict=True))
        return np.asarray(self._data[place])


def foreground(correction: Correction) -> Any:
    """Return the probability of foreground on the grid of the labels, sliced when it is needed; None without one."""
    said = correction.saved.probabilities()
    return None if said is None else Foreground(said, correction.saved.info.activation)


class Foreground:
    """The largest probability of any class, read where it is sliced.

    Parameters
    ----------
    probabilities : zarr.Array
        ``(K, *shape)``.
    activation : str
        With ``"softmax"`` channel 0 is the background.
    """

    def __init__(self, probabilities: Any, activation: str) -> None:
        self._said = probabilities
        self._first = 1 if activation == "softmax" else 0
        self.shape = tuple(probabilities.shape[1:])
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        return np.asarray(self._said[(slice(self._first, None), *keys)], dtype=np.float32).max(axis=0)


def use_tool(name: str, scene: Scene, points: Sequence[tuple[int, ...]], correction: Correction) -> Change | None:
    """Use a tool and record what it did; in a worker, with `Correction.show` afterwards in the GUI thread.

    Raises
    ------
    EditError
        There is nothing to do there, or the layer only shows.
    """
    if name == "split" and scene.highest is None:  # it gives new labels; found once, then kept up
        correction.highest = highest_label(scene.labels)
        scene = replace(scene, highest=correction.highest)
    change = TOOLS[name].run(scene, points)
    if change is not None:
        correction.do(change)
    return change
