"""The mean of several predictions of one image, and where they disagree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.arrays import create_array
from napari_bioseg.core.job import Job
from napari_bioseg.postprocess.blocks import Grid
from napari_bioseg.postprocess.uncertainty import Uncertainty, UncertaintyWriter, entropy

if TYPE_CHECKING:
    import zarr
    from zarr.abc.store import Store

DISAGREEMENT = 0.1
"""Mutual information from which passes count as disagreeing, about that of two that say 0.3 and 0.7."""

_BLOCK = 2**22  # pixels

Read = Callable[[tuple[slice, ...]], npt.NDArray[Any]]
"""Probabilities ``(K, *box)`` of a pass in a box of the common grid."""


class Accumulator:
    """Running means, over passes, of the probabilities and of their entropies; no pass is kept.

    It does not know where passes come from: one network that sees the image turned, or several networks.

    Parameters
    ----------
    shape, chunks : sequence of int
        ``(K, *grid)`` of the probabilities and of their chunks.
    axes : str
        Of the grid.
    activation : str
        ``"sigmoid"`` or ``"softmax"``.
    block : int
        About how many pixels of the grid are in memory at once.

    Attributes
    ----------
    mean : zarr.Array
        Float32 of `shape`, as far as passes have come.
    passes : int
        How many have begun to be added.
    """

    def __init__(
        self, shape: Sequence[int], chunks: Sequence[int], axes: str, activation: str, *, block: int = _BLOCK
    ) -> None:
        self._axes, self._activation = axes, activation
        self.mean = create_array(None, shape, chunks, "float32")
        self._entropy = create_array(None, shape[1:], chunks[1:], "float32")
        self._grid = Grid.of(shape[1:], chunks[1:], block)
        self.passes = 0

    def add(self, read: Read, job: Job) -> None:
        """Take in one more pass.

        Raises
        ------
        Cancelled
            The job was stopped: then each block holds the mean of the passes that reached it.
        """
        self.passes += 1
        for index in self._grid:
            job.check()
            box = self._grid.box(index)
            p = read(box).astype(np.float32)
            self._blend(self.mean, (slice(None), *box), p)
            self._blend(self._entropy, box, entropy(p, self._activation))

    def _blend(self, mean: zarr.Array[Any], box: tuple[slice, ...], values: npt.NDArray[np.float32]) -> None:
        before = np.asarray(mean[box])
        mean[box] = before + (values - before) / np.float32(self.passes)

    def result(self, store: str | Path | Store | None = None) -> tuple[zarr.Array[Any], Uncertainty]:
        """Return the mean probabilities as float16, and where the passes disagree.

        The disagreement is the mutual information between the class of a pixel and the pass: the entropy of the mean
        less the mean of the entropies (BALD: Houlsby et al., arXiv:1112.5745; of ensembles: Lakshminarayanan et al.,
        NeurIPS 2017; of turned images: Wang et al., Neurocomputing 338:34, 2019), in the unit of `entropy`: 0 where
        all passes say the same, however unsure they are.

        Parameters
        ----------
        store : path or zarr Store, optional
            Where the probabilities go; by default memory, or a temporary folder if they are large.
        """
        mean = create_array(store, self.mean.shape, self.mean.chunks, "float16")
        writer = UncertaintyWriter(self._entropy.shape, self._entropy.chunks, self._axes, level=DISAGREEMENT)
        for index in self._grid:
            box = self._grid.box(index)
            p = np.asarray(self.mean[(slice(None), *box)])
            mean[(slice(None), *box)] = p.astype(np.float16)
            # Never below 0, as the entropy is concave, but for rounding.
            gap = entropy(p, self._activation) - np.asarray(self._entropy[box])
            writer.write(box, np.maximum(gap, 0))
        return mean, writer.result()
