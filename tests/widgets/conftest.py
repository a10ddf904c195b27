"""Settings of the user are left alone."""

from __future__ import annotations

import numpy as np
import pytest

WAIT = 60_000


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSEG_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def window(make_napari_viewer_proxy):
    return make_napari_viewer_proxy(show=True, strict_qt="raise")


@pytest.fixture
def make_panel(qtbot, tiny_zoo):
    """Open the panel on a viewer without a window, once its models are listed."""
    from qtpy.QtCore import QThreadPool

    from napari_bioseg.plugin.settings import change_settings, settings_file
    from napari_bioseg.widgets.segment_panel import SegmentPanel

    def make(viewer):
        if not settings_file().exists():
            change_settings(segment={"model": "tiny2d"})
        panel = SegmentPanel(viewer)
        qtbot.addWidget(panel)
        panel.resize(340, 720)
        panel.show()
        qtbot.waitUntil(lambda: panel.view.model.combo.findData("tiny2d") >= 0, timeout=30_000)
        return panel

    yield make
    assert QThreadPool.globalInstance().waitForDone(30_000)


@pytest.fixture
def make_mouse(qtbot):
    return lambda viewer: Mouse(viewer, qtbot)


class Mouse:
    """Clicks and drags on the canvas, at pixels of a layer."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        self.canvas = viewer.window._qt_window._qt_viewer.canvas.native

    def at(self, layer, y, x):
        from qtpy.QtCore import QPoint

        camera = self.viewer.scene.camera if hasattr(self.viewer, "scene") else self.viewer.camera
        world = self.world(layer, y, x)
        place = (world - np.array(camera.center)[-2:]) * camera.zoom
        middle = np.array([self.canvas.height(), self.canvas.width()]) / 2
        return QPoint(*(round(float(v)) for v in (place + middle)[::-1]))

    def world(self, layer, y, x):
        from napari_bioseg.plugin.places import in_units_of

        point = in_units_of(layer, self.viewer.dims.point, getattr(self.viewer.dims, "units", None))
        lead = np.round(layer.world_to_data(point))[:-2]
        return np.array(layer.data_to_world([*lead, y, x]))[-2:]

    def drag(self, layer, *places):
        from qtpy.QtCore import Qt

        points = [self.at(layer, *place) for place in places]
        self.qtbot.mouseMove(self.canvas, points[0])
        self.qtbot.mousePress(self.canvas, Qt.MouseButton.LeftButton, pos=points[0])
        for point, place in zip(points[1:], places[1:], strict=True):
            self.move(layer, point, place)
        self.qtbot.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, pos=points[-1])

    def push(self, point):
        push(self.canvas, point)

    def move(self, layer, point, place):
        """Move with the left button held; vispy passes over moves that come close upon each other."""
        world = self.world(layer, *place)

        def arrived():
            self.push(point)
            return np.allclose(self.viewer.cursor.position[-2:], world, atol=0.1)

        self.qtbot.waitUntil(arrived, timeout=WAIT)


def push(canvas, point):
    """Move with the left button held; pytest-qt moves without."""
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    left = Qt.MouseButton.LeftButton
    place = QPointF(point)
    event = QMouseEvent(
        QEvent.Type.MouseMove, place, QPointF(canvas.mapToGlobal(point)), Qt.MouseButton.NoButton, left,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)
