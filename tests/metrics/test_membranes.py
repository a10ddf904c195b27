from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage.measure import label

from napari_bioseg.metrics import membrane_scores, thin_borders


def cells(width: int) -> np.ndarray:
    """Four cells in a square, with a border `width` pixels wide."""
    interior = np.ones((40, 40), bool)
    low = 20 - width // 2
    interior[low : low + width] = interior[:, low : low + width] = False
    return interior


@pytest.mark.parametrize("width", [1, 3, 7])
def test_thinned_borders_are_one_pixel_wide(width):
    thinned = thin_borders(cells(width))
    assert thinned.max() == 4
    # The crossing itself may go to a cell: all its neighbours are lines.
    assert (thinned == 0).sum() in (40 + 40 - 2, 40 + 40 - 1)


def test_a_border_that_ends_inside_a_cell_vanishes():
    interior = np.ones((20, 20), bool)
    interior[10, :12] = False
    assert (thin_borders(interior) == 1).all()


def test_cells_that_touch_at_a_corner_stay_two():
    corner = np.zeros((8, 8), bool)
    corner[:4, :4] = corner[4:, 4:] = True
    assert thin_borders(corner).max() == 2


def test_no_interior_gives_no_cells():
    assert not thin_borders(np.zeros((5, 5), bool)).any()


def test_border_width_of_the_prediction_does_not_matter():
    truth = cells(5)
    for width in (1, 3, 5, 9):
        assert membrane_scores(cells(width).astype(float), truth)["v_rand"] == pytest.approx(1, abs=0.01)


def test_best_threshold_is_found():
    truth = cells(3)
    probability = np.where(truth, 0.75, 0.35)
    scores = membrane_scores(probability, truth)
    assert scores["threshold"] == 0.4
    assert scores["v_rand"] == scores["v_info"] == pytest.approx(1)
    assert scores["pixel_accuracy"] == 1.0
    fixed = membrane_scores(probability, truth, thresholds=(0.2,))  # everything is interior: all cells merged
    assert fixed["v_rand"] == pytest.approx(0.4, abs=0.02)
    assert fixed["v_info"] == 0.0
    assert fixed["threshold"] == 0.2


def test_mean_over_slices_with_true_interior():
    truth = np.stack([cells(3), cells(3), np.zeros((40, 40), bool)])
    probability = np.stack([cells(3), np.ones((40, 40)), cells(3)])
    scores = membrane_scores(probability, truth, thresholds=(0.5,))
    single = [
        membrane_scores(p, t, thresholds=(0.5,))["v_rand"] for p, t in zip(probability[:2], truth[:2], strict=True)
    ]
    assert scores["v_rand"] == pytest.approx(np.mean(single))


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="shape"):
        membrane_scores(np.ones((4, 4)), np.ones((4, 5)))
    with pytest.raises(ValueError, match="no interior"):
        membrane_scores(np.ones((4, 4)), np.zeros((4, 4)))
    with pytest.raises(ValueError, match="no threshold"):
        membrane_scores(np.ones((4, 4)), np.ones((4, 4)), thresholds=())


def test_on_real_membranes(data_dir):
    part = (slice(None), slice(256), slice(256))
    truth = tifffile.imread(data_dir / "membranes" / "label.tif", key=range(2))[part]
    image = tifffile.imread(data_dir / "membranes" / "image.tif", key=range(2))[part]
    perfect = membrane_scores(truth / 255, truth, thresholds=(0.5,))
    assert perfect["v_rand"] > 0.999
    assert perfect["v_info"] > 0.999
    smoothed = membrane_scores(ndimage.gaussian_filter(truth / 255, (0, 1.5, 1.5)), truth)
    raw = membrane_scores(image / 255, truth)
    assert raw["v_rand"] < smoothed["v_rand"] - 0.05
    assert len(np.unique(label(truth[0] > 0, connectivity=1))) > 30
