"""Good and bad cases of a model on images that its shipped weights were not trained on, and pictures of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_bioseg import detect, identify, segment
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image
from napari_bioseg.io import open_image
from napari_bioseg.models.card import Card
from napari_bioseg.tasks.detection import SCORES
from napari_bioseg.tasks.semantic import score_labels
from napari_bioseg.training.kinds import open_kind, with_files
from napari_bioseg.training.open_pairs import open_one
from napari_bioseg.training.recipe import Pair, Recipe
from napari_bioseg.workflows.evaluation import take_planes
from napari_bioseg.workflows.recipe_data import load_pair, recipe_on_card, simulated_images

EDGE = {"semantic": 256, "detection": 96}
LEAST_SHARE, LEAST_BOXES = 0.02, 5
FRAMES = 10
PARTED = ("v_rand", "v_info")
"""Metrics of who is parted from whom: each part has a colour of its own."""

PLANES = {"YX": 3, "ZYX": 1}
"""Of a stack: a plane of a volume costs its neighbours, too."""


@dataclass(frozen=True)
class Case:
    """A crop of a plane with truth and answer: class numbers of each pixel, boxes, or the kind of image."""

    where: str
    score: float
    grey: np.ndarray
    truth: Any
    found: Any
    pixel: float | None


@dataclass(frozen=True)
class Cases:
    """The best and the worst crop, others worth a look, and what they cost."""

    shown: dict[str, Case]
    metric: str
    note: str
    rate: float
    """Seconds of all cores together, a megapixel."""


class Clock:
    """Seconds of all cores together, and the megapixels that they were spent on."""

    def __init__(self) -> None:
        self.seconds, self.pixels = 0.0, 0

    def timed(self, run: Any, image: Image, card: Card, **options: Any) -> Any:
        """Return what a verb answers."""
        began = time.process_time()
        found = run(image, model=card.name, device="cpu", **options)
        self.seconds += time.process_time() - began
        return found

    @property
    def rate(self) -> float:
        """Seconds a megapixel."""
        return self.seconds / self.pixels * 1e6


def semantic_cases(card: Card) -> Cases:
    """Return the best and the worst crop with every class in it, by the first metric of the recipe."""
    recipe, clock = recipe_on_card(card), Clock()
    metric = recipe.metrics[0]
    pairs, note = held_out(recipe)
    found = [case for pair in pairs for case in _of_pair(card, recipe, pair, metric, clock)]
    ranked = sorted(found, key=lambda case: case.score)
    if metric in PARTED:
        note += " Each true cell has a colour, and what was found that of the cell that it covers most."
    return Cases({"good": ranked[-1], "bad": ranked[0]}, metric, note, clock.rate)


def held_out(recipe: Recipe) -> tuple[list[Pair], str]:
    """Return what the shipped weights have not seen, and what is to be said of it."""
    tests = [pair for pair in recipe.pairs if pair.use == "test"]
    if tests:
        return tests, "The best and the worst part of the images that the scores are of."
    if val := [pair for pair in recipe.pairs if pair.use == "val"]:
        note = "The shipped weights have seen what the scores are of; these parts are of what they were not trained "
        return val, note + "on, but adjusted by, and beside what they have seen, so it flatters."
    note = "The shipped weights have seen what the scores are of; these parts are of {}, which they have not. "
    note += "They have seen its neighbours, so it flatters."
    first = {pair.image: pair for pair in recipe.pairs}
    gaps = [(pair, z) for name, pair in first.items() for z in _gaps(recipe, name, open_one(recipe, pair).shape[0])]
    pairs = [pair.model_copy(update={"planes": (z, z + 1), "group": f"plane {z}"}) for pair, z in gaps]
    if not pairs:
        left_out = {group for fold in recipe.folds for group in fold}
        note = "The shipped weights have seen all real images there are, these as well: the pictures flatter."
        return [pair for pair in recipe.pairs if pair.group in left_out], note
    return pairs, note.format(", ".join(pair.group for pair in pairs))


def _gaps(recipe: Recipe, name: str, depth: int) -> list[int]:
    seen = {z for pair in recipe.pairs if pair.image == name for z in range(*(pair.planes or (0, depth)))}
    return sorted(set(range(depth)) - seen)


def _of_pair(card: Card, recipe: Recipe, pair: Pair, metric: str, clock: Clock) -> Iterator[Case]:
    image, target = load_pair(recipe, pair)
    stack, axis = target.reshape(-1, *target.shape[-2:]), image.axes[0]
    grey, pixel = np.asarray(image.data).reshape(stack.shape), _pixel(image, card)
    shown = np.unique(np.linspace(0, len(stack) - 1, PLANES[card.input.axes] + 2).astype(int)[1:-1])
    for z in shown.tolist():
        region = f"{axis}={z}" if len(stack) > 1 else None
        values = np.asarray(clock.timed(segment, image, card, region=region, drift=False).labels[:]).reshape(
            stack.shape[1:]
        )
        clock.pixels += values.size
        found = sum(i * (values == c.value) for i, c in enumerate(card.classes, start=1))
        where = f"{pair.group}, {axis} {z}" if len(stack) > 1 else pair.group
        for y, x in _corners(values.shape, EDGE["semantic"]):
            g, t, f = (a[y : y + EDGE["semantic"], x : x + EDGE["semantic"]] for a in (grey[z], stack[z], found))
            if (t > 0).mean() >= LEAST_SHARE and set(range(1, len(card.classes) + 1)) <= set(np.unique(t).tolist()):
                yield Case(where, score_labels(metric, f, t), g, t, f, pixel)


def _pixel(image: Image, card: Card) -> float | None:
    """Return how wide a pixel is, in µm: as the file says, or else as the model takes it to be."""
    return image.pixel_size("X")[0] or card.input.pixel_size.get("X")


def _corners(shape: tuple[int, ...], edge: int) -> list[tuple[int, int]]:
    ys, xs = (range(0, max(1, n - edge + 1), edge) for n in shape)
    return [(y, x) for y in ys for x in xs]


def detection_cases(card: Card) -> Cases:
    """Return the best and the worst part of simulated frames, and of a public movie whose truth is centres alone."""
    clock, found = Clock(), []
    for spec in (s for s in recipe_on_card(card).simulated if s.use == "test"):
        for image, truth in simulated_images(spec):
            found += _of_frames(card, take_planes(image, (0, FRAMES)), truth, f"simulated, {spec.group}", clock)
    # Of equal ones those with more to see.
    good, bad = max(found, key=lambda c: (c.score, len(c.truth))), min(found, key=lambda c: (c.score, -len(c.truth)))
    real = min(_of_frames(card, *_movie(), "storm_test", clock), key=lambda case: case.score)
    shown = {"good": good, "bad": bad, "public movie": real}
    note = "The best and the worst part of simulated frames, and the worst of a public movie that the network never saw"
    note += ", whose truth is centres without sizes."
    return Cases(shown, "f1", note, clock.rate)


def _movie() -> tuple[Image, Boxes]:
    folder = Path(os.environ.get("BIOSEG_DATA", "../shared/data")) / "spots"
    points = np.genfromtxt(folder / "storm_test_gt.csv", delimiter=",", skip_header=1)  # frame, y, x, ...
    truth = Boxes.of(points[:, 1:3], np.zeros((len(points), 2)), z=points[:, 0])
    return open_image(folder / "storm_test.tif", axes="ZYX"), truth


def _of_frames(card: Card, image: Image, truth: Boxes, where: str, clock: Clock) -> Iterator[Case]:
    boxes, edge = clock.timed(detect, image, card, drift=False).boxes, EDGE["detection"]
    clock.pixels += int(np.prod(image.shape))
    for z, frame in enumerate(np.asarray(image.data)):
        for y, x in _corners(frame.shape, edge):
            t, f = (_inside(b[b.z == z], y, x, edge) for b in (truth, boxes))
            if len(t) >= LEAST_BOXES:
                part = frame[y : y + edge, x : x + edge]
                yield Case(f"{where}, frame {z}", SCORES["f1"](f, t), part, t, f, _pixel(image, card))


def _inside(boxes: Boxes, y: int, x: int, edge: int) -> Boxes:
    moved = replace(boxes, centre=boxes.centre - [y, x])
    return moved[((moved.centre >= 0) & (moved.centre < edge)).all(axis=1)]


def kind_cases(card: Card) -> Cases:
    """Return an image of each group that is calibrated on: those that no network of the recipe was trained on."""
    recipe, clock, found = with_files(recipe_on_card(card)), Clock(), []
    for pair in {p.group: p for p in reversed(recipe.pairs) if p.use == "val"}.values():
        image = open_kind(recipe, pair)
        said = clock.timed(identify, image, card)
        clock.pixels += int(np.prod(image.shape))
        grey = np.asarray(image.data).reshape(-1, *image.shape[-2:])[0]
        found.append(Case(pair.group, said.probabilities[pair.kind], grey, pair.kind, said.kind, None))
    found.sort(key=lambda case: -case.score)
    note = (
        "An image of each group that was used to calibrate and not to train, with what it is said to be; of stacks all "
    )
    note += "planes are asked together, and the first is shown."
    return Cases({case.where: case for case in found}, "probability", note, clock.rate)


CASES = {"semantic": semantic_cases, "detection": detection_cases, "classification": kind_cases}
"""How good and bad cases are found, by task."""
