"""Centre lines of a mask as a graph: thin it, walk along the lines, take off spurs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_bioseg.core.errors import MissingDependencyError

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ONE_JUNCTION = 3  # pixels of a path between two junctions that are one


@dataclass
class Line:
    """A line between two nodes.

    Attributes
    ----------
    nodes : tuple of int
        Where it starts and ends; twice the same for a cycle.
    points : ndarray of float64
        ``(N, D)``, pixels, from the first node to the last.
    """

    nodes: tuple[int, int]
    points: Points

    def from_node(self, node: int) -> Points:
        """Return the points, beginning at `node`."""
        return self.points if self.nodes[0] == node else self.points[::-1]


def centre_lines(mask: Mask) -> list[Line]:
    """Thin a mask and return its lines.

    Thinning after Zhang and Suen (CACM 27:236, 1984) in 2-D, after Lee, Kashyap and Chu (CVGIP 56:462, 1994) in 3-D;
    the lines between end points and junctions are walked by skan (Nunez-Iglesias et al., PeerJ 6:e4312, 2018).
    Junctions that touch are one node, in their middle. A speck whose centre is one pixel has no line.

    Voxels are thinned as they are, flat ones too: what is connected does not depend on how high they are. Planes
    repeated until voxels are cubes make steps, and each step may grow a spur: on simulated vessels with planes 5 µm
    apart and pixels of 1 µm (`simulate.vessel_tree`, two seeds) two to three times as many free ends inside the volume.

    Parameters
    ----------
    mask : ndarray of bool
        YX or ZYX.

    Raises
    ------
    MissingDependencyError
        skan is not installed.
    """
    try:
        from skan import Skeleton
    except ImportError as error:
        raise MissingDependencyError(
            "skan", "is not installed, and a vessel graph needs it", "pip install 'napari-bioseg[vessels]'"
        ) from error
    from skimage.morphology import skeletonize

    thin = skeletonize(mask)
    near = ndimage.convolve(thin.astype(np.uint8), np.ones((3,) * thin.ndim, np.uint8), mode="constant")
    if not (near[thin] > 1).any():
        return []  # nothing, or specks only, of which skan makes no graph
    walked = Skeleton(thin, keep_images=False)
    paths = [walked.path(i) for i in range(walked.n_paths)]
    return joined(_lines(paths, walked.coordinates.astype(np.float64), walked.degrees))


def _lines(paths: list[npt.NDArray[Any]], points: Points, degrees: npt.NDArray[Any]) -> list[Line]:
    short = [(p[0], p[-1]) for p in paths if len(p) <= _ONE_JUNCTION and (degrees[[p[0], p[-1]]] > 2).all()]
    rows, columns = np.array(short, np.int64).reshape(-1, 2).T
    n = len(points)
    _, node = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, n)), directed=False)
    middle = np.stack([ndimage.mean(points[:, i], node, np.arange(node.max() + 1)) for i in range(points.shape[1])], 1)
    lines = []
    for path in paths:
        ends = int(node[path[0]]), int(node[path[-1]])
        if ends[0] == ends[1] and len(path) <= _ONE_JUNCTION:
            continue
        along = points[path]
        along[0], along[-1] = middle[ends[0]], middle[ends[1]]
        lines.append(Line(ends, along))
    return lines


def ends_at(lines: list[Line]) -> dict[int, list[Line]]:
    """Return the lines that begin or end at each node; a cycle is there twice."""
    found = defaultdict(list)
    for line in lines:
        for node in line.nodes:
            found[node].append(line)
    return found


def prune(
    lines: list[Line], least: Callable[[Line, int], float], length: Callable[[Points], float]
) -> tuple[list[Line], int]:
    """Take off spurs, the shortest first, and join what they parted, until none is left.

    Parameters
    ----------
    lines : list of Line
    least : callable
        Told a line with a free end and the junction at its other end: how long it must be to stay.
    length : callable
        Of points.

    Returns
    -------
    lines : list of Line
    pruned : int
        How many were taken off. The last two lines at a junction stay, so that a vessel is not shortened by the fork
        that thinning leaves at a blunt end.
    """
    pruned = 0
    while True:
        at = ends_at(lines)
        degree = {node: len(there) for node, there in at.items()}
        spurs = []
        for line in lines:
            tips = [n for n in line.nodes if degree[n] == 1]
            junction = line.nodes[0] if line.nodes[1] in tips else line.nodes[1]
            if len(tips) == 1 and length(line.points) < least(line, junction):
                spurs.append((length(line.points), junction, line))
        gone = set()
        for _, junction, line in sorted(spurs, key=lambda spur: spur[0]):
            if degree[junction] > 2:
                degree[junction] -= 1
                gone.add(id(line))
        if not gone:
            return lines, pruned
        pruned += len(gone)
        lines = joined([line for line in lines if id(line) not in gone])


def joined(lines: list[Line]) -> list[Line]:
    """Return the lines with any two that meet at a node of no others made one."""
    at = ends_at(lines)
    for node in [n for n, there in at.items() if len(there) == 2]:
        one, other = at[node]
        if one is other:
            continue  # a cycle
        begin, end = one.from_node(node)[::-1], other.from_node(node)
        far = [line.nodes[0] if line.nodes[1] == node else line.nodes[1] for line in (one, other)]
        whole = Line((far[0], far[1]), np.concatenate((begin, end[1:])))
        for place, old in zip(far, (one, other), strict=True):
            # By identity: lines hold arrays, which do not compare to one truth value.
            at[place][next(i for i, line in enumerate(at[place]) if line is old)] = whole
        at[node] = []
    return list({id(line): line for there in at.values() for line in there}.values())
