"""Every option has a control with its help line, and the controls give back what they were given."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from napari_bioseg.core.options import Options

pytestmark = pytest.mark.gui


class Kinds(Options):
    """One field of every kind."""

    on: bool = Field(True, description="A switch")
    word: Literal["auto", "cpu"] = Field("auto", description="A word")
    count: int = Field(3, ge=0, le=9, description="A number")
    maybe: int | None = Field(None, ge=1, description="A number or none")
    share: float = Field(0.5, ge=0, le=1, description="A share")
    level: float | None = Field(None, ge=0, le=1, description="A share or the model's")
    text: str | None = Field(None, description="A text")
    sizes: tuple[int, ...] | None = Field(None, description="Numbers")


@pytest.fixture
def form(qtbot):
    from napari_bioseg.widgets.options_form import OptionsForm

    widget = OptionsForm(Kinds, tuple(Kinds.model_fields), {"on": "Switch"})
    qtbot.addWidget(widget)
    return widget


def test_defaults_are_shown(form):
    assert form.values() == Kinds().model_dump()


def test_values_go_round(form):
    values = {
        "on": False, "word": "cpu", "count": 9, "maybe": 4, "share": 0.25, "level": 0.75, "text": "a", "sizes": (8, 16),
    }  # fmt: skip
    form.set_values({**values, "unknown": 1})
    assert form.values() == values
    assert Kinds.checked(form.values(), "form").model_dump() == values
    form.set_values(Kinds().model_dump())
    assert form.values() == Kinds().model_dump()


def test_help_lines_are_the_tooltips(form):
    for name, field in Kinds.model_fields.items():
        assert form.controls[name].toolTip() == field.description
        assert form.controls[name].accessibleName()


def test_only_the_user_s_hand_signals(form, qtbot):
    with qtbot.assertNotEmitted(form.changed):
        form.set_values({"on": False, "share": 0.1, "maybe": 2, "word": "cpu", "text": "b"})
    with qtbot.waitSignal(form.changed) as caught:
        form.controls["share"].move(0.9)
    assert caught.args == ["share"]
    with qtbot.waitSignal(form.changed):
        form.controls["on"].inner.click()


def test_an_optional_slider_follows_the_model_until_it_is_moved(form, qtbot):
    control = form.controls["level"]
    control.set_fallback(0.31)
    assert control.value() is None
    assert control.inner.value() == pytest.approx(0.31)
    control.move(0.6)
    control.set_fallback(0.2)
    assert control.value() == pytest.approx(0.6)
    with qtbot.waitSignal(form.changed):
        control.reset_button.click()
    assert control.value() is None
    assert control.inner.value() == pytest.approx(0.2)


def test_a_type_without_a_control_is_an_error():
    from napari_bioseg.widgets.options_form import make_control

    class Odd(Options):
        values: dict[str, int] = Field(default_factory=dict)

    with pytest.raises(TypeError):
        make_control(Odd.model_fields["values"])
