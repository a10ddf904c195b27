"""Membranes, glia, mitochondria and synapses beside the truth: ``python -m benchmarks.em_classes --figure FILE``.

Section 10 of em-multiclass, which the shipped network was not trained on, though sections beside it were, and on which
it was chosen how its classes lie to each other: flattering, so no score of a card. Printed are the IoU of each class,
and drawn are two tiles: that with the best mean IoU and that with the worst, among those with every class. Needs the
project's data folder, and the dependency group "benchmarks".
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from napari_bioseg import segment
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.io import open_image
from napari_bioseg.models import find_model, read_card
from napari_bioseg.tasks.semantic import score_labels
from napari_bioseg.workflows.evaluation import take_planes

MODEL, SECTION, TILE = "em-multiclass-unet2d", 10, 256
OPACITY = 0.45


def main() -> None:
    """Print the scores and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, required=True)
    folder = Path(os.environ.get("BIOSEG_DATA", "../shared/data")) / "em-multiclass"
    image, label = (
        take_planes(open_image(folder / name, axes="ZYX"), (SECTION, SECTION + 1))
        for name in ("image.tif", "label.tif")
    )
    grey, truth = np.asarray(image.data)[0], np.asarray(label.data)[0].astype(np.int16)
    found = np.asarray(segment(image, model=MODEL).labels[0])
    classes = read_card(find_model(MODEL)).classes
    for one in classes:
        score = score_labels("iou", (found == one.value).astype(int), (truth == one.value).astype(np.int16))
        sys.stdout.write(f"{one.score_of('iou')} {score:.4f}\n")
    places = [(y, x) for y in range(0, truth.shape[0], TILE) for x in range(0, truth.shape[1], TILE)]
    tiles = [tuple(a[y : y + TILE, x : x + TILE] for a in (grey, truth, found)) for y, x in places]
    whole = [t for t in tiles if set(np.unique(t[1])) >= {c.value for c in classes}]
    ranked = sorted(whole, key=lambda t: score_labels("iou", t[2], t[1]))
    draw({"best tile": ranked[-1], "worst tile": ranked[0]}, classes, parser.parse_args().figure)


def draw(rows: dict[str, tuple[np.ndarray, ...]], classes: tuple[ClassInfo, ...], file: Path) -> None:
    """Draw image, truth and labels of each tile."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    for line, (name, (grey, truth, found)) in zip(figure.subplots(len(rows), 3), rows.items(), strict=True):
        pictures = {"image": None, "truth": truth, "found": found}
        for axes, (title, labels) in zip(line, pictures.items(), strict=True):
            axes.imshow(_painted(grey, labels, classes))
            axes.set(title=f"{name}: {title}", xticks=[], yticks=[])
    figure.legend(
        handles=[figure.axes[0].plot([], [], "s", color=c.color, label=c.name)[0] for c in classes],
        loc="outside lower center",
        ncols=len(classes),
        frameon=False,
    )
    figure.savefig(file, dpi=100)


def _painted(grey: np.ndarray, labels: np.ndarray | None, classes: tuple[ClassInfo, ...]) -> np.ndarray:
    picture = np.repeat(grey[..., None] / 255, 3, axis=-1)
    for one in classes if labels is not None else ():
        inside = labels == one.value
        picture[inside] = (1 - OPACITY) * picture[inside] + OPACITY * np.array(to_rgb(one.color))
    return picture


if __name__ == "__main__":
    main()
