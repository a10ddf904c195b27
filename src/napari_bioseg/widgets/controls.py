"""Small controls with one face: `value`, `set_value` and `edited`, which only the user's hand sets off."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QWidget,
)
from superqt import QLabeledDoubleSlider


class Control(QWidget):
    """A control that holds one widget; the signal `edited` comes when the user changes it, not the program."""

    edited = Signal()

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self.inner = inner
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.addWidget(inner, 1)
        self.setFocusProxy(inner)

    def value(self) -> Any:
        """Return the value of the option."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value without the signal."""
        blocker = QSignalBlocker(self.inner)
        self._show(value)
        blocker.unblock()

    def _show(self, value: Any) -> None:
        raise NotImplementedError


class Check(Control):
    """Yes or no."""

    def __init__(self) -> None:
        self._box = QCheckBox()
        super().__init__(self._box)
        self._box.toggled.connect(lambda _on: self.edited.emit())

    def value(self) -> bool:
        """Return whether it is ticked."""
        return self._box.isChecked()

    def _show(self, value: Any) -> None:
        self._box.setChecked(bool(value))


class Choice(Control):
    """One of a few words."""

    def __init__(self, words: tuple[Any, ...]) -> None:
        self._combo = QComboBox()
        super().__init__(self._combo)
        for word in words:
            self._combo.addItem(str(word), word)
        self._combo.activated.connect(lambda _i: self.edited.emit())

    def value(self) -> Any:
        """Return the chosen word."""
        return self._combo.currentData()

    def _show(self, value: Any) -> None:
        self._combo.setCurrentIndex(max(0, self._combo.findData(value)))


class Number(Control):
    """A whole or broken number; an optional one shows "auto" below its smallest value, which stands for None."""

    def __init__(self, kind: type, low: float, high: float, *, optional: bool = False) -> None:
        box: Any = QSpinBox() if kind is int else QDoubleSpinBox()
        super().__init__(box)
        self._box, self._kind, self._optional = box, kind, optional
        box.setKeyboardTracking(False)
        most = kind(min(high, 2**31 - 1))
        least = kind(max(low, -(2**31)))
        box.setRange(least - 1 if optional else least, most)
        box.setMinimumWidth(70)
        if optional:
            box.setSpecialValueText("auto")
        box.valueChanged.connect(lambda _v: self.edited.emit())

    def value(self) -> Any:
        """Return the number, or None for "auto"."""
        if self._optional and self._box.value() == self._box.minimum():
            return None
        return self._kind(self._box.value())

    def _show(self, value: Any) -> None:
        self._box.setValue(self._box.minimum() if value is None else self._kind(value))


class Slider(Control):
    """A number between two bounds; an optional one follows `fallback` until it is moved, and again after a reset."""

    def __init__(self, low: float, high: float, *, optional: bool = False) -> None:
        self._slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        super().__init__(self._slider)
        self._slider.setRange(low, high)
        self._slider.setDecimals(2)
        self._slider.setSingleStep(0.01)
        self._slider.setPageStep(0.1)
        self._slider.valueChanged.connect(self._moved)
        self._own: float | None = None
        self._optional, self._fallback = optional, low
        self.reset_button = QToolButton()
        self.reset_button.setText("↺")
        self.reset_button.setToolTip("Back to the model's own value")
        self.reset_button.clicked.connect(self._reset)
        self.reset_button.setEnabled(False)
        self.row.addWidget(self.reset_button)
        self.reset_button.setVisible(optional)  # not before it has a parent: it would be a window

    def value(self) -> float | None:
        """Return the number; None while an optional one follows the fallback."""
        return self._own

    def set_fallback(self, value: float) -> None:
        """Show `value` while the user has not moved the slider."""
        self._fallback = value
        self.set_value(self._own)

    def move(self, value: float) -> None:
        """Move it as the user does."""
        self._slider.setValue(value)

    def _show(self, value: Any) -> None:
        self._own = None if value is None and self._optional else float(value)
        self._slider.setValue(self._fallback if self._own is None else self._own)
        self.reset_button.setEnabled(self._own is not None)

    def _moved(self, value: float) -> None:
        self._own = round(float(value), 2)
        self.reset_button.setEnabled(True)
        self.edited.emit()

    def _reset(self) -> None:
        self.set_value(None)
        self.edited.emit()


class Text(Control):
    """A line of text, or whole numbers set apart by commas; empty stands for None."""

    def __init__(self, *, numbers: bool = False, optional: bool = False) -> None:
        self._line = QLineEdit()
        super().__init__(self._line)
        self._numbers, self._optional = numbers, optional
        self._line.setPlaceholderText("auto" if optional else "")
        self._line.editingFinished.connect(self.edited)

    def value(self) -> Any:
        """Return the text, the numbers as a tuple (as text where they are none), or None."""
        text = self._line.text().strip()
        if not text:
            return None if self._optional else ""
        parts = [p.strip() for p in text.split(",") if p.strip()]
        if self._numbers and all(p.isdecimal() for p in parts):
            return tuple(int(p) for p in parts)
        return text

    def _show(self, value: Any) -> None:
        if isinstance(value, tuple | list):
            value = ",".join(str(v) for v in value)
        self._line.setText("" if value is None else str(value))
