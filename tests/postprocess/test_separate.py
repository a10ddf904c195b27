"""Lines close gaps between objects, and change nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import watershed

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.postprocess import DecodeOptions, decode_plane, decode_volume
from napari_bioseg.postprocess.separate import classify_apart, lines
from napari_bioseg.postprocess.threshold import classify

ONE = (ClassInfo(value=1, name="cell"),)
TWO = (ClassInfo(value=3, name="a"), ClassInfo(value=9, name="b"))
some = settings(max_examples=30, deadline=None)


def two_cells() -> npt.NDArray[np.float16]:
    """Two cells, and a membrane in column 20 with a gap in rows 9 to 12 that p goes down to 0.6 in."""
    p = np.full((1, 24, 41), 0.99, np.float16)
    p[0, :, 18:23] = np.array([0.9, 0.8, 0.6, 0.8, 0.9])
    p[0, :, 20] = 0.1
    p[0, 9:13, 20] = 0.6
    return p


def decoded(p: npt.NDArray[np.float16], **options: Any) -> npt.NDArray[np.uint32]:
    return decode_plane(p, DecodeOptions(**options), ONE)


def test_a_gap_is_closed_by_a_line_of_one_pixel() -> None:
    p = two_cells()
    before, after = decoded(p, separate=0), decoded(p, separate=0.95)
    closed = np.zeros(before.shape, bool)
    closed[9:13, 20] = True
    assert ((before > 0) & (after == 0) == closed).all()
    assert (after == before)[~closed].all()
    assert decoded(p, separate=0, instances=True).max() == 1
    cells = decoded(p, separate=0.95, instances=True)
    assert cells.max() == 2
    assert cells[0, 0] != cells[0, 40]


def test_without_a_word_no_line_is_drawn() -> None:
    assert (decoded(two_cells()) == decoded(two_cells(), separate=0)).all()


def test_small_objects_are_dropped_after_the_gap_is_closed() -> None:
    labels = decoded(two_cells()[..., :26], separate=0.8, min_size=150)
    assert labels[:, :20].all()
    assert not labels[:, 21:].any()


@pytest.mark.parametrize("slope", [0, 1])
def test_lines_are_no_holes(slope: int) -> None:
    # Two cells within each other's reach from border to border; a sloping line is single pixels to 4 neighbours.
    y, x = np.mgrid[:40, :40]
    p = (0.99 - 0.3 * np.exp(-((x - 20 - slope * (y - 20) / 2) ** 2) / 8))[None].astype(np.float16)
    assert decoded(p, instances=True, separate=0.95).max() == 2
    assert (decoded(p, fill_holes=100, separate=0.95) == decoded(p, separate=0.95)).all()


def test_holes_of_one_cell_are_filled_all_the_same() -> None:
    p = two_cells()
    p[0, 4:6, 5:8] = 0.2
    without, filled = (decoded(p, fill_holes=fill, separate=0.95) for fill in (0, 6))
    assert not without[4:6, 5:8].any()
    assert filled[4:6, 5:8].all()
    assert (filled == without).sum() == without.size - 6


def test_pieces_are_split_at_their_waists_too() -> None:
    # All three touch; the first two are parted by their shape alone, the last by its probability.
    y, x = np.mgrid[:41, :101]
    discs = np.any([(y - 20) ** 2 + (x - centre) ** 2 < 16**2 for centre in (20, 44, 74)], axis=0)
    p = np.where(discs, 0.99 - 0.3 * np.exp(-((x - 59) ** 2) / 4), 0)[None].astype(np.float16)
    steps = {"separate": 0.0, "split": 0.0}, {"separate": 0.9, "split": 0.0}, {"separate": 0.9, "split": 0.8}
    assert [int(decoded(p, instances=True, **step).max()) for step in steps] == [1, 2, 3]


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_each_class_is_parted_by_its_own_probability(activation: str) -> None:
    cells = two_cells()[0].astype(np.float32)
    a, b = np.concatenate([cells, 0 * cells]), np.concatenate([0 * cells, cells])
    p = np.stack([a, b] if activation == "sigmoid" else [1 - a - b, a, b]).astype(np.float16)
    one, more = (decode_plane(p, DecodeOptions(separate=s, instances=True), TWO, activation) for s in (0, 0.95))
    assert (one.max(), more.max()) == (2, 4)
    classes = decode_plane(p, DecodeOptions(separate=0.95), TWO, activation)
    assert (np.unique(classes[:24]).tolist(), np.unique(classes[24:]).tolist()) == ([0, 3], [0, 9])
    assert ((classes > 0) == (more > 0)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (6, 7), (0, 4)])
@pytest.mark.parametrize("value", [0.0, 0.7, 1.0])
def test_planes_of_one_probability(shape: tuple[int, int], value: float) -> None:
    p = np.full((1, *shape), value, np.float16)
    assert (decoded(p, separate=0.9) == (value > 0.5)).all()


def test_what_lies_behind_a_line_stays() -> None:
    # A pocket that is reached only through the pixel in which the two cells meet.
    p = np.full((1, 24, 41), 0.1, np.float16)
    p[0, 10:] = 0.99
    p[0, 10:, 20] = 0.1
    p[0, 10, 20] = 0.6
    p[0, 4:10, 20] = 0.55
    p[0, 4:8, 18:23] = 0.55
    before, after = decoded(p), decoded(p, separate=0.95)
    assert np.argwhere(before != after).tolist() == [[10, 20]]
    assert after[4:10, 20].all()


def test_noise_has_no_cores() -> None:
    p = np.random.default_rng(0).random((1, 80, 90)).astype(np.float16)
    assert (decoded(p, separate=0.9) == decoded(p)).all()


@st.composite
def cells(draw: st.DrawFn) -> npt.NDArray[np.float16]:
    """``(1, Z, Y, X)``."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 50), st.integers(1, 50)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), (0, *(draw(st.sampled_from([2, 4])),) * 2))
    return (1 / (1 + np.exp(-6 * smooth / (smooth.std() + 1e-9) - 2)))[None].astype(np.float16)


