from __future__ import annotations

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.corrections.change import Change, Patch, bounding_box


def stroke(seed, shape):
    """Labels, and steps that overlap, made in a box each."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, shape).astype(np.uint32)
    state, patches = labels.copy(), []
    for _ in range(4):
        corner = [int(rng.integers(0, n - 1)) for n in shape]
        box = tuple(slice(c, c + int(rng.integers(1, n - c + 1))) for c, n in zip(corner, shape, strict=True))
        after = state[box].copy()
        after[rng.random(after.shape) < 0.5] = rng.integers(0, 2**32, dtype=np.uint32)
        patch = Patch.between(corner, state[box], after)
        if patch is not None:
            patches.append(patch)
        state[box] = after
    return labels, state, Change("paint", tuple(patches))


@given(st.integers(0, 10**6), st.sampled_from([(5, 7), (3, 6, 5), (2, 2, 4, 6)]))
def test_a_step_goes_forward_and_back_exactly(seed, shape):
    labels, state, change = stroke(seed, shape)
    there = labels.copy()
    change.apply(there)
    assert np.array_equal(there, state)
    change.revert(there)
    assert np.array_equal(there, labels)


def test_zarr_takes_it_like_numpy():
    labels, state, change = stroke(3, (3, 20, 30))
    array = zarr.create_array(store={}, shape=labels.shape, chunks=(1, 8, 8), dtype="uint32")
    array[:] = labels
    change.apply(array)
    assert np.array_equal(array[:], state)


def test_nothing_is_no_patch():
    same = np.ones((2, 2), np.uint32)
    assert Patch.between((0, 0), same, same.copy()) is None


def test_a_patch_holds_the_changed_pixels_alone():
    before = np.zeros((10, 10), np.uint32)
    after = before.copy()
    after[4, 5] = after[6, 5] = 70_000
    patch = Patch.between((100, 0), before, after)
    assert (patch.start, patch.mask.shape) == ((104, 5), (3, 1))
    assert patch.after.shape == ()  # one label under the brush is said once
    assert int(patch.after) == 70_000


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_box_around_a_step_holds_all_patches(ndim):
    one = Patch((2,) * ndim, np.ones((1,) * ndim, bool), np.uint32(0).reshape(()), np.uint32(1).reshape(()))
    two = Patch((5,) * ndim, np.ones((3,) * ndim, bool), np.uint32(0).reshape(()), np.uint32(1).reshape(()))
    assert Change("paint", (two, one)).box == (slice(2, 8),) * ndim
    mask = np.zeros((9,) * ndim, bool)
    mask[one.box] = mask[two.box] = True
    assert bounding_box(mask) == (slice(2, 8),) * ndim
