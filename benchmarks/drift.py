"""Does the drift check warn of what costs a model its score? ``python -m benchmarks.drift MODEL ... --figure FILE``.

Each MODEL is the folder of a model whose own recipe names test pairs, or of a run of a recipe with folds, whose first
fold is taken: the network, its profile and its thresholds know nothing of the groups that are changed here. Needs the
project's data folder, and for the figure the dependency group "benchmarks". With ``--keep FOLDER`` what was measured is
written there, a JSON file a model, and a model that has one is not measured again. ``--seed N`` simulates other test
images than the recipe's, ``--few`` takes one amount of each change. A second table says of how many changes it was told
that the result is likely worse, a third how often the cause was named: with ``--causes`` that one alone, for which
nothing needs to be scored.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.drift_changes import Truth, changed
from benchmarks.drift_tables import Row, cause_table, table, worse_table
from benchmarks.folds import fold
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.io import open_image
from napari_bioseg.models.model import Model, read_model
from napari_bioseg.training.open_pairs import data_root
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.box_evaluation import evaluate_boxes
from napari_bioseg.workflows.drift_check import Drift, compare_with_training
from napari_bioseg.workflows.evaluation import evaluate_image
from napari_bioseg.workflows.options import DriftOptions, EvaluateOptions
from napari_bioseg.workflows.profiling import profile_training
from napari_bioseg.workflows.recipe_data import recipe_on_card, tested_on

_EDGE, _DEPTH = {"YX": 768, "ZYX": 160}, 12  # of a part of a test image
_PARTS = {"YX": 6, "ZYX": 1}  # of each test image
_FOREIGN = (
    ("membranes/image.tif", "ZYX"),
    ("vessels/tg-mouse/image.ome.tif", None),
    ("livecell/images/A172_Phase_C7_1_00d20h00m_4.tif", None),
    ("livecell/images/MCF7_Phase_F4_2_00d00h00m_4.tif", None),
    ("fibroblasts/images/train_set01.tif", None),
    ("spots/storm_test.tif", "TYX"),
)
"""Images of other modalities; those of a model's own folder of data are left out."""


