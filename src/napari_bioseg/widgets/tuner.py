"""Live re-tuning: the plane on screen at once, the whole volume after it, the network never.

Cutting the objects of a large plane, at waists or along lines, takes longer than a frame: while a slider moves they are
parted where they were before, and anew once it rests. How strongly they are cut at waists is followed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.places import current_position
from napari_bioseg.plugin.result import LivePlane, Result, decode_again
from napari_bioseg.plugin.session import dress, is_edited, is_painting, replace_labels, result_of, show_beside
from napari_bioseg.widgets.strokes import after_stroke
from napari_bioseg.widgets.worker import Task
from napari_bioseg.workflows.options import SegmentOptions

SETTLE_MS = 250  # without a change, before the whole volume is decoded

Planes: TypeAlias = dict[tuple[int, ...], Any]


@dataclass(eq=False)
class _Volume:
    """A whole result at work, and what the planes of its layer showed before the sliders moved."""

    task: Task
    layer: Any
    source: Result
    options: SegmentOptions
    before: Planes
    stopped: bool = False

    def stop(self) -> None:
        """Cancel the task; what it brings all the same is not shown."""
        self.stopped = True
        self.task.cancel()


class Tuner(QObject):
    """Decodes the result of one layer again as its options change; the latest change wins.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject
    """

    plane_shown = Signal()
    settled = Signal(object)  # the layer
    working = Signal(bool)
    progressed = Signal(object)

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Any = None
        self._wanted: SegmentOptions | None = None
        self._plane: Task | None = None
        self._live: LivePlane | None = None  # the last that was decoded
        self._volume: _Volume | None = None  # of the layer that is tuned
        self._volumes: list[_Volume] = []  # with those of layers that were tuned before
        self._before: Planes = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(self._at_rest)

    @property
    def pending(self) -> SegmentOptions | None:
        """Options that the layer does not show throughout yet; None when it does."""
        return self._wanted

    @property
    def at_work(self) -> bool:
        """Whether a whole result is being decoded."""
        return bool(self._volumes)

    def watch(self, layer: Any) -> None:
        """Tune this layer from now on; the one before is decoded to its end in the background."""
        for volume in self._volumes:
            if result_of(volume.layer) is not volume.source:  # another result has come into that layer
                volume.stop()
        if not same_layer(self.layer, layer):
            self.finish()
            self.layer, self._live = layer, None

    def retune(self, options: SegmentOptions) -> None:
        """Show the result with other options."""
        result = self._result()
        if result is None:
            return
        self._wanted = options
        if self._volume is not None:
            self._volume.stop()
        self._timer.start()
        if not is_edited(self.layer):
            dress(self.layer, options, result.segmentation.prediction.classes)
            if self._plane is None:
                self._start_plane(result, options)

    def finish(self) -> None:
        """Decode what is pending to its end, whatever is tuned next."""
        if self._wanted is not None and self._result() is not None:
            if self._volume is not None:
                self._volume.stop()
                self._volume = None
            self._start_volume()
        self._leave()

    def forget(self) -> None:
        """Tune nothing: the layer is gone."""
        if self._volume is not None:
            self._volume.stop()
        self._leave()
        self.layer = self._live = None

    def cancel(self) -> bool:
        """Stop decoding, and show the labels of before; return whether there was anything to stop."""
        stopped = list(self._volumes)
        if self._wanted is not None and self._volume is None and self._result() is not None:
            _put_back(self.layer, self._result(), self._before)
        for volume in reversed(stopped):  # the oldest knows the labels of before
            volume.stop()
            _put_back(volume.layer, volume.source, volume.before)
        anything = bool(stopped) or self._wanted is not None
        self._leave()
        return anything

    def _leave(self) -> None:
        self._timer.stop()
        self._wanted = self._volume = None
        self._before = {}

    def _result(self) -> Result | None:
        present = self.layer is not None and self.layer in self._viewer.layers
        return result_of(self.layer) if present else None

    def _at_rest(self) -> None:
        result, options = self._result(), self._wanted
        if result is not None and options is not None and self._plane is None and not is_edited(self.layer):
            self._start_plane(result, options, moving=False)
        self._start_volume()

    def _start_plane(self, result: Result, options: SegmentOptions, *, moving: bool = True) -> None:
        displayed = tuple(self._viewer.dims.displayed)
        if displayed != (self._viewer.dims.ndim - 2, self._viewer.dims.ndim - 1):
            return  # a cut along depth, or 3-D: the volume follows
        plane = current_position(self._viewer, self.layer)[:-2]
        prediction, live = result.segmentation.prediction, self._live
        if live is None or not live.shows(prediction, plane):
            self._live = live = LivePlane(prediction, plane)

        def work(_job: Job) -> Any:
            return live.decode(options, moving=moving)

        self._plane = Task(work, self)
        self._plane.succeeded.connect(partial(self._plane_done, self.layer, result, options, plane))
        self._plane.finished.connect(self._plane_over)
        self._plane.start()

    def _plane_done(
        self, layer: Any, source: Result, options: SegmentOptions, plane: tuple[int, ...], labels: Any
    ) -> None:
        self._plane = None
        result, wanted = self._result(), self._wanted
        if result is None or wanted is None or is_edited(self.layer):
            return
        fits = result is source and same_layer(layer, self.layer)
        # Written here, in the thread in which strokes are drawn, so that none can begin in between.
        if fits and not is_painting(layer):
            self._before.setdefault(plane, np.array(layer.data[plane]))
            layer.data[plane] = labels
            layer.refresh()
            self.plane_shown.emit()
        if not fits or wanted != options:
            self._start_plane(result, wanted)

    def _plane_over(self) -> None:
        if self._plane is self.sender():
            self._plane = None

    def _start_volume(self) -> None:
        result, options = self._result(), self._wanted
        if result is None or options is None:
            return
        if self._volume is not None:  # it is stopping; look again soon
            self._timer.start()
            return
        task = Task(partial(decode_again, result, options), self, expected=(Cancelled,))
        self._volume = volume = _Volume(task, self.layer, result, options, self._before)
        self._volumes.append(volume)
        task.progressed.connect(self.progressed)
        task.succeeded.connect(partial(self._volume_done, volume))
        task.failed.connect(partial(self._volume_over, volume))
        self.working.emit(True)
        task.start()

    def _volume_done(self, volume: _Volume, result: Result) -> None:
        after_stroke(self._viewer, self, partial(self._land, volume, result))

    def _land(self, volume: _Volume, result: Result) -> None:
        self._volume_over(volume)
        layer = volume.layer
        current = same_layer(layer, self.layer)
        superseded = current and self._wanted not in (None, volume.options)
        # Another result may have come into the layer meanwhile.
        gone = layer not in self._viewer.layers or result_of(layer) is not volume.source
        if volume.stopped or superseded or gone:
            return
        if is_edited(layer):
            layer = show_beside(self._viewer, result)
        else:
            replace_labels(layer, result)
        if current:
            self._leave()
            self.layer = layer
        self.settled.emit(layer)

    def _volume_over(self, volume: _Volume, _error: Any = None) -> None:
        self._volumes.remove(volume)
        if self._volume is volume:
            self._volume = None
        self.working.emit(self.at_work)


def _put_back(layer: Any, source: Result | None, before: Planes) -> None:
    if source is None or result_of(layer) is not source or is_edited(layer) or is_painting(layer):
        return
    for plane, labels in before.items():
        layer.data[plane] = labels
    dress(layer, source.segmentation.options, source.segmentation.prediction.classes)
    layer.refresh()
