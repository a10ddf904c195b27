"""Pictures of what is no micrograph of a known kind: noise, clouds, things before things, writing, stripes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.simulate.fields import Floats, smooth_noise, to_u8

Shape = tuple[int, int]
Maker = Callable[[np.random.Generator, Shape], Floats]


def foreign_pictures(shape: tuple[int, int, int], seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return pictures that no model of microscopy was made for, and that nothing is labelled in them.

    Parameters
    ----------
    shape : tuple of int
        How many, and Y and X of each.
    seed : int
        The same seed and shape give the same pictures.

    Returns
    -------
    pictures : numpy.ndarray of uint8
        Of the kinds in `PICTURES`, each drawn anew.
    truth : numpy.ndarray of bool
        False everywhere.
    """
    return draw_pictures(PICTURES, shape, seed)


def draw_pictures(
    makers: Mapping[str, Maker], shape: tuple[int, int, int], seed: int, inverted: float = 0.0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return pictures ``(N, Y, X)`` of kinds drawn by chance, a share of them inverted, and a truth that is False."""
    rng = np.random.default_rng(seed)
    names = list(makers)
    pictures = np.empty(tuple(shape), np.uint8)
    for picture in pictures:
        drawn = makers[names[int(rng.integers(len(names)))]](rng, picture.shape)
        picture[:] = _shot(rng, -drawn if inverted and rng.random() < inverted else drawn)
    return pictures, np.zeros(pictures.shape, bool)


def _shot(rng: np.random.Generator, picture: Floats) -> npt.NDArray[np.uint8]:
    """Give a picture some light, blur, noise and contrast, as a camera or a file might."""
    picture = picture - picture.min()
    picture /= max(float(picture.max()), 1e-6)
    if rng.random() < 0.5:
        light = np.exp(rng.uniform(0.1, 0.6) * smooth_noise(rng, picture.shape, tuple(n / 1.5 for n in picture.shape)))
        picture = picture * light
    picture = ndimage.gaussian_filter(picture, rng.choice([0.0, 0.5, 1.0, 2.0], p=[0.3, 0.3, 0.25, 0.15]))
    picture = picture + rng.choice([0.0, 0.01, 0.04, 0.1]) * rng.standard_normal(picture.shape, np.float32)
    return to_u8((picture - 0.5) * rng.uniform(120, 255) + rng.uniform(90, 165))


def clouds(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return noise whose amplitude falls as a power of the frequency: from snow, with 0, to clouds, with 2."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None] * rng.uniform(0.5, 2), np.fft.rfftfreq(shape[1])[None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / frequency ** rng.uniform(0, 2)
    field: Floats = np.fft.irfft2(spectrum, shape).astype(np.float32)
    return np.clip(field, *np.percentile(field, (0.5, 99.5)))


def things(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return things before things, of all sizes, some of them patterned: photographs have such statistics.

    Dead leaves (Lee, Mumford and Huang, Int. J. Comput. Vis. 41:35, 2001), whose sizes have the power law -3.
    """
    picture = np.full(shape, rng.uniform(0, 1), np.float32)
    low, high = rng.uniform(3, 12), rng.uniform(0.2, 0.6) * max(shape)
    for _ in range(int(rng.integers(40, 350))):
        share = rng.random()
        radius = (low**-2 + share * (high**-2 - low**-2)) ** -0.5
        _put(rng, picture, radius)
    return picture


def _put(rng: np.random.Generator, picture: Floats, radius: float) -> None:
    centre = rng.uniform(0, picture.shape)
    box = tuple(
        slice(max(0, int(c - radius)), min(n, int(c + radius) + 1)) for c, n in zip(centre, picture.shape, strict=True)
    )
    y, x = np.ogrid[box]
    y, x = (y - centre[0]) / radius, (x - centre[1]) / radius
    angle, flat = rng.uniform(0, np.pi), rng.uniform(0.2, 1)
    along, across = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / flat
    inside = np.hypot(along, across) < 1 if rng.random() < 0.5 else np.maximum(abs(along), abs(across)) < 0.7
    grey = rng.uniform(0, 1) + rng.normal(0, 0.15) * along
    if rng.random() < 0.3:
        grey = grey + rng.uniform(0.05, 0.4) * np.sin(across * radius * rng.uniform(0.2, 1.5))
    if rng.random() < 0.3:
        grey = grey + rng.uniform(0.02, 0.15) * rng.standard_normal(inside.shape)
    picture[box][inside] = np.broadcast_to(grey, inside.shape)[inside]


def writing(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return lines of strokes, dark on light, like a page or a screen."""
    picture = np.ones(shape, np.float32)
    height = int(rng.integers(6, 28))
    for top in range(2, shape[0] - height, int(height * rng.uniform(1.3, 2)) + 1):
        left = int(rng.integers(1, 20))
        while left < shape[1] - height:
            width = int(height * rng.uniform(0.35, 0.8)) + 2
            if rng.random() < 0.85:
                _letter(rng, picture[top : top + height, left : left + width])
            left += width + 1 + height // 6
    return picture


def _letter(rng: np.random.Generator, place: Floats) -> None:
    thick = max(1, place.shape[0] // 7)
    for _ in range(int(rng.integers(2, 5))):
        if rng.random() < 0.5:
            at = int(rng.integers(max(1, place.shape[1] - thick)))
            place[:, at : at + thick] = 0
        else:
            at = int(rng.integers(max(1, place.shape[0] - thick)))
            place[at : at + thick] = 0


def stripes(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return gratings, checks or bricks, bent a little."""
    y, x = (np.arange(n, dtype=np.float32) for n in shape)
    warp = rng.uniform(0, 8)
    y, x = (a + warp * smooth_noise(rng, shape, (40, 40)) for a in (y[:, None], x[None]))
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(4), np.log(80)))
    along, across = (x * np.cos(angle) + y * np.sin(angle)) / period, (y * np.cos(angle) - x * np.sin(angle)) / period
    waves = np.sin(2 * np.pi * along)
    if rng.random() < 0.5:
        waves = waves * np.sin(2 * np.pi * across * rng.uniform(0.3, 1))
    picture: Floats = np.sign(waves) if rng.random() < 0.5 else waves
    return picture.astype(np.float32)


