"""Cells in phase contrast beside the reference's recipe, and one by one.

``python -m benchmarks.cells prepare FOLDER`` writes what ``models/recipes/cells-reference.yaml`` trains on: the images
of LIVECell and their masks, each resized as a whole to 224 x 224 pixels. ``python -m benchmarks.cells score
[--reference MODEL] [--figure FILE]`` prints, for each image that neither was trained on, the IoU of the mask of
cells-swinunet and of the reference, whose answer is resized back; and how many cells are found one by one (F1 of
objects that overlap a true one by an IoU of 0.5), without and with what parts them. Needs the project's data folder,
and for a figure the dependency group "benchmarks".
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from statistics import mean

import numpy as np
from scipy import ndimage
from skimage.segmentation import find_boundaries
from skimage.transform import resize
from tifffile import imwrite

from napari_bioseg import segment
from napari_bioseg.core.image import image_from_array
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.io import open_image
from napari_bioseg.io.coco import read_coco_labels
from napari_bioseg.metrics import iou
from napari_bioseg.models import find_model, load_model, read_card

MODEL, SIDE = "cells-swinunet", 224
DATA = Path(os.environ.get("BIOSEG_DATA", "../shared/data")) / "livecell"
PARTED = {"whole": {"separate": 0.0}, "waists": {"separate": 0.0, "split": 0.7}, "cores": {}}


def main() -> None:
    """Prepare or score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("prepare").add_argument("folder", type=Path)
    scored = verbs.add_parser("score")
    scored.add_argument("--model", default=MODEL)
    scored.add_argument("--reference")
    scored.add_argument("--figure", type=Path)
    given = parser.parse_args()
    prepare(given.folder) if given.verb == "prepare" else score(given.model, given.reference, given.figure)


def prepare(folder: Path) -> None:
    """Write images and masks of 224 x 224 pixels."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for path in sorted((DATA / "images").iterdir()):
        grey, truth = opened(path)
        imwrite(folder / "images" / path.name, shrunk(grey))
        mask = resize((truth > 0).astype(float), (SIDE, SIDE), anti_aliasing=True) > 0.5
        imwrite(folder / "labels" / path.name, mask.astype(np.uint8))


def shrunk(grey: np.ndarray) -> np.ndarray:
    """Return an image of 8 bits at 224 x 224 pixels; unrounded it would be another than the reference learnt from."""
    return np.rint(resize(grey, (SIDE, SIDE), preserve_range=True, anti_aliasing=True)).astype(np.uint8)


def opened(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return grey values and numbered cells."""
    image = open_image(path)
    return np.asarray(image.data), np.asarray(read_coco_labels(DATA / "annotations.json", image).data)


def score(model: str, reference: str | None, figure: Path | None) -> None:
    """Print the table, and draw the images with the best and with the worst mask."""
    tests = [Path(p["image"]).name for p in read_card(find_model(model)).recipe["pairs"] if p["use"] == "test"]
    rows, shown = [], {}
    for name in tests:
        grey, truth = opened(DATA / "images" / name)
        mask = np.asarray(segment(open_image(DATA / "images" / name), model=model).labels[:]) > 0
        row = {"image": Path(name).stem, "cells": int(truth.max()), "iou": iou(mask, truth > 0)}
        if reference:
            row["reference"] = iou(resized_back(grey, reference), truth > 0)
        cells = {how: instances(DATA / "images" / name, model, options) for how, options in PARTED.items()}
        row |= {f"F1 {how}": f1(found, truth) for how, found in cells.items()}
        rows.append(row)
        shown[name] = row["iou"], grey, truth, cells["cores"]
    figures = [key for key in rows[0] if key not in ("image", "cells")]
    rows.append({"image": "mean", "cells": "", **{key: mean(row[key] for row in rows) for key in figures}})
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([_text(v) for v in row.values()] for row in rows)]
    sys.stdout.write("".join(f"| {' | '.join(line)} |\n" for line in lines))
    if figure:
        draw(shown, figure)


def resized_back(grey: np.ndarray, reference: str) -> np.ndarray:
    """Return the mask of the reference, which sees the image at 224 x 224 pixels."""
    model = load_model(reference)
    found = predict(image_from_array(shrunk(grey), "YX"), model, PredictOptions(backend="torch"))
    probability = np.asarray(found.probabilities)[0].astype(np.float32)
    return resize(probability, grey.shape) > model.card.output.threshold


def instances(path: Path, model: str, options: dict[str, float]) -> np.ndarray:
    """Return numbered cells."""
    return np.asarray(segment(open_image(path), model=model, instances=True, min_size=20, **options).labels[:])


def f1(found: np.ndarray, truth: np.ndarray) -> float:
    """Return twice the pairs that overlap by an IoU above 0.5, of which an object has one at most, over all objects."""
    joint = np.zeros((int(found.max()) + 1, int(truth.max()) + 1))
    np.add.at(joint, (found, truth), 1)
    union = joint.sum(1, keepdims=True) + joint.sum(0, keepdims=True) - joint
    pairs = (joint[1:, 1:] > union[1:, 1:] / 2).sum()
    return float(2 * pairs / (len(np.unique(found[found > 0])) + len(np.unique(truth[truth > 0]))))


def draw(shown: dict[str, tuple[float, np.ndarray, np.ndarray, np.ndarray]], file: Path) -> None:
    """Draw the true and the found outlines of cells on the images with the best and with the worst mask."""
    from matplotlib.figure import Figure

    ranked = sorted(shown, key=lambda name: -shown[name][0])
    figure = Figure(figsize=(9, 5), layout="constrained")
    for line, name in zip(figure.subplots(2, 3), (ranked[0], ranked[-1]), strict=True):
        value, grey, *both = shown[name]
        pictures = {f"{Path(name).stem.split('_')[0]}, IoU {value:.3f}": None, "truth": both[0], "found": both[1]}
        for axes, (title, cells) in zip(line, pictures.items(), strict=True):
            axes.imshow(_outlined(grey, cells))
            axes.set(title=title, xticks=[], yticks=[])
    figure.savefig(file, dpi=100)


def _outlined(grey: np.ndarray, cells: np.ndarray | None) -> np.ndarray:
    picture = np.repeat(grey[..., None], 3, axis=-1)
    if cells is not None:
        outline = ndimage.binary_dilation(find_boundaries(cells, mode="inner"))
        picture[outline] = (230, 159, 0)
    return picture


def _text(value: float | str) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
