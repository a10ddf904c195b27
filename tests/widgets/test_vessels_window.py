"""The panel "Vessel check" in a real window: check, look, go there, save; cancel, remember, ask."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from napari_bioseg.plugin.settings import load_settings

pytestmark = pytest.mark.gui

WAIT = 120_000
SCALE = (2.0, 0.5, 0.5)


def broken_tube():
    labels = np.zeros((9, 40, 80), np.uint32)
    labels[3:6, 10:15, 10:70] = 70_000
    labels[:, :, 38:43] = 0
    return labels


def add(viewer, labels, **more):
    axes = "tzyx"[-labels.ndim :]
    placing = {"scale": (1.0,) * (labels.ndim - 3) + SCALE, "units": ("s",) * (labels.ndim - 3) + ("um",) * 3}
    return viewer.add_labels(labels, **{"name": "vessels", "axis_labels": tuple(axes), **placing, **more})


@pytest.fixture
def open_panel(qtbot):
    from qtpy.QtCore import QThreadPool

    def show(window):
        window.window.resize(1280, 800)
        return window.window.add_plugin_dock_widget("napari-bioseg", "Vessel check")

    yield show
    assert QThreadPool.globalInstance().waitForDone(30_000)


def press(qtbot, panel, button, signal="shown"):
    from qtpy.QtCore import Qt

    with qtbot.waitSignal(getattr(panel, signal), timeout=WAIT) as caught:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    return caught.args[0]


def test_the_whole_way(window, qtbot, open_panel, tmp_path, make_mouse):
    labels = add(window, broken_tube(), translate=(100.0, 0.0, 20.0))
    dock, panel = open_panel(window)
    qtbot.waitUntil(lambda: dock.width() < 440, timeout=WAIT)  # once it is laid out
    result = press(qtbot, panel, panel.view.check_button)
    assert labels in window.layers
    assert [layer.name for layer in window.layers] == ["vessels", "vessels · skeleton", "vessels · findings"]
    for layer in (result.found, result.lines):
        for what in ("scale", "translate"):
            assert np.array_equal(getattr(layer, what), getattr(labels, what))
        assert layer.units == labels.units
    assert window.layers.selection.active == labels
    assert list(result.found.features["kind"]) == ["break"]
    assert np.allclose(result.found.data, [(4, 12, 40)], atol=1)
    text = panel.view.figures.text()
    assert "in 2 branches" in text
    assert "µm" in text
    assert "<b>4</b> end points" in text

    goes_to_the_break(window, qtbot, panel)
    a_ring_chooses_its_line(window, result, panel, make_mouse(window))
    saves(qtbot, panel, tmp_path)
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)


def goes_to_the_break(window, qtbot, panel):
    from qtpy.QtCore import Qt

    table = panel.view.table
    panel.view.scroll.ensureWidgetVisible(table)
    assert table.findings.rowCount() == 1
    assert table.findings.data(table.findings.index(0, 0)) == "break"
    window.dims.set_current_step(0, 0)
    place = table.visualRect(table.findings.index(0, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert window.dims.current_step[0] == 4
    camera = window.scene.camera if hasattr(window, "scene") else window.camera
    assert np.allclose(camera.center[-2:], (12 * 0.5, 40 * 0.5 + 20), atol=0.5)


def a_ring_chooses_its_line(window, result, panel, mouse):
    table, labels = panel.view.table, window.layers.selection.active
    table.clearSelection()
    window.layers.selection.active = result.found
    mouse.drag(result.found, (30, 70))  # beside it
    assert table.selectedIndexes() == []
    camera = [*window.camera.center]
    mouse.drag(result.found, tuple(result.places[0][-2:]))
    assert [index.row() for index in table.selectedIndexes()] == [0] * len(table.findings.titles)
    assert [*window.camera.center] == camera  # the view stays
    window.layers.selection.active = labels


def saves(qtbot, panel, folder):
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(folder / "vessels.csv")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    with (folder / "vessels.findings.csv").open(encoding="utf-8") as file:
        assert [row["kind"] for row in csv.DictReader(file)] == ["break"]
    with (folder / "vessels.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2
    assert "vessels.findings.csv" in panel.view.notes.text()


def test_checking_again_takes_the_place_of_the_last_check(window, qtbot, open_panel):
    labels = add(window, broken_tube())
    _, panel = open_panel(window)
    press(qtbot, panel, panel.view.check_button)
    first = list(window.layers)
    labels.data[3:6, 10:15, 38:43] = 70_000
    result = press(qtbot, panel, panel.view.check_button)
    assert list(window.layers) == first
    assert len(result.found.data) == 0
    assert len(result.found.features) == 0
    labels.data[3:6, 10:15, 20:24] = 0
    result = press(qtbot, panel, panel.view.check_button)
    assert list(window.layers) == first
    assert np.allclose(result.found.data, [(4, 12, 21.5)], atol=1)
    assert list(result.found.features["kind"]) == ["break"]
    labels.scale = (4, 1, 1)
    result = press(qtbot, panel, panel.view.check_button)
    assert np.array_equal(result.found.scale, (4, 1, 1))
    labels.data[3:6, 10:15, 20:24] = 70_000
    result = press(qtbot, panel, panel.view.check_button)
    assert len(result.found.data) == 0
    assert result.rows == ()
    assert panel.view.table.findings.rowCount() == 0
    panel.view.skeleton.click()
    assert not result.lines.visible
    window.layers.remove(result.found)
    assert not panel.view.save_button.isEnabled()
    assert "Not checked yet" in panel.view.figures.text()


def test_options_are_used_and_remembered(window, qtbot, open_panel):
    add(window, broken_tube())
    dock, panel = open_panel(window)
    panel.view.form.controls["reach"].move(2.0)
    panel.view.form.controls["values"].inner.setText("5, 70000")
    result = press(qtbot, panel, panel.view.check_button)
    assert result.report.options.values == (5, 70_000)
    assert result.report.options.reach == 2
    assert load_settings().vessels["values"] == [5, 70_000]
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)
    _, again = open_panel(window)
    assert again.view.form.values()["reach"] == 2
    assert again.view.form.values()["values"] == (5, 70_000)


def test_cancel_keeps_the_time_points_that_are_done(window, qtbot, open_panel):
    add(window, np.stack([broken_tube()] * 40))
    _, panel = open_panel(window)
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.check()
        qtbot.waitUntil(lambda: panel.view.progress.bar.value() >= 3, timeout=WAIT)
        panel.view.progress.cancel_button.click()
    (result,) = caught.args
    assert 1 <= len(result.report.frames) < 40
    assert "Cancelled" in panel.view.notes.text()
    assert panel.view.table.findings.titles == ("kind", "score", "T", "what")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)


def test_labels_that_do_not_say_their_axes_are_asked_for(window, qtbot, open_panel, monkeypatch):
    from napari_bioseg.widgets import vessels_panel

    asked = []

    def answer(error, *_):
        asked.append(error)
        return "ZYX", False

    # A modal dialog: its own tests click on it.
    monkeypatch.setattr(vessels_panel, "ask_axes", answer)
    window.add_labels(broken_tube(), name="bare")
    _, panel = open_panel(window)
    result = press(qtbot, panel, panel.view.check_button)
    assert len(asked) == 1
    assert asked[0].choices == ("ZYX", "TYX", "CYX")
    assert result.report.unit == "px"
    assert "pixel size is not known" in panel.view.notes.text()
    press(qtbot, panel, panel.view.check_button)
    assert len(asked) == 1


def test_every_control_says_what_it_is_for_in_both_themes_and_a_small_window(window, qtbot, open_panel):
    from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QTableView

    dock, panel = open_panel(window)
    assert not panel.view.check_button.isEnabled()
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QTableView)
    for control in [w for kind in kinds for w in panel.view.findChildren(kind) if w.isVisible()]:
        above = control
        while not above.toolTip() and above is not panel.view:
            above = above.parentWidget()
        assert above is not panel.view, control
    for theme in ("light", "dark"):
        window.theme = theme
        body = panel.view.scroll.widget()
        assert body.minimumSizeHint().width() <= panel.view.scroll.viewport().width()
        qtbot.waitUntil(lambda: dock.width() < 440, timeout=WAIT)
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)
    window.add_labels(np.zeros((8, 9), np.uint32))
