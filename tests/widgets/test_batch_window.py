"""The panel "Batch", in a real window."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from .conftest import WAIT

pytestmark = pytest.mark.gui


@pytest.fixture
def images(tmp_path, tiny_zoo):
    folder = tmp_path / "images"
    folder.mkdir()
    for i, name in enumerate(("a", "b", "c")):
        values = np.random.default_rng(i).integers(0, 255, (64, 96), dtype=np.uint8)
        tifffile.imwrite(folder / f"{name}.tif", values, photometric="minisblack")
    return folder


@pytest.fixture
def open_panel(window, qtbot, images):
    """Open the panel in the window, set to what the panel Segment was last run with."""
    from qtpy.QtCore import QThreadPool

    from napari_bioseg.plugin.settings import change_settings

    change_settings(segment={"model": "tiny2d", "instances": True, "threshold": 0.5})

    def make():
        _, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Batch")
        return panel

    yield make
    assert QThreadPool.globalInstance().waitForDone(30_000)


def _run(panel, qtbot):
    panel.view.start_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)


def _states(panel):
    return [str(place.state) for place in panel.view.queue.queue.places]


def test_a_folder_goes_through_and_a_result_is_opened(open_panel, window, qtbot, images):
    panel = open_panel()
    view = panel.view
    assert view.about.text() == "tiny2d: threshold 0.5, instances on"
    assert not view.start_button.isEnabled()
    view.inputs.add([str(images)])
    assert view.out.text() == str(images.parent / "bioseg-results")
    (images / "b.tif").write_bytes(b"II*\0")
    _run(panel, qtbot)
    assert _states(panel) == ["done", "failed", "done"]
    assert "2 of 3 images done, 1 failed" in view.notes.text()
    view.queue.selectRow(1)
    assert "b.tif" in view.why.text()
    assert not view.open_button.isEnabled()
    view.queue.selectRow(2)
    view.open_button.click()
    qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=WAIT)
    assert {type(layer).__name__ for layer in window.layers} == {"Image", "Labels"}
    assert view.report_button.isEnabled()
    tifffile.imwrite(images / "b.tif", np.zeros((64, 96), np.uint8), photometric="minisblack")
    _run(panel, qtbot)
    assert _states(panel) == ["done", "done", "done"]
    assert "(2 of them before)" in view.notes.text()


def test_pause_go_on_cancel_and_start_again(open_panel, qtbot, images):
    panel = open_panel()
    view = panel.view
    values = np.random.default_rng(0).integers(0, 255, (40, 256, 256), dtype=np.uint8)
    tifffile.imwrite(images / "d.ome.tif", values, metadata={"axes": "ZYX"})
    view.inputs.add([str(images / "d.ome.tif"), str(images / "a.tif")])
    view.start_button.click()
    qtbot.waitUntil(lambda: any(place.share > 0 for place in view.queue.queue.places), timeout=WAIT)
    view.pause_button.click()
    assert view.pause_button.text() == "Go on"
    job = panel._task.job
    assert job.paused
    view.pause_button.click()
    assert not job.paused
    view.progress.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert "Start goes on from there." in view.notes.text()
    assert "done" not in _states(panel)
    _run(panel, qtbot)
    assert _states(panel) == ["done", "done"]


def test_a_recipe_of_the_panel_segment_is_taken(open_panel, window, qtbot, images, tmp_path):
    from napari_bioseg.plugin.settings import load_settings
    from napari_bioseg.workflows.batch_options import read_batch_recipe

    window.open(images / "a.tif", plugin="napari-bioseg")
    _, segment = window.window.add_plugin_dock_widget("napari-bioseg", "Segment")
    qtbot.waitUntil(segment.view.recipe_button.isEnabled, timeout=WAIT)
    segment.view.labels_form.set_values({"threshold": 0.7})
    segment.save_recipe_to(tmp_path / "r.yaml")
    assert read_batch_recipe(tmp_path / "r.yaml").threshold == 0.7
    panel = open_panel()
    panel.view.way.setCurrentIndex(panel.view.way.findData("recipe"))
    assert panel.view.recipe_row.isVisibleTo(panel)
    assert "is not chosen" in panel.view.about.text()
    panel.view.recipe.setText(str(tmp_path / "r.yaml"))
    qtbot.waitUntil(lambda: "threshold 0.7" in panel.view.about.text(), timeout=WAIT)
    panel.view.pattern.setText(str(images / "*.tif"))
    panel.view.pattern.returnPressed.emit()
    assert panel.view.inputs.inputs == [str(images / "*.tif")]
    assert panel.view.out.text() == str(images.parent / "bioseg-results")
    _run(panel, qtbot)
    assert _states(panel) == ["done"] * 3
    assert load_settings().batch["way"] == "recipe"


def test_what_was_chosen_is_there_again(open_panel):
    from napari_bioseg.plugin.settings import change_settings

    change_settings(batch={"way": "recipe", "recipe": "r.yaml", "scheduler": "tcp://127.0.0.1:1"})
    view = open_panel().view
    assert (view.way.currentData(), view.recipe.text()) == ("recipe", "r.yaml")
    assert view.scheduler.text() == "tcp://127.0.0.1:1"


def test_dropped_files_are_added_once(open_panel, images):
    from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
    from qtpy.QtGui import QDropEvent

    panel = open_panel()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(images / "a.tif"))] * 2)
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    panel.view.inputs.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys))
    assert panel.view.inputs.inputs == [str(images / "a.tif")]
    panel.view.remove_button.click()
    assert panel.view.inputs.inputs == []
