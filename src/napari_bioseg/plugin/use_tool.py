"""A tool of `editing`, used on the layer of a correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_bioseg.core.axes import to_standard_unit
from napari_bioseg.corrections.change import Box, Change
from napari_bioseg.editing.scene import EditOptions, Scene
from napari_bioseg.editing.tools import TOOLS
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.plugin.places import current_position

DEEP = 3  # axes of a volume


def scene_of(viewer: Any, correction: Correction, options: EditOptions, *, volume: bool) -> Scene:
    """Freeze what a tool is to see.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    correction : Correction
    options : EditOptions
    volume : bool
        The volume at the sliders, not the plane alone.
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
    return Scene(correction.labels, scope, spacing, int(layer.selected_label), None, foreground(correction), options)


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
    change = TOOLS[name].run(scene, points)
    if change is not None:
        correction.do(change)
    return change
