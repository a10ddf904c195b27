"""`check_vessels`: from a segmentation of vessels to its graph and its likely errors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from napari_bioseg.core.errors import Cancelled, IncompatibleImageError
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.core.options import Options
from napari_bioseg.metrics.vessel_findings import Finding, findings
from napari_bioseg.metrics.vessel_graph import vessel_graph
from napari_bioseg.metrics.vessels import VesselGraph

AXES = ("YX", "ZYX", "TYX", "TZYX")
"""Of labels that can be checked."""


class VesselOptions(Options):
    """Options of `check_vessels`: what the panel shows and the report records."""

    values: tuple[int, ...] | None = Field(
        None, description="Label values that are vessel, e.g. 1,3; none: all above 0"
    )
    prune: float = Field(
        1.0, ge=0, le=5, description="Spurs shorter than this many radii of their vessel are left out; 0: none"
    )
    reach: float = Field(
        6.0, ge=0, le=20, description="Longest break between two ends, in radii of the thinner one; 0: none"
    )
    angle: float = Field(
        60.0,
        ge=0,
        le=89,
        description="Ends face each other up to this angle between their directions and the gap, degrees",
    )
    loop: float = Field(20.0, ge=0, le=60, description="Longest loop that is listed, in radii of its vessels; 0: none")


@dataclass(frozen=True)
class VesselFrame:
    """One time point: its index, graph and findings."""

    frame: int
    graph: VesselGraph
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class VesselReport:
    """What `check_vessels` returns.

    Attributes
    ----------
    frames : tuple of VesselFrame
        In the order of time; those that were checked, when the job was stopped.
    image : Image
        The labels.
    unit : str
        Of lengths: ``"um"``, or ``"px"`` where the pixel size is not known along each axis of space.
    options : VesselOptions
    done : bool
        False when the job was stopped.
    """

    frames: tuple[VesselFrame, ...]
    image: Image
    unit: str
    options: VesselOptions
    done: bool


def check_vessels(
    labels: Image | npt.NDArray[Any],
    options: VesselOptions | None = None,
    *,
    axes: str | None = None,
    pixel_size: dict[str, float] | None = None,
    probabilities: Image | npt.NDArray[Any] | None = None,
    job: Job | None = None,
    **changes: Any,
) -> VesselReport:
    """Return the graph of segmented vessels with likely breaks, loops and cavities, for each time point.

    Parameters
    ----------
    labels : Image or ndarray
        YX, ZYX, TYX or TZYX; integers or bool.
    options : VesselOptions, optional
    axes, pixel_size : optional
        Of an array: one letter a dimension, by default YX or ZYX; µm of a step by axis.
    probabilities : Image or ndarray, optional
        Of the shape of the labels, 0..1: tells breaks in a faint vessel from ends.
    job : Job, optional
        For progress, and for stopping between the time points and the steps of each.
    **changes
        Fields of `VesselOptions`, e.g. ``reach=4``.

    Raises
    ------
    IncompatibleImageError
        Axes other than those, labels that are no integers, or probabilities of another shape.
    RecipeError
        An option is wrong.
    MissingDependencyError
        skan is not installed.
    """
    options = VesselOptions.checked(
        {**(options.model_dump() if options else {}), **changes}, "options of the vessel check"
    )
    job = job or Job()
    if isinstance(labels, Image):
        image = labels
    else:
        image = image_from_array(labels, axes or "ZYX"[-labels.ndim :], pixel_size=pixel_size, name="labels")
    _check(image, probabilities)
    sizes = image.pixel_size()
    known = [size for size in sizes if size is not None]
    unit = "um" if len(known) == len(sizes) else "px"
    if unit == "px":
        job.note("The pixel size is not known: lengths are in pixels, as if these were as high as wide")
    spacing = known if unit == "um" else [1.0] * len(sizes)
    count = image.shape[image.axis("T")] if "T" in image.axes else 1
    frames: list[VesselFrame] = []
    job.stage("Checking vessels", 3 * count)
    with suppress(Cancelled):  # what was finished is kept
        for t in range(count):
            frames.append(_frame(image, probabilities, t, spacing, options, job))
            job.step()
    return VesselReport(tuple(frames), image, unit, options, len(frames) == count)


def _check(image: Image, probabilities: Image | npt.NDArray[Any] | None) -> None:
    if image.axes not in AXES:
        raise IncompatibleImageError(image.name, f"has axes {image.axes}", f"Vessels are checked in {', '.join(AXES)}")
    if image.dtype.kind not in "uib":
        raise IncompatibleImageError(image.name, f"holds {image.dtype} values, not labels", "Segment the image first")
    if probabilities is not None and tuple(probabilities.shape) != image.shape:
        raise IncompatibleImageError(
            "probabilities",
            f"have shape {tuple(probabilities.shape)}, the labels {image.shape}",
            "Give those of the labels",
        )


def _frame(
    image: Image,
    probabilities: Image | npt.NDArray[Any] | None,
    t: int,
    spacing: Sequence[float],
    options: VesselOptions,
    job: Job,
) -> VesselFrame:
    labels = _at_time(image.data, image.axes, t)
    vessel = labels > 0 if options.values is None else np.isin(labels, options.values)
    job.step()
    graph = vessel_graph(vessel, spacing, prune_below=options.prune)
    job.step()
    maps = probabilities.data if isinstance(probabilities, Image) else probabilities
    found = findings(
        graph,
        probability=None if maps is None else _at_time(maps, image.axes, t),
        reach=options.reach,
        angle=options.angle,
        loop=options.loop,
        unit="µm" if None not in image.pixel_size() else "px",
    )
    return VesselFrame(t, graph, found)


def _at_time(data: Any, axes: str, t: int) -> npt.NDArray[Any]:
    return np.asarray(data[t] if "T" in axes else data)
