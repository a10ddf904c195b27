"""Predictions that know more about their uncertainty: by turned images, by several models, or by both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import Cancelled, RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.inference.symmetry import Symmetry, symmetries
from napari_bioseg.models.card import Card
from napari_bioseg.models.model import Model
from napari_bioseg.postprocess.accumulate import Accumulator
from napari_bioseg.postprocess.uncertainty import Uncertainty
from napari_bioseg.workflows.region import prediction_grid

if TYPE_CHECKING:
    from zarr.abc.store import Store


def predict_augmented(
    image: Image,
    models: Model | Sequence[Model],
    options: PredictOptions | None = None,
    *,
    passes: int | None = None,
    box: tuple[slice, ...] | None = None,
    store: str | Path | Store | None = None,
    job: Job | None = None,
) -> tuple[Prediction, Uncertainty]:
    """Predict an image as it is, flipped and turned by right angles, with one model or several, and average.

    Each pass is `predict` of the turned image, so the result does not depend on the tile size either. One pass at a
    time is held beside the running means.

    Parameters
    ----------
    image : Image
    models : Model or sequence of Model
        Several must give the same classes; ``passes=1`` then averages the models alone.
    options : PredictOptions, optional
    passes : int, optional
        How many of the `symmetries` of each model are used, the first ones first; by default all: 8 of a 2-D model,
        16 of a 3-D one.
    box : tuple of slice, optional
        The part that is predicted, as for `predict`.
    store : path or zarr Store, optional
        Where the mean probabilities go; by default memory, or a temporary folder if they are large.
    job : Job, optional
        For progress (a stage is a pass) and for stopping.

    Returns
    -------
    prediction : Prediction
        Mean probabilities, whose entropy is the whole uncertainty. When the job was stopped, `done` is False and
        they are the mean of what was finished by then.
    disagreement : Uncertainty
        The part of it that comes from passes that contradict each other, see `Accumulator.result`.

    Raises
    ------
    RecipeError
        The models give different classes, or boxes.
    IncompatibleImageError, DeviceError
        As for `predict`.
    """
    models, job = [models] if isinstance(models, Model) else list(models), job or Job()
    _check_same(models)
    todo = [(model, symmetry) for model in models for symmetry in symmetries(model.axes)[:passes]]

    def predicted(number: int) -> Prediction:
        model, symmetry = todo[number]
        placed = symmetry.place(box, *prediction_grid(image)) if box is not None else None
        stage = f"Predicting, pass {number + 1} of {len(todo)}"
        return predict(symmetry.apply(image), model, options, box=placed, job=job, stage=stage)

    result, means = _begun(predicted(0))
    try:
        for number in range(1, len(todo)):
            job.check()
            _take_in(means, predicted(number), todo[number][1], result.shape, job)
        done = result.done
    except Cancelled:
        done = False
    probabilities, disagreement = means.result(store)
    names = [model.card.name for model in models]
    provenance = {**result.provenance, "models": names, "passes": means.passes, "notes": list(job.notes)}
    return replace(result, probabilities=probabilities, done=done, provenance=provenance), disagreement


def _begun(first: Prediction) -> tuple[Prediction, Accumulator]:
    """Return the first pass with the running means of it alone: its own probabilities are not kept."""
    maps = first.probabilities
    means = Accumulator(maps.shape, maps.chunks, first.axes, first.activation)
    # What the first pass gave is taken in whole, also when it was stopped.
    means.add(partial(_read, first, Symmetry(), first.shape), Job())
    return replace(first, probabilities=means.mean), means


def _take_in(means: Accumulator, turned: Prediction, symmetry: Symmetry, shape: tuple[int, ...], job: Job) -> None:
    job.check()  # a pass that was stopped is not whole
    means.add(partial(_read, turned, symmetry, shape), job)


def _check_same(models: Sequence[Model]) -> None:
    first = models[0].card
    if first.task == "detection":
        # Its maps of offsets and sides would have to be turned, too.
        raise RecipeError(first.name, "finds boxes, which are not averaged", "Choose a model that finds labels")
    for card in (m.card for m in models[1:]):
        same = [c.value for c in card.classes] == [c.value for c in first.classes]
        if not same or _way(card) != _way(first):
            problem = f"gives other classes than {first.name}"
            raise RecipeError(card.name, problem, "Average models that were trained for the same classes")


def _way(card: Card) -> tuple[str, str, bool]:
    return card.task, card.output.activation, card.output.cores > 0


def _read(turned: Prediction, symmetry: Symmetry, shape: tuple[int, ...], box: tuple[slice, ...]) -> npt.NDArray[Any]:
    """Return the probabilities of a turned pass in a box of the image as it is, whose prediction has this shape."""
    place = symmetry.place(box, turned.axes, shape)
    return symmetry.undo(np.asarray(turned.probabilities[(slice(None), *place)]), turned.axes)
