"""`evaluate`: scores of a model on images with known labels or boxes, through the engine that users run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg import metrics
from napari_bioseg.core.errors import Cancelled, IncompatibleImageError, RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.inference.source import grey_values
from napari_bioseg.io import open_image
from napari_bioseg.io.coco import is_coco, read_coco_labels
from napari_bioseg.models import load_model, refusal
from napari_bioseg.models.model import Model
from napari_bioseg.tasks import IGNORED, TASKS, Decision, check_metrics, default_metrics, map_labels
from napari_bioseg.tasks.base import Task
from napari_bioseg.tasks.semantic import SCORES, SemanticTask, can_score
from napari_bioseg.workflows.box_evaluation import evaluate_detector
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.region import crop, prediction_grid
from napari_bioseg.workflows.scores import Row, mean_row, score_interval

_ORACLE = ("dice", "iou", "cldice", "pixel_accuracy")


def evaluate(
    images: Sequence[str | Path], labels: Sequence[str | Path], options: EvaluateOptions, *, job: Job | None = None
) -> list[Row]:
    """Score a model on pairs of image and label files, or a detector on images and files of boxes.

    Parameters
    ----------
    images, labels : sequence of path
        As many of one as of the other, in the same order. Labels have the axes of their image but channels
        and colour samples, or are a COCO JSON that names the image; one COCO file may stand for all images. For a
        detector they are boxes: our CSV, YOLO text or COCO JSON.
    options : EvaluateOptions
    job : Job, optional

    Returns
    -------
    list of Row
        One an image; of several images one more: their mean, or of boxes all their frames together.

    Raises
    ------
    RecipeError
        Their numbers differ, a metric does not exist, or the labels hold what is no class.
    IncompatibleImageError
        An image and its labels have different shapes, a box lies outside its image, or the model cannot take the image.
    UnreadableFileError
        A file is not as it should be.
    """
    if len(labels) == 1 and is_coco(labels[0]):
        labels = [labels[0]] * len(images)
    if len(images) != len(labels):
        raise RecipeError(
            "--images/--labels", f"{len(images)} images and {len(labels)} label files", "Give as many of each"
        )
    model = load_model(options.model)
    options = options.model_copy(update={"metrics": options.metrics or default_metrics(model.card.task)})
    check_metrics(model.card.task, options.metrics)
    if model.card.task == "detection":
        return evaluate_detector(images, labels, model, options, job)
    axes = options.axes and "".join(a for a in options.axes if a.upper() not in "CS")
    rows = []
    for image_path, label_path in zip(images, labels, strict=True):
        image = open_image(image_path, axes=options.axes)
        reason = refusal(model.card, image)
        if reason:
            raise IncompatibleImageError(image.name, f"{model.card.name} {reason}", "Choose another model")
        label = _open_labels(label_path, image, axes, model, options)
        check_shapes(image, label)
        target = map_labels(np.asarray(label.data), options.label_values, len(model.card.classes), str(label_path))
        rows.append(evaluate_image(image, target, model, options, job=job))
    return rows if len(rows) == 1 else [*rows, mean_row(rows)]


def _open_labels(path: str | Path, image: Image, axes: str | None, model: Model, options: EvaluateOptions) -> Image:
    if not is_coco(path):
        return open_image(path, axes=axes)
    one_class = len(model.card.classes) == 1
    return read_coco_labels(Path(path), image, categories=options.categories, objects=one_class)


def check_shapes(image: Image, label: Image) -> None:
    """Raise `IncompatibleImageError` unless labels lie on the grid of what a model says of the image."""
    _, grid = prediction_grid(image)
    if label.shape != grid:
        problem = f"has shape {grid}, its labels {label.shape}"
        raise IncompatibleImageError(image.name, problem, "Pair each image with labels of the same shape")


def evaluate_image(
    image: Image, target: npt.NDArray[np.int16], model: Model, options: EvaluateOptions, *, job: Job | None = None
) -> Row:
    """Score a model on one image; `target` holds classes on the grid of the prediction, -1 where not known.

    With several classes each that the target holds is also scored by itself, as ``iou_membrane``, and no threshold of
    the grey value is set beside them: it could find one class at most. Slices of a stack that the network sees one by
    one make an interval.
    """
    p = probabilities(image, model, options, job=job)
    own = model.card.output.model_dump()
    given = {name: value for name in ("threshold", "separate") if (value := getattr(options, name)) is not None}
    decision, classes = Decision(**{**own, **given}), model.card.classes
    scored = partial(_scores, TASKS.get(model.card.task), classes, decision=decision)
    scores = scored(p, target, names=options.metrics)
    intervals = _slice_intervals(scored, p, target, options.metrics) if model.card.input.axes == "YX" else {}
    oracle = {}
    if len(classes) == 1:
        grey = np.asarray(grey_values(image, options.channel)[0])
        oracle = _oracle(grey, target, options.metrics)
    return Row(image.name, scores, oracle, intervals, _confusion(model, p, target, decision))


def _confusion(
    model: Model, p: npt.NDArray[Any], target: npt.NDArray[np.int16], decision: Decision
) -> tuple[tuple[int, ...], ...]:
    task = TASKS.get(model.card.task)
    if not isinstance(task, SemanticTask):
        return ()
    return tuple(tuple(row) for row in task.confusion(p, target, decision).tolist())


def _scores(
    task: Task,
    classes: Sequence[ClassInfo],
    p: npt.NDArray[Any],
    target: npt.NDArray[np.int16],
    *,
    decision: Decision,
    names: Sequence[str],
) -> dict[str, float]:
    if len(classes) > 1 and isinstance(task, SemanticTask):
        return _by_class(task, classes, p, target, decision, names)
    return {name: task.score(name, p, target, decision) for name in names}


def _slice_intervals(
    scored: Callable[..., dict[str, float]], p: npt.NDArray[Any], target: npt.NDArray[np.int16], names: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return 95 % of the mean of slices, each scored by itself; of what a slice lacks, over the others."""
    if target.ndim < 3:
        return {}
    planes = target.reshape(-1, *target.shape[-2:])
    maps = p.reshape(len(p), *planes.shape)
    rows = [
        scored(maps[:, i], plane, names=[name for name in names if can_score(name, plane)])
        for i, plane in enumerate(planes)
    ]
    found = {name: [row[name] for row in rows if name in row] for name in dict.fromkeys(n for row in rows for n in row)}
    spans = {name: score_interval(name, values) for name, values in found.items()}
    return {name: span for name, span in spans.items() if span is not None}


def _by_class(
    task: SemanticTask,
    classes: Sequence[ClassInfo],
    p: npt.NDArray[Any],
    target: npt.NDArray[np.int16],
    decision: Decision,
    names: Sequence[str],
) -> dict[str, float]:
    """Return the mean of each metric, and after all of these its figure for each class."""
    each = {name: task.score_classes(name, p, target, decision) for name in names}
    means = {name: float(np.mean(list(scores.values()))) for name, scores in each.items()}
    single = {classes[v - 1].score_of(name): score for name, scores in each.items() for v, score in scores.items()}
    return means | single


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
    """Return an image restricted to a range of planes along Z, or T where there is no Z (all of them when None)."""
    if planes is None:
        return image
    grid = [(a, n) for a, n in zip(image.axes, image.shape, strict=True) if a not in "CS"]
    return crop(image, tuple(slice(*planes) if i == len(grid) - 3 else slice(0, n) for i, (_, n) in enumerate(grid)))
