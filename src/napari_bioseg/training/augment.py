"""Random patches: where they are cut, how they are bent, and what noise is put on them.

Everything follows from a `torch.Generator`, so that the same seed and step give the same patch,
whatever was drawn before: an interrupted training goes on to the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from napari_bioseg.training.recipe import Augmentation
from napari_bioseg.training.sample import Sample

_MARGIN = 1.5  # a turned and shrunk patch reaches beyond its own square
_ELASTIC_CELLS = 5
# Interpolation smooths noise and moves thin outlines by up to half a pixel, as in no image that is segmented later.
_STRAIGHT = {"rotation": 0.0, "zoom": 0.0, "elastic": 0.0}
_HAZE_CELLS = 4


def draw_patch(
    sample: Sample,
    patch: tuple[int, ...],
    options: Augmentation,
    foreground: bool,
    generator: torch.Generator,
    *,
    balanced: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut one augmented patch; from a sample with weights, around a pixel that counts.

    Parameters
    ----------
    sample : Sample
    patch : tuple of int
        Size along ``(Z,) Y, X``.
    options : Augmentation
    foreground : bool
        Whether the patch is centred on a pixel of a foreground class, if one is found soon.
    generator : torch.Generator
    balanced : bool
        Whether that pixel is of each class that the sample has equally often, instead of any of them alike.

    Returns
    -------
    image : Tensor
        Float32 ``(1, *patch)``.
    target : Tensor
        Int64 ``(*patch)``, -1 where the truth is not known.
    weight : Tensor
        Float32 ``(*patch)``, how much each pixel counts: 1 everywhere for a sample without weights.
    """
    size = (1, *patch)[-3:]
    if options.bent < 1 and _uniform(generator, 0, 1) >= options.bent:
        options = options.model_copy(update=_STRAIGHT)
    centre = _inside(_centre(sample, foreground, balanced, generator), size, sample.labels.shape)
    reach = math.ceil(_MARGIN * max(size[1:]) / 2 * (1 + options.zoom)) + math.ceil(options.elastic)
    window = _window(sample, centre, size[0], reach)
    image, truth = _bend(*window, size, options, generator)
    image, truth = _flip(image, truth, options, generator)
    image = change_tone(image, sample, options, generator)
    # +1 turned "not known" into 0, see `_window`.
    target = truth[0].round().to(torch.int64) - 1
    weight = truth[1] if sample.weight is not None else torch.ones(size)
    return image.reshape(1, *patch), target.reshape(patch), weight.reshape(patch)


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _integer(generator: torch.Generator, bound: int) -> int:
    return int(torch.randint(max(bound, 1), (), generator=generator))


def _centre(sample: Sample, foreground: bool, balanced: bool, generator: torch.Generator) -> tuple[int, ...]:
    if foreground and balanced and sample.class_places:
        places = sample.class_places[_integer(generator, len(sample.class_places))]
        place = np.unravel_index(places[_integer(generator, len(places))], sample.labels.shape)
        return tuple(int(p) for p in place)
    for _ in range(50 if foreground else 1):
        # Trying at random finds foreground without a list of all its pixels.
        if sample.weight is None:
            centre = tuple(_integer(generator, n) for n in sample.labels.shape)
        else:
            centre = sample.known_pixel(_integer(generator, sample.known))
        if sample.labels[centre] > 0:
            break
    return centre


