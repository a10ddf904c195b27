"""Serial-section electron micrographs of neuropil with an exact ground truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_bioseg.simulate.fields import Floats, smooth_noise, to_u8

Mask = npt.NDArray[np.bool_]

# All lengths in pixels of 4 nm, as in the ISBI-2012 stack (4×4×50 nm).
_HALF_MEMBRANE = 2.6
_MEAN_GREY, _MEMBRANE_GREY = 145.0, 62.0
_COARSE = 2
_FAR = 80.0


@dataclass(frozen=True)
class Neurites:
    """Cut neurites: one or a few discs each, which move from section to section.

    Attributes
    ----------
    centre : numpy.ndarray
        N×2, y and x in the first section.
    drift : numpy.ndarray
        N×2, pixels a section.
    radius : numpy.ndarray
        N.
    cell : numpy.ndarray
        N, which neurite each disc is part of.
    """

    centre: npt.NDArray[np.float64]
    drift: npt.NDArray[np.float64]
    radius: npt.NDArray[np.float64]
    cell: npt.NDArray[np.intp]

    def at(self, section: float) -> Neurites:
        """Return them at a section; fractions lie between sections."""
        return replace(self, centre=self.centre + section * self.drift)


def em_membranes(shape: tuple[int, int, int], seed: int) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Return a stack like serial-section TEM of neuropil, and where the inside of cells is.

    Cells are a power diagram (Aurenhammer, SIAM J. Comput. 16:78, 1987) of discs of log-normal size,
    some of them joined, that drift from section to section, seen through a smooth warp. A section is 50 nm thick, so it
    shows the mean of what lies in it: membranes that run obliquely are wide and grey. Mitochondria,
    vesicles and dark synaptic densities look like membranes and are none.

    Parameters
    ----------
    shape : tuple of int
        Z, Y, X; voxels are thought of as 50×4×4 nm.
    seed : int
        The same seed and shape give the same stack.

    Returns
    -------
    image : numpy.ndarray of uint8
        ZYX; membranes are dark.
    truth : numpy.ndarray of bool
        ZYX, True inside cells, False on membranes.
    """
    rng = np.random.default_rng(seed)
    neurites = _pack(rng, shape)
    warps = [9.0 * smooth_noise(rng, shape, (6, 45, 45)) + 4.0 * smooth_noise(rng, shape, (3, 16, 16)) for _ in "yx"]
    densities = smooth_noise(rng, shape, (2, 18, 18)) > 1.9
    mitochondria = _Mitochondria.scattered(rng, shape)
    shades = rng.normal(0, 16, len(neurites.radius)).astype(np.float32)
    image, truth = np.empty(shape, np.float32), np.empty(shape, bool)
    for z in range(shape[0]):
        around = [_cut(neurites.at(z + part), warps[0][z], warps[1][z]) for part in (-0.25, 0.25)]
        distance = np.minimum(around[0][0], around[1][0])
        truth[z] = distance > _HALF_MEMBRANE
        membrane = (_profile(around[0][0]) + _profile(around[1][0])) / 2
        grey = _MEAN_GREY + shades[around[0][1]] + _cytoplasm(rng, distance)
        grey = mitochondria.draw(grey, z, distance)
        membrane = np.maximum(membrane, 0.9 * densities[z] * np.exp(-((distance / 9) ** 2)))
        image[z] = grey + (_MEMBRANE_GREY - grey) * membrane
    return _expose(rng, image), truth


def _pack(rng: np.random.Generator, shape: tuple[int, int, int]) -> Neurites:
    margin = 60
    high = np.array(shape[1:]) + margin
    n = int(np.prod(high + margin) / 450)
    radii = np.sort(np.clip(rng.lognormal(np.log(13), 0.6, n), 8, 65))[::-1]
    centres, kept = np.empty((0, 2)), np.empty(0)
    for radius in radii:
        spots = rng.uniform(-margin, high, (8, 2))
        gaps = np.linalg.norm(spots[:, None] - centres, axis=-1) - kept - radius if len(kept) else np.ones((8, 1))
        best = int(gaps.min(axis=1).argmax())
        if gaps[best].min() > -0.35 * radius:
            centres, kept = np.vstack([centres, spots[best]]), np.append(kept, radius)
    return Neurites(centres, rng.normal(0, 2.2, centres.shape), kept, _joined(rng, centres))


