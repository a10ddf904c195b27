"""Where next: the plane, or the tile of a large plane, where a correction is expected to teach most.

Score = uncertainty × novelty. Uncertainty is the mean of the map over the tile. Novelty is the distance of its features
to the nearest one that is verified or suggested before it (k-centre greedy: Sener & Savarese, ICLR 2018,
arXiv:1708.00489), as a share of the largest that it could be in this image. Before anything is verified, all is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_bioseg.corrections.verified import State
from napari_bioseg.postprocess.uncertainty import Uncertainty
from napari_bioseg.workflows.describe import Features, Plane

Verified = Callable[[Plane, tuple[slice, slice]], State]
"""How much of a box (Y, X) of a plane a person has verified; both are indices in the prediction."""

_BATCH = 256  # of known tiles whose distances are computed at once
_WORDS = {"Z": "slice", "T": "frame", "R": "position"}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Suggestion:
    """Where to look next.

    Attributes
    ----------
    plane : tuple of int
        Index in the prediction along all its axes but Y and X.
    box : tuple of slice
        Y and X in the prediction; the whole plane, or a tile of a large one.
    score, uncertainty, novelty : float
        In 0..1; the score is the product of the others.
    reason : str
        One line for the user.
    """

    plane: Plane
    box: tuple[slice, slice]
    score: float
    uncertainty: float
    novelty: float
    reason: str


def suggest(uncertainty: Uncertainty, features: Features, verified: Verified, *, count: int = 10) -> list[Suggestion]:
    """Return where to look next, best first; fast enough to be called at every key press.

    What is verified in part comes after all that is not verified at all. Each suggestion counts as looked at for those
    after it, so that they are not alike.

    Parameters
    ----------
    uncertainty : Uncertainty
        The entropy, or the disagreement, of a prediction.
    features : Features
        Of the same prediction.
    verified : callable
        Called once for each tile, see `Verified`; a plane of up to 1024 pixels an edge is one tile.
    count : int
        Most suggestions to return.

    Returns
    -------
    list of Suggestion
        Never one that is verified; empty when everything is.
    """
    tiles = [(p, t) for p in np.ndindex(*uncertainty.means.shape[:-2]) for t in uncertainty.tiling]
    states = np.array([verified(plane, uncertainty.tiling.box(tile)) for plane, tile in tiles])
    novelty = _Novelty(features.values.reshape(len(tiles), -1).astype(np.float64), np.flatnonzero(states != "none"))
    unsure = uncertainty.means.reshape(-1)
    words = _Words(uncertainty, features.origin, tiles)
    found: list[Suggestion] = []
    for state in ("none", "part"):
        left = np.flatnonzero(states == state).tolist()
        while left and len(found) < count:
            scores = unsure * novelty.values
            # Of equal scores, as where nothing is new any more, the most unsure.
            best = max(left, key=lambda i: (scores[i], unsure[i]))
            found.append(words.suggestion(best, novelty, len(found)))
            left.remove(best)
            novelty.add(np.array([best]))
    return found


class _Novelty:
    """Distances to the nearest reference, in shares of the diameter of a ball around all features."""

    def __init__(self, features: Floats, references: npt.NDArray[np.intp]) -> None:
        self._features = features - features.mean(axis=0)
        self._squares: Floats = (self._features**2).sum(axis=1)
        self._diameter = 2 * float(np.sqrt(self._squares.max())) or 1.0
        self._rounding = 1e-5 * float(np.abs(features).max())
        self.verified = len(references)
        self.nearest = np.full(len(features), -1)
        self._distance = np.full(len(features), np.inf)
        for start in range(0, len(references), _BATCH):
            self.add(references[start : start + _BATCH])

    @property
    def values(self) -> Floats:
        """Novelty of each tile; 1 where there is no reference."""
        return np.minimum(self._distance / self._diameter, 1.0)

    def add(self, known: npt.NDArray[np.intp]) -> None:
        """Count some tiles as known, each for all but itself."""
        # |a - b|² = |a|² + |b|² - 2 ab: one product of matrices, instead of a difference for each pair.
        products = self._features @ self._features[known].T
        squares = self._squares[:, None] + self._squares[known] - 2 * products
        squares[known, np.arange(len(known))] = np.inf
        best = squares.argmin(axis=1)
        distance = np.sqrt(np.maximum(squares[np.arange(len(squares)), best], 0))
        distance[distance < self._rounding] = 0
        closer = distance < self._distance
        self._distance[closer], self.nearest[closer] = distance[closer], known[best[closer]]


@dataclass(frozen=True)
class _Words:
    """Says where a tile lies and why it is suggested."""

    uncertainty: Uncertainty
    origin: Plane
    tiles: Sequence[tuple[Plane, tuple[int, int]]]

    def suggestion(self, i: int, novelty: _Novelty, before: int) -> Suggestion:
        plane, tile = self.tiles[i]
        unsure, new = float(self.uncertainty.means[(*plane, *tile)]), float(novelty.values[i])
        percent = 100 * float(self.uncertainty.unsure[(*plane, *tile)])
        told = f"{round(percent, 0 if percent >= 10 else 1):g} %"
        reason = f"unsure on {told} of {self._name(i)}; {self._beside(new, novelty, i, before)}"
        return Suggestion(plane, self.uncertainty.tiling.box(tile), unsure * new, unsure, new, reason)

    def _beside(self, new: float, novelty: _Novelty, i: int, before: int) -> str:
        if novelty.nearest[i] < 0:
            return "nothing is verified yet"
        known = [(novelty.verified, "verified"), (before, "suggested before")]
        told = " and ".join(f"{n} {word}" for n, word in known if n)
        return f"novelty {new:.2f} beside the {told} (nearest: {self._name(novelty.nearest[i])})"

    def _name(self, i: int) -> str:
        plane, tile = self.tiles[i]
        lead = zip(self.uncertainty.axes, plane, self.origin, strict=False)
        name = ", ".join(f"{_WORDS.get(a, a)} {index + start}" for a, index, start in lead) or "the plane"
        if self.uncertainty.tiling.counts == (1, 1):
            return name
        y, x = self.uncertainty.tiling.box(tile)
        return f"Y={y.start}:{y.stop}, X={x.start}:{x.stop} of {name}"
