from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.postprocess.threshold import class_values, classify

probability = st.floats(0, 1, width=16)


@given(arrays(np.float16, (1, 5, 7), elements=probability), st.floats(0, 1))
def test_one_class_is_a_comparison(p: np.ndarray, threshold: float) -> None:
    assert (classify(p, threshold, "sigmoid") == (p[0].astype(np.float64) > threshold)).all()


@given(arrays(np.float16, (3, 4, 5), elements=probability), st.floats(0, 1), st.sampled_from(["sigmoid", "softmax"]))
def test_the_likeliest_class_above_the_threshold_wins(p: np.ndarray, threshold: float, activation: str) -> None:
    foreground = p[1:] if activation == "softmax" else p
    expected = np.where(foreground.max(axis=0).astype(np.float64) > threshold, 1 + foreground.argmax(axis=0), 0)
    assert (classify(p, threshold, activation) == expected).all()


def test_a_threshold_between_two_float16_does_not_round() -> None:
    above = np.array([[0.3]], np.float16)  # 0.30005
    assert classify(above[None], 0.3, "sigmoid").all()
    assert not classify(above[None], 0.3001, "sigmoid").any()


def test_what_was_not_reached_is_background() -> None:
    assert not classify(np.zeros((2, 3, 3), np.float16), 0.0, "sigmoid").any()


def test_many_classes_have_room() -> None:
    p = np.zeros((300, 1, 1), np.float16)
    p[299] = 1
    assert classify(p, 0.5, "sigmoid") == 300


@pytest.mark.parametrize("values", [(1,), (255,), (3, 7)])
def test_values_are_those_of_the_classes(values: tuple[int, ...]) -> None:
    assert class_values([ClassInfo(value=v, name="x") for v in values]).tolist() == [0, *values]
