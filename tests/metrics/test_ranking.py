"""The areas under the precision-recall curve and under the ROC curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.metrics import auprc, auroc


def test_by_hand() -> None:
    # From the top: hit (1/1), miss, hit (2/3), miss.
    assert auprc([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_equal_probabilities_pass_together() -> None:
    assert auprc([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0]) == pytest.approx(0.25)


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=30))
def test_it_is_the_mean_precision_at_each_pixel_of_the_class(pairs: list[tuple[int, bool]]) -> None:
    p, true = np.array([(a / 8, b) for a, b in [*pairs, (3, True)]], np.float16).T
    true = true > 0
    precisions = [true[p >= value].mean() for value in p[true]]
    assert auprc(p.reshape(1, -1), true.reshape(1, -1)) == pytest.approx(np.mean(precisions))


@pytest.mark.parametrize("truth", [[1, 0], [0, 0, 0]])
def test_what_cannot_be_ranked_is_refused(truth: list[int]) -> None:
    with pytest.raises(ValueError, match="shape"):
        auprc([0.1, 0.2, 0.3], truth)


def test_the_roc_area_is_the_share_of_pairs_in_the_right_order() -> None:
    assert auroc([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]) == pytest.approx(3 / 4)
    assert auroc([0.5, 0.5, 0.5, 0.1], [1, 0, 0, 0]) == pytest.approx((0.5 + 0.5 + 1) / 3)


@pytest.mark.parametrize("truth", [[1, 0], [0, 0, 0], [1, 1, 1]])
def test_a_roc_needs_both(truth: list[int]) -> None:
    with pytest.raises(ValueError, match="shape"):
        auroc([0.1, 0.2, 0.3], truth)
