"""Checked frames of a project of boxes, with every edit by hand, are what a detector learns from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from napari_bioseg.core import RecipeError, UnreadableFileError
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import image_from_array
from napari_bioseg.corrections.contents import read_journal
from napari_bioseg.corrections.held_out import read_held_out
from napari_bioseg.corrections.journal import Journal
from napari_bioseg.corrections.records import BoxEdit, Verify
from napari_bioseg.models import find_model, read_card
from napari_bioseg.models.model import Model
from napari_bioseg.runs import Run
from napari_bioseg.simulate.emccd import SCENES, Particles, draw, emccd_frames
from napari_bioseg.training.check import check_recipe
from napari_bioseg.training.loop import fit
from napari_bioseg.training.monitor import PREVIEW
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.training_set import MANIFEST, freeze
from napari_bioseg.workflows.box_evaluation import evaluate_boxes
from napari_bioseg.workflows.finetuning import FineTuneOptions, fine_tune_recipe
from napari_bioseg.workflows.options import EvaluateOptions

from .conftest import spots

MakeRecipe = Callable[..., Recipe]
FRAMES = 6
IMAGE, TRUTH = spots(5, FRAMES)


@pytest.fixture
def make_project(make_box_project: Callable[..., Path]) -> Callable[[Sequence[int]], Path]:
    """Return how to make a project with a wrong box in each frame that is not checked."""
    wrong = Boxes.of(np.full((FRAMES, 2), 3.0), np.full((FRAMES, 2), 4.0), frame=np.arange(FRAMES))
    return lambda checked: make_box_project("movie", IMAGE, wrong, TRUTH, checked)


def _fail(error: Exception) -> None:
    raise error


def _recipe(make: MakeRecipe, folder: Path, use: str = "auto", **changes: object) -> Recipe:
    return make(pairs=[{"project": folder.name, "use": use}], **{"metrics": ["f1", "map50"], **changes})


def test_checked_frames_are_learnt_as_they_were_left(
    make_box_recipe: MakeRecipe, make_project: Callable[..., Path], tmp_path: Path
) -> None:
    recipe, run = _recipe(make_box_recipe, make_project([0, 2, 4]), epochs=2), Run(tmp_path / "run")
    check_recipe(recipe)
    fit(recipe, run)
    frozen = freeze(recipe, run.folder)
    (train,), (test,) = (load_samples(frozen, (use,)) for use in ("train", "test"))
    numbers = {p.use: p.numbers for p in frozen.pairs}
    assert sorted(numbers["train"] + numbers["test"]) == [0, 2, 4]
    for sample, planes in ((train, numbers["train"]), (test, numbers["test"])):
        assert sample.image.shape == (len(planes), *IMAGE.shape[1:])
        for i, t in enumerate(planes):
            found, true = sample.boxes[sample.boxes.z == i], TRUTH[TRUTH.frame == t]
            assert np.array_equal(np.sort(found.centre, axis=0), np.sort(true.centre, axis=0))
    (entry,) = json.loads((run.folder / MANIFEST).read_text())["projects"]
    assert entry["train"]["boxes"] == entry["train"]["changed"] == len(train.boxes)
    # What is watched is the held-out frame.
    assert all(0 <= line["held_out"] <= 1 for line in run.metrics())
    with np.load(run.folder / PREVIEW) as preview:
        assert preview["target"].max() == (1 if len(test.boxes) else 0)
        assert preview["image"].shape == (2, *IMAGE.shape[1:])


def test_a_run_resumes_from_its_copy_whatever_is_drawn_meanwhile(
    make_box_recipe: MakeRecipe, make_project: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_project([0, 2, 4])
    recipe, run = _recipe(make_box_recipe, folder), Run(tmp_path / "run")
    freeze(recipe, run.folder)
    (prediction,) = (folder / "predictions").iterdir()
    path = prediction / "journal.jsonl"
    with Journal.resume(path, read_journal(path), on_problem=_fail) as journal:
        journal.append(BoxEdit((), ((0, 0, 20.0, 20.0, 5.0, 5.0),)))
    kept, now = (
        len(load_samples(freeze(recipe, Run(f).folder), ("train",))[0].boxes) for f in (run.folder, tmp_path / "new")
    )
    assert now == kept + 1
    # One project, one hold-out.
    assert read_held_out(folder).planes


def test_frames_that_nobody_checked_are_no_truth(
    make_box_recipe: MakeRecipe, make_project: Callable[..., Path]
) -> None:
    with pytest.raises(RecipeError, match=r"nothing of .* is verified"):
        check_recipe(_recipe(make_box_recipe, make_project([])))


def test_a_frame_that_was_checked_to_be_empty_is_learnt_as_empty(
    make_box_recipe: MakeRecipe, make_project: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = _recipe(make_box_recipe, make_project([FRAMES - 1]), use="train")
    frozen = freeze(recipe, Run(tmp_path / "run").folder)
    (sample,) = load_samples(frozen, ("train",))
    assert (len(sample.image), len(sample.boxes)) == (1, 0)
    fit(recipe, Run(tmp_path / "run"))


def test_a_damaged_copy_is_refused(
    make_box_recipe: MakeRecipe, make_project: Callable[..., Path], tmp_path: Path
) -> None:
    recipe, run = _recipe(make_box_recipe, make_project([0, 2, 4])), Run(tmp_path / "run")
    freeze(recipe, run.folder)
    (run.folder / "training_set" / "1-train.npz").write_bytes(b"no")
    with pytest.raises(UnreadableFileError, match=r"1-train\.npz"):
        fit(recipe, run)


def test_a_project_of_labels_has_no_boxes_to_learn_from(
    make_box_recipe: MakeRecipe, make_project: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_project([0])
    (prediction,) = (folder / "predictions").iterdir()
    (prediction / "journal.jsonl").unlink()
    with pytest.raises(UnreadableFileError, match="no corrected boxes"):
        check_recipe(_recipe(make_box_recipe, folder))


def _detector(folder: Path) -> Recipe:
    """Go on from the shipped detector on what is checked in a project, and on nothing else."""
    recipe = fine_tune_recipe([folder], FineTuneOptions(model="cdv-yolo", device="cpu"))
    less = {"patch": [48, 48], "batch": 4, "epochs": 1, "steps": 40, "simulated": [], "old_weights": 0.0}
    fast = {"learning_rate": 3e-3, "averaging": 0.0, "distillation": 1.0, "replay_share": 0.5}
    return Recipe.checked({**recipe.model_dump(mode="json"), **less, **fast}, "small")


@pytest.fixture
def blobs_and_vesicles(make_box_project: Callable[..., Path]) -> Path:
    """A project of eight frames: the first and the last, which are checked, show blobs that are no vesicles."""
    frames, truth = emccd_frames((8, 64, 64), 0.1, 5, vesicles=SCENES["moderate"])
    rng, blobs = np.random.default_rng(0), []
    for t in (0, 7):
        centre = rng.uniform(8, 56, (3, 2))
        light = 200 + draw((64, 64), Particles(centre, np.full(3, 4.0), np.full(3, 40000.0)))
        frames[t] = rng.poisson(light)
        blobs.append(Boxes.of(centre, np.full((3, 2), 16.0), frame=t))
    between = truth[(truth.frame > 0) & (truth.frame < 7)]
    return make_box_project("movie", frames, between, Boxes.joined(blobs), [0, 7])


def test_frames_that_nobody_checked_guard_against_forgetting(blobs_and_vesicles: Path, tmp_path: Path) -> None:
    held = _detector(blobs_and_vesicles)
    free = held.model_copy(update={"distillation": 0.0})
    frozen = [freeze(recipe, Run(tmp_path / "look").folder) for recipe in (held, free)]
    loaded = [[(s.use, len(s.image)) for s in load_samples(recipe, ("train",))] for recipe in frozen]
    assert loaded == [[("train", 2), ("replay", 6)], [("train", 2)]]
    others, known = emccd_frames((8, 64, 64), 0.1, 6, vesicles=SCENES["moderate"])
    card, scores = read_card(find_model("cdv-yolo")), []
    for number, recipe in enumerate((held, free)):
        model = Model(card, fit(recipe, Run(tmp_path / str(number))))
        options = EvaluateOptions(model="cdv-yolo", metrics=("f1",), backend="torch")
        scores.append(evaluate_boxes(image_from_array(others, "TYX"), known, model, options).scores["f1"])
    assert scores[0] > scores[1] + 0.3


def test_what_is_held_out_and_what_lies_beside_it_is_not_held_to_the_old_one(
    make_box_recipe: MakeRecipe, make_project: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_project([0, 1, 2, 3])
    frozen = freeze(_recipe(make_box_recipe, folder), Run(tmp_path / "run").folder)
    assert read_held_out(folder).planes == (3,)
    assert {p.use: p.unchecked for p in frozen.pairs} == {"train": (5,), "test": ()}
    # Nor in a later round, in which nobody calls it checked any more.
    (prediction,) = (folder / "predictions").iterdir()
    path = prediction / "journal.jsonl"
    with Journal.resume(path, read_journal(path), on_problem=_fail) as journal:
        journal.append(Verify((slice(3, 4), slice(0, IMAGE.shape[1]), slice(0, IMAGE.shape[2])), False))
    later = freeze(_recipe(make_box_recipe, folder), Run(tmp_path / "later").folder)
    assert [p.unchecked for p in later.pairs] == [(5,)]
