"""The boxes of one image: read from a file of any kind that we know, and checked to lie in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import IncompatibleImageError, UnreadableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.io.boxes import read_boxes


def read_image_boxes(path: Path, image: Image) -> Boxes:
    """Read the boxes of an image; ``frame`` counts along its T, ``z`` along its Z.

    Parameters
    ----------
    path : Path
        As for `read_boxes`. YOLO text is for an image of one plane; of a COCO file the entry with the name of the image
        is taken, and for a stack each entry is a plane, in the order of their ids.
    image : Image
        Any with Y and X.

    Raises
    ------
    UnreadableFileError
        The file is missing, not as it should be, or holds no box.
    IncompatibleImageError
        A box lies in no plane of the image.
    """
    sizes = dict(zip(image.axes, image.shape, strict=True))
    planes, depth = sizes.get("T", 1) * sizes.get("Z", 1), sizes.get("Z", 1)
    if path.suffix.lower() == ".txt" and planes > 1:
        problem = f"is YOLO text, of one plane; {image.name} has {planes}"
        raise IncompatibleImageError(str(path), problem, "Write the boxes of a stack as CSV, with columns frame and z")
    alone = image.source.name if planes == 1 and image.source else None
    boxes = read_boxes(path, (sizes["Y"], sizes["X"]), image=alone)
    if not len(boxes):
        raise UnreadableFileError(
            str(path), "holds no box", "Give a file of boxes; planes without any may be among them"
        )
    if path.suffix.lower() == ".json":
        boxes = _as_planes(path, boxes, planes, depth)
    _check(path, boxes, image, sizes)
    return boxes


def _as_planes(path: Path, boxes: Boxes, planes: int, depth: int) -> Boxes:
    last = int(boxes.frame.max())
    if last >= planes:
        problem = f"has boxes in its image number {last + 1}, the stack has {planes} planes"
        raise IncompatibleImageError(str(path), problem, "Keep one entry of images for each plane, in their order")
    return replace(boxes, frame=boxes.frame // depth, z=boxes.frame % depth)


def _check(path: Path, boxes: Boxes, image: Image, sizes: dict[str, int]) -> None:
    for name, axis, place in (("frame", "T", boxes.frame), ("z", "Z", boxes.z)):
        wrong, n = place[(place < 0) | (place >= sizes.get(axis, 1))], sizes.get(axis, 1)
        if len(wrong):
            problem = f"has a box with {name} {wrong[0]}, {image.name} with axes {image.axes} has {n}"
            fix = "Count from 0, along T in the column frame and along Z in z; or name other axes"
            raise IncompatibleImageError(str(path), problem, fix)
    flat = np.flatnonzero(boxes.size.min(axis=1) <= 0)
    if len(flat):
        height, width = boxes.size[flat[0]]
        raise IncompatibleImageError(str(path), f"has a box of {height:g} x {width:g} pixels", "Sides are above 0")
    # A centre just beyond the border is no mistake: the detector itself may put it there.
    edge = np.array([sizes["Y"], sizes["X"]])
    missed = np.flatnonzero(((boxes.corners[:, 2:] <= -0.5) | (boxes.corners[:, :2] >= edge - 0.5)).any(axis=1))
    if len(missed):
        y, x = boxes.centre[missed[0]]
        problem = f"has a box at y {y:g}, x {x:g}, beside the {edge[0]} x {edge[1]} pixels of {image.name}"
        raise IncompatibleImageError(str(path), problem, "Write centres in pixels, y along the rows")
