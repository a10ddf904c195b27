"""The look at an image before a prediction: whether the model knows such images. The prediction goes on in any case."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.errors import BiosegError, Cancelled
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.workflows.drift_check import Drift, compare_with_training, profile_of
from napari_bioseg.workflows.drift_log import log_drift
from napari_bioseg.workflows.options import DetectOptions, DriftOptions, SegmentOptions

if TYPE_CHECKING:
    from napari_bioseg.models.model import Model

log = logging.getLogger("napari_bioseg")


def look_first(
    image: Image, model: Model, options: SegmentOptions | DetectOptions, *, job: Job | None = None
) -> Drift | None:
    """Compare an image with what a model was trained on, and warn in one line where it is unlike that.

    Parameters
    ----------
    image : Image
    model : Model
    options : SegmentOptions or DetectOptions
        Of the prediction that follows.
    job : Job, optional
        Is told the warning.

    Returns
    -------
    Drift or None
        None where it is not wanted, or where that cannot be known: no profile, or an image that cannot be read.

    Raises
    ------
    Cancelled
        The job was stopped.
    """
    if not options.drift or profile_of(model.card) is None:
        return None
    job = job or Job()
    try:
        found = compare_with_training(image, model, drift_options(options), job=job)
    except Cancelled:
        raise
    except BiosegError as error:  # of what is wrong with the image, the prediction tells
        log.info("%s was not compared with the training: %s", image.name, error)
        return None
    log_drift(found)
    if found.warned:
        job.warn(str(found))
    return found


def drift_options(options: SegmentOptions | DetectOptions, *, preview: bool = False) -> DriftOptions:
    """Return the options of a look before a prediction; before a preview, it is at the whole image."""
    values = {name: getattr(options, name) for name in DriftOptions.model_fields}
    return DriftOptions(**values | ({"region": None} if preview else {}))


def with_drift(provenance: Mapping[str, Any], drift: Drift | None) -> dict[str, Any]:
    """Return the provenance of a result, with what was found of its image."""
    return {**provenance, **({"drift": drift.as_dict()} if drift is not None else {})}
