"""The panel "Detect" in a real window, with the mouse: find, slide, delete, draw, move, slide, table, CSV, reopen."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bioseg.corrections.project import open_project, project_beside
from napari_bioseg.io.boxes import read_boxes_csv
from napari_bioseg.plugin.box_state import boxes_of, kept_rows, state_of
from napari_bioseg.simulate import emccd_frames
from napari_bioseg.simulate.emccd import Vesicles

pytestmark = pytest.mark.gui

WAIT = 60_000


@pytest.fixture
def path(tmp_path):
    frames = emccd_frames((3, 64, 64), 0.1, 5, vesicles=Vesicles(density=2, photons=(400, 0.4)))[0]
    size = {"PhysicalSizeY": 0.1, "PhysicalSizeX": 0.1}
    tifffile.imwrite(tmp_path / "frames.ome.tif", frames, metadata={"axes": "TYX", **size})
    return tmp_path / "frames.ome.tif"


def slide(panel, name, value):
    panel.view.boxes.form.controls[name].move(value)


def test_the_whole_way(window, qtbot, path, make_mouse):
    window.window.resize(1280, 800)
    window.open(path, plugin="napari-bioseg")
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Detect")
    layer = detected(qtbot, panel)
    assert dock.width() < 440
    window.dims.set_current_step(0, 0)
    slides(window, panel, layer)
    gone, moved = edited_by_hand(window, qtbot, make_mouse(window), layer)

    slide(panel, "confidence", 0.9)
    slide(panel, "confidence", 0.2)
    now = boxes_of(layer)
    assert now.hand.sum() == 2
    for box in (gone, moved):
        assert not (np.abs(now.centre - box.centre).max(axis=1) < 1e-9).any()
    assert (np.abs(now.centre - moved.centre - 4).max(axis=1) < 1).any()

    goes_to_a_box_by_the_table(window, qtbot, panel, layer)
    saved_and_opened_again(window, qtbot, panel, path.with_name("boxes.csv"), now)
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)


def test_edits_outlive_the_window(window, qtbot, path, make_mouse):
    from qtpy.QtCore import Qt

    window.window.resize(1280, 800)
    window.open(path, plugin="napari-bioseg")
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Detect")
    layer = detected(qtbot, panel)
    assert not panel.view.continue_button.isVisible()
    click(qtbot, panel, panel.view.start_button)
    assert not panel.view.start_button.isEnabled()
    window.dims.set_current_step(0, 0)
    edited_by_hand(window, qtbot, make_mouse(window), layer)
    says(qtbot, panel, "3 edits, all saved\nframes.ome.tif.bioseg")
    window.dims.set_current_step(0, 1)
    qtbot.keyClick(panel.window(), Qt.Key.Key_F7)
    with qtbot.waitSignal(panel.boxes.tuned, timeout=WAIT):
        slide(panel, "confidence", 0.9)
    wanted = told(layer)

    with open_project(left_behind(window, path, "a")):  # as another window would
        seen = click(qtbot, panel, panel.view.continue_button)
        says(qtbot, panel, "3 edits, read only: is open in another window")
        qtbot.keyClick(panel.window(), Qt.Key.Key_F7)
        assert told(seen) == wanted
    left_behind(window, path, "b")
    back = click(qtbot, panel, panel.view.continue_button)
    assert told(back) == wanted
    assert back.extent.world == pytest.approx(layer.extent.world)
    assert panel.view.boxes.form.values()["confidence"] == 0.9
    says(qtbot, panel, "3 edits, all saved")
    assert panel.view.scroll.widget().minimumSizeHint().width() <= panel.view.scroll.viewport().width()
    count = len(window.layers)
    panel.view.continue_button.click()  # it is open: two must not write to one journal
    assert not panel.running
    window.open(project_beside(Path(copied(path, "c"))), plugin="napari-bioseg")
    qtbot.waitUntil(lambda: len(window.layers) == count + 2, timeout=WAIT)
    assert told(window.layers[-1]) == wanted
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)


def test_edits_are_undone_with_keys_and_buttons(window, qtbot, path, make_mouse):
    window.window.resize(1280, 800)
    window.open(path, plugin="napari-bioseg")
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Detect")
    layer = detected(qtbot, panel)
    assert not panel.view.undo_button.isVisible()
    click(qtbot, panel, panel.view.start_button)
    assert not panel.view.undo_button.isEnabled()
    window.dims.set_current_step(0, 0)
    mouse, states = make_mouse(window), [told(layer)[0]]
    for act in (drawn, moved, resized, deleted):
        act(qtbot, mouse, layer)
        states.append(told(layer)[0])
    assert len({str(state) for state in states}) == 5
    says(qtbot, panel, "4 edits, all saved")

    keys(qtbot, mouse, "Z", "Control")
    assert told(layer)[0] == states[3]
    keys(qtbot, mouse, "Z", "Control")
    keys(qtbot, mouse, "Z", "Control", "Shift")
    assert told(layer)[0] == states[3]
    for wanted in (states[2], states[1]):
        press(qtbot, panel.view.undo_button)
        assert told(layer)[0] == wanted
    says(qtbot, panel, "1 edit, all saved")

    left_behind(window, path, "b")  # as after a restart
    back = click(qtbot, panel, panel.view.continue_button)
    says(qtbot, panel, "1 edit, all saved")
    keys(qtbot, mouse, "Z", "Control")
    assert told(back)[0] == states[0]
    for wanted in states[1:]:
        press(qtbot, panel.view.redo_button)
        assert told(back)[0] == wanted
    assert told(layer)[0] == states[1]  # the keys are those of the active layer
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)


def drawn(_qtbot, mouse, layer):
    layer.mode = "add_rectangle"
    mouse.drag(layer, (5, 5), (8, 9), (11, 13))
    layer.mode = "select"


def moved(_qtbot, mouse, layer):
    mouse.drag(layer, (8, 9), (18, 19), (28, 29))
    assert boxes_of(layer).hand.sum() == 1


def resized(_qtbot, mouse, layer):
    (box,) = boxes_of(layer)[boxes_of(layer).hand].corners
    corner = tuple(box[2:])
    mouse.drag(layer, corner, (corner[0] + 3, corner[1] + 3), (corner[0] + 6, corner[1] + 6))
    (now,) = boxes_of(layer)[boxes_of(layer).hand].corners
    assert (now[2:] > box[2:] + 2).all()


def deleted(qtbot, mouse, layer):
    from qtpy.QtCore import Qt

    boxes = boxes_of(layer)
    mouse.drag(layer, tuple(boxes.centre[(boxes.frame == 0) & ~boxes.hand][0]))
    qtbot.keyClick(mouse.canvas, Qt.Key.Key_Delete)


def keys(qtbot, mouse, key, *modifiers):
    from qtpy.QtCore import Qt

    held = Qt.KeyboardModifier.NoModifier
    for name in modifiers:
        held |= getattr(Qt.KeyboardModifier, f"{name}Modifier")
    qtbot.keyClick(mouse.canvas, getattr(Qt.Key, f"Key_{key}"), held)


def press(qtbot, button):
    from qtpy.QtCore import Qt

    qtbot.waitUntil(button.isEnabled, timeout=WAIT)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def left_behind(window, path, name):
    """Open a copy of the image, whose project is as a killed window leaves it."""
    (image,) = window.open(copied(path, name), plugin="napari-bioseg")
    window.layers.selection.active = image
    return project_beside(path.parent / name / path.name)


def copied(path, name):
    folder = path.parent / name
    folder.mkdir()
    shutil.copytree(project_beside(path), project_beside(folder / path.name))
    return shutil.copy(path, folder)


def click(qtbot, panel, button):
    from qtpy.QtCore import Qt

    qtbot.waitUntil(button.isVisible, timeout=WAIT)
    panel.view.scroll.ensureWidgetVisible(button)
    with qtbot.waitSignal(panel.correct.opened, timeout=WAIT) as caught:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    return caught.args[0]


def says(qtbot, panel, words):
    qtbot.waitUntil(lambda: panel.view.state.text().startswith(words), timeout=WAIT)


def told(layer):
    """Boxes to the last digit, and what thresholds and checked frames do to them."""
    boxes, state = boxes_of(layer), state_of(layer)
    rows = np.column_stack((boxes.frame, boxes.centre, boxes.size, boxes.confidence, boxes.hand))
    return sorted(rows.tolist()), state.options, state.checked


def detected(qtbot, panel):
    from qtpy.QtCore import Qt

    qtbot.waitUntil(panel.view.detect_button.isEnabled, timeout=WAIT)
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        qtbot.keyClick(panel.window(), Qt.Key.Key_F6)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    return caught.args[0]


def slides(window, panel, layer):
    found, before = boxes_of(layer), yellow(window)
    slide(panel, "confidence", 0.8)
    assert 0 < len(boxes_of(layer)) < len(found)
    assert 0 < yellow(window) < before
    slide(panel, "iou", 0.3)
    slide(panel, "confidence", 0.5)


def edited_by_hand(window, qtbot, mouse, layer):
    """Draw one, move one, delete one; return the deleted one, and the moved one as it was."""
    from qtpy.QtCore import Qt

    layer.mode = "add_rectangle"
    mouse.drag(layer, (5, 5), (8, 9), (11, 13))
    mine = boxes_of(layer)[boxes_of(layer).hand]
    assert len(mine) == 1
    assert np.abs(mine.corners[0] - [5, 5, 11, 13]).max() < 1

    layer.mode = "select"
    here = [r for r in kept_rows(layer) if layer.features["frame"][r] == 0 and layer.features["source"][r] == "model"]
    gone, moved = (boxes_of(layer, np.array([r])) for r in here[:2])
    mouse.drag(layer, tuple(moved.centre[0]), tuple(moved.centre[0] + 2), tuple(moved.centre[0] + 4))
    assert boxes_of(layer).hand.sum() == 2
    mouse.drag(layer, tuple(gone.centre[0]))
    assert set(layer.selected_data) == {here[0]}
    qtbot.keyClick(mouse.canvas, Qt.Key.Key_Delete)
    return gone, moved


def goes_to_a_box_by_the_table(window, qtbot, panel, layer):
    from qtpy.QtCore import Qt

    with qtbot.waitSignal(panel.boxes.settled, timeout=WAIT):
        pass
    table = panel.view.boxes.table
    panel.view.scroll.ensureWidgetVisible(table)
    line = next(i for i in range(table.boxes.rowCount()) if table.boxes.data(table.boxes.index(i, 0)) == "2")
    table.scrollTo(table.boxes.index(line, 1))
    qtbot.mouseClick(
        table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(table.boxes.index(line, 1)).center()
    )
    assert window.dims.current_step[0] == 2
    assert set(layer.selected_data) == {table.boxes.layer_row(line)}


def saved_and_opened_again(window, qtbot, panel, out, boxes):
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(out)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    (again,) = window.open(out, plugin="napari-bioseg")
    assert len(boxes_of(again)) == len(boxes) == len(read_boxes_csv(out))
    assert boxes_of(again).hand.sum() == 2
    assert np.allclose(again.extent.world, layer_extent(boxes), atol=0.02)


def yellow(window):
    """Return how many pixels on the canvas have the colour of boxes."""
    red, green, blue, _ = np.moveaxis(window.screenshot(canvas_only=True, flash=False).astype(int), -1, 0)
    return int(((red > 120) & (red - blue > 50) & (green - blue > 20)).sum())


def layer_extent(boxes):
    corners = boxes.corners * 0.1
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    return [[boxes.frame.min(), *low], [boxes.frame.max(), *high]]


def test_both_themes_and_a_small_window(window, qtbot):
    window.window.resize(1280, 800)
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Detect")
    qtbot.waitUntil(lambda: panel.warm, timeout=WAIT)
    for theme in ("light", "dark"):
        window.theme = theme
        body = panel.view.scroll.widget()
        assert body.minimumSizeHint().width() <= panel.view.scroll.viewport().width()
        assert dock.width() < 440
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)
    window.add_image(np.zeros((8, 9)))
