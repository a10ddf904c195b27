"""Start correcting, or go on: from a layer to a project on disk and back to a layer. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bioseg.core.axes import example
from napari_bioseg.core.errors import IncompatibleImageError, UnreadableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.contents import read_journal
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.project import Project, Saved
from napari_bioseg.corrections.project_info import PredictionInfo
from napari_bioseg.corrections.replay import replay
from napari_bioseg.corrections.verified import Verified
from napari_bioseg.plugin.colors import class_colormap
from napari_bioseg.plugin.correction import Correction, correction_of, count_planes
from napari_bioseg.plugin.journals import journal_of
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.placing import axes_said, placement_again, placement_of
from napari_bioseg.plugin.projects import (
    Home,
    closed_on_error,
    corrected_name,
    hold,
    home_of,
    project_again,
    project_to_write,
)
from napari_bioseg.plugin.result import IN_MEMORY
from napari_bioseg.plugin.session import result_of

if TYPE_CHECKING:
    from napari.layers import Labels


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
    home : Home
        What the project is of.
    """

    labels: Any
    info: PredictionInfo
    probabilities: Any
    home: Home


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
    home = home_of(viewer, image_layer, layer, tuple(int(n) for n in labels.shape))
    axes = result.segmentation.prediction.axes if result is not None else _axes(layer, labels.ndim, home.image)
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
    info = PredictionInfo(name=layer.name, axes=axes, **placement_of(layer), **facts)
    return Start(labels, info, probabilities, home)


def begin(start: Start, job: Job) -> Correction:
    """Store what is to be corrected in the project of its image, and open the journal.

    Raises
    ------
    UnwritableFileError, Cancelled
        The project is open in another window, or cannot be written.
    """
    project = project_to_write(start.home, job)
    with closed_on_error(project, start.home.held):
        saved = project.add_prediction(start.info, start.labels, start.probabilities, job=job)
        return _opened(project, saved, job)


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
    project = project_again(folder, held)
    with closed_on_error(project, held):
        found = [s for s in project.predictions() if prediction in (None, s.id)]
        if not found:
            raise UnreadableFileError(str(folder), "holds no labels yet", "Open its image, and start correcting")
        saved = next((s for s in found if s.journal.is_file()), found[0])
        return _opened(project, saved, job)


def show_correction(viewer: Any, correction: Correction) -> Labels:
    """Add the layer of a correction; from now on what is painted on it is recorded."""
    from napari.layers import Labels

    info = correction.saved.info
    layer = Labels(
        correction.labels,
        name=corrected_name(info, correction.writable),
        opacity=0.5,
        metadata={KEY: {"provenance": {**info.provenance, "edited": True}, "prediction": info}},
        **placement_again(info),
    )
    if info.classes and not info.instances:
        layer.colormap = class_colormap(info.classes)
        layer.features = {"index": [c.value for c in info.classes], "class": [c.name for c in info.classes]}
    correction.attach(layer)  # before the viewer tells of it
    hold(viewer, layer)
    return layer


def _opened(project: Project, saved: Saved, job: Job) -> Correction:
    labels = _editable(saved, job)
    shape = tuple(int(n) for n in labels.shape)
    history, verified, contents, next_id = History(), Verified(shape), None, 1
    touched = np.zeros(shape[:-2], np.int64)
    header = {"shape": list(shape), "axes": saved.info.axes, "prediction": saved.id}
    if saved.journal.is_file():
        contents = read_journal(saved.journal)
        replay(saved.journal, labels, contents, job, seen=partial(count_planes, touched))
        history, verified = History.of(contents), Verified.of(contents, shape)
        next_id = contents.next_id
    journal = journal_of(saved, header, contents) if project.writable else None
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
