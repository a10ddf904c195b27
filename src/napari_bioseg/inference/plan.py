"""What a prediction computes, and in which parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference.options import NetworkOptions
from napari_bioseg.inference.tiles import Axis, Span, Tile, chosen_edges, chunked, count_tiles, iterate_tiles
from napari_bioseg.models.model import Model
from napari_bioseg.models.pixel_size import model_pixels, sizes_along


@dataclass(frozen=True)
class Plan:
    """What is computed, and in which parts.

    Attributes
    ----------
    axes : str
        Of the result.
    model_axes : str
        Those of them that the network sees.
    grid : tuple of Axis
        One for each of `model_axes`.
    box : tuple of Span
        Image pixels along each of `axes`.
    edges, chunks : tuple of int
        Of a tile and of a chunk, along `model_axes`.
    """

    axes: str
    model_axes: str
    grid: tuple[Axis, ...]
    box: tuple[Span, ...]
    edges: tuple[int, ...] = ()
    chunks: tuple[int, ...] = ()

    @property
    def lead_axes(self) -> str:
        """Axes that the network does not see."""
        return "".join(a for a in self.axes if a not in self.model_axes)

    def spans(self, axes: str) -> tuple[Span, ...]:
        """The box along some of the axes."""
        return tuple(self.box[self.axes.index(a)] for a in axes)

    @property
    def total(self) -> int:
        """Number of tiles."""
        return count_tiles(self.spans(self.lead_axes), self.spans(self.model_axes), self.edges)

    def tiles(self) -> Iterator[Tile]:
        """The tiles in the order in which they are computed."""
        return iterate_tiles(self.spans(self.lead_axes), self.spans(self.model_axes), self.edges)

    def place(self, tile: Tile) -> tuple[slice, ...]:
        """Where a tile lies in the result."""
        spans = dict(zip(self.lead_axes, (Span(i, i + 1) for i in tile.lead), strict=True))
        spans.update(zip(self.model_axes, tile.core, strict=True))
        return tuple(
            slice(spans[a].start - b.start, spans[a].stop - b.start) for a, b in zip(self.axes, self.box, strict=True)
        )

    def shape_of(self, tile: Tile) -> tuple[int, ...]:
        """Shape of a tile along the axes of the result."""
        return tuple(s.stop - s.start for s in self.place(tile))

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Shape of a chunk of the result."""
        edges = dict(zip(self.model_axes, self.chunks, strict=True))
        return tuple(edges.get(a, 1) for a in self.axes)

    @property
    def work(self) -> int:
        """Model pixels that go through the network in all."""
        spans = zip(self.grid, self.spans(self.model_axes), strict=True)
        return prod(s.length for s in self.spans(self.lead_axes)) * prod(a.network_input(s).length for a, s in spans)

    def with_tiles(self, budget: int, wished: int | None) -> Plan:
        """Choose tiles.

        Parameters
        ----------
        budget : int
            Model pixels that one network input may have.
        wished : int or None
            Edge of a tile along Y and X, if it is not to be chosen.
        """
        spans = self.spans(self.model_axes)
        given = [wished if a in "YX" else None for a in self.model_axes]
        edges = chosen_edges(self.grid, spans, budget, given)
        tiles, chunks = chunked(edges, [s.length for s in spans])
        return replace(self, edges=tiles, chunks=chunks)


def make_plan(
    image: Image, axes: str, model: Model, options: NetworkOptions, *, box: Sequence[slice] | None, job: Job
) -> Plan:
    """Return the plan, without tiles yet.

    Parameters
    ----------
    image : Image
    axes : str
        Of the result: those of the image without channels and samples.
    model : Model
    options : NetworkOptions
    box : sequence of slice or None
    job : Job
        Told why an image is not resampled, where that is not evident.

    Raises
    ------
    RecipeError
        The box does not fit the image.
    """
    factors = _factors(image, model, options, job)
    sizes = {a: image.shape[image.axes.index(a)] for a in axes}
    grid = tuple(
        Axis(sizes[a], halo, stride, factor)
        for a, halo, stride, factor in zip(model.axes, model.halo, model.stride, factors, strict=True)
    )
    return Plan(axes, model.axes, grid, _checked_box(box, tuple(sizes.values()), axes))


def _checked_box(box: Sequence[slice] | None, shape: tuple[int, ...], axes: str) -> tuple[Span, ...]:
    if box is None:
        return tuple(Span(0, n) for n in shape)
    ranges = [range(n)[s] for n, s in zip(shape, box, strict=False)]
    if len(box) != len(shape) or any(len(r) == 0 or r.step != 1 for r in ranges):
        problem = f"does not lie in an image of shape {shape} with axes {axes}"
        raise RecipeError(f"box {tuple(box)}", problem, "Give one slice of step 1 for each axis")
    return tuple(Span(r.start, r.stop) for r in ranges)


def _factors(image: Image, model: Model, options: NetworkOptions, job: Job) -> tuple[float, ...]:
    if not options.resample:
        return (1.0,) * len(model.axes)
    factors, why_not = model_pixels(model.card.input, sizes_along(image, model.axes))
    if why_not:
        job.note(why_not)
    return factors
