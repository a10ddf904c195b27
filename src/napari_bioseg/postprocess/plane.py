"""`decode_plane`: labels of one plane, while a slider moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import ClassInfo, has_cores
from napari_bioseg.postprocess.objects import resolve
from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.postprocess.parts import Pairs, Where, find_parts
from napari_bioseg.postprocess.separate import classify_apart
from napari_bioseg.postprocess.split import split_objects
from napari_bioseg.postprocess.threshold import class_values


def decode_plane(
    probabilities: npt.NDArray[np.float16],
    options: DecodeOptions,
    classes: Sequence[ClassInfo],
    activation: str = "sigmoid",
    *,
    sampling: Sequence[float] = (1.0, 1.0),
) -> npt.NDArray[np.uint32]:
    """Return the labels of a plane.

    Of a 2-D model these are the labels that `decode_volume` gives for this plane, but for the numbers of
    instances. Of a 3-D model they are a preview: objects are those of the plane, not of the volume.

    Parameters
    ----------
    probabilities : ndarray of float16
        ``(K, Y, X)`` in 0..1.
    options : DecodeOptions
        Without a threshold, 0.5 is taken; without `separate`, no lines are drawn.
    classes : sequence of ClassInfo
        The foreground classes.
    activation : str
        ``"sigmoid"``, or ``"softmax"``, where channel 0 is the background.
    sampling : sequence of float
        Size of a pixel along Y and X; only where objects are split.

    Returns
    -------
    ndarray of uint32
        ``(Y, X)``: class values, or instances numbered from 1.
    """
    options, limits = options.resolved({}), options.limits({})
    cores = has_cores(len(probabilities), classes, activation)
    indices, values = classify_apart(probabilities, *limits, activation, cores=cores), class_values(classes)
    if 0 in indices.shape or not options.needs_objects:
        return paint_classes(indices, values)
    splits = bool(options.instances and options.split)
    where = Where.whole(indices.shape)
    parts, runs = find_parts(indices, where, largest_hole=options.fill_holes, boxes=splits)
    objects = resolve(parts, Pairs.joined([]), options, values)
    labels = runs.paint(objects.lookup)
    if splits:
        split_objects(labels, objects, options, first=1, sampling=sampling, job=Job())
    return labels


def paint_classes(indices: npt.NDArray[Any], values: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the label value of each class index."""
    labels: npt.NDArray[np.uint32] = (
        np.multiply(indices, values[1], dtype=np.uint32) if len(values) == 2 else values[indices]
    )
    return labels
