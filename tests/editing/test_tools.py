from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_bioseg.core.errors import EditError
from napari_bioseg.editing.tools import TOOLS

CHOSEN = 70_000
# Keys of napari for Labels layers, and what it keeps for the viewer.
TAKEN = {"Shift+V", *"1234567EPFLZMXBV-=[]", "Escape", "Enter", "Space"}


def blobs(seed, shape):
    """Labels up to beyond 65,535 that touch each other, with pieces and holes."""
    rng = np.random.default_rng(seed)
    smooth = [ndimage.gaussian_filter(rng.standard_normal(shape), 1.5) for _ in range(3)]
    labels = np.argmax(smooth, axis=0).astype(np.uint32) * np.uint32(35_000)
    labels[ndimage.gaussian_filter(rng.standard_normal(shape), 1) > 0.1] = 0
    return labels


def mine(tool, labels, points, after):
    """Say which labels a tool may take pixels from, and which it may write."""
    first, last = (int(labels[p]) for p in (points[0], points[-1]))
    everything = {int(n) for n in np.unique(labels)}
    return {
        "merge": ({last}, {first}),
        "split": ({first}, {0, *range(int(labels.max()) + 1, int(after.max()) + 1)}),
        "relabel": ({first}, {CHOSEN}),
        "remove_small": (everything, {0}),
        "connect": ({0}, {first}),
        "interpolate": ({0}, {CHOSEN}),
        "copy_previous": ({0}, {CHOSEN}),
    }.get(tool, ({0, first}, {0, first}))


def check(error, title):
    assert "\n" not in str(error)
    assert error.subject == title
    assert error.fix


@pytest.mark.parametrize("tool", TOOLS)
@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["plane", "volume", "plane of a volume", "volume of a movie"]))
def test_no_tool_touches_what_is_not_its_own(use, tool, seed, kind):
    shape = {"plane": (24, 26), "volume of a movie": (2, 8, 14, 16)}.get(kind, (8, 14, 16))
    labels = blobs(seed, shape)
    index = {"plane of a volume": (3,), "volume of a movie": (1,)}.get(kind, ())
    scope = (*(slice(i, i + 1) for i in index), *(slice(0, n) for n in shape[len(index) :]))
    objects = np.argwhere(labels[index] > 0)
    rng = np.random.default_rng(seed)
    points = [(*index, *(int(i) for i in objects[rng.integers(len(objects))])) for _ in range(TOOLS[tool].clicks or 2)]
    try:
        # The contract - only in the scope, there and back byte for byte - is checked as the tool is used.
        after = use(tool, labels, *points, scope=scope, label=CHOSEN, radius=2, min_size=9, spacing=(2.0,) * len(shape))
    except EditError as error:
        check(error, TOOLS[tool].title)
        return
    taken, written = mine(tool, labels, points, after)
    changed = after != labels
    assert {int(n) for n in np.unique(labels[changed])} <= taken
    assert {int(n) for n in np.unique(after[changed])} <= written


def test_the_table_is_whole():
    assert all(name == tool.name for name, tool in TOOLS.items())
    keys = [tool.key for tool in TOOLS.values()]
    assert len(set(keys)) == len(keys) == 13
    assert not TAKEN & set(keys)
    assert all(tool.tip and tool.title and tool.clicks in (None, 0, 1, 2) for tool in TOOLS.values())


@pytest.mark.parametrize("tool", [t for t in TOOLS.values() if t.volume], ids=lambda t: t.name)
def test_tools_of_volumes_say_so(use, tool):
    labels = np.ones((1, 5, 5), np.uint32)
    with pytest.raises(EditError, match="there is one plane"):
        use(tool.name, labels, (0, 0, 0))
