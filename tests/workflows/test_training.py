"""From a recipe to a model folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import Cancelled, Job, RecipeError
from napari_bioseg.models import load_model, read_card
from napari_bioseg.runs import Run
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.training import make_card, readme, train

MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def make_recipe(tmp_path: Path) -> MakeRecipe:
    rng = np.random.default_rng(0)
    for name in "abc":
        truth = np.zeros((32, 32), np.uint8)
        truth[8:24, 10:28] = 255
        image = (truth // 2 + rng.integers(0, 60, truth.shape)).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", image, photometric="minisblack")
        tifffile.imwrite(tmp_path / f"{name}-label.tif", truth, photometric="minisblack")

    def make(**changes: Any) -> Recipe:
        values: dict[str, Any] = {
            "name": "squares",
            "card": {"title": "Squares", "summary": "Squares", "licence": "CC0", "data": "made", "split": "by file"},
            "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [2, 4]}},
            "input": {"axes": "YX"},
            "classes": [{"value": 1, "name": "square"}],
            "root": str(tmp_path),
            "pairs": [
                {"image": f"{n}.tif", "label": f"{n}-label.tif", "group": n, "use": use}
                for n, use in {"a": "train", "b": "val", "c": "test"}.items()
            ],
            "patch": [16, 16],
            "batch": 1,
            "epochs": 1,
            "steps": 2,
            "device": "cpu",
        }
        return Recipe.checked({**values, **changes}, "test")

    return make


def _tests(folder: Path) -> list[str]:
    return [line["test"] for line in Run(folder).metrics() if "test" in line]


def test_a_wrong_recipe_makes_no_run(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="dise"):
        train(make_recipe(metrics=["dise"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("folds", [(), (("a",), ("b",))])
def test_a_resumed_run_has_its_scores_once(
    make_recipe: MakeRecipe, tmp_path: Path, folds: tuple[tuple[str, ...], ...]
) -> None:
    recipe, folder = make_recipe(folds=folds), tmp_path / "run"
    model = train(recipe, folder)
    before = _tests(folder)
    train(recipe, folder)
    assert _tests(folder) == before
    assert set(before) == ({"a.tif", "b.tif", "c.tif"} if folds else {"c.tif"})
    assert load_model(model).card.scores


def test_a_stopped_scoring_writes_no_model(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    job = Job(lambda progress: job.cancel() if progress.message.startswith("Segmenting") else None)
    with pytest.raises(Cancelled):
        train(make_recipe(), tmp_path / "run", job=job)
    assert not (tmp_path / "run" / "squares").exists()


_BASE = "vessels-unet3d-base"


@pytest.mark.parametrize(
    ("name", "start", "said"),
    [
        ("squares", None, "`bioseg train recipe.yaml`, with the `recipe.yaml` of its run"),
        ("squares", "membranes-unet2d", "`bioseg train recipe.yaml continue_from=membranes-unet2d`"),
        ("membranes-unet2d", None, "`bioseg train models/recipes/membranes-unet2d.yaml`\n"),
        (
            "vessels-unet3d",
            f"/somewhere/{_BASE}",
            (
                f"`bioseg train models/recipes/{_BASE}.yaml`, then "
                f"`bioseg train models/recipes/vessels-unet3d.yaml continue_from=runs/{_BASE}/{_BASE}`\n"
            ),
        ),
    ],
)
def test_the_readme_tells_how_to_make_it_again(
    make_recipe: MakeRecipe, name: str, start: str | None, said: str
) -> None:
    assert f"Make it again: {said}" in readme(make_card(make_recipe(name=name, continue_from=start)))


def test_simulated_tests_are_scored_as_users_would_see_them(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = make_recipe(
        task="detection",
        architecture={"name": "yolo", "arguments": {"widths": [4, 8]}},
        pairs=[],
        simulated=[
            {"generator": "vesicle_scene", "count": 2, "arguments": {"scene": "moderate", "shape": [1, 64, 64]}},
            {"generator": "vesicle_scene", "count": 1, "seed": 9, "group": "dim", "use": "test"},
        ],
        losses={"centres": 1.0, "boxes": 1.0},
        metrics=["map50", "f1"],
        select_on="f1",
    )
    card = read_card(train(recipe, tmp_path / "run"))
    assert [(s.metric, s.on, s.n) for s in card.scores] == [
        ("map50", "vesicle_scene (dim)", 1),
        ("f1", "vesicle_scene (dim)", 1),
    ]
