"""`predict`: a network over an image of any size, tile by tile, the same as in one piece."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import napari_bioseg
from napari_bioseg.core.arrays import create_array
from napari_bioseg.core.errors import Cancelled, IncompatibleImageError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.inference.devices import free_bytes
from napari_bioseg.inference.engine import bytes_per_pixel
from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.inference.plan import Plan, make_plan
from napari_bioseg.inference.resample import to_image_taps
from napari_bioseg.inference.runner import Runner
from napari_bioseg.inference.source import Source, grey_values
from napari_bioseg.inference.tiles import Span, Tile
from napari_bioseg.models import refusal
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
    job : Job, optional
        For progress (a step is a tile), for stopping, and for notes on ways that were given.
    stage : str
        What the job calls it.

    Returns
    -------
    Prediction
        Probabilities on the grid of the image. When the job was stopped, `done` is False and tiles that were
        not reached hold zeros.

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
    plan = make_plan(image, axes, model, options, box=box, job=job)
    runner = Runner(model, options, job, plan.work)
    budget = free_bytes(runner.device) // (bytes_per_pixel(model.network) * runner.workers)
    plan = plan.with_tiles(min(budget, _MOST_PIXELS[len(model.axes)]), options.tile)
    source = Source(data, axes, model.axes, plan.grid, model.card.input.normalisation)
    task, values = TASKS.get(model.card.task), tuple(c.value for c in model.card.classes)
    channels = task.channels(values, model.card.output.activation)
    shape = (channels, *(span.length for span in plan.box))
    out = create_array(store, shape, (1, *plan.chunk_shape), "float16")
    with runner:
        job.stage(stage, plan.total)
        done = _run(plan, lambda tile: runner.compute(tile, _work(plan, source)), out, job, runner.workers + 1)
    return _prediction(image, model, plan, out, done, _provenance(image, model, options, plan, runner, job))


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


def _run(
    plan: Plan, compute: Callable[[Tile], npt.NDArray[np.float16]], out: zarr.Array[Any], job: Job, threads: int
) -> bool:
    """Compute and write tiles, some reading and writing while another is in the network; return whether all were."""
    tiles, lock, stop = plan.tiles(), threading.Lock(), threading.Event()

    def drain() -> None:
        while not stop.is_set():
            with lock:
                tile = next(tiles, None)
            if tile is None:
                return
            try:
                job.check()
                values = compute(tile)
                out[(slice(None), *plan.place(tile))] = values.reshape(out.shape[:1] + plan.shape_of(tile))
                job.step()
            except BaseException:
                stop.set()
                raise

    with ThreadPoolExecutor(threads, "tiles") as pool:
        futures = [pool.submit(drain) for _ in range(threads)]
        try:
            wait(futures)
        finally:
            stop.set()
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, Cancelled):
            raise error
    return not errors


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
        "source": str(image.source) if image.source else None,
        "options": options.model_dump(mode="json"),
        "box": {a: list(span) for a, span in zip(plan.axes, plan.box, strict=True)},
        "model_pixel_in_image_pixels": {a: axis.factor for a, axis in zip(plan.model_axes, plan.grid, strict=True)},
        "tile": dict(zip(plan.model_axes, plan.edges, strict=True)),
        "engine": f"{runner.engine.name} on {runner.engine.device}",
        "notes": list(job.notes),
    }
