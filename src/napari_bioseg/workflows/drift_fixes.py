"""What can be done to an image that is unlike a model's training images, before the model sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.image import Image
from napari_bioseg.drift import Cause
from napari_bioseg.models.pixel_size import model_pixels, sizes_along

if TYPE_CHECKING:
    import dask.array as da

    from napari_bioseg.models.card import Card

_SIGMA = 1.0  # of the Gaussian, model pixels: on EM it gave the network back more than medians of 3 or 5 pixels did
_REACH = 4.0  # standard deviations, where it is cut off
_SAMPLE_SIDE = 1024  # pixels along Y and X from which the range of floats is taken


def can_fix(cause: Cause, card: Card) -> bool:
    """Whether `fixed` can do something about it: the rest is for the microscope, or for a person who corrects."""
    if cause.action == "resample":
        return {"Y", "X"} <= set(card.input.pixel_size)
    return cause.action in {"denoise", "invert"}


def fixed(image: Image, cause: Cause, card: Card) -> Image:
    """Return an image that the model knows better; nothing is computed but the range of floats that are inverted.

    Parameters
    ----------
    image : Image
        Of any axes and levels.
    cause : Cause
        Of which `can_fix` is true. ``"denoise"``: a Gaussian of 1 model pixel along Y and X. ``"invert"``: light and
        dark are exchanged, in the range of the type, or of a sample where that is no integer. ``"resample"``: pixels
        stay, and get the size that they look like, so that the engine brings them to the model's.
    card : Card
        Of the model.

    Returns
    -------
    Image
        Of the same shape, type, axes and levels, and without a file, since it is not what the file says.

    Raises
    ------
    ValueError
        Nothing can be done about this cause.
    """
    if not can_fix(cause, card):
        raise ValueError(f"{cause.name}: nothing to be done")
    return replace(_FIXES[cause.action](image, cause, card), source=None, labels=())


def _denoised(image: Image, _cause: Cause, card: Card) -> Image:
    factors, _ = model_pixels(card.input, sizes_along(image, card.input.axes))
    sizes = dict(zip(card.input.axes, factors, strict=True))
    # Of an image that is finer than the model, noise is what is left of it in model pixels.
    wished = {a: _SIGMA * max(1.0, sizes[a]) for a in "YX"}
    levels = []
    for level in image.levels:
        finer = [n / whole for n, whole in zip(level.shape, image.shape, strict=True)]
        levels.append(_smooth(level, [wished.get(a, 0.0) * f for a, f in zip(image.axes, finer, strict=True)]))
    return replace(image, levels=tuple(levels), name=f"{image.name} (denoised)")


def _smooth(level: da.Array, sigmas: Sequence[float]) -> da.Array:
    import dask.array as da

    depth = {i: min(ceil(_REACH * s), n) for i, (s, n) in enumerate(zip(sigmas, level.shape, strict=True))}
    smooth: da.Array = da.map_overlap(  # type: ignore[no-untyped-call]
        _gaussian, level, depth=depth, boundary="none", dtype=level.dtype, meta=np.empty((), level.dtype),
        sigmas=tuple(sigmas),
    )  # fmt: skip
    return smooth


def _gaussian(block: npt.NDArray[Any], sigmas: tuple[float, ...]) -> npt.NDArray[Any]:
    from scipy import ndimage

    exact = np.result_type(block.dtype, np.float32)
    smooth = ndimage.gaussian_filter(block.astype(exact), sigmas, truncate=_REACH)
    same: npt.NDArray[Any] = (smooth if block.dtype.kind == "f" else np.rint(smooth)).astype(block.dtype)
    return same


def _inverted(image: Image, _cause: Cause, _card: Card) -> Image:
    # The lowest value and the highest change places.
    total = _darkest_and_brightest(image) if image.dtype.kind == "f" else None
    levels = tuple(_but_alpha(image, level, total) for level in image.levels)
    return replace(image, levels=levels, name=f"{image.name} (inverted)")


def _darkest_and_brightest(image: Image) -> Any:
    """Return the sum of the lowest and the highest value in the middle of the coarsest level."""
    level = image.levels[-1]
    starts = [
        max(0, n - _SAMPLE_SIDE) // 2 if a in "YX" else n // 2 for a, n in zip(image.axes, level.shape, strict=True)
    ]
    sizes = [_SAMPLE_SIDE if a in "YX" else 1 for a in image.axes]
    window = tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
    values = np.asarray(level[window])
    values = values[np.isfinite(values)]
    return values.min() + values.max() if values.size else image.dtype.type(0)


def _but_alpha(image: Image, level: da.Array, total: Any) -> da.Array:
    import dask.array as da

    turned: da.Array = ~level if total is None else total - level
    if image.rgb and level.shape[-1] == 4:
        turned = da.concatenate([turned[..., :3], level[..., 3:]], axis=-1)  # type: ignore[no-untyped-call]
    return turned


def _sized(image: Image, cause: Cause, card: Card) -> Image:
    own = card.input.pixel_size
    sizes = {a: own[a] * (cause.amount if a in "YX" else 1.0) for a in own if a in image.axes}
    sizes = {a: size for a, size in sizes.items() if a in "YX" or image.pixel_size(a) == (None,)}
    steps = {image.axis(a): size / image.scale[image.axis(a)] for a, size in sizes.items()}
    units = {image.axis(a): "micrometer" for a in sizes}
    n = range(len(image.axes))

    def stretched(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(values[i] * steps.get(i, 1.0) for i in n)

    return replace(
        image,
        scale=stretched(image.scale),
        translate=stretched(image.translate),
        units=tuple(units.get(i, image.units[i]) for i in n),
        level_scales=tuple(stretched(scale) for scale in image.level_scales),
    )


_FIXES: dict[str, Callable[[Image, Cause, Card], Image]] = {
    "denoise": _denoised,
    "invert": _inverted,
    "resample": _sized,
}
