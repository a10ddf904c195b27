"""The panel "Correct" in a real window, with mouse and keys: start, paint, erase, fill, tools, undo, verify, go on."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_bioseg.corrections.project import open_project, project_beside
from napari_bioseg.plugin.correction import correction_of

pytestmark = pytest.mark.gui

WAIT = 60_000
SHAPE = (5, 64, 64)


@pytest.fixture(autouse=True)
def projects(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSEG_PROJECTS", str(tmp_path / "projects"))


@pytest.fixture
def path(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    size = {"PhysicalSizeZ": 0.5, "PhysicalSizeY": 0.1, "PhysicalSizeX": 0.1}
    tifffile.imwrite(tmp_path / "stack.ome.tif", values, metadata={"axes": "ZYX", **size})
    return tmp_path / "stack.ome.tif"


def truth():
    """Two squares, one with a hole, and a bar in two pieces."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[:, 4:24, 4:24] = 1
    labels[:, 12:16, 12:16] = 0
    labels[:, 4:24, 34:54] = 70_000
    labels[:, 40:46, 4:24] = 3
    labels[:, 40:46, 30:54] = 3
    return labels


@pytest.fixture
def opened(window, qtbot, path):
    """The panel, and the layer of a correction that has been started with its button."""
    window.window.resize(1280, 800)
    (image,) = window.open(path, plugin="napari-bioseg")
    window.add_labels(truth(), name="found", scale=image.scale, units=image.units, translate=image.translate)
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Correct")
    click(qtbot, panel, panel.view.start_button, panel.opened)
    yield panel, panel.correction.layer
    if dock.parent() is not None:
        with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
            window.window.remove_dock_widget(dock)


def click(qtbot, panel, button, signal):
    from qtpy.QtCore import Qt

    qtbot.waitUntil(button.isEnabled, timeout=WAIT)
    panel.view.scroll.ensureWidgetVisible(button)
    with qtbot.waitSignal(signal, timeout=WAIT) as caught:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    return caught.args[0] if caught.args else None


def press(qtbot, mouse, key, *modifiers):
    from qtpy.QtCore import Qt

    held = Qt.KeyboardModifier.NoModifier
    for name in modifiers:
        held |= getattr(Qt.KeyboardModifier, f"{name}Modifier")
    qtbot.keyClick(mouse.canvas, getattr(Qt.Key, f"Key_{key}"), held)


def steps(panel):
    return len(panel.correction.history.done)


def test_strokes_undo_and_going_on(window, qtbot, path, opened, make_mouse):
    panel, layer = opened
    mouse = make_mouse(window)
    window.dims.set_current_step(0, 2)
    before = layer.data.copy()
    press(qtbot, mouse, "2")  # paint
    layer.selected_label, layer.brush_size = 90_000, 3
    mouse.drag(layer, (55, 10), (55, 20), (55, 40))
    assert (layer.data[2] == 90_000).sum() > 60
    assert (layer.data[[0, 1, 3, 4]] == before[[0, 1, 3, 4]]).all()
    press(qtbot, mouse, "1")  # erase
    mouse.drag(layer, (8, 8), (8, 10))
    assert layer.data[2, 8, 8] == 0
    press(qtbot, mouse, "4")  # fill
    mouse.drag(layer, (20, 50))
    assert layer.data[2, 20, 50] == 90_000
    outlined(qtbot, mouse, layer)
    assert steps(panel) == 4
    painted = layer.data.copy()

    press(qtbot, mouse, "Z", "Control")
    assert layer.data[2, 30, 14] == 0
    press(qtbot, mouse, "Z", "Control", "Shift")
    assert np.array_equal(layer.data, painted)
    for _ in range(4):
        panel.view.undo_button.click()
    assert np.array_equal(layer.data, before)
    for _ in range(4):
        panel.view.redo_button.click()
    assert np.array_equal(layer.data, painted)

    window.layers.remove(layer)
    assert panel.correction is None
    window.layers.selection.active = window.layers["stack"]
    click(qtbot, panel, panel.view.continue_button, panel.opened)
    assert np.array_equal(panel.correction.layer.data, painted)
    assert panel.correction.layer.extent.world == pytest.approx(window.layers["found"].extent.world)
    qtbot.waitUntil(lambda: panel.view.state.text().startswith("4 steps, all saved"), timeout=WAIT)


