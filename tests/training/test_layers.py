"""Recipes in layers, and sizes picked from memory."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import pytest
import yaml

from napari_bioseg.core import ModelNotFoundError, RecipeError
from napari_bioseg.models import find_model, read_card
from napari_bioseg.models.registry import build_network
from napari_bioseg.training import layers, sizes
from napari_bioseg.training.check import check_network
from napari_bioseg.training.layers import LAYERS, effective, merge
from napari_bioseg.training.recipe import Recipe, read_recipe, recipe_of

MakeRecipe = Callable[..., Recipe]
MINE = {"name": "mine", "classes": [{"value": 1, "name": "thing"}]}


def _write(path: Path, **values: Any) -> Path:
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("below", "above", "found"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": {"x": 1, "y": {"z": 2}}}, {"a": {"y": {"w": 3}}}, {"a": {"x": 1, "y": {"z": 2, "w": 3}}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None}}, {"a": {"y": 2}}),
        ({}, {"a": None}, {"a": None}),
        ({"a": {"name": "unet", "x": 1}}, {"a": {"name": "yolo"}}, {"a": {"name": "yolo"}}),
        ({"a": {"name": "unet", "x": 1}}, {"a": {"name": "unet", "y": 2}}, {"a": {"name": "unet", "x": 1, "y": 2}}),
        ({"name": "lab", "a": 1}, {"name": "mine"}, {"name": "mine", "a": 1}),
    ],
)
def test_later_layers_win(below: dict[str, Any], above: dict[str, Any], found: dict[str, Any]) -> None:
    assert merge(below, above) == found


def test_a_recipe_holds_what_differs(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    _write(tmp_path / "lab" / "lab.yaml", base=["semantic-2d", "more.yaml"], epochs=7, augmentation={"elastic": 3})
    _write(tmp_path / "lab" / "more.yaml", base=["base"], epochs=5, seed=4)
    path = _write(tmp_path / "mine.yaml", base=["lab/lab.yaml"], augmentation={"noise": 0.5}, **MINE)
    recipe = read_recipe(path, ("augmentation.blur=2", "patch=[32, 32]"))
    assert (recipe.epochs, recipe.seed, recipe.patch) == (7, 4, (32, 32))
    found = recipe.augmentation
    # From the recipe, the command line, the layer of the lab, the task, and the default.
    assert (found.noise, found.blur, found.elastic, found.rotation, found.haze) == (0.5, 2, 3, 45, 0)
    assert recipe.card.licence == "not to be given away"
    assert "base" not in yaml.safe_load(recipe.to_yaml())


def test_the_documented_recipe_goes_on_from_the_shipped_model() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "train.md").read_text(encoding="utf-8")
    (found,) = [b for b in text.split("```") if b.startswith("yaml\nbase:")]
    recipe = recipe_of({**yaml.safe_load(found.partition("\n")[2]), "batch": 1, "patch": [64, 64]})
    card = read_card(find_model("membranes-unet2d"))
    assert recipe.architecture == card.architecture
    assert recipe.output == card.output.model_copy(update={"separate": 0.6})


def test_a_layer_counts_once_where_it_is_named_first(tmp_path: Path) -> None:
    # The second stands on the lowest, too: what the first says above it must not be undone.
    _write(tmp_path / "low.yaml", epochs=1)
    for name, epochs in (("one", 2), ("two", None)):
        _write(tmp_path / f"{name}.yaml", base=["low.yaml"], **({"epochs": epochs} if epochs else {}))
    assert effective({"base": ["one.yaml", "two.yaml"]}, tmp_path) == {"epochs": 2}


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (["nobody"], "layer 'nobody': does not exist. Choose out of: base, detection, fine-tune"),
        (["lost.yaml"], "layer 'lost.yaml': does not exist"),
        (["round.yaml"], "layer 'round.yaml': stands on itself"),
        (["../base"], "does not exist"),
        ("semantic-2d", "base: is no list of layers"),
        ([3], "base: is no list of layers"),
        (["list.yaml"], "list.yaml: holds no mapping"),
    ],
)
def test_wrong_layers_are_told_in_a_line(tmp_path: Path, base: Any, said: str) -> None:
    _write(tmp_path / "round.yaml", base=["other.yaml"])
    _write(tmp_path / "other.yaml", base=["round.yaml"])
    (tmp_path / "list.yaml").write_text("[1]", encoding="utf-8")
    with pytest.raises(RecipeError, match=said) as caught:
        read_recipe(_write(tmp_path / "mine.yaml", base=base, **MINE))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(p.stem for p in LAYERS.glob("*.yaml")))
def test_the_shipped_layers_make_good_recipes(name: str, start: Path) -> None:
    needed = {"continue_from": str(start)} if name in {"base", "fine-tune"} else {}
    recipe = recipe_of({"base": [name], "patch": [32] * (3 if name == "semantic-3d" else 2), **needed, **MINE})
    check_network(recipe, build_network(recipe.architecture.name, recipe.architecture.arguments))
    # A layer says nothing twice: what equals the default of its option is not in it.
    for key, value in yaml.safe_load((LAYERS / f"{name}.yaml").read_text(encoding="utf-8")).items():
        field = Recipe.model_fields.get(key)
        assert field is None or field.is_required() or value != field.default or key in {"task", "select_on"}, key


def test_what_is_left_out_comes_from_the_model_to_continue(start: Path) -> None:
    card = read_card(start)
    recipe = recipe_of({"name": "more", "base": ["detection", "fine-tune"], "continue_from": str(start)})
    # Above the shipped layers: the model is no detector.
    for name in layers.CONTINUED:
        assert getattr(recipe, name) == getattr(card, name)
    assert (recipe.learning_rate, recipe.foreground_share) == (0.0003, 0.9)


def test_the_recipe_lies_above_the_model_to_continue(start: Path, tmp_path: Path) -> None:
    _write(tmp_path / "lab.yaml", output={"separate": 0.1})
    values = {"base": ["fine-tune", "lab.yaml"], "continue_from": str(start), "input": {"normalisation": {"high": 90}}}
    recipe = recipe_of({"name": "more", **values, "output": {"threshold": 0.9}}, folder=tmp_path)
    assert (recipe.output.threshold, recipe.output.separate) == (0.9, 0.1)
    found = recipe.input.normalisation
    assert (found.low, found.high, recipe.input.pixel_size) == (3, 90, {"Y": 0.5, "X": 0.5})


def test_an_effective_recipe_is_read_as_it_is(start: Path, tmp_path: Path) -> None:
    values = {"base": ["fine-tune"], "continue_from": str(start), "name": "more"}
    recipe = recipe_of({**values, "input": {"pixel_size": None}})
    assert recipe.input.pixel_size == {}
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    (start / "card.yaml").unlink()
    assert read_recipe(path) == recipe
    with pytest.raises(ModelNotFoundError):
        recipe_of(values)


@pytest.mark.parametrize(
    ("free", "batch", "found"),
    [
        (2**40, "auto", ((256, 256), 4)),
        (2**40, 3, ((256, 256), 3)),
        (0, "auto", ((2, 2), 2)),
    ],
)
def test_sizes_are_picked(
    make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, free: int, batch: Any, found: tuple[Any, int]
) -> None:
    monkeypatch.setattr(sizes, "free_memory", lambda _: free)
    values = make_recipe().model_dump(mode="json")
    recipe = recipe_of({**values, "patch": "auto", "batch": batch})
    assert (recipe.patch, recipe.batch) == found
    assert recipe_of({**values, "batch": "auto"}).patch == (32, 32)


def test_what_is_picked_fits(make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {**make_recipe().model_dump(mode="json"), "patch": "auto", "batch": "auto"}
    spec = make_recipe().architecture
    kept = sizes.kept_bytes(build_network(spec.name, spec.arguments))
    # By hand: 4 channels at full size: image, 5 convolved, 4 normalised or rectified, and half of it one level down.
    assert 60 < kept < 250
    used = []
    for free in (2**24, 2**25, 2**26):
        monkeypatch.setattr(sizes, "free_memory", lambda _, free=free: free)
        recipe = recipe_of(values)
        used.append(prod(recipe.patch) * recipe.batch)
        assert 2 * kept * used[-1] < free / 4
    assert used[0] < used[1] < used[2]


def test_a_patch_is_as_deep_as_it_is_wide(make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "free_memory", lambda _: 2**40)
    changes = {"patch": "auto", "architecture": {"name": "unet", "arguments": {"dims": 3, "widths": [2, 2, 2]}}}
    values = {**make_recipe().model_dump(mode="json"), **changes}
    for spec, depth in (({"Z": 4.0, "Y": 1.0, "X": 1.0}, 24), ({}, 32)):
        recipe = recipe_of({**values, "input": {"axes": "ZYX", "pixel_size": spec}})
        assert recipe.patch == (depth, 96, 96)
