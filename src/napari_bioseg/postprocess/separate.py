"""Closing gaps: objects that run into each other are parted by a line where they are least likely to be one.

A gap in a membrane joins two cells by a bridge of lower probability. Cores are where an object is nearly certain; a
watershed with lines (Vincent and Soille, IEEE PAMI 13, 1991) grows them down the probability over the rest of the
object, and where two of them meet, pixels become background. Nothing else changes: an object with one core or none
stays as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from napari_bioseg.core.job import Job
from napari_bioseg.postprocess.threshold import Indices, classify

# No options: on the training slices of membranes-unet2d, clean and degraded, V^Rand hardly depends on either.
_SIGMA = 1.0  # pixels
_SMALLEST_CORE = 20  # pixels

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int32]
Smooth = npt.NDArray[np.float32]


def classify_apart(
    probabilities: npt.NDArray[np.float16],
    threshold: float,
    separate: float,
    activation: str,
    *,
    cores: bool = False,
    job: Job | None = None,
) -> Indices:
    """Return what `classify` does, with lines of background between objects that run into each other in a plane.

    Parameters
    ----------
    probabilities : ndarray of float16
        ``(K, *space)`` in 0..1, where space ends with whole planes (Y, X).
    threshold : float
    separate : float
        Probability above which a pixel belongs to the core of an object; 0: no lines.
    activation : str
        ``"sigmoid"``, or ``"softmax"``, where channel 0 is the background. Each class is parted by its own
        probability.
    cores : bool
        Whether there is one more channel, after the classes, of how likely a core is: then all are parted by that.
    job : Job, optional
        For stopping.
    """
    indices = classify(probabilities[:-1] if cores else probabilities, threshold, activation)
    if separate:
        for plane in np.ndindex(indices.shape[:-2]):
            if job is not None:
                job.check()
            draw_lines(indices[plane], Telling(probabilities[:, *plane], activation, cores=cores), separate)
    return indices


class Telling:
    """The smoothed probabilities of a plane that tell where its objects are parted, each computed once.

    Parameters
    ----------
    probabilities : ndarray of float16
        ``(K, Y, X)``.
    activation : str
    cores : bool
        As for `classify_apart`.
    """

    def __init__(self, probabilities: npt.NDArray[np.float16], activation: str, *, cores: bool) -> None:
        self._probabilities, self._first, self._cores = probabilities, 1 if activation == "softmax" else 0, cores
        self.classes = len(probabilities) - self._first - cores
        self._smooth: dict[int, Smooth] = {}

    def of(self, index: int) -> Smooth:
        """Return what tells of the class of this index, from 1 on: ``(Y, X)``."""
        channel = len(self._probabilities) - 1 if self._cores else index - 1 + self._first
        if channel not in self._smooth:
            told = self._probabilities[channel].astype(np.float32)
            self._smooth[channel] = ndimage.gaussian_filter(told, _SIGMA)
        return self._smooth[channel]


def draw_lines(indices: Indices, telling: Telling, separate: float, *, step: int = 1) -> None:
    """Make the pixels between cores background, in place.

    Parameters
    ----------
    indices : ndarray of uint8 or uint16
        ``(Y, X)``: the class of each pixel.
    telling : Telling
    separate : float
        Probability above which a pixel belongs to a core.
    step : int
        Look at every so many pixels along both axes: lines are so many pixels wide, and where they are roughly, but
        drawn in about so many squared times less.
    """
    height, width = indices.shape
    for index in range(1, telling.classes + 1):
        inside = indices == index
        if inside.any():
            found = lines(inside[::step, ::step], telling.of(index)[::step, ::step], separate, step=step)
            if step > 1:
                found = found.repeat(step, 0)[:height].repeat(step, 1)[:, :width] & inside
            indices[found] = 0


def lines(inside: Mask, smooth: Smooth, core: float, *, step: int = 1) -> Mask:
    """Return the pixels between the cores of a plane.

    Parameters
    ----------
    inside : ndarray of bool
        ``(Y, X)``: the objects.
    smooth : ndarray of float32
        Smoothed probability.
    core : float
        Probability above which a pixel belongs to a core.
    step : int
        How many pixels of the image one of these stands for along each axis.
    """
    # A border of one pixel, so that every pixel has neighbours.
    inside, smooth = np.pad(inside, 1), np.pad(smooth, 1)
    cores = _cores(inside & (smooth > core), _SMALLEST_CORE / step**2)
    between = _contested(inside & (cores == 0), cores)
    if step > 1:
        # Few pixels: a call for each part would take longer.
        return _met(between > 0, cores, smooth)[1:-1, 1:-1]
    found = np.zeros(inside.shape, bool)
    for i, box in enumerate(ndimage.find_objects(between), start=1):
        grown = tuple(slice(s.start - 1, s.stop + 1) for s in box)
        part = between[grown] == i
        found[grown] |= _met(part, cores[grown], smooth[grown])
    return found[1:-1, 1:-1]


def _met(between: Mask, cores: Numbers, smooth: Smooth) -> Mask:
    """Return the pixels between cores where what is flooded from them meets."""
    # Of the cores only what touches is flooded from: the rest of them has no neighbour to be flooded.
    rims = np.where(ndimage.binary_dilation(between), cores, 0)
    met: Mask = between & (watershed(-smooth, rims, mask=between | (rims > 0), watershed_line=True) == 0)
    return met


def _cores(certain: Mask, smallest: float) -> Numbers:
    cores: Numbers = ndimage.label(certain)[0]
    small = np.bincount(cores.reshape(-1)) < smallest
    small[0] = False
    cores[small[cores]] = 0
    return cores


def _contested(between: Mask, cores: Numbers) -> Numbers:
    """Return the parts between cores that touch several of them, numbered from 1."""
    parts, n = ndimage.label(between)
    pixels = np.flatnonzero(between)
    part, flat, width = parts.reshape(-1)[pixels], cores.reshape(-1), cores.shape[1]
    touched = [flat[pixels + step] for step in (-width, -1, 1, width)]
    owner = np.zeros(n + 1, np.int32)
    for core in touched:
        owner[part[core > 0]] = core[core > 0]
    several = np.zeros(n + 1, bool)
    for core in touched:
        several[part[(core > 0) & (core != owner[part])]] = True
    numbers: Numbers = np.where(several, np.cumsum(several), 0).astype(np.int32)[parts]
    return numbers
