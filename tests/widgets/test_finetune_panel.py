"""The panel "Fine-tune": one click to a new model, with a real process; pause, stop, cancel, resume."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.plugin.settings import change_settings, load_settings

pytestmark = pytest.mark.gui

WAIT = 60_000


@pytest.fixture
def zoo(tiny_zoo):
    """The tiny model trains on small patches."""
    from napari_bioseg.models.card import read_card

    folder = tiny_zoo / "tiny2d"
    card = read_card(folder).model_copy(update={"recipe": {"patch": [16, 16], "batch": 1}})
    (folder / "card.yaml").write_text(card.to_yaml())
    return tiny_zoo


@pytest.fixture
def make_stack(make_project, zoo):
    """Make an image with a project; returns its layer."""
    from napari.layers import Image

    truth = np.zeros((7, 32, 32), np.uint8)
    truth[:, 8:24, 10:28] = 1
    values = truth * 100 + np.random.default_rng(0).integers(0, 60, truth.shape, dtype=np.uint8)

    def make(verified, name="stack"):
        project = make_project(name, values, truth, verified, provenance={"model": "tiny2d"})
        layer = Image(values, name=name)
        layer._source = layer._source.model_copy(update={"path": str(project.with_suffix(""))})
        return layer, project

    return make


@pytest.fixture
def open_panel(qtbot, viewer):
    from qtpy.QtCore import QThreadPool

    from napari_bioseg.widgets.finetune_panel import FineTunePanel

    def make(*layers):
        for layer in layers:
            viewer.add_layer(layer)
        panel = FineTunePanel(viewer)
        qtbot.addWidget(panel)
        panel.resize(370, 720)
        panel.show()
        qtbot.waitSignal(panel.setup.looked, timeout=WAIT).wait()
        return panel

    yield make
    assert QThreadPool.globalInstance().waitForDone(30_000)


def click(qtbot, button):
    from qtpy.QtCore import Qt

    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def until_epoch(qtbot, panel, press):
    """Press, and wait for an epoch."""
    with qtbot.waitSignal(panel.training.looked, timeout=WAIT) as caught:
        click(qtbot, press)
    return caught.args[0]


def until_over(qtbot, panel, press):
    """Press, and wait until the training has ended and its traces have been read."""
    with qtbot.waitSignals([panel.training.left, panel.setup.looked], timeout=WAIT, order="strict"):
        click(qtbot, press)
    assert not panel.running


def answer(panel, words):
    """Return a button of the question that stands open."""
    return next(b for b in panel.training.question.buttons() if words in b.text())


def test_pause_cancel_resume_and_stop(qtbot, open_panel, make_stack):
    change_settings(finetune={"effort": "thorough"})
    layer, project = make_stack([0, 2, 4])
    panel = open_panel(layer)
    view = panel.view
    assert view.projects.item(0).text() == "stack.tif: 3 slices verified"
    assert view.plan.text() == "3 slices verified: 2 to learn from, 1 held out to compare on."
    assert view.model.currentData() == "tiny2d"
    assert view.form.controls["name"].inner.placeholderText() == "stack-tiny2d"
    assert not view.resume_button.isVisibleTo(view)

    until_epoch(qtbot, panel, view.start_button)
    run = project / "runs" / "stack-tiny2d"
    assert not view.setup.isVisibleTo(view)
    assert view.pace.text().startswith("Epoch ")
    assert "cpu, " in view.pace.text()
    assert view.preview.title.text().startswith("Held-out patches, epoch ")
    assert view.curves.plots["scores"].isVisibleTo(view)
    click(qtbot, view.pause_button)
    assert view.pause_button.text() == "Continue"
    click(qtbot, view.pause_button)
    assert view.pause_button.text() == "Pause"
    click(qtbot, view.cancel_button)
    until_over(qtbot, panel, answer(panel, "Keep"))
    assert "is kept" in view.notes.text()
    epoch = view.runs.unfinished().now.epoch
    assert 1 <= epoch < 20
    assert view.resume_button.text() == f"Resume stack-tiny2d (epoch {epoch} of 20)"

    state = until_epoch(qtbot, panel, view.resume_button)
    assert state.now.epoch > epoch
    with qtbot.waitSignal(panel.training.trained, timeout=WAIT):
        until_over(qtbot, panel, view.stop_button)
    assert (run / "stack-tiny2d" / "card.yaml").is_file()
    assert view.runs.item(0).text() == "stack-tiny2d: not compared yet"
    assert view.compare_button.isEnabled()
    assert not view.resume_button.isVisibleTo(view)
    assert view.setup.isVisibleTo(view)
    assert f"{run / 'stack-tiny2d'}" in view.notes.text()
    assert "1 held out before" in view.projects.item(0).text()
    assert load_settings().finetune["effort"] == "thorough"


def test_what_is_discarded_is_gone_after_yes(qtbot, open_panel, make_stack):
    layer, project = make_stack([0, 2])
    panel = open_panel(layer)
    click(qtbot, panel.view.start_button)
    assert panel.view.curves.note.text() == "No score: 2 slices verified, 3 are needed."
    qtbot.waitUntil(panel.view.cancel_button.isEnabled, timeout=WAIT)
    click(qtbot, panel.view.cancel_button)
    click(qtbot, answer(panel, "Go on"))
    assert panel.running
    assert panel.training.question is None
    click(qtbot, panel.view.cancel_button)
    assert (project / "runs" / "stack-tiny2d").is_dir()
    until_over(qtbot, panel, answer(panel, "Discard"))
    assert list((project / "runs").iterdir()) == []
    assert panel.view.notes.text() == "stack-tiny2d was discarded."


def test_of_several_networks_the_one_at_work_is_shown(qtbot, open_panel, make_stack):
    from napari_bioseg.training.recipe import Recipe
    from napari_bioseg.workflows.finetuning import FineTuneOptions, fine_tune_recipe, new_run

    layer, project = make_stack([0, 2, 4])
    values = fine_tune_recipe([project], FineTuneOptions(model="tiny2d")).model_dump(mode="json")
    new_run(project, Recipe.checked({**values, "seeds": [1, 2], "epochs": 2, "steps": 2}, "two networks"))
    panel = open_panel(layer)
    view, seen = panel.view, []
    assert view.resume_button.text() == "Resume stack-tiny2d (network 1 of 2)"

    def look(state):
        seen.append((view.pace.text(), view.curves.values["epoch"].size, view.preview.title.text()))

    panel.training.looked.connect(look)
    until_over(qtbot, panel, view.resume_button)
    firsts = {pace.partition(",")[0] for pace, _, _ in seen}
    assert firsts == {"Network 1 of 2", "Network 2 of 2"}
    assert all(0 < epochs <= 2 and "Held-out patches" in title for _, epochs, title in seen)
    assert "left for all" in seen[0][0]
    assert view.runs.item(0).text() == "stack-tiny2d: not compared yet"


def test_nothing_verified_is_told_and_nothing_can_be_started(qtbot, open_panel, make_stack):
    panel = open_panel(make_stack([])[0])
    assert "press V in the panel Correct" in panel.view.plan.text()
    assert not panel.view.start_button.isEnabled()


def test_a_finished_training_opens_the_comparison(qtbot, window, make_stack):
    from qtpy.QtWidgets import QApplication

    from napari_bioseg.metrics.paired import Difference
    from napari_bioseg.plugin.training_runs import read_state
    from napari_bioseg.runs import Run
    from napari_bioseg.widgets.compare_panel import ComparePanel
    from napari_bioseg.workflows.comparison_result import FILE, Comparison, Unit
    from napari_bioseg.workflows.finetuning import FineTuneOptions, fine_tune_recipe, new_run

    layer, project = make_stack([0, 2, 4])
    run = new_run(project, fine_tune_recipe([project], FineTuneOptions(model="tiny2d")))
    Run(run).log(epoch=1, loss=0.5, held_out=0.8)
    (run / "stack-tiny2d").mkdir()
    (run / "stack-tiny2d" / "card.yaml").write_text("name: stack-tiny2d")
    seen = {"dice": Difference("dice", 0.7, 0.8, 0.1, -0.1, 0.3, 1, 1)}
    rows = (Unit("stack", (2,), "stack", {"dice": 0.7}, {"dice": 0.8}),)
    Comparison("tiny2d", "stack-tiny2d", ("dice",), "slice", rows, seen, "no difference can be seen").write(run / FILE)
    window.add_layer(layer)
    window.window.resize(1280, 800)
    dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Fine-tune")
    qtbot.waitUntil(lambda: panel.view.runs.state() is not None, timeout=WAIT)
    qtbot.waitUntil(lambda: dock.width() < 440, timeout=WAIT)  # once it is laid out
    assert panel.view.runs.item(0).text() == "stack-tiny2d: no difference can be seen"
    panel.training.trained.emit(read_state(run))
    compare = next(widget for widget in QApplication.allWidgets() if isinstance(widget, ComparePanel))
    with qtbot.waitSignal(compare.shown, timeout=WAIT):
        click(qtbot, panel.view.compare_button)
    assert compare.view.run.run() == run
    other, same = window.window.add_plugin_dock_widget("napari-bioseg", "Compare")
    assert same is compare
    qtbot.waitUntil(lambda: not compare.running, timeout=WAIT)
    for shown, own in ((dock, panel), (other, compare)):
        with qtbot.waitSignal(own.destroyed, timeout=WAIT):
            window.window.remove_dock_widget(shown)
