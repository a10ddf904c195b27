from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_bioseg.metrics import dice, iou, oracle_threshold_dice, pixel_accuracy

masks = hnp.arrays(bool, st.shared(hnp.array_shapes(min_dims=1, max_dims=3, max_side=8), key="shape"))


@given(masks, masks)
def test_dice_and_iou_are_the_same_ranking(p, t):
    d, j = dice(p, t), iou(p, t)
    assert d == pytest.approx(2 * j / (1 + j))
    assert dice(t, p) == d
    assert 0 <= j <= d <= 1


@given(masks)
def test_a_mask_agrees_with_itself(mask):
    assert dice(mask, mask) == iou(mask, mask) == pixel_accuracy(mask, mask) == 1.0


def test_by_hand():
    truth = np.array([1, 1, 1, 0, 0, 0], bool)
    prediction = np.array([0, 1, 1, 1, 0, 0], bool)
    assert dice(prediction, truth) == pytest.approx(4 / 6)
    assert iou(prediction, truth) == pytest.approx(2 / 4)
    assert pixel_accuracy(prediction, truth) == pytest.approx(4 / 6)


def test_empty_masks():
    nothing, something = np.zeros(4, bool), np.array([0, 1, 0, 0], bool)
    assert dice(nothing, nothing) == iou(nothing, nothing) == 1.0
    assert dice(nothing, something) == iou(something, nothing) == 0.0


def test_non_zero_is_foreground():
    assert dice(np.array([0, 255, 7]), np.array([0, 1, 1])) == 1.0


@pytest.mark.parametrize("score", [dice, iou, pixel_accuracy, oracle_threshold_dice])
def test_shapes_must_be_equal(score):
    with pytest.raises(ValueError, match=r"\(3, 1\)"):
        score(np.ones((3, 1)), np.ones((1, 3)))


def test_pixel_accuracy_of_labels():
    assert pixel_accuracy(np.array([0, 1, 2, 3]), np.array([0, 1, 2, 0])) == 0.75
    with pytest.raises(ValueError, match="shape"):
        pixel_accuracy(np.zeros(0), np.zeros(0))


@given(
    hnp.arrays(np.uint8, st.shared(hnp.array_shapes(min_dims=1, max_dims=2, max_side=6), key="image")),
    hnp.arrays(bool, st.shared(hnp.array_shapes(min_dims=1, max_dims=2, max_side=6), key="image")),
)
def test_oracle_is_the_best_of_all_thresholds(image, truth):
    best, threshold = oracle_threshold_dice(image, truth)
    everything = [dice(image >= t, truth) for t in np.unique(image)]
    assert best == pytest.approx(max(everything))
    assert dice(image >= threshold, truth) == pytest.approx(best)


def test_dice_equals_monai():
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(0)
    p, t = rng.random((2, 1, 1, 16, 16)) > 0.4
    theirs = metrics.DiceMetric(include_background=True)(torch.tensor(p), torch.tensor(t))
    assert dice(p, t) == pytest.approx(float(theirs), abs=1e-6)
