"""The panel "Models" in a real window: choose, use, out, in."""

from __future__ import annotations

import zipfile

import pytest

from napari_bioseg.models import find_model, list_models, read_card
from napari_bioseg.models.archive import export_model
from napari_bioseg.models.zoo import changing_family

pytestmark = pytest.mark.gui

WAIT = 60_000


@pytest.fixture
def zoo(tiny_zoo):
    """A zoo in which ``cells`` has three versions, and the second is in use."""
    with changing_family("cells", tiny_zoo / "tiny2d") as family:
        family.add(tiny_zoo / "tiny2d", "promoted", champion=True)
        family.add(tiny_zoo / "tiny3d", "imported")
    return tiny_zoo


@pytest.fixture
def open_panel(qtbot, zoo):
    from qtpy.QtCore import QThreadPool

    def show(window, name="Models"):
        window.window.resize(1280, 800)
        dock, panel = window.window.add_plugin_dock_widget("napari-bioseg", name)
        if name == "Models":
            qtbot.waitUntil(lambda: panel.view.models.rowCount() > 0, timeout=WAIT)
        return dock, panel

    yield show
    assert QThreadPool.globalInstance().waitForDone(30_000)


def click(qtbot, table, row):
    from qtpy.QtCore import Qt

    table.scrollToItem(table.item(row, 1))
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualItemRect(table.item(row, 1)).center())


def choose(qtbot, panel, name):
    names = [panel.view.models.item(i, 0).text() for i in range(panel.view.models.rowCount())]
    click(qtbot, panel.view.models, names.index(name))


def versions_of(panel):
    table = panel.view.versions
    return [[table.item(i, j).text() for j in (0, 3)] for i in range(table.rowCount())]


def press(qtbot, panel, button):
    from qtpy.QtCore import Qt

    with qtbot.waitSignal(panel.done, timeout=WAIT) as caught, qtbot.waitSignal(panel.shown, timeout=WAIT):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    return caught.args[0]


def test_one_click_goes_to_another_version(window, qtbot, open_panel):
    dock, panel = open_panel(window)
    segment = open_panel(window, "Segment")[1]
    qtbot.waitUntil(lambda: segment.view.model.combo.findData("cells") >= 0, timeout=WAIT)
    choose(qtbot, panel, "cells")
    assert versions_of(panel) == [
        ["○ 1", "tiny2d 1.0.0"],
        ["● 2", ""],
        ["○ 3", ""],
    ]
    assert panel.chosen == "cells@2"
    assert panel.view.use_button.text() == "In use"
    assert not panel.view.use_button.isEnabled()
    click(qtbot, panel.view.versions, 2)
    assert "Tests in 3-D" in panel.view.card.text()
    assert "cells is version 3 now" in press(qtbot, panel, panel.view.use_button)
    assert read_card(find_model("cells")).version == "3"
    assert panel.chosen == "cells@3"
    assert [row[0] for row in versions_of(panel)] == ["○ 1", "○ 2", "● 3"]
    model = segment.view.model
    qtbot.waitUntil(lambda: "Tests in 3-D" in tip(model.combo, "cells"), timeout=WAIT)  # the others have heard of it
    with qtbot.waitSignal(panel.destroyed, timeout=WAIT):
        window.window.remove_dock_widget(dock)


def tip(combo, name):
    from qtpy.QtCore import Qt

    return combo.itemData(combo.findData(name), Qt.ItemDataRole.ToolTipRole) or ""


def test_a_model_without_versions_says_how_it_gets_some(window, qtbot, open_panel):
    _, panel = open_panel(window)
    choose(qtbot, panel, "cdv-yolo")
    assert panel.chosen == "cdv-yolo"
    assert not panel.view.versions.isVisible()
    assert not panel.view.use_button.isVisible()
    assert "as cdv-yolo" in panel.view.about.text()
    assert panel.view.export_button.isEnabled()
    assert not panel.view.bioimageio_button.isEnabled()  # the format has no boxes
    choose(qtbot, panel, "cells")
    assert panel.view.versions.isVisible()


