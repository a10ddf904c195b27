"""The reference profile of a model: its training images in figures, by which `check_drift` knows others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.drift import Known, make_profile
from napari_bioseg.inference.windows import Encoder, read_windows
from napari_bioseg.models.model import Model
from napari_bioseg.models.pixel_size import model_pixels, sizes_along
from napari_bioseg.training.open_pairs import open_one
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.drift_check import describe_windows
from napari_bioseg.workflows.evaluation import take_planes
from napari_bioseg.workflows.recipe_data import Truth, load_pair, simulated_images
from napari_bioseg.workflows.region import prediction_grid

_PARTS = 24  # of an image that are looked at, at most
_SIMULATED = 100  # images of each generator
_WINDOWS = 4  # of each part: as few as a small image has, so that the thresholds hold for it
_FEW = 4  # planes of a whole training below which each is cut in quarters: so few tell no spread
_DEPTH = 16  # planes of a part of a volume

Box = tuple[slice, ...]


def profile_training(recipe: Recipe, model: Model, job: Job) -> dict[str, Any]:
    """Return the profile of what a recipe trains on, for the card; empty where that is less than two parts of an image.

    Each plane of a stack, or a block of a volume, is a part; each image that is simulated is a group of its own.

    Raises
    ------
    Cancelled
        The job was stopped.
    UnreadableFileError, IncompatibleImageError, RecipeError
        What the recipe names is not as it was.
    """
    trained = list(_trained_on(recipe))
    planes = sum(int(np.prod(prediction_grid(image)[1][:-2])) for _, image, _ in trained)
    cut = 2 if model.axes == "ZYX" or planes < _FEW else 1
    parts = [(group, image, box) for group, image, _ in trained for box in _parts(image, model.axes, cut)]
    if len(parts) < 2:
        return {}
    encoder = Encoder(model)
    job.stage("Describing what it was trained on", len(parts))
    known = []
    for group, image, box in parts:
        windows = read_windows(image, model, encoder, count=_WINDOWS, box=box)
        known.append(Known(group, describe_windows(windows)))
        job.step()
    objects = _objects([(image, truth) for _, image, truth in trained if truth is not None], model)
    return make_profile(known, objects).model_dump(mode="json")


def _trained_on(recipe: Recipe) -> Iterator[tuple[str, Image, Truth | None]]:
    for pair in recipe.pairs:
        if pair.use == "train":
            yield pair.group, *load_pair(recipe, pair)
        elif pair.use == "replay":
            yield pair.group, take_planes(open_one(recipe, pair), pair.planes), None
    for spec in (s for s in recipe.simulated if s.use in {"train", "replay"}):
        few = spec.model_copy(update={"count": min(spec.count, _SIMULATED)})
        for i, (image, truth) in enumerate(simulated_images(few)):
            yield f"{spec.generator} {spec.seed + i}", image, truth


def _parts(image: Image, model_axes: str, cut: int) -> list[Box]:
    """Return planes, or blocks of volumes, spread evenly; each is cut in `cut` along Y and X."""
    axes, shape = prediction_grid(image)
    depth = [_DEPTH if a in model_axes else 1 for a in axes[:-2]]
    edges = [*depth, *(-(-n // cut) for n in shape[-2:])]
    spans = [[slice(i, min(i + e, n)) for i in range(0, n, e)] for n, e in zip(shape, edges, strict=True)]
    every = list(product(*spans))
    return every[:: -(-len(every) // _PARTS)]


def _objects(pairs: Sequence[tuple[Image, Truth]], model: Model) -> dict[str, float]:
    """Return the share that is labelled, objects in a megapixel, and their median diameter, all in model pixels."""
    pixels = known = 0.0
    sizes: list[float] = []
    for image, truth in pairs:
        factors, _ = model_pixels(model.card.input, sizes_along(image, model.axes))
        scale = factors[-2] * factors[-1]  # image pixels in a model pixel
        planes = image.shape[-2:] if isinstance(truth, Boxes) else truth.shape[-2:]
        if isinstance(truth, Boxes):
            sizes += (truth.size.prod(axis=-1) / scale).tolist()
            known += np.prod(prediction_grid(image)[1]) / scale
            continue
        for plane in truth.reshape(-1, *planes):
            numbered, count = ndimage.label(plane > 0)
            sizes += (np.bincount(numbered.ravel(), minlength=count + 1)[1:] / scale).tolist()
            known += float((plane >= 0).sum()) / scale
    pixels = sum(sizes)
    if not sizes or not known:
        return {}
    diameter = float(np.median(np.sqrt(4 / np.pi * np.array(sizes))))
    return {"share": pixels / known, "per_megapixel": 1e6 * len(sizes) / known, "diameter": diameter}
