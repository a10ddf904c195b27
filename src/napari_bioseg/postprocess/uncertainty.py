"""How unsure a network is of each pixel, and on average of each plane and tile."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from napari_bioseg.core.arrays import create_array
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.postprocess.blocks import Grid
from napari_bioseg.postprocess.tiling import Tiling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import zarr
    from zarr.abc.store import Store

FULL = 255
"""What stands in the map for the largest possible uncertainty."""

UNSURE = 0.5
"""Entropy from which a pixel counts as unsure: of two classes, probabilities from 0.11 to 0.89."""

_BLOCK = 2**22  # pixels

Floats = npt.NDArray[np.float64]


def entropy(probabilities: npt.NDArray[Any], activation: str) -> npt.NDArray[np.float32]:
    """Return the entropy of each pixel as a share of the largest possible.

    Shannon, Bell Syst. Tech. J. 27:379 (1948). With softmax that of the K classes, divided by log K. With sigmoid the
    classes are independent of each other: the sum of their entropies, divided by the largest that it can be.

    Parameters
    ----------
    probabilities : ndarray
        ``(K, *space)`` in 0..1.
    activation : str
        ``"sigmoid"`` or ``"softmax"``.

    Returns
    -------
    ndarray of float32
        ``(*space)`` in 0..1.
    """
    p = np.asarray(probabilities, np.float32)
    nats = entr(p).sum(axis=0) if activation == "softmax" else (entr(p) + entr(1 - p)).sum(axis=0)
    largest = log(len(p)) if activation == "softmax" else len(p) * log(2)
    # Probabilities are rounded to float16 and may sum to slightly more than 1.
    shares: npt.NDArray[np.float32] = np.minimum(nats / np.float32(largest), np.float32(1))
    return shares


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """A map of uncertainty, and what it is on average.

    Attributes
    ----------
    values : zarr.Array
        Uint8 of the shape and chunks of the prediction, `FULL` for 1. One byte a pixel: its steps are finer than
        what float16 probabilities tell, napari draws it as it is, and a volume of it is half one of float16.
    axes : str
        Of `values`; the last two are Y and X.
    tiling : Tiling
        Of each plane.
    means, unsure : ndarray of float64
        ``(*lead, rows, columns)``: of each tile of each plane the mean, and the share of pixels of `level` or more,
        both from values before they were rounded.
    level : float
        From which a pixel counts as unsure.
    """

    values: zarr.Array[Any]
    axes: str
    tiling: Tiling
    means: Floats
    unsure: Floats
    level: float

    @property
    def plane_means(self) -> Floats:
        """Mean of each plane, along all axes but Y and X."""
        areas = self.tiling.areas
        means: Floats = (self.means * areas).sum(axis=(-2, -1)) / areas.sum()
        return means


class UncertaintyWriter:
    """Takes in values block by block, in any order, and gives the map and its means.

    Parameters
    ----------
    shape, chunks : sequence of int
        Of the map; the last two axes are Y and X.
    axes : str
    level : float
        From which a pixel counts as unsure.
    store : path or zarr Store, optional
        Where the map goes; by default memory, or a temporary folder if it is large.
    """

    def __init__(
        self,
        shape: Sequence[int],
        chunks: Sequence[int],
        axes: str,
        *,
        level: float = UNSURE,
        store: str | Path | Store | None = None,
    ) -> None:
        self._values = create_array(store, shape, chunks, "uint8")
        self._axes, self._level = axes, level
        self._tiling = Tiling((shape[-2], shape[-1]))
        self._sums: Floats = np.zeros((*shape[:-2], *self._tiling.counts))
        self._unsure: Floats = np.zeros_like(self._sums)

    def write(self, box: tuple[slice, ...], values: npt.NDArray[np.float32]) -> None:
        """Take in the values, 0..1, of a box that was not written before."""
        self._values[box] = np.rint(values * FULL).astype(np.uint8)
        tiles, first = [], []
        for span, edge in zip(box[-2:], self._tiling.edges, strict=True):
            touched = slice(span.start // edge, (span.stop - 1) // edge + 1)
            tiles.append(touched)
            first.append([max(0, i * edge - span.start) for i in range(touched.start, touched.stop)])
        where = (*box[:-2], *tiles)
        self._sums[where] += _sums(values, *first)
        self._unsure[where] += _sums(values >= self._level, *first)

    def result(self) -> Uncertainty:
        """Return the map with the means of what was written."""
        areas = self._tiling.areas
        return Uncertainty(
            self._values, self._axes, self._tiling, self._sums / areas, self._unsure / areas, self._level
        )


def _sums(values: npt.NDArray[Any], rows: list[int], columns: list[int]) -> Floats:
    """Return the sums of the rectangles that begin at these rows and columns."""
    by_column = np.add.reduceat(values, columns, axis=-1, dtype=np.float64)
    sums: Floats = np.add.reduceat(by_column, rows, axis=-2)
    return sums


def measure_uncertainty(
    prediction: Prediction, *, store: str | Path | Store | None = None, job: Job | None = None, block: int = _BLOCK
) -> Uncertainty:
    """Return the entropy of a prediction, see `entropy`.

    Of a detector only the map of centres tells how sure it is; the maps of offsets and sides do not count. Tiles that
    a cancelled prediction did not reach count as sure.

    Parameters
    ----------
    prediction : Prediction
    store : path or zarr Store, optional
        Where the map goes; by default memory, or a temporary folder if it is large.
    job : Job, optional
        For progress and for stopping.
    block : int
        About how many pixels are in memory at once; the result does not depend on it.

    Raises
    ------
    Cancelled
        The job was stopped.
    """
    job, maps = job or Job(), prediction.probabilities
    telling = slice(None if prediction.activation == "softmax" else len(prediction.classes))
    grid = Grid.of(prediction.shape, maps.chunks[1:], block)
    writer = UncertaintyWriter(prediction.shape, maps.chunks[1:], prediction.axes, store=store)
    job.stage("Measuring uncertainty", len(grid))
    for index in grid:
        box = grid.box(index)
        writer.write(box, entropy(np.asarray(maps[(telling, *box)]), prediction.activation))
        job.step()
    return writer.result()
