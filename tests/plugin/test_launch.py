"""``bioseg demo --gui`` opens a window that is ready to segment."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.gui


def test_the_demo_window(qtbot):
    from napari_bioseg.plugin.launch import open_demo

    viewer = open_demo()
    try:
        assert [layer.name for layer in viewer.layers] == ["Vessels", "Vessels · ground truth"]
        (dock,) = viewer.window.dock_widgets.values()
        assert dock.view.image.combo.currentText() == "Vessels"
        qtbot.waitUntil(lambda: dock.warm, timeout=60_000)
    finally:
        viewer.close()
