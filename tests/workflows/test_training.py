"""From a recipe to a model folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from napari_bioseg import detect, open_image, segment
from napari_bioseg.core import Cancelled, Job, RecipeError
from napari_bioseg.io.boxes import read_boxes_csv, write_boxes_csv
from napari_bioseg.metrics.detection import f1_at
from napari_bioseg.models import load_model, read_card
from napari_bioseg.runs import Run
from napari_bioseg.simulate import emccd_frames
from napari_bioseg.tasks import TASKS, Decision
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows import training
from napari_bioseg.workflows.training import make_card, readme, train

MakeRecipe = Callable[..., Recipe]
ROOT = Path(__file__).resolve().parents[2]


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
    job = Job(lambda progress: job.cancel() if progress.message.startswith("Predicting") else None)
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


def _fine_tune(folder: Path, **changes: Any) -> Recipe:
    """The recipe of docs/train.md, with less to do."""
    text = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    values = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
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
