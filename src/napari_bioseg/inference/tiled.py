"""`predict`: a network over an image of any size, tile by tile, the same as in one piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import napari_bioseg
from napari_bioseg.core.arrays import create_array
from napari_bioseg.core.errors import IncompatibleImageError
from napari_bioseg.core.grey import grey_values
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.inference.checkpoint import Checkpoint
from napari_bioseg.inference.devices import free_bytes
from napari_bioseg.inference.engine import bytes_per_pixel
from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.inference.plan import Plan, make_plan
from napari_bioseg.inference.resample import to_image_taps
from napari_bioseg.inference.runner import Runner
from napari_bioseg.inference.shared import Engines, Turn
from napari_bioseg.inference.source import Source
from napari_bioseg.inference.tile_queue import TileQueue, run_tiles
from napari_bioseg.inference.tiles import Span, Tile
from napari_bioseg.models import refusal
from napari_bioseg.models.devices import choose_device
from napari_bioseg.tasks import TASKS

if TYPE_CHECKING:
    import zarr
    from zarr.abc.store import Store

    from napari_bioseg.models.model import Model

_MOST_PIXELS = {2: 2**22, 3: 2**24}  # in one network input, however much memory there is


def predict(
    image: Image,
    model: Model,
    options: PredictOptions | None = None,
    *,
    box: tuple[slice, ...] | None = None,
    store: str | Path | Store | None = None,
    checkpoint: Checkpoint | None = None,
    tiles: range | None = None,
    engines: Engines | None = None,
    turn: Turn | None = None,
    job: Job | None = None,
    stage: str = "Predicting",
) -> Prediction:
    """Run a network over an image, or over a box of it.

    The result depends neither on the tile size nor on the box: it is the network run once over the whole image,
    continued by mirror reflection, but for rounding (see `tiles`). With ``precision="bfloat16"`` the rounding
    is that of bfloat16.

    Parameters
    ----------
    image : Image
        Any axes out of ``RTCZYXS``; one channel is taken, of colour samples the luminance.
    model : Model
        A 2-D model sees plane by plane, a 3-D model volume by volume.
    options : PredictOptions, optional
    box : tuple of slice, optional
        One slice of step 1 for each axis of the result. The result is then that part only, and says by
        its `translate` where it lies.
    store : path or zarr Store, optional
        Where the probabilities are written as they come; by default memory, or a temporary folder if they are large.
    checkpoint : Checkpoint, optional
        Instead of a store: tiles that are done there are not computed again.
    tiles : range, optional
        Numbers of the tiles to compute now, with a checkpoint; by default all.
    engines : Engines, optional
        Kept by who sends many images through one model.
    turn : Turn, optional
        By who works on several images at once: whose tiles go first. By default the network is for this image alone.
    job : Job, optional
        For progress (a step is a tile), for stopping, and for notes on ways that were given.
    stage : str
        What the job calls it.

    Returns
    -------
    Prediction
        Probabilities on the grid of the image. When the job was stopped, or only some tiles were asked for, `done`
        is False as long as tiles are missing, and these hold zeros.

    Raises
    ------
    IncompatibleImageError
        The model cannot take this image.
    RecipeError
        The channel or the box lies outside the image.
    DeviceError
        The device asked for is not here, or memory does not suffice for the smallest tile.
    """
    options, job = options or PredictOptions(), job or Job()
    _check(image, model)
    data, axes, note = grey_values(image, options.channel)
    if note:
        job.note(note)
    if not model.network.exact:
        job.note(f"{model.card.name} looks at more than its halo: its result depends a little on the tiles")
    plan = make_plan(image, axes, model, options, box=box, job=job)
    plan = _begun(checkpoint, plan, model, options) if checkpoint else _with_tiles(plan, model, options)
    if checkpoint is not None and checkpoint.provenance is not None:
        return _prediction(image, model, plan, checkpoint.array(), True, checkpoint.provenance)
    shape = (_channels(model), *(span.length for span in plan.box))
    out = checkpoint.array() if checkpoint else create_array(store, shape, (1, *plan.chunk_shape), "float16")
    source = Source(data, axes, model.axes, plan.grid, model.card.input.normalisation)
    queue = TileQueue(plan, tiles, checkpoint)
    with Runner(model, options, job, plan.work, engines, turn) as runner:
        job.stage(stage, queue.total, queue.before)
        done = run_tiles(queue, lambda tile: runner.compute(tile, _work(plan, source)), out, runner, job)
    provenance = _provenance(image, model, options, plan, runner, job)
    if checkpoint is not None:
        done = len(checkpoint.done()) == plan.total
        if done:
            checkpoint.complete(provenance)
    return _prediction(image, model, plan, out, done, provenance)


def begin(
    image: Image,
    model: Model,
    options: PredictOptions,
    checkpoint: Checkpoint,
    *,
    box: tuple[slice, ...] | None = None,
    job: Job | None = None,
) -> int:
    """Choose the tiles of a prediction, unless its checkpoint has them, and return how many there are.

    Raises
    ------
    IncompatibleImageError, RecipeError, DeviceError
        As for `predict`.
    """
    _check(image, model)
    _, axes, _ = grey_values(image, options.channel)
    plan = make_plan(image, axes, model, options, box=box, job=job or Job())
    return _begun(checkpoint, plan, model, options).total


def _begun(checkpoint: Checkpoint, plan: Plan, model: Model, options: PredictOptions) -> Plan:
    """Return a plan with the tiles of its checkpoint, which are chosen now unless they were."""
    if not checkpoint.begun:
        checkpoint.begin(_with_tiles(plan, model, options), _channels(model))
    return checkpoint.tiled(plan)


def _with_tiles(plan: Plan, model: Model, options: PredictOptions) -> Plan:
    workers = options.workers or 1
    budget = free_bytes(choose_device(options.device)) // (bytes_per_pixel(model.network) * workers)
    return plan.with_tiles(min(budget, _MOST_PIXELS[len(model.axes)]), options.tile)


def _channels(model: Model) -> int:
    values = tuple(c.value for c in model.card.classes)
    output = model.card.output
    return TASKS.get(model.card.task).channels(values, output.activation, output.cores > 0)


def _check(image: Image, model: Model) -> None:
    reason = refusal(model.card, image, task=model.card.task)
    if model.card.input.channels != 1:
        reason = f"takes {model.card.input.channels} channels at once, which is not supported"
    if reason:
        raise IncompatibleImageError(image.name, f"{model.card.name} {reason}", "Choose another model")


def _work(plan: Plan, source: Source) -> Callable[[Runner, Tile], npt.NDArray[np.float16]]:
    def compute(runner: Runner, tile: Tile) -> npt.NDArray[np.float16]:
        inputs = [axis.network_input(core) for axis, core in zip(plan.grid, tile.core, strict=True)]
        needed = [axis.needed(core) for axis, core in zip(plan.grid, tile.core, strict=True)]
        values = source.read(dict(zip(plan.lead_axes, tile.lead, strict=True)), inputs)
        crop = [Span(n.start - i.start, n.stop - i.start) for n, i in zip(needed, inputs, strict=True)]
        probabilities = runner.run(values, crop)
        for i, (axis, core) in enumerate(zip(plan.grid, tile.core, strict=True)):
            if axis.resampled:
                probabilities = to_image_taps(axis, core).apply(probabilities, i + 1, needed[i].start)
        return probabilities.astype(np.float16)

    return compute


def _prediction(
    image: Image, model: Model, plan: Plan, out: zarr.Array[Any], done: bool, provenance: dict[str, Any]
) -> Prediction:
    kept = [image.axes.index(a) for a in plan.axes]
    scale = tuple(image.scale[i] for i in kept)
    return Prediction(
        probabilities=out,
        axes=plan.axes,
        scale=scale,
        translate=tuple(image.translate[i] + span.start * s for i, span, s in zip(kept, plan.box, scale, strict=True)),
        units=tuple(image.units[i] for i in kept),
        classes=model.card.classes,
        activation=model.card.output.activation,
        model_axes=model.axes,
        name=f"{image.name} {model.card.name}",
        done=done,
        provenance=provenance,
    )


def _provenance(
    image: Image, model: Model, options: PredictOptions, plan: Plan, runner: Runner, job: Job
) -> dict[str, Any]:
    return {
        "napari_bioseg": napari_bioseg.__version__,
        "model": model.card.name,
        "model_version": model.card.version,
        "sha256": model.card.sha256,
        "threshold": model.card.output.threshold,
        "separate": model.card.output.separate,
        "cores": model.card.output.cores,
        "source": str(image.source) if image.source else None,
        "options": options.model_dump(mode="json"),
        "box": {a: list(span) for a, span in zip(plan.axes, plan.box, strict=True)},
        "model_pixel_in_image_pixels": {a: axis.factor for a, axis in zip(plan.model_axes, plan.grid, strict=True)},
        "tile": dict(zip(plan.model_axes, plan.edges, strict=True)),
        "engine": f"{runner.engine.name} on {runner.engine.device}",
        "notes": list(job.notes),
    }
