"""Whether probabilities are what they say, on slices not trained on: ``python -m benchmarks.reliability MODEL``.

MODEL is the folder of a network that was trained on slices 0-16 of the membranes alone (``docs/next.md`` has the
command); one that saw the slices 18-23 is refused. They are predicted once, and as the mean of 8 flips and turns.
``--figure FILE`` draws it. Needs the project's data folder, and for the figure the dependency group "benchmarks".
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_bioseg.io import open_image
from napari_bioseg.metrics.calibration import Reliability, confidence, reliability
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model
from napari_bioseg.postprocess.uncertainty import FULL, measure_uncertainty
from napari_bioseg.workflows.evaluation import take_planes
from napari_bioseg.workflows.uncertainty import predict_augmented

TEST = (18, 24)
LEVELS = 10  # of uncertainty, that of the map


@dataclass(frozen=True)
class Found:
    """How one way of predicting does.

    Attributes
    ----------
    classwise, top : Reliability
        Of the probability of the foreground, and of that of the likelier class.
    wrong, share : numpy.ndarray
        Of each level of uncertainty: the share of its pixels whose likelier class is wrong, and its share of all
        pixels.
    """

    classwise: Reliability
    top: Reliability
    wrong: np.ndarray
    share: np.ndarray

    @property
    def caught(self) -> float:
        """Share of the wrong pixels that are in the upper half of uncertainty."""
        errors = np.nan_to_num(self.wrong) * self.share
        return float(errors[LEVELS // 2 :].sum() / errors.sum())


def measure(model: Model, folder: Path, passes: int) -> Found:
    """Predict the test slices and set what was said beside the truth."""
    image, label = (
        take_planes(open_image(folder / "membranes" / name, axes="ZYX"), TEST) for name in ("image.tif", "label.tif")
    )
    prediction, _ = predict_augmented(image, model, passes=passes)
    p, truth = np.asarray(prediction.probabilities[0], np.float64), np.asarray(label.data) > 0
    top, right = confidence(p, truth)
    level = np.minimum(np.asarray(measure_uncertainty(prediction).values) / FULL * LEVELS, LEVELS - 1).astype(int)
    counts = np.bincount(level.ravel(), minlength=LEVELS)
    wrong = np.bincount(level.ravel(), ~right.ravel(), LEVELS) / np.maximum(counts, 1)
    return Found(reliability(p, truth), reliability(top, right), wrong, counts / counts.sum())


def check_not_trained_on(model: Model) -> None:
    """Stop where the card says that the network saw the test slices, or does not say what it saw."""
    pairs = model.card.recipe.get("pairs", ())
    seen = [p for p in pairs if p["use"] != "test" and _overlaps(p["planes"], TEST)]
    if not pairs or seen:
        sys.exit(f"{model.card.name}: was trained on slices {TEST[0]}-{TEST[1] - 1}. Give a network of slices 0-16")


def _overlaps(planes: Sequence[int] | None, test: Sequence[int]) -> bool:
    return planes is None or (planes[0] < test[1] and test[0] < planes[1])


def draw(found: dict[str, Found], file: Path) -> None:
    """Draw the reliability diagram, and the share of wrong pixels by uncertainty."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="black", lw=0.8, ls=":")
    middles = (np.arange(LEVELS) + 0.5) / LEVELS
    for (name, one), color in zip(found.items(), ("#0072b2", "#d55e00"), strict=True):
        diagram = one.classwise
        left.plot(diagram.predicted, diagram.observed, "o-", color=color, ms=4, label=name)
        right.plot(middles, one.wrong, "o-", color=color, ms=4, label=name)
        right.bar(middles, one.share, 0.9 / LEVELS, color=color, alpha=0.15)
    left.set(xlabel="predicted probability of cell interior", ylabel="share that is cell interior", aspect="equal")
    right.set(xlabel="uncertainty (entropy)", ylabel="share of wrong pixels; bars: of all pixels")
    left.legend(frameon=False)
    figure.savefig(file, dpi=120)


def main(arguments: list[str]) -> None:
    """Print a table, and draw the figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability")
    parser.add_argument("model", type=Path)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args(arguments)
    model = load_model(given.model)
    check_not_trained_on(model)
    folder = Path(os.environ.get("BIOSEG_DATA", "../shared/data"))
    found = {name: measure(model, folder, passes) for name, passes in (("one pass", 1), ("8 passes", 8))}
    sys.stdout.write("| | calibration error | of cell interior | wrong pixels | of them with uncertainty > 0.5 |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for name, one in found.items():
        errors = f"{one.top.expected_error:.4f} | {one.classwise.expected_error:.4f}"
        sys.stdout.write(f"| {name} | {errors} | {one.wrong @ one.share:.4f} | {one.caught:.3f} |\n")
    if given.figure:
        draw(found, given.figure)


if __name__ == "__main__":
    main(sys.argv[1:])
