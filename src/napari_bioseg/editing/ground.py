"""The ground that a tool works on: the scope of a scene without its axes of one pixel, read block by block.

Tools count pixels from the first corner of the scope. Labels may be larger than memory, so what they read is a block
of some chunks, and what they change becomes one patch a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import EditError
from napari_bioseg.corrections.change import Box, Change, Patch
from napari_bioseg.editing.scene import Scene
from napari_bioseg.postprocess.blocks import Grid, Index

Mask = npt.NDArray[np.bool_]

BLOCK = 2**18  # pixels of a block in which objects are looked for: 512 x 512, 64 x 64 x 64
WINDOW = 2**22  # pixels that are worked on at once, without what lies around them
LARGEST = 2**26  # pixels of a box that is taken into memory where a tool must see an object as a whole
_LONGEST = 2**24  # pixels of a block, however large chunks are


@dataclass(frozen=True)
class Edit:
    """What a tool writes.

    Attributes
    ----------
    box : tuple of slice
        Where, on the ground.
    mask : numpy.ndarray
        Bool, of the shape of the box.
    old : int or None
        Only pixels of this label change; None: of any.
    new : int
        What they become.
    """

    box: Box
    mask: Mask
    old: int | None
    new: int


class Ground:
    """The scope of a scene, counted from its first corner, without leading axes of one pixel.

    Parameters
    ----------
    scene : Scene
    tool : str
        The title of the tool, with which its errors begin.

    Attributes
    ----------
    shape : tuple of int
        Two axes (a plane) or three (a volume).
    spacing : tuple of float
        Step along each axis, as a multiple of the finest one.
    chunks : tuple of int
        Of the labels.
    grid : Grid
        Blocks of whole chunks of the labels, or of parts of one where chunks are very large.
    """

    def __init__(self, scene: Scene, tool: str) -> None:
        self.scene, self.tool = scene, tool
        spans = [range(*s.indices(n)) for s, n in zip(scene.scope, scene.labels.shape, strict=True)]
        self._axes = [i for i, span in enumerate(spans) if len(span) > 1 or i >= len(spans) - 2]
        self._origin = [span.start for span in spans]
        self.shape = tuple(len(spans[i]) for i in self._axes)
        finest = min(scene.spacing[i] for i in self._axes)
        self.spacing = tuple(scene.spacing[i] / finest for i in self._axes)
        self.chunks = tuple(chunks_of(scene.labels)[i] for i in self._axes)
        self.grid = self.blocks(BLOCK)

    @property
    def ndim(self) -> int:
        """2 for a plane, 3 for a volume."""
        return len(self.shape)

    def blocks(self, budget: int) -> Grid:
        """Return blocks of about `budget` pixels that cover the ground."""
        return compact(self.shape, self.chunks, budget)

    def place(self, point: Sequence[int]) -> Index:
        """Return where a pixel of the labels lies on the ground.

        Raises
        ------
        EditError
            It is outside the scope.
        """
        place = tuple(int(point[i]) - self._origin[i] for i in self._axes)
        if not all(0 <= p < n for p, n in zip(place, self.shape, strict=True)):
            raise self.error("the click is outside the labels", "Click inside")
        return place

    def error(self, problem: str, fix: str) -> EditError:
        """Return an error that begins with the title of the tool."""
        return EditError(self.tool, problem, fix)

    def read(self, box: Box, source: Any = None) -> npt.NDArray[Any]:
        """Read a box of the labels, or of another array on their grid."""
        spans = [slice(o, o + 1) for o in self._origin]
        for i, b in zip(self._axes, box, strict=True):
            spans[i] = slice(self._origin[i] + b.start, self._origin[i] + b.stop)
        values = np.asarray((self.scene.labels if source is None else source)[tuple(spans)])
        return values.reshape([b.stop - b.start for b in box])

    def label_at(self, place: Index) -> int:
        """Return the label of one pixel."""
        return int(self.read(tuple(slice(p, p + 1) for p in place)).item())

    def grown(self, box: Box, reach: Sequence[float]) -> Box:
        """Return a box with some pixels more on each side, as far as there are any."""
        return tuple(
            slice(max(0, b.start - ceil(r)), min(n, b.stop + ceil(r)))
            for b, r, n in zip(box, reach, self.shape, strict=True)
        )

    def change(self, name: str, edits: Iterable[Edit]) -> Change | None:
        """Return edits as one step, a patch a block; None where nothing changes."""
        patches = tuple(p for edit in edits for p in self._patches(edit))
        return Change(name, patches) if patches else None

    def _patches(self, edit: Edit) -> Iterator[Patch]:
        for tile in tiles(edit.box, self.grid):
            mask = edit.mask[inside(tile, edit.box)]
            if not mask.any():
                continue
            before = self.read(tile)
            wanted = mask if edit.old is None else mask & (before == edit.old)
            after = np.where(wanted, np.uint32(edit.new), before)
            patch = Patch.between(self._corner(tile), self._full(before), self._full(after))
            if patch is not None:
                yield patch

    def _corner(self, box: Box) -> list[int]:
        corner = list(self._origin)
        for i, b in zip(self._axes, box, strict=True):
            corner[i] += b.start
        return corner

    def _full(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        missing = [i for i in range(len(self._origin)) if i not in self._axes]
        return np.expand_dims(values, tuple(missing))


def chunks_of(labels: Any) -> tuple[int, ...]:
    """Return the chunks of a zarr array; of any other, single pixels."""
    return getattr(labels, "chunks", None) or (1,) * len(labels.shape)


def compact(shape: Sequence[int], chunks: Sequence[int], budget: int) -> Grid:
    """Return blocks of whole chunks of about `budget` pixels, as much like cubes as chunks allow."""
    edges = [min(c, n) for c, n in zip(chunks, shape, strict=True)]
    while prod(edges) > _LONGEST:
        longest = edges.index(max(edges))
        edges[longest] = -(-edges[longest] // 2)
    while prod(edges) * 2 <= budget and edges != list(shape):
        i = min((i for i in range(len(edges)) if edges[i] < shape[i]), key=lambda i: edges[i])
        edges[i] = min(2 * edges[i], shape[i])
    return Grid(tuple(shape), tuple(edges))


def tiles(box: Box, grid: Grid) -> Iterator[Box]:
    """Yield what each block of a grid shares with a box."""
    for index in indices(box, grid):
        yield overlap(grid.box(index), box)


def indices(box: Box, grid: Grid) -> Iterator[Index]:
    """Yield the blocks of a grid that share pixels with a box."""
    yield from product(*(range(b.start // e, -(-b.stop // e)) for b, e in zip(box, grid.edges, strict=True)))


def overlap(one: Box, other: Box) -> Box:
    """Return what two boxes share, where they share something."""
    return tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))


def inside(part: Box, box: Box) -> Box:
    """Return a part of a box, counted from the first corner of the box."""
    return tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(part, box, strict=True))
