from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_bioseg.core.errors import EditError
from napari_bioseg.corrections.change import bounding_box
from napari_bioseg.editing import objects
from napari_bioseg.editing.ground import Ground, compact
from napari_bioseg.editing.objects import highest_label, under

SHAPES = st.sampled_from([(23, 31), (9, 14, 11)])


def noise(seed, shape):
    """Labels in pieces of all shapes, many of which wind through several blocks."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(0.5, 1.5))
    return np.digitize(smooth / smooth.std(), [-0.2, 0.5, 1]).astype(np.uint32) * np.uint32(70_000)


def full(shape):
    return tuple(slice(0, n) for n in shape)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), SHAPES, st.booleans())
def test_an_object_is_what_labelling_the_whole_finds(look, small_blocks, stored, seed, shape, pieces):
    labels = noise(seed, shape)
    point = tuple(int(i) for i in np.argwhere(labels)[seed % np.count_nonzero(labels)])
    same = labels == labels[point]
    numbers, _ = ndimage.label(same, np.ones((3,) * len(shape)))
    expected = numbers == numbers[point] if pieces else same
    with small_blocks():
        ground = Ground(look(stored(labels, (4,) * len(shape)), pieces=pieces), "Test")
        assert len(ground.grid) > 10
        found = under(ground, point)
        assert np.array_equal(found.window(full(shape)), expected)
        assert found.box == bounding_box(expected)
        box, mask = found.whole()
        assert np.array_equal(mask, expected[box])
        assert all(found.has(tuple(p)) == expected[tuple(p)] for p in np.argwhere(same)[:5].tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), SHAPES)
def test_the_highest_label_is_found_block_by_block(small_blocks, stored, seed, shape):
    labels = np.random.default_rng(seed).integers(0, 2**32, shape, dtype=np.uint32)
    with small_blocks():
        assert highest_label(stored(labels, (3,) * len(shape))) == labels.max()
        assert highest_label(labels) == labels.max()


def test_labels_of_no_pixels_have_no_highest():
    assert highest_label(np.zeros((0, 5), np.uint32)) == 0


class Watched:
    """Labels that note how much is read of them."""

    def __init__(self, labels, chunks):
        self._labels, self.chunks = labels, chunks
        self.shape, self.ndim, self.read = labels.shape, labels.ndim, []

    def __getitem__(self, box):
        part = self._labels[box]
        self.read.append(part.size)
        return part


def test_of_a_large_volume_only_what_a_small_object_touches_is_read(look):
    labels = np.zeros((128, 512, 512), np.uint32)
    labels[60:68, 250:260, 250:260] = 9
    watched = Watched(labels, (64, 64, 64))
    found = under(Ground(look(watched), "Test"), (62, 255, 255))
    assert found.box == (slice(60, 68), slice(250, 260), slice(250, 260))
    assert sum(watched.read) <= 1 + 8 * 64**3


def test_of_a_large_object_no_more_than_a_block_is_read_at_once(look):
    labels = np.ones((64, 256, 256), np.uint32)
    watched = Watched(labels, (16, 64, 64))
    found = under(Ground(look(watched), "Test"), (1, 2, 3))
    assert found.box == full(labels.shape)
    assert max(watched.read) <= 2**18


def test_what_would_not_fit_into_memory_is_refused(look, monkeypatch):
    monkeypatch.setattr(objects, "LARGEST", 99)
    found = under(Ground(look(np.full((10, 10), 7, np.uint32)), "Split"), (0, 0))
    with pytest.raises(EditError, match="Split: the object with label 7 is too large to be seen as a whole"):
        found.whole()


@pytest.mark.parametrize("chunks", [(1, 1, 1), (1, 1024, 1024), (64, 64, 64), (256, 1024, 1024), (7, 300, 20)])
def test_blocks_are_of_whole_chunks_unless_these_are_huge(chunks):
    grid = compact((256, 1024, 1024), chunks, 2**18)
    if prod(chunks) <= 2**24:
        assert all(e % c == 0 or e == n for e, c, n in zip(grid.edges, chunks, grid.shape, strict=True))
        assert prod(grid.edges) <= max(2**18, prod(chunks))
    assert 2**16 < prod(grid.edges) <= 2**24


def test_a_click_beside_the_labels_is_refused(look):
    labels = np.ones((4, 5), np.uint32)
    for point in ((-1, 0), (0, 5)):
        with pytest.raises(EditError, match="Test: the click is outside the labels"):
            under(Ground(look(labels), "Test"), point)
