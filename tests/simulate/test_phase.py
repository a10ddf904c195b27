from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label

from napari_bioseg.simulate import phase_contrast_cells


def test_a_seed_gives_one_image():
    first, again, other = (phase_contrast_cells((120, 160), seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


@pytest.mark.parametrize(("shape", "cells"), [((300, 300), 400), ((40, 90), None)])
def test_each_cell_is_one_piece_however_crowded(shape, cells):
    image, labels = phase_contrast_cells(shape, 0, cells=cells)
    assert image.shape == labels.shape == shape
    assert image.dtype == np.uint8
    assert labels.dtype == np.uint32
    assert list(np.unique(labels)) == list(range(labels.max() + 1))
    for cell in range(1, labels.max() + 1):
        assert label(labels == cell, connectivity=1).max() == 1
        assert (labels == cell).sum() >= 30


def test_number_of_cells():
    assert phase_contrast_cells((200, 200), 0, cells=0)[1].max() == 0
    few = phase_contrast_cells((400, 400), 0, cells=8)[1].max()
    many = phase_contrast_cells((400, 400), 0, cells=60)[1].max()
    assert 1 <= few <= 8 < many <= 60


def test_cells_differ_from_the_background_by_texture_not_by_grey():
    image, labels = phase_contrast_cells((400, 400), 0)
    inside, outside = image[labels > 0].astype(float), image[labels == 0].astype(float)
    assert inside.std() > 1.5 * outside.std()
    assert abs(inside.mean() - outside.mean()) < inside.std()
