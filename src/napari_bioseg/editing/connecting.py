"""Connect a broken vessel between two clicks.

The centre line is a minimal path (Cohen & Kimmel, Int. J. Computer Vision 24, 1997). Where there are probabilities of
foreground, a step costs 1/(0.01 + probability), blurred over half the radius so that the path keeps to the middle;
where there are none, the more the further it is from the straight line. Each click moves up to the centre of its vessel
first. The radius goes evenly from that at one end to that at the other, along the path.
"""

from __future__ import annotations

from itertools import product
from math import ceil, prod

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.corrections.change import Box, Change
from napari_bioseg.editing.ground import Edit, Ground
from napari_bioseg.editing.scene import Scene
from napari_bioseg.editing.whole import Points
from napari_bioseg.postprocess.blocks import Index

_REACH = 64  # steps around a click in which its vessel is measured
_SMALLEST = 16  # least way around the straight line, in steps
_LARGEST = 2**24  # pixels of the box in which a path is sought
_SLOPE = 0.3  # the distance to the wall rises by about one a step off the centre line, and hardly along it
_FLOOR = 0.01

Floats = npt.NDArray[np.float64]


def connect(scene: Scene, points: Points) -> Change | None:
    """Draw a vessel between two pieces, with the label of the first; only background is written over.

    Raises
    ------
    EditError
        A click on the background or inside something thicker than a vessel, both on one piece, clicks too far apart,
        or other objects in every way.
    """
    ground = Ground(scene, "Connect")
    places = [ground.place(p) for p in points]
    labels = [ground.label_at(p) for p in places]
    ends = [_centre(ground, place, label) for place, label in zip(places, labels, strict=True)]
    box = _around(ground, [place for place, _ in ends])
    around = ground.read(box)
    first, second = (tuple(p - b.start for p, b in zip(place, box, strict=True)) for place, _ in ends)
    pieces, _ = ndimage.label(around == labels[0], np.ones((3,) * ground.ndim, bool))
    if pieces[first] == pieces[second]:
        raise ground.error("both clicks are on one piece", "Click on both sides of a gap")
    radii = [radius for _, radius in ends]
    cost = _straight(ground, box, first, second) if scene.probability is None else _probable(ground, box, radii)
    cost[(around > 0) & (around != labels[0]) & (around != labels[1])] = -1
    path = _path(ground, cost, first, second)
    tube, where = _tube(ground, around.shape, path, radii)
    start = [b.start for b in box]
    moved = tuple(slice(s + w.start, s + w.stop) for s, w in zip(start, where, strict=True))
    return ground.change("connect", [Edit(moved, tube, 0, labels[0])])


def _centre(ground: Ground, place: Index, label: int) -> tuple[Index, float]:
    """Return the nearest place on the centre line, and the distance to the wall there."""
    if label == 0:
        raise ground.error("a click is on the background", "Click on the vessel at both sides of the gap")
    box = ground.grown(tuple(slice(p, p + 1) for p in place), [_REACH / s for s in ground.spacing])
    mask = ground.read(box) == label
    if mask.all():
        raise ground.error(f"label {label} is no vessel where the click is", "Click where it is thin")
    distance = ndimage.distance_transform_edt(mask, ground.spacing)
    here = tuple(p - b.start for p, b in zip(place, box, strict=True))
    while (there := _higher(distance, here, ground.spacing)) is not None:
        here = there
    return tuple(h + b.start for h, b in zip(here, box, strict=True)), float(distance[here])


def _higher(distance: Floats, here: Index, spacing: tuple[float, ...]) -> Index | None:
    """Return the neighbour to which the distance rises steepest, if it rises as it does off the centre line."""
    best, steepest = None, _SLOPE
    for step in product((-1, 0, 1), repeat=distance.ndim):
        there = tuple(h + s for h, s in zip(here, step, strict=True))
        if not any(step) or not all(0 <= t < n for t, n in zip(there, distance.shape, strict=True)):
            continue
        slope = (distance[there] - distance[here]) / np.hypot.reduce(np.multiply(step, spacing))
        if slope > steepest:
            best, steepest = there, slope
    return best


def _around(ground: Ground, places: list[Index]) -> Box:
    box = tuple(slice(min(p), max(p) + 1) for p in zip(*places, strict=True))
    longest = max((b.stop - b.start) * s for b, s in zip(box, ground.spacing, strict=True))
    box = ground.grown(box, [max(_SMALLEST, longest / 2) / s for s in ground.spacing])
    if prod(b.stop - b.start for b in box) > _LARGEST:
        raise ground.error("the clicks are too far apart", "Connect them in several steps")
    return box


def _probable(ground: Ground, box: Box, radii: list[float]) -> Floats:
    probability = ground.read(box, ground.scene.probability).astype(np.float64)
    blurred = ndimage.gaussian_filter(probability, [sum(radii) / len(radii) / 2 / s for s in ground.spacing])
    return np.asarray(1 / (_FLOOR + blurred))


def _straight(ground: Ground, box: Box, first: Index, second: Index) -> Floats:
    along = np.subtract(second, first) * ground.spacing
    shape = [b.stop - b.start for b in box]
    offsets = np.stack([(a - f) * s for a, f, s in zip(np.indices(shape), first, ground.spacing, strict=True)], axis=-1)
    share = np.clip(offsets @ along / (along @ along), 0, 1)
    return np.asarray(1 + np.linalg.norm(offsets - share[..., None] * along, axis=-1))


def _path(ground: Ground, cost: Floats, first: Index, second: Index) -> list[Index]:
    from skimage.graph import MCP_Geometric

    search = MCP_Geometric(cost, fully_connected=True, sampling=ground.spacing)
    reached, _ = search.find_costs([first], [second])
    if not np.isfinite(reached[second]):
        raise ground.error("other objects are in every way", "Move or delete them first")
    return [tuple(int(i) for i in place) for place in search.traceback(second)]


def _tube(
    ground: Ground, shape: tuple[int, ...], path: list[Index], radii: list[float]
) -> tuple[npt.NDArray[np.bool_], Box]:
    """Return the pixels nearer to the path than the radius at its nearest place, and the box that they are in."""
    places = np.array(path)
    reach = [ceil(max(radii) / s) for s in ground.spacing]
    low = np.maximum(places.min(axis=0) - reach, 0)
    high = np.minimum(places.max(axis=0) + reach + 1, shape)
    steps = np.linalg.norm(np.diff(places, axis=0) * ground.spacing, axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    radius = np.zeros(high - low)
    radius[tuple((places - low).T)] = np.interp(length, [0, length[-1]], radii)
    distance, nearest = ndimage.distance_transform_edt(radius == 0, ground.spacing, return_indices=True)
    return distance < radius[tuple(nearest)], tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