def main(given: list[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--keep", type=Path, help="folder for what was measured")
    parser.add_argument("--figure", type=Path, help="picture of loss against the largest ratio")
    parser.add_argument("--seed", type=int, help="of simulated test images; none: those of the recipe")
    parser.add_argument("--few", action="store_true", help="one amount of each change, for large networks")
    parser.add_argument("--causes", action="store_true", help="only how often the cause is named; nothing is scored")
    wanted = parser.parse_args(given)
    rows: list[Row] = []
    for path in wanted.models:
        rows += _kept(path, wanted)
    sys.stdout.write(cause_table(rows) if wanted.causes else f"{table(rows)}\n{worse_table(rows)}\n{cause_table(rows)}")
    if wanted.figure:
        from benchmarks.drift_figure import draw

        draw(rows, wanted.figure)


def _kept(path: Path, wanted: argparse.Namespace) -> list[Row]:
    recipe, model = subject(path)
    file = wanted.keep / f"{recipe.name}{'-causes' * wanted.causes}.json" if wanted.keep else None
    if file is not None and file.is_file():
        return list(json.loads(file.read_text(encoding="utf-8")))
    rows = list(measure(_seeded(recipe, wanted.seed), model, few=wanted.few, scored=not wanted.causes))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(file) as part:
            part.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return rows


def _seeded(recipe: Recipe, seed: int | None) -> Recipe:
    if seed is None:
        return recipe
    other = [s.model_copy(update={"seed": seed}) if s.use == "test" else s for s in recipe.simulated]
    return recipe.model_copy(update={"simulated": tuple(other)})


def subject(path: Path) -> tuple[Recipe, Model]:
    """Return a recipe with test pairs, and a model with its profile that was trained without them.

    A card has its profile, of the same training pairs; the network of a fold has none yet.
    """
    if (path / "recipe.yaml").is_file():
        recipe, model = fold(path, 1)
    else:
        model = read_model(path)
        recipe = recipe_on_card(model.card)
        if model.card.profile:
            return recipe, model
    card = model.card.model_copy(update={"profile": profile_training(recipe, model, Job())})
    return recipe, Model(card, model.network, model.folder)


def measure(recipe: Recipe, model: Model, *, few: bool = False, scored: bool = True) -> Iterator[Row]:
    """Yield what became of each part of each test image under each change: its loss, and what the check says.

    Where nothing is scored, losses are None, and images of other modalities are left out.
    """
    options = DriftOptions(model=recipe.name)
    for group, image, truth in _parts(recipe, model):
        sizes = {a: s for a, s in zip(image.axes, image.pixel_size(image.axes), strict=True) if s is not None}
        before = _score(recipe, model, image, truth) if scored else 0.0
        pixels = np.asarray(image.data)
        for kind, amount, now, still in [("none", "", pixels, truth), *changed(pixels, truth, few=few)]:
            other = image_from_array(now, image.axes, pixel_size=sizes, name=image.name)
            found = compare_with_training(other, model, options)
            loss = before - _score(recipe, model, other, still) if scored else None
            yield _row(recipe, group, kind, amount) | {"loss": loss, **_said(found)}
    for image in _foreign(recipe, model) if scored else ():
        found = compare_with_training(image, model, options)
        row = _row(recipe, image.name, "other modality", image.name)
        yield row | {"loss": None, **_said(found)}


def _row(recipe: Recipe, group: str, kind: str, amount: str) -> Row:
    sys.stderr.write(f"{recipe.name} {group} {kind} {amount}\n")
    return {"model": recipe.name, "metric": recipe.metrics[0], "group": group, "kind": kind, "amount": amount}


def _said(found: Drift) -> Row:
    over = max(found.ratios, key=lambda name: found.ratios[name])
    causes = [[cause.name, cause.amount] for cause in found.causes]
    return {"ratio": found.score, "over": over, "causes": causes, "worse": found.worse}


def _parts(recipe: Recipe, model: Model) -> Iterator[tuple[str, Image, Truth]]:
    for pair, image, truth in tested_on(recipe):
        flat = image.shape[-2:]
        planes = np.asarray(image.data).reshape(-1, *flat)
        depth = _DEPTH if model.axes == "ZYX" else 1
        edge = _EDGE[model.axes]
        starts = list(product(range(0, len(planes), depth), *(range(0, n - n % edge or n, edge) for n in flat)))
        sizes = {a: s for a, s in zip(image.axes, image.pixel_size(image.axes), strict=True) if s is not None}
        for z, y, x in starts[:: -(-len(starts) // _PARTS[model.axes])]:
            box = (slice(z, z + depth), slice(y, y + edge), slice(x, x + edge))
            part = planes[box] if model.axes == "ZYX" else planes[box][0]
            part_image = image_from_array(part, model.axes, pixel_size=sizes, name=f"{pair.group} {z} {y} {x}")
            yield pair.group, part_image, _part_of(truth, box, part.shape, flat)


def _part_of(
    truth: Truth, box: tuple[slice, slice, slice], shape: Sequence[int], flat: tuple[int, ...]
) -> npt.NDArray[np.int16] | Boxes:
    if isinstance(truth, Boxes):  # frames are smaller than a part, so that none is cut
        kept = truth[truth.frame + truth.z == box[0].start]
        return Boxes.of(kept.centre, kept.size)
    return truth.reshape(-1, *flat)[box].reshape(shape)


def _score(recipe: Recipe, model: Model, image: Image, truth: Truth) -> float:
    options = EvaluateOptions(model=recipe.name, metrics=recipe.metrics[:1], backend="torch")
    row = (evaluate_boxes if isinstance(truth, Boxes) else evaluate_image)(image, truth, model, options)  # type: ignore[operator]
    return float(row.scores[recipe.metrics[0]])


def _foreign(recipe: Recipe, model: Model) -> Iterator[Image]:
    own = {pair.image.split("/", 1)[0] for pair in recipe.pairs} | ({"spots"} if recipe.task == "detection" else set())
    near = {"membranes", "em-multiclass"}
    for name, axes in _FOREIGN:
        folder = name.split("/", 1)[0]
        image = open_image(data_root(recipe) / name, axes=axes)
        foreign = folder not in own and not (folder in near and own & near)
        if foreign and (model.axes == "YX" or "Z" in image.axes):
            yield image


if __name__ == "__main__":
    main()
