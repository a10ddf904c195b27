"""What is shipped is what its recipe says, and works: generated over `models/`, a new model is tested by existing.

A model brings along the simulated image that it must do well on, and the least score there (``card.sample`` in its
recipe). How a model of a task is run, and scored, is in `RUN` and `SCORE`: a task that they lack is an error.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from napari_bioseg import detect, identify, segment, simulate
from napari_bioseg.core.image import image_from_array
from napari_bioseg.models import load_model, read_card
from napari_bioseg.tasks import map_labels
from napari_bioseg.tasks.detection import SCORES
from napari_bioseg.tasks.semantic import score_labels
from napari_bioseg.training.recipe import read_recipe
from napari_bioseg.workflows.readme import evaluate_command, readme
from napari_bioseg.workflows.region import crop

MODELS = Path(__file__).resolve().parents[2] / "models"
SHIPPED = sorted(path.parent for path in MODELS.glob("*/card.yaml"))
each_model = pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)

# Where it began and how it was computed; neither is in the recipe, and the threshold may be found on val pairs.
OF_THE_RUN = {"continue_from", "precision"}

EDGES = {"YX": (1, 64, 112), "ZYX": (5, 48, 80)}
"""Of the crop of the sample, planes first: two tiles of `TILE`."""

TILE = {"YX": 64, "ZYX": 48}

ODD = {"YX": [(1, 37), (31, 19)], "ZYX": [(2, 1, 29), (3, 17, 13)]}
"""All smaller than a tile, some 1 pixel thin."""


@cache
def sample(folder):
    """A crop of the sample that the card names, and its truth."""
    card = read_card(folder)
    assert card.sample is not None, "say in the recipe what the model must do well on: card.sample"
    vesicles = card.sample.name == "vesicles"
    image, truth = simulate.sample_vesicles() if vesicles else (simulate.sample(card.sample.name), None)
    box = tuple(slice(0, n) for n in EDGES[card.input.axes][-len(image.axes) :])
    if vesicles:
        inside = (truth.frame == 0) & (np.rint(truth.centre) < [s.stop for s in box[-2:]]).all(axis=1)
        return crop(image, box), truth[inside]
    return crop(image, box), np.asarray(image.labels[0].data)[box]


def labels(folder, image, **options):
    return np.asarray(segment(image, model=str(folder), device="cpu", drift=False, **options).labels[:])


def boxes(folder, image, **options):
    return detect(image, model=str(folder), device="cpu", drift=False, **options).boxes


def kinds(folder, image, **_):
    """The probability of each kind; no tiles are cut, so that no option says how."""
    return np.array(list(identify(image, model=str(folder), device="cpu").probabilities.values()))


def label_score(card, found, truth):
    classes = sum(i * (found == c.value) for i, c in enumerate(card.classes, start=1))
    return score_labels(card.sample.metric, classes, map_labels(truth, card.sample.label_values, len(card.classes)))


def box_score(card, found, truth):
    return SCORES[card.sample.metric](found, truth)


def kind_score(card, found, _truth):
    return found[[c.name for c in card.classes].index(card.sample.metric)]


RUN = {"semantic": labels, "detection": boxes, "classification": kinds}
SCORE = {"semantic": label_score, "detection": box_score, "classification": kind_score}


@cache
def found_in_sample(folder):
    return predicted(folder, sample(folder)[0])


def predicted(folder, image, **options):
    task = read_card(folder).task
    assert task in RUN, f"no test knows how to run a model for {task}: add it to RUN and SCORE"
    return RUN[task](folder, image, **options)


def table(found):
    """Plain numbers that are equal where two predictions are, up to rounding."""
    if isinstance(found, np.ndarray):
        return found
    rows = np.column_stack((found.frame, found.z, found.centre, found.size, found.confidence))
    return rows[np.lexsort(rows.T[::-1])]


@each_model
def test_the_card_holds_the_recipe_that_lies_beside_it(folder):
    card = read_card(folder)
    recipe = read_recipe(MODELS / "recipes" / f"{folder.name}.yaml")
    wanted = recipe.model_dump(mode="json", exclude={"card", "name"})
    # What a newer recipe adds has its default.
    differing = {key for key, value in card.recipe.items() if key not in OF_THE_RUN and not _same(value, wanted[key])}
    assert differing == set()
    assert (card.split, card.sample) == (recipe.card.split, recipe.card.sample)


def _same(old, new):
    if isinstance(old, dict) and isinstance(new, dict):
        return all(_same(value, new.get(key)) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_same(a, b) for a, b in zip(old, new, strict=True))
    return old == new


@each_model
def test_the_readme_is_that_of_the_card_and_says_what_one_must_know(folder):
    card, text = read_card(folder), (folder / "README.md").read_text(encoding="utf-8")
    assert text == readme(card)
    told = (card.summary, card.not_for, card.data, card.licence, card.split)
    assert all(words and words in text for words in told)
    assert card.scores
    for score in card.scores:
        assert score.n > 0
        assert any(score.on in line and f"{score.value:.4f}" in line for line in text.splitlines())
    assert f"bioseg train models/recipes/{card.name}.yaml" in text
    assert (evaluate_command(card) or "networks that are not shipped") in text


@each_model
def test_it_does_well_on_its_sample(folder):
    card, (_, truth) = load_model(folder).card, sample(folder)
    assert SCORE[card.task](card, found_in_sample(folder), truth) >= card.sample.least


@each_model
def test_it_says_the_same_twice(folder):
    again = predicted(folder, sample(folder)[0])
    assert table(again).tobytes() == table(found_in_sample(folder)).tobytes()


@each_model
def test_the_tile_does_not_matter(folder):
    tiled = predicted(folder, sample(folder)[0], tile=TILE[read_card(folder).input.axes])
    one, other = table(found_in_sample(folder)), table(tiled)
    assert one.shape == other.shape
    if one.dtype.kind == "f":
        np.testing.assert_allclose(one, other, atol=5e-3)
    else:
        # Probabilities are rounded, which may move a pixel across the threshold.
        assert (one != other).mean() < 1e-4


@each_model
def test_it_takes_odd_sizes(folder):
    axes, whole = read_card(folder).input.axes, np.asarray(sample(folder)[0].data)
    for shape in ODD[axes]:
        part = whole.reshape(-1, *whole.shape[-2:])[tuple(slice(0, n) for n in (1, *shape)[-3:])].reshape(shape)
        found = predicted(folder, image_from_array(part, axes))
        if isinstance(found, np.ndarray):
            assert found.shape == shape or found.sum() == pytest.approx(1)
        else:
            assert (np.rint(found.centre) < shape[-2:]).all()


def test_the_score_line_names_each_metric_once():
    card = read_card(MODELS / "vessels-unet3d")
    means = {score.metric: score.value for score in card.scores if score.on.startswith("mean")}
    assert card.score_line == ", ".join(f"{metric} {value:.3f}" for metric, value in means.items())


def test_of_several_classes_the_score_line_tells_the_means():
    card = read_card(MODELS / "em-multiclass-unet2d")
    assert card.score_line.count(",") == 1
    each = {score.metric for score in card.scores}
    assert {c.score_of(metric) for c in card.classes for metric in ("iou", "auprc")} < each


def test_all_together_are_small():
    assert sum(path.stat().st_size for path in MODELS.rglob("*.safetensors")) < 40e6
