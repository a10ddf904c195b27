"""`decode_plane`: labels of one plane, while a slider moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.prediction import ClassInfo, has_cores
from napari_bioseg.postprocess.objects import resolve
from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.postprocess.parts import Pairs, Where, find_parts
from napari_bioseg.postprocess.separate import classify_apart
from napari_bioseg.postprocess.split import Waists
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
    return PlaneDecoder(probabilities, classes, activation, sampling=sampling).decode(options)


class PlaneDecoder:
    """Decodes one plane again and again; takes what `decode_plane` does, but the options.

    Where objects are cut, it keeps where they could be: as long as nothing but the strength of the cut changes, a step
    of the slider takes a few hundredths of the time.
    """

    def __init__(
        self,
        probabilities: npt.NDArray[np.float16],
        classes: Sequence[ClassInfo],
        activation: str = "sigmoid",
        *,
        sampling: Sequence[float] = (1.0, 1.0),
    ) -> None:
        self._probabilities, self._activation, self._sampling = probabilities, activation, sampling
        self._values = class_values(classes)
        self._cores = has_cores(len(probabilities), classes, activation)
        self._uncut: DecodeOptions | None = None
        self._waists: Waists | None = None

    def decode(self, options: DecodeOptions) -> npt.NDArray[np.uint32]:
        """Return the labels ``(Y, X)``."""
        options = options.resolved({})
        if self._waists is None or not self.knows_cuts(options):
            limits = options.limits({})
            indices = classify_apart(self._probabilities, *limits, self._activation, cores=self._cores)
            if 0 in indices.shape or not options.needs_objects:
                return paint_classes(indices, self._values)
            where = Where.whole(indices.shape)
            parts, runs = find_parts(indices, where, largest_hole=options.fill_holes, boxes=_cuts(options))
            objects = resolve(parts, Pairs.joined([]), options, self._values)
            labels = runs.paint(objects.lookup)
            if not _cuts(options):
                return labels
            self._waists, self._uncut = Waists(labels, objects, self._sampling), _without_cut(options)
        return self._waists.cut(options.split, options.min_size)

    def knows_cuts(self, options: DecodeOptions) -> bool:
        """Whether the labels with these options are there at once, although objects are cut."""
        return _cuts(options) and self._uncut == _without_cut(options.resolved({}))


def _cuts(options: DecodeOptions) -> bool:
    return bool(options.instances and options.split)


def _without_cut(options: DecodeOptions) -> DecodeOptions:
    return options.model_copy(update={"split": 0.0})


def paint_classes(indices: npt.NDArray[Any], values: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the label value of each class index."""
    labels: npt.NDArray[np.uint32] = (
        np.multiply(indices, values[1], dtype=np.uint32) if len(values) == 2 else values[indices]
    )
    return labels
