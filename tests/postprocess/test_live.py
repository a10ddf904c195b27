"""What a plane shows while a slider moves."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.postprocess import DecodeOptions, PlaneDecoder, decode_plane

CLASSES = {1: (ClassInfo(value=4, name="cell"),), 2: (ClassInfo(value=3, name="a"), ClassInfo(value=9, name="b"))}


def cells(kinds: int = 1) -> npt.NDArray[np.float16]:
    """Some twenty cells that run into each other: ``(kinds, Y, X)``."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(5).standard_normal((kinds, 90, 80)), (0, 4, 4))
    return (1 / (1 + np.exp(-4 * smooth / smooth.std()))).astype(np.float16)


def decoder(p: npt.NDArray[np.float16], frame: float) -> PlaneDecoder:
    return PlaneDecoder(p, CLASSES[len(p)], frame=frame)


def options(**values: Any) -> DecodeOptions:
    return DecodeOptions(**{"threshold": 0.3, **values})


CROSS = ndimage.generate_binary_structure(2, 1)
CUTS: list[dict[str, Any]] = [
    {"separate": 0.8},
    {"separate": 0.8, "instances": True, "fill_holes": 20},
    {"instances": True, "split": 0.8, "min_size": 9},
    {"separate": 0.8, "instances": True, "split": 0.8},
]


@pytest.mark.parametrize("kinds", [1, 2])
@pytest.mark.parametrize("cut", CUTS)
def test_where_cutting_takes_less_than_a_frame_all_is_followed(kinds: int, cut: dict[str, Any]) -> None:
    p = cells(kinds)
    live = decoder(p, inf)
    for threshold in (0.3, 0.35, 0.2):
        for more in ({}, {k: v * 0.9 for k, v in cut.items() if k in ("separate", "split")}):
            wanted = options(threshold=threshold, **{**cut, **more})
            assert (live.follow(wanted) == decode_plane(p, wanted, CLASSES[kinds])).all()


def test_else_the_lines_of_before_stay_while_the_threshold_moves() -> None:
    p, live = cells(), decoder(cells(), 0)
    cut = {"separate": 0.8}
    # The first are drawn, since there are none of before.
    assert (live.follow(options(**cut)) == decode_plane(p, options(**cut), CLASSES[1])).all()
    before = (decode_plane(p, options(), CLASSES[1]) > 0) & (live.decode(options(**cut)) == 0)
    moved = live.follow(options(threshold=0.2, **cut))
    whole = decode_plane(p, options(threshold=0.2), CLASSES[1])
    assert before.any()
    assert (moved == np.where(before, 0, whole)).all()
    at_rest = decode_plane(p, options(threshold=0.2, **cut), CLASSES[1])
    assert (moved != at_rest).any()
    assert (live.decode(options(threshold=0.2, **cut)) == at_rest).all()


def test_lines_are_drawn_on_a_coarser_grid_while_their_own_slider_moves() -> None:
    p = cells().repeat(4, 1).repeat(4, 2)[:, :-1, :-2]
    live = decoder(p, 0)
    live.decode(options(separate=0.7))
    whole = decode_plane(p, options(), CLASSES[1]) > 0
    for separate in (0.8, 0.9):
        exact, shown = decode_plane(p, options(separate=separate), CLASSES[1]), live.follow(options(separate=separate))
        line, drawn = whole & (exact == 0), whole & (shown == 0)
        assert not shown[~whole].any()
        # All lines to within a cell of the grid, few others; about as many objects.
        assert drawn.sum() > 2 * line.sum() > 0
        assert ndimage.binary_dilation(drawn, iterations=4)[line].all()
        assert ndimage.binary_dilation(line, iterations=8)[drawn].mean() > 0.7
        counts = [ndimage.label(labels)[1] for labels in (whole, exact, shown)]
        assert counts[1] - counts[0] >= 4
        assert abs(counts[2] - counts[1]) <= 1
        assert (live.decode(options(separate=separate)) == exact).all()


@pytest.mark.parametrize("kinds", [1, 2])
def test_waists_are_cut_at_rest_and_from_then_on_as_strongly_as_their_slider_says(kinds: int) -> None:
    p, live = cells(kinds), decoder(cells(kinds), 0)
    cut = {"instances": True, "split": 0.9}
    uncut = decode_plane(p, options(instances=True), CLASSES[kinds])
    assert (live.follow(options(**cut)) == uncut).all()
    assert (live.decode(options(**cut)) != uncut).any()
    wanted = options(instances=True, split=0.8)
    assert (live.follow(wanted) == decode_plane(p, wanted, CLASSES[kinds])).all()


@pytest.mark.parametrize("kinds", [1, 2])
def test_pieces_stay_apart_while_the_threshold_moves(kinds: int) -> None:
    p, live = cells(kinds), decoder(cells(kinds), 0)
    cut = {"instances": True, "split": 0.9}
    pieces = live.decode(options(**cut))
    uncut = decode_plane(p, options(instances=True), CLASSES[kinds])
    assert pieces.max() > uncut.max()
    # A little lower: as many pieces, but for a line of one pixel between any two that touch, and none elsewhere.
    moved = live.follow(options(threshold=0.299, **cut))
    whole = decode_plane(p, options(threshold=0.299, instances=True), CLASSES[kinds])
    line = (whole > 0) & (moved == 0)
    assert line.any()
    beside = ndimage.maximum_filter(pieces, footprint=CROSS)[line] != pieces[line]
    assert (beside | (ndimage.minimum_filter(pieces, footprint=CROSS)[line] != pieces[line])).all()
    for piece in np.unique(moved)[1:]:
        assert len(np.unique(pieces[(moved == piece) & (pieces > 0)])) <= 1
