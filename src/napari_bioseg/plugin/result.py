"""What a worker is asked for and what it brings back; both are plain data, no napari."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.first_look import with_findings
from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.workflows.options import SegmentOptions

if TYPE_CHECKING:
    from napari_bioseg.core.prediction import Prediction
    from napari_bioseg.models.model import Model
    from napari_bioseg.plugin.first_look import FirstLook
    from napari_bioseg.postprocess import PlaneDecoder
    from napari_bioseg.workflows.segmentation import Segmentation

IN_MEMORY = 2**28  # bytes of labels that are shown from memory: painting and scrolling are fastest there


@dataclass(frozen=True)
class Request:
    """What the user asked for, frozen when the button was pressed.

    Attributes
    ----------
    image : Image
        Without colour channels that the model does not see.
    options : SegmentOptions
        With the region.
    name : str
        Of the image layer.
    placement : Mapping
        Where the labels lie: keyword arguments of a napari layer.
    preview : bool
        A look at a part, replaced by the next one.
    """

    image: Image
    options: SegmentOptions
    name: str
    placement: Mapping[str, Any]
    preview: bool = False


@dataclass(frozen=True)
class Result:
    """What came of a request.

    Attributes
    ----------
    request : Request
    segmentation : Segmentation
        Labels, probabilities and the options that were used.
    model : Model
        For decoding again.
    labels : array
        What the layer shows: numpy when it fits, else zarr; shape and dtype of ``segmentation.labels``.
    notes : tuple of str
        What the user should know: resampled, another device, unknown scale.
    """

    request: Request
    segmentation: Segmentation
    model: Model
    labels: Any
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """False when it was cancelled, and only part of it is there."""
        return self.segmentation.prediction.done


def run(request: Request, job: Job, *, look: FirstLook | None = None) -> Result:
    """Load the model, run the network, decode: the same steps as `napari_bioseg.segment`.

    Parameters
    ----------
    request : Request
    job : Job
    look : FirstLook, optional
        Taken before the network runs; what it finds is part of the provenance.

    Raises
    ------
    BiosegError
        As `napari_bioseg.segment`.
    """
    from napari_bioseg.models import load_model
    from napari_bioseg.workflows.segmentation import decode, predict_image

    job.stage(f"Loading {request.options.model}")
    model = load_model(request.options.model)
    found = look(request.image, model, job) if look is not None else None
    prediction = predict_image(request.image, model, request.options, job=job)
    prediction = replace(prediction, provenance=with_findings(prediction.provenance, found))
    segmentation = decode(prediction, request.options, model, job=job if prediction.done else None)
    return Result(request, segmentation, model, shown(segmentation.labels), tuple(job.notes))


def decode_again(result: Result, options: SegmentOptions, job: Job) -> Result:
    """Decode the whole result with other options; the network is not run.

    Raises
    ------
    Cancelled
        Another change came first.
    """
    from napari_bioseg.workflows.segmentation import decode

    segmentation = decode(result.segmentation.prediction, options, result.model, job=job)
    return replace(result, segmentation=segmentation, labels=shown(segmentation.labels))


class LivePlane:
    """One plane of a result, decoded again and again; fast enough to follow a slider.

    Parameters
    ----------
    prediction : Prediction
    plane : tuple of int
        Index along the axes before Y and X.
    """

    def __init__(self, prediction: Prediction, plane: tuple[int, ...]) -> None:
        self._prediction, self._plane = prediction, plane
        self._decoder: PlaneDecoder | None = None

    def shows(self, prediction: Prediction, plane: tuple[int, ...]) -> bool:
        """Whether this is that plane."""
        return self._prediction is prediction and self._plane == plane

    def decode(self, options: SegmentOptions, *, moving: bool) -> npt.NDArray[np.uint32]:
        """Return the labels ``(Y, X)``; the options have the values of the model filled in.

        While a slider is `moving`, what cannot be there within a frame is left out (`PlaneDecoder.follow`).
        """
        if self._decoder is None:
            from napari_bioseg.postprocess import PlaneDecoder

            prediction = self._prediction
            index: tuple[int | slice, ...] = (slice(None), *self._plane)
            self._decoder = PlaneDecoder(
                np.asarray(prediction.probabilities[index]),
                prediction.classes,
                prediction.activation,
                sampling=prediction.scale[-2:],
            )
        decoder = self._decoder
        return (decoder.follow if moving else decoder.decode)(decode_options(options))


def save_result(result: Result, out: Path, labels: Any, *, edited: bool, job: Job) -> list[Path]:
    """Write a result, with what was painted on it, as `bioseg segment --out` does; a cancelled one as far as it is.

    Parameters
    ----------
    result : Result
    out : Path
        ``.tif``, ``.ome.tif`` or ``.ome.zarr``.
    labels : array
        Data of the layer.
    edited : bool
        Whether the user painted on it; the provenance says so.
    job : Job

    Raises
    ------
    UnwritableFileError, Cancelled
        As `napari_bioseg.workflows.segmentation.save`.
    """
    from napari_bioseg.workflows.segmentation import save

    segmentation = replace(result.segmentation, labels=labels)
    if edited:
        prediction = segmentation.prediction
        marked = replace(prediction, provenance={**prediction.provenance, "edited": True})
        segmentation = replace(segmentation, prediction=marked)
    return save(segmentation, out, result.request.image, incomplete=True, job=job)


def shown(labels: Any) -> Any:
    """Return labels for a layer: loaded when small enough, else as they are stored."""
    return np.asarray(labels[...]) if labels.nbytes <= IN_MEMORY else labels


def decode_options(options: SegmentOptions) -> DecodeOptions:
    """Return the part of the options that decoding takes."""
    return DecodeOptions(**{name: getattr(options, name) for name in DecodeOptions.model_fields})