def outlined(qtbot, mouse, layer):
    press(qtbot, mouse, "3")  # polygon
    for place in ((28, 10), (28, 20), (36, 10)):
        mouse.drag(layer, place)
    press(qtbot, mouse, "Return")
    assert layer.data[2, 30, 14] == 90_000
    assert layer.data[2, 35, 19] == 0


# Each tool by its key, where to click, and what must come of the slice.
TOOLS = {
    "merge": ("M", [(8, 8), (8, 40)], lambda new: (new == 70_000).sum() == 0 and new[8, 40] == 1),
    "split": ("S", [(14, 37), (14, 51)], lambda new: new[14, 36] == 70_000 and new[14, 52] == 70_001),
    "delete": ("D", [(8, 40)], lambda new: (new == 70_000).sum() == 0),
    "fill_holes": ("F", [(8, 8)], lambda new: (new[12:16, 12:16] == 1).all()),
    "smooth": ("O", [(8, 40)], lambda new: 0 < (new == 70_000).sum() < 400),
    "grow": ("G", [(8, 40)], lambda new: (new == 70_000).sum() > 400),
    "shrink": ("E", [(8, 40)], lambda new: (new == 70_000).sum() == 16 * 16),
    "relabel": ("R", [(8, 40)], lambda new: (new == 44).sum() == 400),
    "keep_largest": ("K", [(42, 8)], lambda new: new[42, 8] == 0 and new[42, 40] == 3),
    "remove_small": ("X", [], lambda new: new[42, 8] == 0 and new[42, 40] == 3),
    "connect": ("C", [(42, 20), (42, 34)], lambda new: (new[42, 24:30] == 3).all()),
    "interpolate": ("I", [], lambda new: (new[27:37, 10:20] == 44).all()),
    "copy_previous": ("B", [], lambda new: (new[58:62, 10:20] == 44).all()),
}


def ready(panel, layer, name):
    """What a tool needs to have something to do in slice 2."""
    layer.selected_label = 44
    panel.view.form.set_values({"radius": 2, "min_size": 130})
    if name == "smooth":
        layer.data_setitem((np.array([2]), np.array([3]), np.array([44])), 70_000)  # a speck at the rim
    if name == "interpolate":
        layer.data[1, 27:37, 10:20] = layer.data[3, 27:37, 10:20] = 44
    if name == "copy_previous":
        layer.data[1, 58:62, 10:20] = 44


def test_each_tool_with_key_and_mouse(window, qtbot, opened, make_mouse):
    panel, layer = opened
    mouse, start = make_mouse(window), layer.data.copy()
    window.dims.set_current_step(0, 2)
    for name, (key, places, holds) in TOOLS.items():
        layer.data[:] = start
        ready(panel, layer, name)
        others = layer.data[[0, 1, 3, 4]].copy()

        def alone(new, holds=holds, others=others):
            return holds(new[2]) and (new[[0, 1, 3, 4]] == others).all()

        used(window, qtbot, panel, mouse, name, (key, [(2, *place) for place in places], alone))
        assert [la.name for la in window.layers].count("clicks") == 0


