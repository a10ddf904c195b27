"""The panel "Segment" on a viewer model: the same code as in a window, without its drawing."""

from __future__ import annotations

import shlex
import shutil
import threading
import time

import numpy as np
import pytest
import tifffile

import napari_bioseg
from napari_bioseg.plugin.reader import read_layers
from napari_bioseg.plugin.session import is_edited, result_of
from napari_bioseg.plugin.settings import load_settings, settings_file

pytestmark = pytest.mark.gui

WAIT = 60_000
SIZE = {"PhysicalSizeZ": 2.0, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.25}


@pytest.fixture
def path(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (6, 80, 96)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "stack.ome.tif", values, metadata={"axes": "ZYX", **SIZE})
    return tmp_path / "stack.ome.tif"


@pytest.fixture
def panel(viewer, path, make_panel):
    add(viewer, path)
    return make_panel(viewer)


def add(viewer, path):
    return [getattr(viewer, f"add_{kind}")(data, **attributes) for data, attributes, kind in read_layers(path)]


def press(qtbot, panel, button):
    from qtpy.QtCore import Qt

    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    return caught.args[0]


def segment(qtbot, panel):
    return press(qtbot, panel, panel.view.segment_button)


def choose_area(panel, area):
    combo = panel.view.where.area_combo
    combo.setCurrentIndex(combo.findData(area))


def test_models_say_what_they_are_and_why_they_are_greyed(viewer, panel):
    combo = panel.view.model.combo
    assert combo.currentText() == "tiny2d"
    other = combo.findData("tiny3d")
    assert "Tests in 2-D" in panel.view.model.card_text.text()
    assert "BSD-3-Clause" in panel.view.model.card_text.text()
    viewer.add_image(np.zeros((8, 9), np.uint8), name="flat")
    assert combo.itemText(other).startswith("tiny3d (needs a 3-D volume")
    assert not combo.model().item(other).isEnabled()
    assert "needs a 3-D volume" in combo.itemData(other, 3)
    combo.setCurrentIndex(other)
    assert not panel.view.segment_button.isEnabled()
    assert "needs a 3-D volume" in panel.view.model.card_text.text()


def test_the_user_s_model_outlives_an_image_that_it_cannot_take(viewer, panel):
    combo = panel.view.model.combo
    combo.setCurrentIndex(combo.findData("tiny3d"))
    combo.activated.emit(combo.currentIndex())  # as a click in the list does
    viewer.add_image(np.zeros((8, 9), np.uint8), name="flat")
    assert combo.currentData() != "tiny3d"
    viewer.layers.selection.active = viewer.layers["stack"]
    assert combo.currentData() == "tiny3d"


@pytest.mark.parametrize(
    ("size", "proposed"),
    [
        ({"Z": 0.05, "Y": 0.004, "X": 0.004}, "membranes-unet2d"),
        ({"Z": 0.05, "Y": 0.0046, "X": 0.0046}, "em-multiclass-unet2d"),
        ({"Z": 5.0, "Y": 1.0, "X": 1.0}, "vessels-unet3d"),
        ({}, "cells-swinunet"),
    ],
)
def test_the_model_whose_pixels_are_nearest_is_proposed(qtbot, size, proposed):
    from napari_bioseg.core import image_from_array
    from napari_bioseg.models import list_models
    from napari_bioseg.widgets.model_box import ModelBox

    box = ModelBox()
    qtbot.addWidget(box)
    box.set_image(image_from_array(np.zeros((2, 8, 8), np.uint8), "ZYX", pixel_size=size))
    box.set_models(list_models())
    assert box.combo.currentData() == proposed


def test_of_two_alike_the_one_that_is_no_ensemble_is_proposed(qtbot):
    from napari_bioseg.core import image_from_array
    from napari_bioseg.models import find_model
    from napari_bioseg.models.card import read_card
    from napari_bioseg.widgets.model_box import ModelBox

    card = read_card(find_model("membranes-unet2d"))
    several = {"name": "ensemble", "arguments": {"members": [card.architecture.model_dump(mode="json")]}}
    pair = card.model_copy(update={"name": "a-pair", "architecture": type(card.architecture).checked(several, "card")})
    box = ModelBox()
    qtbot.addWidget(box)
    box.set_image(image_from_array(np.zeros((2, 8, 8), np.uint8), "ZYX", pixel_size={"Y": 0.004, "X": 0.004}))
    box.set_models([pair, card])
    assert box.combo.currentData() == "membranes-unet2d"


