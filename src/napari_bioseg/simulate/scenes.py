"""More of what is no micrograph of a known kind: skies, grounds, pebbles, trees, discs, lattices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_bioseg.simulate.fields import Floats, smooth_noise
from napari_bioseg.simulate.pictures import Maker, Shape, clouds, draw_pictures

Point = npt.NDArray[np.float64]
_REACH = 6.0  # of a light, in its radii


def foreign_scenes(shape: tuple[int, int, int], seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return pictures as `foreign_pictures` does, of other things, and that nothing is labelled in them.

    Parameters
    ----------
    shape : tuple of int
        How many, and Y and X of each.
    seed : int
        The same seed and shape give the same pictures.

    Returns
    -------
    pictures : numpy.ndarray of uint8
        Of the kinds in `SCENES`, each drawn anew, a quarter of them inverted.
    truth : numpy.ndarray of bool
        False everywhere.
    """
    return draw_pictures(SCENES, shape, seed, inverted=0.25)


def sky(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return points of light of a wide range of brightness, and among them extended, flattened ones.

    Profiles fall as Sersic's (Bol. Asoc. Argent. Astron. 6:41, 1963), from discs to sharp centres; sizes and brightness
    have power laws, as those of stars and galaxies do.
    """
    picture = 0.05 * smooth_noise(rng, shape, (60, 60))
    area = shape[0] * shape[1]
    sigma = rng.uniform(0.7, 2.5)
    for _ in range(rng.poisson(area * 10 ** rng.uniform(-4, -2.5))):
        _light(rng, picture, sigma, 1.0, 0.5, min(0.05 * (1 + rng.pareto(0.8)), 4))
    for _ in range(1 + rng.poisson(area * 10 ** rng.uniform(-4, -2.8))):
        radius = min(1.5 * (1 + rng.pareto(1.2)), max(shape) / 4)
        _light(rng, picture, radius, rng.uniform(0.3, 1), rng.uniform(0.5, 4), min(0.1 * (1 + rng.pareto(1)), 3))
    seen: Floats = np.arcsinh(picture * rng.uniform(0.5, 6)).astype(np.float32)
    return seen


def _light(
    rng: np.random.Generator, picture: Floats, radius: float, flat: float, index: float, brightness: float
) -> None:
    centre = rng.uniform(0, picture.shape)
    y, x, box = _around(picture.shape, centre, _REACH * radius)
    along, across = _turned(y, x, rng.uniform(0, np.pi))
    r = np.hypot(along, across / flat) / radius
    # Its wings are cut where they are faint, along its own outline.
    wings = np.exp(-(_REACH ** (1 / index)))
    picture[box] += brightness * np.clip((np.exp(-(r ** (1 / index))) - wings) / (1 - wings), 0, None)


def _around(shape: Shape, centre: Point, reach: float) -> tuple[Floats, Floats, tuple[slice, ...]]:
    """Return the distances along Y and X from a centre, of pixels within a reach, and where these are."""
    # A centre may lie so far outside that nothing is within reach.
    low, high = (np.clip(np.add(centre, r).astype(int), 0, shape) for r in (-reach, reach + 2))
    box = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    y, x = np.ogrid[box]
    return y - centre[0], x - centre[1], box


def _turned(y: Floats, x: Floats, angle: float) -> tuple[Floats, Floats]:
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def ground(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return rough ground in slanting light, some of it with craters: heights are noise of a falling spectrum."""
    height = ndimage.gaussian_filter(clouds(rng, shape), rng.uniform(0, 2))
    height = height / max(float(height.std()), 1e-6) * rng.uniform(2, 8)
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(5, 60))):
            radius = min(3 * (1 + rng.pareto(1.2)), max(shape) / 4)
            y, x, box = _around(shape, rng.uniform(0, shape), 2 * radius)
            r = np.hypot(y, x) / radius
            # A bowl with a raised rim that falls off outside.
            height[box] += 0.5 * radius * np.where(r < 1, r**2 - 0.7, 0.3 * np.exp(-4 * (r - 1)))
    seen: Floats = _lit(rng, height) + rng.uniform(0, 0.3) * smooth_noise(rng, shape, (30, 30))
    return seen


def _lit(rng: np.random.Generator, height: Floats) -> Floats:
    """Return how bright a matt surface is in light that comes from a side (Lambert's law)."""
    slope_y, slope_x = np.gradient(height)
    angle, steep = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.5)
    towards = np.cos(angle) * slope_y + np.sin(angle) * slope_x + steep
    bright: Floats = np.clip(towards / np.sqrt(1 + slope_y**2 + slope_x**2), 0, None).astype(np.float32)
    return bright


