"""`evaluate`: scores of a model on images with known labels, through the engine that users run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg import metrics
from napari_bioseg.core.errors import Cancelled, IncompatibleImageError, RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.inference.source import grey_values
from napari_bioseg.io import open_image
from napari_bioseg.models import load_model, refusal
from napari_bioseg.models.model import Model
from napari_bioseg.tasks import IGNORED, TASKS, Decision, check_metrics, map_labels
from napari_bioseg.tasks.semantic import SCORES
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.region import crop
from napari_bioseg.workflows.segmentation import prediction_grid

_ORACLE = ("dice", "iou", "cldice", "pixel_accuracy")


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
        As many of one as of the other, in the same order. Labels have the axes of their image but channels
        and colour samples.
    options : EvaluateOptions
    job : Job, optional

    Raises
    ------
    RecipeError
        Their numbers differ, a metric does not exist, or the labels hold what is no class.
    IncompatibleImageError
        An image and its labels have different shapes, or the model cannot take the image.
    """
    if len(images) != len(labels):
        raise RecipeError(
            "--images/--labels", f"{len(images)} images and {len(labels)} label files", "Give as many of each"
        )
    model = load_model(options.model)
    check_metrics(model.card.task, options.metrics)
    axes = options.axes and "".join(a for a in options.axes if a.upper() not in "CS")
    rows = []
    for image_path, label_path in zip(images, labels, strict=True):
        image, label = open_image(image_path, axes=options.axes), open_image(label_path, axes=axes)
        reason = refusal(model.card, image)
        if reason:
            raise IncompatibleImageError(image.name, f"{model.card.name} {reason}", "Choose another model")
        check_shapes(image, label)
        target = map_labels(np.asarray(label.data), options.label_values, len(model.card.classes), str(label_path))
        rows.append(evaluate_image(image, target, model, options, job=job))
    return rows


def check_shapes(image: Image, label: Image) -> None:
    """Raise `IncompatibleImageError` unless labels lie on the grid of what a model says of the image."""
    _, grid = prediction_grid(image)
    if label.shape != grid:
        problem = f"has shape {grid}, its labels {label.shape}"
        raise IncompatibleImageError(image.name, problem, "Pair each image with labels of the same shape")


def evaluate_image(
    image: Image, target: npt.NDArray[np.int16], model: Model, options: EvaluateOptions, *, job: Job | None = None
) -> Row:
    """Score a model on one image; `target` holds classes on the grid of the prediction, -1 where not known."""
    p = probabilities(image, model, options, job=job)
    threshold = options.threshold if options.threshold is not None else model.card.output.threshold
    decision = Decision(model.card.output.activation, threshold)
    task = TASKS.get(model.card.task)
    scores = {name: task.score(name, p, target, decision) for name in options.metrics}
    grey = np.asarray(grey_values(image, options.channel)[0])
    return Row(image.name, scores, _oracle(grey, target, options.metrics))


def probabilities(image: Image, model: Model, options: PredictOptions, *, job: Job | None) -> npt.NDArray[np.float16]:
    """Return what a model says of a whole image.

    Raises
    ------
    Cancelled
        The job was stopped: nothing is scored on half an image.
    """
    prediction = predict(image, model, options, job=job)
    if not prediction.done:
        raise Cancelled(image.name, "not scored: cancelled", "Run it again to the end")
    return np.asarray(prediction.probabilities)


def _oracle(grey: npt.NDArray[Any], target: npt.NDArray[np.int16], names: Sequence[str]) -> dict[str, float]:
    truth, known = target > 0, target != IGNORED
    _, threshold = metrics.oracle_threshold_dice(grey[known], truth[known])
    found = (grey >= threshold) & known
    return {name: SCORES[name](found, truth, known) for name in names if name in _ORACLE}


def take_planes(image: Image, planes: tuple[int, int] | None) -> Image:
    """Return an image restricted to a range of planes along Z (all of them when None)."""
    if planes is None:
        return image
    grid = [(a, n) for a, n in zip(image.axes, image.shape, strict=True) if a not in "CS"]
    return crop(image, tuple(slice(*planes) if a == "Z" else slice(0, n) for a, n in grid))