def test_while_models_are_looked_for_none_is_said_to_be_missing(qtbot):
    from napari_bioseg.widgets.model_box import ModelBox

    box = ModelBox()
    qtbot.addWidget(box)
    box.set_image(None)
    assert "Looking" in box.card_text.text()
    box.set_models(())
    assert "No model" in box.card_text.text()


def test_the_image_follows_the_layer_list(viewer, panel):
    flat = viewer.add_image(np.zeros((8, 9), np.uint8), name="flat")
    assert panel.view.image.layer is flat
    assert "pixel size unknown" in panel.view.image.facts.text()
    viewer.layers.selection.active = viewer.layers["stack"]
    assert panel.view.image.combo.currentText() == "stack"
    assert "2 × 0.5 × 0.25 µm" in panel.view.image.facts.text()
    viewer.layers["stack"].name = "renamed"
    assert panel.view.image.combo.currentText() == "renamed"
    viewer.layers.clear()
    assert not panel.view.segment_button.isEnabled()
    assert "Open" in panel.view.image.facts.text()


@pytest.mark.parametrize("model", ["tiny2d", "tiny3d"])
def test_labels_are_those_of_the_command_line_and_lie_on_the_image(qtbot, viewer, panel, path, model):
    panel.view.model.prefer(model)
    layer = segment(qtbot, panel)
    expected = napari_bioseg.segment(path, model=model)
    assert np.array_equal(layer.data, expected.labels[...])
    assert layer.data.dtype == np.uint32
    assert 0 < np.count_nonzero(layer.data) < layer.data.size
    image = viewer.layers["stack"]
    for what in ("scale", "translate", "rotate", "shear"):
        assert np.array_equal(getattr(layer, what), getattr(image, what))
    assert layer.units == image.units
    assert layer.name == f"stack · {model}"
    assert np.allclose(layer.colormap.map(1), (0xE6 / 255, 0x9F / 255, 0, 1))
    assert layer.metadata["bioseg"]["provenance"]["model"] == model


def test_a_preview_shows_the_visible_part_of_the_plane_and_is_replaced(qtbot, viewer, panel, path):
    viewer.dims.set_current_step(0, 4)
    image = viewer.layers["stack"]
    image.corner_pixels = np.array([[0, 10, 20], [0, 49, 59]])
    layer = press(qtbot, panel, panel.view.preview_button)
    whole = napari_bioseg.segment(path, model="tiny2d").labels[...]
    assert np.array_equal(layer.data, whole[4:5, 10:50, 20:60])
    assert tuple(layer.translate) == (8.0, 5.0, 5.0)
    image.corner_pixels = np.array([[0, 0, 0], [0, 29, 29]])
    again = press(qtbot, panel, panel.view.preview_button)
    assert [v.name for v in viewer.layers] == ["stack", "stack · preview"]
    assert again.data.shape == (1, 30, 30)
    final = segment(qtbot, panel)
    assert [v.name for v in viewer.layers] == ["stack", "stack · tiny2d"]
    assert np.array_equal(final.data, whole)
    assert tuple(final.translate) == (0.0, 0.0, 0.0)


def test_a_preview_that_was_painted_on_stays(qtbot, viewer, panel):
    preview = press(qtbot, panel, panel.view.preview_button)
    preview.data_setitem((np.array([0]), np.array([1]), np.array([2])), 7)
    painted = preview.data.copy()
    segment(qtbot, panel)
    assert len(viewer.layers) == 3
    assert np.array_equal(preview.data, painted)


def test_only_the_current_plane(qtbot, viewer, panel, path):
    viewer.dims.set_current_step(0, 2)
    panel.view.where.current_check.setChecked(True)
    layer = segment(qtbot, panel)
    whole = napari_bioseg.segment(path, model="tiny2d").labels[...]
    assert np.array_equal(layer.data, whole[2:3])
    assert layer.translate[0] == 4.0
    assert panel.request().options.region == "Z=2"
    panel.view.model.prefer("tiny3d")
    assert not panel.view.where.current_check.isEnabled()
    assert panel.request().options.region is None