@some
@given(p=cells())
def test_lines_are_those_of_a_watershed_of_the_whole_plane(p: Any) -> None:
    inside, smooth = p[0, 0] > 0.5, ndimage.gaussian_filter(p[0, 0].astype(np.float32), 1)
    cores, _ = ndimage.label(inside & (smooth > 0.9))
    cores[np.bincount(cores.ravel())[cores] < 20] = 0
    found = lines(inside, smooth, 0.9)
    flooded = watershed(-smooth, cores, mask=inside, watershed_line=True)
    objects, _ = ndimage.label(inside)
    cored = np.isin(objects, objects[cores > 0])
    assert (found == (inside & cored & (flooded == 0))).all()


@some
@given(p=cells())
def test_no_piece_has_two_cores_and_every_line_lies_between_two(p: Any) -> None:
    inside, smooth = p[0, 0] > 0.5, ndimage.gaussian_filter(p[0, 0].astype(np.float32), 1)
    found = lines(inside, smooth, 0.9)
    assert not (found & ~inside).any()
    cores, _ = ndimage.label(inside & (smooth > 0.9))
    cores[np.bincount(cores.ravel())[cores] < 20] = 0
    assert not (found & (cores > 0)).any()
    pieces, n = ndimage.label(inside & ~found)
    for piece in range(1, n + 1):
        assert len(np.unique(cores[pieces == piece])) <= 2  # with 0
    # Line by line, since a pixel where three of them meet, or at a plateau, may have one neighbour only.
    drawn, n = ndimage.label(found, np.ones((3, 3)))
    for line in range(1, n + 1):
        beside = ndimage.binary_dilation(drawn == line, np.ones((3, 3)))
        assert len(np.unique(pieces[beside & (pieces > 0)])) >= 2


LAYOUT = {"chunks": st.tuples(*[st.integers(3, 20)] * 3), "block": st.integers(60, 6000)}


@some
@given(p=cells(), model_axes=st.sampled_from(["YX", "ZYX"]), **LAYOUT)
def test_a_plane_is_the_plane_of_the_volume_whatever_the_blocks(
    make_prediction: Any, p: Any, model_axes: str, chunks: Any, block: int
) -> None:
    prediction = make_prediction(p, chunks=chunks, model_axes=model_axes)
    options = DecodeOptions(separate=0.9)
    labels = np.asarray(decode_volume(prediction, options, block=block))
    for z, plane in enumerate(labels):
        assert (plane == decode_plane(p[:, z], options, prediction.classes)).all()
    assert (labels == (classify_apart(p, 0.5, 0.9, "sigmoid"))).all()


