"""``bioseg demo --gui`` opens a window that is ready to segment, ``bioseg open`` one on a project."""

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


def test_a_project_is_opened_with_its_image_and_the_panel(qtbot, tmp_path, monkeypatch):
    import numpy as np
    import tifffile
    from napari.components import ViewerModel

    from napari_bioseg.core.job import Job
    from napari_bioseg.plugin.correcting import begin, show_correction, start_of
    from napari_bioseg.plugin.launch import open_window
    from napari_bioseg.plugin.reader import read_layers

    monkeypatch.setenv("BIOSEG_PROJECTS", str(tmp_path / "projects"))
    tifffile.imwrite(tmp_path / "stack.ome.tif", np.zeros((3, 20, 30), np.uint8), metadata={"axes": "ZYX"})
    before = ViewerModel()
    ((data, attributes, _),) = read_layers(tmp_path / "stack.ome.tif")
    image = before.add_image(data, **attributes)
    labels = before.add_labels(np.zeros((3, 20, 30), int), name="mine")
    layer = show_correction(before, begin(start_of(before, labels, image), Job()))
    layer.fill((0, 5, 5), 3)
    before.layers.clear()

    viewer = open_window([tmp_path / "stack.ome.tif.bioseg"])
    try:
        qtbot.waitUntil(lambda: len(viewer.window.dock_widgets) == 1, timeout=60_000)
        (panel,) = viewer.window.dock_widgets.values()
        assert [one.name for one in viewer.layers] == ["stack", "mine · corrected"]
        assert viewer.layers[1].data[0].max() == 3
        assert panel.correction.writable
    finally:
        viewer.close()
