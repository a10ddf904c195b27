"""Tools that carry a label from plane to plane of a volume: interpolate, copy previous.

Their one point says which plane is the current one. Only background is written over.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.corrections.change import Box, Change, bounding_box
from napari_bioseg.editing.ground import Edit, Ground, Mask
from napari_bioseg.editing.scene import Scene
from napari_bioseg.editing.whole import Points, chosen


def interpolate(scene: Scene, points: Points) -> Change | None:
    """Draw the chosen label between the nearest planes before and after the current one that show it.

    Shape-based interpolation (Raya & Udupa, IEEE Trans. Med. Imaging 9, 1990), with the Euclidean distance to the
    outline, positive inside: it is interpolated linearly from plane to plane, and what is above 0 is the object.

    Raises
    ------
    EditError
        The scope is a plane, label 0 is chosen, the current plane shows the label already, there is no plane before or
        after that does, or the two outlines do not overlap.
    """
    ground, label, z = _current(scene, points, "Interpolate")
    here = _showing(ground, z // ground.grid.edges[0], label)
    if z in here:
        raise ground.error(f"this plane shows label {label} already", "Go to one between two that do")
    before, after = (_nearest(ground, z, label, step) for step in (-1, 1))
    one, other = (_plane(ground, i) == label for i in (before, after))
    if not (one & other).any():
        raise ground.error(
            f"the outlines of label {label} on planes {before} and {after} do not overlap", "Paint it on one between"
        )
    return ground.change("interpolate", _between(ground, (before, one), (after, other), label))


def copy_previous(scene: Scene, points: Points) -> Change | None:
    """Copy the chosen label from the previous plane.

    Raises
    ------
    EditError
        The scope is a plane, label 0 is chosen, or no plane precedes the current one or the one that does does not
        show the label.
    """
    ground, label, z = _current(scene, points, "Copy previous")
    if z == 0:
        raise ground.error("this is the first plane", "Go to a later one")
    mask = _plane(ground, z - 1) == label
    if not mask.any():
        raise ground.error(f"the previous plane does not show label {label}", "Choose a label that it shows")
    return ground.change("copy_previous", [Edit(_box(ground, z), mask[None], 0, label)])


def _current(scene: Scene, points: Points, title: str) -> tuple[Ground, int, int]:
    ground = Ground(scene, title)
    if ground.ndim < 3:
        raise ground.error("there is one plane", "Open a volume")
    return ground, chosen(ground), ground.place(points[0])[0]


def _box(ground: Ground, z: int) -> Box:
    return (slice(z, z + 1), *(slice(0, n) for n in ground.shape[1:]))


def _plane(ground: Ground, z: int) -> npt.NDArray[np.uint32]:
    plane: npt.NDArray[np.uint32] = ground.read(_box(ground, z))[0]
    return plane


def _nearest(ground: Ground, z: int, label: int, step: int) -> int:
    layer = z // ground.grid.edges[0]
    while 0 <= layer < ground.grid.counts[0]:
        there = [i for i in _showing(ground, layer, label) if (i - z) * step > 0]
        if there:
            return min(there, key=lambda i: abs(i - z))
        layer += step
    side = "before" if step < 0 else "after"
    raise ground.error(f"no plane {side} this one shows label {label}", "Paint it on one")


def _showing(ground: Ground, layer: int, label: int) -> list[int]:
    """Return the planes of a layer of blocks that show a label."""
    shown = np.zeros(ground.shape[0], bool)
    for index in ground.grid:
        if index[0] == layer:
            box = ground.grid.box(index)
            shown[box[0]] |= (ground.read(box) == label).any(axis=(1, 2))
    return [int(i) for i in np.flatnonzero(shown)]


def _between(ground: Ground, one: tuple[int, Mask], other: tuple[int, Mask], label: int) -> Iterator[Edit]:
    box = ground.grown((slice(0, 1), *bounding_box(one[1] | other[1])), (0, 1, 1))[1:]
    low, high = (_inside(mask[box], ground.spacing[1:]) for _, mask in (one, other))
    for z in range(one[0] + 1, other[0]):
        share = (z - one[0]) / (other[0] - one[0])
        yield Edit((slice(z, z + 1), *box), ((1 - share) * low + share * high > 0)[None], 0, label)


def _inside(mask: Mask, spacing: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Return the distance to the outline, positive inside; the border of the plane is no outline."""
    if mask.all():
        return np.full(mask.shape, float(np.hypot(*mask.shape)))
    signed: npt.NDArray[np.float64] = ndimage.distance_transform_edt(mask, spacing)
    signed -= ndimage.distance_transform_edt(~mask, spacing)
    return signed
