"""The panel "Runs", in a real window, with a store of MLflow on this computer."""

from __future__ import annotations

import pytest

from .conftest import WAIT

pytestmark = pytest.mark.gui


@pytest.fixture
def make_run(tmp_path, mlflow_store):
    from napari_bioseg.runs import Run

    def make(name, losses, kind="training"):
        run = Run(tmp_path / name)
        run.start(f"name: {name}\n", kind=kind, name=name, tags={"image": "stack"})
        for epoch, loss in enumerate(losses, start=1):
            run.log(epoch=epoch, loss=loss, score=1 - loss / 4)
        run.end("finished")
        return run.folder

    return make


@pytest.fixture
def open_panel(window, qtbot):
    from qtpy.QtCore import QThreadPool

    def make(runs):
        _, panel = window.window.add_plugin_dock_widget("napari-bioseg", "Runs")
        qtbot.waitUntil(lambda: panel.view.runs.rowCount() == runs, timeout=WAIT)
        return panel

    yield make
    assert QThreadPool.globalInstance().waitForDone(30_000)


def _cells(panel, column):
    table = panel.view.runs
    return [table.item(row, column).text() for row in range(table.rowCount())]


def _choose(panel, qtbot, *rows):
    panel.view.runs.choose_rows(rows)
    panel.view.runs.picked.emit()


def test_two_runs_are_seen_together_and_found_by_words(open_panel, qtbot, make_run):
    make_run("one", (2.0, 1.5))
    make_run("two", (1.0, 0.5, 0.25))
    panel = open_panel(2)
    view = panel.view
    assert _cells(panel, 0) == ["two", "one"]
    view.figure.setCurrentText("loss")
    assert _cells(panel, 2) == ["0.25", "1.5"]
    assert _cells(panel, 3) == ["local", "local"]
    _choose(panel, qtbot, 0)
    assert "image stack" in view.about.text()
    _choose(panel, qtbot, 0, 1)
    assert len(view.overlay.plot.listDataItems()) == 2
    assert view.beside.isVisibleTo(panel)
    assert [view.beside.item(row, 0).text() for row in range(2)] == ["score", "loss"]
    view.search.setText("one")
    assert _cells(panel, 0) == ["one"]


def test_a_server_that_is_not_there_is_one_line_and_the_own_store_takes_all(open_panel, qtbot, make_run):
    folder = make_run("one", (2.0, 1.5))
    panel = open_panel(1)
    view = panel.view
    view.server.setText("http://127.0.0.1:1")
    with qtbot.waitSignal(panel.done, timeout=WAIT):
        view.test_button.click()
    assert "cannot be reached" in view.notes.text()
    with qtbot.waitSignal(panel.done, timeout=WAIT):
        view.sync_button.click()
    assert "cannot be reached" in view.notes.text()
    qtbot.waitUntil(lambda: _cells(panel, 3) == ["pending"], timeout=WAIT)
    view.server.clear()
    with qtbot.waitSignal(panel.done, timeout=2 * WAIT):
        view.sync_button.click()
    assert "1 sent" in view.notes.text()
    qtbot.waitUntil(lambda: _cells(panel, 3) == ["synced"], timeout=WAIT)
    assert folder.is_dir()


def test_deleting_asks_first(open_panel, window, qtbot, make_run):
    from qtpy.QtWidgets import QMessageBox

    folder = make_run("one", (2.0,))
    make_run("many", (), kind="batch")
    panel = open_panel(2)
    _choose(panel, qtbot, 0, 1)
    panel.view.delete_button.click()
    box = panel.findChild(QMessageBox)
    assert str(folder) in box.text()
    assert "would begin anew" in box.informativeText()
    box.button(QMessageBox.StandardButton.Cancel).click()
    assert folder.is_dir()
    _choose(panel, qtbot, 1)
    panel.view.delete_button.click()
    qtbot.waitUntil(lambda: any(b.isVisible() for b in panel.findChildren(QMessageBox)), timeout=WAIT)
    box = next(b for b in panel.findChildren(QMessageBox) if b.isVisible())
    assert "begin anew" not in box.informativeText()
    box.button(QMessageBox.StandardButton.Yes).click()
    qtbot.waitUntil(lambda: _cells(panel, 0) == ["many"], timeout=WAIT)
    assert not folder.exists()
