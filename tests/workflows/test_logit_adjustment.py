"""The classes of a network are shifted to where their labels score best on val pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import load_file

from napari_bioseg import open_image, segment
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.job import Job
from napari_bioseg.inference.windows import Encoder
from napari_bioseg.metrics import iou
from napari_bioseg.models.model import Model, read_model
from napari_bioseg.runs import Run
from napari_bioseg.training.loop import fit
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.logit_adjustment import adjusted, best_shifts
from napari_bioseg.workflows.training import make_card, train

MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def two_kinds(make_recipe: MakeRecipe, tmp_path: Path) -> MakeRecipe:
    """Recipes for dark and bright squares on a black ground, in four stacks."""
    for seed, name in enumerate("abcd"):
        rng = np.random.default_rng(seed)
        labels = np.zeros((2, 64, 64), np.uint8)
        for _ in range(14):
            z, y, x = rng.integers(2), *rng.integers(0, 54, 2)
            labels[z, y : y + 9, x : x + 9] = rng.integers(1, 3)
        tifffile.imwrite(tmp_path / f"{name}-2.tif", (labels * 90 + rng.integers(0, 40, labels.shape)).astype(np.uint8))
        tifffile.imwrite(tmp_path / f"{name}-2-label.tif", labels)

    def make(**changes: Any) -> Recipe:
        values: dict[str, Any] = {
            "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8], "out_channels": 2}},
            "classes": [{"value": 1, "name": "dark"}, {"value": 2, "name": "bright"}],
            "label_values": {},
            "pairs": [
                {"image": f"{n}-2.tif", "label": f"{n}-2-label.tif", "axes": "ZYX", "group": n, "use": use}
                for n, use in {"a": "train", "b": "val", "c": "test", "d": "train"}.items()
            ],
            "epochs": 1,
            "steps": 150,
            "learning_rate": 0.01,
            "batch": 4,
            "averaging": 0.9,
            "select_on": "iou",
            "metrics": ["iou", "auprc"],
            "adjust_logits": True,
        }
        return make_recipe(**{**values, **changes})

    return make


def test_steps_of_one_class_after_the_other_find_the_best() -> None:
    assert best_shifts(lambda s: -((s[0] - 0.83) ** 2) - (s[1] + 0.6) ** 2, 2) == (0.8, -0.6)
    assert best_shifts(lambda _: 0.5, 3) == (0.0, 0.0, 0.0)
    assert best_shifts(lambda s: s[0] - s[1], 2) == (2.0, -2.0)


def test_a_class_that_lies_too_low_is_raised(two_kinds: MakeRecipe, tmp_path: Path) -> None:
    recipe = two_kinds()
    network = fit(recipe, Run(tmp_path / "run"))
    bias = network.get_submodule("head").get_parameter("bias")
    with torch.no_grad():
        bias.add_(torch.tensor([0.0, -2.0]))
    before = Model(make_card(recipe), network)
    after = adjusted(recipe, before, Job())
    moved, shifts = after.network, after.card.shifts
    assert shifts[1] > 0.5
    assert torch.allclose(moved.get_submodule("head").get_parameter("bias"), bias + torch.tensor(shifts))
    # How sure the network is, which drift asks for, does not change.
    window = np.random.default_rng(0).random((1, 64, 64), np.float32)
    told, still = (Encoder(model, "cpu").halfway(list(window))[1]()[0] for model in (before, after))
    assert told == pytest.approx(still, abs=1e-6)


def test_the_model_holds_its_shifts_and_its_scores_are_with_them(two_kinds: MakeRecipe, tmp_path: Path) -> None:
    recipe = two_kinds(folds=[["d"]], output={"threshold": 0.4}, steps=60)
    # What they are chosen on is not learnt by the network of a fold either.
    assert {p.group: p.use for p in recipe.without_fold(("d",)).pairs} == {
        "a": "train", "b": "val", "c": "train", "d": "test",
    }  # fmt: skip
    for _ in range(2):  # the second time it goes on where nothing is left to do
        folder = train(recipe, tmp_path / "run")
    told = [line for line in Run(tmp_path / "run").metrics() if "adjusted" in line]
    assert [line["adjusted"] for line in told] == ["fold-1", "final"]
    final = [told[1]["shift_1"], told[1]["shift_2"]]
    assert any(final)
    assert list(read_model(folder).card.shifts) == final
    trained = torch.load(tmp_path / "run" / "final" / "best.pt", weights_only=True)["average"]["head.bias"]
    assert torch.allclose(load_file(folder / "weights.safetensors")["head.bias"], trained + torch.tensor(final))
    assert (make_card(recipe).output.threshold, read_model(folder).card.output.threshold) == (0.4, 0.4)
    labels = np.asarray(segment(open_image(tmp_path / "c-2.tif", axes="ZYX"), model=str(folder)).labels)
    truth = tifffile.imread(tmp_path / "c-2-label.tif")
    (score,) = (s for s in read_model(folder).card.scores if s.metric == "iou" and "(c)" in s.on)
    assert score.value == pytest.approx(np.mean([iou(labels == v, truth == v) for v in (1, 2)]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": [{"value": 1, "name": "one"}]}, "several classes"),
        ({"output": {"activation": "softmax"}}, "several classes"),
        ({"output": {"cores": 0.5}}, "several classes"),
        ({"seeds": [1, 2]}, "one network"),
        ({"pairs": [{"image": "a-2.tif", "label": "a-2-label.tif", "axes": "ZYX", "group": "a"}]}, "marked val"),
    ],
)
def test_where_there_is_nothing_to_adjust_a_recipe_says_so(
    two_kinds: MakeRecipe, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        two_kinds(**changes)


def test_a_network_without_a_last_layer_is_refused_before_the_training(two_kinds: MakeRecipe, tmp_path: Path) -> None:
    one = {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8], "out_channels": 2}}
    both = {"members": [one, one], "activation": "sigmoid"}
    recipe = two_kinds(architecture={"name": "ensemble", "arguments": both})
    with pytest.raises(RecipeError, match="no last layer"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
