"""What is shipped is what its recipe says."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_bioseg.models import load_model, read_card
from napari_bioseg.training.recipe import read_recipe
from napari_bioseg.workflows.readme import readme

MODELS = Path(__file__).resolve().parents[2] / "models"
SHIPPED = sorted(path.parent for path in MODELS.glob("*/card.yaml"))

# Where it began and how it was computed; neither is in the recipe, and the threshold may be found on val pairs.
OF_THE_RUN = {"continue_from", "precision"}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_the_card_holds_the_recipe_that_lies_beside_it(folder):
    card = read_card(folder)
    recipe = read_recipe(MODELS / "recipes" / f"{folder.name}.yaml")
    wanted = recipe.model_dump(mode="json", exclude={"card", "name"})
    # What a newer recipe adds has its default.
    differing = {key for key, value in card.recipe.items() if key not in OF_THE_RUN and not _same(value, wanted[key])}
    assert differing == set()
    assert card.split == recipe.card.split


def _same(old, new):
    if isinstance(old, dict) and isinstance(new, dict):
        return all(_same(value, new.get(key)) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_same(a, b) for a, b in zip(old, new, strict=True))
    return old == new


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_the_readme_is_that_of_the_card_and_the_weights_load(folder):
    assert (folder / "README.md").read_text(encoding="utf-8") == readme(read_card(folder))
    assert load_model(folder).card.scores


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
