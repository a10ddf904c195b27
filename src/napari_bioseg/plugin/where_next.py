"""Where a correction is expected to teach most, for a layer that is being corrected. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_bioseg.core.errors import EditError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.corrections.verified import State
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.placing import placement_like, placement_said

if TYPE_CHECKING:
    from napari_bioseg.models.model import Model
    from napari_bioseg.postprocess.uncertainty import Uncertainty
    from napari_bioseg.workflows.describe import Features
    from napari_bioseg.workflows.suggest import Suggestion

Measure = Literal["entropy", "disagreement"]
MEASURES: dict[Measure, str] = {
    "entropy": "Entropy of the probabilities",
    "disagreement": "Disagreement when flipped and turned (slow)",
}


@dataclass(frozen=True)
class WhereNext:
    """What `suggest` needs, computed once for a prediction.

    Attributes
    ----------
    correction : Correction
    uncertainty : Uncertainty
    features : Features
    """

    correction: Correction
    uncertainty: Uncertainty
    features: Features

    def suggest(self) -> Suggestion | None:
        """Return the best place that is not verified yet; None when all is."""
        from napari_bioseg.workflows.suggest import suggest

        found = suggest(self.uncertainty, self.features, self._state, count=1)
        return found[0] if found else None

    def _state(self, plane: tuple[int, ...], box: tuple[slice, slice]) -> State:
        verified = self.correction.verified
        whole = verified.state(plane)
        if whole != "part":
            return whole
        mask = verified.mask((*(slice(p, p + 1) for p in plane), *box))
        return "all" if mask.all() else "part" if mask.any() else "none"


def look_ahead(correction: Correction, image: Image | None, measure: Measure, job: Job) -> WhereNext:
    """Measure how unsure the model is, and describe each slice; in a worker.

    Parameters
    ----------
    correction : Correction
    image : Image or None
        That was predicted.
    measure : str
        One of `MEASURES`.
    job : Job

    Raises
    ------
    EditError
        The labels do not come from a model of the zoo, or their image is not open.
    BiosegError
        As for `load_model` and `predict`.
    Cancelled
    """
    from napari_bioseg.inference.options import PredictOptions
    from napari_bioseg.inference.symmetry import symmetries
    from napari_bioseg.models import load_model
    from napari_bioseg.models.ensemble import members_of
    from napari_bioseg.postprocess.uncertainty import measure_uncertainty
    from napari_bioseg.workflows.describe import describe
    from napari_bioseg.workflows.uncertainty import predict_augmented

    name = correction.saved.info.provenance.get("model")
    prediction = prediction_of(correction)
    if prediction is None or name is None or image is None:
        raise EditError(
            correction.saved.info.name,
            "it is not known how unsure a model is of these labels",
            "Start correcting a prediction whose image is open",
        )
    model: Model = load_model(name)
    if measure == "disagreement":
        box = tuple(slice(*prediction.provenance["box"][a]) for a in prediction.axes)
        options = PredictOptions(**prediction.provenance["options"])
        members = members_of(model)
        # An ensemble is turned the less, the more members it has: the work is that of one model.
        passes = -(-len(symmetries(model.axes)) // len(members))
        uncertainty = predict_augmented(image, members, options, passes=passes, box=box, job=job)[1]
        job.check()
    else:
        uncertainty = measure_uncertainty(prediction, job=job)
    file = correction.saved.folder / "features.npz" if correction.writable else None
    return WhereNext(correction, uncertainty, describe(prediction, image, model, file=file, job=job))


def prediction_of(correction: Correction) -> Prediction | None:
    """Return what the network said; None where that was not kept."""
    from napari_bioseg.inference.options import PredictOptions

    info, said = correction.saved.info, correction.saved.probabilities()
    if said is None or "options" not in info.provenance:
        return None
    given = {"scale": info.scale, "units": info.units, "translate": info.translate}
    scale, units, translate = placement_said(info.axes, given)
    options = {k: v for k, v in info.provenance["options"].items() if k in PredictOptions.model_fields}
    return Prediction(
        said, info.axes, scale, translate, units, info.classes, info.activation, info.model_axes,
        provenance={**info.provenance, "options": options},
    )  # fmt: skip


def next_unverified(correction: Correction, plane: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the first slice after this one, around the end, that is not verified; None when all are."""
    shape = correction.labels.shape[:-2]
    here = int(np.ravel_multi_index(plane, shape)) if shape else 0
    count = int(np.prod(shape))
    for i in range(1, count + 1):
        index = tuple(int(p) for p in np.unravel_index((here + i) % count, shape)) if shape else ()
        if correction.verified.state(index) != "all":
            return index
    return None


def show_uncertainty(viewer: Any, found: WhereNext) -> Any:
    """Add the map as an image, below the corrected labels, which stay active."""
    layer = found.correction.layer
    made = viewer.add_image(
        found.uncertainty.values,
        name=f"{layer.name} · uncertainty",
        colormap="inferno",
        contrast_limits=(0, 255),
        blending="additive",
        metadata={KEY: {"overlay": True}},
        **placement_like(layer),
    )
    viewer.layers.selection.active = layer
    return made
