"""The object under a click, wherever it reaches, and the highest label: without reading more than is needed.

An object is found by flooding from block to block. Only blocks that it touches are read, and the result is that of
labelling the whole scope at once. Pixels that share a corner are connected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.corrections.change import Box, bounding_box
from napari_bioseg.editing.ground import (
    LARGEST,
    WINDOW,
    Edit,
    Ground,
    Mask,
    chunks_of,
    compact,
    indices,
    inside,
    overlap,
)
from napari_bioseg.postprocess.blocks import Index

Numbers = npt.NDArray[Any]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """An object, block by block.

    Attributes
    ----------
    ground : Ground
    label : int
        Its label, not 0.
    blocks : dict
        By the index of the block in the grid of the ground: the numbered pieces of this label in the block, and which
        of the numbers belong to the object.
    """

    ground: Ground
    label: int
    blocks: dict[Index, tuple[Numbers, Mask]]

    def masks(self) -> Iterator[tuple[Box, Mask]]:
        """Yield the blocks that hold some of it, each with its mask there."""
        for index, (numbers, chosen) in self.blocks.items():
            yield self.ground.grid.box(index), chosen[numbers]

    def edits(self, new: int) -> Iterator[Edit]:
        """Give all of it another label."""
        for box, mask in self.masks():
            yield Edit(box, mask, self.label, new)

    def has(self, place: Index) -> bool:
        """Say whether a pixel belongs to it."""
        return bool(self.window(tuple(slice(p, p + 1) for p in place)).any())

    @property
    def box(self) -> Box:
        """The smallest box around it."""
        corners = []
        for box, mask in self.masks():
            crop = bounding_box(mask)
            corners.append([(b.start + c.start, b.start + c.stop) for b, c in zip(box, crop, strict=True)])
        low, high = np.min(corners, axis=0)[:, 0], np.max(corners, axis=0)[:, 1]
        return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))

    def window(self, box: Box) -> Mask:
        """Return which pixels of a box belong to it."""
        mask = np.zeros([b.stop - b.start for b in box], bool)
        for index in indices(box, self.ground.grid):
            if index in self.blocks:
                numbers, chosen = self.blocks[index]
                block = self.ground.grid.box(index)
                shared = overlap(box, block)
                mask[inside(shared, box)] = chosen[numbers[inside(shared, block)]]
        return mask

    def whole(self) -> tuple[Box, Mask]:
        """Return its bounding box and its mask there.

        Raises
        ------
        EditError
            The box would take too much memory.
        """
        box = self.box
        if prod(b.stop - b.start for b in box) > LARGEST:
            raise self.ground.error(
                f"the object with label {self.label} is too large to be seen as a whole", "Work in a plane"
            )
        return box, self.window(box)


def under(ground: Ground, point: Sequence[int]) -> Found:
    """Return the object under a click: the connected piece, or all of its label, as the options say.

    Raises
    ------
    EditError
        There is background.
    """
    place = ground.place(point)
    label = ground.label_at(place)
    if label == 0:
        raise ground.error("the click is on the background", "Click on an object")
    blocks = _flood(ground, place, label) if ground.scene.options.pieces else _all(ground, label)
    return Found(ground, label, blocks)


def highest_label(labels: Any) -> int:
    """Return the highest label of an array of any size, reading block by block."""
    if 0 in labels.shape:
        return 0
    grid = compact(labels.shape, chunks_of(labels), WINDOW)
    return max(int(np.asarray(labels[grid.box(index)]).max()) for index in grid)


def _all(ground: Ground, label: int) -> dict[Index, tuple[Numbers, Mask]]:
    blocks = {}
    for index in ground.grid:
        mask = ground.read(ground.grid.box(index)) == label
        if mask.any():
            blocks[index] = (mask.view(np.uint8), np.array([False, True]))
    return blocks


def _flood(ground: Ground, place: Index, label: int) -> dict[Index, tuple[Numbers, Mask]]:
    """Return the piece at a place: what it reaches in one block are the seeds in the next."""
    grid, blocks = ground.grid, {}
    start = tuple(p // e for p, e in zip(place, grid.edges, strict=True))
    todo: dict[Index, list[Places]] = {start: [np.array([place])]}
    while todo:
        index = next(iter(todo))  # the oldest: most seeds of a block have come by its turn
        seeds = todo.pop(index)
        box = grid.box(index)
        if index not in blocks:
            blocks[index] = _numbered(ground.read(box) == label)
        numbers, chosen = blocks[index]
        reached = np.zeros_like(chosen)
        reached[numbers[tuple((np.concatenate(seeds) - [b.start for b in box]).T)]] = True
        reached[0] = False
        fresh = reached & ~chosen
        chosen |= fresh
        if fresh.any():
            for neighbour, places in _beyond(ground, index, fresh[numbers]):
                todo.setdefault(neighbour, []).append(places)
    return {index: block for index, block in blocks.items() if block[1].any()}


def _numbered(mask: Mask) -> tuple[Numbers, Mask]:
    numbers, n = ndimage.label(mask, np.ones((3,) * mask.ndim, bool))
    return numbers.astype(np.min_scalar_type(n)), np.zeros(n + 1, bool)


def _beyond(ground: Ground, index: Index, mask: Mask) -> Iterator[tuple[Index, Places]]:
    """Yield the pixels just outside a block that touch the mask in it, by the block that holds them."""
    box, edges = ground.grid.box(index), np.array(ground.grid.edges)
    for axis, b in enumerate(box):
        for end, beyond in ((0, b.start - 1), (-1, b.stop)):
            if not 0 <= beyond < ground.shape[axis]:
                continue
            layer = np.pad(mask.take(end, axis), 1)
            touched = np.argwhere(ndimage.binary_dilation(layer, np.ones((3,) * layer.ndim, bool))) - 1
            others = np.array([o.start for i, o in enumerate(box) if i != axis])
            places = np.insert(touched + others, axis, beyond, axis=1)
            places = places[((places >= 0) & (places < ground.shape)).all(axis=1)]
            yield from _by_block(places, edges, ground.grid.counts)


def _by_block(places: Places, edges: npt.NDArray[Any], counts: Index) -> Iterator[tuple[Index, Places]]:
    flat = np.ravel_multi_index(tuple((places // edges).T), counts)
    for number in np.unique(flat):
        yield tuple(int(i) for i in np.unravel_index(number, counts)), places[flat == number]