def test_a_drawn_rectangle(qtbot, viewer, panel, path):
    from qtpy.QtCore import Qt

    qtbot.mouseClick(panel.view.where.draw_button, Qt.MouseButton.LeftButton)
    shapes = viewer.layers.selection.active
    assert shapes.mode == "add_rectangle"
    assert panel.view.where.area == "drawn"
    shapes.add_rectangles(np.array([[5.0, 5.0], [20.0, 15.0]]))  # in world coordinates: µm
    assert panel.request().options.region == "Y=10:41,X=20:61"
    layer = segment(qtbot, panel)
    whole = napari_bioseg.segment(path, model="tiny2d").labels[...]
    assert np.array_equal(layer.data, whole[:, 10:41, 20:61])


def test_a_rectangle_is_drawn_in_the_viewer_s_units(viewer, panel):
    panel.view.where.draw()
    shapes = viewer.layers.selection.active
    assert shapes.units == viewer.layers["stack"].units[-2:]
    assert viewer.dims.units is not None


def test_nothing_drawn_is_a_notification(qtbot, panel):
    from napari.utils.notifications import notification_manager

    choose_area(panel, "drawn")
    before = len(notification_manager.records)
    panel.segment()
    assert not panel.running
    (note,) = notification_manager.records[before:]
    assert "no rectangle is drawn" in note.message


def test_moving_the_threshold_never_runs_the_network(qtbot, viewer, panel, path, tiny_zoo):
    layer = segment(qtbot, panel)
    first = layer.data.copy()
    expected = napari_bioseg.segment(path, model="tiny2d", threshold=0.8).labels[...]
    shutil.rmtree(tiny_zoo)
    viewer.dims.set_current_step(0, 3)
    with qtbot.waitSignal(panel.tuner.plane_shown, timeout=WAIT):
        panel.view.labels_form.controls["threshold"].move(0.8)
    assert np.array_equal(layer.data[3], expected[3])
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        pass
    assert np.array_equal(layer.data, expected)
    assert not np.array_equal(expected, first)
    assert result_of(layer).segmentation.options.threshold == 0.8
    assert panel.tuner.pending is None


def test_every_decoding_option_is_live(qtbot, panel, path):
    layer = segment(qtbot, panel)
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        panel.view.labels_form.controls["instances"].inner.click()
        panel.view.labels_form.controls["min_size"].inner.setValue(9)
    expected = napari_bioseg.segment(path, model="tiny2d", instances=True, min_size=9).labels[...]
    assert np.array_equal(layer.data, expected)
    assert layer.data.max() > 1
    assert type(layer.colormap).__name__ == "CyclicLabelColormap"


def test_touching_objects_are_cut_once_the_slider_rests(qtbot, viewer, panel, path):
    panel.view.labels_form.set_values({"instances": True, "split": 0.9})
    layer = segment(qtbot, panel)
    plane = viewer.dims.current_step[0]
    options = {"model": "tiny2d", "instances": True, "threshold": 0.4}
    uncut = napari_bioseg.segment(path, **options).labels[plane]
    cut = napari_bioseg.segment(path, **options, split=0.9).labels[...]
    with qtbot.waitSignal(panel.tuner.plane_shown, timeout=WAIT):
        panel.view.labels_form.controls["threshold"].move(0.4)
    # A plane has its own numbers: what tells cut from uncut is how many objects there are.
    assert len(np.unique(layer.data[plane])) == len(np.unique(uncut)) < len(np.unique(cut[plane]))
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        pass
    assert np.array_equal(layer.data, cut)
    # Where this plane could be cut is known by now.
    with qtbot.waitSignal(panel.tuner.plane_shown, timeout=WAIT):
        panel.view.labels_form.controls["split"].move(0.8)
    other = napari_bioseg.segment(path, **options, split=0.8).labels[...]
    assert len(np.unique(layer.data[plane])) == len(np.unique(other[plane])) > len(np.unique(uncut))
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        pass
    assert np.array_equal(layer.data, other)


