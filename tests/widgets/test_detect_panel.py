"""The panel "Detect" on a viewer model: the same code as in a window, without its drawing."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_bioseg import detect
from napari_bioseg.io.boxes import read_boxes_csv
from napari_bioseg.plugin.box_state import boxes_of, kept_rows, state_of
from napari_bioseg.plugin.reader import read_layers
from napari_bioseg.plugin.settings import load_settings
from napari_bioseg.simulate import emccd_frames
from napari_bioseg.simulate.emccd import Vesicles
from napari_bioseg.workflows.options import DetectOptions

pytestmark = pytest.mark.gui

WAIT = 60_000
SIZE = {"PhysicalSizeY": 0.1, "PhysicalSizeX": 0.1}
NEW = np.array([[1, 2, 2], [1, 2, 6], [1, 8, 6], [1, 8, 2]], float)


@pytest.fixture(scope="module")
def frames():
    return emccd_frames((3, 64, 72), 0.1, 5, vesicles=Vesicles(density=3, photons=(400, 0.3)))[0]


@pytest.fixture
def path(tmp_path, frames):
    tifffile.imwrite(tmp_path / "frames.ome.tif", frames, metadata={"axes": "TYX", **SIZE})
    return tmp_path / "frames.ome.tif"


@pytest.fixture
def make_detect_panel(qtbot):
    from qtpy.QtCore import QThreadPool

    from napari_bioseg.widgets.detect_panel import DetectPanel

    def make(viewer):
        panel = DetectPanel(viewer)
        qtbot.addWidget(panel)
        panel.resize(340, 720)
        panel.show()
        qtbot.waitUntil(lambda: panel.view.model.combo.findData("cdv-yolo") >= 0, timeout=30_000)
        return panel

    yield make
    assert QThreadPool.globalInstance().waitForDone(30_000)


@pytest.fixture
def panel(viewer, path, make_detect_panel):
    for data, attributes, kind in read_layers(path):
        getattr(viewer, f"add_{kind}")(data, **attributes)
    return make_detect_panel(viewer)


def press(qtbot, panel, button, signal="shown"):
    from qtpy.QtCore import Qt

    with qtbot.waitSignal(getattr(panel, signal), timeout=WAIT) as caught:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    return caught.args[0]


def run(qtbot, panel):
    return press(qtbot, panel, panel.view.detect_button)


def slide(panel, **values):
    """Move sliders as the mouse does."""
    for name, value in values.items():
        panel.view.boxes.form.controls[name].move(value)


def settled(qtbot, panel):
    with qtbot.waitSignal(panel.boxes.settled, timeout=WAIT):
        pass


def test_boxes_are_those_of_the_command_line_and_lie_on_the_image(qtbot, viewer, panel, path):
    layer = run(qtbot, panel)
    expected = detect(path).boxes
    assert len(expected) > 10
    assert np.array_equal(boxes_of(layer).corners, expected.corners)
    assert np.array_equal(boxes_of(layer).frame, expected.frame)
    image = viewer.layers["frames"]
    for what in ("scale", "translate"):
        assert np.array_equal(getattr(layer, what), getattr(image, what))
    assert layer.units == image.units
    assert layer.name == "frames · cdv-yolo"
    assert viewer.layers.selection.active is layer
    assert layer.metadata["bioseg"]["provenance"]["model"] == "cdv-yolo"


def test_sliders_act_on_the_boxes_and_not_on_those_of_the_hand(qtbot, viewer, panel, path):
    layer = run(qtbot, panel)
    layer.add_rectangles(NEW)
    layer.selected_data = {int(kept_rows(layer)[0])}
    gone = boxes_of(layer, kept_rows(layer)[:1])
    layer.remove_selected()
    slide(panel, confidence=0.7)
    found = detect(path, confidence=0.7).boxes
    expected = found[(found.centre != gone.centre).any(axis=1)]
    mine = boxes_of(layer)
    assert np.array_equal(mine.centre[~mine.hand], expected.centre)
    assert mine.hand.sum() == 1
    slide(panel, confidence=0.1, iou=0.2)
    mine = boxes_of(layer)
    assert not (mine.centre == gone.centre).all(axis=1).any()
    assert len(mine) == len(detect(path, confidence=0.1, iou=0.2).boxes)  # one less, one more
    panel.view.boxes.form.controls["confidence"]._reset()
    assert panel.boxes.state.confidence == state_of(layer).own_confidence


def test_counts_are_of_the_frame_and_of_all(qtbot, viewer, panel):
    layer = run(qtbot, panel)
    text = panel.view.boxes.counts
    boxes = boxes_of(layer)
    for t in (0, 2):
        viewer.dims.set_current_step(0, t)
        assert f"<b>{(boxes.frame == t).sum()}</b> here, <b>{len(boxes)}</b> boxes in 3 frames" in text.text()
    slide(panel, confidence=0.75)
    assert f"<b>{len(boxes_of(layer))}</b> boxes" in text.text()
    layer.add_rectangles(NEW)
    settled(qtbot, panel)
    assert "1 by hand" in text.text()


def test_table_and_layer_are_linked_both_ways(qtbot, viewer, panel):
    layer = run(qtbot, panel)
    settled_rows = panel.view.boxes.table.boxes
    assert settled_rows.rowCount() == len(boxes_of(layer))
    table = panel.view.boxes.table
    last = settled_rows.rowCount() - 1
    from qtpy.QtCore import Qt

    table.scrollToBottom()
    place = table.visualRect(settled_rows.index(last, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    row = settled_rows.layer_row(last)
    box = boxes_of(layer, np.array([row]))
    assert set(layer.selected_data) == {row}
    assert viewer.dims.current_step[0] == box.frame[0] == 2
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    assert np.allclose(camera.center[-2:], box.centre[0] * 0.1)
    other = int(kept_rows(layer)[1])
    layer.selected_data = {other}
    assert settled_rows.layer_row(table.currentIndex().row()) == other


def test_the_table_sorts_and_keeps_the_chosen_box(qtbot, viewer, panel):
    from qtpy.QtCore import Qt

    layer = run(qtbot, panel)
    table = panel.view.boxes.table
    model = table.boxes
    row = int(kept_rows(layer)[3])
    layer.selected_data = {row}
    titles = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    assert titles == ["T", "y", "x", "h", "w", "conf."]
    table.sortByColumn(titles.index("conf."), Qt.SortOrder.DescendingOrder)
    shown = [model.data(model.index(i, titles.index("conf."))) for i in range(model.rowCount())]
    assert shown == sorted(shown, reverse=True)
    assert model.layer_row(table.currentIndex().row()) == row
    slide(panel, confidence=0.3)
    settled(qtbot, panel)
    shown = [model.data(model.index(i, titles.index("conf."))) for i in range(model.rowCount())]
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == len(boxes_of(layer))
    layer.add_rectangles(NEW)
    settled(qtbot, panel)
    assert model.data(model.index(0, titles.index("conf."))) == "✎"


def test_the_line_in_the_histogram_is_the_slider(qtbot, panel):
    layer = run(qtbot, panel)
    plot = panel.view.boxes.plot
    assert plot.line.value() == pytest.approx(state_of(layer).own_confidence)
    plot.line.setValue(0.8)
    plot.line.sigDragged.emit(plot.line)
    assert panel.view.boxes.form.values()["confidence"] == 0.8
    assert boxes_of(layer).confidence.min() >= 0.8
    slide(panel, confidence=0.25)
    assert plot.line.value() == pytest.approx(0.25)


def test_a_fit_finds_the_thresholds_of_the_checked_frames(qtbot, viewer, panel):
    layer = run(qtbot, panel)
    fit_button, checked = panel.view.boxes.fit_button, panel.view.boxes.checked
    assert not fit_button.isEnabled()
    slide(panel, confidence=0.75)
    for t in (0, 1):
        viewer.dims.set_current_step(0, t)
        assert not checked.isChecked()
        checked.click()
    before = {t: len(boxes_of(layer)[boxes_of(layer).frame == t]) for t in range(3)}
    slide(panel, confidence=0.2)
    after = boxes_of(layer)
    assert [int((after.frame == t).sum()) for t in (0, 1)] == [before[0], before[1]]
    assert (after.frame == 2).sum() > before[2]
    assert "2 checked" in panel.view.boxes.counts.text()
    fit = press(qtbot, panel, fit_button, "fitted")
    assert fit.f1 == 1
    assert panel.view.boxes.form.values()["confidence"] == fit.confidence
    assert state_of(layer).options.iou == fit.iou
    assert 0.7 <= fit.confidence <= 0.8
    assert len(panel.view.boxes.plot.curve.getData()[0]) == len(fit.confidences)
    assert "in 2 checked frames" in panel.view.notes.text()
    viewer.dims.set_current_step(0, 1)
    assert checked.isChecked()
    checked.click()
    assert state_of(layer).checked == {(0, 0)}


def test_boxes_are_saved_as_they_are_shown_and_open_again(qtbot, viewer, panel, tmp_path):
    layer = run(qtbot, panel)
    layer.add_rectangles(NEW)
    slide(panel, confidence=0.6)
    mine = boxes_of(layer)
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(tmp_path / "boxes.csv")
    back = read_boxes_csv(tmp_path / "boxes.csv")
    assert np.allclose(back.corners, mine.corners, atol=1e-3)
    assert np.array_equal(back.hand, mine.hand)
    assert "um" in (tmp_path / "boxes.csv").read_text().splitlines()[0]
    assert f"Saved {len(mine)} boxes" in panel.view.notes.text()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.open_from(tmp_path / "boxes.csv")
    opened = caught.args[0]
    assert np.allclose(np.sort(boxes_of(opened).corners, axis=0), np.sort(mine.corners, axis=0), atol=1e-3)
    assert boxes_of(opened).hand.sum() == 1
    assert np.array_equal(opened.scale, layer.scale)
    assert layer in viewer.layers  # a person worked on it


def test_yolo_and_coco_files_open_on_a_plane(qtbot, viewer, frames, make_detect_panel, tmp_path):
    viewer.add_image(frames[0], name="plane")
    panel = make_detect_panel(viewer)
    (tmp_path / "a.txt").write_text("0 0.5 0.25 0.125 0.25\n")
    coco = {"images": [{"id": 7, "file_name": "p"}], "annotations": [{"image_id": 7, "bbox": [10, 20, 4, 6]}]}
    (tmp_path / "a.json").write_text(json.dumps(coco))
    found = {}
    for name in ("a.txt", "a.json"):
        with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
            panel.open_from(tmp_path / name)
        qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
        found[name] = boxes_of(caught.args[0]).corners.tolist()
    assert found["a.txt"] == [[7.5, 31, 23.5, 40]]
    assert found["a.json"] == [[19.5, 9.5, 25.5, 13.5]]


def test_detecting_again_replaces_what_nobody_touched(qtbot, viewer, panel):
    run(qtbot, panel)
    layer = run(qtbot, panel)
    assert [v.name for v in viewer.layers] == ["frames", "frames · cdv-yolo"]
    layer.add_rectangles(NEW)
    run(qtbot, panel)
    assert len(viewer.layers) == 3
    assert boxes_of(layer).hand.sum() == 1


def test_boxes_that_are_corrected_stay_when_detecting_again(qtbot, viewer, panel):
    layer = run(qtbot, panel)
    with qtbot.waitSignal(panel.correct.opened, timeout=WAIT):
        panel.view.start_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert panel.view.state.text() == "0 edits, all saved\nframes.ome.tif.bioseg"
    second = run(qtbot, panel)
    assert {layer.name, second.name} == {"frames · corrected", "frames · cdv-yolo"}
    assert layer in viewer.layers
    assert not panel.view.state.isVisible()
    viewer.layers.clear()


def test_only_the_current_frame_or_a_drawn_rectangle(qtbot, viewer, panel):
    whole = boxes_of(run(qtbot, panel))
    viewer.dims.set_current_step(0, 1)
    panel.view.where.current_check.setChecked(True)
    here = boxes_of(run(qtbot, panel))
    assert np.array_equal(here.corners, whole[whole.frame == 1].corners)
    assert (here.frame == 1).all()
    image = viewer.layers["frames"]
    viewer.add_shapes([[[1, 1], [1, 4], [4, 4], [4, 1]]], name="region", units=image.units[1:])
    viewer.layers.selection.active = image
    area = panel.view.where.area_combo
    area.setCurrentIndex(area.findData("drawn"))
    part = boxes_of(run(qtbot, panel))
    assert 0 < len(part) < len(here)
    assert (part.centre > 8).all()
    assert (part.centre < 42).all()


def test_the_copied_command_writes_the_same_boxes(qtbot, panel, tmp_path):
    from napari_bioseg.cli.app import app

    panel.view.boxes.form.set_values({"confidence": 0.55, "iou": 0.3, "min_side": 2.0})
    layer = run(qtbot, panel)
    words = shlex.split(panel.command())
    assert words[:2] == ["bioseg", "detect"]
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    back = read_boxes_csv(tmp_path / "frames.boxes.csv")
    assert np.allclose(back.corners, boxes_of(layer).corners, atol=1e-3)


def test_a_slider_that_was_moved_meanwhile_counts(qtbot, panel):
    from qtpy.QtCore import Qt

    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        qtbot.mouseClick(panel.view.detect_button, Qt.MouseButton.LeftButton)
        slide(panel, confidence=0.8)
    assert boxes_of(caught.args[0]).confidence.min() >= 0.8


def test_a_cancelled_detection_says_so_and_shows_what_there_is(qtbot, viewer, make_detect_panel, frames, tmp_path):
    viewer.add_image(np.concatenate([frames] * 200), name="long", axis_labels=("t", "y", "x"))
    panel = make_detect_panel(viewer)
    # As it is told, not when a look at the bar happens to see it: that may be after the last frame.
    panel.view.progress.bar.valueChanged.connect(lambda done: panel.cancel() if done > 1 else None)
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.detect()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    layer = caught.args[0]
    assert "incomplete" in layer.name
    assert "Cancelled" in panel.view.notes.text()
    assert not state_of(layer).done
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(tmp_path / "part.csv")
    assert "incomplete" in panel.view.notes.text()


def test_choices_are_remembered(qtbot, viewer, panel, make_detect_panel):
    run(qtbot, panel)
    slide(panel, confidence=0.65, iou=0.45)
    settled(qtbot, panel)
    assert load_settings().detect["confidence"] == 0.65
    assert "region" not in load_settings().detect
    again = make_detect_panel(viewer)
    assert again.view.boxes.form.values()["iou"] == 0.45


def test_opening_boxes_neither_replaces_a_detection_nor_changes_what_the_next_one_asks_for(
    qtbot, viewer, panel, make_detect_panel, tmp_path
):
    layer = run(qtbot, panel)
    slide(panel, iou=0.45)
    settled(qtbot, panel)
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(tmp_path / "boxes.csv")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.open_from(tmp_path / "boxes.csv")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert layer in viewer.layers
    caught.args[0].add_rectangles(NEW)
    settled(qtbot, panel)
    assert load_settings().detect["iou"] == 0.45
    viewer.layers.selection.active = viewer.layers["boxes"]
    again = make_detect_panel(viewer)
    assert again.boxes.layer is viewer.layers["boxes"]  # a panel that is opened later sees what is there


def test_problems_are_one_line_and_nothing_is_half_done(qtbot, viewer, panel, tmp_path):
    from napari.utils.notifications import notification_manager

    def last():
        return notification_manager.records[-1].message

    layer = run(qtbot, panel)
    panel.save_to(tmp_path / "missing" / "a.csv")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert "missing" in last()
    (tmp_path / "bad.csv").write_text("frame,z,y,x,height,width\n9,0,1,1,2,2\n")
    panel.open_from(tmp_path / "bad.csv")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert "bad.csv" in last()
    assert "\n" not in last()
    assert [v.name for v in viewer.layers] == ["frames", layer.name]
    panel.view.boxes.form.set_values({"min_side": 9.0, "max_side": 3.0})
    before = kept_rows(layer)
    panel.boxes.tune()
    assert "max_side" in last()
    assert np.array_equal(kept_rows(layer), before)


def test_removing_the_layer_leaves_an_empty_panel(qtbot, viewer, panel):
    layer = run(qtbot, panel)
    assert panel.view.save_button.isEnabled()
    viewer.layers.remove(layer)
    assert panel.boxes.layer is None
    assert not panel.view.save_button.isEnabled()
    assert panel.view.boxes.table.boxes.rowCount() == 0
    assert "No boxes yet" in panel.view.boxes.counts.text()
    slide(panel, confidence=0.9)


def test_every_option_is_in_the_panel(panel):
    shown = {name for form in panel.view.forms for name in form.controls}
    assert shown | {"model", "region", "channel"} == set(DetectOptions.model_fields)


def test_keys_are_there_while_the_panel_is_open(qtbot, viewer, panel):
    from napari_bioseg.widgets.shortcuts import KEYS

    keys = {str(k): action for k, action in viewer.keymap.items()}
    assert set(keys) == {KEYS[name] for name in ("detect", "cancel_detect", "check_frame")}
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        keys[KEYS["detect"]](viewer)
    keys[KEYS["check_frame"]](viewer)
    assert panel.boxes.state.checked == {(viewer.dims.current_step[0], 0)}
    assert KEYS["detect"] in panel.view.detect_button.text()
    assert KEYS["check_frame"] in panel.view.boxes.checked.text()


def test_a_closed_panel_leaves_nothing_on_the_viewer(qtbot, viewer, path):
    from napari_bioseg.widgets.detect_panel import DetectPanel

    for data, attributes, kind in read_layers(path):
        getattr(viewer, f"add_{kind}")(data, **attributes)
    panel = DetectPanel(viewer)
    qtbot.waitUntil(panel.view.detect_button.isEnabled, timeout=WAIT)
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        panel.detect()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        panel.deleteLater()
    assert not viewer.keymap
    layer = viewer.layers[-1]
    layer.add_rectangles(NEW)
    layer.selected_data = {int(kept_rows(layer)[0])}
    viewer.dims.set_current_step(0, 0)
    assert boxes_of(layer).hand.sum() == 1


@pytest.mark.parametrize("kind", ["empty", "noise", "saturated", "nan", "one", "bool", "float"])
def test_strange_frames(qtbot, viewer, make_detect_panel, frames, kind):
    shape = (1, 1) if kind == "one" else (48, 48)
    values = {
        "empty": np.zeros(shape, np.uint16),
        "noise": np.random.default_rng(0).normal(100, 3, shape).astype(np.float32),
        "saturated": np.full(shape, 65535, np.uint16),
        "nan": np.full(shape, np.nan, np.float32),
        "one": np.ones(shape, np.uint8),
        "bool": np.zeros(shape, bool),
        "float": frames[0].astype(np.float64) / 1e4 - 5,
    }[kind]
    viewer.add_image(values, name=kind)
    panel = make_detect_panel(viewer)
    layer = run(qtbot, panel)
    boxes = boxes_of(layer)
    assert np.isfinite(boxes.corners).all()
    if kind == "float":
        assert len(boxes) > 3
    else:
        assert len(boxes) <= 1


def test_boxes_on_a_turned_image_lie_on_it(qtbot, viewer, frames, make_detect_panel):
    layer = viewer.add_image(frames[0], rotate=30, scale=(0.5, 0.5), translate=(3, 4))
    panel = make_detect_panel(viewer)
    boxes = run(qtbot, panel)
    corner = [10.0, 20.0]
    assert np.allclose(boxes.data_to_world(corner), layer.data_to_world(corner))


def test_a_sample_has_boxes_that_are_not_taken_for_a_region(viewer, make_detect_panel):
    from napari.layers import Layer

    from napari_bioseg.plugin import samples

    for data in samples.vesicles():
        viewer.add_layer(Layer.create(*data))
    panel = make_detect_panel(viewer)
    truth = viewer.layers["ground truth"]
    assert boxes_of(truth).hand.all()
    assert len(boxes_of(truth)) > 500
    assert not truth.visible
    assert panel.view.where.shapes() is None
    assert replace(boxes_of(truth)).frame.max() == 19
