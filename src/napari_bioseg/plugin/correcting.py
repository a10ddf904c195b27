"""Start correcting, or go on: from a layer to a project on disk and back to a layer. No Qt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bioseg.core.axes import example
from napari_bioseg.core.errors import IncompatibleImageError, UnreadableFileError, UnwritableFileError
from napari_bioseg.core.files import remove
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.contents import read_journal
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.journal import Journal
from napari_bioseg.corrections.project import (
    Project,
    Saved,
    create_project,
    is_project,
    open_project,
    project_beside,
)
from napari_bioseg.corrections.project_info import ImageReference, PredictionInfo, refer
from napari_bioseg.corrections.replay import replay
from napari_bioseg.corrections.verified import Verified
from napari_bioseg.plugin.colors import class_colormap
from napari_bioseg.plugin.correction import Correction, correction_of, count_planes, tell_problems
from napari_bioseg.plugin.images import source_of
from napari_bioseg.plugin.layers import KEY, LayerData, Origin, image_layers
from napari_bioseg.plugin.placing import axes_said
from napari_bioseg.plugin.reader import Ask, open_asking
from napari_bioseg.plugin.result import IN_MEMORY
from napari_bioseg.plugin.session import model_image, result_of

if TYPE_CHECKING:
    from napari.layers import Labels

OWN_IMAGE = "image.ome.zarr"


@dataclass(frozen=True)
class Start:
    """What is to be corrected, frozen when the button was pressed.

    Attributes
    ----------
    labels : array
        Integers, as the layer shows them.
    info : PredictionInfo
    probabilities : array or None
        ``(K, *labels.shape)``.
    image : Image or None
        Under the labels.
    source : Path or None
        Its file.
    origin : Origin
        How that was opened.
    held : tuple of Project
        Those that this window holds already.
    """

    labels: Any
    info: PredictionInfo
    probabilities: Any
    image: Image | None
    source: Path | None
    origin: Origin
    held: tuple[Project, ...]


def start_of(viewer: Any, layer: Any, image_layer: Any = None) -> Start:
    """Freeze what "Start correcting" is about.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    layer : napari.layers.Labels
    image_layer : napari.layers.Image, optional
        The image under it; None where there is none.

    Raises
    ------
    UnknownAxesError, IncompatibleImageError
        As for `model_image`; or the layer is being corrected already.
    """
    if correction_of(layer) is not None:
        raise IncompatibleImageError(layer.name, "is being corrected already", "Paint on it")
    labels = layer.data[0] if layer.multiscale else layer.data
    result = result_of(layer)
    image = model_image(viewer, image_layer)[0] if image_layer is not None else None
    source, origin = source_of(image_layer) if image_layer is not None else (None, Origin())
    axes = result.segmentation.prediction.axes if result is not None else _axes(layer, labels.ndim, image)
    facts: dict[str, Any] = {"provenance": dict(layer.metadata.get(KEY, {}).get("provenance", {}))}
    probabilities = None
    if result is not None:
        prediction = result.segmentation.prediction
        facts = {
            "instances": result.segmentation.options.instances,
            "classes": prediction.classes,
            "activation": prediction.activation,
            "model_axes": prediction.model_axes,
            "provenance": dict(result.segmentation.provenance),
        }
        probabilities = prediction.probabilities if prediction.shape == tuple(labels.shape) else None
    info = PredictionInfo(
        name=layer.name,
        axes=axes,
        scale=tuple(float(v) for v in layer.scale),
        units=tuple(str(u) for u in layer.units),
        translate=tuple(float(v) for v in layer.translate),
        turned=_turned(layer),
        **facts,
    )
    return Start(labels, info, probabilities, image, source, origin, held_projects(viewer.layers))


def begin(start: Start, job: Job) -> Correction:
    """Store what is to be corrected in the project of its image, and open the journal.

    Raises
    ------
    UnwritableFileError, Cancelled
        The project is open in another window, or cannot be written.
    """
    project = _project_for(start, job)
    if not project.writable:
        raise UnwritableFileError(str(project.folder), project.why_read_only)
    try:
        saved = project.add_prediction(start.info, start.labels, start.probabilities, job=job)
        return _opened(project, saved, job)
    except BaseException:
        if project not in start.held:
            project.close()
        raise


def go_on(folder: Path, prediction: str | None, held: tuple[Project, ...], job: Job) -> Correction:
    """Open a prediction of a project with all that was corrected; only to read while another window holds it.

    Parameters
    ----------
    folder : Path
        Of the project.
    prediction : str or None
        Which one; None: the newest that was corrected, else the newest.
    held : tuple of Project
        Those that this window holds already.
    job : Job

    Raises
    ------
    UnreadableFileError, Cancelled
        There is nothing in it, or it is damaged.
    """
    project = _open(folder, held)
    try:
        found = [s for s in project.predictions() if prediction in (None, s.id)]
        if not found:
            raise UnreadableFileError(str(folder), "holds no prediction yet", "Open its image, and start correcting")
        saved = next((s for s in found if s.journal.is_file()), found[0])
        return _opened(project, saved, job)
    except BaseException:
        if project not in held:
            project.close()
        raise


def show_correction(viewer: Any, correction: Correction) -> Labels:
    """Add the layer of a correction; from now on what is painted on it is recorded."""
    from napari.layers import Labels

    info = correction.saved.info
    name = f"{info.name.split(' · ')[0]} · corrected"
    layer = Labels(
        correction.labels,
        name=name if correction.writable else f"{name} (read only)",
        opacity=0.5,
        scale=info.scale,
        units=info.units,
        translate=info.translate,
        axis_labels=tuple(info.axes.lower()),
        metadata={KEY: {"provenance": {**info.provenance, "edited": True}, "prediction": info}},
        **{k: np.array(v) for k, v in info.turned.items()},
    )
    if info.classes and not info.instances:
        layer.colormap = class_colormap(info.classes)
        layer.features = {"index": [c.value for c in info.classes], "class": [c.name for c in info.classes]}
    correction.attach(layer)  # before the viewer tells of it
    viewer.add_layer(layer)
    viewer.layers.events.removed.connect(_close_removed)
    return layer


def images_of_project(folder: Path, ask: Ask | None = None) -> list[LayerData]:
    """Open the image of a project.

    Raises
    ------
    UnreadableFileError, UnknownAxesError
        It is gone, or as for `read_layers`.
    """
    with open_project(folder) as project:
        path, reference = project.image(), project.info.image
    image, used = open_asking(path, ask, series=reference.series, axes=reference.axes)
    return image_layers(replace(image, name=reference.name), Origin(used, reference.series))


def held_projects(layers: Iterable[Any]) -> tuple[Project, ...]:
    """Return the projects that layers of a window hold."""
    found = [correction_of(layer) for layer in layers]
    return tuple(c.project for c in found if c is not None)


def projects_of(source: Path | None, origin: Origin) -> list[Path]:
    """Return the projects of an image file that are there, beside it or in the user's folder."""
    if source is None:
        return []
    return [folder for folder in _places(source, origin) if is_project(folder)]


