from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_bioseg.inference.resample import extend, inside, read_span, reflected, to_image_taps, to_model_taps
from napari_bioseg.inference.tiles import Axis, Span


@given(st.integers(1, 12), st.integers(0, 60), st.integers(0, 60))
def test_reflection_is_that_of_numpy(n: int, before: int, after: int) -> None:
    expected = np.pad(np.arange(n), (before, after), mode="symmetric")
    assert (reflected(np.arange(-before, n + after), n) == expected).all()


@given(st.integers(1, 12), st.integers(-40, 40), st.integers(1, 50))
def test_extending_what_was_read_is_extending_everything(n: int, start: int, length: int) -> None:
    axis, span = Axis(n, 0, 1), Span(start, start + length)
    values = np.arange(n) * 7
    pixels = inside(axis, span)
    assert (extend(values[slice(*pixels)], 0, span, n, pixels.start) == values[reflected(np.arange(*span), n)]).all()


@pytest.mark.parametrize("factor", [0.3, 0.77, 1.5, 2.0, 3.7, 8.0])
def test_to_model_is_blur_and_linear_interpolation(factor: float) -> None:
    rng = np.random.default_rng(1)
    values = rng.random(50)
    axis, span = Axis(50, 0, 1, factor), Span(-7, 30)
    position = (np.arange(*span) + 0.5) * factor - 0.5
    # 'reflect' of scipy is our mirror; the blur of a mirrored signal is the mirrored blur.
    sigma = (factor - 1) / 2
    blurred = ndimage.gaussian_filter1d(values, sigma, mode="reflect", truncate=4) if factor > 1 else values
    expected = np.interp(position, np.arange(-500, 500), blurred[reflected(np.arange(-500, 500), 50)])
    reads = read_span(axis, span)
    found = to_model_taps(axis, span).apply(values[reflected(np.arange(*reads), 50)].astype(np.float32), 0, reads.start)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@given(st.floats(0.13, 8).filter(lambda f: f != 1), st.integers(1, 60), st.integers(0, 50), st.integers(1, 20))
def test_a_part_is_the_part_of_the_whole(factor: float, n: int, start: int, length: int) -> None:
    axis = Axis(n, 0, 1, factor)
    values = np.random.default_rng(2).random(4 * n + 400).astype(np.float32)

    def run(span: Span) -> np.ndarray:
        reads = read_span(axis, span)
        mirrored = values[:n][reflected(np.arange(*reads), n)]
        return to_model_taps(axis, span).apply(mirrored, 0, reads.start)

    # Bit by bit, or results would depend on tiles.
    assert (
        run(Span(-20, 80))[start : start + length] == run(Span(start - 20, start - 20 + length))[: 100 - start]
    ).all()


@given(st.floats(0.13, 8).filter(lambda f: f != 1), st.integers(2, 60))
def test_a_ramp_comes_back_inside(factor: float, n: int) -> None:
    axis = Axis(n, 0, 1, factor)
    needed = axis.needed(Span(0, n))
    on_model = ((np.arange(*needed) + 0.5) * factor - 0.5).astype(np.float32)
    back = to_image_taps(axis, Span(0, n)).apply(on_model[None], 1, needed.start)
    np.testing.assert_allclose(back[0], np.arange(n), atol=1e-3)


def test_constants_stay_constant() -> None:
    axis, span = Axis(20, 0, 1, 3.3), Span(-10, 20)
    reads = read_span(axis, span)
    np.testing.assert_allclose(
        to_model_taps(axis, span).apply(np.ones((2, reads.length), np.float32), 1, reads.start), 1, atol=1e-6
    )
