"""What a worker does for the panel "Vessel check": check the labels, and build layers of what was found; no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.metrics.vessel_findings import Finding
from napari_bioseg.plugin.images import image_of_layer
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.places import data_shape
from napari_bioseg.plugin.session import labels_placement
from napari_bioseg.workflows.vessel_check import VesselOptions, VesselReport, check_vessels

if TYPE_CHECKING:
    from napari.layers import Points, Vectors

# Told apart by colour-blind people too (Okabe and Ito), and by their shape.
COLORS = {"break": "#d55e00", "loop": "#56b4e9", "cavity": "#f0e442"}
SYMBOLS = {"break": "disc", "loop": "square", "cavity": "diamond"}
LINE_COLOR = "#cc79a7"


@dataclass(frozen=True)
class VesselRequest:
    """What the user asked for, frozen when the button was pressed.

    Attributes
    ----------
    image : Image
        The labels.
    options : VesselOptions
    name : str
        Of the layer.
    placement : Mapping
        Where it lies: keyword arguments of a napari layer.
    """

    image: Image
    options: VesselOptions
    name: str
    placement: Mapping[str, Any]


@dataclass(frozen=True)
class VesselResult:
    """What came of a request; no viewer shows the layers yet.

    Attributes
    ----------
    name : str
        Of the layer of labels.
    report : VesselReport
    rows : tuple of (int, Finding)
        Time and finding, in the order of the points of `found`.
    places : ndarray of float64
        ``(N, D)``, where they are in pixels of the labels; a person may move the points.
    found : napari.layers.Points
    lines : napari.layers.Vectors
        The centre lines.
    notes : tuple of str
        What the user should know.
    """

    name: str
    report: VesselReport
    rows: tuple[tuple[int, Finding], ...]
    places: npt.NDArray[np.float64]
    found: Points
    lines: Vectors
    notes: tuple[str, ...]


def make_vessel_request(layer: Any, options: VesselOptions) -> VesselRequest:
    """Freeze what the user sees and wants.

    Parameters
    ----------
    layer : napari.layers.Labels
    options : VesselOptions

    Raises
    ------
    UnknownAxesError
        Nobody has said what the dimensions of the labels are.
    """
    image = image_of_layer(layer)
    whole = tuple(slice(0, n) for n in data_shape(layer))
    return VesselRequest(image, options, layer.name, labels_placement(layer, image.axes, whole))


def run_vessel_check(request: VesselRequest, job: Job) -> VesselResult:
    """Check the labels as `napari_bioseg.workflows.check_vessels` does, and build the layers.

    Raises
    ------
    BiosegError
        As `check_vessels`.
    """
    report = check_vessels(request.image, request.options, job=job)
    rows = tuple((frame.frame, finding) for frame in report.frames for finding in frame.findings)
    places = np.array([_in_time(request, t, [f.position])[0] for t, f in rows]).reshape(-1, len(request.image.axes))
    found, lines = _points(request, report, rows, places), _vectors(request, report)
    return VesselResult(request.name, report, rows, places, found, lines, tuple(job.notes))


def reuse(layers: Any, result: VesselResult) -> VesselResult:
    """Let the layers of the last check of the same labels show a result, where they lie as it does.

    Removing two layers and adding others costs napari most of a second in the GUI thread, new data some 50 ms.

    Parameters
    ----------
    layers : napari.components.LayerList
        Layers of the last check that lie elsewhere are removed.
    result : VesselResult

    Returns
    -------
    VesselResult
        With the layers that were used again in place of its own.
    """
    for name, taken in (("lines", ()), ("found", ("features", "symbol", "border_color", "size"))):
        new = getattr(result, name)
        for old in [v for v in layers if type(v).__name__ == type(new).__name__ and _owner(v) == result.name]:
            if not _lies_like(old, new):
                layers.remove(old)
                continue
            old.data = new.data
            for what in taken:
                setattr(old, what, getattr(new, what))
            result = replace(result, **{name: old})
    return result


def _owner(layer: Any) -> str | None:
    own: str | None = layer.metadata.get(KEY, {}).get("owner")
    return own


def _lies_like(one: Any, other: Any) -> bool:
    alike = ("scale", "translate", "rotate", "shear")
    return (
        one.ndim == other.ndim
        and one.units == other.units
        and all(np.array_equal(getattr(one, what), getattr(other, what)) for what in alike)
        and np.array_equal(one.affine.affine_matrix, other.affine.affine_matrix)
    )


def _points(
    request: VesselRequest,
    report: VesselReport,
    rows: tuple[tuple[int, Finding], ...],
    places: npt.NDArray[np.float64],
) -> Points:
    from napari.layers import Points

    kinds = [finding.kind for _, finding in rows]
    return Points(
        places.copy(),
        name=f"{request.name} · findings",
        features={
            "kind": kinds,
            "score": [finding.score for _, finding in rows],
            "reason": [finding.reason for _, finding in rows],
        },
        size=_size(report),
        symbol=[SYMBOLS[kind] for kind in kinds] or "disc",
        # Rings, so that what is found stays in sight.
        face_color="transparent",
        border_color=[COLORS[kind] for kind in kinds] or "white",
        border_width=0.15,
        blending="translucent_no_depth",  # in 3-D the labels would hide them
        metadata={KEY: {"owner": request.name}},
        **request.placement,
    )


def _size(report: VesselReport) -> float:
    """Return how large a ring is, pixels: four times as wide as a common vessel."""
    radii = [frame.graph.median_radius / frame.graph.spacing[-1] for frame in report.frames]
    return float(np.clip(8 * max(radii, default=0.0), 10, 60))


def _vectors(request: VesselRequest, report: VesselReport) -> Vectors:
    from napari.layers import Vectors

    axes = len(request.image.axes)
    parts = [np.zeros((0, 2, axes))]
    for frame in report.frames:
        for branch in frame.graph.branches:
            points = _in_time(request, frame.frame, branch.points)
            parts.append(np.stack((points[:-1], np.diff(points, axis=0)), axis=1))
    return Vectors(
        np.concatenate(parts),
        name=f"{request.name} · skeleton",
        edge_color=LINE_COLOR,
        edge_width=0.8,
        vector_style="line",
        blending="translucent_no_depth",
        metadata={KEY: {"owner": request.name}},
        **request.placement,
    )


def _in_time(request: VesselRequest, t: int, points: Any) -> npt.NDArray[np.float64]:
    """Return points of one frame as points of the layer."""
    places = np.asarray(points, np.float64)
    return np.insert(places, 0, t, axis=1) if "T" in request.image.axes else places
