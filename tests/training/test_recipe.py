"""Recipes are read, changed and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_bioseg.core import RecipeError
from napari_bioseg.models.registry import build_network
from napari_bioseg.tasks import check_metrics
from napari_bioseg.training.check import check_network
from napari_bioseg.training.recipe import Recipe, read_recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / "models" / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_shipped_recipes_are_valid(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    # Training and reported groups must not overlap.
    for fold in recipe.folds or ((),):
        part = recipe.without_fold(fold) if fold else recipe
        assert any(p.use == "train" for p in (*part.pairs, *part.simulated))
        # A recipe of simulated images alone has no pair to test on.
        assert not part.pairs or any(p.use == "test" for p in part.pairs)
        used = {use: {p.group for p in part.pairs if p.use == use} for use in ("train", "val", "test")}
        assert not used["train"] & used["test"]
        assert not used["train"] & used["val"]
    check_metrics(recipe.task, (recipe.select_on, *recipe.metrics))
    check_network(recipe, build_network(recipe.architecture.name, recipe.architecture.arguments))


def test_overrides_reach_into_nested_options(make_recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(make_recipe().to_yaml(), encoding="utf-8")
    recipe = read_recipe(path, ("epochs=7", "augmentation.flips=false", "losses={bce: 1}"))
    assert (recipe.epochs, recipe.augmentation.flips, recipe.losses) == (7, False, {"bce": 1.0})


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("epochs", "no override"),
        ("epoch=3", "epoch"),
        ("epochs=many", "epochs"),
        ("epochs.x=1", "no options"),
        ("patch=[8]", "patch"),
        ("patch=[0, 32]", "patch"),
        ("epochs=[", "epochs=.*YAML"),
        ("name=../blobs", "name"),
        ("batch=0", "batch"),
        ("epochs=0", "epochs"),
        ("steps=0", "steps"),
        ("validate_every=0", "validate_every"),
        ("augmentation.noise=-0.1", "noise"),
        ("augmentation.rotation=400", "rotation"),
        ("classes=[]", "classes"),
        ("losses={}", "losses"),
    ],
)
def test_wrong_overrides_are_named(
    make_recipe: Callable[..., Recipe], tmp_path: Path, override: str, said: str
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(make_recipe().to_yaml(), encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        read_recipe(path, (override,))


@pytest.mark.parametrize(
    ("pair", "changes", "said"),
    [
        ({"project": "x.bioseg", "image": "x.tif"}, {}, "either image, images or project"),
        ({}, {}, "group"),
        ({"image": "x.tif", "group": "g", "use": "auto"}, {}, "auto and prediction are for projects"),
        ({"image": "x.tif", "group": "g", "prediction": "001-x"}, {}, "auto and prediction are for projects"),
        ({"project": "x.bioseg", "label": "x.tif"}, {}, "leave them out"),
        ({"project": "x.bioseg", "planes": [0, 2]}, {}, "leave them out"),
        ({"project": "x.bioseg", "use": "val"}, {}, "train, to test, or auto"),
        ({"project": "x.bioseg"}, {"folds": [["x.bioseg"]]}, "x.bioseg holds out planes of its own"),
        ({"project": "x.bioseg"}, {"corrected_weight": 0.5}, "corrected_weight"),
    ],
)
def test_a_pair_is_of_files_or_a_project(
    make_recipe: Callable[..., Recipe], pair: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        make_recipe(pairs=[pair], **changes)
    if pair.get("project") and set(pair) == {"project"}:
        (found,) = make_recipe(pairs=[pair]).pairs
        assert (found.name, found.group, found.use) == ("x.bioseg", "x.bioseg", "train")


def test_folds_of_unknown_groups_are_refused(make_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(RecipeError, match="nobody"):
        make_recipe(folds=[["nobody"]])


def test_simulated_tests_belong_to_no_fold(make_recipe: Callable[..., Recipe]) -> None:
    made = [{"generator": "em_membranes", "count": 1, "use": use} for use in ("train", "test")]
    part = make_recipe(simulated=made).without_fold(("b",))
    assert [spec.use for spec in part.simulated] == ["train"]


def test_a_fold_is_tested_on_and_not_trained_on(make_recipe: Callable[..., Recipe]) -> None:
    part = make_recipe().without_fold(("b",))
    assert {p.group: p.use for p in part.pairs} == {"a": "train", "b": "test", "c": "train"}
