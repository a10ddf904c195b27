"""When an image is brought to the pixel size of a model: one rule for training and for use."""

from __future__ import annotations

import math
from collections.abc import Mapping

from napari_bioseg.core.image import Image
from napari_bioseg.models.card import InputSpec

_SAME_SIZE = 0.02  # pixel sizes that differ by less are taken as equal
_LARGEST_FACTOR = 8.0


def sizes_along(image: Image, axes: str) -> dict[str, float | None]:
    """Return µm a pixel of an image along some axes, None where it does not say."""
    return dict(zip(axes, image.pixel_size(axes), strict=True))


def model_pixels(spec: InputSpec, sizes: Mapping[str, float | None]) -> tuple[tuple[float, ...], str | None]:
    """Return the size of a model pixel in image pixels along each of the model's axes; 1 where nothing is resampled.

    Parameters
    ----------
    spec : InputSpec
        Its pixel size is what the model was trained at, up to the coarsest.
    sizes : Mapping
        µm a pixel of the image along each axis that it has; None where it does not say.

    Returns
    -------
    factors : tuple of float
    why_not : str or None
        Why the image is taken as it is although its pixels may differ, for the user.
    """
    trained, same = spec.pixel_size, (1.0,) * len(spec.axes)
    shared = [a for a in spec.axes if a in trained and a in sizes]
    wanted = spec.sizes(spec.axes)
    if any(sizes[a] is None for a in shared):
        return same, f"the image has no pixel size; the model was trained at {wanted} µm, the image is taken as it is"
    factors = tuple(_factor(spec, a, sizes.get(a)) for a in spec.axes)
    if any(not 1 / _LARGEST_FACTOR <= f <= _LARGEST_FACTOR for f in factors):
        have = " x ".join(f"{sizes[a]:g}" for a in shared)
        return same, f"pixels of {have} µm are too far from the model's own of {wanted} µm; not resampled"
    return factors, None


def pixel_distance(spec: InputSpec, sizes: Mapping[str, float | None]) -> float:
    """Return how far the pixels of an image are from the model's own: the most along an axis, in factors of 2.

    Infinite where either is not known, or where they are too far apart to be resampled. Parameters: see `model_pixels`.
    """
    factors, why_not = model_pixels(spec, sizes)
    return max(abs(math.log2(f)) for f in factors) if spec.pixel_size and why_not is None else math.inf


def _factor(spec: InputSpec, axis: str, size: float | None) -> float:
    trained = spec.pixel_size.get(axis)
    if trained is None or not size or size <= 0:
        return 1.0
    factor = min(max(size, trained), spec.coarsest.get(axis, trained)) / size
    return 1.0 if abs(factor - 1) < _SAME_SIZE else factor
