"""The question for the axes of a bare stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_bioseg.core.errors import UnknownAxesError

pytestmark = pytest.mark.gui

ERROR = UnknownAxesError("/a/stack.tif", "does not say", shape=(5, 8, 9), choices=("ZYX", "TYX", "CYX"))


@pytest.fixture
def dialog(qtbot):
    from napari_bioseg.widgets.axes_dialog import AxesDialog

    widget = AxesDialog(ERROR, Path("/a"))
    qtbot.addWidget(widget)
    widget.show()
    return widget


def buttons(dialog):
    return {b.property("axes"): b for b in dialog._buttons.buttons()}


def test_each_answer_has_a_picture_and_the_likeliest_is_chosen(dialog):
    shown = buttons(dialog)
    assert list(shown) == ["ZYX", "TYX", "CYX"]
    images = [b.icon().pixmap(96, 72).toImage() for b in shown.values()]
    assert images[0] != images[1] != images[2] != images[0]
    assert dialog.axes == "ZYX"
    assert all(b.toolTip() for b in shown.values())
    assert "stack.tif" in dialog.findChild(type(dialog.problem)).text()


def test_no_part_flashes_as_a_window(qtbot, monkeypatch):
    from qtpy.QtWidgets import QCheckBox, QToolButton

    from napari_bioseg.widgets.axes_dialog import AxesDialog
    from napari_bioseg.widgets.controls import Slider

    shown_bare = []
    for kind in (QCheckBox, QToolButton):
        monkeypatch.setattr(
            kind, "setVisible", lambda self, on: shown_bare.append(self) if on and self.parent() is None else None
        )
    qtbot.addWidget(AxesDialog(ERROR, Path("/a")))
    qtbot.addWidget(Slider(0, 1, optional=True))
    assert not shown_bare


def test_a_click_answers(dialog, qtbot):
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QDialogButtonBox

    qtbot.mouseClick(buttons(dialog)["TYX"], Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(dialog.accepted):
        qtbot.mouseClick(dialog.box.button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton)
    assert dialog.axes == "TYX"
    assert dialog.remember.isChecked()


def test_what_is_typed_wins_and_is_checked(dialog, qtbot):
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QDialogButtonBox

    ok = dialog.box.button(QDialogButtonBox.StandardButton.Ok)
    qtbot.keyClicks(dialog.other, "qyx")
    qtbot.mouseClick(ok, Qt.MouseButton.LeftButton)
    assert dialog.isVisible()
    assert "qyx" in dialog.problem.text()
    dialog.other.clear()
    qtbot.keyClicks(dialog.other, "ryx")
    with qtbot.waitSignal(dialog.accepted):
        qtbot.mouseClick(ok, Qt.MouseButton.LeftButton)
    assert dialog.axes == "ryx"


def test_what_is_wrong_with_an_answer_covers_nothing(dialog, qtbot):
    qtbot.keyClicks(dialog.other, "qyx")
    dialog._accept()
    assert dialog.problem.isVisible()
    assert dialog.height() >= dialog.layout().totalHeightForWidth(dialog.width())
    dialog.other.clear()
    qtbot.keyClicks(dialog.other, "r")
    assert not dialog.problem.isVisible()


@pytest.mark.parametrize(("current", "typed"), [("TYX", ""), ("RYX", "RYX")])
def test_the_answer_of_before_is_offered(qtbot, current, typed):
    from napari_bioseg.widgets.axes_dialog import AxesDialog

    widget = AxesDialog(ERROR, Path("/a"), current=current)
    qtbot.addWidget(widget)
    assert widget.axes == current
    assert widget.other.text() == typed


@pytest.mark.parametrize(("press", "answer"), [("accept", ("ZYX", True)), ("reject", None)])
def test_asking(qtbot, press, answer):
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    from napari_bioseg.widgets.axes_dialog import AxesDialog, ask_axes

    def answer_it():
        found = [w for w in QApplication.topLevelWidgets() if isinstance(w, AxesDialog) and w.isVisible()]
        if found:
            getattr(found[0], press)()
        else:
            QTimer.singleShot(20, answer_it)

    QTimer.singleShot(0, answer_it)
    assert ask_axes(ERROR, Path("/a")) == answer


@pytest.mark.parametrize(
    ("axes", "title"), [("ZYX", "Z stack"), ("TZYX", "Time series × Z stack"), ("YX", "Single plane")]
)
def test_words(axes, title):
    from napari_bioseg.widgets.axes_picture import describe

    assert describe(axes)[0] == title
    assert describe(axes)[1]
