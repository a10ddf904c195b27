"""Controls made from the fields of an options class, so that no option exists in the window only."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_bioseg.core.options import Options
from napari_bioseg.widgets.controls import Check, Choice, Control, Number, Slider, Text

WIDEST = 10**9


class OptionsForm(QWidget):
    """One control a field; the tooltip is the field's description.

    Parameters
    ----------
    options : type of Options
        Where the fields are.
    names : sequence of str
        Which fields, in order.
    labels : Mapping, optional
        Words to show instead of the field's name.
    parent : QWidget, optional
    """

    changed = Signal(str)

    def __init__(
        self,
        options: type[Options],
        names: tuple[str, ...],
        labels: Mapping[str, str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.controls: dict[str, Control] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in names:
            field = options.model_fields[name]
            control = make_control(field)
            control.setObjectName(name)
            words = (labels or {}).get(name) or name.replace("_", " ").capitalize()
            label = QLabel(words)
            for widget in (label, control):
                widget.setToolTip(field.description or "")
            control.setAccessibleName(words)
            control.edited.connect(lambda n=name: self.changed.emit(n))
            layout.addRow(label, control)
            self.controls[name] = control

    def values(self) -> dict[str, Any]:
        """Return what the controls say, by field."""
        return {name: control.value() for name, control in self.controls.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values (those of unknown fields are passed over); nothing is signalled."""
        for name, value in values.items():
            if name in self.controls:
                self.controls[name].set_value(value)


def make_control(field: FieldInfo) -> Control:
    """Return the control for a field, showing its default.

    Raises
    ------
    TypeError
        There is no control for such a type; add one here.
    """
    kind, optional = _unwrapped(field.annotation)
    low, high = _bounds(field)
    control: Control
    if kind is bool:
        control = Check()
    elif get_origin(kind) is Literal:
        control = Choice(get_args(kind))
    elif kind is float and low is not None and high is not None:
        control = Slider(low, high, optional=optional)
    elif kind in (int, float):
        control = Number(kind, -WIDEST if low is None else low, WIDEST if high is None else high, optional=optional)
    elif kind is str or get_origin(kind) is tuple:
        control = Text(numbers=kind is not str, optional=optional)
    else:
        raise TypeError(f"no control for {field.annotation}")
    control.set_value(field.get_default(call_default_factory=True))
    return control


def _unwrapped(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        return inner[0], len(inner) < len(get_args(annotation))
    return annotation, False


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    low = high = None
    for item in field.metadata:
        if isinstance(item, annotated_types.Ge):
            low = float(item.ge)  # type: ignore[arg-type]
        elif isinstance(item, annotated_types.Gt):
            low = float(item.gt)  # type: ignore[arg-type]
        elif isinstance(item, annotated_types.Le):
            high = float(item.le)  # type: ignore[arg-type]
        elif isinstance(item, annotated_types.Lt):
            high = float(item.lt)  # type: ignore[arg-type]
    return low, high
