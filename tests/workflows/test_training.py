"""From a recipe to a model folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import yaml

from napari_bioseg import detect, open_image, segment
from napari_bioseg.core import Cancelled, Job, RecipeError
from napari_bioseg.io.boxes import read_boxes_csv, write_boxes_csv
from napari_bioseg.metrics import dice, iou, pixel_accuracy
from napari_bioseg.metrics.detection import f1_at
from napari_bioseg.models import load_model, read_card
from napari_bioseg.models.model import Model
from napari_bioseg.runs import Run
from napari_bioseg.simulate import emccd_frames
from napari_bioseg.tasks import TASKS, Decision
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows import training
from napari_bioseg.workflows.card_scores import Tested
from napari_bioseg.workflows.readme import readme
from napari_bioseg.workflows.training import make_card, train

MakeRecipe = Callable[..., Recipe]
ROOT = Path(__file__).resolve().parents[2]


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
    _check_confusion(folder)


def _check_confusion(run: Path) -> None:
    lines = [line for line in Run(run).metrics() if "test" in line]
    header, *table = [line.split(",") for line in (run / "confusion.csv").read_text(encoding="utf-8").splitlines()]
    assert header == ["true class", "found as background", "found as square"]
    assert [row[0] for row in table] == ["background", "square"]
    counts = np.array([row[1:] for row in table], int)
    assert np.array_equal(counts, np.sum([line["confusion"] for line in lines], axis=0))
    assert counts.sum(axis=1).tolist() == [736 * len(lines), 288 * len(lines)]


def test_what_ships_in_16_bits_is_what_was_scored(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    scored = []

    def watched(recipe: Recipe, model: Model, job: Job) -> Tested:
        scored.append({k: v.clone() for k, v in model.network.state_dict().items()})
        return tested(recipe, model, job)

    tested = training._test
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_test", watched)
        model = load_model(train(make_recipe(stored_as="float16"), tmp_path / "run"))
    assert model.card.stored_as == "float16"
    assert all(torch.equal(value, scored[-1][name]) for name, value in model.network.state_dict().items())


def test_a_stopped_scoring_writes_no_model(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    job = Job(lambda progress: job.cancel() if progress.message.startswith("Predicting") else None)
    with pytest.raises(Cancelled):
        train(make_recipe(), tmp_path / "run", job=job)
    assert not (tmp_path / "run" / "squares").exists()


_BASE = "cdv-yolo-base"


@pytest.mark.parametrize(
    ("name", "start", "said"),
    [
        ("squares", None, "`bioseg train recipe.yaml`, with the `recipe.yaml` of its run"),
        ("squares", "membranes-unet2d", "`bioseg train recipe.yaml continue_from=membranes-unet2d`"),
        ("membranes-unet2d", None, "`bioseg train models/recipes/membranes-unet2d.yaml`\n"),
        (
            "cdv-yolo",
            f"/somewhere/{_BASE}",
            (
                f"`bioseg train models/recipes/{_BASE}.yaml`, then "
                f"`bioseg train models/recipes/cdv-yolo.yaml continue_from=runs/{_BASE}/{_BASE}`\n"
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


@pytest.fixture
def own_boxes(tmp_path: Path) -> Path:
    """Three movies with boxes of their own, each in another kind of file."""
    for seed, name in enumerate("abc"):
        frames, boxes = emccd_frames((1 if name == "b" else 5, 64, 80), 0.1, seed)
        tifffile.imwrite(tmp_path / f"{name}.tif", frames.squeeze(), photometric="minisblack")
        if name == "b":
            shares = np.column_stack([boxes.centre[:, ::-1] + 0.5, boxes.size[:, ::-1]]) / [80, 64, 80, 64]
            lines = [" ".join(map(str, [0, *row])) for row in shares.tolist()]
            (tmp_path / "b.txt").write_text("\n".join(lines), encoding="utf-8")
        else:
            write_boxes_csv(tmp_path / f"{name}.csv", boxes)
    return tmp_path


def _documented(number: int) -> dict[str, Any]:
    """One of the recipes of docs/train.md."""
    text = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text.split("```yaml\n")[number + 1].partition("```")[0])
    return values


def _fine_tune(folder: Path, **changes: Any) -> Recipe:
    """The recipe of docs/train.md, with less to do."""
    values = _documented(0)
    (simulated,) = values["simulated"]
    pairs = [
        {"image": "a.tif", "boxes": "a.csv", "axes": "TYX", "group": "a", "planes": [0, 4]},
        {"image": "b.tif", "boxes": "b.txt", "group": "b", "use": "val"},
        {"image": "c.tif", "boxes": "c.csv", "axes": "TYX", "group": "c", "use": "test"},
    ]
    less = {"pairs": pairs, "simulated": [{**simulated, "count": 2}], "batch": 2, "epochs": 1, "steps": 3}
    return Recipe.checked({**values, **less, "root": str(folder), "device": "cpu", **changes}, "docs/train.md")


def test_the_shipped_detector_is_fine_tuned_on_own_boxes(own_boxes: Path) -> None:
    folder = train(_fine_tune(own_boxes), own_boxes / "run")
    first, *tests = Run(own_boxes / "run").metrics()
    assert np.isfinite(first["loss"])
    assert 0.3 < first["score"] <= 1
    ((test, scores),) = [(line["test"], line["scores"]) for line in tests]
    assert test == "c.tif"
    card = read_card(folder)
    assert {s.metric: s.value for s in card.scores} == scores
    image = open_image(own_boxes / "c.tif", axes="TYX")
    found = detect(image, model=str(folder))
    assert found.options.confidence == card.output.threshold
    assert scores["f1"] == pytest.approx(f1_at(found.boxes, read_boxes_csv(own_boxes / "c.csv"), 2))
    before = load_model("cdv-yolo").network.state_dict()
    after = load_model(folder).network.state_dict()
    assert any(not np.array_equal(before[k], after[k]) for k in before)


def test_boxes_are_split_by_group(own_boxes: Path) -> None:
    pairs = [{"image": f"{n}.tif", "boxes": f"{n}.csv", "axes": "TYX", "group": n} for n in "ac"]
    recipe = _fine_tune(own_boxes, pairs=pairs, folds=[["a"], ["c"]], simulated=[], steps=1)
    train(recipe, own_boxes / "run")
    assert _tests(own_boxes / "run") == ["a.tif", "c.tif"]


@pytest.mark.usefixtures("tiny_zoo")
def test_the_threshold_is_chosen_on_labels_with_their_gaps_closed(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    network = load_model("tiny2d").network
    p = segment(tmp_path / "b.tif", model="tiny2d").prediction.probabilities[:]
    truth = (tifffile.imread(tmp_path / "b-label.tif") > 0).astype(np.int16)
    chosen = []
    for separate in (0, 0.35):
        recipe = make_recipe(output={"separate": separate})
        output = training._with_best_threshold(recipe, network, Job()).output
        scores = [
            TASKS.get("semantic").score("dice", p, truth, Decision("sigmoid", t / 10, separate)) for t in range(1, 10)
        ]
        assert (output.separate, output.threshold) == (separate, (1 + np.argmax(scores)) / 10)
        chosen.append(output.threshold)
    assert chosen[0] != chosen[1]


@pytest.fixture
def blobs_project(make_project: Callable[..., Path]) -> Callable[..., Path]:
    """Return how to make a project of bright squares, of which planes are verified."""
    truth = np.zeros((6, 32, 32), bool)
    truth[:, 8:24, 10:28] = True
    image = (truth * 120 + np.random.default_rng(0).integers(0, 60, truth.shape)).astype(np.uint8)
    return lambda verified, **facts: make_project("stack", image, truth, verified, **facts)


_PROJECT = {"pairs": [{"project": "stack.tif.bioseg", "use": "auto"}]}


@pytest.mark.usefixtures("tiny_zoo")
def test_what_is_held_out_of_a_project_is_scored_before_and_after(
    make_recipe: MakeRecipe, blobs_project: Callable[..., Path], tmp_path: Path
) -> None:
    blobs_project([0, 1, 2, 3, (slice(5, 6), slice(0, 20), slice(0, 32))])
    start = {"continue_from": "tiny2d", "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8]}}}
    learning = {"epochs": 2, "steps": 20, "batch": 4, "learning_rate": 0.02, "averaging": 0}
    scores = ["dice", "iou", "pixel_accuracy"]
    recipe, job = make_recipe(**_PROJECT, **start, **learning, metrics=scores, output={"threshold": 0.8}), Job()
    card = read_card(train(recipe, tmp_path / "run", job=job))
    (line,) = [line for line in Run(tmp_path / "run").metrics() if "test" in line]
    assert line["test"] == "stack.tif.bioseg"
    for key, model in {"before": "tiny2d", "scores": str(tmp_path / "run" / "squares")}.items():
        labels = segment(open_image(tmp_path / "stack.tif", axes="ZYX"), model=model).labels[5] > 0
        truth = np.zeros((20, 32), bool)
        truth[8:, 10:28] = True
        wanted = [metric(np.asarray(labels)[:20], truth) for metric in (dice, iou, pixel_accuracy)]
        assert [line[key][name] for name in scores] == pytest.approx(wanted)
    assert line["before"]["dice"] < line["scores"]["dice"]
    assert [s.metric for s in card.scores] == scores
    assert {(s.on, s.n) for s in card.scores} == {("what is verified and held out (stack.tif.bioseg)", 1)}
    assert card.split == "by file; stack.tif.bioseg: plane 5 held out, 4 trained on"
    assert card.recipe["pairs"][0]["use"] == "auto"
    assert job.notes[0] in card.split
    assert f"dice {line['before']['dice']:.3f} before, {line['scores']['dice']:.3f} now" in job.notes[-1]


def test_the_documented_recipe_goes_on_from_the_shipped_model(
    blobs_project: Callable[..., Path], tmp_path: Path
) -> None:
    blobs_project([1])
    less = {"root": str(tmp_path), "patch": [32, 32], "batch": 1, "epochs": 1, "steps": 1, "device": "cpu"}
    documented = {**_documented(1), **less, "pairs": [{**_documented(1)["pairs"][0], "project": "stack.tif.bioseg"}]}
    assert read_card(train(Recipe.checked(documented, "docs/train.md"), tmp_path / "run")).name == "my-membranes"


def test_one_verified_plane_trains_and_the_card_says_that_no_score_can_be_given(
    make_recipe: MakeRecipe, blobs_project: Callable[..., Path], tmp_path: Path
) -> None:
    blobs_project([2])
    card = read_card(train(make_recipe(**_PROJECT), tmp_path / "run"))
    assert card.scores == ()
    assert card.split.endswith("nothing is held out and no score can be given: 1 plane verified, 3 are needed")


def test_a_run_goes_on_without_its_project(
    make_recipe: MakeRecipe, blobs_project: Callable[..., Path], tmp_path: Path
) -> None:
    folder, recipe = blobs_project([0, 1, 2]), make_recipe(**_PROJECT)
    train(recipe, tmp_path / "run")
    before = list(Run(tmp_path / "run").metrics())
    shutil.rmtree(folder)
    train(recipe, tmp_path / "run")
    assert [line["scores"] for line in Run(tmp_path / "run").metrics() if "test" in line] == [before[-1]["scores"]]


def test_a_recipe_that_cannot_learn_from_its_project_makes_no_run(
    make_recipe: MakeRecipe, blobs_project: Callable[..., Path], tmp_path: Path
) -> None:
    folder = blobs_project([])
    with pytest.raises(RecipeError, match="nothing of 001-stack is verified"):
        train(make_recipe(**_PROJECT), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert not (folder / "held_out.yaml").exists()


def test_a_held_out_plane_without_a_cell_costs_no_training(
    make_recipe: MakeRecipe, make_project: Callable[..., Path], tmp_path: Path
) -> None:
    truth = np.zeros((6, 32, 32), bool)
    truth[:3, 8:24, 10:28] = True
    image = (truth * 120 + np.random.default_rng(0).integers(0, 60, truth.shape)).astype(np.uint8)
    make_project("stack", image, truth, [0, 1, 5], 7)
    card = read_card(train(make_recipe(**_PROJECT, metrics=["v_rand", "pixel_accuracy"]), tmp_path / "run"))
    # V-Rand has nothing to score on plane 5.
    assert [s.metric for s in card.scores] == ["pixel_accuracy"]


@pytest.mark.usefixtures("tiny_zoo")
def test_of_several_classes_the_card_has_each_although_the_old_model_had_one(
    make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    job = Job()
    recipe = make_recipe(
        continue_from="tiny2d",
        head="new",
        architecture={"name": "unet", "arguments": {"dims": 2, "widths": [4, 8], "out_channels": 2}},
        classes=[{"value": 1, "name": "square"}, {"value": 2, "name": "bright square"}],
        label_values={0: 0, 255: 2},
        metrics=["auprc"],
    )
    card = read_card(train(recipe, tmp_path / "run", job=job))
    assert [s.metric for s in card.scores] == ["auprc", "auprc_bright_square"]
    assert card.score_line == f"auprc {card.scores[0].value:.3f}"
    assert "square" not in job.notes[-1]
