"""The reference profile of a model: its training images in figures, by which `check_drift` knows others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import PurePosixPath
from typing import Any, NamedTuple

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
from napari_bioseg.workflows.box_evaluation import evaluate_boxes
from napari_bioseg.workflows.drift_trials import describe_windows
from napari_bioseg.workflows.evaluation import take_planes
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.recipe_data import Truth, load_pair, simulated_images
from napari_bioseg.workflows.region import prediction_grid

_PARTS = 24  # of an image that are looked at, at most
_SIMULATED = 100  # images of each generator
_WINDOWS = 4  # of each part: as few as a small image has, so that the thresholds hold for it
_FEW = 4  # planes of one kind below which each is cut in quarters: so few tell no spread
_EDGE = 256  # of frames that are simulated, at least
_METRIC = "map50"
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
    planes: Counter[str] = Counter()
    for t in trained:
        planes[t.kind] += int(np.prod(prediction_grid(t.image)[1][:-2]))
    cut = {kind: 2 if model.axes == "ZYX" or n < _FEW else 1 for kind, n in planes.items()}
    parts = [(t, box) for t in trained for box in _parts(t.image, model.axes, cut[t.kind])]
    if len(parts) < 2:
        return {}
    encoder = Encoder(model)
    job.stage("Describing what it was trained on", len(parts))
    known = []
    for t, box in parts:
        windows = read_windows(t.image, model, encoder, count=_WINDOWS, box=box, to_end=True)
        known.append(Known(t.group, describe_windows(windows), t.kind, _score(t, model)))
        job.step()
    objects = _objects([(t.image, t.truth) for t in trained if t.truth is not None], model)
    return make_profile(known, objects).model_dump(mode="json")


class _Trained(NamedTuple):
    """An image, its truth where known, its group, where it comes from, and whether the truth has all of its objects."""

    image: Image
    truth: Truth | None
    group: str
    kind: str
    whole: bool = False


def _trained_on(recipe: Recipe) -> Iterator[_Trained]:
    for pair in recipe.pairs:
        folders = PurePosixPath(pair.image).parent.parts
        kind = folders[0] if folders else ""
        if pair.use == "train":
            yield _Trained(*load_pair(recipe, pair), pair.group, kind)
        elif pair.use == "replay":
            yield _Trained(take_planes(open_one(recipe, pair), pair.planes), None, pair.group, kind)
    for spec in (s for s in recipe.simulated if s.use in {"train", "replay"}):
        few = spec.model_copy(update={"count": min(spec.count, _SIMULATED), "arguments": _large(spec.arguments)})
        for i, (image, truth) in enumerate(simulated_images(few)):
            yield _Trained(image, truth, f"{spec.generator} {spec.seed + i}", spec.generator, whole=True)


def _large(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a generator for frames as large as windows are: small ones differ more by chance."""
    shape = arguments.get("shape")
    if shape is None or shape[0] > 1:
        return dict(arguments)
    return {**arguments, "shape": [1, *(max(n, _EDGE) for n in shape[1:])]}


def _score(trained: _Trained, model: Model) -> float:
    """Return how well a model does on frames that are simulated: scenes by chance are beyond any detector, too."""
    if not trained.whole or not isinstance(trained.truth, Boxes):
        return 1.0
    options = EvaluateOptions(model=model.card.name, metrics=(_METRIC,), backend="torch")
    return evaluate_boxes(trained.image, trained.truth, model, options).scores[_METRIC]


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
