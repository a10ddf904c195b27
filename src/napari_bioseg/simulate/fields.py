"""Random fields that the generators share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], lengths: tuple[float, ...]) -> Floats:
    """Return Gaussian noise of mean 0 and variance about 1 that varies over `lengths`.

    Drawn on a coarse grid and interpolated linearly, so its cost hardly depends on the lengths.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    shape : tuple of int
        Shape of the field.
    lengths : tuple of float
        Correlation length along each axis, in pixels; at least about 1 to be seen.
    """
    coarse = tuple(max(2, int(np.ceil(n / max(length, 1.0))) + 1) for n, length in zip(shape, lengths, strict=True))
    noise: Floats = ndimage.gaussian_filter(rng.standard_normal(coarse).astype(np.float32), 0.7, mode="wrap")
    noise /= max(float(noise.std()), 1e-6)
    for axis, n in enumerate(shape):
        noise = _stretch(noise, axis, n)
    return noise


def _stretch(array: Floats, axis: int, n: int) -> Floats:
    at = np.linspace(0, array.shape[axis] - 1, n, dtype=np.float32)
    low = np.minimum(at.astype(int), array.shape[axis] - 2)
    share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(array.ndim)])
    below, above = np.take(array, low, axis), np.take(array, low + 1, axis)
    stretched: Floats = below + (above - below) * share
    return stretched


def warp(
    rng: np.random.Generator, points: npt.NDArray[np.float64], amplitude: float, wavelength: float
) -> npt.NDArray[np.float64]:
    """Shift points by a smooth random vector field, so that what was connected stays so.

    The field is a sum of random plane waves (Kraichnan, Phys. Fluids 13:22, 1970).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    points : numpy.ndarray
        N×D positions.
    amplitude : float
        Root mean square of the shift along each axis, in the unit of `points`.
    wavelength : float
        Typical wavelength of the field, in the unit of `points`.
    """
    modes, ndim = 24, points.shape[1]
    waves = rng.normal(0, 2 * np.pi / wavelength / np.sqrt(ndim), (modes, ndim))
    phases = rng.uniform(0, 2 * np.pi, modes)
    weights = rng.normal(0, amplitude * np.sqrt(2 / modes), (modes, ndim))
    phase = points @ waves.T
    phase += phases
    shift: npt.NDArray[np.float64] = np.sin(phase, out=phase) @ weights
    return points + shift


def to_u8(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Round to grey values 0..255, cutting what lies outside."""
    grey: npt.NDArray[np.uint8] = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return grey
