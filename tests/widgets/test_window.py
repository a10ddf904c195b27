"""In a real napari window: menus, opening, asking, themes, closing. A widget that stays behind fails the test."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import tifffile

pytestmark = pytest.mark.gui

WAIT = 60_000


@pytest.fixture
def bare(tmp_path):
    path = tmp_path / "bare.tif"
    tifffile.imwrite(path, np.zeros((5, 40, 50), np.uint8), photometric="minisblack", metadata=None)
    return path


@contextmanager
def answering(qtbot, axes):
    """Answer the question for axes with a click, once it is asked; tells how often it was."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    from napari_bioseg.widgets.axes_dialog import AxesDialog

    timer, asked = QTimer(), []

    def look():
        for dialog in QApplication.topLevelWidgets():
            if isinstance(dialog, AxesDialog) and dialog.isVisible():
                asked.append(dialog)
                if axes is None:
                    dialog.reject()
                else:
                    dialog.other.setText(axes)
                    dialog.box.accepted.emit()

    timer.timeout.connect(look)
    timer.start(20)
    yield asked
    timer.stop()
    # Deleted only in a turn of the event loop, which a test outside of it must take itself.
    qtbot.waitUntil(lambda: not any(isinstance(w, AxesDialog) for w in QApplication.topLevelWidgets()), timeout=WAIT)


def test_a_bare_stack_is_asked_for_once_in_its_folder(window, qtbot, bare):
    with answering(qtbot, "TYX") as asked:
        window.open(bare, plugin="napari-bioseg")
        window.open(bare, plugin="napari-bioseg")
    assert len(asked) == 1
    assert [layer.axis_labels for layer in window.layers] == [("t", "y", "x")] * 2


def test_closing_the_question_opens_nothing(window, qtbot, bare):
    with answering(qtbot, None) as asked:
        window.open(bare, plugin="napari-bioseg")
    assert len(asked) == 1
    assert len(window.layers) == 0


def test_open_from_the_menu_reads_in_the_background(window, qtbot, bare, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    from napari_bioseg.widgets.open_command import open_file, open_folder

    monkeypatch.setattr(QFileDialog, "getOpenFileNames", staticmethod(lambda *_a, **_k: ([str(bare)], "")))
    with answering(qtbot, "ZYX") as asked:
        open_file(window)
        qtbot.waitUntil(lambda: len(window.layers) == 1, timeout=WAIT)
    assert len(asked) == 1
    assert window.layers[0].axis_labels == ("z", "y", "x")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", staticmethod(lambda *_a, **_k: str(bare.parent)))
    open_folder(window)
    qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=WAIT)


def test_several_bare_stacks_are_asked_for_one_after_the_other(window, qtbot, bare, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    from napari_bioseg.widgets.open_command import open_file

    paths = [bare, *(bare.with_name(f"bare{i}.tif") for i in range(2))]
    for path in paths[1:]:
        path.write_bytes(bare.read_bytes())
    names = [str(path) for path in paths]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", staticmethod(lambda *_a, **_k: (names, "")))
    with answering(qtbot, "TYX") as asked:
        open_file(window)
        qtbot.waitUntil(lambda: len(window.layers) == 3, timeout=WAIT)
    assert len(asked) == 1  # the answer is remembered for the folder before the next is opened
    assert [layer.name for layer in window.layers] == ["bare", "bare0", "bare1"]


def test_a_wrong_answer_is_changed_and_remembered(window, qtbot, bare):
    from napari_bioseg.plugin.settings import remember_axes, remembered_axes
    from napari_bioseg.widgets.image_box import ImageBox

    remember_axes(bare, "TYX")
    window.open(bare, plugin="napari-bioseg")
    box = ImageBox(window)
    assert box.axes_button.text() == "Change dimensions…"
    assert not box.axes_button.isHidden()
    with answering(qtbot, "ZYX") as asked:
        box.axes_button.click()
        qtbot.waitUntil(lambda: [layer.axis_labels for layer in window.layers] == [("z", "y", "x")], timeout=WAIT)
    assert len(asked) == 1
    assert remembered_axes(bare, 3) == "ZYX"
    with qtbot.waitSignal(box.destroyed, timeout=WAIT):
        box.deleteLater()


def test_a_wrong_file_is_a_notification(window, qtbot, tmp_path):
    from napari.utils.notifications import notification_manager

    from napari_bioseg.widgets.open_command import open_path

    (tmp_path / "bad.tif").write_bytes(b"no image")
    before = len(notification_manager.records)
    with qtbot.waitSignal(open_path(window, tmp_path / "bad.tif").finished, timeout=WAIT):
        pass
    assert "bad.tif" in notification_manager.records[before].message
    assert "\n" not in notification_manager.records[before].message
    assert len(window.layers) == 0


def test_the_panel_from_the_menu_in_a_small_window_and_both_themes(window, qtbot, tiny_zoo):
    window.window.resize(1280, 800)
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Segment")
    qtbot.waitUntil(lambda: panel.view.model.combo.count() >= 2, timeout=WAIT)
    for theme in ("dark", "light"):
        window.theme = theme
        body = panel.view.scroll.widget()
        assert body.minimumSizeHint().width() <= panel.view.scroll.viewport().width()
        assert dock.width() < 420
    qtbot.waitUntil(lambda: panel.warm, timeout=WAIT)
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)
    window.add_image(np.zeros((8, 9)))


def test_closing_the_window_stops_the_job(window, qtbot, tiny_zoo):
    _, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Segment")
    window.add_image(np.zeros((2000, 64, 64), np.uint8), axis_labels=("z", "y", "x"), name="long")
    qtbot.waitUntil(panel.view.segment_button.isEnabled, timeout=WAIT)
    panel.view.model.prefer("tiny2d")
    panel.segment()
    qtbot.waitUntil(lambda: panel.view.progress.bar.value() > 1, timeout=WAIT)
    job = panel._task.job
    window.close()
    qtbot.waitUntil(lambda: job.cancelled, timeout=WAIT)


def test_keys_reach_the_panel(window, qtbot, tiny_zoo):
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    _, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Segment")
    window.add_image(np.zeros((64, 64), np.uint8), name="plane")
    qtbot.waitUntil(panel.view.segment_button.isEnabled, timeout=WAIT)
    panel.view.model.prefer("tiny2d")
    main = panel.window()
    main.activateWindow()
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        qtbot.keyClick(main, Qt.Key.Key_F8)
    assert QApplication.activeModalWidget() is None
