"""What `mlflow models serve` runs: a model folder that takes arrays. MLflow calls `_load_pyfunc`, nothing of ours does.

An array holds N images, ``(N, Y, X)``, or for models of volumes ``(N, Z, Y, X)``: grey values with the pixel size that
the model was trained at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import IncompatibleImageError
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.models.model import Model, read_model
from napari_bioseg.workflows.detection import detect_image
from napari_bioseg.workflows.options import DetectOptions, SegmentOptions
from napari_bioseg.workflows.segmentation import decode, predict_image


class ServedModel:
    """A model behind the interface that MLflow calls.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(
        self,
        data: npt.NDArray[Any],
        params: dict[str, Any] | None = None,  # noqa: ARG002 - MLflow passes it
    ) -> npt.NDArray[np.uint32] | list[dict[str, float]]:
        """Segment images, or find objects in them, by the thresholds of the card.

        Parameters
        ----------
        data : ndarray
            ``(N, Y, X)`` or ``(N, Z, Y, X)``, any real type.
        params : dict, optional
            Nothing is asked of it.

        Returns
        -------
        ndarray or list of dict
            Uint32 labels of the shape of `data`, 0 background; or a row for each box, with ``image`` (of the N), ``y``
            and ``x`` of its centre, ``height``, ``width`` (pixels) and ``confidence``.

        Raises
        ------
        IncompatibleImageError
            The array has another number of axes.
        """
        if data.ndim != 1 + len(self._model.axes):
            wanted = ", ".join(("N", *self._model.axes))
            raise IncompatibleImageError("array", f"has shape {data.shape}, not ({wanted})", "Add an axis for N images")
        images = [image_from_array(one, self._model.axes, name=f"image {i}") for i, one in enumerate(data)]
        if self._model.card.task == "detection":
            return [row for i, image in enumerate(images) for row in self._rows(image, i)]
        return np.stack([self._labels(image) for image in images])

    def _labels(self, image: Image) -> npt.NDArray[np.uint32]:
        options = SegmentOptions(model=self._model.card.name)
        prediction = predict_image(image, self._model, options)
        return np.asarray(decode(prediction, options, self._model).labels, np.uint32)

    def _rows(self, image: Image, number: int) -> list[dict[str, float]]:
        boxes = detect_image(image, self._model, DetectOptions(model=self._model.card.name)).boxes
        places = np.column_stack([boxes.centre, boxes.size, boxes.confidence]).tolist()
        return [
            {"image": number, "y": y, "x": x, "height": height, "width": width, "confidence": confidence}
            for y, x, height, width, confidence in places
        ]


def _load_pyfunc(path: str) -> ServedModel:
    """Load the model folder that MLflow has unpacked; the name is MLflow's."""
    return ServedModel(read_model(Path(path)))
