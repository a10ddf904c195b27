"""What a correction teaches, by where it is made: ``python -m benchmarks.where_next FOLDER --figure FILE``.

A network that never saw real micrographs is fine-tuned on k slices of the membranes, chosen by us, evenly spaced or at
random, and scored on slices that none of them holds. Each finished cell is a JSON file in FOLDER: a run that was
stopped goes on where it was. Needs the project's data folder, and for the figure the dependency group "benchmarks".

The start is a small U-Net trained on simulated sections (`simulate.em_membranes`), which stands for a model that was
made for other microscopes: it has work left to do. A network trained on the em-multiclass sections would be nearer to
these, and what a few slices add would drown in the noise of six test slices.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.core.image import Image
from napari_bioseg.inference import predict
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model
from napari_bioseg.postprocess.uncertainty import measure_uncertainty
from napari_bioseg.runs import Run
from napari_bioseg.tasks import map_labels
from napari_bioseg.training.loop import fit
from napari_bioseg.training.open_pairs import open_pair
from napari_bioseg.training.recipe import Pair, Recipe
from napari_bioseg.workflows.describe import describe
from napari_bioseg.workflows.evaluation import evaluate_image, take_planes
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.suggest import suggest
from napari_bioseg.workflows.training import make_card, train

POOL, TEST = range(17), (18, 24)
"""Slices to choose from and to score on; slice 17 is a gap, as neighbours look alike."""

COUNTS = (1, 2, 4, 8)
STRATEGIES = ("ours", "even", "random")
METRICS = ("v_rand", "v_info", "pixel_accuracy")
_START = "simulated-em"
_FILES = {"image": "membranes/image.tif", "label": "membranes/label.tif", "axes": "ZYX"}


@dataclass(frozen=True)
class Cell:
    """One fine-tuning."""

    strategy: str
    count: int
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.strategy}-{self.count}-{self.seed}.json"

    def slices(self, ours: list[int]) -> list[int]:
        """Return the slices that it trains on; those at random hold those of fewer slices with the same seed."""
        if self.strategy == "ours":
            return ours[: self.count]
        if self.strategy == "even":
            return [int((i + 0.5) * len(POOL) / self.count) for i in range(self.count)]
        return np.random.default_rng(self.seed).permutation(len(POOL))[: self.count].tolist()


def start_recipe(steps: int) -> Recipe:
    """Return the recipe of the network that all begin with."""
    values: dict[str, Any] = {
        "name": _START,
        "card": {"title": "-", "summary": "-", "licence": "-", "data": "simulated", "split": "-"},
        "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [8, 16, 32, 64]}},
        "input": {"axes": "YX", "pixel_size": {"Y": 0.004, "X": 0.004}},
        "classes": [{"value": 1, "name": "cell interior"}],
        "label_values": {0: 0, 255: 1},
        "simulated": [
            {"generator": "em_membranes", "count": 3, "arguments": {"shape": [8, 384, 384]}, "group": "simulated"}
        ],
        "patch": [192, 192],
        "batch": 4,
        "foreground_share": 0.0,
        "losses": {"bce": 1.0, "dice": 0.5},
        "learning_rate": 3e-3,
        "epochs": 1,
        "steps": steps,
        "averaging": 0.99,
        "metrics": METRICS,
    }
    return Recipe.checked(values, "start")


def tuning_recipe(start: Recipe, model: Path, slices: list[int], seed: int, steps: int) -> Recipe:
    """Return the recipe that goes on from the start on some slices."""
    pairs = tuple(Pair(**_FILES, group=f"slice-{z}", planes=(z, z + 1)) for z in slices)
    changes = {
        "pairs": pairs, "simulated": (), "continue_from": str(model), "steps": steps, "seed": seed,
        "learning_rate": 1e-3, "averaging": 0.9,
    }  # fmt: skip
    return start.model_copy(update=changes)


def open_planes(recipe: Recipe, planes: tuple[int, int]) -> tuple[Image, np.ndarray]:
    """Return some slices, and the class of each of their pixels."""
    image, label = (take_planes(opened, planes) for opened in open_pair(recipe, Pair(**_FILES, group="-")))
    return image, map_labels(np.asarray(label.data), recipe.label_values, 1)


def chosen_by_us(recipe: Recipe, model: Model) -> list[int]:
    """Return the pool in the order in which key N shows it to someone who verifies every slice that is shown."""
    image, _ = open_planes(recipe, (POOL.start, POOL.stop))
    prediction = predict(image, model)
    features = describe(prediction, image, model)
    found = suggest(measure_uncertainty(prediction), features, lambda *_: "none", count=max(COUNTS))
    return [s.plane[0] for s in found]


def score(recipe: Recipe, model: Model) -> dict[str, float]:
    """Return the scores on the test slices."""
    image, truth = open_planes(recipe, TEST)
    return evaluate_image(image, truth, model, EvaluateOptions(model=recipe.name, metrics=METRICS)).scores


def cells(seeds: int) -> Iterator[Cell]:
    """Yield every fine-tuning, the seeds last, so that an early stop leaves a whole picture."""
    for seed in range(seeds):
        for count in COUNTS:
            yield from (Cell(strategy, count, seed) for strategy in STRATEGIES)


def run(folder: Path, seeds: int, start_steps: int, steps: int) -> dict[str, Any]:
    """Make what is missing and return the start's scores and all cells."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"start_steps": start_steps, "steps": steps}
    if _kept(folder / "settings.json", lambda: settings) != settings:
        sys.exit(f"{folder}: holds cells of other steps. Choose another folder")
    start = start_recipe(start_steps)
    trained = folder / "start" / _START
    if not trained.is_dir():
        train(start, folder / "start")
    model = load_model(trained)
    before = _kept(folder / "start.json", lambda: {"scores": score(start, model), "ours": chosen_by_us(start, model)})

    def made(cell: Cell) -> dict[str, Any]:
        slices = cell.slices(before["ours"])
        recipe = tuning_recipe(start, trained, slices, cell.seed, steps)
        with TemporaryDirectory() as scratch:
            tuned = Model(make_card(recipe), fit(recipe, Run(Path(scratch))))
        return {"slices": slices, "scores": score(recipe, tuned)}

    found = {}
    for cell in cells(seeds):
        found[cell] = _kept(folder / cell.name, lambda cell=cell: made(cell))
        sys.stdout.write(f"{cell.name[:-5]} {found[cell]['slices']} {found[cell]['scores']}\n")
        sys.stdout.flush()
    return {"start": before, "cells": found}


