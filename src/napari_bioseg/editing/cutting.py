"""Split an object under seeds: a watershed from the seeds (Meyer, Signal Processing 38, 1994), inside the object.

At waists it floods the distance to the edge. Where a seed has a bulge of its own, the top of the bulge counts as part
of the seed, so that a seed near the edge does as well as one in the middle. Where a bulge holds several seeds, it has
no waist between them, and each of its pixels goes to the nearest.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.corrections.change import Box, Change
from napari_bioseg.editing.ground import Edit, Ground, Mask
from napari_bioseg.editing.objects import Found, highest_label, under
from napari_bioseg.editing.scene import Scene
from napari_bioseg.editing.whole import Points
from napari_bioseg.postprocess.blocks import Index

Floats = npt.NDArray[np.floating[Any]]


def split(scene: Scene, points: Points) -> Change | None:
    """Cut the object under two or more seeds; the part under the first keeps the label, the others get new ones.

    Raises
    ------
    EditError
        Fewer than two seeds, a seed outside the object of the first, no image where it is to be cut along lines of
        one, or no label left.
    """
    ground = Ground(scene, "Split")
    if len(set(points)) < 2:
        raise ground.error("one seed makes one object", "Click once into each part")
    found = under(ground, points[0])
    places = list(dict.fromkeys(ground.place(p) for p in points))
    for number, place in enumerate(places, start=1):
        if not found.has(place):
            raise ground.error(f"seed {number} is outside the object of the first", "Put all seeds into one object")
    box, mask = found.whole()
    seeds = [tuple(p - b.start for p, b in zip(place, box, strict=True)) for place in places]
    parts = _by_waists(mask, seeds, ground) if scene.options.cut == "waist" else _by_lines(mask, seeds, ground, box)
    new = _new_labels(found, len(seeds) - 1)
    return ground.change("split", [Edit(box, parts == i, found.label, n) for i, n in enumerate(new, start=2)])


def _new_labels(found: Found, count: int) -> range:
    scene = found.ground.scene
    highest = highest_label(scene.labels) if scene.highest is None else scene.highest
    if highest + count > np.iinfo(np.uint32).max:
        raise found.ground.error(f"no label is left above {highest}", "Renumber the objects")
    return range(highest + 1, highest + 1 + count)


def _by_lines(mask: Mask, seeds: list[Index], ground: Ground, box: Box) -> npt.NDArray[np.int32]:
    if ground.scene.image is None:
        raise ground.error("there is no image to cut along", "Choose one, or cut at waists")
    blurred = ndimage.gaussian_filter(
        ground.read(box, ground.scene.image).astype(np.float32), [1 / s for s in ground.spacing]
    )
    return _flooded(blurred if ground.scene.options.cut == "bright" else -blurred, _markers(mask.shape, seeds), mask)


def _by_waists(mask: Mask, seeds: list[Index], ground: Ground) -> npt.NDArray[np.int32]:
    inner = (slice(1, -1),) * mask.ndim
    mask, seeds = np.pad(mask, 1), [tuple(p + 1 for p in seed) for seed in seeds]
    height = ndimage.distance_transform_edt(mask, ground.spacing)
    # Corners of pixels make hills of their own on the distance.
    height = ndimage.gaussian_filter(height, [1 / s for s in ground.spacing])
    hills = _flooded(-height, None, mask)
    held = Counter(int(hills[seed]) for seed in seeds)
    markers = _markers(mask.shape, seeds)
    for number, seed in enumerate(seeds, start=1):
        if held[int(hills[seed])] == 1:
            markers[ndimage.maximum_position(height, hills, hills[seed])] = number
    for hill in (hill for hill, count in held.items() if count > 1):
        within = hills == hill
        away = ndimage.distance_transform_edt((markers == 0) | ~within, ground.spacing)
        markers[within] = _flooded(away, markers, within)[within]
    return _flooded(-height, markers, mask)[inner]


def _markers(shape: tuple[int, ...], seeds: list[Index]) -> npt.NDArray[np.int32]:
    markers = np.zeros(shape, np.int32)
    for number, seed in enumerate(seeds, start=1):
        markers[seed] = number
    return markers


def _flooded(depth: Floats, markers: npt.NDArray[np.int32] | None, mask: Mask) -> npt.NDArray[np.int32]:
    from skimage.segmentation import watershed

    parts: npt.NDArray[np.int32] = watershed(depth, markers, connectivity=mask.ndim, mask=mask)
    return parts
