"""`compare`: old and new on the same images, the difference with its interval, and a verdict in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions
from napari_bioseg.io import open_image
from napari_bioseg.io.image_boxes import read_image_boxes
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model
from napari_bioseg.tasks import check_metrics, default_metrics, map_labels
from napari_bioseg.workflows.compared import Case, Compared, Models, compare_labels
from napari_bioseg.workflows.compared_boxes import compare_boxes
from napari_bioseg.workflows.comparison_result import Comparison, Original
from napari_bioseg.workflows.comparison_words import differences_of, main_verdict, unit_of
from napari_bioseg.workflows.evaluation import check_shapes
from napari_bioseg.workflows.options import CompareOptions

_REGIONS = 200
"""So many are kept: the largest changes."""


def compare(
    old: str | Path,
    new: str | Path,
    images: Sequence[str | Path],
    labels: Sequence[str | Path],
    options: CompareOptions | None = None,
    *,
    job: Job | None = None,
    **changes: Any,
) -> Comparison:
    """Compare two models on pairs of image and label files, or two detectors on images and files of boxes.

    Each model decides by the thresholds of its own card. What is scored are planes, or frames, and differences are
    drawn by image where there are several. For 3-D models planes are scored where the metric allows: they are parts
    of one volume, so that with a single volume the interval tells how much its planes differ, not volumes.

    Parameters
    ----------
    old, new : str or path
        Models in the zoo, or their folders.
    images, labels : sequence of path
        As many of one as of the other, in the same order; as for `evaluate`.
    options : CompareOptions, optional
    job : Job, optional
        For progress and for stopping.
    **changes
        Fields of `CompareOptions`, e.g. ``axes="ZYX"``.

    Returns
    -------
    Comparison

    Raises
    ------
    RecipeError
        The models do not find the same classes, a metric does not exist, or the labels hold what is no class.
    IncompatibleImageError
        A model cannot take an image, or this does not fit its labels.
    ModelNotFoundError, BrokenModelError, UnreadableFileError, DeviceError, Cancelled
        As named.
    """
    options = CompareOptions.checked({**(options.model_dump() if options else {}), **changes}, "options of compare")
    if len(images) != len(labels):
        problem = f"{len(images)} images and {len(labels)} label files"
        raise RecipeError("--images/--labels", problem, "Give as many of each")
    models = load_pair(old, new)
    metrics = options.metrics or default_metrics(models.old.card.task)
    check_metrics(models.old.card.task, metrics, compared=True)
    cases = [_open(image, label, models.old, options) for image, label in zip(images, labels, strict=True)]
    if len({case.name for case in cases}) < len(cases):
        cases = [replace(case, name=case.group) for case in cases]
    run = PredictOptions(**options.model_dump(include=set(PredictOptions.model_fields)))
    return compare_cases(models, cases, metrics, run, job=job or Job())


def load_pair(old: str | Path, new: str | Path) -> Models:
    """Load two models of the same task and classes.

    Raises
    ------
    RecipeError
        They are not comparable.
    ModelNotFoundError, BrokenModelError
        As named.
    """
    models = Models(load_model(old), load_model(new))
    tasks = [model.card.task for model in models]
    classes = [[c.value for c in model.card.classes] for model in models]
    if tasks[0] != tasks[1] or classes[0] != classes[1]:
        problem = f"{models.old.card.name} does not find the same as it"
        raise RecipeError(models.new.card.name, problem, "Compare models of the same task and classes")
    return models


def compare_cases(
    models: Models,
    cases: Iterable[Case],
    metrics: Sequence[str],
    options: PredictOptions,
    *,
    job: Job,
    original: Original | None = None,
) -> Comparison:
    """Compare on what is opened already; errors as of `compare`."""
    parts = [compare_case(case, models, options, metrics, job=job) for case in cases]
    rows = tuple(row for part in parts for row in part.rows)
    regions = sorted((r for part in parts for r in part.regions), key=lambda r: -abs(r.gain))
    differences = differences_of(rows, metrics)
    return Comparison(
        old=models.old.card.name,
        new=models.new.card.name,
        metrics=tuple(metrics),
        unit=unit_of(rows, models.old.card.task),
        rows=rows,
        differences=differences,
        verdict=main_verdict(rows, differences, models.old.card.task, original),
        original=original,
        regions=tuple(regions[:_REGIONS]),
        planes=tuple(plane for part in parts for plane in part.planes),
    )


def compare_case(case: Case, models: Models, options: PredictOptions, metrics: Sequence[str], *, job: Job) -> Compared:
    """Let both models look at one image, and score them by the kind of its truth; errors as of `compare`."""
    of_its_kind = compare_boxes if isinstance(case.truth, Boxes) else compare_labels
    return of_its_kind(case, models, options, metrics, job=job)


def _open(path: str | Path, file: str | Path, model: Model, options: CompareOptions) -> Case:
    image = open_image(path, axes=options.axes)
    return Case(image.name, str(path), image, _truth(file, image, model, options), axes=options.axes)


def _truth(file: str | Path, image: Image, model: Model, options: CompareOptions) -> npt.NDArray[np.int16] | Boxes:
    if model.card.task == "detection":
        return read_image_boxes(Path(file).expanduser(), image)
    label = open_image(file, axes=options.axes and "".join(a for a in options.axes if a.upper() not in "CS"))
    check_shapes(image, label)
    return map_labels(np.asarray(label.data), options.label_values, len(model.card.classes), str(file))
