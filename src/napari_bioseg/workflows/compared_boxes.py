"""One image in which two detectors look for boxes, scored frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import cast

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions
from napari_bioseg.metrics.detection import match_centres
from napari_bioseg.tasks.detection import RADIUS, RANKED, SCORES
from napari_bioseg.workflows.box_evaluation import detected, found_boxes
from napari_bioseg.workflows.compared import Case, Compared, Models, regions_of
from napari_bioseg.workflows.comparison_result import Plane, Unit
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.region import prediction_grid


def compare_boxes(case: Case, models: Models, options: PredictOptions, metrics: Sequence[str], *, job: Job) -> Compared:
    """Let two detectors look at an image, each with the confidence of its own card, and score both.

    A frame that neither finds anything in, and that is empty, says nothing and is left out; average precisions are
    of frames with a true box.

    Raises
    ------
    IncompatibleImageError
        A model cannot take the image.
    Cancelled
        The job was stopped.
    """
    true = cast(Boxes, case.truth)
    run = options.model_dump(include=set(PredictOptions.model_fields))
    found = [
        found_boxes(detected(case.image, model, EvaluateOptions(model=model.card.name, **run), job=job))
        for model in models
    ]
    rows, regions, planes = [], [], []
    for index, frame, z in _places(case):
        (every, kept), (new_every, new_kept), (truth, _) = (
            tuple(boxes[(boxes.frame == frame) & (boxes.z == z)] for boxes in pair) for pair in (*found, (true, true))
        )
        if not any(map(len, (kept, new_kept, truth))):
            continue
        scores = (_scores(metrics, every, kept, truth), _scores(metrics, new_every, new_kept, truth))
        rows.append(Unit(case.name, case.plane(index), case.group, *scores))
        change = _mistakes(kept, truth, case.image.shape[-2:]) - _mistakes(new_kept, truth, case.image.shape[-2:])
        regions += regions_of(case, index, change)
        planes.append(case.shown(index, kept, new_kept, truth))
    return Compared(tuple(rows), tuple(regions), tuple(planes))


def _places(case: Case) -> list[tuple[Plane, int, int]]:
    """Return each plane with its number along T and along Z, 0 where there is no such axis."""
    axes, shape = prediction_grid(case.image)
    found = []
    for index in product(*map(range, shape[:-2])):
        where = dict(zip(axes, index, strict=False))
        found.append((index, where.get("T", 0), where.get("Z", 0)))
    return found


def _scores(metrics: Sequence[str], every: Boxes, kept: Boxes, truth: Boxes) -> dict[str, float]:
    return {m: SCORES[m](every if m in RANKED else kept, truth) for m in metrics if len(truth) or m not in RANKED}


def _mistakes(found: Boxes, truth: Boxes, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return how many boxes are missed or too many at each pixel, by their centres."""
    matches = match_centres(found, truth, RADIUS)
    wrong = np.concatenate(
        [np.delete(found.centre, matches.found, axis=0), np.delete(truth.centre, matches.truth, axis=0)]
    )
    counts = np.zeros(shape, np.int64)
    y, x = np.clip(np.rint(wrong).astype(np.int64), 0, np.array(shape) - 1).T
    np.add.at(counts, (y, x), 1)
    return counts