def used(window, qtbot, panel, mouse, name, tool):
    """Use a tool in the slices that its places begin with, and undo and redo it; leave the labels as they were."""
    layer = panel.correction.layer
    before, done = layer.data.copy(), steps(panel)
    key, places, holds = tool
    with qtbot.waitSignal(panel.tools.ended, timeout=WAIT):
        press(qtbot, mouse, key, "Shift")
        for z, *place in places:
            window.dims.set_current_step(0, z)
            mouse.drag(layer, place)
        if name == "split":
            press(qtbot, mouse, "Return")
    assert holds(layer.data), name
    assert steps(panel) == done + 1, name
    assert layer.editable
    after = layer.data.copy()
    press(qtbot, mouse, "Z", "Control")
    assert np.array_equal(layer.data, before), name
    press(qtbot, mouse, "Z", "Control", "Shift")
    assert np.array_equal(layer.data, after), name
    press(qtbot, mouse, "Z", "Control")
    press(qtbot, mouse, "Escape")
    assert not panel.view.tools.buttons[name].isChecked()


def test_every_tool_is_driven_here():
    from napari_bioseg.editing.tools import TOOLS as ALL

    assert set(TOOLS) == set(TOOLS_3D) == set(ALL)


# The same in the volume, with clicks in slices of their own: (z, y, x).
TOOLS_3D = {
    "merge": ("M", [(1, 8, 8), (3, 8, 40)], lambda new: (new == 70_000).sum() == 0 and (new[:, 8, 40] == 1).all()),
    "split": ("S", [(0, 14, 44), (4, 14, 44)], lambda new: (new[[0, 4], 14, 44] == (70_000, 70_001)).all()),
    "delete": ("D", [(2, 8, 40)], lambda new: (new == 70_000).sum() == 0),
    "fill_holes": ("F", [(1, 8, 8)], lambda new: (new[:, 12:16, 12:16] == 1).all()),
    "smooth": ("O", [(2, 8, 40)], lambda new: (new[:, 3, 44] == 0).all() and (new == 70_000).sum() > 1000),
    "grow": ("G", [(1, 8, 40)], lambda new: (new[4, 4:24, 34:54] == 70_000).all()),
    "shrink": ("E", [(1, 8, 40)], lambda new: (new == 70_000).sum(axis=(1, 2)).tolist() == [256] * 5),
    "relabel": ("R", [(2, 8, 40)], lambda new: (new[:, 4:24, 34:54] == 44).all()),
    "keep_largest": ("K", [(1, 42, 8)], lambda new: (new[:, 42, 8] == 0).all() and (new[:, 42, 40] == 3).all()),
    "remove_small": ("X", [], lambda new: (new[:, 42, 8] == 0).all() and (new[:, 42, 40] == 3).all()),
    "connect": ("C", [(1, 42, 20), (3, 42, 34)], lambda new: in_one_piece(new == 3, (1, 42, 20), (3, 42, 34))),
    "interpolate": ("I", [], lambda new: (new[2, 27:37, 10:20] == 44).all()),
    "copy_previous": ("B", [], lambda new: (new[2, 58:62, 10:20] == 44).all()),
}


def ready_in_3d(panel, layer, name):
    """What a tool needs to have something to do in the volume, beyond what it needs in slice 2."""
    ready(panel, layer, name)
    panel.view.form.set_values({"radius": 5, "min_size": 650})
    if name == "fill_holes":
        layer.data[[0, 4], 12:16, 12:16] = 1  # else it is open above and below
    elif name == "smooth":
        layer.data[2:, 3, 44] = 70_000
    elif name == "grow":
        layer.data[4, 4:24, 34:54] = 0  # the radius reaches the next slice
    elif name == "shrink":
        panel.view.form.set_values({"radius": 2})


def in_one_piece(mask, one, other):
    from scipy import ndimage

    pieces, _ = ndimage.label(mask)
    return pieces[one] == pieces[other] > 0


def test_each_tool_in_3d_with_key_and_mouse(window, qtbot, opened, make_mouse):
    panel, layer = opened
    panel.view.volume.setChecked(True)
    assert layer.n_edit_dimensions == 3
    mouse, start = make_mouse(window), layer.data.copy()
    for name, tool in TOOLS_3D.items():
        layer.data[:] = start
        ready_in_3d(panel, layer, name)
        window.dims.set_current_step(0, 2)
        assert not tool[2](layer.data), name
        used(window, qtbot, panel, mouse, name, tool)


