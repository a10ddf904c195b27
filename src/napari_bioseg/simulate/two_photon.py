"""From where the dye is to what a two-photon microscope records of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.simulate.capillaries import Triple
from napari_bioseg.simulate.fields import Floats, smooth_noise, to_u8


@dataclass(frozen=True)
class Optics:
    """How a volume is imaged.

    Attributes
    ----------
    psf_lateral, psf_axial : float
        Standard deviation of the point spread function in µm. The defaults are those of a
        water-immersion objective of NA 0.5-0.6 deep in scattering tissue; the axial one is several
        times the lateral one (Zipfel, Williams and Webb, Nat. Biotechnol. 21:1369, 2003).
    attenuation : float
        Depth in µm over which the signal falls to 1/e (Oheim et al., J. Neurosci. Methods 111:29, 2001).
    haze : float
        Share of the signal that spreads as a cloud: scattered and out-of-focus light.
    streaks : float
        Contrast of the red cells, which carry no dye and are smeared along the fast scan axis X.
    photons : float
        Detected photons per pixel in a bright vessel; fewer is noisier.
    """

    psf_lateral: float = 0.6
    psf_axial: float = 2.2
    attenuation: float = 250.0
    haze: float = 0.1
    streaks: float = 0.25
    photons: float = 40.0


def random_optics(rng: np.random.Generator) -> Optics:
    """Draw optics over the range met in practice, from a clean denoised volume to a dim noisy one."""
    return Optics(
        psf_lateral=rng.uniform(0.4, 1.0),
        psf_axial=rng.uniform(1.5, 3.5),
        attenuation=float(np.exp(rng.uniform(np.log(80), np.log(500)))),
        haze=rng.uniform(0.02, 0.2),
        streaks=rng.uniform(0.1, 0.4),
        photons=float(np.exp(rng.uniform(np.log(8), np.log(400)))),
    )


def record(rng: np.random.Generator, dye: Floats, voxel_size: Triple, optics: Optics) -> npt.NDArray[np.uint8]:
    """Return the image of a dye distribution.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    dye : numpy.ndarray of float32
        ZYX, relative concentration: about 1 in a vessel, 0 outside.
    voxel_size : tuple of float
        z, y, x in µm.
    optics : Optics
        How it is imaged.

    Returns
    -------
    numpy.ndarray of uint8
        ZYX; the brightest 0.3 % of the pixels may be saturated.
    """
    signal = dye * _blood_texture(rng, dye.shape, voxel_size, optics.streaks)
    sigma = tuple(
        psf / v for psf, v in zip((optics.psf_axial, optics.psf_lateral, optics.psf_lateral), voxel_size, strict=True)
    )
    sharp = ndimage.gaussian_filter(signal, sigma, mode="nearest", truncate=3)
    image = (1 - optics.haze) * sharp + optics.haze * _cloud(signal, voxel_size)
    image += _tissue(rng, dye.shape, voxel_size)
    depth = np.arange(dye.shape[0], dtype=np.float32) * voxel_size[0]
    image *= np.exp(-depth / optics.attenuation)[:, None, None]
    image *= np.exp(0.15 * smooth_noise(rng, dye.shape[1:], (dye.shape[1] / 3, dye.shape[2] / 3)))
    return _detect(rng, image, optics.photons)


def _blood_texture(rng: np.random.Generator, shape: tuple[int, ...], voxel_size: Triple, contrast: float) -> Floats:
    z, y, x = voxel_size
    smears = smooth_noise(rng, shape, (1, 1, 8 / x))
    clumps = smooth_noise(rng, shape, (6 / z, 5 / y, 5 / x))
    texture: Floats = np.clip(1 + contrast * (smears + clumps) * np.float32(0.7), 0.15, 2.5)
    return texture


def _cloud(signal: Floats, voxel_size: Triple) -> Floats:
    # Blurred at a quarter of the lateral resolution: the cloud is far wider than a pixel.
    z, y, x = voxel_size
    small = _fours(_fours(signal, 1), 2)
    small = ndimage.gaussian_filter(small, (12 / z, 8 / y / 4, 8 / x / 4), mode="nearest", truncate=3)
    wide = np.repeat(np.repeat(small, 4, axis=1), 4, axis=2)
    pads = [(0, max(0, n - m)) for n, m in zip(signal.shape, wide.shape, strict=True)]
    full = np.pad(wide, pads, mode="edge")[tuple(slice(n) for n in signal.shape)]
    cloud: Floats = ndimage.uniform_filter(full, (1, 5, 5))
    return cloud


def _fours(values: Floats, axis: int) -> Floats:
    # Means of four; what is left at the end goes into the last.
    n = values.shape[axis]
    starts = np.arange(max(1, n // 4)) * 4
    sizes = np.diff(starts, append=n).astype(np.float32)
    sums: Floats = np.add.reduceat(values, starts, axis=axis)
    sums /= sizes.reshape(-1, *(1,) * (2 - axis))
    return sums


def _tissue(rng: np.random.Generator, shape: tuple[int, ...], voxel_size: Triple) -> Floats:
    # Autofluorescence: uneven, with faint cell-sized patches.
    z, y, x = voxel_size
    patches = smooth_noise(rng, shape, (10 / z, 9 / y, 9 / x))
    regions = smooth_noise(rng, shape, (40 / z, 60 / y, 60 / x))
    level = rng.uniform(0.01, 0.08)
    tissue: Floats = np.float32(level) * np.exp(np.float32(0.35) * patches + np.float32(0.4) * regions)
    return tissue


def _detect(rng: np.random.Generator, image: Floats, photons: float) -> npt.NDArray[np.uint8]:
    bright = max(float(np.percentile(image[:, ::4, ::4], 99.7)), 1e-6)
    counts = rng.poisson(np.clip(image / bright, 0, 4) * photons).astype(np.float32)
    counts += rng.standard_normal(counts.shape, np.float32) * np.float32(0.4)
    offset, full = rng.uniform(0, 10), rng.uniform(120, 255)
    return to_u8(counts / photons * full + offset)
