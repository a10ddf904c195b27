"""Masks of one image out of a COCO file, as a label image: polygons, and run lengths plain or compressed.

Polygons are in pixels from the outer corner of the first one, as `Lin et al., ECCV 2014 (arXiv:1405.0312)
<https://cocodataset.org/#format-data>`_ have it: a pixel is inside where its centre is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon

from napari_bioseg.core.errors import IncompatibleImageError, UnreadableFileError
from napari_bioseg.core.image import Image, image_from_array

_COMPRESSED_FROM, _PAYLOAD, _SIGN, _MORE = 48, 0x1F, 0x10, 0x20
"""Of a character of compressed run lengths: the least, and what its bits are."""

Pixels = npt.NDArray[np.int64]


def is_coco(path: str | Path) -> bool:
    """Return whether a file of labels is meant as COCO."""
    return Path(path).suffix.lower() == ".json"


def read_coco_labels(path: Path, image: Image, *, categories: Sequence[str] = (), objects: bool = True) -> Image:
    """Draw the annotations of an image, which the file knows by its name.

    What lies beyond the border is cut off, and what covers the centre of no pixel is left out. Where annotations
    overlap, the smallest is on top.

    Parameters
    ----------
    path : Path
        COCO JSON, with ``images``, ``categories`` and ``annotations`` with ``segmentation``.
    image : Image
        Of one plane, read from a file.
    categories : sequence of str
        Names of those that count; none: all.
    objects : bool
        Whether each annotation has a number of its own, from 1 on, or else the ``id`` of its category.

    Returns
    -------
    Image
        Int32, ``YX``.

    Raises
    ------
    UnreadableFileError
        It is no COCO file, does not name the image or a category, or an annotation is damaged.
    IncompatibleImageError
        The image is a stack or has another size than the file says, or an annotation lies outside of it.
    """
    sizes = dict(zip(image.axes, image.shape, strict=True))
    if sizes.get("T", 1) * sizes.get("Z", 1) > 1 or image.source is None:
        problem = f"names images of one plane, {image.name} has axes {image.axes}"
        raise IncompatibleImageError(str(path), problem, "Give labels of a stack as an image")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        entry = _entry(path, content["images"], image.source.name)
        shape = int(entry["height"]), int(entry["width"])
        kept = _kept(path, content["categories"], categories)
        found = [a for a in content["annotations"] if a["image_id"] == entry["id"] and a["category_id"] in kept]
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"is no COCO file ({type(error).__name__}: {error})"
        raise UnreadableFileError(str(path), problem, "It needs images, categories and annotations") from error
    if shape != (sizes["Y"], sizes["X"]):
        problem = f"says {shape[1]} x {shape[0]} pixels, {image.name} has {sizes['X']} x {sizes['Y']}"
        raise IncompatibleImageError(str(path), problem, "Give the images that were annotated")
    drawn = [(_pixels(path, a, shape), n if objects else a["category_id"]) for n, a in enumerate(found, start=1)]
    labels = np.zeros(shape, np.int32)
    for pixels, value in sorted(drawn, key=lambda one: -len(one[0])):
        labels.reshape(-1)[pixels] = value
    return image_from_array(labels, "YX", name=path.name)


def _entry(path: Path, images: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return what a file says of an image, whose name there may have folders before it."""
    named = [entry for entry in images if PurePosixPath(entry["file_name"]).name == name]
    if len(named) != 1:
        problem = f"names no image {name}" if not named else f"names {len(named)} images {name}"
        known = ", ".join(sorted(entry["file_name"] for entry in images)[:5])
        raise UnreadableFileError(str(path), problem, f"It has: {known}")
    return named[0]


def _kept(path: Path, known: list[dict[str, Any]], wanted: Sequence[str]) -> set[int]:
    names = {str(category["name"]): int(category["id"]) for category in known}
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UnreadableFileError(str(path), f"has no category {missing[0]!r}", f"It has: {', '.join(names)}")
    return {names[name] for name in wanted or names}


def _pixels(path: Path, annotation: Mapping[str, Any], shape: tuple[int, int]) -> Pixels:
    """Return the pixels of an annotation, counted along the rows."""
    try:
        said = annotation["segmentation"]
        return _of_runs(said, shape) if isinstance(said, Mapping) else _of_polygons(said, shape)
    except _OutsideError as error:
        subject, problem = f"{path}: annotation {annotation.get('id')}", f"lies outside of the image ({error})"
        raise IncompatibleImageError(subject, problem, "Give the images that were annotated") from error
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        problem = f"has no mask that can be read ({error})"
        fix = "It needs polygons of three points or more, or run lengths of the size of the image"
        raise UnreadableFileError(f"{path}: annotation {annotation.get('id')}", problem, fix) from error


class _OutsideError(Exception):
    """No part of it lies in the image."""


def _of_polygons(polygons: Sequence[Sequence[float]], shape: tuple[int, int]) -> Pixels:
    points = [np.array(outline, float).reshape(-1, 2) for outline in polygons]
    if not points or any(len(p) < 3 or not np.isfinite(p).all() for p in points):
        raise ValueError("a polygon of fewer than three points")
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    if (high < 0).any() or (low > shape[::-1]).any():
        raise _OutsideError(f"x {low[0]:g} to {high[0]:g}, y {low[1]:g} to {high[1]:g}")
    drawn = [polygon(p[:, 1] - 0.5, p[:, 0] - 0.5, shape) for p in points]
    return np.unique(np.concatenate([row * shape[1] + column for row, column in drawn])).astype(np.int64)


def _of_runs(said: Mapping[str, Any], shape: tuple[int, int]) -> Pixels:
    counts = said["counts"]
    lengths = _decompressed(counts) if isinstance(counts, str) else [int(n) for n in counts]
    if tuple(said["size"]) != shape or sum(lengths) != shape[0] * shape[1] or min(lengths) < 0:
        raise ValueError(f"run lengths of {sum(lengths)} pixels in an image of {shape[0] * shape[1]}")
    # Runs of outside and inside take turns, down one column after the other.
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(shape[::-1]).T
    return np.flatnonzero(inside).astype(np.int64)


def _decompressed(text: str) -> list[int]:
    """Return run lengths: numbers of 5 bits a character, from the fourth on less the one before the last."""
    lengths: list[int] = []
    number = bits = 0
    for character in text:
        code = ord(character) - _COMPRESSED_FROM
        number |= (code & _PAYLOAD) << bits
        bits += 5
        if code & _MORE:
            continue
        if code & _SIGN:
            number -= 1 << bits
        lengths.append(number + (lengths[-2] if len(lengths) > 2 else 0))
        number = bits = 0
    return lengths
