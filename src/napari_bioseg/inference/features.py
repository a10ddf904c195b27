"""What a network makes of each plane, as one vector: to tell how much planes are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.grey import grey_values
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.inference.plan import Plan, make_plan
from napari_bioseg.inference.source import Source
from napari_bioseg.inference.tiles import Span, Tile, iterate_tiles
from napari_bioseg.inference.windows import Encoder

if TYPE_CHECKING:
    from napari_bioseg.models.model import Model

_EDGES = {"Z": 16, "Y": 512, "X": 512}  # of what goes through the encoder at once, image pixels

Floats = npt.NDArray[np.float32]


def tile_features(
    image: Image,
    model: Model,
    edges: tuple[int, int],
    options: PredictOptions | None = None,
    *,
    box: tuple[slice, ...] | None = None,
    job: Job | None = None,
) -> Floats:
    """Return the mean of `Network.features` over each tile of each plane.

    A 3-D network pools along Z, too: there each plane gets the features of the coarse plane that it lies in. Parts
    are taken without the halo, since a mean over many pixels hardly feels their borders; so the result depends a
    little on where the parts lie, which is always the same.

    Parameters
    ----------
    image : Image
        As for `predict`, which has found that the model takes it.
    model : Model
    edges : tuple of int
        Y and X of a tile, in pixels of the image.
    options : PredictOptions, optional
    box : tuple of slice, optional
        The part of the image, as for `predict`.
    job : Job, optional
        For progress (a step is a part of a tile) and for stopping.

    Returns
    -------
    ndarray of float32
        ``(*lead, rows, columns, F)``; `lead` are all axes of the prediction but Y and X.

    Raises
    ------
    Cancelled
        The job was stopped.
    RecipeError, DeviceError
        As for `predict`.
    """
    options, job = options or PredictOptions(), job or Job()
    data, axes, _ = grey_values(image, options.channel)
    plan = make_plan(image, axes, model, options, box=box, job=job)
    source = Source(data, axes, model.axes, plan.grid, model.card.input.normalisation)
    encoder = Encoder(model, options.device)
    parts = [(tile, part) for tile in _tiles(plan, edges) for part in _parts(plan, tile)]
    job.stage("Describing planes", len(parts))
    sums: Floats | None = None
    for tile, part in parts:
        found = _encode(encoder, source, plan, part)
        if sums is None:
            sums = np.zeros((*_counts(plan, edges), found.shape[-1]), np.float32)
        weight = (part.shape[-2] * part.shape[-1]) / (tile.shape[-2] * tile.shape[-1])
        sums[_index(plan, part, edges)] += found * np.float32(weight)
        job.step()
    return np.zeros((*_counts(plan, edges), 0), np.float32) if sums is None else sums


def _encode(encoder: Encoder, source: Source, plan: Plan, part: Tile) -> Floats:
    """Return ``(F,)`` of a part of a plane, or ``(planes, F)`` of a part of a volume."""
    inputs = [axis.covering(core) for axis, core in zip(plan.grid, part.core, strict=True)]
    grey = source.read(dict(zip(plan.lead_axes, part.lead, strict=True)), inputs)
    pooled = encoder.pooled(grey, (-2, -1))
    if pooled.ndim == 1:
        return pooled
    z, pixels = plan.grid[0], inputs[0]
    centres = np.array([z.to_model(i) for i in range(*part.core[0])]) + 0.5 - pixels.start
    coarse = np.floor(centres * pooled.shape[1] / pixels.length).astype(int)
    return pooled[:, coarse].T


def _tiles(plan: Plan, edges: tuple[int, int]) -> Iterator[Tile]:
    """Tiles in the plane, at each index of the axes that the model does not see and over all Z where it does."""
    spans = plan.spans(plan.model_axes)
    whole = [span.length for span in spans[:-2]]
    yield from iterate_tiles(plan.spans(plan.lead_axes), spans, [*whole, *edges])


def _parts(plan: Plan, tile: Tile) -> Iterator[Tile]:
    cuts = [_even(span, _EDGES[a]) for a, span in zip(plan.model_axes, tile.core, strict=True)]
    yield from (Tile(tile.lead, core) for core in product(*cuts))


def _even(span: Span, longest: int) -> list[Span]:
    edge = -(-span.length // -(-span.length // longest))
    return [Span(i, min(i + edge, span.stop)) for i in range(span.start, span.stop, edge)]


def _counts(plan: Plan, edges: Sequence[int]) -> tuple[int, ...]:
    *lead, y, x = (span.length for span in plan.box)
    return (*lead, -(-y // edges[0]), -(-x // edges[1]))


def _index(plan: Plan, part: Tile, edges: Sequence[int]) -> tuple[int | slice, ...]:
    """Where the features of a part go."""
    *lead, y, x = plan.place(part)
    # One index an axis, but for Z of a volume.
    planes = [s if a in plan.model_axes else s.start for a, s in zip(plan.axes, lead, strict=False)]
    return (*planes, y.start // edges[0], x.start // edges[1])
