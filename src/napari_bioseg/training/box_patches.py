"""Random patches of images whose truth is boxes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.tasks import IGNORED
from napari_bioseg.tasks.detection import encode
from napari_bioseg.training.augment import change_tone
from napari_bioseg.training.recipe import Augmentation
from napari_bioseg.training.sample import Sample

_TRIES = 20


def draw_box_patch(
    sample: Sample, patch: tuple[int, ...], options: Augmentation, foreground: bool, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cut one augmented patch: flips, right-angle turns, grey values and noise; no interpolation moves a centre.

    Parameters
    ----------
    sample : Sample
        With boxes as its target.
    patch : tuple of int
        ``(Y, X)``; what lies beyond the image is mirrored, without boxes.
    options : Augmentation
    foreground : bool
        Whether the patch must hold a box, if the image has one.
    generator : torch.Generator

    Returns
    -------
    image : Tensor
        Float32 ``(1, Y, X)``.
    target : Tensor
        Float32 ``(6, Y, X)``, as `tasks.detection.encode` gives it; of a sample that is replayed, -1: not known.
    """
    for _ in range(_TRIES if foreground else 1):
        plane = int(torch.randint(len(sample.image), (), generator=generator))
        corner = [
            int(torch.randint(max(n - s, 0) + 1, (), generator=generator))
            for n, s in zip(sample.image.shape[1:], patch, strict=True)
        ]
        boxes = _inside(sample.boxes, plane, corner, patch)
        if len(boxes):
            break
    if foreground and not len(boxes):
        plane, corner = _around_a_box(sample, patch, plane, corner, generator)
        boxes = _inside(sample.boxes, plane, corner, patch)
    image = sample.image[plane][tuple(slice(c, c + s) for c, s in zip(corner, patch, strict=True))]
    missing = [(0, s - n) for s, n in zip(patch, image.shape, strict=True)]
    image = np.pad(image, missing, mode="symmetric")
    maps = np.concatenate((image[None], encode(boxes, (patch[0], patch[1]))))
    if options.flips:
        maps = _flip(maps, generator)
    tone = change_tone(torch.from_numpy(maps[:1].copy()), sample, options, generator)
    target = torch.from_numpy(maps[1:].copy())
    return tone, target.fill_(IGNORED) if sample.use == "replay" else target


def _around_a_box(
    sample: Sample, patch: tuple[int, ...], plane: int, corner: list[int], generator: torch.Generator
) -> tuple[int, list[int]]:
    """Return the plane and the corner of a patch that holds a box; those given, where the image has none."""
    if not len(sample.boxes):
        return plane, corner
    chosen = int(torch.randint(len(sample.boxes), (), generator=generator))
    shift = torch.rand(2, generator=generator).tolist()
    centre, shape = sample.boxes.centre[chosen], sample.image.shape[1:]
    corner = [
        min(max(round(float(c) - r * (s - 1)), 0), max(n - s, 0))
        for c, r, s, n in zip(centre, shift, patch, shape, strict=True)
    ]
    return int(sample.boxes.z[chosen]), corner


def _inside(boxes: Boxes, plane: int, corner: list[int], patch: tuple[int, ...]) -> Boxes:
    moved = boxes.centre - corner
    here = (boxes.z == plane) & np.all((moved > -0.5) & (moved < np.asarray(patch) - 0.5), axis=1)
    return Boxes.of(moved[here], boxes.size[here])


def _flip(maps: np.ndarray, generator: torch.Generator) -> np.ndarray:
    flip_y, flip_x, turn = (bool(v) for v in torch.randint(2, (3,), generator=generator))
    if flip_y:
        maps = maps[:, ::-1]
        maps[3] = np.where(maps[2] > 0, 1 - maps[3], 0)
    if flip_x:
        maps = maps[:, :, ::-1]
        maps[4] = np.where(maps[2] > 0, 1 - maps[4], 0)
    if turn and maps.shape[1] == maps.shape[2]:
        maps = maps.transpose(0, 2, 1)[[0, 1, 2, 4, 3, 6, 5]]
    return maps
