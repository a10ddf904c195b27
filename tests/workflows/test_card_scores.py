"""The command on a card gives its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from napari_bioseg.core import RecipeError
from napari_bioseg.models import read_card
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.card_scores import evaluate_held_out
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.readme import evaluate_command, readme
from napari_bioseg.workflows.training import train

MakeRecipe = Callable[..., Recipe]


def test_the_scores_of_a_card_can_be_had_again(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    pairs = [{"image": f"{n}.tif", "label": f"{n}-label.tif", "group": n, "use": "test"} for n in "abc"]
    pairs.append({**pairs[0], "group": "d", "use": "train"})
    folder = train(make_recipe(pairs=pairs, metrics=["dice", "iou"]), tmp_path / "run")
    card = read_card(folder)
    rows = evaluate_held_out(EvaluateOptions(model=str(folder), backend="torch", device="cpu"))
    assert [row.image for row in rows] == ["a", "b", "c", "mean of 3 images"]
    told = {(s.metric, s.n): (s.value, s.low, s.high, s.baseline) for s in card.scores if s.on.startswith("mean")}
    mean = rows[-1]
    assert told == {
        (name, 3): pytest.approx((mean.scores[name], *mean.intervals[name], mean.oracle[name]))
        for name in ("dice", "iou")
    }
    assert f"Score it again: `{evaluate_command(card)}`" in readme(card)
    low, high = mean.intervals["dice"]
    assert f"| dice | {mean.scores['dice']:.4f} | {low:.3f} to {high:.3f} |" in readme(card)


def test_networks_of_folds_are_not_shipped_and_this_is_told(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = make_recipe(folds=[["c"]])
    pairs = [pair.model_copy(update={"use": "train"}) for pair in recipe.pairs]
    folder = train(recipe.model_copy(update={"pairs": tuple(pairs)}), tmp_path / "run")
    with pytest.raises(RecipeError, match="other networks, which its recipe trains first"):
        evaluate_held_out(EvaluateOptions(model=str(folder)))
    assert evaluate_command(read_card(folder)) is None
    assert "networks that are not shipped" in readme(read_card(folder))
