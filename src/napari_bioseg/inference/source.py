"""Grey values, read where they are needed and normalised by figures of the whole plane or volume."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from math import ceil, prod, sqrt
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

from napari_bioseg.inference.resample import extend, inside, read_span, to_model_taps
from napari_bioseg.inference.tiles import Axis, Span
from napari_bioseg.models.normalise import Normalisation, apply_normalisation

_SAMPLE = 2**22  # grey values from which the figures of a normalisation are taken
_SAMPLE_PLANES = 32


class Source:
    """Hands out tiles of the model grid; safe to use from several threads.

    Parameters
    ----------
    data : dask.array.Array
        Grey values along `axes`.
    axes : str
        Axes of `data`, and of the result.
    model_axes : str
        Those of them that the network sees.
    grid : sequence of Axis
        One for each of `model_axes`.
    normalisation : Normalisation
    """

    def __init__(
        self, data: da.Array, axes: str, model_axes: str, grid: Sequence[Axis], normalisation: Normalisation
    ) -> None:
        self._data, self._axes, self._model_axes, self._grid = data, axes, model_axes, tuple(grid)
        self._normalisation = normalisation
        self._figures: dict[tuple[tuple[str, int], ...], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def read(self, lead: Mapping[str, int], inputs: Sequence[Span]) -> npt.NDArray[np.float32]:
        """Return normalised grey values on the model grid.

        Parameters
        ----------
        lead : Mapping
            Index along each axis that the network does not see.
        inputs : sequence of Span
            Model pixels along each axis that it sees; beyond the border the image is mirrored.
        """
        return self.read_both(lead, inputs)[0]

    def read_both(
        self, lead: Mapping[str, int], inputs: Sequence[Span]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        """Return what `read` does, and the pixels of the image, as they are, that it was made from."""
        spans = [read_span(axis, span) for axis, span in zip(self._grid, inputs, strict=True)]
        pixels = [inside(axis, span) for axis, span in zip(self._grid, spans, strict=True)]
        where = {a: slice(*p) for a, p in zip(self._model_axes, pixels, strict=True)}
        part = self._data[tuple(lead[a] if a in lead else where[a] for a in self._axes)]
        raw = np.asarray(part.compute(scheduler="synchronous"))
        values = self._normalised(raw, lead, pixels)
        for i, (axis, span, pixel) in enumerate(zip(self._grid, spans, pixels, strict=True)):
            values = extend(values, i, span, axis.size, pixel.start)
        for i, (axis, span, inp) in enumerate(zip(self._grid, spans, inputs, strict=True)):
            if axis.resampled:
                values = to_model_taps(axis, inp).apply(values, i, span.start)
        return np.ascontiguousarray(values, dtype=np.float32), raw

    def _normalised(
        self, raw: npt.NDArray[Any], lead: Mapping[str, int], pixels: Sequence[Span]
    ) -> npt.NDArray[np.float32]:
        clip = self._normalisation.clip
        if self._normalisation.scope == "plane" and "Z" in self._model_axes:
            planes = zip(range(*pixels[0]), raw, strict=True)
            return np.stack([apply_normalisation(p, *self._figures_of({**lead, "Z": z}), clip) for z, p in planes])
        whole = {a: i for a, i in lead.items() if a != "Z" or self._normalisation.scope == "plane"}
        return apply_normalisation(raw, *self._figures_of(whole), clip)

    def _figures_of(self, fixed: Mapping[str, int]) -> tuple[float, float]:
        key = tuple(sorted(fixed.items()))
        with self._lock:
            if key not in self._figures:
                self._figures[key] = self._normalisation.fit(self._sample(fixed))
            return self._figures[key]

    def _sample(self, fixed: Mapping[str, int]) -> npt.NDArray[Any]:
        if self._normalisation.method == "fixed":
            return np.zeros(1, np.float32)
        free = [a for a in self._axes if a not in fixed]
        steps = _steps({a: self._data.shape[self._axes.index(a)] for a in free})
        index = tuple(fixed[a] if a in fixed else slice(steps[a] // 2, None, steps[a]) for a in self._axes)
        return np.asarray(self._data[index].compute())


def _steps(sizes: dict[str, int]) -> dict[str, int]:
    # Whole planes are skipped first, since reading a part of a plane often costs as much as all of it.
    total = prod(sizes.values())
    if total <= _SAMPLE:
        return dict.fromkeys(sizes, 1)
    planes = sizes.get("Z", 1)
    per_plane = total // planes
    z = max(1, min(ceil(planes / _SAMPLE_PLANES), ceil(total / _SAMPLE)))
    left = -(-planes // z) * per_plane
    step = max(1, ceil(sqrt(left / _SAMPLE)))
    return {a: z if a == "Z" else step for a in sizes}
