from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import adapted_rand_error, variation_of_information

from napari_bioseg.metrics import information_scores, rand_scores

labels = hnp.arrays(np.uint32, (5, 5), elements=st.integers(0, 4))


def with_foreground(truth):
    truth = truth.copy()
    truth[0, 0] = 1
    return truth


@given(labels, labels)
def test_rand_counts_pairs(prediction, truth):
    """Against the definition: of all ordered pairs of foreground pixels, which are together."""
    truth = with_foreground(truth)
    inside = np.flatnonzero(truth > 0)
    t, p = truth.ravel()[inside], prediction.ravel()[inside].astype(int)
    p = np.where(p == 0, -np.arange(len(p)) - 1, p)  # each unassigned pixel is alone
    pairs = list(itertools.product(range(len(t)), repeat=2))
    both = sum(t[i] == t[j] and p[i] == p[j] for i, j in pairs)
    scores = rand_scores(prediction, truth)
    assert scores.split == pytest.approx(both / sum(t[i] == t[j] for i, j in pairs))
    assert scores.merge == pytest.approx(both / sum(p[i] == p[j] for i, j in pairs))


@given(labels, labels)
def test_information_agrees_with_scikit_image(prediction, truth):
    truth = with_foreground(truth)
    prediction = prediction + 1  # scikit-image takes 0 in a prediction for a segment like any other
    over, under = variation_of_information(truth, prediction, ignore_labels=(0,))  # H(S|T), H(T|S) in bits
    inside = truth > 0

    def entropy(x):
        share = np.unique(x, return_counts=True)[1] / inside.sum()
        return -(share * np.log2(share)).sum()

    h_s, h_t = entropy(prediction[inside]), entropy(truth[inside])
    scores = information_scores(prediction, truth)
    assert scores.score * (h_s + h_t) == pytest.approx((h_s - over) + (h_t - under), abs=1e-9)
    assert scores.split * h_s == pytest.approx(h_s - over, abs=1e-9)
    assert scores.merge * h_t == pytest.approx(h_t - under, abs=1e-9)


@pytest.mark.parametrize("scores", [rand_scores, information_scores])
@given(prediction=labels, truth=labels)
def test_an_unassigned_pixel_is_a_segment_of_its_own(scores, prediction, truth):
    truth = with_foreground(truth)
    alone = np.where(prediction == 0, 100 + np.arange(25).reshape(5, 5), prediction)
    assert scores(prediction, truth) == pytest.approx(scores(alone, truth))


def test_rand_agrees_with_scikit_image():
    """scikit-image leaves out pairs of a pixel with itself: equal but for 1 / pixels."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.repeat(rng.integers(1, 5, (4, 4)), 50, 0), 50, 1)
    prediction = np.roll(truth, 11, axis=0) + 3 * (np.arange(200) > 120)
    error, *both = adapted_rand_error(truth, prediction, ignore_labels=(0,))
    scores = rand_scores(prediction, truth)
    assert scores.score == pytest.approx(1 - error, abs=1e-3)
    # It calls the share of the truth's pairs precision; which is which is tested above.
    assert sorted((scores.split, scores.merge)) == pytest.approx(sorted(both), abs=1e-3)


@given(labels)
def test_perfect_whatever_the_numbers(truth):
    truth = with_foreground(truth)
    renamed = np.where(truth > 0, 9 - truth, 0)
    assert rand_scores(renamed, truth) == pytest.approx((1, 1, 1))
    assert information_scores(renamed, truth) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("scores", [rand_scores, information_scores])
def test_a_merger_costs_merge_and_a_split_costs_split(scores):
    truth = np.repeat([1, 2, 3, 4], 25).reshape(10, 10)
    merged = np.where(truth == 2, 1, truth)
    _, split, merge = scores(merged, truth)
    assert split == pytest.approx(1)
    assert merge < 0.95
    _, split, merge = scores(truth, merged)
    assert split < 0.95
    assert merge == pytest.approx(1)


@pytest.mark.parametrize("scores", [rand_scores, information_scores])
def test_true_border_does_not_count(scores):
    truth = np.array([[1, 1, 0, 2, 2]])
    assert scores(np.array([[1, 1, 1, 2, 2]]), truth) == scores(np.array([[1, 1, 2, 2, 2]]), truth)


@pytest.mark.parametrize("scores", [rand_scores, information_scores])
def test_needs_foreground_and_equal_shapes(scores):
    with pytest.raises(ValueError, match="no foreground"):
        scores(np.ones((3, 3), int), np.zeros((3, 3), int))
    with pytest.raises(ValueError, match="shape"):
        scores(np.ones((3, 3), int), np.ones((3, 2), int))


def test_one_cell_found_as_one_cell_is_perfect():
    one = np.ones((4, 4), np.uint32)
    assert information_scores(one, one).score == 1.0
    cut = np.where(np.arange(4) < 2, 1, 2) * one
    assert information_scores(cut, one).score == 0.0
