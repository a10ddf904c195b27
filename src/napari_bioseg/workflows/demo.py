"""`bioseg demo`: the main job on the embedded samples and models, without network or display."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg import metrics, simulate
from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job, format_duration
from napari_bioseg.workflows.options import SegmentOptions
from napari_bioseg.workflows.segmentation import Segmentation, save, segment

SAMPLES = {"membranes": "membranes-unet2d", "vessels": "vessels-unet3d"}
"""Sample of `simulate` and the shipped model for it."""


@dataclass(frozen=True)
class DemoRow:
    """What came of one sample."""

    sample: str
    model: str
    scores: dict[str, float]
    oracle_dice: float
    seconds: float
    zarr: str
    overlay: str

    def __str__(self) -> str:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in self.scores.items())
        return (
            f"{self.sample} with {self.model} in {format_duration(self.seconds)}: {scores}"
            f" (best single threshold: dice {self.oracle_dice:.3f})\n"
            f"  image and labels  {self.zarr}\n"
            f"  overlay           {self.overlay}"
        )


@dataclass(frozen=True)
class DemoResult:
    """What the demo did."""

    rows: tuple[DemoRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"samples": [asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        note = "The samples are simulated, so the truth is known; scores on real images: bioseg models NAME"
        return "\n".join([*map(str, self.rows), note])


def run_demo(folder: Path, *, job: Job | None = None) -> DemoResult:
    """Segment each embedded sample and write an OME-Zarr and a PNG overlay of it.

    Parameters
    ----------
    folder : Path
        Made if it is not there; earlier results in it are replaced.
    job : Job, optional

    Raises
    ------
    UnwritableFileError, ModelNotFoundError, Cancelled
        As named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return DemoResult(tuple(_run(folder, name, model, job) for name, model in SAMPLES.items()))


def _run(folder: Path, name: str, model: str, job: Job | None) -> DemoRow:
    began = time.monotonic()
    image = simulate.sample(name)
    # A sample is simulated, and unlike the real images that a model was trained on in ways that do not matter here.
    result = segment(image, SegmentOptions(model=model, drift=False), job=job)
    store, overlay = folder / f"{name}.ome.zarr", folder / f"{name}.png"
    save(result, store, image, job=job)
    truth = np.asarray(image.labels[0].data) > 0
    labels = np.asarray(result.labels[:]) > 0
    _write_overlay(overlay, image, result)
    scores = {"dice": metrics.dice(labels, truth), "cldice": metrics.cldice(labels, truth)}
    if name == "membranes":
        scores["v_rand"] = metrics.membrane_scores(labels, truth, (0.5,))["v_rand"]
    oracle, _ = metrics.oracle_threshold_dice(np.asarray(image.data), truth)
    return DemoRow(name, model, scores, oracle, time.monotonic() - began, str(store), str(overlay))


def _write_overlay(path: Path, image: Image, result: Segmentation) -> None:
    """Write the middle plane beside itself with the labels' outlines drawn in."""
    from PIL import Image as Picture
    from skimage.segmentation import mark_boundaries

    middle = image.shape[0] // 2
    plane = np.asarray(image.data[middle], dtype=np.float32)
    low, high = np.percentile(plane, (0.5, 99.5))
    grey = np.clip((plane - low) / max(float(high - low), 1e-6), 0, 1)
    drawn = mark_boundaries(grey, np.asarray(result.labels[middle]), color=(1.0, 0.62, 0.0))
    both: npt.NDArray[np.uint8] = (np.concatenate([np.dstack([grey] * 3), drawn], axis=1) * 255).astype(np.uint8)
    with whole_or_nothing(path) as part:
        Picture.fromarray(both).save(part, format="PNG")
