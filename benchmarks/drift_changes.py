"""Controlled changes of an image, each with the truth that still holds for it: what a microscope does to a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.core.boxes import Boxes

Truth = npt.NDArray[np.int16] | Boxes
Floats = npt.NDArray[np.float64]

_BLUR = (1, 2, 3, 4)  # pixels in the plane
_NOISE = (0.05, 0.1, 0.2, 0.4)  # shares of the range between the percentiles 1 and 99
_GAMMA = (0.4, 0.6, 1.6, 2.5)
_GAIN = (1.5, 2.5, 4.0)  # beyond the full scale of the camera, which cuts off
_BITS = (4, 3, 2, 1)
_SCALE = (0.4, 0.6, 1.6, 2.5)  # of the sampling, told to nobody
_FEW = ("2", "0.2", "0.4", "2.5")  # amounts where one of each kind is enough


def changed(
    image: npt.NDArray[Any], truth: Truth, *, few: bool = False
) -> Iterator[tuple[str, str, npt.NDArray[Any], Truth]]:
    """Yield kind, amount, the changed image in its dtype, and its truth; only in the plane.

    Parameters
    ----------
    image : ndarray
        Unsigned integers, ``(Y, X)`` or ``(Z, Y, X)``.
    truth : ndarray or Boxes
    few : bool
        One amount of each kind alone.
    """
    seen = set()
    for kind, amount, values, still in _every(image, truth):
        if not few or (kind not in seen and amount in (*_FEW, "")):
            seen.add(kind)
            yield kind, amount, values, still


def _every(image: npt.NDArray[Any], truth: Truth) -> Iterator[tuple[str, str, npt.NDArray[Any], Truth]]:
    values = image.astype(np.float64)
    low, high = np.percentile(values, (1, 99))
    span = max(high - low, 1.0)
    share = np.clip((values - low) / span, 0, 1)
    rng = np.random.default_rng(0)
    flat = (0,) * (image.ndim - 2)

    def back(changed_values: Floats) -> npt.NDArray[Any]:
        return np.clip(np.round(changed_values), 0, np.iinfo(image.dtype).max).astype(image.dtype)

    for sigma in _BLUR:
        yield "blur", f"{sigma}", back(ndimage.gaussian_filter(values, (*flat, sigma, sigma))), truth
    for sd in _NOISE:
        yield "noise", f"{sd}", back(values + rng.normal(0, sd * span, image.shape)), truth
    for gamma in _GAMMA:
        yield "gamma", f"{gamma}", back(low + span * share**gamma), truth
    for gain in _GAIN:
        yield "gain", f"{gain}", back(low + np.minimum(values - low, span / gain) * gain), truth
    for bits in _BITS:
        yield "bit depth", f"{bits}", back(low + span * np.floor(share * (2**bits - 1e-9)) / 2**bits), truth
    for zoom in _SCALE:
        yield "scale", f"{zoom}", back(_zoomed(values, zoom, order=1)), _zoomed_truth(truth, zoom)
    yield "inverted", "", back(high + low - values), truth


def _zoomed(values: npt.NDArray[Any], zoom: float, order: int) -> npt.NDArray[Any]:
    factors = (*(1.0,) * (values.ndim - 2), zoom, zoom)
    return np.asarray(ndimage.zoom(values, factors, order=order, mode="mirror", grid_mode=True))


def _zoomed_truth(truth: Truth, zoom: float) -> Truth:
    if isinstance(truth, Boxes):
        return replace(truth, centre=(truth.centre + 0.5) * zoom - 0.5, size=truth.size * zoom)
    return _zoomed(truth, zoom, order=0).astype(np.int16)
