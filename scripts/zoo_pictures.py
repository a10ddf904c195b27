"""Pictures of the cases of a model: image, truth and prediction side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from skimage.measure import label
from skimage.segmentation import find_boundaries
from zoo_cases import PARTED, Case, Cases

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.metrics.paired import TITLES
from napari_bioseg.models.card import Card

OPACITY, BOX = 0.4, "#e69f00"
CELLS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")


def draw(cases: Cases, card: Card, file: Path) -> None:
    """Draw a row a case; of kinds of images, a picture a case."""
    if card.task == "classification":
        _draw_kinds(cases, file)
        return
    rows = len(cases.shown)
    figure = Figure(figsize=(8.4, 3 * rows + 0.3), layout="constrained")
    title, boxes = TITLES[cases.metric], card.task == "detection"
    for line, (name, case) in zip(figure.subplots(rows, 3, squeeze=False), cases.shown.items(), strict=True):
        truth, found, colours = case.truth, case.found, [c.color for c in card.classes]
        if cases.metric in PARTED:
            (truth, found), colours = _parts(truth, found), list(CELLS)
        for axes, what in zip(line, (None, truth, found), strict=True):
            _show(axes, case.grey, what, colours)
        line[0].set_title(f"{name}: {case.where}", fontsize=9)
        line[1].set_title("truth", fontsize=9)
        line[2].set_title(f"prediction, {title} {case.score:.2f}", fontsize=9)
        _scale_bar(line[0], case)
    if cases.metric not in PARTED and not boxes:
        _legend(figure, card)
    figure.savefig(file, dpi=100, pil_kwargs={"quality": 75})


def _draw_kinds(cases: Cases, file: Path) -> None:
    columns = 4
    figure = Figure(figsize=(8.4, 2.6 * -(-len(cases.shown) // columns)), layout="constrained")
    every = figure.subplots(-(-len(cases.shown) // columns), columns, squeeze=False).ravel()
    for axes in every[len(cases.shown) :]:
        axes.set_axis_off()
    for axes, case in zip(every, cases.shown.values(), strict=False):
        side = min(case.grey.shape)
        _show(axes, case.grey[:side, :side], None, [])
        axes.set_title(f"{case.truth}\ntold as {case.found}, {100 * case.score:.0f} %", fontsize=8)
    figure.savefig(file, dpi=100, pil_kwargs={"quality": 75})


def _show(axes: Axes, grey: np.ndarray, what: Any, colours: list[str]) -> None:
    low, high = np.percentile(grey, (0.5, 99.7))
    picture = np.repeat(np.clip((grey - low) / max(float(high - low), 1e-6), 0, 1)[..., None], 3, axis=-1)
    if isinstance(what, Boxes):
        _draw_boxes(axes, what)
    elif what is not None:
        _paint(picture, what, colours)
    axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])


def _parts(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a colour for each cell; one that was found has that of the true cell that it covers most."""
    cells, parts = (label(labels == 1, connectivity=1) for labels in (truth, found))
    colour = np.where(np.arange(cells.max() + 1) > 0, np.arange(cells.max() + 1) * 5 % len(CELLS) + 1, 0)
    joint = np.zeros((parts.max() + 1, cells.max() + 1), int)
    np.add.at(joint, (parts, cells), 1)
    most = 1 + joint[:, 1:].argmax(axis=1)
    return colour[cells], np.where(parts > 0, colour[most[parts]], 0)


def _paint(picture: np.ndarray, labels: np.ndarray, colours: Any) -> None:
    edges = find_boundaries(labels, mode="inner")
    for number, colour in enumerate(colours, start=1):
        inside = labels == number
        picture[inside] = (1 - OPACITY) * picture[inside] + OPACITY * np.array(to_rgb(colour))
        picture[inside & edges] = to_rgb(colour)


def _draw_boxes(axes: Axes, boxes: Boxes) -> None:
    """Draw boxes, and a cross where a centre alone is known."""
    for (y, x), (height, width) in zip(boxes.centre, boxes.size, strict=True):
        if height and width:
            corner = (x - width / 2, y - height / 2)
            axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=BOX, linewidth=1.2))
        else:
            axes.plot(x, y, "+", color=BOX, markersize=8)


def _scale_bar(axes: Axes, case: Case) -> None:
    """Draw a bar of about a quarter of the width, in µm where the pixel size is known."""
    size, unit = (case.pixel, "µm") if case.pixel else (1.0, "pixels")
    wanted = case.grey.shape[1] * size / 4
    power = 10 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    pixels, bottom = length / size, case.grey.shape[0] * 0.95
    start = case.grey.shape[1] * 0.05
    for width, colour in ((5, "black"), (3, "white")):
        axes.plot([start, start + pixels], [bottom, bottom], color=colour, linewidth=width, solid_capstyle="butt")
    words = {"color": "white", "fontsize": 9, "bbox": {"color": "black", "alpha": 0.6, "pad": 1.5}}
    axes.text(start, bottom - case.grey.shape[0] * 0.03, f"{length:g} {unit}", va="bottom", **words)


def _legend(figure: Figure, card: Card) -> None:
    handles = [figure.axes[0].plot([], [], "s", color=c.color, label=c.name)[0] for c in card.classes]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
