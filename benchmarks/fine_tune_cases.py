"""Images that shipped models were not made for, and projects in which some of their slices are corrected."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_bioseg import open_image, segment
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.journal import Journal
from napari_bioseg.corrections.project import Project, Saved, create_project, project_beside
from napari_bioseg.corrections.project_info import BoxFacts, PredictionInfo, refer
from napari_bioseg.corrections.records import BoxEdit, Step, Verify
from napari_bioseg.models import load_model
from napari_bioseg.workflows.detection import detect

DATA = Path(os.environ.get("BIOSEG_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SIDE = 5.0
"""Pixels: sides of the box that stands for a point."""


@dataclass(frozen=True)
class Case(ABC):
    """A model, and images that it was not made for.

    Attributes
    ----------
    model : str
    image, truth : str
        Files in the data folder.
    pool, test : range
        Slices to verify, and to score on; between them lies a gap where neighbours look alike.
    metrics : tuple of str
    """

    model: str
    image: str
    truth: str
    pool: range
    test: range
    metrics: tuple[str, ...]

    @abstractmethod
    def open(self, planes: range) -> tuple[Image, Any]:
        """Return some slices, and their truth: the class of each pixel, or boxes."""

    @abstractmethod
    def predict(self, source: Path, project: Project) -> Saved:
        """Let the model see the slices, and store what it says in their project."""

    @abstractmethod
    def correct(self, saved: Saved, journal: Journal, z: int, truth: Any) -> None:
        """Correct a slice to the truth."""

    @abstractmethod
    def pixel_sizes(self) -> dict[str, float]:
        """Return the pixel size along each axis in µm, of those that are known."""

    def make_project(self, folder: Path, count: int, *, masked: bool) -> Path:
        """Write the pool as a file, and its project: `count` evenly spaced slices corrected to the truth and verified.

        Without masking, all slices are declared verified.
        """
        image, truth = self.open(self.pool)
        source = folder / "stack.ome.tif"
        sizes = {f"PhysicalSize{a}": size for a, size in self.pixel_sizes().items()}
        tifffile.imwrite(source, np.asarray(image.data), metadata={"axes": image.axes, **sizes})
        project_folder = project_beside(source)
        with create_project(project_folder, refer(source, project_folder, shape=image.shape, name="stack")) as project:
            saved = self.predict(source, project)
        chosen = {int((i + 0.5) * len(self.pool) / count) for i in range(count)}
        with Journal(saved.journal, {"shape": list(image.shape)}, on_problem=_fail) as journal:
            for z in range(len(self.pool)):
                if z in chosen:
                    self.correct(saved, journal, z, truth)
                if z in chosen or not masked:
                    journal.append(Verify((slice(z, z + 1), *(slice(0, n) for n in image.shape[1:])), True))
        return project_folder


@dataclass(frozen=True)
class LabelCase(Case):
    """Slices with labels.

    Attributes
    ----------
    window : tuple of slice
        Along Y and X.
    pixel_size : dict
        As of `pixel_sizes`.
    """

    window: tuple[slice, slice]
    pixel_size: dict[str, float]

    def pixel_sizes(self) -> dict[str, float]:
        """Return the pixel size along each axis in µm."""
        return self.pixel_size

    def open(self, planes: range) -> tuple[Image, np.ndarray]:
        """Return some slices, and the class of each of their pixels."""
        image = open_image(DATA / self.image, axes="ZYX")
        label = np.asarray(open_image(DATA / self.truth, axes="ZYX").data)
        box = (slice(planes.start, planes.stop), *self.window)
        part = image_from_array(np.asarray(image.data[box]), "ZYX", pixel_size=self.pixel_size, name="part")
        # Of the multi-class sections the membranes are background, and all that they part is interior.
        truth = label[box] != 1 if "multiclass" in self.truth else label[box] > 0
        return part, truth.astype(np.int16)

    def predict(self, source: Path, project: Project) -> Saved:
        """Segment the slices."""
        image = open_image(source)
        info = _info(image, self.model)
        return project.add_prediction(info, np.asarray(segment(source, model=self.model).labels[...]), job=Job())

    def correct(self, saved: Saved, journal: Journal, z: int, truth: np.ndarray) -> None:
        """Paint all pixels that are wrong."""
        box = (slice(z, z + 1), *(slice(0, n) for n in truth.shape[1:]))
        patch = Patch.between((z, 0, 0), np.asarray(saved.labels()[box]), truth[box].astype(np.uint32))
        if patch is not None:
            journal.append(Step(z + 1, Change("paint", (patch,))))


@dataclass(frozen=True)
class PointCase(Case):
    """Frames with points, each of which stands for a box of `SIDE`."""

    def pixel_sizes(self) -> dict[str, float]:
        """Return nothing: a detector of spots sees pixels."""
        return {}

    def open(self, planes: range) -> tuple[Image, Boxes]:
        """Return some frames, and the boxes in them."""
        image = open_image(DATA / self.image, axes="TYX")
        points = np.genfromtxt(DATA / self.truth, delimiter=",", skip_header=1)  # frame, y, x, ...
        points = points[(points[:, 0] >= planes.start) & (points[:, 0] < planes.stop)]
        boxes = Boxes.of(points[:, 1:3], np.full((len(points), 2), SIDE), frame=points[:, 0] - planes.start)
        part = image_from_array(np.asarray(image.data[planes.start : planes.stop]), "TYX", name="part")
        return part, boxes

    def predict(self, source: Path, project: Project) -> Saved:
        """Detect in the frames."""
        image, found = open_image(source), detect(source, model=self.model)
        confidence = found.options.confidence
        facts = BoxFacts(shape=image.shape, thresholds={}, own_confidence=confidence or 0.0, done=found.done)
        shown = found.selector.keep(confidence or 0.0, found.options)
        return project.add_boxes(_info(image, self.model, boxes=facts), found.selector.boxes, shown)

    def correct(self, saved: Saved, journal: Journal, z: int, truth: Boxes) -> None:
        """Take all boxes of a frame away, and draw the true ones."""
        found, _ = saved.boxes()
        true = truth[truth.frame == z]
        rows = [(z, 0, *centre, *size) for centre, size in zip(true.centre.tolist(), true.size.tolist(), strict=True)]
        journal.append(BoxEdit(tuple(np.flatnonzero(found.frame == z).tolist()), tuple(rows)))


CASES: dict[str, Case] = {
    "em": LabelCase(
        "membranes-unet2d", "em-multiclass/image.tif", "em-multiclass/label.tif", range(8), range(9, 14),
        ("v_rand", "pixel_accuracy"), (slice(0, 512), slice(0, 512)), {"Z": 0.05, "Y": 0.0046, "X": 0.0046},
    ),
    "vessels": LabelCase(
        "vessels-unet3d", "vessels/plaque/image.ome.tif", "vessels/plaque/label.ome.tif", range(9), range(10, 14),
        ("dice", "cldice"), (slice(0, 512), slice(0, 512)), {"Z": 5.0, "Y": 2.485, "X": 2.485},
    ),
    # Each frame is a draw of its own: no gap is needed.
    "spots": PointCase(
        "cdv-yolo", "spots/storm_test.tif", "spots/storm_test_gt.csv", range(6), range(6, 10), ("f1", "count_error")
    ),
}  # fmt: skip


def _info(image: Image, model: str, boxes: BoxFacts | None = None) -> PredictionInfo:
    return PredictionInfo(
        name="stack", axes=image.axes, scale=image.scale, units=(None,) * 3, translate=(0.0,) * 3,
        classes=load_model(model).card.classes, boxes=boxes,
    )  # fmt: skip


def _fail(error: Exception) -> None:
    raise error
