"""The files of one image of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

from napari_bioseg.core.errors import MissingDependencyError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.io import open_image
from napari_bioseg.models.model import Model
from napari_bioseg.workflows.batch_record import Records
from napari_bioseg.workflows.batch_task import Task
from napari_bioseg.workflows.detection import detect_image, save_detection_tables
from napari_bioseg.workflows.object_table import object_table, write_table
from napari_bioseg.workflows.options import DetectOptions, SegmentOptions
from napari_bioseg.workflows.segmentation import Segmentation, decode, predict_image, save
from napari_bioseg.workflows.thumbnails import thumbnail
from napari_bioseg.workflows.vessel_tables import measure_vessels


@dataclass(frozen=True)
class Results:
    """What was written of an image.

    Attributes
    ----------
    files : tuple of Path
    objects : int or None
        Instances or boxes; None where labels are classes.
    fraction : float or None
        Share of the pixels with a label; None for boxes.
    """

    files: tuple[Path, ...]
    objects: int | None
    fraction: float | None


def write_results(task: Task, image: Image, model: Model, options: SegmentOptions | DetectOptions, job: Job) -> Results:
    """Write labels or boxes, tables and a thumbnail of an image whose tiles are done.

    Raises
    ------
    UnwritableFileError
        The folder cannot be written to, or the disk is full.
    Cancelled
        The job was stopped.
    """
    (task.out / task.item.name).parent.mkdir(parents=True, exist_ok=True)
    if isinstance(options, DetectOptions):
        return _write_boxes(task, image, model, options, job)
    return _write_labels(task, image, model, options, job)


def _write_labels(task: Task, image: Image, model: Model, options: SegmentOptions, job: Job) -> Results:
    prediction = predict_image(image, model, options, checkpoint=task.checkpoint, job=job)
    found = decode(prediction, options, model, job=job)
    store, axes = task.out / f"{task.item.name}.ome.zarr", prediction.axes
    save(found, store, image, copy_image=task.options.copy_image, version=task.options.ome_zarr, job=job)
    names = {c.value: c.name for c in prediction.classes}
    table = object_table(
        found.labels,
        axes,
        image,
        names=None if options.instances else names,
        channel=options.channel,
        planar=options.instances and prediction.model_axes == "YX",
        job=job,
    )
    files = [store, *write_table(table, _beside(task, "objects"))]
    files += _write_vessels(task, found, image, names, job)
    colors = {} if options.instances else {c.value: c.color for c in prediction.classes}
    _write_thumbnail(task, thumbnail(*_with_pyramids(store, image), colors=colors, channel=options.channel))
    fraction = float(table.columns["pixels"].sum()) / max(1, prod(found.labels.shape))
    return Results(tuple(files), len(table) if options.instances else None, fraction)


def _write_vessels(task: Task, found: Segmentation, image: Image, names: dict[int, str], job: Job) -> list[Path]:
    p = found.prediction
    try:
        tables = measure_vessels(found.labels, p.axes, image, names=names, instances=found.options.instances, job=job)
    except MissingDependencyError as error:
        job.note(f"vessels were not measured: {error}")
        return []
    if tables is None:
        return []
    totals, branches = tables
    return [*write_table(totals, _beside(task, "vessels")), *write_table(branches, _beside(task, "branches"))]


def _write_boxes(task: Task, image: Image, model: Model, options: DetectOptions, job: Job) -> Results:
    found = detect_image(image, model, options, checkpoint=task.checkpoint, job=job)
    files = save_detection_tables(found, _beside(task, "boxes"))
    _write_thumbnail(task, thumbnail(image, boxes=found.boxes, channel=options.channel))
    return Results(files, len(found.boxes), None)


def _with_pyramids(store: Path, image: Image) -> tuple[Image, Image]:
    written = open_image(store)
    labels = written.labels[0] if written.labels else written
    return (written if written.labels else image), labels


def _beside(task: Task, what: str) -> Path:
    return task.out / f"{task.item.name}.{what}"


def _write_thumbnail(task: Task, png: bytes) -> None:
    path = Records(task.out).path(task.item.name, ".png")
    with writing(path), whole_or_nothing(path) as part:
        part.write_bytes(png)
