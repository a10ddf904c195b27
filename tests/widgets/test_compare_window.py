"""The panel "Compare" in a real window: what a training brought, where, and what to do about it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytestmark = pytest.mark.gui

WAIT = 120_000
SIDE = 80


def squares():
    truth = np.zeros((14, SIDE, SIDE), bool)
    truth[:, 20:60, 24:70] = True
    return (truth * 120 + np.random.default_rng(0).integers(0, 60, truth.shape)).astype(np.uint8), truth


@pytest.fixture
def run(make_project, tiny_zoo, tmp_path, tmp_path_factory):
    """A training, made once, that went on from ``tiny2d`` with a project of fourteen planes, three of them held out."""
    from napari_bioseg.core.job import Job
    from napari_bioseg.training.recipe import Recipe
    from napari_bioseg.training.training_set import freeze
    from napari_bioseg.workflows.finetuning import new_run
    from napari_bioseg.workflows.training_process import TrainingProcess

    folder = make_project("stack", *squares(), list(range(14)))
    recipe = Recipe.checked(
        {
            "name": "squares",
            "card": {"title": "Squares", "summary": "Squares", "licence": "CC0", "data": "made", "split": "by plane"},
            "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8]}},
            "continue_from": "tiny2d",
            "input": {"axes": "YX"},
            "classes": [{"value": 1, "name": "square"}],
            "root": str(tmp_path),
            "pairs": [{"project": folder.name, "use": "auto"}],
            "patch": [32, 32], "batch": 2, "epochs": 1, "steps": 15, "learning_rate": 0.02, "averaging": 0,
            "metrics": ["iou", "dice"], "device": "cpu",
        },
        "test",
    )  # fmt: skip
    made, kept = new_run(folder, recipe), tmp_path_factory.getbasetemp() / "squares"
    if kept.is_dir():
        freeze(recipe, made)
        shutil.copytree(kept, made / recipe.name)
    else:
        # As the window does it: torch's optimisers load triton, whose LLVM and that of Mesa crash in one process.
        shutil.copytree(TrainingProcess(made).run(Job()), kept)
    return made


@pytest.fixture
def detector_run(make_box_project, tiny_zoo):
    """A training that went on from a copy of the shipped detector, too fast: it forgets what a vesicle is."""
    from napari_bioseg.core.job import Job
    from napari_bioseg.models import find_model, read_card
    from napari_bioseg.simulate.emccd import SCENES, emccd_frames
    from napari_bioseg.training.recipe import Recipe
    from napari_bioseg.workflows.finetuning import FineTuneOptions, fine_tune_recipe, new_run
    from napari_bioseg.workflows.training_process import TrainingProcess

    folder = shutil.copytree(find_model("cdv-yolo"), tiny_zoo / "spotter")
    # Without the frames that it was tested on there is no original data to compare on, which takes long.
    card = read_card(folder)
    card = card.model_copy(update={"name": "spotter", "recipe": {**card.recipe, "simulated": []}})
    (folder / "card.yaml").write_text(card.to_yaml())
    frames, truth = emccd_frames((15, 48, 64), 0.1, 3, vesicles=SCENES["moderate"])
    project = make_box_project("movie", frames, truth[:0], truth, list(range(15)))
    values = fine_tune_recipe([project], FineTuneOptions(model="spotter", device="cpu")).model_dump(mode="json")
    less = {"patch": [48, 48], "batch": 2, "epochs": 1, "steps": 8}
    fast = {"learning_rate": 0.01, "averaging": 0.0, "old_weights": 0.0, "distillation": 0.0, "metrics": ["f1"]}
    run = new_run(project, Recipe.checked({**values, **less, **fast}, "test"))
    TrainingProcess(run).run(Job())
    return run


@pytest.fixture
def open_panel(qtbot):
    from qtpy.QtCore import QThreadPool

    def show(window):
        window.window.resize(1280, 800)
        return window.window.add_plugin_dock_widget("napari-bioseg", "Compare")

    yield show
    assert QThreadPool.globalInstance().waitForDone(30_000)


def close(window, qtbot, dock, panel):
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)
    window.layers.clear()  # nothing of the panel listens any more


def click(qtbot, button):
    from qtpy.QtCore import Qt

    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def click_row(qtbot, table, row):
    from qtpy.QtCore import Qt

    place = table.visualItemRect(table.item(row, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def free(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)


def test_the_whole_way(window, qtbot, open_panel, run, tiny_zoo):
    dock, panel = open_panel(window)
    view = panel.view
    assert not view.compare_button.isEnabled()
    assert not view.promote_button.isEnabled()
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.show_run(run)
    free(qtbot, panel)
    (found,) = caught.args
    assert (run / "comparison.json").is_file()
    assert view.verdict.text().startswith("<b>Better by ")
    assert "on 3 slices" in view.verdict.text()
    assert "orgetting is not measured" in view.verdict.text()
    # The image was not open: now it is, with old, new and the truth on it.
    assert [layer.name for layer in window.layers][1:] == [f"stack · {side}" for side in ("old", "new", "truth")]
    figures(view, found)
    goes_to_a_region(window, qtbot, view, found)
    blinks(window, qtbot, panel)
    has_a_curtain(window, view, found)
    promotes(qtbot, panel, tiny_zoo)
    click(qtbot, view.keep_button)
    assert len(window.layers) == 1
    assert not view.blink.isEnabled()
    close(window, qtbot, dock, panel)


def figures(view, found):
    rows = [[view.units.item(i, j).text() for j in range(4)] for i in range(view.units.rowCount())]
    assert [row[0] for row in rows] == [str(r.plane[0]) for r in found.rows]
    first = found.rows[0]
    assert rows[0][1:3] == [f"{first.old['iou']:.3f}", f"{first.new['iou']:.3f}"]
    lines = view.plot.plot.listDataItems()
    assert len(lines) == len(found.rows) + 1
    assert lines[0].getData()[1].tolist() == [first.old["iou"], first.new["iou"]]
    view.metric.setCurrentIndex(1)
    view.metric.activated.emit(1)
    assert view.units.item(0, 1).text() == f"{first.old['dice']:.3f}"


def goes_to_a_region(window, qtbot, view, found):
    window.dims.set_current_step(0, 0)
    view.scroll.ensureWidgetVisible(view.regions)
    click_row(qtbot, view.regions, 0)
    best = found.regions[0]
    assert window.dims.current_step[0] == best.plane[0]
    camera = window.scene.camera if hasattr(window, "scene") else window.camera
    middle = (best.box[0] + best.box[2] - 1) / 2, (best.box[1] + best.box[3] - 1) / 2
    assert np.allclose(camera.center[-2:], middle)
    assert view.regions.item(0, 2).text() == f"{best.gain:+d}"


def blinks(window, qtbot, panel):
    old, new = window.layers[1], window.layers[2]
    panel.toggle_blink()
    assert panel.view.blink.isChecked()
    assert (old.visible, new.visible) == (False, True)
    with qtbot.waitSignal(panel.look.timer.timeout, timeout=WAIT):
        pass
    assert (old.visible, new.visible) == (True, False)
    panel.toggle_blink()
    assert (old.visible, new.visible) == (True, True)
    assert not panel.look.timer.isActive()


def has_a_curtain(window, view, found):
    old, new = window.layers[1], window.layers[2]
    z = window.dims.current_step[0]
    whole = old.data.copy(), new.data.copy()
    view.curtain.setChecked(True)
    view.edge.setValue(25)
    assert not old.data[z, :, 20:].any()
    assert not new.data[z, :, :20].any()
    other = next(row.plane[0] for row in found.rows if row.plane[0] != z)
    window.dims.set_current_step(0, other)
    assert not old.data[other, :, 20:].any()
    view.curtain.setChecked(False)
    assert np.array_equal(old.data, whole[0])
    assert np.array_equal(new.data, whole[1])


def promotes(qtbot, panel, zoo):
    from napari_bioseg.models import load_model

    with qtbot.waitSignal(panel.promoted, timeout=WAIT):
        panel.promote_as("my-squares")
    free(qtbot, panel)
    assert load_model("my-squares").card.name == "my-squares"
    assert "version" in panel.view.notes.text()


def test_what_was_compared_before_is_shown_and_compared_again(window, qtbot, open_panel, run):
    from napari_bioseg import open_image
    from napari_bioseg.plugin.layers import Origin, image_layers
    from napari_bioseg.workflows import compare_run

    compare_run(run)
    for data, attributes, _ in image_layers(open_image(run.parents[2] / "stack.tif", axes="ZYX"), Origin("ZYX")):
        window.add_image(data, **attributes)
    dock, panel = open_panel(window)
    qtbot.waitUntil(lambda: panel.view.run.run() == run, timeout=WAIT)
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        panel.view.run.picked.emit(run)
    free(qtbot, panel)
    assert panel.view.units.rowCount() == 3
    assert "Show in viewer" in panel.view.notes.text()
    assert len(window.layers) == 1
    before, known = (run / "comparison.json").stat().st_mtime_ns, panel.found
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        click(qtbot, panel.view.show_button)
    free(qtbot, panel)
    assert [layer.name for layer in window.layers][1:] == [f"stack · {side}" for side in ("old", "new", "truth")]
    assert panel.view.curtain.isEnabled()
    assert not panel.view.show_button.isVisible()
    # The figures are those of before, as is the file.
    assert panel.found.rows is known.rows
    assert (run / "comparison.json").stat().st_mtime_ns == before
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        click(qtbot, panel.view.compare_button)
    free(qtbot, panel)
    assert len(window.layers) == 4
    window.layers.remove(window.layers[2])
    assert len(window.layers) == 1
    assert not panel.view.curtain.isEnabled()
    close(window, qtbot, dock, panel)


def test_detectors_are_compared(window, qtbot, open_panel, detector_run):
    from napari_bioseg.workflows import compare_run

    compare_run(detector_run)
    dock, panel = open_panel(window)
    view = panel.view
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        panel.show_run(detector_run)
    free(qtbot, panel)
    assert "3 frames" in view.verdict.text()
    # From disk it comes without boxes, and is asked for them; the movie was not open.
    assert len(window.layers) == 0
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        click(qtbot, view.show_button)
    free(qtbot, panel)
    (found,) = caught.args
    assert [view.units.item(i, 0).text() for i in range(3)] == [str(row.plane[0]) for row in found.rows]
    names = [f"movie · {side}" for side in ("old", "new", "truth")]
    assert [layer.name for layer in window.layers][1:] == names
    old, new, truth = (window.layers[name] for name in names)
    for layer, side in ((old, "old"), (new, "new"), (truth, "truth")):
        assert len(layer.data) == sum(len(getattr(plane, side)) for plane in found.planes)
    assert len(truth.data) > 0
    # The click goes to the frame of the largest change; boxes blink, and a curtain cannot part them.
    window.dims.set_current_step(0, 0)
    view.scroll.ensureWidgetVisible(view.regions)
    click_row(qtbot, view.regions, 0)
    assert window.dims.current_step[0] == found.regions[0].plane[0]
    panel.toggle_blink()
    assert (old.visible, new.visible) == (False, True)
    panel.toggle_blink()
    assert not view.curtain.isEnabled()
    click(qtbot, view.keep_button)
    assert len(window.layers) == 1
    close(window, qtbot, dock, panel)


def test_a_folder_that_is_no_training_is_told_and_not_chosen(window, qtbot, open_panel, tmp_path):
    from napari.utils.notifications import notification_manager

    _, panel = open_panel(window)
    before = panel.view.run.currentText()
    panel.show_run(tmp_path)
    assert panel.view.run.currentText() == before
    assert not panel.running
    assert "is no run" in notification_manager.records[-1].message


def test_a_comparison_can_be_cancelled(window, qtbot, open_panel, run):
    dock, panel = open_panel(window)
    panel.view.run.choose(run)
    panel.compare()
    panel.cancel()
    free(qtbot, panel)
    assert panel.found is None
    assert "cancelled" in panel.view.notes.text()
    assert not (run / "comparison.json").exists()
    close(window, qtbot, dock, panel)


def test_every_control_says_what_it_is_for_in_both_themes_and_a_small_window(window, qtbot, open_panel):
    from qtpy.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QScrollBar, QTableView

    dock, panel = open_panel(window)
    kinds = (QAbstractButton, QAbstractSlider, QComboBox, QTableView)
    controls = [w for kind in kinds for w in panel.view.findChildren(kind)]
    for control in [w for w in controls if w.isVisible() and not isinstance(w, QScrollBar)]:
        above = control
        while not above.toolTip() and above is not panel.view:
            above = above.parentWidget()
        assert above is not panel.view, control
    for theme in ("light", "dark"):
        window.theme = theme
        body = panel.view.scroll.widget()
        assert body.minimumSizeHint().width() <= panel.view.scroll.viewport().width()
        qtbot.waitUntil(lambda: dock.width() < 440, timeout=WAIT)
    close(window, qtbot, dock, panel)