def test_gaps_are_closed_as_the_model_says_and_while_the_slider_moves(qtbot, viewer, make_panel, path, tiny_zoo):
    card = tiny_zoo / "tiny2d" / "card.yaml"
    card.write_text(card.read_text(encoding="utf-8").replace("separate: 0.0", "separate: 0.35"), encoding="utf-8")
    add(viewer, path)
    panel = make_panel(viewer)
    control = panel.view.labels_form.controls["separate"]
    assert control.value() is None
    assert control.inner.value() == pytest.approx(0.35)
    layer = segment(qtbot, panel)
    assert result_of(layer).segmentation.options.separate == 0.35
    plane = viewer.dims.current_step[0]
    options = {"model": "tiny2d", "threshold": 0.1}
    uncut, closed, other = (
        napari_bioseg.segment(path, **options, separate=separate).labels[...] for separate in (0, None, 0.3)
    )
    with qtbot.waitSignal(panel.tuner.plane_shown, timeout=WAIT):
        panel.view.labels_form.controls["threshold"].move(0.1)
    assert np.array_equal(layer.data[plane], closed[plane])
    assert not np.array_equal(uncut[plane], closed[plane])
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        pass
    assert np.array_equal(layer.data, closed)
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        control.move(0.3)
    assert np.array_equal(layer.data, other)
    assert result_of(layer).segmentation.options.separate == 0.3
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        control.reset_button.click()
    assert np.array_equal(layer.data, closed)


def test_cores_that_the_network_tells_are_taken_where_objects_are_numbered(viewer, make_panel, path, tiny_zoo):
    card = tiny_zoo / "tiny2d" / "card.yaml"
    card.write_text(card.read_text(encoding="utf-8").replace("cores: 0.0", "cores: 0.35"), encoding="utf-8")
    add(viewer, path)
    controls = make_panel(viewer).view.labels_form.controls
    for numbered, shown in ((False, 0), (True, 0.35), (False, 0)):
        controls["instances"].inner.setChecked(numbered)
        assert controls["separate"].inner.value() == pytest.approx(shown)
        assert controls["separate"].value() is None


def test_painted_labels_are_never_overwritten(qtbot, viewer, panel):
    layer = segment(qtbot, panel)
    layer.data_setitem((np.array([0]), np.array([1]), np.array([2])), 7)
    assert is_edited(layer)
    painted = layer.data.copy()
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        panel.view.labels_form.controls["threshold"].move(0.8)
    assert np.array_equal(layer.data, painted)
    beside = viewer.layers[-1]
    assert beside is not layer
    assert beside is panel.tuner.layer
    assert not is_edited(beside)
    assert 7 not in beside.data


def test_painting_while_the_volume_is_decoded_wins(qtbot, viewer, panel):
    layer = segment(qtbot, panel)
    with qtbot.waitSignal(panel.tuner.plane_shown, timeout=WAIT):
        panel.view.labels_form.controls["threshold"].move(0.8)
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        layer.data_setitem((np.array([0]), np.array([1]), np.array([2])), 7)
        painted = layer.data.copy()
    assert np.array_equal(layer.data, painted)
    assert viewer.layers[-1] is panel.tuner.layer is not layer


def test_a_stroke_under_way_is_waited_for(qtbot, viewer, panel):
    from qtpy.QtCore import QThreadPool

    layer = segment(qtbot, panel)
    data, before = layer.data, layer.data.copy()
    with layer.block_history():  # as napari does while the button is down
        layer.data_setitem((np.array([0]), np.array([1]), np.array([2])), 7)
        painted = layer.data.copy()
        panel.view.labels_form.controls["threshold"].move(0.8)
        qtbot.waitUntil(lambda: panel.tuner.at_work, timeout=WAIT)
        assert QThreadPool.globalInstance().waitForDone(WAIT)  # it is decoded, and waits for the stroke to end
        qtbot.wait(300)
        assert panel.tuner.at_work
        assert layer.data is data
        assert np.array_equal(layer.data, painted)
        assert len(viewer.layers) == 2
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        pass
    assert np.array_equal(layer.data, painted)
    assert not np.array_equal(painted, before)
    assert viewer.layers[-1] is panel.tuner.layer is not layer


def test_a_preview_that_comes_during_a_stroke_waits(qtbot, viewer, panel):
    preview = press(qtbot, panel, panel.view.preview_button)
    with preview.block_history():
        preview.data_setitem((np.array([0]), np.array([1]), np.array([2])), 7)
        painted = preview.data.copy()
        panel.preview()
        qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
        qtbot.wait(300)
        assert len(viewer.layers) == 2
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        pass
    assert caught.args[0] is not preview
    assert np.array_equal(preview.data, painted)


