from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.inference.tiles import Axis, Span, Tile, chosen_edges, chunked, count_tiles, iterate_tiles

axes = st.builds(
    Axis,
    size=st.integers(1, 300),
    halo=st.integers(0, 40),
    stride=st.sampled_from([1, 2, 4, 8, 16]),
    factor=st.one_of(st.just(1.0), st.floats(0.125, 8)),
)


@st.composite
def axis_and_core(draw: st.DrawFn) -> tuple[Axis, Span]:
    axis = draw(axes)
    start = draw(st.integers(0, axis.size - 1))
    return axis, Span(start, draw(st.integers(start + 1, axis.size)))


@given(axis_and_core())
def test_input_starts_and_ends_at_the_stride_and_holds_what_is_needed(given_: tuple[Axis, Span]) -> None:
    axis, core = given_
    inputs, needed, domain = axis.network_input(core), axis.needed(core), axis.domain
    assert inputs.start % axis.stride == 0
    assert inputs.stop % axis.stride == 0
    assert inputs.start <= needed.start
    assert needed.stop <= inputs.stop
    # The halo is there, or the domain ends, and then it ends for every tile.
    assert inputs.start <= needed.start - axis.halo or inputs.start == domain.start
    assert inputs.stop >= needed.stop + axis.halo or inputs.stop == domain.stop


@given(axis_and_core())
def test_needed_pixels_enclose_the_centres_of_the_core(given_: tuple[Axis, Span]) -> None:
    axis, core = given_
    needed = axis.needed(core)
    assert needed.start <= axis.to_model(core.start)
    assert axis.to_model(core.stop - 1) <= needed.stop - 1
    assert axis.resampled or needed == core


def test_grids_share_their_outer_edge() -> None:
    # The edge of a pixel lies half a pixel before its centre, on both grids.
    assert Axis(10, 0, 1, 4.0).to_model(-0.5) == -0.5
    assert Axis(10, 0, 1, 4.0).to_model(1.5) == 0.0


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 20), st.integers(1, 25)), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=2),
)
def test_tiles_cover_everything_once(spatial: list[tuple[int, int, int]], loops: list[tuple[int, int]]) -> None:
    spans = [Span(start, start + n) for start, n, _ in spatial]
    edges = [edge for _, _, edge in spatial]
    lead = [Span(start, start + n) for start, n in loops]
    seen = np.zeros([s.stop for s in (*lead, *spans)], int)
    tiles = list(iterate_tiles(lead, spans, edges))
    for tile in tiles:
        seen[(*tile.lead, *(slice(*c) for c in tile.core))] += 1
    inside = tuple(slice(*s) for s in (*lead, *spans))
    assert (seen[inside] == 1).all()
    assert seen.sum() == seen[inside].size
    assert len(tiles) == count_tiles(lead, spans, edges)


@given(st.lists(axes, min_size=2, max_size=3), st.integers(2**6, 2**24))
def test_chosen_tiles_keep_to_the_budget(grid: list[Axis], budget: int) -> None:
    spans = [Span(0, axis.size) for axis in grid]
    edges = chosen_edges(grid, spans, budget, [None] * len(grid))
    largest = np.prod(
        [axis.network_input(Span(0, min(e, axis.size))).length for axis, e in zip(grid, edges, strict=True)]
    )
    whole = np.prod([axis.domain.length for axis in grid])
    if whole <= budget:
        assert [min(e, a.size) for e, a in zip(edges, grid, strict=True)] == [a.size for a in grid]
    assert all(1 <= e <= a.size for e, a in zip(edges, grid, strict=True))
    if largest > budget:
        # Only where even the smallest tiles are too large.
        assert all(e <= max(1, -(-a.size // 64)) for e, a in zip(edges, grid, strict=True))


def test_wished_edges_are_taken() -> None:
    grid = [Axis(40, 8, 1), Axis(500, 20, 16), Axis(500, 20, 16)]
    edges = chosen_edges(grid, [Span(0, a.size) for a in grid], 2**30, [None, 64, 96])
    assert edges == (40, 64, 96)


@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), min_size=2, max_size=3))
def test_tiles_are_made_of_whole_chunks(given_: list[tuple[int, int]]) -> None:
    wished, shape = zip(*given_, strict=True)
    tiles, chunks = chunked(wished, shape)
    for tile, chunk, edge, size in zip(tiles, chunks, wished, shape, strict=True):
        assert tile % chunk == 0
        assert min(edge, size) <= tile < min(edge, size) + tile // chunk
        assert chunk <= 512


@given(st.lists(st.integers(1, 50), min_size=1, max_size=3).filter(lambda shape: max(shape) > 1))
def test_halves_make_the_tile(shape: list[int]) -> None:
    tile = Tile((3,), tuple(Span(5, 5 + n) for n in shape))
    pixels = [set(product(*(range(*c) for c in half.core))) for half in tile.halves()]
    assert pixels[0] | pixels[1] == set(product(*(range(*c) for c in tile.core)))
    assert not pixels[0] & pixels[1]
    assert all(half.lead == tile.lead for half in tile.halves())
