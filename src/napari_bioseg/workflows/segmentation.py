"""`segment`: from an image to labels, and to a file; the panel and the command line both go through here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.errors import Cancelled, IncompatibleImageError, RecipeError, UnwritableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.io import (
    LabelsToWrite,
    check_not_source,
    open_image,
    write_image_tiff,
    write_labels_tiff,
    write_ome_zarr,
)
from napari_bioseg.models import load_model, refusal
from napari_bioseg.postprocess import DecodeOptions, decode_volume
from napari_bioseg.workflows.drift_look import look_first, with_drift
from napari_bioseg.workflows.options import SegmentOptions
from napari_bioseg.workflows.region import crop, parse_region, prediction_grid

if TYPE_CHECKING:
    import zarr

    from napari_bioseg.inference.checkpoint import Checkpoint
    from napari_bioseg.models.model import Model


@dataclass(frozen=True)
class Segmentation:
    """Labels on the grid of the image, or of a region of it.

    Attributes
    ----------
    labels : zarr.Array
        Uint32, shape and axes of `prediction`.
    prediction : Prediction
        The probabilities that they came from, for other thresholds without the network.
    options : SegmentOptions
        With the values of the model that were used filled in.
    """

    labels: zarr.Array[Any]
    prediction: Prediction
    options: SegmentOptions

    @property
    def provenance(self) -> dict[str, Any]:
        """Model, weights, version and every option."""
        return {**self.prediction.provenance, "options": self.options.model_dump(mode="json")}


def segment(
    source: str | Path | Image, options: SegmentOptions | None = None, *, job: Job | None = None, **changes: Any
) -> Segmentation:
    """Segment an image.

    Parameters
    ----------
    source : path or Image
        A path whose file does not say its axes needs ``open_image(path, axes=...)`` first.
    options : SegmentOptions, optional
    job : Job, optional
        For progress and for stopping.
    **changes
        Fields of `SegmentOptions`, e.g. ``model="membranes-unet2d", threshold=0.4``.

    Returns
    -------
    Segmentation

    Raises
    ------
    Cancelled
        The job was stopped; `predict_image` and `decode` keep what was finished by then.
    IncompatibleImageError
        The model cannot take this image; the message says why.
    ModelNotFoundError, BrokenModelError, UnreadableFileError, UnknownAxesError, RecipeError, DeviceError
        As named.
    """
    options = _options(options, changes)
    image = source if isinstance(source, Image) else open_image(source)
    model = load_model(options.model)
    drift = look_first(image, model, options, job=job)
    prediction = predict_image(image, model, options, job=job)
    prediction = replace(prediction, provenance=with_drift(prediction.provenance, drift))
    if not prediction.done:
        raise Cancelled(image.name, "the segmentation was cancelled", "Run it again to the end")
    return decode(prediction, options, model, job=job)


def predict_image(
    image: Image,
    model: Model,
    options: SegmentOptions,
    *,
    store: Path | None = None,
    checkpoint: Checkpoint | None = None,
    job: Job | None = None,
) -> Prediction:
    """Run the network over the region that the options name; see `predict` for store and checkpoint.

    Raises
    ------
    IncompatibleImageError
        The model cannot take this image.
    """
    reason = refusal(model.card, image)
    if reason:
        raise IncompatibleImageError(
            image.name, f"{model.card.name} {reason}", "Choose another model, see 'bioseg models'"
        )
    missing = image.metadata.get("missing_planes")
    if missing and job is not None:
        job.note(f"Planes that are missing from the file and were read as zeros: {missing}")
    axes, shape = prediction_grid(image)
    box = parse_region(options.region, axes, shape)
    run = PredictOptions(**_only(options, PredictOptions))
    return predict(image, model, run, box=box, store=store, checkpoint=checkpoint, job=job, stage="Segmenting")


def decode(
    prediction: Prediction,
    options: SegmentOptions,
    model: Model,
    *,
    store: Path | None = None,
    job: Job | None = None,
) -> Segmentation:
    """Turn probabilities into labels; the network is not run."""
    options = options.resolved(model.card.output.model_dump())
    labels = decode_volume(prediction, DecodeOptions(**_only(options, DecodeOptions)), store=store, job=job)
    return Segmentation(labels, prediction, options)


def save(
    segmentation: Segmentation,
    out: Path,
    image: Image,
    *,
    probabilities: bool = False,
    incomplete: bool = False,
    copy_image: bool = True,
    version: str = "0.5",
    job: Job | None = None,
) -> list[Path]:
    """Write labels as TIFF or OME-TIFF, or image and labels as OME-Zarr, by the ending of `out`.

    Parameters
    ----------
    segmentation : Segmentation
    out : Path
        ``.tif``, ``.tiff``, ``.ome.tif``, ``.ome.zarr`` or ``.zarr``.
    image : Image
        What was segmented; an OME-Zarr holds a copy of the part that was.
    probabilities : bool
        Also write them, beside `out`.
    incomplete : bool
        Write a prediction that was cancelled as far as it is; the provenance says ``complete: False``.
    copy_image : bool
        Whether an OME-Zarr holds the image, or the labels alone.
    version : str
        Of OME-Zarr, ``"0.5"`` or ``"0.4"``.
    job : Job, optional

    Returns
    -------
    list of Path
        What was written; each is complete.

    Raises
    ------
    UnwritableFileError
        The ending is none of these, the folder is missing, the disk is full, or `out` is the image itself.
    Cancelled
        Nothing was written, since the prediction is not complete and `incomplete` is not given.
    """
    check_ending(out, image.source)
    beside = out.with_name(f"{_stem(out)}.probabilities{out.name[len(_stem(out)) :]}")
    if probabilities:
        check_not_source(beside, image.source)
    if not segmentation.prediction.done:
        if not incomplete:
            raise Cancelled(str(out), "not written: the segmentation was cancelled", "Run it again to the end")
        marked = {**segmentation.prediction.provenance, "complete": False}
        segmentation = replace(segmentation, prediction=replace(segmentation.prediction, provenance=marked))
    if is_zarr(out):
        _save_zarr(segmentation, out, image if copy_image else None, version, job)
    else:
        p = segmentation.prediction
        provenance = segmentation.provenance
        write_labels_tiff(
            out,
            segmentation.labels,
            p.axes,
            scale=p.scale,
            units=p.units,
            translate=p.translate,
            metadata=provenance,
            job=job,
        )
    if not probabilities:
        return [out]
    _save_probabilities(segmentation, beside, job)
    return [out, beside]


def _save_zarr(segmentation: Segmentation, out: Path, image: Image | None, version: str, job: Job | None) -> None:
    p, options = segmentation.prediction, segmentation.options
    colours = {} if options.instances else {c.value: (c.name, _rgba(c.color)) for c in p.classes}
    labels = LabelsToWrite(segmentation.labels, p.axes, p.scale, p.units, p.translate, colours)
    part = crop(image, parse_region(options.region, *prediction_grid(image))) if image is not None else None
    named = {p.provenance["model"]: labels}
    write_ome_zarr(out, part, named, provenance=segmentation.provenance, version=version, job=job)


def _save_probabilities(segmentation: Segmentation, out: Path, job: Job | None) -> None:
    import dask.array as da

    p = segmentation.prediction
    lazy: da.Array = da.from_zarr(p.probabilities).astype("float32")  # type: ignore[no-untyped-call]
    names = (*(c.name for c in p.classes), *(("core",) if p.cores else ()))
    maps = Image(
        levels=(lazy,),
        axes="C" + p.axes,
        scale=(1.0, *p.scale),
        units=(None, *p.units),
        translate=(0.0, *p.translate),
        channel_names=names if len(names) == lazy.shape[0] else ("background", *names),
        name=f"{p.name} probabilities",
    )
    if is_zarr(out):
        write_ome_zarr(out, maps, {}, provenance=segmentation.provenance, job=job)
    else:
        write_image_tiff(
            out, lazy, maps.axes, scale=maps.scale, units=maps.units, translate=maps.translate,
            channel_names=maps.channel_names, metadata=segmentation.provenance, job=job,
        )  # fmt: skip


def _rgba(color: str) -> tuple[int, int, int, int]:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue, 255


def is_zarr(out: Path) -> bool:
    """Whether a name asks for OME-Zarr."""
    return out.suffix.lower() == ".zarr"


def check_ending(out: Path, source: Path | None = None) -> None:
    """Refuse a wrong name before any time is lost on it.

    Parameters
    ----------
    out : Path
    source : Path, optional
        The image, which must not be replaced.

    Raises
    ------
    UnwritableFileError
        We do not write files of this ending, the folder does not exist, or `out` is the image itself.
    """
    if not is_zarr(out) and out.suffix.lower() not in (".tif", ".tiff"):
        raise UnwritableFileError(str(out), "has an ending we do not write", "Use .tif, .ome.tif or .ome.zarr")
    if not out.absolute().parent.is_dir():
        raise UnwritableFileError(str(out), f"the folder {out.absolute().parent} does not exist", "Make it first")
    check_not_source(out, source)


def _stem(out: Path) -> str:
    lower = out.name.lower()
    ending = next((e for e in (".ome.zarr", ".ome.tif", ".ome.tiff") if lower.endswith(e)), out.suffix)
    return out.name[: -len(ending)]


def _only(options: SegmentOptions, wanted: type[PredictOptions] | type[DecodeOptions]) -> dict[str, Any]:
    return {name: getattr(options, name) for name in wanted.model_fields}


def _options(options: SegmentOptions | None, changes: dict[str, Any]) -> SegmentOptions:
    values = {**(options.model_dump() if options else {}), **changes}
    if "model" not in values:
        raise RecipeError("model", "is not chosen", "Give the name of a model, see 'bioseg models'")
    return SegmentOptions.checked(values, "options of segment")
