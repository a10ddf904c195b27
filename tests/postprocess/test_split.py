from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.postprocess import DecodeOptions, PlaneDecoder, decode_plane
from napari_bioseg.postprocess.split import split_object

ONE = (ClassInfo(value=1, name="cell"),)


def discs(*centres: tuple[float, float, float], shape: tuple[int, int] = (60, 100)) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.any([(y - cy) ** 2 + (x - cx) ** 2 < r * r for cy, cx, r in centres], axis=0)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(("strength", "pieces"), [(0.0, 1), (0.5, 1), (0.7, 2), (0.9, 2)])
def test_two_discs_are_cut_at_the_waist(scale: int, strength: float, pieces: int) -> None:
    # Radius 20, centres 32 apart: the waist has a half-width of 12, three fifths of the radius.
    mask = discs((30, 30, 20), (30, 62, 20)).repeat(scale, axis=0).repeat(scale, axis=1)
    found = split_object(mask, strength, (1.0, 1.0), 0)
    assert found.max() == pieces
    assert ((found > 0) == mask).all()
    if pieces == 2:
        left, right = (
            np.argwhere(found == i)[:, 1] for i in sorted((1, 2), key=lambda i: np.argwhere(found == i)[:, 1].mean())
        )
        assert abs(left.max() - 46 * scale) <= 2 * scale
        assert abs(right.min() - 46 * scale) <= 2 * scale


def test_a_disc_is_not_cut() -> None:
    assert split_object(discs((30, 50, 25)), 0.9, (1.0, 1.0), 0).max() == 1


def test_a_small_disc_beside_a_large_one_is_cut_off() -> None:
    found = split_object(discs((30, 35, 25), (30, 66, 8)), 0.8, (1.0, 1.0), 0)
    assert sorted(np.bincount(found.ravel())[1:] > 500) == [False, True]


@pytest.mark.parametrize(("min_size", "pieces"), [(0, 3), (300, 2), (5000, 1)])
def test_no_cut_leaves_less_than_the_minimum(min_size: int, pieces: int) -> None:
    mask = discs((30, 22, 17), (30, 50, 17), (30, 72, 8))
    found = split_object(mask, 0.8, (1.0, 1.0), min_size)
    assert found.max() == pieces
    assert ((found > 0) == mask).all()


def test_pieces_get_numbers_of_their_own() -> None:
    mask = discs((20, 20, 15), (20, 44, 15), (45, 80, 10))
    labels = decode_plane(mask[None].astype(np.float16), DecodeOptions(instances=True, split=0.8), ONE)
    assert ((labels > 0) == mask).all()
    assert np.unique(labels).tolist() == [0, 1, 2, 3]
    assert len({int(labels[20, 20]), int(labels[20, 44]), int(labels[45, 80])}) == 3


def test_a_decoder_that_knows_the_waists_gives_what_a_fresh_one_gives() -> None:
    smooth = ndimage.gaussian_filter(np.random.default_rng(5).standard_normal((1, 150, 200)), (0, 4, 4))
    p = (1 / (1 + np.exp(-3 * smooth / smooth.std()))).astype(np.float16)
    decoder = PlaneDecoder(p, ONE)
    counts = []
    for change in (
        {},
        {"split": 0.4},
        {"split": 0.9},
        {"split": 0.0},
        {"split": 0.9},
        {"min_size": 90},
        {"fill_holes": 40, "split": 0.7},
        {"threshold": 0.7, "split": 0.8},
        {"threshold": 0.7, "split": 0.8, "instances": False},
    ):
        options = DecodeOptions(**{"threshold": 0.6, "instances": True, "split": 0.7, **change})
        labels = decoder.decode(options)
        assert (labels == decode_plane(p, options, ONE)).all()
        counts.append(int(labels.max()))
    assert len(set(counts[:4])) == 4  # it matters


def test_only_the_strength_of_a_cut_is_followed_at_once() -> None:
    p = discs((30, 30, 20), (30, 62, 20))[None].astype(np.float16)
    options = DecodeOptions(instances=True, split=0.7)
    decoder = PlaneDecoder(p, ONE)
    assert not decoder.knows_cuts(options)
    decoder.decode(options)
    assert decoder.knows_cuts(options.model_copy(update={"split": 0.3}))
    for change in ({"min_size": 3}, {"threshold": 0.6}, {"split": 0.0}, {"instances": False}):
        assert not decoder.knows_cuts(options.model_copy(update=change))


def test_an_object_too_large_for_memory_is_left_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    p = discs((20, 20, 15), (20, 44, 15), (45, 80, 10))[None].astype(np.float16)
    options = DecodeOptions(instances=True, split=0.8)
    assert decode_plane(p, options, ONE).max() == 3
    monkeypatch.setattr("napari_bioseg.postprocess.split.LARGEST", 1000)
    assert decode_plane(p, options, ONE).max() == 2
