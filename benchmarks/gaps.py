"""What closing gaps does to membranes of another set: ``python -m benchmarks.gaps``; needs the project's data folder.

Sections of another fly (em-multiclass, which membranes-unet2d was not trained on), each at several thresholds, with and
without lines between cores: a mean over sections. The card's values were chosen by it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.io import open_image
from napari_bioseg.models import load_model
from napari_bioseg.tasks import TASKS, Decision
from napari_bioseg.workflows.evaluation import probabilities
from napari_bioseg.workflows.options import EvaluateOptions

MODEL, SECTIONS, MEMBRANE = "membranes-unet2d", (0, 3, 6, 9, 12), 1
TRIED = ((0.8, 0.0), (0.5, 0.0), (0.5, 0.8), (0.5, 0.85), (0.5, 0.9), (0.5, 0.95))
METRICS = ("v_rand", "v_info", "pixel_accuracy")


def main() -> None:
    """Print a line for each pair of threshold and cores."""
    folder = Path(os.environ.get("BIOSEG_DATA", "../shared/data")) / "em-multiclass"
    image, label = (open_image(folder / name, axes="ZYX") for name in ("image.tif", "label.tif"))
    model, task = load_model(MODEL), TASKS.get("semantic")
    options = EvaluateOptions(model=MODEL, metrics=METRICS)
    scores: dict[tuple[float, float], list[list[float]]] = {pair: [] for pair in TRIED}
    for z in SECTIONS:
        size = {"Z": 0.05, "Y": 0.0046, "X": 0.0046}
        section = image_from_array(np.asarray(image.data[z : z + 1]), "ZYX", pixel_size=size)
        found = probabilities(section, model, options, job=Job())
        truth = (np.asarray(label.data[z : z + 1]) != MEMBRANE).astype(np.int16)
        for threshold, separate in TRIED:
            decision = Decision(model.card.output.activation, threshold, separate)
            scores[threshold, separate].append([task.score(name, found, truth, decision) for name in METRICS])
    sys.stdout.write(f"| threshold | cores | {' | '.join(METRICS)} |\n|---|---|---|---|---|\n")
    for (threshold, separate), rows in scores.items():
        means = " | ".join(f"{v:.4f}" for v in np.mean(rows, axis=0))
        sys.stdout.write(f"| {threshold:g} | {separate or 'no lines'} | {means} |\n")


if __name__ == "__main__":
    main()
