"""Frames of an electron-multiplying CCD (EMCCD) with cell-derived vesicles, from the physics up.

What is modelled, and after whom:

- point spread function: a Gaussian of standard deviation 0.21 λ/NA (Zhang, Zerubia and Olivo-Marin, Appl. Opt.
  46:1819, 2007), or the Airy pattern (Born and Wolf, Principles of Optics, ch. 8.5), both integrated over pixels or
  sampled finely enough; out of focus it widens as a Gaussian beam does, by ``sqrt(1 + (z / z_R)²)``;
- size of vesicles: log-normal diameters, as found for extracellular vesicles (van der Pol et al., J. Thromb. Haemost.
  12:1182, 2014); the projection of a ball of radius r has a standard deviation of r/√5 along each axis;
- brightness: log-normal, as membrane stains give for vesicles of varied size;
- clusters: a Poisson process of parents, each with Poisson many children around it (Thomas, Biometrika 36:18, 1949);
- background: a constant, a gradient, and haze of cells out of focus, a log-normal random field;
- camera: photons to electrons by a Poisson process, clock-induced charge, gain in a register of many stages (gamma
  distributed, hence the excess noise factor of √2), read noise, conversion to counts, an offset and clipping
  (Hirsch et al., PLoS ONE 8:e53671, 2013; Robbins and Hadwen, IEEE Trans. Electron Devices 50:1227, 2003).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.simulate.fields import smooth_noise

Floats = npt.NDArray[np.float64]

_REACH = 5.0  # standard deviations of a particle that are drawn
_AIRY_REACH = 12.0  # its rings fall off slowly
_AIRY_FINE = 5  # samples of a pixel along each axis
_FULL = 65535


@dataclass(frozen=True)
class Camera:
    """An EMCCD.

    Attributes
    ----------
    efficiency : float
        Electrons per photon.
    clock_charge : float
        Clock-induced charge and dark current, electrons per pixel and frame, before the register.
    gain : float
        Mean gain of the register; 1 is a camera without one, and without excess noise.
    read_noise : float
        Electrons after the register, standard deviation.
    electrons_per_count : float
        After the register.
    offset : float
        Counts without light.
    """

    efficiency: float = 0.9
    clock_charge: float = 0.005
    gain: float = 300.0
    read_noise: float = 50.0
    electrons_per_count: float = 15.0
    offset: float = 400.0

    def record(self, rng: np.random.Generator, photons: Floats) -> npt.NDArray[np.uint16]:
        """Return the counts of frames of expected photons, uint16 of the same shape."""
        electrons = rng.poisson(photons * self.efficiency + self.clock_charge)
        if self.gain > 1:
            multiplied = np.zeros(electrons.shape)
            hit = electrons > 0
            multiplied[hit] = rng.gamma(electrons[hit], self.gain)
        else:
            multiplied = electrons.astype(np.float64)
        multiplied += rng.normal(0, self.read_noise, electrons.shape)
        counts = np.rint(multiplied / self.electrons_per_count + self.offset)
        return np.clip(counts, 0, _FULL).astype(np.uint16)


@dataclass(frozen=True)
class Vesicles:
    """What is on the coverslip, and how it is imaged.

    Attributes
    ----------
    density : float
        Single particles per 1000 pixels.
    diameter : tuple of float
        Median in µm, and standard deviation of its logarithm.
    photons : tuple of float
        Median that reach the camera from one particle in a frame, and standard deviation of the logarithm.
    psf : float
        Standard deviation in focus, µm.
    shape : {"gaussian", "airy"}
        Of the point spread function.
    defocus : float
        Standard deviation of the height of particles, in Rayleigh lengths.
    clusters : float
        Parents of clusters per 1000 pixels.
    cluster_size : float
        Mean number of particles of a cluster.
    cluster_spread : float
        Standard deviation of the place of a cluster's particles, in standard deviations of their image.
    pairs : float
        Touching pairs per 1000 pixels.
    pair_distance : tuple of float
        Least and largest distance of a pair, in standard deviations of the image of one.
    background : float
        Photons per pixel.
    gradient : float
        Relative change of the background across a frame.
    haze : float
        Standard deviation of the logarithm of the background.
    haze_size : float
        Of its clouds, pixels.
    drift : float
        Standard deviation of a particle's step from frame to frame, pixels; the particles of frames after the first
        are those of the first, moved.
    """

    density: float = 0.5
    diameter: tuple[float, float] = (0.12, 0.4)
    photons: tuple[float, float] = (220.0, 0.5)
    psf: float = 0.13
    shape: Literal["gaussian", "airy"] = "gaussian"
    defocus: float = 0.3
    clusters: float = 0.05
    cluster_size: float = 4.0
    cluster_spread: float = 3.0
    pairs: float = 0.1
    pair_distance: tuple[float, float] = (2.0, 4.0)
    background: float = 4.0
    gradient: float = 0.5
    haze: float = 0.25
    haze_size: float = 40.0
    drift: float = 0.0


def emccd_frames(
    shape: tuple[int, int, int],
    pixel_size: float = 0.1,
    seed: int = 0,
    *,
    vesicles: Vesicles | None = None,
    camera: Camera | None = None,
) -> tuple[npt.NDArray[np.uint16], Boxes]:
    """Return frames of vesicles, and the true boxes.

    The true box of a particle is its centre ± 2 standard deviations of its blurred image, in y and in x.

    Parameters
    ----------
    shape : tuple of int
        ``(T, Y, X)``.
    pixel_size : float
        µm.
    seed : int
        Same seed, same frames.
    vesicles : Vesicles, optional
    camera : Camera, optional

    Returns
    -------
    frames : ndarray of uint16
        TYX.
    boxes : Boxes
        In pixels; all of confidence 1. Particles whose centre lies outside a frame have none.
    """
    rng = np.random.default_rng(seed)
    vesicles, camera = vesicles or Vesicles(), camera or Camera()
    frames = np.empty(shape, np.uint16)
    truths = []
    here = _particles(rng, shape[1:], pixel_size, vesicles)
    for t in range(shape[0]):
        if t and vesicles.drift:
            here = replace(here, centre=here.centre + rng.normal(0, vesicles.drift, here.centre.shape))
        elif t:
            here = _particles(rng, shape[1:], pixel_size, vesicles)
        photons = background(rng, shape[1:], vesicles) + draw(shape[1:], here, vesicles.shape)
        frames[t] = camera.record(rng, photons)
        truths.append(true_boxes(here, shape[1:], frame=t))
    return frames, Boxes.joined(truths)


@dataclass(frozen=True)
class Particles:
    """Particles of one frame.

    Attributes
    ----------
    centre : ndarray
        ``(N, 2)``, y and x in pixels; whole numbers are centres of pixels.
    sigma : ndarray
        ``(N,)``, standard deviation of the blurred image in pixels.
    photons : ndarray
        ``(N,)``, of the whole particle.
    """

    centre: Floats
    sigma: Floats
    photons: Floats


def _particles(rng: np.random.Generator, shape: tuple[int, int], pixel_size: float, vesicles: Vesicles) -> Particles:
    thousands = shape[0] * shape[1] / 1000
    singles = rng.poisson(vesicles.density * thousands)
    parents = rng.poisson(vesicles.clusters * thousands)
    children = rng.poisson(vesicles.cluster_size, parents)
    pairs = rng.poisson(vesicles.pairs * thousands)
    typical = float(np.hypot(vesicles.psf, vesicles.diameter[0] / 2 / np.sqrt(5))) / pixel_size
    middle = np.repeat(_places(rng, parents, shape), children, axis=0)
    apart = rng.uniform(*vesicles.pair_distance, pairs) * typical / 2
    angle = rng.uniform(0, 2 * np.pi, pairs)
    step = apart[:, None] * np.stack((np.sin(angle), np.cos(angle)), axis=1)
    pair = _places(rng, pairs, shape)
    centre = np.concatenate(
        (
            _places(rng, singles, shape),
            middle + rng.normal(0, vesicles.cluster_spread * typical, middle.shape),
            pair + step,
            pair - step,
        )
    )
    n = len(centre)
    diameter = vesicles.diameter[0] * np.exp(rng.normal(0, vesicles.diameter[1], n))
    blur = vesicles.psf * np.sqrt(1 + rng.normal(0, vesicles.defocus, n) ** 2)
    sigma = np.hypot(blur, diameter / 2 / np.sqrt(5)) / pixel_size
    return Particles(centre, sigma, vesicles.photons[0] * np.exp(rng.normal(0, vesicles.photons[1], n)))


def _places(rng: np.random.Generator, n: int, shape: tuple[int, int]) -> Floats:
    return rng.uniform(-0.5, np.asarray(shape) - 0.5, (n, 2))


def draw(shape: tuple[int, int], particles: Particles, psf: Literal["gaussian", "airy"] = "gaussian") -> Floats:
    """Return the expected photons of particles, ``(Y, X)``."""
    image = np.zeros(shape)
    one = _gaussian if psf == "gaussian" else _airy
    reach = _REACH if psf == "gaussian" else _AIRY_REACH
    for centre, sigma, photons in zip(particles.centre, particles.sigma, particles.photons, strict=True):
        low = np.maximum(np.floor(centre - reach * sigma).astype(int), 0)
        high = np.minimum(np.ceil(centre + reach * sigma).astype(int) + 1, shape)
        if np.any(low >= high):
            continue
        y, x = (np.arange(a, b) for a, b in zip(low, high, strict=True))
        image[low[0] : high[0], low[1] : high[1]] += photons * one(y - centre[0], x - centre[1], sigma)
    return image


def _gaussian(y: Floats, x: Floats, sigma: float) -> Floats:
    """Return the share of a Gaussian in each pixel."""

    def share(offset: Floats) -> Floats:
        edges = (offset[:, None] + (-0.5, 0.5)) / (sigma * np.sqrt(2))
        return np.asarray(np.diff(special.erf(edges), axis=1)[:, 0] / 2)

    return np.outer(share(y), share(x))


def _airy(y: Floats, x: Floats, sigma: float) -> Floats:
    """Return the share of an Airy pattern in each pixel; `sigma` is that of the Gaussian nearest to it."""
    fine = (np.arange(_AIRY_FINE) + 0.5) / _AIRY_FINE - 0.5
    rows, columns = (np.add.outer(offset, fine).reshape(-1) for offset in (y, x))
    # 0.21 λ/NA = sigma, and the pattern is (2 J1(v) / v)² with v = 2π NA/λ r: Born and Wolf, 8.5.
    v = 2 * np.pi * 0.21 / sigma * np.hypot(rows[:, None], columns[None, :])
    v = np.maximum(v, 1e-9)
    density = (2 * special.j1(v) / v) ** 2 * np.pi * 0.21**2 / sigma**2 / _AIRY_FINE**2
    return np.asarray(density.reshape(len(y), _AIRY_FINE, len(x), _AIRY_FINE).sum(axis=(1, 3)))


def background(rng: np.random.Generator, shape: tuple[int, int], vesicles: Vesicles) -> Floats:
    """Return the expected photons without particles, ``(Y, X)``."""
    y, x = np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in shape), indexing="ij")
    angle = rng.uniform(0, 2 * np.pi)
    tilt = 1 + vesicles.gradient * (y * np.sin(angle) + x * np.cos(angle))
    clouds = np.exp(vesicles.haze * smooth_noise(rng, shape, (vesicles.haze_size,) * 2).astype(np.float64))
    return np.asarray(vesicles.background * np.maximum(tilt, 0.05) * clouds)


def true_boxes(particles: Particles, shape: tuple[int, int], *, frame: int = 0) -> Boxes:
    """Return the boxes, ± 2 standard deviations, of the particles whose centres lie in a frame."""
    inside = np.all((particles.centre >= -0.5) & (particles.centre < np.asarray(shape) - 0.5), axis=1)
    side = 4 * particles.sigma[inside]
    return Boxes.of(particles.centre[inside], np.stack((side, side), axis=1), frame=frame)


SCENES: dict[str, Vesicles] = {
    "moderate": Vesicles(),
    "dim": Vesicles(photons=(130.0, 0.4), background=6.0, haze=0.35),
    "crowded": Vesicles(density=3.0, clusters=0.3, pairs=1.5, pair_distance=(1.5, 4.0), photons=(180.0, 0.5)),
}
"""Scenes to test on, harder one way each."""


def vesicle_scene(
    shape: tuple[int, int, int] = (1, 128, 128), seed: int = 0, *, scene: str = "any"
) -> tuple[npt.NDArray[np.uint16], Boxes]:
    """Return frames as a microscope might give them, and the true boxes; ``Boxes.z`` is the frame.

    Parameters
    ----------
    shape : tuple of int
        ``(T, Y, X)``.
    seed : int
    scene : str
        A key of `SCENES`; or ``"any"``, which draws vesicles and camera anew for each seed, or ``"dense"``, which draws
        them such that many touch.

    Raises
    ------
    LookupError
        There is no such scene.
    """
    shape = (shape[0], shape[1], shape[2])  # a recipe gives a list
    if scene in {"any", "dense"}:
        rng = np.random.default_rng((seed, 1))
        vesicles = random_vesicles(rng)
        if scene == "dense":
            vesicles = replace(vesicles, density=rng.uniform(2, 8), pairs=rng.uniform(0.5, 3))
        frames, boxes = emccd_frames(shape, 0.1, seed, vesicles=vesicles, camera=random_camera(rng))
    elif scene in SCENES:
        frames, boxes = emccd_frames(shape, 0.1, seed, vesicles=SCENES[scene])
    else:
        raise LookupError(f"no scene {scene!r}; there are any, dense, {', '.join(SCENES)}")
    return frames, Boxes.of(boxes.centre, boxes.size, z=boxes.frame)


def random_vesicles(rng: np.random.Generator, pixel_size: float = 0.1) -> Vesicles:
    """Draw a scene over the range met in practice: sparse to crowded, dim to bright, sharp to blurred."""

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    psf = log_uniform(0.9, 2.2) * pixel_size
    light = log_uniform(0.3, 60)
    # A particle is seen when its photons stand out of the noise of the background beneath it.
    noise = np.sqrt(light * 4 * np.pi * (psf / pixel_size) ** 2) + 3
    return Vesicles(
        density=log_uniform(0.3, 6),
        diameter=(log_uniform(0.05, 4) * psf, rng.uniform(0.1, 0.5)),
        photons=(log_uniform(7, 60) * float(noise), rng.uniform(0.05, 0.6)),
        psf=psf,
        shape="airy" if rng.random() < 0.2 else "gaussian",
        defocus=rng.uniform(0, 0.6),
        clusters=log_uniform(0.01, 0.3),
        cluster_size=rng.uniform(2, 6),
        cluster_spread=rng.uniform(2, 5),
        pairs=log_uniform(0.05, 2.5),
        pair_distance=(1.5, rng.uniform(3, 6)),
        background=light,
        gradient=rng.uniform(0, 1.2),
        haze=rng.uniform(0, 0.5),
        haze_size=rng.uniform(15, 80),
    )


def random_camera(rng: np.random.Generator) -> Camera:
    """Draw a camera: most with an electron-multiplying register, some without."""
    multiplying = rng.random() < 0.75
    return Camera(
        efficiency=rng.uniform(0.6, 0.95),
        clock_charge=rng.uniform(0.001, 0.05),
        gain=rng.uniform(30, 600) if multiplying else 1.0,
        read_noise=rng.uniform(20, 80) if multiplying else rng.uniform(0.8, 3),
        electrons_per_count=rng.uniform(5, 30) if multiplying else rng.uniform(0.2, 1),
        offset=rng.uniform(50, 1500),
    )
