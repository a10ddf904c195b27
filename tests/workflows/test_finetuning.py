"""From verified slices to a better model, with a default for everything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from napari_bioseg.core import Cancelled, Job, RecipeError
from napari_bioseg.core.errors import WorkerError
from napari_bioseg.models import load_model, read_card
from napari_bioseg.runs import Run
from napari_bioseg.simulate import sample
from napari_bioseg.training.recipe import Recipe, read_recipe
from napari_bioseg.workflows.finetuning import FineTuneOptions, default_name, fine_tune_recipe, list_runs, new_run
from napari_bioseg.workflows.origin import ancestry, origin_of
from napari_bioseg.workflows.promotion import promote, roll_back
from napari_bioseg.workflows.training import train
from napari_bioseg.workflows.training_process import TrainingProcess
from napari_bioseg.workflows.training_worker import main

MakeProject = Callable[..., Path]


@pytest.fixture(scope="module")
def membranes() -> tuple[np.ndarray, np.ndarray]:
    """A part of a stack, and where its cells are."""
    image = sample("membranes")
    box = (slice(None), slice(0, 64), slice(0, 64))
    return np.asarray(image.data)[box], np.asarray(image.labels[0].data)[box]


@pytest.fixture
def project(make_project: MakeProject, membranes: tuple[np.ndarray, np.ndarray]) -> Path:
    """A stack of which three planes are verified."""
    return make_project("cells em", *membranes, [0, 1, 4])


def _small(project: Path, model: str | Path, **changes: object) -> Recipe:
    """Return the recipe that the panel would make, small enough for a test."""
    recipe = fine_tune_recipe([project], FineTuneOptions(model=str(model), device="cpu"))
    values = {"patch": [16, 16], "batch": 1, "epochs": 3, "steps": 4, "metrics": ["dice"], **changes}
    return Recipe.checked({**recipe.model_dump(mode="json"), **values}, "small")


def test_the_recipe_goes_on_from_the_model_as_that_was_trained(project: Path) -> None:
    recipe = fine_tune_recipe([project], FineTuneOptions(model="membranes-unet2d"))
    card = read_card(Path(str(recipe.continue_from)))
    assert recipe.name == "cells-em-membranes-unet2d"
    assert (recipe.architecture, recipe.input, recipe.output, recipe.classes) == (
        card.architecture, card.input, card.output, card.classes,
    )  # fmt: skip
    assert recipe.losses == card.recipe["losses"]
    assert [(p.project, p.use) for p in recipe.pairs] == [(str(project.resolve()), "auto")]
    assert recipe.corrected_weight == 2
    assert (recipe.distillation, recipe.old_weights) == (0.5, 0.5)
    assert [(s.generator, s.use) for s in recipe.simulated] == [("em_membranes", "replay")]
    assert recipe.metrics[0] == "dice"
    assert recipe.epochs * recipe.steps == 120


def test_nothing_is_held_to_the_old_model_when_the_user_says_so(project: Path) -> None:
    recipe = fine_tune_recipe([project], FineTuneOptions(model="membranes-unet2d", keep=0, name="mine"))
    assert (recipe.name, recipe.held_to_old, recipe.old_weights, recipe.simulated) == ("mine", 0, 0, ())


def test_without_a_project_it_is_refused() -> None:
    with pytest.raises(RecipeError, match="no project"):
        fine_tune_recipe([], FineTuneOptions(model="membranes-unet2d"))


def test_a_model_that_learns_from_no_corrections_is_refused_in_one_line(project: Path) -> None:
    with pytest.raises(RecipeError, match=r"^image-gate: is a classification model, .* Choose a model that segments"):
        fine_tune_recipe([project], FineTuneOptions(model="image-gate"))


def test_a_run_of_its_own_for_each_training(project: Path, tiny_zoo: Path) -> None:
    recipe = _small(project, "tiny2d")
    first, second = new_run(project, recipe), new_run(project, recipe)
    assert first != second
    assert set(list_runs(project)) == {first, second}
    assert read_recipe(first / "recipe.yaml") == recipe


def test_a_model_that_was_fine_tuned_keeps_its_name_and_its_origin(project: Path, tmp_path: Path) -> None:
    recipe = _small(project, "membranes-unet2d", epochs=1, steps=1, simulated=[], patch=[32, 32])
    card = read_card(train(recipe, tmp_path / "run"))
    assert [c.name for c in ancestry(card)] == ["cells-em-membranes-unet2d", "membranes-unet2d"]
    origin = origin_of(card)
    assert origin is not None
    assert origin.model == "membranes-unet2d"
    assert default_name(project, card) == card.name


def test_a_run_stays_with_the_version_it_began_from(project: Path, tiny_zoo: Path, tmp_path: Path) -> None:
    promote("tiny3d", "tiny2d")  # version 1 is what had the name before
    roll_back("tiny2d", 1)
    recipe = _small(project, "tiny2d", epochs=1, continue_from="tiny2d")
    model = train(recipe, tmp_path / "run")
    assert read_recipe(tmp_path / "run" / "recipe.yaml").continue_from == "tiny2d@1"
    assert read_card(model).recipe["continue_from"] == "tiny2d@1"
    roll_back("tiny2d", 2)
    train(read_recipe(tmp_path / "run" / "recipe.yaml"), tmp_path / "run")


def test_a_process_pauses_stops_and_keeps(project: Path, tiny_zoo: Path) -> None:
    recipe = _small(project, "tiny2d", epochs=500)
    folder, epochs = new_run(project, recipe), []
    process = TrainingProcess(folder)

    def on_epoch() -> None:
        epochs.append(_epochs(folder))
        assert (folder / "preview.npz").is_file()
        if len(epochs) == 1:
            process.pause()
            process.go_on()
            process.stop()

    job = Job()
    model = process.run(job, on_epoch)
    assert model == folder / recipe.name
    assert 1 <= _epochs(folder) < 500
    assert epochs == sorted(epochs)
    assert any("stopped" in line for line in Run(folder).metrics())
    assert any("held out" in note for note in job.notes)


def _epochs(folder: Path) -> int:
    return sum("epoch" in line for line in Run(folder).metrics())


def test_a_cancelled_and_then_killed_process_is_resumed_to_the_same_weights(
    project: Path, tiny_zoo: Path, tmp_path: Path
) -> None:
    recipe = _small(project, "tiny2d", epochs=3)
    folder = new_run(project, recipe)
    job = Job(lambda p: job.cancel() if p.message.startswith("Training") and p.done == recipe.steps + 1 else None)
    with pytest.raises(Cancelled):
        TrainingProcess(folder).run(job)
    assert list_runs(project) == (folder,)

    def kill() -> None:
        for child in psutil.Process().children(recursive=True):
            if str(folder) in child.cmdline():
                child.kill()

    with pytest.raises(WorkerError, match="killed"):
        TrainingProcess(folder).run(Job(), kill)
    assert not (folder / recipe.name).exists()
    resumed = load_model(TrainingProcess(folder).run(Job()))
    whole = load_model(train(recipe, tmp_path / "whole"))
    pairs = zip(resumed.network.state_dict().values(), whole.network.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


class _Listening:
    """Both ends of what a worker hears and says, in this process."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self.heard, self._window = os.fdopen(read), os.fdopen(write, "w")
        self.said: list[dict[str, Any]] = []

    def say(self, **said: Any) -> None:
        self.said.append(said)
        if said.get("progress", {}).get("message", "").startswith("Training"):
            self._window.close()

    def close(self) -> None:
        self._window.close()
        self.heard.close()


@pytest.fixture
def listening() -> Iterator[_Listening]:
    made = _Listening()
    yield made
    made.close()


def test_what_is_wrong_there_is_told_in_one_line(project: Path, tiny_zoo: Path, listening: _Listening) -> None:
    folder = new_run(project, _small(project, "tiny2d"))
    (project.parent / "cells em.tif").unlink()
    main(folder, listening.heard, listening.say)
    assert "cells em.tif" in listening.said[-1]["error"][0]


def test_when_the_window_is_gone_the_training_ends(project: Path, tiny_zoo: Path, listening: _Listening) -> None:
    folder = new_run(project, _small(project, "tiny2d", epochs=500))
    main(folder, listening.heard, listening.say)
    assert listening.said[-1] == {"cancelled": True}


def test_rare_classes_stay_drawn_as_often_as_common_ones(project: Path) -> None:
    assert fine_tune_recipe([project], FineTuneOptions(model="em-multiclass-unet2d")).foreground_draw == "classes"
