"""Where tiles lie: pure arithmetic on integers, without arrays.

Two grids share each axis. The *image grid* is that of the file and of the result. The *model grid* has
the pixel size that the model was trained at; its pixel ``m`` has its centre at the image coordinate
``(m + 0.5) * factor - 0.5``, so that the outer edges of both grids coincide at the origin.

The image is thought of as continued beyond its borders by mirror reflection, and the network as run once over
the *domain*: the image grown by a margin, with both ends at multiples of the network's stride. A tile
computes a part of exactly that. Its input is grown by the halo, as far as the domain reaches, and starts at
a multiple of the stride; so no output pixel can tell which tile it was computed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import floor, prod
from typing import NamedTuple

_MOST_PIECES = 64  # pieces along one axis among which the best tile is sought; beyond, tiles have the longest edge
_CHUNK = {1: 4096, 2: 512, 3: 256}  # longest edge of a chunk by the number of axes of the model
_CHUNK_Z = 8


class Span(NamedTuple):
    """Pixels ``start <= i < stop`` along one axis."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of pixels."""
        return self.stop - self.start


@dataclass(frozen=True)
class Axis:
    """One axis that the network sees.

    Attributes
    ----------
    size : int
        Pixels of the image.
    halo : int
        Reach of the network, in model pixels.
    stride : int
        Total pooling of the network.
    factor : float
        Size of a model pixel in image pixels; exactly 1.0 when the grids are the same.
    """

    size: int
    halo: int
    stride: int
    factor: float = 1.0

    @property
    def resampled(self) -> bool:
        """Whether the grids differ."""
        return self.factor != 1.0

    def to_model(self, i: float) -> float:
        """Model coordinate of an image coordinate."""
        return (i + 0.5) / self.factor - 0.5

    def needed(self, core: Span) -> Span:
        """Model pixels from which these image pixels are interpolated."""
        if not self.resampled:
            return core
        return Span(floor(self.to_model(core.start)), floor(self.to_model(core.stop - 1)) + 2)

    @property
    def domain(self) -> Span:
        """Model pixels over which the network is run in all."""
        # Networks learn to live with their own zero padding at the border of what they see; one stride of
        # reflection keeps it off the image and costs little.
        margin = min(self.halo, self.stride)
        return self._grown(self.needed(Span(0, self.size)), margin)

    def network_input(self, core: Span) -> Span:
        """Model pixels that the network must be given for these image pixels."""
        grown, domain = self._grown(self.needed(core), self.halo), self.domain
        return Span(max(grown.start, domain.start), min(grown.stop, domain.stop))

    def covering(self, core: Span) -> Span:
        """Model pixels of these image pixels, out to multiples of the stride, without the halo."""
        return self._grown(self.needed(core), 0)

    def _grown(self, span: Span, margin: int) -> Span:
        start, stop = span.start - margin, span.stop + margin
        return Span(start // self.stride * self.stride, -(-stop // self.stride) * self.stride)


@dataclass(frozen=True)
class Tile:
    """A part of the result.

    Attributes
    ----------
    lead : tuple of int
        Index along the axes that the network does not see.
    core : tuple of Span
        Image pixels along the axes that it sees.
    """

    lead: tuple[int, ...]
    core: tuple[Span, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the core."""
        return tuple(span.length for span in self.core)

    def halves(self) -> tuple[Tile, Tile]:
        """Cut the core in two across its longest axis."""
        longest = self.shape.index(max(self.shape))
        start, stop = self.core[longest]
        middle = (start + stop) // 2
        first, second = (
            Tile(self.lead, (*self.core[:longest], span, *self.core[longest + 1 :]))
            for span in (Span(start, middle), Span(middle, stop))
        )
        return first, second


def iterate_tiles(lead: Sequence[Span], spans: Sequence[Span], edges: Sequence[int]) -> Iterator[Tile]:
    """Yield the tiles that cover `spans`, row by row, for every index of `lead`."""
    for index in product(*(range(*span) for span in lead)):
        for core in product(*(_cut(span, edge) for span, edge in zip(spans, edges, strict=True))):
            yield Tile(index, core)


def count_tiles(lead: Sequence[Span], spans: Sequence[Span], edges: Sequence[int]) -> int:
    """Return how many tiles `iterate_tiles` yields."""
    pieces = (-(-span.length // edge) for span, edge in zip(spans, edges, strict=True))
    return prod(span.length for span in lead) * prod(pieces)


def chosen_edges(
    axes: Sequence[Axis], spans: Sequence[Span], budget: int, wished: Sequence[int | None]
) -> tuple[int, ...]:
    """Return the tile edges with the least work in all whose network input stays within a budget.

    Parameters
    ----------
    axes : sequence of Axis
        The axes that the network sees.
    spans : sequence of Span
        What is to be computed along each.
    budget : int
        Pixels that one network input may have.
    wished : sequence of (int or None)
        Edges that are not to be chosen but taken.

    Returns
    -------
    tuple of int
        Edge of the core along each axis, in image pixels; the smallest possible if none fits.
    """
    tables = [_piece_costs(axis, span, edge) for axis, span, edge in zip(axes, spans, wished, strict=True)]
    fitting = [choice for choice in product(*tables) if prod(c.largest for c in choice) <= budget]
    # Of equal work, the largest tiles.
    best = min(fitting, key=lambda choice: (prod(c.work for c in choice), -prod(c.edge for c in choice)), default=None)
    return tuple(c.edge for c in best) if best else tuple(table[-1].edge for table in tables)


class _Pieces(NamedTuple):
    edge: int
    work: int  # model pixels given to the network along this axis, over all pieces
    largest: int


def _piece_costs(axis: Axis, span: Span, wished: int | None) -> list[_Pieces]:
    edges = {wished} if wished else {-(-span.length // n) for n in range(1, _MOST_PIECES + 1)}
    costs = []
    for edge in sorted(edges, reverse=True):
        inputs = [axis.network_input(core).length for core in _cut(span, edge)]
        costs.append(_Pieces(edge, sum(inputs), max(inputs)))
    return costs


def chunked(edges: Sequence[int], shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return tile edges and chunk edges such that every tile is made of whole chunks.

    Chunks are smaller than tiles, so that a viewer reads a plane or a corner quickly; each chunk lies in
    one tile, so that no two threads ever write the same one.

    Parameters
    ----------
    edges : sequence of int
        Wished edges of a tile.
    shape : sequence of int
        Of what is covered.
    """
    tiles, chunks = [], []
    for i, (edge, size) in enumerate(zip(edges, shape, strict=True)):
        longest = _CHUNK_Z if len(edges) == 3 and i == 0 else _CHUNK[len(edges)]
        pieces = -(-min(edge, size) // longest)
        chunk = -(-min(edge, size) // pieces)
        chunks.append(chunk)
        tiles.append(chunk * pieces)
    return tuple(tiles), tuple(chunks)


def _cut(span: Span, edge: int) -> list[Span]:
    return [Span(i, min(i + edge, span.stop)) for i in range(span.start, span.stop, edge)]