def projects_folder() -> Path:
    """Where projects go that cannot lie beside their image; ``BIOSEG_PROJECTS`` when that is set."""
    from platformdirs import user_data_path

    return Path(os.environ.get("BIOSEG_PROJECTS") or user_data_path("napari-bioseg") / "projects")


def _places(source: Path, origin: Origin) -> list[Path]:
    beside = project_beside(source, origin.series)
    far = re.sub(r"[^A-Za-z0-9._-]+", "-", str(source.absolute().parent))[-80:].strip("-.")
    return [beside, projects_folder() / f"{far}-{beside.name}"]


def _project_for(start: Start, job: Job) -> Project:
    if start.source is None:
        return _of_no_file(start, job)
    there = projects_of(start.source, start.origin)
    if there:
        return _open(there[0], start.held)
    beside, far = _places(start.source, start.origin)
    folder = beside if os.access(beside.parent, os.W_OK) else far
    folder.parent.mkdir(parents=True, exist_ok=True)
    return create_project(folder, refer(start.source, folder, **_reference(start)))


def _of_no_file(start: Start, job: Job) -> Project:
    """Make a project that holds its image, which is nowhere else."""
    from napari_bioseg.io import write_ome_zarr

    name = re.sub(r"[^A-Za-z0-9._-]+", "-", start.image.name if start.image else start.info.name).strip("-.") or "image"
    folder = projects_folder()
    folder.mkdir(parents=True, exist_ok=True)
    free = next(p for i in range(1, 10**6) if not (p := project_beside(folder / f"{name}-{i}")).exists())
    project = create_project(free, ImageReference(path=OWN_IMAGE, **_reference(start)))
    try:
        if start.image is not None:
            write_ome_zarr(free / OWN_IMAGE, start.image, {}, provenance={}, job=job)
    except BaseException:
        project.close()
        remove(free)
        raise
    return project