def hold_decoding(monkeypatch):
    """Let no volume be decoded to its end before the event is set."""
    from napari_bioseg.widgets import tuner

    go, decode = threading.Event(), tuner.decode_again

    def held(result, options, job):
        job.stage("Decoding", 4)
        time.sleep(0.1)  # progress is shown at most each 50 ms
        job.step()
        while not go.wait(0.01):
            job.check()
        return decode(result, options, job)

    monkeypatch.setattr(tuner, "decode_again", held)
    return go


def test_cancel_stops_tuning_and_shows_the_labels_of_before(qtbot, viewer, panel, monkeypatch):
    from qtpy.QtCore import Qt

    layer = segment(qtbot, panel)
    before = layer.data.copy()
    hold_decoding(monkeypatch)
    with qtbot.waitSignal(panel.tuner.plane_shown, timeout=WAIT):
        panel.view.labels_form.controls["threshold"].move(0.8)
    assert not np.array_equal(layer.data, before)
    bar = panel.view.progress.bar
    qtbot.waitUntil(lambda: "Decoding 1/4" in bar.format() and "left" in bar.format(), timeout=WAIT)
    with qtbot.assertNotEmitted(panel.tuner.settled):
        qtbot.mouseClick(panel.view.progress.cancel_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not panel.tuner.at_work, timeout=WAIT)
    assert np.array_equal(layer.data, before)
    assert panel.tuner.pending is None
    assert "Cancelled" in panel.view.notes.text()
    assert bar.format() == "Ready"


def test_a_late_decode_does_not_land_under_another_result(qtbot, viewer, panel, monkeypatch):
    preview = press(qtbot, panel, panel.view.preview_button)
    go = hold_decoding(monkeypatch)
    panel.view.labels_form.controls["threshold"].move(0.8)
    qtbot.waitUntil(lambda: panel.tuner.at_work, timeout=WAIT)
    viewer.dims.set_current_step(0, 1)
    panel.view.labels_form.set_values({"threshold": 0.3})
    again = press(qtbot, panel, panel.view.preview_button)
    assert again is preview
    shown, result = again.data.copy(), result_of(again)
    go.set()
    qtbot.waitUntil(lambda: not panel.tuner.at_work, timeout=WAIT)
    assert result_of(again) is result
    assert np.array_equal(again.data, shown)


def test_turning_to_another_result_finishes_the_first(qtbot, viewer, panel, path):
    first = segment(qtbot, panel)
    panel.view.where.current_check.setChecked(True)
    second = segment(qtbot, panel)
    viewer.layers.selection.active = first
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        panel.view.labels_form.controls["threshold"].move(0.8)
        viewer.layers.selection.active = second
    assert np.array_equal(first.data, napari_bioseg.segment(path, model="tiny2d", threshold=0.8).labels[...])
    assert panel.tuner.layer is second


def test_cancel_keeps_what_was_done(qtbot, viewer, panel, tmp_path):
    from qtpy.QtCore import Qt

    viewer.layers.clear()
    values = np.random.default_rng(0).integers(0, 255, (500, 64, 64)).astype(np.uint8)
    viewer.add_image(values, axis_labels=("z", "y", "x"), name="long")
    bar = panel.view.progress.bar
    panel.view.look_form.set_values({"drift": False})  # its progress is not that of the prediction
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.segment()
        assert not panel.view.segment_button.isEnabled()
        qtbot.waitUntil(lambda: 3 < bar.value() < 400, timeout=WAIT)
        assert "left" in bar.format()
        qtbot.mouseClick(panel.view.progress.cancel_button, Qt.MouseButton.LeftButton)
    layer = caught.args[0]
    assert "incomplete" in layer.name
    assert layer.metadata["bioseg"]["complete"] is False
    done = layer.data.any(axis=(1, 2))
    assert done[0]
    assert not done[-1]
    assert "Cancelled" in panel.view.notes.text()
    assert panel.view.segment_button.isEnabled()
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(tmp_path / "part.ome.tif")
    written = napari_bioseg.open_image(tmp_path / "part.ome.tif")
    assert np.array_equal(np.asarray(written.data), layer.data)
    assert written.metadata["provenance"]["complete"] is False
    assert "incomplete" in panel.view.notes.text()


