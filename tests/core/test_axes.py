from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core.axes import KNOWN, SPATIAL, UNIT_OF, example, parse_axes, spatial, to_standard_unit
from napari_bioseg.core.errors import UnknownAxesError

usable = (
    st.permutations(KNOWN)
    .flatmap(lambda letters: st.integers(2, len(KNOWN)).map(lambda n: "".join(letters[:n])))
    .filter(lambda axes: {"Y", "X"} <= set(axes))
)


@given(usable)
def test_usable_axes_are_kept_in_their_order(axes):
    assert parse_axes(f" {axes.lower()} ", len(axes)) == axes
    assert spatial(axes) == "".join(a for a in axes if a in SPATIAL)


@pytest.mark.parametrize("text", ["ZYQ", "ZZX", "TCZ", "ZY", "ZYXC", ""])
def test_unusable_axes_are_refused_with_an_example(text):
    with pytest.raises(UnknownAxesError, match="ZYX") as refused:
        parse_axes(text, 3, "stack.tif")
    assert refused.value.subject == "stack.tif"


@pytest.mark.parametrize("ndim", [2, 3, 4, 5, 6])
def test_the_example_can_be_used(ndim):
    assert parse_axes(example(ndim), ndim) == example(ndim)


@pytest.mark.parametrize(
    ("axis", "value", "unit", "expected"),
    [
        ("X", 0.65, "µm", 0.65),
        ("X", 0.65, "μm", 0.65),
        ("Y", 650, "nm", 0.65),
        ("Z", 2, "Micron", 2),
        ("Z", 0.002, "mm", 2),
        ("X", 1, "inch", 25400),
        ("X", 40, "Å", 0.004),
        ("T", 1500, "ms", 1.5),
        ("T", 2, "min", 120),
        ("T", 1, " H ", 3600),
    ],
)
def test_units_become_micrometers_and_seconds(axis, value, unit, expected):
    assert to_standard_unit(axis, value, unit) == (pytest.approx(expected), UNIT_OF[axis])


@pytest.mark.parametrize(("axis", "unit"), [("X", "pixel"), ("X", None), ("X", "s"), ("T", "µm"), ("C", "µm")])
def test_what_is_no_length_or_time_stays_as_it_is(axis, unit):
    assert to_standard_unit(axis, 3.0, unit) == (3.0, None)
