"""A region of an image as text, so that the panel, the recipe and the command line name the same one."""

from __future__ import annotations

from dataclasses import replace

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.image import Image

_FIX = "Write ranges of pixels along named axes, e.g. Z=3:8,Y=0:512,X=100:612, or a single plane: Z=3"


def prediction_grid(image: Image) -> tuple[str, tuple[int, ...]]:
    """Return axes and shape of what a model says of an image: its own without channels and colour samples."""
    kept = [(a, n) for a, n in zip(image.axes, image.shape, strict=True) if a not in "CS"]
    return "".join(a for a, _ in kept), tuple(n for _, n in kept)


def parse_region(text: str | None, axes: str, shape: tuple[int, ...]) -> tuple[slice, ...] | None:
    """Return one slice an axis, or None for the whole image.

    Parameters
    ----------
    text : str or None
        ``"Z=3,Y=0:512"``; axes not named are taken whole, ends beyond the image are cut.
    axes : str
        Axes of the prediction.
    shape : tuple of int
        Along `axes`.

    Raises
    ------
    RecipeError
        The text is wrong, or the region is empty.
    """
    if not text:
        return None
    box = [slice(0, n) for n in shape]
    for part in text.split(","):
        axis, _, span = part.partition("=")
        i = axes.find(axis.strip().upper())
        if not axis.strip() or i < 0:
            raise RecipeError(f"region {text!r}", f"the image has no axis {axis!r}, only {axes}", _FIX)
        box[i] = _range(text, span, shape[i])
    return tuple(box)


def _range(text: str, span: str, n: int) -> slice:
    first, colon, last = span.partition(":")
    try:
        start = int(first) if first.strip() else 0
        stop = (int(last) if last.strip() else n) if colon else start + 1
    except ValueError as error:
        raise RecipeError(f"region {text!r}", f"{span!r} is no range", _FIX) from error
    start, stop = max(0, start), min(n, stop)
    if start >= stop:
        raise RecipeError(f"region {text!r}", f"{span!r} holds no pixel of {n}", _FIX)
    return slice(start, stop)


def format_region(box: tuple[slice, ...] | None, axes: str, shape: tuple[int, ...]) -> str | None:
    """Return the text of a box; None when it is the whole image."""
    if box is None:
        return None
    parts = [
        f"{a}={s.start}" if s.stop == s.start + 1 else f"{a}={s.start}:{s.stop}"
        for a, s, n in zip(axes, box, shape, strict=True)
        if (s.start, s.stop) != (0, n)
    ]
    return ",".join(parts) or None


def crop(image: Image, box: tuple[slice, ...] | None) -> Image:
    """Return the part of an image in a box over its axes without channels and samples, where it lies in the world."""
    if box is None:
        return image
    spans = iter(box)
    index = tuple(slice(0, n) if a in "CS" else next(spans) for a, n in zip(image.axes, image.shape, strict=True))
    moved = tuple(t + i.start * s for t, i, s in zip(image.translate, index, image.scale, strict=True))
    return replace(image, levels=(image.data[index],), level_scales=(), translate=moved, labels=())