def test_out_and_in(window, qtbot, open_panel, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    _, panel = open_panel(window)
    choose(qtbot, panel, "cells")
    click(qtbot, panel.view.versions, 0)
    asked = []

    def answer(_parent, _title, name, _filter):
        asked.append(name)
        return str(tmp_path / name.removesuffix(".zip")), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    for button, file in ((panel.view.export_button, "card.yaml"), (panel.view.bioimageio_button, "rdf.yaml")):
        with qtbot.waitSignal(panel.done, timeout=WAIT):
            button.click()
        qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
        with zipfile.ZipFile(tmp_path / asked[-1]) as archive:
            assert file in archive.namelist()
    assert asked == ["cells-v1.zip", "cells-v1-bioimageio.zip"]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "cells-v1.zip"), ""))
    assert "version 4 of cells" in press(qtbot, panel, panel.view.import_button)
    assert panel.chosen == "cells@4"
    assert [row[0] for row in versions_of(panel)] == ["○ 1", "● 2", "○ 3", "○ 4"]


def test_a_new_model_is_chosen_when_it_has_come(window, qtbot, open_panel, zoo, tmp_path):
    _, panel = open_panel(window)
    file = export_model("tiny2d", tmp_path / "out.zip")
    (zoo / "tiny2d").rename(tmp_path / "tiny2d")
    with qtbot.waitSignal(panel.done, timeout=WAIT), qtbot.waitSignal(panel.shown, timeout=WAIT):
        panel.import_from(file)
    assert panel.chosen == "tiny2d@1"
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)


def test_an_onnx_file_comes_in_with_the_card_beside_it(window, qtbot, open_panel, zoo, make_onnx, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    file = make_onnx()
    card = "input: {axes: YX, normalisation: {method: zscore}}\noutput: {activation: sigmoid}\nclasses: [cell]\n"
    file.with_suffix(".yaml").write_text(card, encoding="utf-8")
    _, panel = open_panel(window)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    assert "version 1 of net" in press(qtbot, panel, panel.view.import_button)
    assert panel.chosen == "net@1"
    assert "From net.onnx" in panel.view.card.text()


def test_what_goes_wrong_is_one_line_and_can_be_mended(window, qtbot, open_panel, zoo, tmp_path):
    (zoo / "cells" / "aliases.yaml").write_text("champion: 9", encoding="utf-8")
    _, panel = open_panel(window)
    assert "cells" not in [card.name for card in list_models()]
    choose(qtbot, panel, "cells")
    assert [row[0] for row in versions_of(panel)] == ["○ 1", "○ 2", "○ 3"]
    assert "names version 9, which is not there" in panel.view.about.text()
    assert panel.view.models.item(panel.view.models.currentRow(), 2).text() == "damaged"
    press(qtbot, panel, panel.view.use_button)
    assert read_card(find_model("cells")).version == "1"
    assert not panel.view.about.isVisible()
    (tmp_path / "no.zip").write_bytes(b"nothing")
    panel.import_from(tmp_path / "no.zip")
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert panel.view.import_button.isEnabled()


def test_every_control_says_what_it_is_for_in_both_themes_and_a_small_window(window, qtbot, open_panel):
    from qtpy.QtWidgets import QAbstractButton, QTableView

    dock, panel = open_panel(window)
    for control in [w for kind in (QAbstractButton, QTableView) for w in panel.view.findChildren(kind)]:
        if control.isVisible() and control.accessibleName() != "":
            assert control.toolTip()
    for theme in ("light", "dark"):
        window.theme = theme
        body = panel.view.scroll.widget()
        assert body.minimumSizeHint().width() <= panel.view.scroll.viewport().width()
        qtbot.waitUntil(lambda: dock.width() < 440, timeout=WAIT)
