"""Where a vessel segmentation is likely wrong: breaks, small loops, cavities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_bioseg.metrics.centre_lines import Points
from napari_bioseg.metrics.vessel_loops import small_loops
from napari_bioseg.metrics.vessels import EndPoint, VesselGraph

FindingKind = Literal["break", "loop", "cavity"]

_ORDER = ("break", "loop", "cavity")


@dataclass(frozen=True)
class Finding:
    """A place to look at.

    Attributes
    ----------
    kind : str
        ``"break"``, ``"loop"`` or ``"cavity"``.
    position : tuple of float
        Pixels of the labels.
    place : tuple of float
        The same in the unit of the spacing, from the centre of the first pixel.
    score : float
        0..1, how much speaks for it; kinds are not comparable.
    reason : str
        One line.
    branches : tuple of int
        Which it is about; none for a cavity.
    """

    kind: FindingKind
    position: tuple[float, ...]
    place: tuple[float, ...]
    score: float
    reason: str
    branches: tuple[int, ...] = ()


def findings(
    graph: VesselGraph,
    *,
    probability: npt.NDArray[Any] | None = None,
    reach: float = 6.0,
    angle: float = 60.0,
    loop: float = 20.0,
    unit: str = "µm",
) -> tuple[Finding, ...]:
    """Return likely errors: breaks, then loops, then cavities, each with the highest score first.

    Breaks. Two free ends that face each other, at most `reach` times the smaller of their radii apart. The angles are
    those between the direction of each end and the line from one radius before one end to one radius before the other;
    their mean cosine must be that of `angle` at least. An end at the border of the image has none: there the image
    ends. Distance and direction are among the features by which Kaufhold et al. (Med. Image Anal. 16:1241, 2012) tell
    gaps of a vectorised network from vessels that end. The score is the geometric mean of closeness (1 - distance /
    limit), the mean cosine, likeness (smaller radius / larger) and, with a probability map, its mean along the
    straight gap. An end belongs to one break at most, the one of the highest score.

    Loops. Cycles of at most `loop` mean radii (`small_loops`). Around a hole of radius h in a wall of thickness 2 r
    the centre line is 2π (h + r) long, 12.6 r where the hole is as wide as the wall; meshes of capillaries are many
    times as long. Two vessels that touch (kissing vessels) close one as well. The score is 1 - length / limit.

    Cavities. Background enclosed in 3-D. The score is its radius, as of a ball of its volume, over the radius of the
    vessel around it.

    Parameters
    ----------
    graph : VesselGraph
    probability : ndarray, optional
        0..1, of the shape of the labels.
    reach, loop : float
        Radii; 0 lists no breaks, or loops.
    angle : float
        Degrees.
    unit : str
        Of the spacing, for the reasons.
    """
    found = [*_breaks(graph, probability, reach, angle, unit), *_loops(graph, loop, unit), *_cavities(graph, unit)]
    return tuple(sorted(found, key=lambda finding: (_ORDER.index(finding.kind), -finding.score)))


def _finding(
    graph: VesselGraph, kind: FindingKind, at: Points, score: float, reason: str, branches: tuple[int, ...] = ()
) -> Finding:
    place = tuple(float(v) for v in at * graph.spacing)
    return Finding(kind, tuple(float(v) for v in at), place, float(np.clip(score, 0, 1)), reason, branches)


def _breaks(
    graph: VesselGraph, probability: npt.NDArray[Any] | None, reach: float, angle: float, unit: str
) -> Iterator[Finding]:
    ends = [end for end in graph.end_points if not end.at_border]
    if len(ends) < 2 or not reach:
        return
    tree = cKDTree(np.array([end.position for end in ends]) * graph.spacing)
    pairs = tree.query_pairs(reach * max(end.radius for end in ends))
    scored = [(_facing(graph, ends[i], ends[j], probability, (reach, angle)), i, j) for i, j in pairs]
    taken: set[int] = set()
    for score, i, j in sorted(scored, reverse=True):
        if score > 0 and not taken & {i, j}:
            taken |= {i, j}
            one, other = ends[i], ends[j]
            gap = np.linalg.norm((other.position - one.position) * graph.spacing)
            reason = (
                f"gap of {gap:.1f} {unit}: two ends of radius {one.radius:.1f} and {other.radius:.1f} face each other"
            )
            if probability is not None:
                reason += f"; probability {_along_gap(probability, one, other):.2f} between them"
            middle = (one.position + other.position) / 2
            yield _finding(graph, "break", middle, score, reason, (one.branch, other.branch))


def _facing(
    graph: VesselGraph,
    one: EndPoint,
    other: EndPoint,
    probability: npt.NDArray[Any] | None,
    limits: tuple[float, float],
) -> float:
    """Return the score of a break between two ends; 0 where they are too far apart or do not face each other."""
    gap = (other.position - one.position) * graph.spacing
    closeness = 1 - float(np.linalg.norm(gap)) / (limits[0] * min(one.radius, other.radius))
    # From before the ends: across a gap of a pixel or two the direction would be chance.
    line = gap + one.radius * one.direction - other.radius * other.direction
    cosine = float(line @ one.direction - line @ other.direction) / 2 / max(float(np.linalg.norm(line)), 1e-9)
    if closeness <= 0 or cosine < np.cos(np.radians(limits[1])):
        return 0.0
    likeness = min(one.radius, other.radius) / max(one.radius, other.radius)
    parts = [closeness, cosine, likeness]
    if probability is not None:
        parts.append(_along_gap(probability, one, other))
    return float(np.prod(parts) ** (1 / len(parts)))


def _along_gap(probability: npt.NDArray[Any], one: EndPoint, other: EndPoint) -> float:
    """Return the mean probability between two ends, read at every half pixel."""
    n = 2 + int(2 * np.abs(other.position - one.position).max())
    line = np.linspace(one.position, other.position, n)
    return float(ndimage.map_coordinates(probability, line.T, order=1, mode="nearest", output=np.float64).mean())


def _loops(graph: VesselGraph, limit: float, unit: str) -> Iterator[Finding]:
    for loop in small_loops(graph, limit):
        middle = np.concatenate([branch.points for branch in loop.branches]).mean(axis=0)
        times = loop.length / loop.radius
        reason = f"{loop.length:.1f} {unit} round, {times:.0f} times the radius: a hole, or vessels that touch"
        ids = tuple(branch.id for branch in loop.branches)
        yield _finding(graph, "loop", middle, 1 - times / limit, reason, ids)


def _cavities(graph: VesselGraph, unit: str) -> Iterator[Finding]:
    for cavity in graph.cavities:
        radius = (3 * cavity.volume / (4 * np.pi)) ** (1 / 3)
        reason = f"{cavity.volume:.1f} {unit}³ of background inside a vessel of radius {cavity.around:.1f}"
        yield _finding(graph, "cavity", cavity.position, radius / cavity.around, reason)
