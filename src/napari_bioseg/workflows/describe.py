"""`describe`: what a model's own network makes of each plane, computed once and kept beside the prediction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.inference import PredictOptions
from napari_bioseg.inference.features import tile_features
from napari_bioseg.postprocess.tiling import Tiling

if TYPE_CHECKING:
    from napari_bioseg.models.model import Model

Plane = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Features:
    """What the model's own network makes of each tile of each plane of a prediction.

    Attributes
    ----------
    values : ndarray of float32
        ``(*lead, rows, columns, F)``, see `inference.features.tile_features`.
    origin : tuple of int
        Index in the image of the first plane, along `lead`, for the user.
    """

    values: npt.NDArray[np.float32]
    origin: Plane


def describe(
    prediction: Prediction, image: Image, model: Model, *, file: Path | None = None, job: Job | None = None
) -> Features:
    """Return the features of a prediction: once, for any number of calls of `suggest`.

    Parameters
    ----------
    prediction : Prediction
        Of `image` by `model`.
    image : Image
    model : Model
    file : Path, optional
        An ``.npz`` beside the prediction. Features of this prediction that are there are read, others replaced.
    job : Job, optional
        For progress and for stopping.

    Raises
    ------
    Cancelled
        The job was stopped.
    UnwritableFileError
        The folder of the file is missing.
    """
    *lead, y, x = (slice(*prediction.provenance["box"][a]) for a in prediction.axes)
    tiling = Tiling((prediction.shape[-2], prediction.shape[-1]))
    told = [prediction.provenance[name] for name in ("sha256", "source", "box", "options")]
    key = json.dumps([*told, tiling.edges])
    values = _stored(file, key)
    if values is None:
        options = PredictOptions(**prediction.provenance["options"])
        values = tile_features(image, model, tiling.edges, options, box=(*lead, y, x), job=job)
        if file is not None:
            with whole_or_nothing(file) as part:
                np.savez(part, key=np.array(key), features=values)
    return Features(values, tuple(s.start for s in lead))


def _stored(file: Path | None, key: str) -> npt.NDArray[np.float32] | None:
    if file is None or not file.is_file():
        return None
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return np.asarray(stored["features"], np.float32) if str(stored["key"]) == key else None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None  # cut or foreign: it is a cache, and made again
