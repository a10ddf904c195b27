"""Pyramids: which levels, how each is made of the one before, where its pixels lie.

Images are averaged. Labels take the commonest value (the mode) of each block: a mean of label numbers is another
object's number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.axes import SPATIAL

SMALLEST = 256  # a plane no larger than this is not halved again


@dataclass(frozen=True)
class Level:
    """One level of a pyramid.

    Attributes
    ----------
    shape : tuple of int
        Its shape.
    factors : tuple of int
        1 or 2 along each axis: how it was made of the level before.
    scale, translate : tuple of float
        As in `Image`, for this level: a pixel made of two lies half a pixel further on.
    """

    shape: tuple[int, ...]
    factors: tuple[int, ...]
    scale: tuple[float, ...]
    translate: tuple[float, ...]


def plan_levels(
    shape: tuple[int, ...], axes: str, scale: tuple[float, ...], translate: tuple[float, ...]
) -> tuple[Level, ...]:
    """Halve Y and X, and Z once its step is comparable to theirs, until a plane is at most 256 pixels wide.

    Parameters
    ----------
    shape : tuple of int
        Of the full level.
    axes : str
        Its axes.
    scale, translate : tuple of float
        Of the full level.

    Returns
    -------
    tuple of Level
        The full level first.
    """
    levels = [Level(shape, (1,) * len(shape), scale, translate)]
    while max(levels[-1].shape[axes.index(a)] for a in "YX") > SMALLEST:
        levels.append(_halved(levels[-1], axes))
    return tuple(levels)


def _halved(level: Level, axes: str) -> Level:
    plane = max(level.scale[axes.index(a)] for a in "YX")
    factors = []
    for letter, n, step in zip(axes, level.shape, level.scale, strict=True):
        # Nearer to the plane's step than to twice it, on a scale of ratios.
        halve = letter in SPATIAL and n > 1 and (letter != "Z" or step < sqrt(2) * plane)
        factors.append(2 if halve else 1)
    return Level(
        shape=tuple(-(-n // f) for n, f in zip(level.shape, factors, strict=True)),
        factors=tuple(factors),
        scale=tuple(s * f for s, f in zip(level.scale, factors, strict=True)),
        translate=tuple(t + s * (f - 1) / 2 for t, s, f in zip(level.translate, level.scale, factors, strict=True)),
    )


def halve_mean(block: npt.NDArray[Any], factors: tuple[int, ...]) -> npt.NDArray[Any]:
    """Average blocks of `factors` pixels; an odd last one is repeated. The type is kept, integers are rounded."""
    corners = _corners(block, factors)
    wide = np.float64 if block.dtype.itemsize > 2 else np.float32
    mean: npt.NDArray[Any] = corners.mean(axis=0, dtype=wide)
    return (np.rint(mean) if block.dtype.kind in "bui" else mean).astype(block.dtype)


def halve_mode(block: npt.NDArray[Any], factors: tuple[int, ...]) -> npt.NDArray[Any]:
    """Take the commonest value of blocks of `factors` pixels; among equals an object before background.

    Parameters
    ----------
    block : numpy.ndarray
        Labels, any shape; an odd last row is repeated.
    factors : tuple of int
        1 or 2 along each axis.
    """
    corners = _corners(block, factors)
    if np.array_equal(corners.min(axis=0), corners.max(axis=0)):
        return np.ascontiguousarray(corners[0])
    # Twice the count, plus one for an object: the largest wins, the first of equals stays.
    best = np.zeros(corners.shape[1:], np.uint8)
    mode = np.zeros(corners.shape[1:], block.dtype)
    for candidate in corners:
        score = 2 * np.add.reduce(corners == candidate, axis=0, dtype=np.uint8) + (candidate != 0)
        better = score > best
        best[better], mode[better] = score[better], candidate[better]
    return mode


def _corners(block: npt.NDArray[Any], factors: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return the pixels of each block along a new first axis."""
    odd = [(0, -n % f) for n, f in zip(block.shape, factors, strict=True)]
    whole = np.pad(block, odd, mode="edge") if any(after for _, after in odd) else block
    split = [part for n, f in zip(whole.shape, factors, strict=True) for part in (n // f, f)]
    ndim = block.ndim
    order = [*range(1, 2 * ndim, 2), *range(0, 2 * ndim, 2)]
    pieces = whole.reshape(split).transpose(order)
    return pieces.reshape(-1, *pieces.shape[ndim:])