def test_a_click_where_there_is_nothing_says_so(window, qtbot, opened, make_mouse):
    from napari.utils.notifications import notification_manager

    panel, layer = opened
    mouse = make_mouse(window)
    with qtbot.waitSignal(panel.tools.ended, timeout=WAIT):
        press(qtbot, mouse, "D", "Shift")
        mouse.drag(layer, (60, 60))
    assert "Delete" in notification_manager.records[-1].message
    assert steps(panel) == 0
    assert layer.editable


def test_dragging_moves_the_view_and_is_no_click(window, qtbot, opened, make_mouse):
    from qtpy.QtCore import QPoint, Qt

    panel, layer = opened
    mouse = make_mouse(window)
    press(qtbot, mouse, "M", "Shift")

    start = mouse.at(layer, 8, 8)
    qtbot.mousePress(mouse.canvas, Qt.MouseButton.LeftButton, pos=start)
    centre = window.camera.center
    far = start + QPoint(60, 60)

    def moved():
        mouse.push(far)
        return window.camera.center != centre

    qtbot.waitUntil(moved, timeout=WAIT)
    qtbot.mouseRelease(mouse.canvas, Qt.MouseButton.LeftButton, pos=far)
    assert panel.tools._clicks.places == []


def test_verifying_slices_and_a_region(window, qtbot, path, opened, make_mouse):
    from qtpy.QtCore import QPoint, Qt

    panel, layer = opened
    mouse = make_mouse(window)
    window.dims.set_current_step(0, 1)
    press(qtbot, mouse, "V")
    assert layer.visible  # napari's own V would have hidden it
    assert panel.view.strip.states == ("draft", "verified", "draft", "draft", "draft")
    assert "Unverify" in panel.view.verify_button.text()
    window.dims.set_current_step(0, 3)
    assert panel.view.verify_button.text().startswith("Verify")
    corners = [[3, 10, 10], [3, 10, 20], [3, 20, 20], [3, 20, 10]]
    shapes = window.add_shapes([corners], scale=layer.scale, units=layer.units)
    panel.view.region_button.click()
    assert panel.view.strip.states == ("draft", "verified", "draft", "part", "draft")
    mask = panel.correction.verified.mask((slice(3, 4), slice(0, 64), slice(0, 64)))
    assert mask.sum() == 11 * 11
    panel.view.region_button.click()
    assert panel.view.strip.states[3] == "draft"
    assert not panel.view.frame_button.isVisible()  # a volume is no movie
    window.layers.remove(shapes)
    window.layers.selection.active = layer
    strip = panel.view.strip
    panel.view.scroll.ensureWidgetVisible(strip)
    place = next(x for x in range(strip.width()) if strip.index_at(x) == 1)
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(place, 8))
    assert window.dims.current_step[0] == 1
    press(qtbot, mouse, "V")
    assert panel.view.strip.states[1] == "draft"


def test_a_frame_of_a_movie_is_verified_at_once(window, qtbot):
    labels = window.add_labels(np.zeros((2, 3, 20, 30), np.uint32), name="found", axis_labels=("t", "z", "y", "x"))
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Correct")
    click(qtbot, panel, panel.view.start_button, panel.opened)
    assert panel.correction.base.shape == labels.data.shape
    window.dims.set_current_step(0, 1)
    for states in (("verified",) * 3, ("draft",) * 3):
        click(qtbot, panel, panel.view.frame_button, panel.correction.marked)
        assert panel.view.strip.states == ("draft",) * 3 + states
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)


