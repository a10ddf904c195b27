"""`evaluate`: scores of a model on images with known labels, through the engine that users run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg import metrics
from napari_bioseg.core.errors import IncompatibleImageError, RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference import predict
from napari_bioseg.io import open_image
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model
from napari_bioseg.tasks import TASKS, Decision
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.region import crop


@dataclass(frozen=True)
class Row:
    """Scores of one image.

    Attributes
    ----------
    image : str
        Its name.
    scores : dict of str to float
        Of the model.
    oracle : dict of str to float
        Of the single grey-value threshold with the best Dice, found with the truth in hand: a model means
        something only above it. Scores of cells parted by membranes are left out.
    """

    image: str
    scores: dict[str, float]
    oracle: dict[str, float]


def evaluate(
    images: Sequence[str | Path], labels: Sequence[str | Path], options: EvaluateOptions, *, job: Job | None = None
) -> list[Row]:
    """Score a model on pairs of image and label files.

    Parameters
    ----------
    images, labels : sequence of path
        As many of one as of the other, in the same order.
    options : EvaluateOptions
    job : Job, optional

    Raises
    ------
    RecipeError
        Their numbers differ.
    IncompatibleImageError
        An image and its labels have different shapes.
    """
    if len(images) != len(labels):
        raise RecipeError(
            "--images/--labels", f"{len(images)} images and {len(labels)} label files", "Give as many of each"
        )
    model = load_model(options.model)
    rows = []
    for image_path, label_path in zip(images, labels, strict=True):
        image, label = (open_image(p, axes=options.axes) for p in (image_path, label_path))
        target = map_labels(np.asarray(label.data), options.label_values, len(model.card.classes))
        rows.append(evaluate_image(image, target, model, options, job=job))
    return rows


def evaluate_image(
    image: Image, target: npt.NDArray[np.int16], model: Model, options: EvaluateOptions, *, job: Job | None = None
) -> Row:
    """Score a model on one image; `target` holds classes on the image's grid, -1 where not known."""
    if image.shape != target.shape:
        problem = f"has shape {image.shape}, its labels {target.shape}"
        raise IncompatibleImageError(image.name, problem, "Pair each image with labels of the same shape")
    p = np.asarray(predict(image, model, options, job=job).probabilities, dtype=np.float32)
    threshold = options.threshold if options.threshold is not None else model.card.output.threshold
    decision = Decision(model.card.output.activation, threshold)
    task = TASKS.get(model.card.task)
    scores = {name: task.score(name, p, target, decision) for name in options.metrics}
    return Row(image.name, scores, _oracle(np.asarray(image.data), target, options.metrics))


def _oracle(grey: npt.NDArray[Any], target: npt.NDArray[np.int16], names: Sequence[str]) -> dict[str, float]:
    truth = target > 0
    _, threshold = metrics.oracle_threshold_dice(grey, truth)
    measures = {
        "dice": metrics.dice,
        "iou": metrics.iou,
        "cldice": metrics.cldice,
        "pixel_accuracy": metrics.pixel_accuracy,
    }
    return {name: float(measures[name](grey >= threshold, truth)) for name in names if name in measures}


def map_labels(values: npt.NDArray[Any], mapping: dict[int, int], classes: int) -> npt.NDArray[np.int16]:
    """Turn the values of a label file into classes.

    Without a `mapping`, anything but 0 is class 1 for a model of one class, and values stay for others.
    """
    if not mapping:
        return (values > 0).astype(np.int16) if classes == 1 else values.astype(np.int16)
    target = np.full(values.shape, -1, dtype=np.int16)
    for value, number in mapping.items():
        target[values == value] = number
    return target


def take_planes(image: Image, planes: tuple[int, int] | None) -> Image:
    """Return an image restricted to a range of planes along Z (all of them when None)."""
    if planes is None:
        return image
    grid = [(a, n) for a, n in zip(image.axes, image.shape, strict=True) if a not in "CS"]
    return crop(image, tuple(slice(*planes) if a == "Z" else slice(0, n) for a, n in grid))
