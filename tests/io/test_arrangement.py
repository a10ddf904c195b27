from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core import UnknownAxesError
from napari_bioseg.io.arrangement import arrange, choices, resolve


@pytest.mark.parametrize(
    ("axes", "names"),
    [
        ("?YX", ("ZYX", "TYX", "CYX")),
        ("?YXS", ("ZYXS", "TYXS", "CYXS")),
        ("T?YX", ("TZYX", "TCYX")),
        ("??YX", ("TZYX", "CZYX", "TCYX")),
        ("???YX", ("TCZYX", "CTZYX")),
    ],
)
def test_choices_begin_with_the_likeliest(axes: str, names: tuple[str, ...]) -> None:
    assert choices(axes)[: len(names)] == names


def test_no_choices_beyond_six_dimensions() -> None:
    with pytest.raises(UnknownAxesError, match="its 6 dimensions") as caught:
        resolve("????YX", (2,) * 6, None, "f.zarr")
    assert caught.value.choices == ()


def test_unknown_axes_are_asked_for_by_the_name_of_the_flag() -> None:
    with pytest.raises(UnknownAxesError, match=r"f.tif: .*27 × 128 × 128.*Give --axes ZYX \(or TYX, CYX\)") as caught:
        resolve("?YX", (27, 128, 128), None, "f.tif")
    assert caught.value.shape == (27, 128, 128)


@pytest.mark.parametrize(
    ("own", "said", "axes"),
    [
        ("ZYX", None, "ZYX"),
        ("ZYX", "tyx", "TYX"),
        ("?YXS", "ZYX", "ZYXS"),
        ("?YXS", "TYXS", "TYXS"),
        ("S?YX", "ZYX", "SZYX"),
    ],
)
def test_what_the_user_says_wins(own: str, said: str | None, axes: str) -> None:
    assert resolve(own, (4,) * len(own), said, "f") == axes


@pytest.mark.parametrize("said", ["ZY", "ZZX", "QYX", "ZTC", ""])
def test_what_does_not_fit_is_refused(said: str) -> None:
    with pytest.raises(UnknownAxesError):
        resolve("?YX", (5, 6, 7), said, "f")


@pytest.mark.parametrize(
    ("axes", "shape", "order", "arranged"),
    [
        ("YXS", (8, 9, 3), (0, 1, 2), "YXS"),
        ("SYX", (3, 8, 9), (1, 2, 0), "YXS"),
        ("YXS", (8, 9, 7), (2, 0, 1), "CYX"),
        ("ZYXS", (4, 8, 9, 2), (3, 0, 1, 2), "CZYX"),
        ("TZCYX", (2, 3, 4, 5, 6), (0, 2, 1, 3, 4), "TCZYX"),
        ("XYZ", (2, 3, 4), (2, 1, 0), "ZYX"),
        ("TRYX", (2, 3, 4, 5), (0, 1, 2, 3), "TRYX"),
    ],
)
def test_arrange(axes: str, shape: tuple[int, ...], order: tuple[int, ...], arranged: str) -> None:
    assert arrange(axes, shape, "f") == (order, arranged)


def test_channels_and_odd_samples_cannot_both_be() -> None:
    with pytest.raises(UnknownAxesError, match="both channels and several samples"):
        arrange("CYXS", (2, 8, 9, 5), "f")


@given(st.sampled_from([p for n in range(2, 7) for p in permutations("RTCZYXS", n) if {"Y", "X"} <= set(p)]))
def test_arrange_is_a_permutation_that_ends_in_space_and_samples(letters: tuple[str, ...]) -> None:
    axes = "".join(letters)
    order, arranged = arrange(axes, (3,) * len(axes), "f")
    assert sorted(order) == list(range(len(axes)))
    assert "".join(axes[i] for i in order) == arranged
    assert arranged.rstrip("S").endswith("ZYX" if "Z" in axes else "YX")
