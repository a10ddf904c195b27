"""Settings of the user are left alone."""

from __future__ import annotations

import pytest


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
