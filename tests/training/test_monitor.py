"""What can be watched during a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bioseg.runs import Run
from napari_bioseg.tasks import TASKS, Decision
from napari_bioseg.training.loop import fit
from napari_bioseg.training.monitor import PREVIEW, Monitor
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.training_set import freeze, open_frozen
from napari_bioseg.training.validate import predict_whole

MakeRecipe = Callable[..., Recipe]
MakeProject = Callable[..., Path]


@pytest.fixture
def make(make_recipe: MakeRecipe, make_project: MakeProject) -> MakeRecipe:
    def recipe(verified: Sequence[Any], **changes: Any) -> Recipe:
        pairs = [{"project": make_project("x", verified).name, "use": "auto"}]
        return make_recipe(**{"pairs": pairs, "label_values": {}, **changes})

    return recipe


def _preview(folder: Path) -> dict[str, Any]:
    with np.load(folder / PREVIEW) as arrays:
        return dict(arrays)


def test_each_epoch_is_scored_on_the_held_out_planes_and_shown(make: MakeRecipe, tmp_path: Path) -> None:
    recipe, run = make([0, 2, 4]), Run(tmp_path / "run")
    network = fit(recipe, run)
    lines = list(run.metrics())
    assert [line["epoch"] for line in lines] == [1, 2]
    assert all(line["memory"] > 0 and line["device"] == "cpu" for line in lines)
    frozen = freeze(recipe, run.folder)
    (held_out,) = (p for p in frozen.pairs if p.use == "test")
    image, target, _ = open_frozen(frozen, held_out)
    preview = _preview(run.folder)
    assert (int(preview["epoch"]), bool(preview["held_out"])) == (2, True)
    assert preview["image"].shape == preview["target"].shape == preview["probability"].shape == (2, 48, 48)
    # The one plane that is held out is shown, as the weights that are kept see it.
    assert np.array_equal(preview["target"][0], target[0])
    p = predict_whole(recipe, network, preview["image"][:1])
    assert preview["probability"][:1] == pytest.approx(p[0], abs=1e-5)
    score = TASKS.get("semantic").score("dice", p, target, Decision(**recipe.output.decision))
    assert lines[-1]["held_out"] == pytest.approx(score, abs=1e-6)
    assert image.shape == (1, 48, 48)


def test_where_nothing_is_held_out_there_is_no_score_but_a_picture(make: MakeRecipe, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    fit(make([3], epochs=1), run)
    assert [line["held_out"] for line in run.metrics()] == [None]
    assert not _preview(run.folder)["held_out"]


def test_without_a_project_nothing_is_watched(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    fit(make_recipe(epochs=1), run)
    assert [line["held_out"] for line in run.metrics()] == [None]
    assert not (run.folder / PREVIEW).exists()


def test_a_volume_is_seen_with_what_lies_beside_it(make: MakeRecipe, tmp_path: Path) -> None:
    recipe = make(
        [0, 2, 4], input={"axes": "ZYX"}, patch=[2, 16, 16],
        architecture={"name": "unet", "arguments": {"dims": 3, "widths": [2, 4]}},
    )  # fmt: skip
    folder = Run(tmp_path / "run").folder
    frozen = freeze(recipe, folder)
    (sample,) = Monitor(frozen, folder)._samples
    assert sample.image.shape == (6, 48, 48)
    assert [z for z in range(6) if (sample.labels[z] >= 0).any()] == list(
        next(p for p in frozen.pairs if p.use == "test").numbers
    )
