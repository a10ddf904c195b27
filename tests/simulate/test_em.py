from __future__ import annotations

import numpy as np
import pytest
import tifffile
from skimage.measure import label

from napari_bioseg.metrics import membrane_scores
from napari_bioseg.simulate import em_membranes


@pytest.fixture(scope="module")
def stack():
    return em_membranes((4, 256, 256), 0)


def test_a_seed_gives_one_stack(stack):
    again = em_membranes((4, 256, 256), 0)
    assert np.array_equal(stack[0], again[0])
    assert np.array_equal(stack[1], again[1])
    assert not np.array_equal(stack[1], em_membranes((4, 256, 256), 1)[1])


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 33, 101)])
def test_any_shape(shape):
    image, truth = em_membranes(shape, 0)
    assert image.shape == truth.shape == shape
    assert image.dtype == np.uint8
    assert truth.dtype == bool


def test_membranes_are_dark_and_part_many_cells(stack):
    image, truth = stack
    assert image[~truth].mean() < image[truth].mean() - 30
    assert all(15 < label(plane, connectivity=1).max() < 200 for plane in truth)


def test_neighbouring_sections_resemble_each_other(stack):
    near = (stack[1][0] == stack[1][1]).mean()
    far = (stack[1][0] == np.roll(stack[1][0], 128, axis=0)).mean()
    assert near > far + 0.05


def test_as_much_interior_and_contrast_as_a_real_stack(stack, data_dir):
    image = tifffile.imread(data_dir / "membranes" / "image.tif", key=range(4))
    truth = tifffile.imread(data_dir / "membranes" / "label.tif", key=range(4)) > 0
    assert stack[1].mean() == pytest.approx(truth.mean(), abs=0.1)
    assert stack[0].mean() == pytest.approx(image.mean(), abs=30)
    assert stack[0].std() == pytest.approx(image.std(), rel=0.4)


def test_a_threshold_does_not_solve_it(stack):
    image, truth = stack
    assert membrane_scores(image / 255, truth)["v_rand"] < 0.95
