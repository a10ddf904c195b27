"""`decode_plane`: labels of one plane, while a slider moves."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf, sqrt
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.prediction import ClassInfo, has_cores
from napari_bioseg.postprocess.objects import resolve
from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.postprocess.parts import Pairs, Where, find_parts
from napari_bioseg.postprocess.separate import Telling, draw_lines
from napari_bioseg.postprocess.split import Waists
from napari_bioseg.postprocess.threshold import Indices, class_values, classify

FRAME = 0.05
_COARSEST = 4  # pixels: cells and the gaps between them are wider


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

    What does not depend on the sliders is computed once: the smoothed probabilities, and where objects could be cut, so
    that a step of how strongly they are takes a few hundredths of the time.

    Parameters
    ----------
    frame : float
        Seconds that `follow` may take.
    """

    def __init__(
        self,
        probabilities: npt.NDArray[np.float16],
        classes: Sequence[ClassInfo],
        activation: str = "sigmoid",
        *,
        sampling: Sequence[float] = (1.0, 1.0),
        frame: float = FRAME,
    ) -> None:
        cores = has_cores(len(probabilities), classes, activation)
        self._classes = probabilities[:-1] if cores else probabilities
        self._telling = Telling(probabilities, activation, cores=cores)
        self._activation, self._sampling = activation, sampling
        self._values = class_values(classes)
        self._uncut: DecodeOptions | None = None
        self._waists: Waists | None = None
        self._cut: npt.NDArray[np.uint32] | None = None  # the labels that were cut last,
        self._met: npt.NDArray[np.intp] | None = None  # and where their pieces meet, once that is asked for
        self._drawn: tuple[float, npt.NDArray[np.intp]] | None = None
        self._frame, self._seconds = frame, inf  # that cutting took

    def decode(self, options: DecodeOptions) -> npt.NDArray[np.uint32]:
        """Return the labels ``(Y, X)``."""
        options = options.resolved({})
        if self._waists is not None and self.knows_cuts(options):
            labels = self._waists.cut(options.split, options.min_size)
        else:
            began = perf_counter()
            labels = self._decoded(options, self._parted(options))
            if options.separate or _cuts(options):
                self._seconds = perf_counter() - began
        if _cuts(options):
            self._cut, self._met = labels, None
        return labels

    def follow(self, options: DecodeOptions) -> npt.NDArray[np.uint32]:
        """Return what to show while a slider moves: the labels, where they are there within a frame, else nearly those.

        Objects are then parted where they were before: along the lines that were drawn last, as long as it is not they
        that are changed, and along those between the pieces that were cut last. Lines that are changed are drawn on a
        coarser grid.
        """
        options = options.resolved({})
        if self.knows_cuts(options) or self._seconds <= self._frame or not (options.separate or _cuts(options)):
            return self.decode(options)
        drawn = self._drawn
        if drawn is None:
            indices = self._parted(options)
        else:
            indices = self._classified(options)
            if drawn[0] == options.separate:
                indices.reshape(-1)[drawn[1]] = 0
            elif options.separate:
                draw_lines(indices, self._telling, options.separate, step=self._grid)
        if _cuts(options) and self._waists is not None and self._cut is not None:
            if self._met is None:
                self._met = self._waists.between(self._cut)
            indices.reshape(-1)[self._met] = 0
        return self._decoded(_without_cut(options), indices)

    @property
    def _grid(self) -> int:
        """How many pixels apart lines are drawn so as to take no longer than a frame, if that is possible."""
        slower = self._seconds / self._frame if self._frame else inf
        return ceil(sqrt(min(slower, _COARSEST**2)))

    def knows_cuts(self, options: DecodeOptions) -> bool:
        """Whether the labels with these options are there at once, although objects are cut."""
        return _cuts(options) and self._uncut == _without_cut(options.resolved({}))

    def _classified(self, options: DecodeOptions) -> Indices:
        return classify(self._classes, options.limits({}).threshold, self._activation)

    def _parted(self, options: DecodeOptions) -> Indices:
        indices = self._classified(options)
        if separate := options.limits({}).separate:
            whole = indices.copy()
            draw_lines(indices, self._telling, separate)
            self._drawn = separate, np.flatnonzero(whole != indices)
        return indices

    def _decoded(self, options: DecodeOptions, indices: Indices) -> npt.NDArray[np.uint32]:
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