def _reference(start: Start) -> dict[str, Any]:
    shape = start.image.shape if start.image is not None else start.labels.shape
    name = start.image.name if start.image is not None else start.info.name
    return {
        "axes": start.origin.axes,
        "series": start.origin.series,
        "shape": tuple(int(n) for n in shape),
        "name": name,
    }


def _open(folder: Path, held: tuple[Project, ...]) -> Project:
    same = [p for p in held if p.folder.resolve() == folder.resolve()]
    return same[0] if same else open_project(folder)


def _opened(project: Project, saved: Saved, job: Job) -> Correction:
    labels = _editable(saved, job)
    shape = tuple(int(n) for n in labels.shape)
    history, verified, journal, next_id = History(), Verified(shape), None, 1
    touched = np.zeros(shape[:-2], np.int64)
    header = {"shape": list(shape), "axes": saved.info.axes, "prediction": saved.id}
    if saved.journal.is_file():
        contents = read_journal(saved.journal)
        replay(saved.journal, labels, contents, job, seen=partial(count_planes, touched))
        history, verified = History.of(contents), Verified.of(contents, shape)
        next_id = contents.next_id
        if project.writable:
            journal = Journal.resume(saved.journal, contents, on_problem=_tell)
    elif project.writable:
        journal = Journal(saved.journal, header, on_problem=_tell)
    return Correction(
        labels, project, saved,
        history=history, verified=verified, journal=journal, touched=touched, next_id=next_id,
    )  # fmt: skip


def _editable(saved: Saved, job: Job) -> Any:
    """Return the labels as predicted, to be painted on: loaded, or where they are large a copy on disk."""
    from napari_bioseg.core.arrays import create_array

    stored = saved.labels()
    if stored.nbytes <= IN_MEMORY:
        return np.asarray(stored[...])
    copy = create_array(None, stored.shape, stored.chunks, "uint32")
    job.stage("Opening the labels", stored.shape[0])
    for i in range(stored.shape[0]):
        copy[i] = stored[i]
        job.step()
    return copy


def _axes(layer: Any, ndim: int, image: Image | None) -> str:
    given = {"axis_labels": layer.axis_labels}
    if image is not None:
        axes = "".join(a for a in image.axes if a not in "CS")
        if len(axes) == ndim:
            return axes
    return axes_said(ndim, given, "RTZYX") or example(ndim)


def _turned(layer: Any) -> dict[str, Any]:
    n = layer.ndim
    ways: Mapping[str, tuple[Any, Any]] = {
        "rotate": (np.asarray(layer.rotate), np.eye(n)),
        "shear": (np.asarray(layer.shear), np.zeros(n * (n - 1) // 2)),
        "affine": (np.asarray(layer.affine.affine_matrix), np.eye(n + 1)),
    }
    return {k: v.tolist() for k, (v, plain) in ways.items() if v.shape != plain.shape or not np.allclose(v, plain)}


def _tell(error: Exception) -> None:
    # From the writer's thread; napari brings it into its own.
    from napari.utils.notifications import show_error

    show_error(str(error))


def _close_removed(event: Any) -> None:
    correction = event.value.metadata.get(KEY, {}).get("correction")
    if not isinstance(correction, Correction) or correction.layer != event.value:
        return
    tell_problems(correction.close)
    if correction.project not in held_projects(event.source):
        correction.project.close()
