"""`decode_volume`: labels of a whole prediction, block by block, as if it had been decoded in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.arrays import create_array
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.postprocess.blocks import Collection, Grid, Index, View
from napari_bioseg.postprocess.objects import Objects, resolve
from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.postprocess.parts import Pairs, find_parts
from napari_bioseg.postprocess.plane import paint_classes
from napari_bioseg.postprocess.separate import classify_apart
from napari_bioseg.postprocess.split import split_objects
from napari_bioseg.postprocess.threshold import class_values, classify

if TYPE_CHECKING:
    import zarr
    from zarr.abc.store import Store

_BLOCK = 2**24  # pixels


def decode_volume(
    prediction: Prediction,
    options: DecodeOptions | None = None,
    *,
    store: str | Path | Store | None = None,
    job: Job | None = None,
    block: int = _BLOCK,
) -> zarr.Array[Any]:
    """Return the labels of a prediction; memory grows with the number of objects, not of pixels.

    Objects are joined along the axes that the model saw: of a 2-D model they end with their plane. Numbers of
    instances are consecutive from 1 over the whole result, so none comes twice, also in different planes. Sizes
    of objects and of holes are those of the whole, and objects are split as wholes, so the labels do not depend on
    `block`, but for the order of the numbers. (An object whose bounding box holds more than 64 million pixels is
    not split; the job is told.) Lines that close gaps depend on whole planes, which are in memory one at a time.

    Parameters
    ----------
    prediction : Prediction
    options : DecodeOptions, optional
        Without a threshold or `separate` that of the model is taken, else 0.5 and no lines.
    store : path or zarr Store, optional
        Where the labels go; by default memory, or a temporary folder if they are large.
    job : Job, optional
        For progress and for stopping.
    block : int
        About how many pixels are in memory at once.

    Returns
    -------
    zarr.Array
        Uint32, of the shape and chunks of the prediction.

    Raises
    ------
    Cancelled
        The job was stopped.
    """
    options, job = options or DecodeOptions(), job or Job()
    labels = create_array(store, prediction.shape, prediction.probabilities.chunks[1:], "uint32")
    decoder = _Decoder(prediction, options, labels, job, block)
    job.stage("Decoding", decoder.steps)
    count = 0
    for lead in decoder.leads():
        count += decoder.decode(lead, count + 1)
    return labels


class _Decoder:
    """Decodes one plane or volume after the other."""

    def __init__(
        self, prediction: Prediction, options: DecodeOptions, labels: zarr.Array[Any], job: Job, block: int
    ) -> None:
        self._prediction, self._labels, self._job = prediction, labels, job
        self._options, self._limits = options.resolved(prediction.provenance), options.limits(prediction.provenance)
        self._values = class_values(prediction.classes)
        joined = [prediction.axes.index(a) for a in prediction.model_axes]
        self._rest = [i for i in range(len(prediction.axes)) if i not in joined]
        shape, chunks = ([s[i] for i in joined] for s in (prediction.shape, labels.chunks))
        self._grid = Grid.of(shape, chunks, block)
        self._slabs = Grid.of_planes(shape, chunks, block) if self._limits.separate else None
        self._sampling = [prediction.scale[i] for i in joined]

    @property
    def steps(self) -> int:
        """Blocks to be written."""
        passes = 2 if self._options.needs_objects and len(self._grid) > 1 else 1
        blocks = passes * len(self._grid) + (len(self._slabs) if self._slabs else 0)
        return blocks * prod(self._prediction.shape[i] for i in self._rest)

    def leads(self) -> Iterator[dict[int, int]]:
        """Index along each axis that objects do not extend over."""
        for index in product(*(range(self._prediction.shape[i]) for i in self._rest)):
            yield dict(zip(self._rest, index, strict=True))

    def decode(self, lead: dict[int, int], first: int) -> int:
        """Decode the plane or volume at `lead`; return how many objects it has."""
        out = View(self._labels, lead)
        probabilities = View(self._prediction.probabilities, {i + 1: n for i, n in lead.items()})
        if not len(self._grid):
            return 0
        if self._slabs:
            self._classify_planes(self._slabs, probabilities, out)
        if not self._options.needs_objects:
            for index in self._grid:
                self._write(out, index, paint_classes(self._indices(probabilities, out, index), self._values))
            return 0
        objects = self._objects(probabilities, out, first)
        if not (self._options.instances and self._options.split):
            return objects.count
        return split_objects(out, objects, self._options, first=first, sampling=self._sampling, job=self._job)

    def _classify_planes(self, slabs: Grid, probabilities: View, out: View) -> None:
        """Write class indices to `out`, so that blocks find them there that do not hold whole planes."""
        for index in slabs:
            slab = probabilities[(slice(None), *slabs.box(index))]
            out[slabs.box(index)] = classify_apart(
                slab, *self._limits, self._prediction.activation, cores=self._prediction.cores, job=self._job
            )
            self._job.step()

    def _objects(self, probabilities: View, out: View, first: int) -> Objects:
        collection = Collection(self._grid)
        for index in self._grid:
            parts, runs = find_parts(
                self._indices(probabilities, out, index),
                self._grid.where(index),
                largest_hole=self._options.fill_holes,
                boxes=bool(self._options.split),
            )
            if len(self._grid) == 1:
                objects = resolve(parts, Pairs.joined([]), self._options, self._values, first=first)
                self._write(out, index, runs.paint(objects.lookup))
                return objects
            # Until all blocks are known, labels hold the number of the part.
            self._write(out, index, collection.add(index, parts, runs))
        objects = resolve(collection.parts, collection.joins, self._options, self._values, first=first)
        for index in self._grid:
            self._write(out, index, objects.lookup[out[self._grid.box(index)]])
        return objects

    def _indices(self, probabilities: View, out: View, index: Index) -> npt.NDArray[Any]:
        box = self._grid.box(index)
        if self._slabs:
            return out[box]
        telling = slice(-1 if self._prediction.cores else None)
        return classify(probabilities[(telling, *box)], self._limits.threshold, self._prediction.activation)

    def _write(self, out: View, index: Index, values: npt.NDArray[np.uint32]) -> None:
        out[self._grid.box(index)] = values
        self._job.step()
