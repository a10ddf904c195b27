"""Phase-contrast micrographs of cultured cells with an exact ground truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.simulate.fields import Floats, smooth_noise, to_u8

Labels = npt.NDArray[np.uint32]


def phase_contrast_cells(
    shape: tuple[int, int], seed: int, *, cells: int | None = None
) -> tuple[npt.NDArray[np.uint8], Labels]:
    """Return an image like phase contrast of adherent cells, and which pixel belongs to which cell.

    Zernike phase contrast shows the phase shift less its surroundings, since the phase ring also
    dims light that the specimen bent but little (Yin et al., Med. Image Anal. 16:1047, 2012): flat
    cell bodies fade into the background, edges carry a dark and a bright band, thick round cells
    shine.

    Parameters
    ----------
    shape : tuple of int
        Y, X; pixels are thought of as 1.2 µm.
    seed : int
        The same seed and arguments give the same image.
    cells : int, optional
        How many cells to try to place; one per 5,000 pixels when None.

    Returns
    -------
    image : numpy.ndarray of uint8
        YX, background near 128.
    labels : numpy.ndarray of uint32
        YX, 0 outside cells, 1..n inside.
    """
    rng = np.random.default_rng(seed)
    labels, thickness = np.zeros(shape, np.uint32), np.zeros(shape, np.float32)
    wanted = max(1, shape[0] * shape[1] // 5000) if cells is None else cells
    for _ in range(wanted):
        _place(rng, labels, thickness)
    thickness += _organelles(rng, labels)
    thickness += _debris(rng, labels)
    return _phase_contrast(rng, thickness), labels


def _place(rng: np.random.Generator, labels: Labels, thickness: Floats) -> None:
    """Add one cell where most of it has room; a cell yields to the ones that were there."""
    inside, height = _cell(rng)
    n = inside.shape[0]
    top, left = (int(rng.integers(-n // 3, size - 2 * n // 3 + 1)) for size in labels.shape)
    rows, columns = (slice(max(0, a), min(size, a + n)) for a, size in zip((top, left), labels.shape, strict=True))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    cut = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    free = inside[cut] & (labels[rows, columns] == 0)
    if free.sum() < max(60, 0.8 * inside[cut].sum()):
        return
    parts, _ = ndimage.label(free)
    free = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    labels[rows, columns][free] = labels.max() + 1
    thickness[rows, columns][free] += height[cut][free]


def _cell(rng: np.random.Generator) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return the outline of one cell and its height, on a square patch."""
    rounded = rng.random() < 0.15
    radius = rng.uniform(7, 10) if rounded else rng.uniform(14, 26)
    stretch = rng.uniform(1, 1.15) if rounded else rng.uniform(1.0, 1.9)
    half = int(radius * stretch * 1.7) + 4
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)) / stretch
    across = (y * np.cos(angle) - x * np.sin(angle)) * stretch
    around = np.arctan2(across, along)
    outline = np.full(y.shape, radius, np.float32)
    for wave in range(2, 8):
        strength = rng.normal(0, (0.01 if rounded else 0.16) / wave**0.6)
        outline *= 1 + strength * np.cos(wave * around + rng.uniform(0, 2 * np.pi))
    level = np.hypot(along, across) / outline
    dome = np.sqrt(np.clip(1 - level**2, 0, 1))
    height = 8.0 * dome if rounded else 0.5 * dome**0.5 + 0.9 * np.exp(-((level / 0.4) ** 2))
    return level < 1, height.astype(np.float32)


def _organelles(rng: np.random.Generator, labels: Labels) -> Floats:
    depth = ndimage.distance_transform_edt(labels > 0).astype(np.float32)
    grains = (rng.random(labels.shape) < 0.035 * (depth > 2)).astype(np.float32) * rng.uniform(0.5, 2, labels.shape)
    granules = 2.2 * ndimage.gaussian_filter(grains.astype(np.float32), 0.8)
    folds = 0.12 * smooth_noise(rng, labels.shape, (4, 4)) * (depth > 0)
    organelles: Floats = granules + folds
    return organelles


def _debris(rng: np.random.Generator, labels: Labels) -> Floats:
    specks = ((rng.random(labels.shape) < 0.0006) & (labels == 0)).astype(np.float32)
    debris: Floats = 14 * ndimage.gaussian_filter(specks, 1.1)
    return debris


def _phase_contrast(rng: np.random.Generator, thickness: Floats) -> npt.NDArray[np.uint8]:
    sharp = ndimage.gaussian_filter(thickness, 0.8)
    halo = ndimage.gaussian_filter(thickness, 2.2) * 0.75 + ndimage.gaussian_filter(thickness, 9) * 0.25
    # The phase wraps: what is thick enough turns from dark to bright.
    image = 128 - 48 * np.sin(1.5 * (sharp - halo))
    image += 2.5 * smooth_noise(rng, thickness.shape, (thickness.shape[0] / 3, thickness.shape[1] / 3))
    image += 1.6 * rng.standard_normal(thickness.shape, np.float32)
    return to_u8(image)
