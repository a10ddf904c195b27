"""Training learns, resumes bit for bit, and stops when told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_bioseg.core import Cancelled, DeviceError, Job, Progress
from napari_bioseg.runs import Run
from napari_bioseg.training.loop import draw_batch, fit
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.state import TrainingState, save_state

MakeRecipe = Callable[..., Recipe]


def _weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return list(network.state_dict().values())


def test_it_learns(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    fit(make_recipe(epochs=6, steps=15, learning_rate=0.01), run)
    scores = [m["score"] for m in run.metrics()]
    assert max(scores) > 0.9 > scores[0]


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_resumed_training_ends_at_the_same_weights(make_recipe: MakeRecipe, tmp_path: Path, stop_after: int) -> None:
    recipe = make_recipe(epochs=3)
    whole = fit(recipe, Run(tmp_path / "whole"))

    def stop(progress: Progress) -> None:
        # In the middle of the epoch after `stop_after`: that epoch is lost and made again.
        if progress.message.startswith("Training") and progress.done == stop_after * recipe.steps + 1:
            job.cancel()

    job = Job(stop)
    with pytest.raises(Cancelled):
        fit(recipe, Run(tmp_path / "broken"), job=job)
    resumed = fit(recipe, Run(tmp_path / "broken"))
    for a, b in zip(_weights(whole), _weights(resumed), strict=True):
        assert torch.equal(a, b)
    assert [m["epoch"] for m in Run(tmp_path / "broken").metrics()] == [1, 2, 3]


def test_the_best_epoch_is_chosen(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    fit(make_recipe(epochs=4), run)
    scores = [m["score"] for m in run.metrics()]
    saved = torch.load(tmp_path / "run" / "best.pt", weights_only=True)
    assert saved["epoch"] == scores.index(max(scores)) + 1


def test_a_crash_between_the_checkpoints_loses_no_best_epoch(
    make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(epochs=1)
    whole = fit(recipe, Run(tmp_path / "whole"))

    def crash(path: Path, state: TrainingState) -> None:
        if saved:
            raise OSError("no power")
        saved.append(path)
        save_state(path, state)

    saved: list[Path] = []
    with monkeypatch.context() as patched:
        patched.setattr("napari_bioseg.training.loop.save_state", crash)
        with pytest.raises(OSError, match="no power"):
            fit(recipe, Run(tmp_path / "broken"))
    resumed = fit(recipe, Run(tmp_path / "broken"))
    assert (tmp_path / "broken" / "best.pt").is_file()
    for a, b in zip(_weights(whole), _weights(resumed), strict=True):
        assert torch.equal(a, b)


def test_it_stops_when_patience_is_out(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    # With no learning the score stays what it was after the first epoch.
    fit(make_recipe(epochs=9, patience=2, learning_rate=0.0), run)
    assert len(list(run.metrics())) == 3


def test_a_step_alone_decides_its_batch(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    samples = load_samples(recipe, ("train",))
    for a, b in zip(draw_batch(recipe, samples, 5), draw_batch(recipe, samples, 5), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(draw_batch(recipe, samples, 5)[0], draw_batch(recipe, samples, 6)[0])


def test_an_absent_device_is_refused(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceError, match="cuda"):
        fit(make_recipe(device="cuda"), Run(tmp_path))


@pytest.mark.parametrize(("draw", "share"), [("images", 1 / 2), ("planes", 3 / 4)])
def test_patches_are_shared_out_as_asked(make_recipe: MakeRecipe, draw: str, share: float) -> None:
    recipe = make_recipe(draw=draw, batch=1)
    (whole,) = load_samples(recipe, ("train",))
    thick = replace(whole, image=whole.image[:3] * 0 + 5, target=whole.target[:3])
    thin = replace(whole, image=whole.image[:1] * 0 - 5, target=whole.target[:1])
    drawn = [float(draw_batch(recipe, [thick, thin], step)[0].mean()) > 0 for step in range(200)]
    assert sum(drawn) / 200 == pytest.approx(share, abs=0.1)


def test_real_and_simulated_boxes_are_mixed_as_asked(make_box_recipe: MakeRecipe) -> None:
    made = {"generator": "vesicle_scene", "count": 2, "arguments": {"shape": [1, 48, 48]}}
    recipe = make_box_recipe(simulated=[made], simulated_share=0.25, batch=1, foreground_share=0)
    real, *simulated = load_samples(recipe, ("train",))
    marked = [replace(real, image=real.image * 0 + 5), *(replace(s, image=s.image * 0 - 5) for s in simulated)]
    drawn = [float(draw_batch(recipe, marked, step)[0].mean()) < 0 for step in range(300)]
    assert sum(drawn) / 300 == pytest.approx(0.25, abs=0.08)
