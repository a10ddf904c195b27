"""What all tests of tools share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import zarr

from napari_bioseg.editing import ground, objects, outline, pieces
from napari_bioseg.editing.scene import EditOptions, Scene
from napari_bioseg.editing.tools import TOOLS


@pytest.fixture(scope="session")
def look() -> Callable[..., Scene]:
    """Make a scene of labels; keywords that it does not know are options of the tools."""

    def scene(labels, *, scope=None, spacing=None, label=1, image=None, probability=None, highest=None, **options):
        scope = scope or tuple(slice(0, n) for n in labels.shape)
        spacing = spacing or (1.0,) * labels.ndim
        return Scene(labels, scope, spacing, label, image, probability, EditOptions(**options), highest)

    return scene


@pytest.fixture(scope="session")
def use(look) -> Callable[..., np.ndarray]:
    """Use a tool; check that it is one step that goes there and back, and only in its scope; return the labels then."""

    def used(name, labels, *points, **told):
        start = np.array(labels[:])
        there = start.copy()
        told = look(labels, **told)
        change = TOOLS[name].run(told, points)
        assert np.array_equal(labels[:], start)  # a tool writes nothing itself
        if change is not None:
            assert change.tool == name
            change.apply(there)
            assert (there != start).any()
            after = there.copy()
            change.revert(there)
            assert there.tobytes() == start.tobytes()
            there = after
        outside = np.ones(start.shape, bool)
        outside[told.scope] = False
        assert np.array_equal(there[outside], start[outside])
        return there

    return used


@pytest.fixture(scope="session")
def small_blocks() -> Callable[..., object]:
    """Work in blocks of a few pixels, as on labels larger than memory."""

    @contextmanager
    def small(pixels: int = 30) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for module, name in ((ground, "BLOCK"), (objects, "WINDOW"), (outline, "WINDOW"), (pieces, "_SLAB")):
                patch.setattr(module, name, pixels)
            yield

    return small


@pytest.fixture(scope="session")
def ball() -> Callable[..., np.ndarray]:
    """Pixels nearer to a centre than a radius, in any number of axes."""

    def drawn(shape, centre, radius, spacing=None):
        steps = spacing or (1,) * len(shape)
        axes = np.ogrid[tuple(slice(0, n) for n in shape)]
        return sum(((a - c) * s) ** 2 for a, c, s in zip(axes, centre, steps, strict=True)) < radius**2

    return drawn


@pytest.fixture(scope="session")
def stored() -> Callable[[np.ndarray, tuple[int, ...]], zarr.Array]:
    """Labels in zarr."""

    def put(labels, chunks):
        array = zarr.create_array(store={}, shape=labels.shape, chunks=chunks, dtype=labels.dtype)
        array[:] = labels
        return array

    return put
