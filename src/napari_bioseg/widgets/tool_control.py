"""The tools of the panel "Correct": clicks are waited for, the tool works in a worker, its step is shown."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.corrections.change import Change
from napari_bioseg.editing.scene import EditOptions
from napari_bioseg.editing.tools import TOOLS
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.plugin.places import current_position
from napari_bioseg.plugin.settings import change_settings, load_settings
from napari_bioseg.plugin.use_tool import scene_of, use_tool
from napari_bioseg.widgets.clicks import Clicks
from napari_bioseg.widgets.layer_keys import LayerKeys
from napari_bioseg.widgets.worker import Task, show_problem


class ToolControl(QObject):
    """What the tool buttons do.

    Parameters
    ----------
    viewer : napari.Viewer
    view : CorrectView
    parent : QWidget
    """

    used = Signal(object)  # the change that a tool has made, or None
    ended = Signal()

    def __init__(self, viewer: Any, view: Any, parent: Any) -> None:
        super().__init__(parent)
        self._viewer, self._view = viewer, view
        self._correction: Correction | None = None
        self._clicks: Clicks | None = None
        self._tool: str | None = None
        self._keys = LayerKeys(parent)
        view.tools.pressed.connect(self.press)
        view.volume.toggled.connect(self._volume_changed)
        view.form.changed.connect(self._remember)
        self._restore()

    def watch(self, correction: Correction | None) -> None:
        """Work on this one from now on."""
        self.put_away()
        self._correction = correction
        if correction is not None:
            self._view.volume.setVisible(correction.labels.ndim > 2)
            self._view.volume.setChecked(correction.layer.n_edit_dimensions > 2)

    def press(self, name: str) -> None:
        """Use a tool at once, or wait for the clicks that it needs; pressed again, it is put away."""
        correction, again = self._correction, name == self._tool
        self.put_away()
        if correction is None or again or not correction.writable:
            return
        tool = TOOLS[name]
        if tool.clicks == 0:
            self._use(name, [current_position(self._viewer, correction.layer)])
            return
        self._tool = name
        self._viewer.layers.selection.active = correction.layer
        self._clicks = Clicks(self._viewer, correction.layer, tool.clicks, partial(self._use, name))
        self._clicks.told = self._clicked
        self._keys.bind(correction.layer, {"Enter": self.finish, "Escape": self.put_away})
        self._view.tools.mark(name)
        self._clicked(0)

    def finish(self) -> None:
        """Hand the tool what was clicked so far."""
        if self._clicks is not None:
            self._clicks.finish()

    def put_away(self) -> None:
        """Wait for no more clicks."""
        if self._clicks is not None:
            self._clicks.close()
        self._clicks = self._tool = None
        self._keys.bind(None, {})
        self._view.tools.mark(None)
        self._view.hint.setVisible(False)

    def _use(self, name: str, places: list[tuple[int, ...]]) -> None:
        correction = self._correction
        if correction is None or correction.busy:
            return
        try:
            options = EditOptions.checked(self._view.form.values(), "options of the tools")
        except BiosegError as error:
            show_problem(error)
            return
        volume = self._view.volume.isChecked() or TOOLS[name].volume
        image = self._view.image.layer()
        scene = scene_of(self._viewer, correction, options, volume=volume, image_layer=image)
        correction.hold()
        task = Task(lambda _job: use_tool(name, scene, places, correction), self)
        task.succeeded.connect(partial(self._used, correction))
        task.finished.connect(partial(self._over, correction))
        task.start()

    def _used(self, correction: Correction, change: Change | None) -> None:
        if change is not None:
            correction.show(change)
        self._view.say([] if change is not None else ["Nothing to change there."])
        self.used.emit(change)

    def _over(self, correction: Correction) -> None:
        correction.let_go()
        self.ended.emit()

    def _clicked(self, count: int) -> None:
        if self._tool is None:
            return
        tool = TOOLS[self._tool]
        wanted = (
            "" if tool.clicks == 1 else f" {count} so far." if tool.clicks is None else f" {count} of {tool.clicks}."
        )
        self._view.hint.setText(f"<b>{tool.title}</b>: {tool.tip}.{wanted} Escape leaves the tool.")
        self._view.hint.setVisible(True)

    def _volume_changed(self, on: bool) -> None:
        if self._correction is not None:
            self._correction.layer.n_edit_dimensions = min(3 if on else 2, self._correction.labels.ndim)

    def _restore(self) -> None:
        known = {k: v for k, v in load_settings().correct.items() if k in EditOptions.model_fields}
        try:
            EditOptions.checked(known, "settings of the tools")
        except BiosegError as error:
            show_problem(error)
            return
        self._view.form.set_values(known)

    def _remember(self, _name: str) -> None:
        try:
            change_settings(correct=self._view.form.values())
        except BiosegError as error:
            self._view.say([str(error)])