def _kept(file: Path, make: Any) -> dict[str, Any]:
    if not file.is_file():
        value = make()
        with whole_or_nothing(file) as part:
            part.write_text(json.dumps(value), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def table(result: dict[str, Any], metric: str) -> list[str]:
    """Return lines of a table: a mean over seeds, lowest to highest in brackets."""
    lines = [f"| {metric} | {' | '.join(f'k = {k}' for k in COUNTS)} |", f"|---|{'---|' * len(COUNTS)}"]
    for strategy in STRATEGIES:
        columns = [_values(result, strategy, count, metric) for count in COUNTS]
        shown = [f"{fmean(v):.3f} ({min(v):.3f}-{max(v):.3f})" for v in columns]
        lines.append(f"| {strategy} | {' | '.join(shown)} |")
    return [*lines, "", f"before fine-tuning {result['start']['scores'][metric]:.3f}", ""]


def _values(result: dict[str, Any], strategy: str, count: int, metric: str) -> list[float]:
    chosen = ((c, v) for c, v in result["cells"].items() if (c.strategy, c.count) == (strategy, count))
    return [value["scores"][metric] for _, value in chosen]


def draw(result: dict[str, Any], file: Path) -> None:
    """Draw score against k."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    names = {"v_rand": "V$^{Rand}$", "pixel_accuracy": "pixel accuracy"}
    for axes, (metric, name) in zip(figure.subplots(1, 2), names.items(), strict=True):
        for i, (strategy, color) in enumerate(zip(STRATEGIES, ("#d55e00", "#0072b2", "#777777"), strict=True)):
            values = [_values(result, strategy, count, metric) for count in COUNTS]
            x = np.arange(len(COUNTS)) + 0.08 * (i - 1)
            axes.plot(x, [fmean(v) for v in values], "o-", color=color, label=strategy)
            for at, v in zip(x, values, strict=True):
                axes.plot([at] * len(v), v, ".", color=color, alpha=0.5)
        axes.axhline(result["start"]["scores"][metric], color="black", lw=0.8, ls=":", label="before")
        axes.set_xticks(range(len(COUNTS)), [str(k) for k in COUNTS])
        axes.set(xlabel="slices to fine-tune on", ylabel=f"{name}, slices 18-23")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120)


def main(arguments: list[str]) -> None:
    """Run what is missing, print the tables and draw the figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.where_next")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--start-steps", type=int, default=400)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args(arguments)
    result = run(given.folder, given.seeds, given.start_steps, given.steps)
    for metric in METRICS:
        sys.stdout.write("\n".join(table(result, metric)) + "\n")
    if given.figure:
        draw(result, given.figure)


if __name__ == "__main__":
    main(sys.argv[1:])