@some
@given(p=cells(), model_axes=st.sampled_from(["YX", "ZYX"]), fill=st.sampled_from([0, 9]), **LAYOUT)
def test_objects_do_not_depend_on_blocks(
    make_prediction: Any, p: Any, model_axes: str, fill: int, chunks: Any, block: int
) -> None:
    prediction = make_prediction(p, chunks=chunks, model_axes=model_axes)
    options = DecodeOptions(separate=0.9, instances=True, fill_holes=fill, min_size=5, split=0.8)
    one, many = (np.asarray(decode_volume(prediction, options, block=b)) for b in (10**9, block))
    assert ((one == 0) == (many == 0)).all()
    pairs = np.unique(np.stack([one.ravel(), many.ravel()]), axis=1)
    assert all(len(np.unique(side)) == pairs.shape[1] for side in pairs)


def test_off_gives_what_the_threshold_gives() -> None:
    p = np.random.default_rng(0).random((3, 4, 30, 31)).astype(np.float16)
    for activation in ("sigmoid", "softmax"):
        assert (classify_apart(p, 0.4, 0, activation) == classify(p, 0.4, activation)).all()


def test_the_value_of_the_model_is_the_default(make_prediction: Any) -> None:
    prediction = make_prediction(two_cells()[:, None], provenance={"separate": 0.95})
    cut = np.asarray(decode_volume(prediction))
    assert (cut[0] == decoded(two_cells(), separate=0.95)).all()
    off = np.asarray(decode_volume(prediction, DecodeOptions(separate=0)))
    assert (off[0] == decoded(two_cells())).all()
    assert off.sum() > cut.sum()
    holes = np.asarray(decode_volume(prediction, DecodeOptions(fill_holes=99)))
    assert (holes == cut).all()


@pytest.mark.parametrize("options", [{}, {"instances": True}])
def test_every_step_is_counted_and_it_stops_between_planes(make_prediction: Any, options: dict[str, Any]) -> None:
    heard: list[tuple[int, int]] = []
    prediction = make_prediction(np.zeros((1, 8, 8, 8)), chunks=(2, 8, 8))
    job = Job(lambda p: heard.append((p.done, p.total)))
    decode_volume(prediction, DecodeOptions(separate=0.9, **options), job=job, block=128)
    assert heard == [(i, heard[-1][1]) for i in range(len(heard))]
    assert heard[-1][0] == heard[-1][1]
    job.cancel()
    with pytest.raises(Cancelled):
        classify_apart(np.zeros((1, 2, 4, 4), np.float16), 0.5, 0.9, "sigmoid", job=job)


def two_cells_with_cores() -> npt.NDArray[np.float16]:
    """Two cells without anything between them, and after them where the network sees their cores."""
    p = np.full((2, 24, 41), 0.99, np.float16)
    p[1] = 0.1
    p[1, 6:18, 4:16] = p[1, 6:18, 24:36] = 1
    return p


def test_cores_of_the_network_part_what_is_numbered_and_leave_the_classes_whole(make_prediction: Any) -> None:
    p = two_cells_with_cores()
    own = {"threshold": 0.5, "separate": 0.0, "cores": 0.5}
    prediction = make_prediction(p[:, None], model_axes="YX", values=[7], chunks=(1, 12, 41), provenance=own)
    assert prediction.cores
    whole = np.asarray(decode_volume(prediction, block=200))
    assert (whole == 7).all()
    options = DecodeOptions(instances=True)
    cells = np.asarray(decode_volume(prediction, options, block=200))[0]
    assert np.unique(cells).tolist() == [0, 1, 2]
    # One line from top to bottom, between the cores.
    assert ((cells == 0).sum(axis=1) == 1).all()
    assert (cells[:, 16:24] == 0).any(axis=1).all()
    shown = decode_plane(p, options.resolved(own), (ClassInfo(value=7, name="cell"),))
    assert ((shown > 0) == (cells > 0)).all()
    given = DecodeOptions(instances=True, separate=0.0)
    assert np.asarray(decode_volume(prediction, given)).max() == 1


def test_the_channel_of_cores_is_no_class() -> None:
    p = two_cells_with_cores()
    p[0] = 0.2
    assert not decode_plane(p, DecodeOptions(), ONE).any()
    assert not classify_apart(p, 0.5, 0.5, "sigmoid", cores=True).any()
    # With two classes it is one.
    assert decode_plane(p, DecodeOptions(), TWO).any()
