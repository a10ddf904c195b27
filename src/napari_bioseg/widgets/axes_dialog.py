"""Asks once what the dimensions of a bare stack are, with a picture of each answer."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_bioseg.core.axes import parse_axes
from napari_bioseg.core.errors import UnknownAxesError
from napari_bioseg.widgets.axes_picture import SIZE, describe, draw

# napari's style sheet does not tell a checked tool button from another.
CHOSEN = """
QToolButton { border: 2px solid transparent; border-radius: 6px; padding: 4px; }
QToolButton:hover { border-color: rgba(90, 141, 238, 90); }
QToolButton:checked { border-color: rgb(90, 141, 238); background: rgba(90, 141, 238, 40); }
"""


LETTERS = (
    "Axes in the order of the file, if none of the pictures fits: T time, C channels, Z Y X space, S colour samples, "
    "R positions"
)


class AxesDialog(QDialog):
    """Choice of axes.

    Parameters
    ----------
    error : UnknownAxesError
        What the reader said: file, shape, plausible answers.
    folder : Path, optional
        Offered to be remembered for.
    parent : QWidget, optional
    current : str, optional
        The answer of before, chosen at first; by default the likeliest.
    """

    def __init__(
        self,
        error: UnknownAxesError,
        folder: Path | None = None,
        parent: QWidget | None = None,
        *,
        current: str | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("What are the dimensions?")
        self._ndim = len(error.shape)
        self._buttons = QButtonGroup(self)
        shown = " × ".join(str(n) for n in error.shape)
        self.title = QLabel(
            f"<b>{Path(error.subject).name}</b> is {shown} pixels and does not say what its dimensions are."
        )
        self.title.setWordWrap(True)
        self.other = QLineEdit()
        self.other.setPlaceholderText(f"other: {self._ndim} of the letters R T C Z Y X S")
        self.other.setToolTip(LETTERS)
        self.other.textEdited.connect(self._typed)
        self.problem = QLabel("")
        self.problem.setWordWrap(True)
        self.remember = QCheckBox("Use this for all such files in the folder")
        self.remember.setToolTip("Do not ask again for files of this folder with as many dimensions")
        self.remember.setChecked(folder is not None)
        self.box = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.box.accepted.connect(self._accept)
        self.box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.title)
        layout.addLayout(self._choices(error.choices))
        for widget in (self.other, self.problem, self.remember, self.box):
            layout.addWidget(widget)
        self.problem.setVisible(False)  # not before it has a parent: it would be a window
        self.remember.setVisible(folder is not None)
        self._choose(current)

    @property
    def axes(self) -> str:
        """The answer; what was typed wins over the pictures."""
        typed = self.other.text().strip()
        button = self._buttons.checkedButton()
        return typed or (str(button.property("axes")) if button is not None else "")

    def _choices(self, choices: tuple[str, ...]) -> QHBoxLayout:
        row = QHBoxLayout()
        for i, axes in enumerate(choices):
            title, sentence = describe(axes)
            button = QToolButton()
            button.setCheckable(True)
            button.setIconSize(QSize(SIZE))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setText(f"{title}\n{axes}")
            button.setToolTip(sentence)
            button.setMinimumSize(132, 124)
            button.setStyleSheet(CHOSEN)
            button.setProperty("axes", axes)
            button.setChecked(i == 0)
            self._buttons.addButton(button)
            row.addWidget(button)
        return row

    def _choose(self, axes: str | None) -> None:
        pictured = [b for b in self._buttons.buttons() if b.property("axes") == axes]
        for button in pictured:
            button.setChecked(True)
        if axes and not pictured:
            self.other.setText(axes)
            self._typed(axes)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt names it
        """Draw the pictures in the colour of the theme, which is known only now."""
        super().showEvent(event)
        for button in self._buttons.buttons():
            button.setIcon(draw(str(button.property("axes")), self.title.palette(), self.devicePixelRatioF()))

    def _typed(self, text: str) -> None:
        for button in self._buttons.buttons():
            button.setEnabled(not text.strip())
        self._tell("")

    def _tell(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.adjustSize()  # a dialog does not grow by itself, and its parts would overlap

    def _accept(self) -> None:
        try:
            parse_axes(self.axes, self._ndim, "")
        except UnknownAxesError as error:
            self._tell(f"{error.problem[0].upper()}{error.problem[1:]}. {error.fix}.")
            return
        self.accept()


def ask_axes(
    error: UnknownAxesError, folder: Path | None, parent: QWidget | None = None, *, current: str | None = None
) -> tuple[str, bool] | None:
    """Show the dialog; return the axes and whether to remember them, or None when it was cancelled."""
    dialog = AxesDialog(error, folder, parent, current=current)
    try:
        if dialog.exec() != QDialog.DialogCode.Accepted:
            return None
        return dialog.axes.upper(), dialog.remember.isChecked()
    finally:
        dialog.deleteLater()
