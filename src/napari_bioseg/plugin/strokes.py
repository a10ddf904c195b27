"""What napari tells of a stroke, as a step of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.corrections.change import Change, Patch

MOST_PIXELS = 2**26  # of a box that is made dense at once


def change_of(tool: str, atoms: Sequence[Any]) -> Change | None:
    """Return the step that a value of napari's event ``paint`` stands for; None when it changed nothing.

    Parameters
    ----------
    tool : str
        What the user painted with.
    atoms : sequence
        Either (indices, values before, value after), or since napari 0.9 named tuples of a box, a mask over it, the
        values before under the mask (of the whole box without one) and the one after.
    """
    patches = [p for atom in atoms for p in (_boxed(atom) if hasattr(atom, "slice_key") else _scattered(*atom))]
    return Change(tool, tuple(patches)) if patches else None


def _boxed(atom: Any) -> Iterator[Patch]:
    start = tuple(int(s.start) for s in atom.slice_key)
    shape = tuple(int(s.stop - s.start) for s in atom.slice_key)
    mask = np.ones(shape, bool) if atom.mask is None else np.array(atom.mask, bool).reshape(shape)
    before = np.array(atom.old_values).reshape(-1).astype(np.uint32)
    after = np.asarray(atom.new_value).astype(np.uint32)
    yield Patch(start, mask, before, after if after.ndim == 0 else after.reshape(-1))


def _scattered(indices: tuple[Any, ...], before: Any, after: Any) -> Iterator[Patch]:
    places = np.stack([np.asarray(i).ravel() for i in indices], axis=1)
    old = np.broadcast_to(np.asarray(before), len(places))
    new = np.broadcast_to(np.asarray(after), len(places))
    spread = np.prod(np.ptp(places, axis=0) + 1.0) if len(places) else 0
    planes = [places[:, 0] == p for p in np.unique(places[:, 0])] if spread > MOST_PIXELS else [np.full(len(old), True)]
    for chosen in planes:
        if chosen.any():
            yield _gathered(places[chosen], old[chosen], new[chosen])


def _gathered(places: npt.NDArray[Any], old: npt.NDArray[Any], new: npt.NDArray[Any]) -> Patch:
    start = places.min(axis=0)
    shape = tuple(int(n) for n in places.max(axis=0) - start + 1)
    mask, before, after = np.zeros(shape, bool), np.zeros(shape, np.uint32), np.zeros(shape, np.uint32)
    at = tuple((places - start).T)
    mask[at], before[at], after[at] = True, old, new
    return Patch(tuple(int(s) for s in start), mask, before[mask], after[mask])
