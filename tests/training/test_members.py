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
from napari_bioseg.training.members import fit_members
from napari_bioseg.training.network_runs import network_runs, parts
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
    assert job.notes == ["blobs: stopped with 1 of its 2 networks"]


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
    assert [p.parent for p in sorted((tmp_path / "run").glob("**/last.pt"))] == [
        place for place, _ in network_runs(recipe, tmp_path / "run")
    ]
    model = load_model(folder)
    assert len(members_of(model)) == 2
    assert [line["test"] for line in Run(tmp_path / "run").metrics() if "test" in line] == ["a.tif", "b.tif", "c.tif"]
    assert model.card.recipe["architecture"] == recipe.architecture.model_dump(mode="json")
    # The run stores the effective recipe.
    assert read_recipe(tmp_path / "run" / "recipe.yaml") == recipe
    assert "base:" not in (tmp_path / "run" / "recipe.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("ensemble", ["none", "folds"])
def test_no_further_fold_is_begun_when_it_is_enough(make_recipe: MakeRecipe, tmp_path: Path, ensemble: str) -> None:
    less = {"epochs": 3, "steps": 1, "patience": 0}
    pairs = [{**p.model_dump(), "use": "train"} for p in make_recipe().pairs]
    pairs.append({**pairs[2], "group": "d", "use": "test"})
    recipe = make_recipe(pairs=pairs, folds=[["a"], ["b"], ["c"]], ensemble=ensemble, **less)

    def stop(progress: Progress) -> None:
        if (tmp_path / "run" / "fold-2" / "last.pt").is_file():
            job.finish()

    job = Job(stop)
    model = load_model(train(recipe, tmp_path / "run", job=job))
    run = Run(tmp_path / "run")
    assert sorted(p.parent.name for p in run.folder.glob("**/last.pt")) == ["fold-1", "fold-2"]
    # The second was in its second epoch: it ends after that.
    epochs = [sum("epoch" in line for line in Run(run.folder / name).metrics()) for name in ("fold-1", "fold-2")]
    assert epochs == [3, 2]
    assert len(members_of(model)) == 2
    # Only what its networks have not seen is scored: between them they have seen all but what folds left out.
    told = [line["test"] for line in run.metrics() if "test" in line]
    assert told == ["a.tif", "b.tif", *(["c.tif"] if ensemble == "folds" else [])]
    assert model.card.recipe["pairs"][3]["use"] == ("test" if ensemble == "folds" else "train")
    assert "stopped after 2 of 3 folds" in job.notes[-1]


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


def test_networks_are_trained_in_this_order(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    def places(**changes: Any) -> list[str]:
        runs = network_runs(make_recipe(**changes), tmp_path)
        return [place.relative_to(tmp_path).as_posix() for place, _ in runs]

    assert places() == ["."]
    assert places(seeds=[1, 2]) == ["member-1", "member-2"]
    assert places(folds=[["a"], ["b"]]) == ["fold-1", "fold-2", "final"]
    both = places(folds=[["a"], ["b"]], ensemble="folds", seeds=[1, 2])
    assert both == ["fold-1/member-1", "fold-1/member-2", "fold-2/member-1", "fold-2/member-2"]


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