def test_save_and_open_again(qtbot, viewer, panel, tmp_path):
    layer = segment(qtbot, panel)
    layer.data_setitem((np.array([0]), np.array([1]), np.array([2])), 70_000)
    for name in ("out.tif", "out.ome.tif", "out.ome.zarr"):
        with qtbot.waitSignal(panel.saved, timeout=WAIT):
            panel.save_to(tmp_path / name)
        qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
        opened = napari_bioseg.open_image(tmp_path / name)
        labels = opened.labels[0] if opened.labels else opened
        assert np.array_equal(np.asarray(labels.data), layer.data)
        assert labels.pixel_size() == pytest.approx((2.0, 0.5, 0.25))
        assert labels.metadata["provenance"]["model"] == "tiny2d"
        assert labels.metadata["provenance"]["edited"] is True
        assert str(tmp_path / name) in panel.view.notes.text()


def test_saving_at_once_saves_what_the_sliders_say(qtbot, panel, path, tmp_path):
    segment(qtbot, panel)
    panel.view.labels_form.controls["threshold"].move(0.8)
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(tmp_path / "out.ome.tif")
    expected = napari_bioseg.segment(path, model="tiny2d", threshold=0.8).labels[...]
    assert np.array_equal(np.asarray(napari_bioseg.open_image(tmp_path / "out.ome.tif").data), expected)


def test_a_folder_that_is_not_there_is_a_notification(qtbot, panel, tmp_path):
    from napari.utils.notifications import notification_manager

    segment(qtbot, panel)
    before = len(notification_manager.records)
    panel.save_to(tmp_path / "missing" / "out.tif")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert "does not exist" in notification_manager.records[before].message