def _inside(centre: tuple[int, ...], size: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Move a centre so that the patch reaches beyond the image no further than it must."""
    return tuple(max(min(c, n - s + s // 2), s // 2) for c, s, n in zip(centre, size, shape, strict=True))


def _window(sample: Sample, centre: tuple[int, ...], depth: int, reach: int) -> tuple[Tensor, Tensor]:
    """Cut ``(depth, 2 reach, 2 reach)`` around `centre`; mirrored beyond the borders, where nothing is known.

    The second is the truth, float32: the classes + 1, so that 0 is "not known" and also what lies outside, and after
    them the weights if there are any.
    """
    rows = [np.arange(centre[0] - depth // 2, centre[0] - depth // 2 + depth)]
    rows += [np.arange(c - reach, c + reach) for c in centre[1:]]
    index = np.ix_(*(_mirror(r, m) for r, m in zip(rows, sample.image.shape, strict=True)))
    truth = np.stack([sample.labels[index].astype(np.float32) + 1])
    if sample.weight is not None:
        truth = np.concatenate([truth, sample.weight[index][None]])
    for axis, (r, m) in enumerate(zip(rows, sample.image.shape, strict=True)):
        outside = (r < 0) | (r >= m)
        truth[(slice(None),) * (axis + 1) + (outside,)] = 0
    return torch.from_numpy(sample.image[index]), torch.from_numpy(truth)


def _mirror(index: npt.NDArray[np.int_], n: int) -> npt.NDArray[np.int_]:
    if n == 1:
        return np.zeros_like(index)
    wave = np.abs(index) % (2 * (n - 1))
    return np.where(wave < n, wave, 2 * (n - 1) - wave)


def _bend(
    image: Tensor, truth: Tensor, size: tuple[int, ...], options: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Rotate, zoom and warp in the plane, all planes alike, in one interpolation."""
    height, width = size[1:]
    half = image.shape[-1] / 2
    angle = math.radians(_uniform(generator, -options.rotation, options.rotation))
    factor = (1 + options.zoom) ** _uniform(generator, -1, 1)
    y = torch.arange(height, dtype=torch.float32) - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float32) - (width - 1) / 2
    y, x = torch.meshgrid(y * factor, x * factor, indexing="ij")
    grid = torch.stack((x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)))
    if options.elastic:
        strength = _uniform(generator, 0, options.elastic)
        coarse = (torch.rand((1, 2, _ELASTIC_CELLS, _ELASTIC_CELLS), generator=generator) * 2 - 1) * strength
        grid = grid + functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)[0]
    where = (grid / half).permute(1, 2, 0)[None]
    bent = functional.grid_sample(image[None], where, mode="bilinear", padding_mode="reflection", align_corners=False)
    flat = truth.flatten(0, 1)[None]
    moved = functional.grid_sample(flat, where, mode="nearest", padding_mode="zeros", align_corners=False)
    return bent[0], moved.view(*truth.shape[:2], height, width)


def _flip(image: Tensor, truth: Tensor, options: Augmentation, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    if not options.flips:
        return image, truth
    axes = [axis - 3 for axis in range(3) if _integer(generator, 2)]
    image, truth = image.flip(axes), truth.flip(axes)
    if image.shape[1] == image.shape[2] and _integer(generator, 2):
        image, truth = image.transpose(-2, -1), truth.transpose(-2, -1)
    return image, truth


def change_tone(image: Tensor, sample: Sample, options: Augmentation, generator: torch.Generator) -> Tensor:
    """Blur what was cut from a sample, change its grey values and add noise, in the order of a microscope."""
    if options.blur and _integer(generator, 2):
        image = _blur(image, _uniform(generator, 0, options.blur))
    if options.gamma:
        power = (1 + options.gamma) ** _uniform(generator, -1, 1)
        image = image.sign() * image.abs() ** power
    contrast = (1 + options.contrast) ** _uniform(generator, -1, 1)
    image = image * contrast + _uniform(generator, -options.brightness, options.brightness)
    if options.invert and _uniform(generator, 0, 1) < options.invert:
        image = 1 - image
    if options.haze and _integer(generator, 2):
        image = image + _haze(image.shape[1:], _uniform(generator, 0, options.haze), generator)
    poisson = noise = 0.0
    if options.poisson and _integer(generator, 2):
        poisson = _uniform(generator, 0, options.poisson)
        image = image + torch.randn(image.shape, generator=generator) * (image.clamp(min=0) * poisson).sqrt()
    if options.noise and _integer(generator, 2):
        noise = _uniform(generator, 0, options.noise)
        image = image + torch.randn(image.shape, generator=generator) * noise
    if options.renormalise and (poisson or noise) and sample.normalisation.method != "fixed":
        # Noise spreads the grey values that the figures are taken from: a noisy image is darker once it is normalised.
        grey = torch.from_numpy(sample.grey)
        noisy = grey + torch.randn(grey.shape, generator=generator) * (grey.clamp(min=0) * poisson + noise**2).sqrt()
        offset, gain = sample.normalisation.fit(noisy.numpy())
        image = (image - offset) * gain
    return image


def _haze(size: Sequence[int], strength: float, generator: torch.Generator) -> Tensor:
    """Out-of-focus light or leaked dye: bright, but without edges, so no structure of its own."""
    coarse = torch.rand((1, 1, _HAZE_CELLS, _HAZE_CELLS), generator=generator) * strength
    return functional.interpolate(coarse, size=tuple(size), mode="bicubic", align_corners=True)[0].clamp(min=0)


def _blur(image: Tensor, sigma: float) -> Tensor:
    if sigma < 0.2:
        return image
    radius = math.ceil(3 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    planes = image[:, None]
    for k in (kernel, kernel.transpose(2, 3)):
        pad = (radius, radius, 0, 0) if k.shape[3] > 1 else (0, 0, radius, radius)
        planes = functional.conv2d(functional.pad(planes, pad, mode="replicate"), k)
    return planes[:, 0]
