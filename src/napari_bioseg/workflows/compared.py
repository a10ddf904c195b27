"""One image seen by two models: scores plane by plane, and where they are not equally good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import Cancelled, IncompatibleImageError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.models import refusal
from napari_bioseg.models.model import Model
from napari_bioseg.postprocess.separate import classify_apart
from napari_bioseg.tasks import IGNORED
from napari_bioseg.tasks.semantic import can_score, score_labels
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.training_set import FrozenPair
from napari_bioseg.workflows.comparison_result import Plane, Region, Shown, Unit
from napari_bioseg.workflows.recipe_data import tested_on

BLOCK = 64
"""Pixels along each side of a region."""

_VOLUME = ("cldice",)  # a plane cuts a vessel off: what hangs together is seen in the volume only


@dataclass(frozen=True)
class Case:
    """An image with its truth.

    Attributes
    ----------
    name : str
    group : str
        Its planes, and those of other images of this group, are alike.
    image : Image
    truth : ndarray or Boxes
        Int16 classes on the grid of a prediction, -1 where not known; or boxes, as numbered in the image.
    numbers : tuple of int
        Numbers in the file of the planes along the axis before Y and X; empty: as they are counted.
    axes : str or None
        What had to be said of the axes of the file; None where it says them.
    """

    name: str
    group: str
    image: Image
    truth: npt.NDArray[np.int16] | Boxes
    numbers: tuple[int, ...] = ()
    axes: str | None = None

    def plane(self, index: Plane) -> Plane:
        """Return where a plane of the image lies in the file."""
        return (*index[:-1], self.numbers[index[-1]]) if index and self.numbers else index

    def shown(self, index: Plane, old: Any, new: Any, truth: Any) -> Shown:
        """Return a plane with what both models say of it."""
        return Shown(self.name, self.image.source, self.axes, self.plane(index), old, new, truth)


def tested_cases(recipe: Recipe) -> Iterator[Case]:
    """Yield what a recipe tests on, with the numbers of its planes in their files; errors as of `tested_on`."""
    names: set[str] = set()
    for pair, image, truth in tested_on(recipe):
        name = image.name if image.name not in names else f"{image.name} ({pair.name})"
        names.add(name)
        numbers, axes = tuple(range(*pair.planes)) if pair.planes else (), pair.axes
        if isinstance(pair, FrozenPair):
            axes = pair.reference.axes
            alone = len(image.shape) > 2 and image.shape[0] == len(pair.numbers)
            numbers = pair.numbers if alone else ()
        yield Case(name, pair.group, image, truth, numbers, axes)


class Models(NamedTuple):
    """What belongs to the old and to the new model."""

    old: Model
    new: Model


@dataclass(frozen=True)
class Compared:
    """What came of one image."""

    rows: tuple[Unit, ...]
    regions: tuple[Region, ...]
    planes: tuple[Shown, ...]


def compare_labels(
    case: Case, models: Models, options: PredictOptions, metrics: Sequence[str], *, job: Job
) -> Compared:
    """Let two semantic models label an image, each with the thresholds of its own card, and score both.

    Raises
    ------
    IncompatibleImageError
        A model cannot take the image.
    Cancelled
        The job was stopped: nothing is scored on half an image.
    """
    truth = np.asarray(case.truth)
    old, new = (found_labels(case.image, model, options, job=job) for model in models)
    whole = [m for m in metrics if m in _VOLUME and truth.ndim > 2 and any(model.axes == "ZYX" for model in models)]
    rows = [Unit(case.name, (), case.group, _scores(whole, old, truth), _scores(whole, new, truth))] if whole else []
    by_plane = [m for m in metrics if m not in whole]
    regions, planes = [], []
    for index in np.ndindex(truth.shape[:-2]):
        if not (truth[index] != IGNORED).any():
            continue
        job.check()
        parts = old[index], new[index], truth[index]
        scores = (_scores(by_plane, labels, parts[2]) for labels in parts[:2])
        rows.append(Unit(case.name, case.plane(index), case.group, *scores))
        regions += regions_of(case, index, _mended(*parts))
        planes.append(case.shown(index, *parts))
    return Compared(tuple(rows), tuple(regions), tuple(planes))


def found_labels(image: Image, model: Model, options: PredictOptions, *, job: Job) -> npt.NDArray[Any]:
    """Return the classes that a model sees in a whole image; errors as of `compare_labels`."""
    reason = refusal(model.card, image)
    if reason:
        raise IncompatibleImageError(image.name, f"{model.card.name} {reason}", "Compare other models")
    prediction = predict(image, model, options, job=job, stage=f"{model.card.name} on {image.name}")
    if not prediction.done:
        raise Cancelled(image.name, "not compared: cancelled", "Compare again")
    output = model.card.output
    p = np.asarray(prediction.probabilities)
    cores = output.cores > 0
    return classify_apart(p, output.threshold, output.separate, output.activation, cores=cores, job=job)


def regions_of(case: Case, index: Plane, change: npt.NDArray[Any]) -> list[Region]:
    """Return the blocks of a plane with more right than before, or less.

    Parameters
    ----------
    case : Case
    index : tuple of int
        Of the plane in the image.
    change : ndarray
        Integers ``(Y, X)``: 1 where only the new model is right, -1 where only the old one is.
    """
    starts = [range(0, n, BLOCK) for n in change.shape]
    sums = np.add.reduceat(np.add.reduceat(change.astype(np.int64), starts[0], axis=0), starts[1], axis=1)
    height, width = change.shape
    return [
        Region(
            case.name,
            case.plane(index),
            (y * BLOCK, x * BLOCK, min((y + 1) * BLOCK, height), min((x + 1) * BLOCK, width)),
            int(sums[y, x]),
        )
        for y, x in np.argwhere(sums).tolist()
    ]


def _mended(old: npt.NDArray[Any], new: npt.NDArray[Any], truth: npt.NDArray[np.int16]) -> npt.NDArray[np.int8]:
    """Return 1 where only the new labels are right, -1 where only the old ones are; where nobody knows, none is."""
    change: npt.NDArray[np.int8] = (new == truth).astype(np.int8) - (old == truth)
    return change


def _scores(metrics: Sequence[str], labels: npt.NDArray[Any], truth: npt.NDArray[np.int16]) -> dict[str, float]:
    """Return what can be scored: a plane without the inside of a cell has no V-Rand."""
    return {metric: score_labels(metric, labels, truth) for metric in metrics if can_score(metric, truth)}
