from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_bioseg.io.pyramid import SMALLEST, halve_mean, halve_mode, plan_levels

LABELS = hnp.arrays(np.uint32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=7), elements=st.integers(0, 3))


def blocks(array: np.ndarray[Any, Any], factors: tuple[int, ...]) -> dict[tuple[int, ...], list[int]]:
    """Values of each block the slow way; an odd last one is repeated."""
    found: dict[tuple[int, ...], list[int]] = {}
    padded = [n + (-n % f) for n, f in zip(array.shape, factors, strict=True)]
    for at in product(*map(range, padded)):
        inside = tuple(min(i, n - 1) for i, n in zip(at, array.shape, strict=True))
        found.setdefault(tuple(i // f for i, f in zip(at, factors, strict=True)), []).append(array[inside])
    return found


@given(LABELS, st.tuples(*[st.sampled_from([1, 2])] * 3))
def test_mode_is_the_commonest_value_an_object_before_background(
    labels: np.ndarray[Any, Any], three: tuple[int, ...]
) -> None:
    factors = three[: labels.ndim]
    small = halve_mode(labels, factors)
    assert small.dtype == np.uint32
    for at, values in blocks(labels, factors).items():
        counts = Counter(values)
        most = max(counts.values())
        winners = {v for v, n in counts.items() if n == most}
        assert small[at] in (winners - {0} or winners)


@given(LABELS, st.tuples(*[st.sampled_from([1, 2])] * 3))
def test_mean_is_the_mean(values: np.ndarray[Any, Any], three: tuple[int, ...]) -> None:
    factors = three[: values.ndim]
    small = halve_mean(values.astype(np.float32), factors)
    for at, block in blocks(values, factors).items():
        assert small[at] == pytest.approx(np.mean(block))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float16", "float32", "float64"])
def test_mean_keeps_type_and_does_not_overflow(dtype: str) -> None:
    top = np.finfo(dtype).max / 8 if dtype.startswith("f") else np.iinfo(dtype).max
    full = np.full((4, 4), top, dtype)
    small = halve_mean(full, (2, 2))
    assert small.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(small, full[:2, :2])


def test_means_of_integers_are_rounded() -> None:
    assert halve_mean(np.array([[0, 1], [1, 1]], np.uint8), (2, 2)).item() == 1


def test_an_isotropic_volume_is_halved_in_all_directions() -> None:
    levels = plan_levels((700, 600, 900), "ZYX", (1.0, 1.0, 1.0), (0.0, 5.0, 0.0))
    assert [level.shape for level in levels] == [(700, 600, 900), (350, 300, 450), (175, 150, 225)]
    assert levels[2].scale == (4.0, 4.0, 4.0)
    assert levels[2].translate == (1.5, 6.5, 1.5)


def test_z_waits_until_its_step_is_comparable() -> None:
    levels = plan_levels((2, 3, 64, 2048, 2048), "TCZYX", (1.0, 1.0, 4.0, 1.0, 1.0), (0.0,) * 5)
    assert [level.shape[2] for level in levels] == [64, 64, 64, 32]
    assert all(level.shape[:2] == (2, 3) for level in levels)


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 9000), st.integers(1, 9000)),
    st.tuples(*[st.floats(0.01, 100)] * 3),
)
def test_levels_end_small_and_lie_on_each_other(shape: tuple[int, ...], scale: tuple[float, ...]) -> None:
    levels = plan_levels(shape, "ZYX", scale, (1.0, 2.0, 3.0))
    assert max(levels[-1].shape[1:]) <= SMALLEST
    assert all(max(level.shape[1:]) > SMALLEST for level in levels[:-1])
    for level in levels:
        # The edge of the first pixel stays where it was.
        edges = [t - s / 2 for t, s in zip(level.translate, level.scale, strict=True)]
        assert edges == pytest.approx([t - s / 2 for t, s in zip((1.0, 2.0, 3.0), scale, strict=True)])
