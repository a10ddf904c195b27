"""Live re-tuning: the plane on screen at once, the whole volume after it, the network never.

Cutting touching objects takes longer than a frame: while a slider moves they are shown uncut, once it rests cut.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.places import current_position
from napari_bioseg.plugin.result import Result, decode_again, decode_plane_again
from napari_bioseg.plugin.session import dress, is_edited, replace_labels, result_of, show_beside
from napari_bioseg.widgets.worker import Task
from napari_bioseg.workflows.options import SegmentOptions

SETTLE_MS = 250  # without a change, before the whole volume is decoded


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

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer: Any = None
        self._wanted: SegmentOptions | None = None
        self._plane: Task | None = None
        self._volume: Task | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(self._at_rest)

    @property
    def pending(self) -> SegmentOptions | None:
        """Options that the layer does not show throughout yet; None when it does."""
        return self._wanted

    def watch(self, layer: Any) -> None:
        """Tune this layer from now on; the one before is decoded to its end in the background."""
        if not same_layer(self.layer, layer):
            self.finish()
            self.layer = layer

    def retune(self, options: SegmentOptions) -> None:
        """Show the result with other options."""
        result = self._result()
        if result is None:
            return
        self._wanted = options
        if self._volume is not None:
            self._volume.cancel()
        self._timer.start()
        if not is_edited(self.layer):
            dress(self.layer, options, result.segmentation.prediction.classes)
            if self._plane is None:
                self._start_plane(result, options, _uncut(options))

    def finish(self) -> None:
        """Decode what is pending to its end, whatever is tuned next."""
        if self._wanted is not None and self._result() is not None:
            if self._volume is not None:
                self._volume.cancel()
                self._volume = None
            self._start_volume()
        self._timer.stop()
        self._wanted = self._volume = None

    def forget(self) -> None:
        """Tune nothing: the layer is gone."""
        if self._volume is not None:
            self._volume.cancel()
        self._timer.stop()
        self.layer = self._wanted = None

    def _result(self) -> Result | None:
        present = self.layer is not None and self.layer in self._viewer.layers
        return result_of(self.layer) if present else None

    def _at_rest(self) -> None:
        result, options = self._result(), self._wanted
        cuts = options is not None and options != _uncut(options)
        if result is not None and options is not None and cuts and self._plane is None and not is_edited(self.layer):
            self._start_plane(result, options, options)
        self._start_volume()

    def _start_plane(self, result: Result, options: SegmentOptions, shown: SegmentOptions) -> None:
        displayed = tuple(self._viewer.dims.displayed)
        if displayed != (self._viewer.dims.ndim - 2, self._viewer.dims.ndim - 1):
            return  # a cut along depth, or 3-D: the volume follows
        layer, data = self.layer, self.layer.data
        plane = current_position(self._viewer, layer)[:-2]

        def work(_job: Job) -> None:
            labels = decode_plane_again(result, shown, plane)
            if not is_edited(layer):
                data[plane] = labels

        self._plane = Task(work, self)
        self._plane.succeeded.connect(partial(self._plane_done, layer, options))
        self._plane.finished.connect(self._plane_over)
        self._plane.start()

    def _plane_done(self, layer: Any, options: SegmentOptions, _nothing: Any) -> None:
        layer.refresh()
        self.plane_shown.emit()
        self._plane = None
        result = self._result()
        if self._wanted is not None and self._wanted != options and result is not None and not is_edited(layer):
            self._start_plane(result, self._wanted, _uncut(self._wanted))

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
        self.working.emit(True)
        self._volume = Task(partial(decode_again, result, options), self, expected=(Cancelled,))
        self._volume.succeeded.connect(partial(self._volume_done, self.layer, options))
        self._volume.finished.connect(self._volume_over)
        self._volume.start()

    def _volume_done(self, layer: Any, options: SegmentOptions, result: Result) -> None:
        current = same_layer(layer, self.layer)
        superseded = current and self._wanted not in (None, options)
        if superseded or layer not in self._viewer.layers:
            return
        if is_edited(layer):
            layer = show_beside(self._viewer, result)
        else:
            replace_labels(layer, result)
        if current:
            self.layer, self._wanted = layer, None
        self.settled.emit(layer)

    def _volume_over(self) -> None:
        if self._volume is self.sender():
            self._volume = None
        self.working.emit(self._volume is not None)


def _uncut(options: SegmentOptions) -> SegmentOptions:
    return options.model_copy(update={"split": 0.0})