def shades(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return slopes and one or two wide shapes: a wall, a sky, a drawing."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    picture = rng.normal() * y + rng.normal() * x + rng.normal(0, 0.5) * x * y
    for _ in range(int(rng.integers(0, 4))):
        _put(rng, picture, rng.uniform(0.2, 0.6) * max(shape))
    drawn: Floats = picture.astype(np.float32)
    return drawn


def nuclei(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return bright or dark bodies on an even ground, too large for spots: nuclei, blood cells, particles."""
    radius = rng.uniform(9, 32)
    y, x = np.ogrid[: shape[0], : shape[1]]
    picture = np.zeros(shape, np.float32)
    for _ in range(int(rng.uniform(0.1, 0.5) * shape[0] * shape[1] / radius**2 / 3) + 1):
        (cy, cx), r, flat, angle = (
            rng.uniform(0, shape),
            radius * rng.uniform(0.7, 1.3),
            rng.uniform(0.6, 1),
            rng.random(),
        )
        along, across = (
            (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle),
            (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle),
        )
        edge = np.clip((1 - np.hypot(along, across / flat) / r) * r / rng.uniform(1, 3), 0, 1)
        picture = np.maximum(picture, edge.astype(np.float32) * np.float32(rng.uniform(0.4, 1)))
    grainy: Floats = picture * np.exp(0.15 * smooth_noise(rng, shape, (4, 4)))
    return grainy


PICTURES: dict[str, Maker] = {
    "clouds": clouds,
    "things": things,
    "more things": things,
    "writing": writing,
    "stripes": stripes,
    "shades": shades,
    "nuclei": nuclei,
}
