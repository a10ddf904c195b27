"""`detect`: from an image to boxes, and to a file; the panel and the command line both go through here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import Cancelled, IncompatibleImageError, UnwritableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.inference.checkpoint import Checkpoint
from napari_bioseg.io import open_image
from napari_bioseg.io.boxes import box_columns, write_boxes_csv
from napari_bioseg.metrics.detection import f1_at
from napari_bioseg.models import load_model, refusal
from napari_bioseg.models.model import Model
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector
from napari_bioseg.tasks.detection import decode
from napari_bioseg.workflows.drift_look import look_first, with_drift
from napari_bioseg.workflows.object_table import ObjectTable, write_parquet
from napari_bioseg.workflows.options import DetectOptions
from napari_bioseg.workflows.region import parse_region, prediction_grid

LEAST_CONFIDENCE = 0.05
"""Boxes less sure than this are not even kept for the sliders."""

_CONFIDENCES = tuple(round(float(c), 2) for c in np.arange(0.05, 1.0, 0.05))
_IOUS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_ROWS = 1024  # of a plane that are in memory at once


@dataclass(frozen=True)
class Detection:
    """Boxes in pixels of the whole image, also where only a region was looked at.

    Attributes
    ----------
    selector : BoxSelector
        All boxes above `LEAST_CONFIDENCE`, for other thresholds without the network.
    options : DetectOptions
        With the confidence that was used filled in.
    image : Image
        What was looked at.
    done : bool
        False when the job was stopped: planes that were not reached have no boxes.
    provenance : dict
        Model, weights, version and every option.
    """

    selector: BoxSelector
    options: DetectOptions
    image: Image
    done: bool
    provenance: dict[str, Any]

    @property
    def boxes(self) -> Boxes:
        """The boxes that the options keep."""
        confidence = self.options.confidence
        return self.selector.boxes[self.selector.keep(0.0 if confidence is None else confidence, self.options)]


def detect(
    source: str | Path | Image, options: DetectOptions | None = None, *, job: Job | None = None, **changes: Any
) -> Detection:
    """Find objects in each plane of an image.

    Parameters
    ----------
    source : path or Image
        YX, TYX, ZYX or TZYX, and any of these with channels.
    options : DetectOptions, optional
    job : Job, optional
        For progress and for stopping.
    **changes
        Fields of `DetectOptions`, e.g. ``confidence=0.6``.

    Returns
    -------
    Detection

    Raises
    ------
    IncompatibleImageError
        The model cannot take this image, or finds no boxes.
    ModelNotFoundError, BrokenModelError, UnreadableFileError, UnknownAxesError, RecipeError, DeviceError
        As named.
    """
    options = DetectOptions.checked({**(options.model_dump() if options else {}), **changes}, "options of detect")
    image = source if isinstance(source, Image) else open_image(source)
    model = load_model(options.model)
    drift = look_first(image, model, options, job=job)
    found = detect_image(image, model, options, job=job)
    return replace(found, provenance=with_drift(found.provenance, drift))


def detect_image(
    image: Image,
    model: Model,
    options: DetectOptions,
    *,
    checkpoint: Checkpoint | None = None,
    job: Job | None = None,
) -> Detection:
    """Run the network over the region that the options name, and read the boxes off its maps.

    Raises
    ------
    IncompatibleImageError, RecipeError, DeviceError
        As for `detect`.
    """
    job = job or Job()
    axes, shape = prediction_grid(image)
    reason = refusal(model.card, image, task="detection")
    if set(axes) - set("TZYX"):
        reason = f"takes frames and planes only; this image has axes {image.axes}"
    if reason:
        raise IncompatibleImageError(
            image.name, f"{model.card.name} {reason}", "Choose another model, see 'bioseg models'"
        )
    box = parse_region(options.region, axes, shape)
    run = PredictOptions(**{name: getattr(options, name) for name in PredictOptions.model_fields})
    prediction = predict(image, model, run, box=box, checkpoint=checkpoint, job=job, stage="Detecting")
    start = dict(zip(axes, (s.start for s in box) if box else (0,) * len(axes), strict=True))
    boxes = Boxes.joined(_decode(prediction, start))
    if options.confidence is None:
        options = options.model_copy(update={"confidence": model.card.output.threshold})
    provenance = {**prediction.provenance, "options": options.model_dump(mode="json")}
    return Detection(BoxSelector(boxes), options, image, prediction.done, provenance)


def _decode(prediction: Prediction, start: dict[str, int]) -> Iterator[Boxes]:
    sizes: dict[str, float] = prediction.provenance.get("model_pixel_in_image_pixels", {})
    factor = (sizes.get("Y", 1.0), sizes.get("X", 1.0))
    lead, height = prediction.axes[:-2], prediction.shape[-2]
    corner = np.array([start["Y"], start["X"]])
    for index in product(*(range(n) for n in prediction.shape[:-2])):
        place = {axis: i + start[axis] for axis, i in zip(lead, index, strict=True)}
        for first in range(0, height, _ROWS):
            # A row more on each side: whether a pixel is a peak depends on its neighbours.
            low, last = max(first - 1, 0), min(first + _ROWS, height)
            key: Any = (slice(None), *index, slice(low, last + 1))
            maps = np.asarray(prediction.probabilities[key])
            rows = slice(first - low, last - low)
            found = decode(
                maps, LEAST_CONFIDENCE, factor=factor, rows=rows, frame=place.get("T", 0), z=place.get("Z", 0)
            )
            yield Boxes.of(
                found.centre + corner + (low, 0), found.size, frame=found.frame, z=found.z, confidence=found.confidence
            )


def check_boxes_ending(out: Path) -> None:
    """Raise `UnwritableFileError` unless the name is that of a CSV file, so that no time is lost on a wrong one."""
    if out.suffix.lower() != ".csv":
        raise UnwritableFileError(str(out), "has an ending that boxes are not written to", "Use .csv")
    if not out.absolute().parent.is_dir():
        raise UnwritableFileError(str(out), f"the folder {out.absolute().parent} does not exist", "Make it first")


def save_boxes(boxes: Boxes, out: Path, image: Image) -> None:
    """Write boxes as CSV, with columns in µm where the image has a pixel size.

    Raises
    ------
    UnwritableFileError
        The ending is not ``.csv``, the folder is missing, or the disk is full.
    """
    check_boxes_ending(out)
    scale, translate = _placement(image)
    write_boxes_csv(out, boxes, scale=scale, translate=translate)


def _placement(image: Image) -> tuple[list[float] | None, list[float]]:
    """Return step and origin along Z, Y and X in µm; no step for an image without a pixel size."""
    scale, translate = [], []
    for axis in "ZYX":
        known = axis in image.axes
        scale.append(image.pixel_size(axis)[0] if known else 1.0)
        translate.append(image.translate[image.axes.index(axis)] if known else 0.0)
    if scale[1] is None or scale[2] is None:
        return None, translate
    # A stack without a step along Z: its planes are counted.
    return [1.0 if s is None else s for s in scale], translate


def save_detection(detection: Detection, out: Path) -> None:
    """Write the boxes that the options keep as CSV.

    Raises
    ------
    UnwritableFileError
        As for `save_boxes`.
    Cancelled
        Nothing was written, since planes are missing.
    """
    _check_done(detection, out)
    save_boxes(detection.boxes, out, detection.image)


def save_detection_tables(detection: Detection, stem: Path) -> tuple[Path, Path]:
    """Write the boxes that the options keep as ``STEM.csv``, as `save_detection` does, and as ``STEM.parquet``.

    Raises
    ------
    UnwritableFileError
        The folder is missing, or the disk is full.
    Cancelled
        Nothing was written, since planes are missing.
    """
    _check_done(detection, stem)
    boxes, (scale, translate) = detection.boxes, _placement(detection.image)
    packed = stem.with_name(f"{stem.name}.parquet")
    write_parquet(ObjectTable(box_columns(boxes, scale=scale, translate=translate)), packed)
    plain = stem.with_name(f"{stem.name}.csv")
    save_boxes(boxes, plain, detection.image)
    return plain, packed


def _check_done(detection: Detection, out: Path) -> None:
    if not detection.done:
        raise Cancelled(str(out), "not written: the detection was cancelled", "Run it again to the end")


@dataclass(frozen=True)
class ThresholdFit:
    """Thresholds that reproduce given boxes best.

    Attributes
    ----------
    confidence, iou, f1 : float
        The best pair, and its F1 of centres.
    confidences, curve : tuple of float
        F1 at each confidence that was tried, at the best overlap.
    """

    confidence: float
    iou: float
    f1: float
    confidences: tuple[float, ...]
    curve: tuple[float, ...]


def fit_thresholds(
    selector: BoxSelector,
    truth: Boxes,
    options: BoxOptions,
    *,
    radius: float = 2.0,
    confidences: Sequence[float] = _CONFIDENCES,
    ious: Sequence[float] = _IOUS,
    job: Job | None = None,
) -> ThresholdFit:
    """Find the confidence and the overlap with the best F1 of centres.

    Parameters
    ----------
    selector : BoxSelector
        Of the frames that `truth` is of, and no others.
    truth : Boxes
    options : BoxOptions
        For the sides.
    radius : float
        Pixels within which a centre counts as found.
    confidences, ious : sequence of float
        What is tried.
    job : Job, optional
        For progress and for stopping.

    Raises
    ------
    Cancelled
        The job was stopped.
    """
    job = job or Job()
    job.stage("Fitting thresholds", len(ious))
    tried = {}
    for iou in ious:
        kept = options.model_copy(update={"iou": iou})
        tried[iou] = tuple(f1_at(selector.boxes[selector.keep(c, kept)], truth, radius) for c in confidences)
        job.step()
    # Of equally good pairs the least surprising: the overlap of now, and the middle of the confidences.
    iou = min(tried, key=lambda i: (-max(tried[i]), abs(i - options.iou)))
    equal = np.flatnonzero(np.asarray(tried[iou]) == max(tried[iou]))
    best = int(equal[len(equal) // 2])
    return ThresholdFit(confidences[best], iou, tried[iou][best], tuple(confidences), tried[iou])
