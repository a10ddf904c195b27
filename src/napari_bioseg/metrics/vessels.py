"""What a vessel segmentation is as a graph: branches with length and radius, branch points, end points, cavities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_bioseg.metrics.centre_lines import Points

Kind = Literal["junction-junction", "tip-junction", "tip-tip", "cycle"]


@dataclass(frozen=True)
class Branch:
    """A vessel between two branch points or end points.

    Attributes
    ----------
    id : int
        From 1.
    kind : str
        What it lies between; ``"cycle"``: it ends where it begins.
    nodes : tuple of int
        Its ends; branches with a node in common meet there.
    points : ndarray of float64
        ``(N, D)``, the centre line in pixels. A free end reaches the surface of the vessel.
    radii : ndarray of float64
        ``(N,)``, distance from the centre line to the nearest pixel outside, in the unit of the spacing.
    length : float
        Of the smoothed centre line, in the unit of the spacing.
    tortuosity : float
        Length over the distance of the ends; infinite for a cycle.
    """

    id: int
    kind: Kind
    nodes: tuple[int, int]
    points: Points
    radii: npt.NDArray[np.float64]
    length: float
    tortuosity: float


@dataclass(frozen=True)
class EndPoint:
    """A free end of a vessel.

    Attributes
    ----------
    branch : int
        Whose it is.
    position : ndarray of float64
        ``(D,)``, pixels.
    direction : ndarray of float64
        ``(D,)``, where the vessel would go on: of length 1 in the unit of the spacing.
    radius : float
        Of the vessel before the end, in the unit of the spacing.
    at_border : bool
        Whether the image, and not the vessel, may end there.
    """

    branch: int
    position: Points
    direction: Points
    radius: float
    at_border: bool


@dataclass(frozen=True)
class Cavity:
    """Background that a vessel encloses on all sides, which blood vessels do not do.

    Attributes
    ----------
    position : ndarray of float64
        ``(D,)``, its deepest pixel.
    volume : float
        In the cube of the unit of the spacing.
    around : float
        Radius of the vessel there, once the cavity is filled.
    """

    position: Points
    volume: float
    around: float


@dataclass(frozen=True)
class VesselGraph:
    """What `vessel_graph` returns; places are in pixels of the labels.

    Attributes
    ----------
    spacing : ndarray of float64
        ``(D,)``, step along each axis.
    branches : tuple of Branch
    branch_points : ndarray of float64
        ``(N, D)``, where three branches or more meet.
    end_points : tuple of EndPoint
    cavities : tuple of Cavity
        They were filled before thinning. 3-D only: in a plane every mesh of the network is enclosed.
    pruned : int
        Spurs that were taken off.
    """

    spacing: Points
    branches: tuple[Branch, ...]
    branch_points: Points
    end_points: tuple[EndPoint, ...]
    cavities: tuple[Cavity, ...]
    pruned: int

    @property
    def length(self) -> float:
        """Of all branches together, in the unit of the spacing."""
        return float(sum(branch.length for branch in self.branches))

    @property
    def median_radius(self) -> float:
        """Median over the points of all centre lines; 0 without any."""
        return float(np.median(self._radii)) if self.branches else 0.0

    @property
    def mean_radius(self) -> float:
        """Mean over the points of all centre lines; 0 without any."""
        return float(np.mean(self._radii)) if self.branches else 0.0

    @property
    def _radii(self) -> npt.NDArray[np.float64]:
        return np.concatenate([branch.radii for branch in self.branches])