def test_another_window_holds_the_project(window, qtbot, path, opened):
    panel, layer = opened
    layer.fill((2, 20, 50), 9)
    wanted = layer.data.copy()
    window.layers.remove(layer)
    window.layers.selection.active = window.layers["stack"]
    with open_project(project_beside(path)):  # as another window would
        click(qtbot, panel, panel.view.continue_button, panel.opened)
        assert "read only: is open in another window (process " in panel.view.state.text()
        assert "close it there to correct here" in panel.view.notes.text()
        assert np.array_equal(panel.correction.layer.data, wanted)
        for control in (panel.view.tools, panel.view.verify_button, panel.view.undo_button):
            assert not control.isEnabled()


def test_changes_are_overlaid_and_followed(window, qtbot, opened):
    panel, layer = opened
    layer.fill((2, 20, 50), 0)
    panel.view.changes.setChecked(True)
    qtbot.waitUntil(lambda: panel.changes.changes is not None, timeout=WAIT)
    overlay = window.layers[f"{layer.name} · changes"]
    assert overlay.name not in [panel.view.labels.itemText(i) for i in range(panel.view.labels.count())]
    assert panel.changes.changes.counts.tolist()[1:] == [0, 400, 0]
    layer.fill((1, 20, 50), 8)
    layer.fill((1, 60, 60), 9)
    added = (truth()[1] == 0).sum() - 16  # the hole is not connected to the rest of the background
    assert panel.changes.changes.counts.tolist()[1:] == [added, 400, 400]
    assert "400\u00a0removed" in panel.view.counts.text()
    assert (np.asarray(overlay.data[1]) == 3).sum() == 400
    layer.undo()
    assert panel.changes.changes.counts.tolist()[1:] == [0, 400, 400]
    window.layers.remove(overlay)
    assert not panel.view.changes.isChecked()


def test_next_goes_where_the_model_is_least_sure(window, qtbot, path, tiny_zoo, make_mouse):
    dock, panel = predicted_by(window, qtbot, path, "tiny2d")
    mouse = make_mouse(window)
    visited = []
    for _ in range(SHAPE[0]):
        with qtbot.waitSignal(panel.next.went, timeout=WAIT):
            press(qtbot, mouse, "N")
        qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
        assert "unsure on" in panel.view.reason.text()
        visited.append(window.dims.current_step[0])
        press(qtbot, mouse, "V")
    assert sorted(visited) == list(range(SHAPE[0]))
    press(qtbot, mouse, "N")
    assert panel.view.reason.text() == "Everything is verified."
    panel.view.map.setChecked(True)
    assert f"{panel.correction.layer.name} · uncertainty" in window.layers
    assert panel.view.image.layer() == window.layers["stack"]  # the map is no image to work on
    panel.view.map.setChecked(False)
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)


def test_where_the_members_of_an_ensemble_disagree(window, qtbot, path, tiny_zoo):
    from napari_bioseg.inference import PredictOptions
    from napari_bioseg.io import open_image
    from napari_bioseg.models import load_model
    from napari_bioseg.models.ensemble import join, members_of
    from napari_bioseg.models.model import write_model
    from napari_bioseg.workflows.uncertainty import predict_augmented

    parts = [(m.card.architecture, m.network) for m in (load_model("tiny2d"), load_model(shaken(tiny_zoo)))]
    spec, network = join(parts, "sigmoid")
    card = load_model("tiny2d").card.model_copy(update={"name": "both", "architecture": spec})
    write_model(tiny_zoo / "both", card, network, "# both\n")
    dock, panel = predicted_by(window, qtbot, path, "both")

    maps = {}
    for measure in ("entropy", "disagreement"):
        panel.view.measure.setCurrentIndex(panel.view.measure.findData(measure))
        panel.view.measure.activated.emit(panel.view.measure.currentIndex())  # as a choice with the mouse does
        panel.view.map.setChecked(True)
        qtbot.waitUntil(lambda: panel.next._map is not None and not panel.running, timeout=WAIT)
        maps[measure] = np.asarray(window.layers[f"{panel.correction.layer.name} · uncertainty"].data)
        panel.view.map.setChecked(False)
    assert not np.array_equal(maps["entropy"], maps["disagreement"])
    _, wanted = predict_augmented(open_image(path), members_of(load_model("both")), PredictOptions(), passes=4)
    assert np.array_equal(maps["disagreement"], wanted.values)
    assert maps["disagreement"].max() > 0
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)


