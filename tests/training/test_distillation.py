"""What is not known is held to what the old model said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from napari_bioseg.core import Job, RecipeError
from napari_bioseg.models import load_model
from napari_bioseg.models.network import Network
from napari_bioseg.runs import Run
from napari_bioseg.training.batches import draw_batch
from napari_bioseg.training.distillation import Teacher, find_teacher
from napari_bioseg.training.loop import fit
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.validate import validate

MakeRecipe = Callable[..., Recipe]
MakeProject = Callable[..., Path]
CPU = torch.device("cpu")
REPLAY = {"image": "b.tif", "axes": "ZYX", "group": "b", "use": "replay"}


class Same(Network):
    """Says what it sees."""

    stride = (1, 1)
    halo = (0, 0)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return x.expand(-1, self.channels, -1, -1) * torch.arange(1, self.channels + 1).view(1, -1, 1, 1)


@pytest.mark.parametrize("softmax", [False, True])
def test_the_loss_is_the_divergence_where_the_truth_is_not_known(softmax: bool) -> None:
    channels = 3 if softmax else 1
    outputs = "softmax" if softmax else "sigmoid"
    teacher, image = Teacher(Same(channels), 2.0, outputs), torch.randn(2, 1, 4, 4)
    target = torch.zeros(2, 4, 4, dtype=torch.int64)
    logits = torch.randn(2, channels, 4, 4, requires_grad=True)
    assert teacher.loss(image, logits, target) == 0
    target[1, 2, 3] = -1
    found = teacher.loss(image, logits, target)
    old, new = Same(channels)(image)[1, :, 2, 3].double(), logits[1, :, 2, 3].double()
    p, q = (x.softmax(0) if softmax else torch.cat([x.sigmoid(), 1 - x.sigmoid()]) for x in (old, new))
    assert float(found) == pytest.approx(float(2 * (p * (p / q).log()).sum()), rel=1e-4)
    found.backward()
    assert logits.grad is not None
    moved = logits.grad.abs().sum(1) > 0
    assert moved.sum() == 1
    assert moved[1, 2, 3]
    # What says the same already is not moved.
    same = Same(channels)(image).requires_grad_()
    assert teacher.loss(image, same, target).item() == pytest.approx(0, abs=1e-6)


def test_a_detector_is_held_to_the_objects_of_the_old_one() -> None:
    teacher, image = Teacher(Same(5), 2.0, "boxes"), torch.full((2, 1, 4, 4), -9.0)
    image[1, 0, 1, 1] = 3.0
    target = torch.zeros(2, 6, 4, 4)
    logits = torch.zeros(2, 5, 4, 4, requires_grad=True)
    assert teacher.loss(image, logits, target) == 0
    target[1] = -1
    found = teacher.loss(image, logits, target)
    old = Same(5)(image)[1].double()
    p = old.sigmoid()
    each = p * (p / 0.5).log() + (1 - p) * ((1 - p) / 0.5).log()
    # There is about one object: every pixel tells whether it is a centre, and its own pixel of its box.
    expected = 2 * (each[0] + (p[:1] * each[1:]).sum(0)).sum() / p[0].sum().clamp(min=1)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
    found.backward()
    assert logits.grad is not None
    assert logits.grad[0].abs().sum() == 0
    boxes = logits.grad[1, 1:].abs().sum(0)
    assert boxes.argmax() == 5
    assert boxes.flatten()[5] > 0.99 * boxes.sum()
    # What says the same already is not moved.
    assert teacher.loss(image, Same(5)(image), target).item() == pytest.approx(0, abs=1e-6)


def _far(model: Path, network: torch.nn.Module) -> float:
    """How far a network is from a model on an image of another kind than it learnt from."""
    image = torch.from_numpy(
        ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(1, 1, 48, 48)), (0, 0, 1, 1))
    )
    image = image.float() * 6
    with torch.no_grad():
        return float((network(image).sigmoid() - load_model(model).network(image).sigmoid()).abs().mean())


def test_replay_guards_against_forgetting(make_recipe: MakeRecipe, start: Path, tmp_path: Path) -> None:
    import tifffile

    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(4, 48, 48)), (0, 1, 1))
    tifffile.imwrite(tmp_path / "b.tif", noise.astype(np.float32), photometric="minisblack")
    learnt = {"image": "a.tif", "label": "a-label.tif", "axes": "ZYX", "group": "a"}
    values = {
        "continue_from": str(start), "epochs": 2, "steps": 20, "learning_rate": 0.01, "averaging": 0.0,
        "keep_statistics": True,
        "augmentation": {"brightness": 0, "contrast": 0, "gamma": 0, "blur": 0, "noise": 0},
        "architecture": load_model(start).card.architecture.model_dump(),
    }  # fmt: skip
    free = fit(make_recipe(pairs=[learnt], **values), Run(tmp_path / "free"))
    held = make_recipe(pairs=[learnt, REPLAY], distillation=5.0, replay_share=0.5, **values)
    found = fit(held, Run(tmp_path / "held"))
    assert _far(start, found) < 0.5 * _far(start, free)


def test_replayed_images_need_no_labels_and_get_their_share(make_recipe: MakeRecipe, start: Path) -> None:
    learnt = {"image": "a.tif", "label": "a-label.tif", "axes": "ZYX", "group": "a"}
    made = {"generator": "em_membranes", "count": 1, "arguments": {"shape": [2, 48, 48]}, "use": "replay"}
    recipe = make_recipe(
        pairs=[learnt, REPLAY], simulated=[made], continue_from=str(start), distillation=1.0, replay_share=0.4, batch=1
    )
    samples = load_samples(recipe, ("train", "replay"))
    assert [s.use for s in samples] == ["train", "replay", "replay"]
    assert all((s.labels == -1).all() for s in samples[1:])
    unknown = [bool((draw_batch(recipe, samples, step)[1] == -1).all()) for step in range(300)]
    assert sum(unknown) / 300 == pytest.approx(0.4, abs=0.08)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, "continue_from"),
        ({"continue_from": "x", "distillation": 0.0}, "distillation"),
        ({"task": "classification"}, "not for classification"),
    ],
)
def test_replay_without_a_model_to_hold_to_is_refused(
    make_recipe: MakeRecipe, changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(RecipeError, match=problem):
        make_recipe(pairs=[REPLAY], **changes)


def test_projects_are_held_to_the_old_model_unless_told_otherwise(
    make_recipe: MakeRecipe, start: Path, make_project: MakeProject
) -> None:
    pairs, label_values = [{"project": make_project("x", [0]).name}], {}
    old = load_model(start)
    begun = {"pairs": pairs, "label_values": label_values, "continue_from": str(start)}
    assert find_teacher(make_recipe(**begun), old, CPU, Job())
    assert find_teacher(make_recipe(**begun, distillation=0.0), old, CPU, Job()) is None
    assert find_teacher(make_recipe(continue_from=str(start)), old, CPU, Job()) is None
    assert find_teacher(make_recipe(pairs=pairs, label_values=label_values), None, CPU, Job()) is None


def test_other_classes_cannot_be_held_and_it_is_told(make_recipe: MakeRecipe, start: Path) -> None:
    job = Job()
    recipe = make_recipe(continue_from=str(start), distillation=1.0, classes=[{"value": 1, "name": "other"}])
    assert find_teacher(recipe, load_model(start), CPU, job) is None
    assert "other classes" in job.notes[0]


@pytest.mark.parametrize("kept", [True, False])
def test_statistics_of_normalisation_are_kept_as_asked(
    make_recipe: MakeRecipe, start: Path, tmp_path: Path, kept: bool
) -> None:
    old = load_model(start)
    recipe = make_recipe(continue_from=str(start), keep_statistics=kept, epochs=1)
    found = fit(recipe, Run(tmp_path / "run"))
    pairs = zip(old.network.named_buffers(), found.buffers(), strict=True)
    same = [torch.equal(a, b) for (name, a), b in pairs if "running" in name]
    assert same
    assert all(same) if kept else not any(same)


def test_the_result_lies_between_the_old_model_and_the_trained_one(
    make_recipe: MakeRecipe, start: Path, tmp_path: Path
) -> None:
    old = load_model(start).network.state_dict()
    learnt = {"image": "a.tif", "label": "a-label.tif", "axes": "ZYX", "group": "a"}
    values = {"continue_from": str(start), "epochs": 2, "pairs": [learnt]}
    trained = fit(make_recipe(**values), Run(tmp_path / "trained")).state_dict()
    found = fit(make_recipe(**values, old_weights=0.25), Run(tmp_path / "found")).state_dict()
    for name, value in found.items():
        if value.is_floating_point():
            assert torch.allclose(value, 0.75 * trained[name] + 0.25 * old[name], atol=1e-6)
    assert not torch.equal(found["head.weight"], trained["head.weight"])


def test_what_is_scored_in_training_is_what_it_ends_as(make_recipe: MakeRecipe, start: Path, tmp_path: Path) -> None:
    values = {"continue_from": str(start), "epochs": 3, "steps": 12, "learning_rate": 0.01}
    recipe, run = make_recipe(**values, old_weights=0.5), Run(tmp_path / "run")
    network = fit(recipe, run)
    best, val = max(line["score"] for line in run.metrics()), load_samples(recipe, ("val",))
    assert best == pytest.approx(validate(recipe, network, val), abs=1e-6)
    trained = fit(make_recipe(**values), Run(tmp_path / "trained"))
    assert best != pytest.approx(validate(recipe, trained, val), abs=1e-4)


@pytest.mark.parametrize("changes", [{}, {"continue_from": "x", "head": "new"}])
def test_old_weights_need_a_model_with_its_head(make_recipe: MakeRecipe, changes: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="old_weights"):
        make_recipe(old_weights=0.5, **changes)
