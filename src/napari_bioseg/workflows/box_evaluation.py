"""Scores of a detector on images with known boxes, with intervals over their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions
from napari_bioseg.io import open_image
from napari_bioseg.io.image_boxes import read_image_boxes
from napari_bioseg.metrics.bootstrap import bootstrap_interval, frames_of
from napari_bioseg.models.model import Model
from napari_bioseg.tasks.detection import RANKED, SCORES, WEIGHTED
from napari_bioseg.workflows.detection import LEAST_CONFIDENCE, Detection, detect_image
from napari_bioseg.workflows.options import DetectOptions, EvaluateOptions
from napari_bioseg.workflows.scores import Row

BoxSets = tuple[Boxes, Boxes, Boxes]
"""Found boxes of any confidence, those of them that are kept, and the true ones."""

_FEW_FRAMES = 5  # fewer say nothing about how much frames differ


def evaluate_detector(
    images: Sequence[str | Path], files: Sequence[str | Path], model: Model, options: EvaluateOptions, job: Job | None
) -> list[Row]:
    """Score a detector on images and files of boxes: a row an image, and where there are several one of all frames.

    Raises
    ------
    IncompatibleImageError
        A box lies outside its image, or the model cannot take the image.
    UnreadableFileError
        A file is not as it should be.
    """
    opened = [open_image(path, axes=options.axes) for path in images]
    truths = [read_image_boxes(Path(file).expanduser(), image) for file, image in zip(files, opened, strict=True)]
    sets: list[BoxSets] = [
        (*found_boxes(detected(image, model, options, job=job)), truth)
        for image, truth in zip(opened, truths, strict=True)
    ]
    rows = [box_row(image.name, *boxes, options.metrics) for image, boxes in zip(opened, sets, strict=True)]
    if len(rows) > 1:
        rows.append(box_row(f"all {len(rows)} images", *_side_by_side(sets), options.metrics))
    return rows


def evaluate_boxes(
    image: Image, truth: Boxes, model: Model, options: EvaluateOptions, *, job: Job | None = None
) -> Row:
    """Score a detector on one image; `truth` tells frame and z of each box."""
    return box_row(image.name, *found_boxes(detected(image, model, options, job=job)), truth, options.metrics)


def best_confidence(
    images: Sequence[tuple[Image, Boxes]],
    model: Model,
    options: EvaluateOptions,
    tried: Sequence[float],
    *,
    job: Job | None = None,
) -> float:
    """Return the confidence with the best F1 of centres, a mean over images."""
    found = [(detected(image, model, options, job=job), truth) for image, truth in images]

    def score(confidence: float) -> float:
        kept = [(d.selector.boxes[d.selector.keep(confidence, d.options)], truth) for d, truth in found]
        return fmean(SCORES["f1"](boxes, truth) for boxes, truth in kept)

    return max(tried, key=score)


def detected(image: Image, model: Model, options: EvaluateOptions, *, job: Job | None = None) -> Detection:
    """Look for boxes in a whole image.

    Raises
    ------
    Cancelled
        The job was stopped: nothing is scored on half an image.
    """
    own = {name: getattr(options, name) for name in PredictOptions.model_fields}
    found = detect_image(image, model, DetectOptions(model=options.model, confidence=options.threshold, **own), job=job)
    if not found.done:
        raise Cancelled(image.name, "not scored: cancelled", "Run it again to the end")
    return found


def found_boxes(found: Detection) -> tuple[Boxes, Boxes]:
    """Return the boxes of any confidence, for average precisions, and those that the options keep."""
    return found.selector.boxes[found.selector.keep(LEAST_CONFIDENCE, found.options)], found.boxes


def box_row(name: str, every: Boxes, kept: Boxes, truth: Boxes, names: Sequence[str]) -> Row:
    """Score boxes plane by plane: average precisions over those of any confidence, all else over those kept."""
    depth = 1 + max(int(boxes.z.max(initial=0)) for boxes in (every, kept, truth))
    every, kept, truth = (
        replace(boxes, frame=boxes.frame * depth + boxes.z, z=np.zeros_like(boxes.z)) for boxes in (every, kept, truth)
    )
    row = Row(name, {}, {})
    for metric in names:
        found = every if metric in RANKED else kept
        row.scores[metric] = SCORES[metric](found, truth)
        frames = len(frames_of(found, truth))
        if frames >= _FEW_FRAMES:
            row.intervals[metric] = bootstrap_interval(WEIGHTED[metric](found, truth), frames)
    return row


def _side_by_side(sets: Sequence[BoxSets]) -> BoxSets:
    """Return the boxes of several images as those of one, whose frames follow each other."""
    frames = [1 + max(int(boxes.frame.max(initial=0)) for boxes in image) for image in sets]
    starts = (np.cumsum(frames) - frames).tolist()
    moved = [
        [replace(boxes, frame=boxes.frame + start) for boxes in image]
        for image, start in zip(sets, starts, strict=True)
    ]
    every, kept, truth = (Boxes.joined(parts) for parts in zip(*moved, strict=True))
    return every, kept, truth