def shaken(zoo):
    """Add a model like tiny2d with other weights, and return its folder."""
    import torch

    from napari_bioseg.models import load_model
    from napari_bioseg.models.model import write_model

    model = load_model("tiny2d")
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.3 * float(weight.std(correction=0)))
    card = model.card.model_copy(update={"name": "other2d"})
    write_model(zoo / "other2d", card, model.network, "# other\n")
    return zoo / "other2d"


def predicted_by(window, qtbot, path, model):
    """Segment the image and start correcting; return the dock and the panel."""
    from napari_bioseg.core.job import Job
    from napari_bioseg.models import find_model, read_card
    from napari_bioseg.plugin.result import run
    from napari_bioseg.plugin.session import make_request, show
    from napari_bioseg.workflows.options import SegmentOptions

    (image,) = window.open(path, plugin="napari-bioseg")
    options = SegmentOptions(model=model)
    show(window, run(make_request(window, image, read_card(find_model(model)), options), Job()))
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Correct")
    click(qtbot, panel, panel.view.start_button, panel.opened)
    return dock, panel


def test_a_project_dropped_on_the_window(window, qtbot, path, opened):
    panel, layer = opened
    layer.fill((2, 20, 50), 9)
    wanted = layer.data.copy()
    window.layers.clear()
    window.open(project_beside(path), plugin="napari-bioseg")
    qtbot.waitUntil(lambda: "found · corrected" in [la.name for la in window.layers], timeout=WAIT)
    assert np.array_equal(window.layers["found · corrected"].data, wanted)
    assert "stack" in window.layers
    qtbot.waitUntil(lambda: panel.correction is not None, timeout=WAIT)


def test_a_folder_that_is_no_project_is_told_once(window, tmp_path):
    from napari.utils.notifications import notification_manager

    from napari_bioseg.widgets.open_project import open_project

    told = len(notification_manager.records)
    open_project(window, tmp_path)
    (message,) = [record.message for record in notification_manager.records[told:]]
    assert "is no project" in message


def test_what_is_damaged_is_told_and_the_rest_is_opened(window, qtbot, path, opened):
    from napari.utils.notifications import notification_manager

    _, layer = opened
    layer.fill((2, 20, 50), 9)
    wanted = layer.data.copy()
    layer.fill((1, 20, 50), 8)
    journal = correction_of(layer).saved.journal
    window.layers.clear()
    journal.write_bytes(journal.read_bytes()[:-9])
    path.unlink()
    told = len(notification_manager.records)
    window.open(project_beside(path), plugin="napari-bioseg")
    qtbot.waitUntil(lambda: len(window.layers) == 1, timeout=WAIT)
    assert np.array_equal(window.layers[0].data, wanted)
    gone, cut = (record.message for record in notification_manager.records[told:])
    assert "stack.ome.tif: the image of this project is gone" in gone
    assert "journal.jsonl: its last line was cut off" in cut


def test_saving_says_that_a_person_corrected_it(window, qtbot, tmp_path, opened):
    panel, layer = opened
    layer.fill((2, 20, 50), 90_000)
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(tmp_path / "out.ome.tif")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert np.array_equal(tifffile.imread(tmp_path / "out.ome.tif"), layer.data)
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        assert "edited" in file.ome_metadata


def test_both_themes_and_a_small_window(window, qtbot, opened):
    panel, _ = opened
    panel.view.changes.setChecked(True)
    qtbot.waitUntil(lambda: panel.changes.changes is not None, timeout=WAIT)
    for theme in ("light", "dark"):
        window.theme = theme
        body = panel.view.scroll.widget()
        assert body.minimumSizeHint().width() <= panel.view.scroll.viewport().width()
        assert panel.width() < 440