def test_the_copied_command_gives_the_same_labels(qtbot, viewer, panel, path):
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    from napari_bioseg.cli.app import app

    viewer.dims.set_current_step(0, 2)
    panel.view.where.current_check.setChecked(True)
    panel.view.labels_form.set_values({"threshold": 0.7, "instances": True, "min_size": 5})
    layer = segment(qtbot, panel)
    qtbot.mouseClick(panel.view.copy_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Copied" in panel.view.notes.text(), timeout=WAIT)
    words = shlex.split(QApplication.clipboard().text())
    assert words[:3] == ["bioseg", "segment", str(path)]
    app(words[1:], standalone_mode=False)
    written = napari_bioseg.open_image(words[words.index("--out") + 1])
    assert np.array_equal(np.asarray(written.labels[0].data), layer.data)
    assert written.labels[0].translate == pytest.approx(tuple(layer.translate))


def test_a_layer_unlike_its_file_has_no_command(viewer, panel):
    from napari_bioseg.core.errors import IncompatibleImageError

    layer = viewer.layers["stack"]
    layer.scale = (2.0, 1.0, 1.0)
    with pytest.raises(IncompatibleImageError, match=r"pixel size differs from its file.*Save it first"):
        panel.command()


def test_copying_opens_the_file_outside_the_gui_thread(qtbot, viewer, panel, path, monkeypatch):
    from types import SimpleNamespace

    from napari_bioseg import io

    opened, own = [], io.open_image
    monkeypatch.setattr(io, "open_image", lambda *a, **k: (opened.append(threading.current_thread()), own(*a, **k))[1])
    pixels = np.asarray(own(path).data)
    layer = viewer.add_image(pixels, scale=(2, 0.5, 0.25), units=("µm",) * 3, axis_labels=("z", "y", "x"))
    layer._source = SimpleNamespace(path=str(path))  # as of another reader
    panel.copy_command()
    qtbot.waitUntil(lambda: "Copied" in panel.view.notes.text(), timeout=WAIT)
    assert opened
    assert threading.main_thread() not in opened


def test_a_free_name_is_proposed(qtbot, panel, path, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    proposed = []
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", staticmethod(lambda _p, _t, start, _f: (proposed.append(start), ("", ""))[1])
    )
    for name in ("stack.labels.ome.zarr", "stack.labels-2.ome.zarr"):
        panel.save()
        (tmp_path / name).mkdir()
    panel.save()
    assert [p.rpartition("stack")[2] for p in proposed] == [
        ".labels.ome.zarr", ".labels-2.ome.zarr", ".labels-3.ome.zarr",
    ]  # fmt: skip


def test_an_image_without_a_file_has_no_command(viewer, panel):
    from napari_bioseg.core.errors import IncompatibleImageError

    viewer.add_image(np.zeros((8, 9), np.uint8), name="flat")
    with pytest.raises(IncompatibleImageError, match="not in a file"):
        panel.command()


def test_choices_are_remembered(qtbot, viewer, panel, make_panel):
    panel.view.model.prefer("tiny3d")
    panel.view.labels_form.set_values({"min_size": 4})
    panel.view.resample_form.controls["resample"].inner.click()
    segment(qtbot, panel)
    assert load_settings().segment["model"] == "tiny3d"
    again = make_panel(viewer)
    assert again.view.model.card().name == "tiny3d"
    assert again.view.labels_form.values()["min_size"] == 4
    assert again.view.resample_form.values()["resample"] is False


def test_what_is_tuned_live_is_remembered(qtbot, panel):
    segment(qtbot, panel)
    with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
        panel.view.labels_form.controls["threshold"].move(0.8)
    assert load_settings().segment["threshold"] == 0.8
    assert load_settings().segment["model"] == "tiny2d"


def test_a_home_that_cannot_be_written_does_not_stop_segment(qtbot, panel, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BIOSEG_CONFIG", str(tmp_path / "file" / "config"))
    assert segment(qtbot, panel).data.any()
    assert "not remembered" in caplog.text


def test_damaged_settings_do_not_stop_the_panel(viewer, path, make_panel):
    settings_file().parent.mkdir()
    settings_file().write_text("segment: {threshold: high}\n")
    add(viewer, path)
    assert make_panel(viewer).view.labels_form.values()["threshold"] is None


def test_unknown_axes_are_asked_for(qtbot, viewer, panel):
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtWidgets import QApplication

    from napari_bioseg.widgets.axes_dialog import AxesDialog

    viewer.add_image(np.zeros((3, 8, 9), np.uint8), name="bare")
    assert panel.view.image.axes_button.isVisible()
    assert not panel.view.segment_button.isEnabled()

    def accept():
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, AxesDialog):
                widget.accept()

    QTimer.singleShot(200, accept)
    qtbot.mouseClick(panel.view.image.axes_button, Qt.MouseButton.LeftButton)
    assert panel.view.image.axes_button.text() == "Change dimensions…"
    assert panel.view.segment_button.isEnabled()
    assert panel.request().image.axes == "ZYX"


def test_a_pixel_size_set_in_napari_is_seen(viewer, panel):
    layer = viewer.add_image(np.zeros((8, 9), np.uint8), name="flat")
    layer.units = ("um", "um")
    layer.scale = (0.5, 0.25)
    assert "0.5 × 0.25 µm" in panel.view.image.facts.text()


def test_every_control_says_what_it_does(panel):
    from qtpy.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox

    def explained(widget):
        while widget is not None and widget is not panel:
            if widget.toolTip():
                return True
            widget = widget.parentWidget()
        return False

    controls = [
        w for kind in (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox) for w in panel.findChildren(kind)
        if type(w).__name__ not in ("QScrollBar", "QComboBoxListView")
    ]  # fmt: skip
    assert len(controls) > 15
    assert [w for w in controls if not explained(w)] == []


def test_every_option_is_in_the_panel(panel):
    from napari_bioseg.workflows.options import SegmentOptions

    shown = {name for form in panel.view.forms for name in form.controls}
    assert shown | {"model", "region", "channel"} == set(SegmentOptions.model_fields)


def test_nothing_is_cut_off(panel):
    panel.resize(panel.minimumSizeHint().width(), 500)
    body = panel.view.scroll.widget()
    assert body.minimumSizeHint().width() <= panel.view.scroll.viewport().width()
    assert panel.minimumSizeHint().width() < 400


def test_keys_work_while_the_panel_is_open(qtbot, viewer, panel):
    from napari_bioseg.widgets.shortcuts import KEYS

    keys = {str(k): action for k, action in viewer.keymap.items()}
    assert {KEYS[name] for name in ("preview", "segment", "cancel")} == set(keys)
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        keys[KEYS["preview"]](viewer)
    for key in (KEYS["preview"], KEYS["segment"]):
        assert any(key in b.text() for b in (panel.view.preview_button, panel.view.segment_button))


def test_a_closed_panel_leaves_nothing_on_the_viewer(qtbot, viewer, tiny_zoo):
    from napari_bioseg.widgets.segment_panel import SegmentPanel

    panel = SegmentPanel(viewer)
    assert viewer.keymap
    with qtbot.waitSignal(panel.destroyed):
        panel.deleteLater()
    assert not viewer.keymap
    viewer.add_image(np.zeros((8, 9)))
