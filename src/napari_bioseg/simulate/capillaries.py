"""Geometry of a cortical vessel bed, in µm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import Voronoi

from napari_bioseg.simulate.fields import warp

Points = npt.NDArray[np.float64]
Triple = tuple[float, float, float]

# Mouse cortex: capillary lumen 4-8 µm across (Blinder et al., Nat. Neurosci. 16:889, 2013).
CAPILLARY_RADIUS = 2.8
CAPILLARY_SPREAD = 0.45


@dataclass(frozen=True)
class Tubes:
    """Centre lines as points.

    Attributes
    ----------
    points : numpy.ndarray
        N×3, z, y, x in µm.
    radius : numpy.ndarray
        N, in µm.
    brightness : numpy.ndarray
        N, relative fluorescence.
    """

    points: Points
    radius: npt.NDArray[np.float64]
    brightness: npt.NDArray[np.float64]


def join(parts: list[Tubes]) -> Tubes:
    """Put several sets of tubes into one."""
    return Tubes(
        np.concatenate([p.points for p in parts]),
        np.concatenate([p.radius for p in parts]),
        np.concatenate([p.brightness for p in parts]),
    )


def capillary_bed(rng: np.random.Generator, size: Triple, spacing: float, step: float) -> Tubes:
    """Return a capillary network that fills a box.

    The edges of a Voronoi tessellation, thinned until nearly all junctions have three vessels, as
    in cortex (Smith et al., Front. Physiol. 10:233, 2019), and bent by a smooth field.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : tuple of float
        Box, z, y, x in µm.
    spacing : float
        Mean distance of the Voronoi seeds in µm.
    step : float
        Distance of the points along a vessel in µm.
    """
    vertices, edges = _voronoi_edges(rng, size, spacing)
    edges = _thin_to_three(rng, edges, len(vertices))
    a, b = vertices[edges[:, 0]], vertices[edges[:, 1]]
    counts = np.maximum(2, np.ceil(np.linalg.norm(b - a, axis=1) / step).astype(int))
    edge = np.repeat(np.arange(len(edges)), counts)
    along = (np.arange(len(edge)) - np.repeat(counts.cumsum() - counts, counts)) / (counts[edge] - 1)
    straight = a[edge] + (b - a)[edge] * along[:, None]
    points = warp(rng, warp(rng, straight, 0.12 * spacing, 1.2 * spacing), 2.0, 28.0)
    radius = np.clip(rng.normal(CAPILLARY_RADIUS, CAPILLARY_SPREAD, len(edges)), 2.0, 4.0)
    brightness = rng.lognormal(0, 0.35, len(edges))
    return Tubes(points, radius[edge], brightness[edge])


def _voronoi_edges(rng: np.random.Generator, size: Triple, spacing: float) -> tuple[Points, npt.NDArray[np.int64]]:
    counts = [int(np.ceil(s / spacing)) + 4 for s in size]
    grid = np.stack(np.meshgrid(*(np.arange(n) - 1.5 for n in counts), indexing="ij"), -1).reshape(-1, 3)
    grid = grid + rng.uniform(-0.5, 0.5, 3) + rng.uniform(-0.9, 0.9, grid.shape)
    mesh = Voronoi(grid * spacing)
    edges = {
        (min(i, j), max(i, j))
        for ridge in mesh.ridge_vertices
        for i, j in zip(ridge, ridge[1:] + ridge[:1], strict=True)
        if min(i, j) >= 0
    }
    inside = ((mesh.vertices > -spacing) & (mesh.vertices < np.array(size) + spacing)).all(1)
    kept = sorted(e for e in edges if inside[list(e)].all())
    return mesh.vertices, np.array(kept, dtype=np.int64).reshape(-1, 2)


def _thin_to_three(rng: np.random.Generator, edges: npt.NDArray[np.int64], vertices: int) -> npt.NDArray[np.int64]:
    degree = np.bincount(edges.ravel(), minlength=vertices)
    keep = np.ones(len(edges), bool)
    for i in rng.permutation(len(edges)):
        if (degree[edges[i]] > 3).all():
            keep[i] = False
            degree[edges[i]] -= 1
    return edges[keep]


def large_vessel(rng: np.random.Generator, size: Triple, step: float) -> Tubes:
    """Return a penetrating or a pial vessel with its side branches.

    Penetrating arterioles and venules (radius 5-10 µm) run down from the surface; pial ones
    (8-30 µm) lie in the upper half of the box. Branches follow Murray's law (PNAS 12:207, 1926),
    r³ = r₁³ + r₂³.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : tuple of float
        Box, z, y, x in µm.
    step : float
        Distance of the points along a vessel in µm.
    """
    pial = rng.random() < 0.5
    radius = float(rng.uniform(8, 30) if pial else rng.uniform(5, 10))
    brightness = float(rng.lognormal(-0.2, 0.3))
    angle = rng.uniform(0, np.pi)
    across = np.array([0.0, np.sin(angle), np.cos(angle)])
    direction = across if pial else np.array([1.0, 0, 0]) + 0.35 * across
    through = rng.uniform((0.0, 0.1, 0.1), (0.5 if pial else 1.0, 0.9, 0.9)) * np.array(size)
    reach = 0.8 * float(np.linalg.norm(size))
    trunk = _curve(rng, through - direction * reach, through + direction * reach, step)
    parts = [Tubes(trunk, np.full(len(trunk), radius), np.full(len(trunk), brightness))]
    for _ in range(rng.integers(1, 4)):
        start = trunk[rng.integers(len(trunk) // 4, 3 * len(trunk) // 4)]
        heading = rng.normal(size=3) * (0.5, 1, 1)
        end = start + heading / np.linalg.norm(heading) * rng.uniform(60, 250)
        branch = _curve(rng, start, end, step)
        share = rng.uniform(0.1, 0.35)
        taper = np.linspace(1.0, 0.7, len(branch)) * max(CAPILLARY_RADIUS, radius * share ** (1 / 3))
        parts.append(Tubes(branch, taper, np.full(len(branch), brightness)))
    return join(parts)


def _curve(rng: np.random.Generator, start: Points, end: Points, step: float) -> Points:
    n = max(2, int(np.linalg.norm(end - start) / step))
    line = start + (end - start) * np.linspace(0, 1, n)[:, None]
    bent = warp(rng, line, 0.03 * float(np.linalg.norm(end - start)), 150.0)
    from_start: Points = bent - bent[0] + start
    return from_start
