"""From a vessel segmentation to its graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.metrics.centre_lines import Line, Mask, Points, centre_lines, ends_at, prune
from napari_bioseg.metrics.vessels import Branch, Cavity, EndPoint, Kind, VesselGraph

DIRECTION_RADII = 3.0
"""How many radii of a branch tell the direction of its end."""

_DRAWN_RADII = 1.5
"""How far a free end is drawn out at most, in cubic voxels; thinning takes off about one radius."""

_KINDS: tuple[Kind, ...] = ("junction-junction", "tip-junction", "tip-tip")  # by the number of free ends


def vessel_graph(labels: npt.NDArray[Any], spacing: Sequence[float], *, prune_below: float = 1.0) -> VesselGraph:
    """Return the graph of all pixels that are not 0.

    Thinning and walking: `centre_lines`. Radius: the Euclidean distance transform with the spacing, read along the
    centre line. Length: of the centre line after three passes of binomial smoothing, since steps from pixel to pixel
    are up to 8 % longer than the line they stand for. A spur, a branch with a free end shorter than `prune_below`
    times the radius at its junction, is taken off: it hardly leaves the vessel that it grows from (the "bulge size" of
    Drees et al., BMC Bioinformatics 22:346, 2021, is such a measure in radii). Thinning shortens a free end by about a
    radius; it is drawn out to where the vessel ends, in the direction of the straight line through its last three
    radii. Cavities are filled first, since thinning leaves a
    closed surface around each, not a line.

    Parameters
    ----------
    labels : ndarray of bool or integers
        YX or ZYX.
    spacing : sequence of float
        Step along each axis, e.g. µm.
    prune_below : float
        Radii; 0 keeps every spur.

    Raises
    ------
    ValueError
        The labels are neither 2-D nor 3-D, or the spacing does not fit them.
    MissingDependencyError
        skan is not installed.
    """
    step = np.asarray(spacing, np.float64)
    if labels.ndim not in (2, 3) or step.shape != (labels.ndim,) or not (step > 0).all():
        raise ValueError(f"spacing {tuple(spacing)} does not fit {labels.ndim}-D labels, or they are not 2-D or 3-D")
    space, holes = _space(labels, step)
    lines, pruned = prune(
        centre_lines(space.mask),
        lambda line, node: prune_below * space.radii(line.from_node(node)[:1])[0],
        space.length,
    )
    return space.graph(lines, space.cavities(holes), pruned)


def _space(labels: npt.NDArray[Any], step: Points) -> tuple[_Space, Mask]:
    box = _box_of(labels != 0)
    whole = np.asarray(labels[box] != 0)
    mask = ndimage.binary_fill_holes(whole) if whole.ndim == 3 else whole
    # Beyond the image nothing is known: no background is put there, unless there is none at all.
    pad = int(mask.all())
    distance = ndimage.distance_transform_edt(np.pad(mask, pad), sampling=step)
    distance = distance[tuple(slice(pad, n - pad) for n in distance.shape)]
    corner = np.array([s.start for s in box], np.float64)
    return _Space(mask, distance, step, corner, np.array(labels.shape)), mask & ~whole


def _box_of(mask: Mask) -> tuple[slice, ...]:
    # With a pixel of background around, where there is one.
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found:
        return (slice(0, 1),) * mask.ndim
    return tuple(slice(max(0, s.start - 1), min(n, s.stop + 1)) for s, n in zip(found[0], mask.shape, strict=True))


@dataclass(frozen=True)
class _Space:
    """A cropped mask, its distance transform, and where it lies in the labels."""

    mask: Mask
    distance: Points
    step: Points
    corner: Points
    shape: npt.NDArray[np.int64]

    def radii(self, points: Points) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = ndimage.map_coordinates(self.distance, points.T, order=1, mode="nearest")
        return found

    def _inside(self, points: Points) -> Mask:
        index = np.rint(points).astype(np.int64)
        within = ((index >= 0) & (index < self.mask.shape)).all(axis=1)
        found = np.zeros(len(points), bool)
        found[within] = self.mask[tuple(index[within].T)]
        return found

    def length(self, points: Points) -> float:
        line = points * self.step
        for _ in range(3):
            line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
        return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())

    def cavities(self, holes: Mask) -> tuple[Cavity, ...]:
        numbers, n = ndimage.label(holes)
        every = range(1, n + 1)
        deepest = ndimage.maximum_position(self.distance, numbers, every) if n else []
        volumes = np.bincount(numbers.ravel(), minlength=n + 1)[1:] * self.step.prod()
        return tuple(
            Cavity(np.array(place) + self.corner, float(volume), float(self.distance[place]))
            for place, volume in zip(deepest, volumes, strict=True)
        )

    def graph(self, lines: list[Line], cavities: tuple[Cavity, ...], pruned: int) -> VesselGraph:
        at = ends_at(lines)
        branches, ends = [], []
        for i, line in enumerate(lines, 1):
            free = [n for n in line.nodes if len(at[n]) == 1]
            points = line.points
            for node in free:
                backwards = node == line.nodes[1]
                end, drawn = self._drawn_out(i, points[::-1] if backwards else points)
                points = drawn[::-1] if backwards else drawn
                ends.append(end)
            branches.append(self._branch(i, line.nodes, points, len(free)))
        meeting = [there[0].from_node(node)[0] for node, there in at.items() if len(there) > 2]
        junctions = np.array(meeting).reshape(-1, len(self.step)) + self.corner
        return VesselGraph(self.step, tuple(branches), junctions, tuple(ends), cavities, pruned)

    def _branch(self, i: int, nodes: tuple[int, int], points: Points, free: int) -> Branch:
        length = self.length(points)
        cycle = nodes[0] == nodes[1]
        apart = float(np.linalg.norm((points[-1] - points[0]) * self.step))
        tortuosity = np.inf if cycle else max(1.0, length / apart)
        kind: Kind = "cycle" if cycle else _KINDS[free]
        return Branch(i, kind, nodes, points + self.corner, self.radii(points), length, tortuosity)

    def _drawn_out(self, i: int, points: Points) -> tuple[EndPoint, Points]:
        """Return the end at the first of the points, and the points with it drawn out to the surface."""
        stretch = self._stretch(points)
        radius, direction = float(np.median(self.radii(stretch))), _outward(stretch * self.step)
        # Each pass of thinning takes a voxel off, however high it is: upright ends lose more of flat voxels.
        far = _DRAWN_RADII * radius / self.step.min() / np.abs(direction / self.step).max()
        ray = np.arange(0, far, self.step.min() / 4)[:, None] * direction / self.step + points[0]
        inside = self._inside(ray)
        drawn = len(ray) if inside.all() else int(np.argmin(inside))
        longer = np.concatenate((ray[1:drawn][-1:], points))
        place = longer[0] + self.corner
        room = np.minimum(place, self.shape - 1 - place) * self.step
        return EndPoint(i, place, direction, radius, bool((room <= np.maximum(radius, self.step)).any())), longer

    def _stretch(self, points: Points) -> Points:
        """Return the first `DIRECTION_RADII` radii of the points, and two at least."""
        away = np.linalg.norm((points - points[0]) * self.step, axis=1)
        radius = max(float(np.median(self.radii(points[: 1 + len(points) // 2]))), float(self.step.min()))
        beyond = np.flatnonzero(away > DIRECTION_RADII * radius)
        return points[: max(2, beyond[0])] if len(beyond) else points


def _outward(line: Points) -> Points:
    """Return the direction of the straight line fitted to points, from the last to the first; of length 1."""
    _, _, directions = np.linalg.svd(line - line.mean(axis=0), full_matrices=False)
    direction: Points = directions[0]
    return direction if direction @ (line[0] - line[-1]) >= 0 else -direction
