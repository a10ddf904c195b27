"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.metrics import confusion_matrix


def test_rows_are_true_and_columns_are_found() -> None:
    truth, found = np.array([[0, 1, 1], [2, 2, -1]]), np.array([[0, 1, 2], [2, 0, 1]])
    assert confusion_matrix(found, truth, 2).tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 1]]


def test_nothing_known_is_no_pixel() -> None:
    assert confusion_matrix(np.zeros(3, int), np.full(3, -1), 1).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(("found", "truth"), [([0, 3], [0, 1]), ([0, 1], [0, 3]), ([-1, 1], [0, 1]), ([0], [0, 1])])
def test_what_is_no_class_is_told(found: list[int], truth: list[int]) -> None:
    with pytest.raises(ValueError, match=r"classes|shape"):
        confusion_matrix(np.array(found), np.array(truth), 2)
