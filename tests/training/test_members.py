"""Several networks are trained one after the other, and are one model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_bioseg.core import Job, Progress, RecipeError
from napari_bioseg.core.errors import Cancelled
from napari_bioseg.models import load_model
from napari_bioseg.models.card import ArchitectureSpec
from napari_bioseg.models.ensemble import Ensemble, members_of
from napari_bioseg.runs import Run
from napari_bioseg.training.check import check_recipe
from napari_bioseg.training.members import fit_members, parts
from napari_bioseg.training.recipe import Recipe, read_recipe
from napari_bioseg.workflows.training import train

MakeRecipe = Callable[..., Recipe]
LESS = {"epochs": 1, "steps": 1}


def _unet(*widths: int, **arguments: Any) -> dict[str, Any]:
    return {"name": "unet", "arguments": {"dims": 2, "widths": list(widths), **arguments}}


def test_members_are_an_ensemble_that_resumes(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = make_recipe(members=[_unet(2, 4), _unet(2, 2, 4)], seeds=[3, 4], **LESS)

    def stop(progress: Progress) -> None:
        if progress.message.startswith("Training"):
            stages.append(progress.done)
            if stages.count(0) == 3:
                job.cancel()

    stages: list[int] = []
    job = Job(stop)
    with pytest.raises(Cancelled):
        fit_members(recipe, tmp_path / "broken", Run(tmp_path / "broken"), job)
    spec, resumed = fit_members(recipe, tmp_path / "broken", Run(tmp_path / "broken"), Job())
    _, whole = fit_members(recipe, tmp_path / "whole", Run(tmp_path / "whole"), Job())
    assert [m["arguments"]["widths"] for m in spec.arguments["members"]] == [[2, 4], [2, 4], [2, 2, 4], [2, 2, 4]]
    assert isinstance(resumed, Ensemble)
    for a, b in zip(resumed.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    first, second, *_ = resumed.networks
    assert not torch.equal(first.head.weight, second.head.weight)
    assert all(len(list(Run(tmp_path / "broken" / f"member-{n}").metrics())) == 1 for n in (1, 2, 3, 4))


def test_no_further_member_is_begun_when_it_is_enough(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    job = Job(lambda progress: job.finish() if progress.message.startswith("Training") else None)
    spec, network = fit_members(make_recipe(seeds=[1, 2], **LESS), tmp_path / "run", Run(tmp_path / "run"), job)
    assert not isinstance(network, Ensemble)
    assert spec == make_recipe().architecture


def test_the_networks_of_folds_are_the_model(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    pairs = [{**p.model_dump(), "use": "test" if p.group == "c" else "train"} for p in make_recipe().pairs]
    path = tmp_path / "recipe.yaml"
    path.write_text(make_recipe(pairs=pairs, **LESS).to_yaml(), encoding="utf-8")
    recipe = read_recipe(path, ("base=[fine-tune]", "folds=[[a], [b]]", "ensemble=folds"))
    # What the model is tested on, and what chooses an epoch or a threshold, is learnt by no member.
    chosen = recipe.pairs[0].model_copy(update={"group": "v", "use": "val"})
    for fold, other in (("a", "b"), ("b", "a")):
        part = recipe.model_copy(update={"pairs": (*recipe.pairs, chosen)}).without_fold((fold,))
        assert {p.group: p.use for p in part.pairs} == {fold: "test", other: "train", "v": "val"}
        assert Recipe.checked(part.model_dump(), "part") == part
    folder = train(recipe, tmp_path / "run")
    assert sorted(p.parent.name for p in (tmp_path / "run").glob("**/last.pt")) == ["fold-1", "fold-2"]
    model = load_model(folder)
    assert len(members_of(model)) == 2
    assert [line["test"] for line in Run(tmp_path / "run").metrics() if "test" in line] == ["a.tif", "b.tif", "c.tif"]
    assert model.card.recipe["architecture"] == recipe.architecture.model_dump(mode="json")
    # The run stores the effective recipe.
    assert read_recipe(tmp_path / "run" / "recipe.yaml") == recipe
    assert "base:" not in (tmp_path / "run" / "recipe.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ensemble": "folds"}, "needs folds"),
        ({"seeds": [1, 1]}, "must differ"),
        ({"members": [_unet(2, 4), _unet(2, 4)]}, "must differ"),
        ({"members": [_unet(2, 4), _unet(2, 4, out_channels=2)]}, "gives 2 channels"),
        ({"members": [_unet(2, 4), {"name": "unit"}]}, "unit"),
    ],
)
def test_wrong_ensembles_are_told(make_recipe: MakeRecipe, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        check_recipe(make_recipe(**changes))


def test_members_stand_for_the_architecture(make_recipe: MakeRecipe) -> None:
    values = make_recipe().model_dump(exclude={"architecture"})
    assert Recipe.checked({**values, "members": [_unet(2, 4)]}, "test").architecture.arguments["widths"] == [2, 4]


def test_a_member_may_learn_at_its_own_rate_and_length(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(members=[_unet(2, 4), {**_unet(4, 8), "learning_rate": 0.5, "epochs": 7}])
    plain, own = parts(recipe)
    assert (plain.learning_rate, plain.epochs) == (recipe.learning_rate, recipe.epochs)
    assert (own.learning_rate, own.epochs) == (0.5, 7)
    assert own.architecture == ArchitectureSpec(**_unet(4, 8))
    # What the run stores is read again.
    assert Recipe.checked(recipe.model_dump(), "again") == recipe