def pebbles(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return a plane that is filled with pieces: flat grains, each of its own grey, or round ones in slanting light."""
    count = int(max(4, shape[0] * shape[1] / rng.uniform(6, 45) ** 2))
    y, x = np.indices(shape)
    places = np.stack((y, x), axis=-1).reshape(-1, 2) + 3 * rng.standard_normal((shape[0] * shape[1], 2)) * (
        rng.random() < 0.3
    )
    (near, far), piece = (a.T.reshape(-1, *shape) for a in cKDTree(rng.uniform(0, shape, (count, 2))).query(places, 2))
    own = rng.uniform(0, 1, count).astype(np.float32)[piece[0]]
    rough = clouds(rng, shape)
    rough *= rng.uniform(0, 0.15) / max(float(rough.std()), 1e-6)
    if rng.random() < 0.4:
        flat: Floats = own + rough
        return flat
    depth = (far - near) / (far + near + 1e-6)
    dome = np.sqrt(np.clip(depth, 0, 1)) * rng.uniform(2, 12)
    lit: Floats = _lit(rng, ndimage.gaussian_filter(dome, 0.7)) * (0.4 + own) + rough
    return lit


def trees(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return branching lines that taper, from a body or from a border, light on dark or dark on light."""
    picture = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        root = rng.uniform(0, shape)
        radius = rng.uniform(1.5, 6)
        if rng.random() < 0.6:
            _blob(picture, root, radius * rng.uniform(1.5, 4), 1.0)
        for _ in range(int(rng.integers(2, 6))):
            _branch(rng, picture, root, rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.4, 1))
    uneven = rng.uniform(0, 0.4) * smooth_noise(rng, shape, tuple(n / 2 for n in shape))
    sign = 1 if rng.random() < 0.5 else -1
    grown: Floats = sign * picture + uneven
    return grown


def _branch(rng: np.random.Generator, picture: Floats, at: Point, angle: float, radius: float) -> None:
    while radius > 0.5 and (at >= -radius).all() and (at < np.add(picture.shape, radius)).all():
        _blob(picture, at, radius, rng.uniform(0.6, 1))
        angle += rng.normal(0, 0.12)
        step = max(1.0, radius / 2)
        at = at + step * np.array([np.sin(angle), np.cos(angle)])
        radius *= 1 - 0.006 * step
        if rng.random() < 0.02 * step:
            _branch(
                rng, picture, at, angle + rng.choice([-1, 1]) * rng.uniform(0.3, 1.2), radius * rng.uniform(0.5, 0.8)
            )


def _blob(picture: Floats, centre: Point, radius: float, brightness: float) -> None:
    y, x, box = _around(picture.shape, centre, radius + 1)
    edge = np.clip(radius - np.hypot(y, x) + 0.5, 0, 1) * brightness
    picture[box] = np.maximum(picture[box], edge)


def discs(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return dark discs on light ground, pale in the middle or with bodies in them: a smear, drops, coins.

    Some pictures are one disc that fills them, cut out of its ground.
    """
    if rng.random() < 0.3:
        picture = np.full(shape, rng.choice([0.0, 1.0]), np.float32)
        _disc(rng, picture, np.divide(shape, 2), min(shape) * rng.uniform(0.2, 0.48), rng.uniform(0.35, 0.8))
        return picture
    picture = np.ones(shape, np.float32)
    radius = rng.uniform(7, 45)
    for _ in range(int(rng.uniform(0.15, 0.9) * shape[0] * shape[1] / radius**2 / 3) + 1):
        _disc(rng, picture, rng.uniform(0, shape), radius * rng.uniform(0.75, 1.2), rng.uniform(0.3, 0.8))
    return picture


def _disc(rng: np.random.Generator, picture: Floats, centre: Point, radius: float, grey: float) -> None:
    y, x, box = _around(picture.shape, centre, radius + 2)
    along, across = _turned(y, x, rng.uniform(0, np.pi))
    r = np.hypot(along, across / rng.uniform(0.75, 1)) / radius
    inside = np.clip((1 - r) * radius / rng.uniform(1, 3), 0, 1)
    body = grey + rng.uniform(0, 0.3) * np.exp(-((r / rng.uniform(0.3, 0.6)) ** 2))
    picture[box] += inside * (body - picture[box])
    for _ in range(rng.poisson(0.5)):
        y, x, box = _around(picture.shape, centre + rng.normal(0, radius / 3, 2), radius / 2)
        spot = np.exp(-((np.hypot(y, x) / (radius * rng.uniform(0.05, 0.3))) ** 2))
        picture[box] -= rng.uniform(0.1, 0.5) * spot


def lattice(rng: np.random.Generator, shape: Shape) -> Floats:
    """Return squares, rings or crosses in exact rows: boards, grids, screens."""
    period = np.exp(rng.uniform(np.log(6), np.log(60)))
    y, x = np.ogrid[: shape[0], : shape[1]]
    angle = rng.uniform(0, np.pi) if rng.random() < 0.5 else 0.0
    along, across = (a / period for a in _turned(y, x, angle))
    u, v = (np.abs((a + rng.random()) % 1 - 0.5) for a in (along, across))
    checks = (np.floor(along) + np.floor(across)) % 2
    r, thick = np.hypot(u, v), rng.uniform(0.05, 0.2)
    ring = np.abs(r - rng.uniform(0.15, 0.4)) < thick
    grid = np.minimum(u, v) < thick
    drawn: Floats = np.stack((checks, ring, grid, r < 0.35))[int(rng.integers(4))].astype(np.float32)
    return drawn


SCENES: dict[str, Maker] = {
    "sky": sky,
    "ground": ground,
    "pebbles": pebbles,
    "trees": trees,
    "discs": discs,
    "lattice": lattice,
}
