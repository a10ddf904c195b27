"""Short cycles of a vessel graph."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from napari_bioseg.metrics.vessels import Branch, VesselGraph


@dataclass(frozen=True)
class Loop:
    """A closed way along branches.

    Attributes
    ----------
    branches : tuple of Branch
        In the order in which they follow each other.
    length : float
        From pixel to pixel, in the unit of the spacing: smoothing would shrink the smallest loops to nothing.
    radius : float
        Mean along the loop.
    """

    branches: tuple[Branch, ...]
    length: float
    radius: float


def small_loops(graph: VesselGraph, limit: float) -> list[Loop]:
    """Return independent loops of at most `limit` times their mean radius, the shortest first.

    Of the shortest cycle through each branch, those are kept that are no sum of shorter ones (Horton, SIAM J. Comput.
    16:358, 1987), so that a sieve of holes gives one loop a hole.

    Parameters
    ----------
    graph : VesselGraph
    limit : float
        Radii; 0 gives none.
    """
    at: dict[int, list[Branch]] = defaultdict(list)
    for branch in graph.branches:
        for node in branch.nodes:
            at[node].append(branch)
    found: dict[frozenset[int], Loop] = {}
    for branch in graph.branches:
        # A loop may be thicker than the branch that it is sought from, but hardly than all that meet there.
        most = limit * max(float(b.radii.max()) for node in branch.nodes for b in at[node])
        cycle = _shortest_cycle(branch, at, most)
        if cycle:
            found[frozenset(b.id for b in cycle)] = _measured(cycle, graph)
    short = sorted((v for v in found.values() if v.length <= limit * v.radius), key=lambda loop: loop.length)
    return _independent(short)


def _measured(cycle: list[Branch], graph: VesselGraph) -> Loop:
    length = sum(float(np.linalg.norm(np.diff(b.points, axis=0) * graph.spacing, axis=1).sum()) for b in cycle)
    return Loop(tuple(cycle), length, float(np.concatenate([b.radii for b in cycle]).mean()))


def _shortest_cycle(branch: Branch, at: dict[int, list[Branch]], most: float) -> list[Branch]:
    """Return the branches of the shortest cycle through a branch (Dijkstra without it); none beyond a length."""
    start, end = branch.nodes
    queue: list[tuple[float, int, int]] = [(branch.length, 0, start)]
    ways, done = [[branch]], set()
    while queue:
        length, way, node = heapq.heappop(queue)
        if length > most:
            return []
        if node == end:
            return ways[way]
        if node in done:
            continue
        done.add(node)
        for step in at[node]:
            if step is not branch:
                ways.append([*ways[way], step])
                far = step.nodes[0] if step.nodes[1] == node else step.nodes[1]
                heapq.heappush(queue, (length + step.length, len(ways) - 1, far))
    return []


def _independent(loops: list[Loop]) -> list[Loop]:
    """Return the loops that are no sum, modulo 2, of those before them."""
    kept: list[Loop] = []
    rows: dict[int, int] = {}  # bits of branches, by the highest
    for loop in loops:
        bits = 0
        for branch in loop.branches:
            bits ^= 1 << branch.id
        while bits and bits.bit_length() in rows:
            bits ^= rows[bits.bit_length()]
        if bits:
            rows[bits.bit_length()] = bits
            kept.append(loop)
    return kept
