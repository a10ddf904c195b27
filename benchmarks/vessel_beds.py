"""How models draw capillary beds that no network was trained on: ``python -m benchmarks.vessel_beds MODEL ...``.

Each MODEL is a model folder, or ``RUN:2`` for the network of the second fold of a run; none stands for the shipped
one. The beds are simulated, with seeds that the recipe has not, and are 3 to 5 % vessel: four of `vessel_tree`, the
sample of the demo, and the mask of a real bed (MiniVess), imaged with two sorts of optics. With ``--noise RUN``
Gaussian noise is added instead, to 256 x 256 pixels of each real volume, for the network of the fold without it.
Needs the project's data folder.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import numpy.typing as npt

from benchmarks.folds import fold
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.io import open_image
from napari_bioseg.models.model import Model, read_model
from napari_bioseg.simulate import sample
from napari_bioseg.simulate.fields import to_u8
from napari_bioseg.simulate.vessels import vessel_image_from_mask, vessel_tree
from napari_bioseg.training.recipe import read_recipe
from napari_bioseg.workflows.evaluation import evaluate_image
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.recipe_data import tested_on
from napari_bioseg.workflows.region import crop

SHIPPED = "models/vessels-unet3d"
SEEDS, OPTICS = (7, 8, 9, 10), (1, 2)
NOISE = (0.0, 0.02, 0.05, 0.1)  # standard deviation in shares of white
MINIVESS = (2.0, 0.994, 0.994)  # µm
SIDE, WHITE = 256, 255


def beds(data: Path) -> Iterator[tuple[str, Image, npt.NDArray[np.int16]]]:
    """Yield the name, the image and the truth of each bed."""
    sizes = {"Z": 5.0, "Y": 1.0, "X": 1.0}
    for seed in SEEDS:
        pixels, truth = vessel_tree((24, SIDE, SIDE), (5.0, 1.0, 1.0), seed, density=0.03, large_vessels=seed % 2)
        yield f"vessel_tree, seed {seed}", image_from_array(pixels, "ZYX", pixel_size=sizes), truth.astype(np.int16)
    demo = sample("vessels")
    yield "sample of the demo", demo, (np.asarray(demo.labels[0].data) > 0).astype(np.int16)
    mask = open_image(data / "minivess" / "mv68_y.nii.gz")
    z, y, x = MINIVESS  # its file names no unit
    vessels = np.asarray(mask.data).squeeze() > 0
    for seed in OPTICS:
        pixels = vessel_image_from_mask(vessels, (z, y, x), seed)
        image = image_from_array(pixels, "ZYX", pixel_size={"Z": z, "Y": y, "X": x})
        yield f"MiniVess, optics {seed}", image, vessels.astype(np.int16)


def score(model: Model, image: Image, truth: npt.NDArray[np.int16]) -> list[float]:
    """Return Dice and clDice of a model, and of the best single threshold."""
    options = EvaluateOptions(model=model.card.name, metrics=("dice", "cldice"))
    row = evaluate_image(image, truth, model, options)
    return [found[name] for found in (row.scores, row.oracle) for name in ("dice", "cldice")]


def write_beds(names: list[str], data: Path) -> None:
    """Print Dice and clDice of each bed, and their means."""
    models = [_model(name) for name in names]
    sys.stdout.write(f"| bed | vessel | oracle | {' | '.join(names)} |\n|---|---|---|{'---|' * len(names)}\n")
    found = []
    for name, image, truth in beds(data):
        scores = [score(model, image, truth) for model in models]
        found.append([scores[0][2:], *(s[:2] for s in scores)])
        sys.stdout.write(f"| {name} | {truth.mean():.1%} | {_cells(found[-1])}\n")
    sys.stdout.write(f"| mean | | {_cells(np.mean(found, axis=0).tolist())}\n")


def _cells(pairs: list[list[float]]) -> str:
    return "".join(f"{dice:.3f}, {cldice:.3f} | " for dice, cldice in pairs).rstrip()


def write_noise(run: Path) -> None:
    """Print Dice with more and more noise, of each volume that a fold leaves out."""
    sys.stdout.write(f"| volume | {' | '.join(map(str, NOISE))} |\n|---|{'---|' * len(NOISE)}\n")
    for number in range(1, len(read_recipe(run / "recipe.yaml").folds) + 1):
        recipe, model = fold(run, number)
        for pair, image, truth in tested_on(recipe):
            box = (slice(0, len(image.data)), slice(0, SIDE), slice(0, SIDE))
            part, target = crop(image, box), np.asarray(truth)[box]
            rng = np.random.default_rng(0)
            cells = []
            for amount in NOISE:
                grey = to_u8(np.asarray(part.data) + rng.normal(0, amount * WHITE, part.shape))
                noisy = da.from_array(grey)  # type: ignore[no-untyped-call]
                cells.append(score(model, replace(part, levels=(noisy,)), target)[0])
            sys.stdout.write(f"| {pair.name} | {' | '.join(f'{c:.3f}' for c in cells)} |\n")


def main(given: list[str] | None = None) -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vessel_beds", description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a model folder, or RUN:N for the Nth fold of a run")
    parser.add_argument("--noise", type=Path, metavar="RUN", help="noise on real volumes instead, by the folds of RUN")
    wanted = parser.parse_args(given)
    if wanted.noise:
        write_noise(wanted.noise)
    else:
        write_beds(wanted.models or [SHIPPED], Path(os.environ.get("BIOSEG_DATA", "../shared/data")))


def _model(name: str) -> Model:
    run, _, number = name.rpartition(":")
    return fold(Path(run), int(number))[1] if number.isdigit() and run else read_model(Path(name))


if __name__ == "__main__":
    main()
