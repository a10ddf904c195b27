"""Start correcting boxes, or go on: from a layer to a project on disk and back to a layer. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import IncompatibleImageError, RecipeError, UnreadableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.box_table import Mask
from napari_bioseg.corrections.boxes_left import BoxesLeft, boxes_left
from napari_bioseg.corrections.contents import read_journal
from napari_bioseg.corrections.project import BOXES, Project, Saved
from napari_bioseg.corrections.project_info import BoxFacts, PredictionInfo
from napari_bioseg.plugin.box_correction import BoxCorrection, box_correction_of
from napari_bioseg.plugin.box_following import follow
from napari_bioseg.plugin.box_layer import box_layer
from napari_bioseg.plugin.box_state import BoxState, column_of, state_of
from napari_bioseg.plugin.journals import journal_of
from napari_bioseg.plugin.placing import placement_again, placement_of, placement_said
from napari_bioseg.plugin.projects import (
    Home,
    closed_on_error,
    corrected_name,
    hold,
    home_of,
    project_again,
    project_to_write,
)
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector

if TYPE_CHECKING:
    from napari.layers import Shapes


@dataclass(frozen=True)
class BoxStart:
    """What is to be corrected, frozen when the button was pressed.

    Attributes
    ----------
    layer : napari.layers.Shapes
        Only to be shown as corrected in the end.
    state : BoxState
        Its own.
    info : PredictionInfo
    boxes : Boxes
        All that was found.
    shown : ndarray of bool
        ``(N,)``, which of it is shown.
    home : Home
        What the project is of.
    """

    layer: Shapes
    state: BoxState
    info: PredictionInfo
    boxes: Boxes
    shown: Mask
    home: Home


def start_of_boxes(viewer: Any, layer: Any, image_layer: Any = None) -> BoxStart:
    """Freeze what "Start correcting" is about.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    layer : napari.layers.Shapes
        Of ours.
    image_layer : napari.layers.Image, optional
        The image under it; None where there is none.

    Raises
    ------
    UnknownAxesError, IncompatibleImageError
        As for `home_of`; or the layer is no layer of boxes of ours, or is being corrected already.
    """
    own = getattr(layer, "__wrapped__", layer)  # a plugin's proxy is not the layer
    if state_of(own) is None:
        raise IncompatibleImageError(layer.name, "holds no boxes of ours", "Detect some, or open them from a file")
    if box_correction_of(own) is not None:
        raise IncompatibleImageError(layer.name, "is being corrected already", "Draw on it")
    follow(own)
    state: Any = state_of(own)
    found, candidate = state.selector.boxes, column_of(own, "candidate")
    shown = np.zeros(len(found), bool)
    shown[candidate[candidate >= 0]] = column_of(own, "kept").astype(bool)[candidate >= 0]
    shape = tuple(state.image.shape[state.image.axis(axis)] for axis in state.axes)
    facts = BoxFacts(
        shape=shape,
        thresholds=state.options.model_dump(mode="json"),
        own_confidence=state.own_confidence,
        done=state.done,
    )
    info = PredictionInfo(
        name=own.name, axes=state.axes, provenance=dict(state.provenance), boxes=facts, **placement_of(own)
    )
    return BoxStart(own, state, info, found, shown, home_of(viewer, image_layer, own, shape))


def begin_boxes(start: BoxStart, job: Job) -> BoxCorrection:
    """Store what is to be corrected in the project of its image, and open the journal.

    Raises
    ------
    UnwritableFileError, Cancelled
        The project is open in another window, or cannot be written.
    """
    project = project_to_write(start.home, job)
    with closed_on_error(project, start.home.held):
        saved = project.add_boxes(start.info, start.boxes, start.shown)
        left = BoxesLeft.at_first(_facts(saved), start.shown)
        journal = journal_of(saved, _header(saved), None)
        return BoxCorrection(start.layer, start.state, project, saved, left=left, journal=journal)


def go_on_boxes(folder: Path, prediction: str | None, held: tuple[Project, ...], _job: Job) -> BoxCorrection:
    """Open boxes of a project with all that was corrected; only to read while another window holds it.

    Parameters
    ----------
    folder : Path
        Of the project.
    prediction : str or None
        Which one; None: the newest.
    held : tuple of Project
        Those that this window holds already.

    Raises
    ------
    UnreadableFileError
        There are none in it, or they are damaged.
    """
    project = project_again(folder, held)
    with closed_on_error(project, held):
        found = [s for s in project.predictions(BOXES) if prediction in (None, s.id)]
        if not found:
            raise UnreadableFileError(str(folder), "holds no boxes yet", "Open its image, detect, and start correcting")
        return _opened(project, found[0])


def show_boxes(viewer: Any, correction: BoxCorrection) -> Shapes:
    """Show the layer of a correction; from now on what is done to its boxes is recorded."""
    layer: Shapes = correction.layer
    layer.name = corrected_name(correction.saved.info, correction.writable)
    correction.attach()
    hold(viewer, layer)
    return layer


def _opened(project: Project, saved: Saved) -> BoxCorrection:
    boxes, shown = saved.boxes()
    left = BoxesLeft.at_first(_facts(saved), shown)
    contents = read_journal(saved.journal) if saved.journal.is_file() else None
    if contents is not None:
        boxes_left(saved.journal, contents, left)
    layer = _layer(project, saved, boxes, left)
    state: Any = state_of(layer)
    journal = journal_of(saved, _header(saved), contents) if project.writable else None
    return BoxCorrection(layer, state, project, saved, left=left, journal=journal)


def _layer(project: Project, saved: Saved, boxes: Boxes, left: BoxesLeft) -> Shapes:
    info, facts = saved.info, _facts(saved)
    places = [dict(zip(info.axes, plane, strict=False)) for plane in left.verified.planes()]
    try:
        options = BoxOptions.checked(left.thresholds, str(saved.journal))
    except RecipeError as error:
        raise UnreadableFileError(error.subject, error.problem, error.fix) from error
    state = BoxState(
        BoxSelector(boxes),
        options,
        facts.own_confidence,
        _image(project, info, facts),
        info.axes,
        info.provenance,
        checked={(place.get("T", 0), place.get("Z", 0)) for place in places},
        done=facts.done,
        touched=left.edits > 0,
    )
    return box_layer(
        state,
        left.boxes_by_hand(),
        name=info.name,
        placement=placement_again(info),
        owner=project.info.image.name,
        shown=left.shown,
        there=left.there,
    )


def _image(project: Project, info: PredictionInfo, facts: BoxFacts) -> Image:
    """Return an empty image that lies like the one under the boxes, which may be gone: nobody looks at its pixels."""
    given = {"scale": info.scale, "units": info.units, "translate": info.translate}
    scale, units, translate = placement_said(info.axes, given)
    empty = da.zeros(facts.shape, np.uint8, chunks=-1)
    return Image((empty,), info.axes, scale, units, translate, name=project.info.image.name)


def _facts(saved: Saved) -> BoxFacts:
    facts = saved.info.boxes
    if facts is None:
        raise UnreadableFileError(str(saved.folder), "holds no boxes", "Take it from a copy of the project")
    return facts


def _header(saved: Saved) -> dict[str, Any]:
    return {"shape": list(_facts(saved).shape), "axes": saved.info.axes, "prediction": saved.id}
