"""What a worker does for the panel "Detect": find boxes, or open them, and build their layer; no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.box_layer import box_layer
from napari_bioseg.plugin.box_state import BoxState
from napari_bioseg.plugin.first_look import with_findings
from napari_bioseg.plugin.places import data_shape
from napari_bioseg.plugin.session import labels_placement, target_of
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector
from napari_bioseg.workflows.options import DetectOptions

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_bioseg.models.card import Card
    from napari_bioseg.plugin.first_look import FirstLook


@dataclass(frozen=True)
class BoxRequest:
    """What the user asked for, frozen when the button was pressed.

    Attributes
    ----------
    image : Image
        Without colour channels that the model does not see.
    axes : str
        Of the boxes: those of the image but channels.
    options : DetectOptions
        With the region.
    name : str
        Of the image layer.
    placement : Mapping
        Where the boxes lie: keyword arguments of a napari layer.
    """

    image: Image
    axes: str
    options: DetectOptions
    name: str
    placement: Mapping[str, Any]


@dataclass(frozen=True)
class BoxResult:
    """What came of a request: the layer, which no viewer shows yet, and what the user should know."""

    layer: Shapes
    notes: tuple[str, ...] = ()


def make_box_request(viewer: Any, layer: Any, card: Card, options: DetectOptions, **where: Any) -> BoxRequest:
    """Freeze what the user sees and wants.

    Parameters
    ----------
    viewer, layer, card, **where
        As for `target_of`.
    options : DetectOptions
        Its region and channel are replaced.

    Raises
    ------
    UnknownAxesError, IncompatibleImageError, RecipeError
        As for `target_of`.
    """
    target = target_of(viewer, layer, card, **where)
    options = options.model_copy(update={"region": target.region, "channel": target.channel})
    # Boxes count pixels of the whole image, whatever part was looked at.
    whole = labels_placement(layer, target.axes, tuple(slice(0, n) for n in data_shape(layer)))
    return BoxRequest(target.image, target.grid, options, layer.name, whole)


def run_detection(request: BoxRequest, job: Job, *, look: FirstLook | None = None) -> BoxResult:
    """Load the model, run the network, read the boxes off, build the layer: as `napari_bioseg.detect` does.

    Parameters
    ----------
    request : BoxRequest
    job : Job
    look : FirstLook, optional
        Taken before the network runs; what it finds is part of the provenance.

    Raises
    ------
    BiosegError
        As `napari_bioseg.detect`.
    """
    from napari_bioseg.models import load_model
    from napari_bioseg.workflows.detection import detect_image

    job.stage(f"Loading {request.options.model}")
    model = load_model(request.options.model)
    seen = look(request.image, model, job) if look is not None else None
    found = detect_image(request.image, model, request.options, job=job)
    state = BoxState(
        found.selector,
        thresholds(request.options),
        model.card.output.threshold,
        request.image,
        request.axes,
        with_findings(found.provenance, seen),
        done=found.done,
    )
    name = f"{request.name} · {model.card.name}" + ("" if found.done else " (cancelled, incomplete)")
    layer = box_layer(state, name=name, placement=dict(request.placement), owner=request.name)
    return BoxResult(layer, tuple(job.notes))


def thresholds(options: DetectOptions) -> BoxOptions:
    """Return the part of the options that follows sliders."""
    return BoxOptions(**{name: getattr(options, name) for name in BoxOptions.model_fields})


def open_boxes(path: Path, request: BoxRequest, _job: Job) -> BoxResult:
    """Open boxes from a file onto an image: our CSV, YOLO text or COCO JSON.

    Parameters
    ----------
    path : Path
    request : BoxRequest
        For the image and where it lies.

    Raises
    ------
    UnreadableFileError, IncompatibleImageError
        As `napari_bioseg.io.image_boxes.read_image_boxes`.
    """
    from napari_bioseg.io.image_boxes import read_image_boxes

    boxes = read_image_boxes(path, request.image)
    found, drawn = boxes[~boxes.hand], boxes[boxes.hand]
    state = BoxState(BoxSelector(found), BoxOptions(), 0.0, request.image, request.axes)
    every = np.ones(len(found), bool)
    layer = box_layer(state, drawn, name=path.stem, placement=dict(request.placement), owner=request.name, shown=every)
    return BoxResult(layer)