def _joined(rng: np.random.Generator, centres: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Join a third of the discs with their nearest neighbour, for cells that are long or bent."""
    nearest = cKDTree(centres).query(centres, k=2)[1][:, 1]
    cell = np.arange(len(centres))
    for i in np.flatnonzero(rng.random(len(centres)) < 0.33):
        cell[cell == cell[i]] = cell[nearest[i]]
    return cell


def _cut(neurites: Neurites, warp_y: Floats, warp_x: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the distance to the nearest membrane, and the cell, of each pixel of a section."""
    shape = warp_y.shape
    ys, xs = (np.arange(0, n + _COARSE, _COARSE).clip(max=n - 1) for n in shape)
    y, x = np.meshgrid(ys, xs, indexing="ij")
    seen = np.stack([y + warp_y[y, x], x + warp_x[y, x], np.zeros(y.shape)], -1)
    # The power distance d² - r² is a Euclidean one with the weight as a third coordinate.
    lift = np.sqrt(neurites.radius.max() ** 2 - neurites.radius**2)
    sites = np.column_stack([neurites.centre, lift])
    away, who = cKDTree(sites).query(seen, k=5)
    apart = np.linalg.norm(neurites.centre[who[..., 1:]] - neurites.centre[who[..., :1]], axis=-1)
    to_borders = (away[..., 1:] ** 2 - away[..., :1] ** 2) / (2 * np.maximum(apart, 1))
    same = neurites.cell[who[..., 1:]] == neurites.cell[who[..., :1]]
    to_border = np.where(same, _FAR, to_borders).min(-1).astype(np.float32)
    zoomed = ndimage.zoom(to_border, _COARSE, order=1, grid_mode=True, mode="nearest")[: shape[0], : shape[1]]
    cells = np.repeat(np.repeat(neurites.cell[who[..., 0]], _COARSE, 0), _COARSE, 1)[: shape[0], : shape[1]]
    return zoomed, cells


def _profile(distance: Floats) -> Floats:
    profile: Floats = np.exp(-((distance / _HALF_MEMBRANE) ** 4) * np.float32(0.7))
    return profile


def _cytoplasm(rng: np.random.Generator, distance: Floats) -> Floats:
    """Return granular cytoplasm with vesicles: rings 40 nm across, in clusters."""
    texture = 16 * smooth_noise(rng, distance.shape, (3, 3)) + 12 * smooth_noise(rng, distance.shape, (12, 12))
    clustered = smooth_noise(rng, distance.shape, (30, 30)) > 0.4
    chance = 0.003 * (clustered & (distance > 10)) + 0.0006 * (distance > 8)
    seeds = (rng.random(distance.shape) < chance).astype(np.float32)
    ring = ndimage.gaussian_filter(seeds, 3.0) - 0.75 * ndimage.gaussian_filter(seeds, 1.8)
    vesicles: Floats = texture - 9000 * np.clip(ring, 0, 0.008)
    return vesicles


@dataclass(frozen=True)
class _Mitochondria:
    """Ellipsoids; each row of `boxes` is z, y, x, half height, half length, half width, angle."""

    boxes: npt.NDArray[np.float64]

    @classmethod
    def scattered(cls, rng: np.random.Generator, shape: tuple[int, int, int]) -> _Mitochondria:
        n = rng.poisson(shape[0] * shape[1] * shape[2] / 120_000 + 1)
        low, high = (-3, 0, 0, 2, 16, 10, 0), (shape[0] + 3, *shape[1:], 7, 30, 17, np.pi)
        return cls(rng.uniform(low, high, (n, 7)))

    def draw(self, grey: Floats, z: int, distance: Floats) -> Floats:
        y, x = np.ogrid[: grey.shape[0], : grey.shape[1]]
        for cz, cy, cx, height, length, width, angle in self.boxes:
            size = 1 - ((z - cz) / height) ** 2
            # A mitochondrion lies inside one cell: where its centre is too near a membrane there is none.
            if size <= 0 or distance[int(cy), int(cx)] < width + 6:
                continue
            along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
            across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
            level = np.sqrt((along / length) ** 2 + (across / width) ** 2) / np.sqrt(size)
            depth = (1 - level) * width
            matrix = (
                112 + 16 * np.sin(along * 0.9 + 2 * np.sin(across * 0.25)) - 45 * np.exp(-(((depth - 1.5) / 2) ** 2))
            )
            edge = np.clip(depth, 0, 1) * (distance > _HALF_MEMBRANE)
            grey = (grey + (matrix - grey) * edge).astype(np.float32)
        return grey


def _expose(rng: np.random.Generator, image: Floats) -> npt.NDArray[np.uint8]:
    """Blur, add shot noise, and vary brightness and contrast from section to section."""
    image = ndimage.gaussian_filter(image, (0, 0.8, 0.8), mode="nearest")
    grain = rng.standard_normal(image.shape, np.float32)
    image += 9 * ndimage.gaussian_filter(grain, (0, 0.6, 0.6), mode="nearest") * 2 + 5 * grain
    sections = (image.shape[0], 1, 1)
    contrast, brightness = rng.normal(1, 0.06, sections), rng.normal(-4, 6, sections)
    shading = 8 * smooth_noise(rng, image.shape, (1, image.shape[1] / 2, image.shape[2] / 2))
    return to_u8((image - 128) * contrast + 128 + brightness + shading)
