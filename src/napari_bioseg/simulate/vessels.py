"""Two-photon volumes of brain vessels with an exact ground truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.simulate.capillaries import CAPILLARY_RADIUS, Triple, Tubes, capillary_bed, join, large_vessel
from napari_bioseg.simulate.fields import Floats, smooth_noise
from napari_bioseg.simulate.two_photon import Optics, random_optics, record

# A vessel between two planes shows in both: its truth is at least this share of their distance high.
_AXIAL_SHARE = 0.6
# Voronoi edge length per volume is 5.83 / spacing² (Okabe et al., Spatial Tessellations, 2000);
# about this share is left once junctions have three vessels.
_EDGE_LENGTH = 5.83 * 0.78


def vessel_tree(
    shape: tuple[int, int, int],
    voxel_size: Triple,
    seed: int,
    *,
    density: float = 0.035,
    large_vessels: int = 1,
    optics: Optics | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return a volume of a capillary bed with larger vessels running through, and where they are.

    Parameters
    ----------
    shape : tuple of int
        Z, Y, X.
    voxel_size : tuple of float
        z, y, x in µm.
    seed : int
        The same seed and arguments give the same volume.
    density : float
        Share of the volume, 0..0.2, that capillaries take up; about 0.03-0.04 in cortex as
        annotated, where they are as wide as they look.
    large_vessels : int
        How many penetrating or pial vessels, each with a few branches, cross the volume.
    optics : Optics, optional
        How it is imaged; drawn at random when None.

    Returns
    -------
    image : numpy.ndarray of uint8
        ZYX.
    truth : numpy.ndarray of bool
        ZYX, True inside vessels.

    Raises
    ------
    ValueError
        `density` lies outside 0..0.2.
    """
    if not 0 <= density <= 0.2:
        raise ValueError(f"density {density} lies outside 0..0.2")
    rng = np.random.default_rng(seed)
    size = tuple(n * v for n, v in zip(shape, voxel_size, strict=True))
    step = max(CAPILLARY_RADIUS / 4, min(voxel_size[1:]) / 2)
    parts = [_no_tubes()]
    if density > 0:
        parts.append(capillary_bed(rng, (size[0], size[1], size[2]), _spacing(density, voxel_size[0]), step))
    parts += [large_vessel(rng, (size[0], size[1], size[2]), 2 * step) for _ in range(large_vessels)]
    truth, dye = rasterise(join(parts), shape, voxel_size)
    return record(rng, dye, voxel_size, optics or random_optics(rng)), truth


def vessel_image_from_mask(
    mask: npt.NDArray[Any], voxel_size: Triple, seed: int, *, optics: Optics | None = None
) -> npt.NDArray[np.uint8]:
    """Return what a two-photon microscope could have recorded of the vessels in a mask.

    Parameters
    ----------
    mask : numpy.ndarray
        ZYX, non-zero inside vessels; a segmentation of a real volume, for instance.
    voxel_size : tuple of float
        z, y, x in µm.
    seed : int
        The same seed and arguments give the same image.
    optics : Optics, optional
        How it is imaged; drawn at random when None.

    Returns
    -------
    numpy.ndarray of uint8
        ZYX.

    Raises
    ------
    ValueError
        The mask is not 3-D.
    """
    if mask.ndim != 3:
        raise ValueError(f"the mask has {mask.ndim} dimensions, not 3 (ZYX)")
    rng = np.random.default_rng(seed)
    z, y, x = voxel_size
    filling = np.exp(np.float32(0.4) * smooth_noise(rng, mask.shape, (30 / z, 30 / y, 30 / x)))
    dye: Floats = (mask != 0) * filling
    return record(rng, dye, voxel_size, optics or random_optics(rng))


def rasterise(tubes: Tubes, shape: tuple[int, int, int], voxel_size: Triple) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return which voxels lie inside tubes, and the dye in them.

    Parameters
    ----------
    tubes : Tubes
        Centre lines in µm; the centre of voxel (0, 0, 0) is the origin.
    shape : tuple of int
        Z, Y, X.
    voxel_size : tuple of float
        z, y, x in µm.
    """
    dye = np.zeros(shape, np.float32)
    truth = np.zeros(shape, bool)
    height = np.maximum(tubes.radius, _AXIAL_SHARE * voxel_size[0])
    far = tubes.radius[:, None] + np.array(voxel_size)
    upper = np.array(shape) * voxel_size
    near = ((tubes.points > -far) & (tubes.points < upper + far)).all(1)
    # Points of similar radius share one box of voxels around each.
    band = np.ceil(4 * np.log2(np.maximum(tubes.radius, 0.1))).astype(int)
    for b in np.unique(band[near]):
        chosen = np.flatnonzero(near & (band == b))
        half = _half_sizes(float(tubes.radius[chosen].max()), float(height[chosen].max()), voxel_size)
        box = math.prod(2 * h + 1 for h in half)
        for part in np.array_split(chosen, max(1, chosen.size * box // 250_000)):
            where, who = _inside(tubes, height, part, half, voxel_size, shape)
            truth.reshape(-1)[where] = True
            dye.reshape(-1)[where] = tubes.brightness[who]
    return truth, dye


def _half_sizes(radius: float, height: float, voxel_size: Triple) -> list[int]:
    return [int(np.ceil(r / v)) + 1 for r, v in zip((height, radius, radius), voxel_size, strict=True)]


def _inside(
    tubes: Tubes,
    height: npt.NDArray[np.float64],
    part: npt.NDArray[np.intp],
    half: Sequence[int],
    voxel_size: Triple,
    shape: tuple[int, int, int],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    # Voxels (flat) inside the ellipsoid around each point, and whose they are. What one axis adds to the distance is
    # the same along the others.
    distance, voxels = np.zeros((len(part), 1, 1, 1)), np.zeros((len(part), 1, 1, 1), np.intp)
    for axis, semi in enumerate((height[part], tubes.radius[part], tubes.radius[part])):
        points, spread = tubes.points[part, axis], tuple(i + 1 for i in range(3) if i != axis)
        at = np.rint(points / voxel_size[axis]).astype(np.intp)[:, None] + np.arange(-half[axis], half[axis] + 1)
        away = (at * voxel_size[axis] - points[:, None]) / semi[:, None]
        away = np.where((at >= 0) & (at < shape[axis]), away * away, np.inf)
        distance = distance + np.expand_dims(away, spread)
        voxels = voxels * shape[axis] + np.expand_dims(at, spread)
    hit = distance <= 1
    return voxels[hit], part[np.nonzero(hit)[0]]


def _spacing(density: float, plane_distance: float) -> float:
    height = max(CAPILLARY_RADIUS, _AXIAL_SHARE * plane_distance)
    area = np.pi * CAPILLARY_RADIUS * (2 * height + CAPILLARY_RADIUS) / 3
    return float(np.sqrt(_EDGE_LENGTH * area / density))


def _no_tubes() -> Tubes:
    return Tubes(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
