"""Training learns, resumes bit for bit, and stops when told."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_bioseg.core import Cancelled, DeviceError, Job, Progress, RecipeError, UnwritableFileError
from napari_bioseg.runs import Run
from napari_bioseg.training.batches import draw_batch
from napari_bioseg.training.loop import fit
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.sample import Sample
from napari_bioseg.training.state import TrainingState, save_state

MakeRecipe = Callable[..., Recipe]


def _weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return list(network.state_dict().values())


def test_it_learns(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    fit(make_recipe(epochs=6, steps=15, learning_rate=0.01), run)
    scores = [m["score"] for m in run.metrics()]
    assert max(scores) > 0.9 > scores[0]


@pytest.mark.parametrize(
    ("stop_after", "changes"),
    [
        (1, {}),
        (2, {}),
        (1, {"optimiser": "sgd", "schedule": "one_cycle"}),
        (1, {"schedule": "warm_restarts", "cycles": 2}),
        # The score stays 0 in the second epoch: the rate falls before the break, and must not rise after it.
        (2, {"schedule": "plateau", "plateau": 1, "learning_rate": 0.01}),
        (1, {"freeze_encoder": 2, "learning_rate": 0.01}),
    ],
)
def test_a_resumed_training_ends_at_the_same_weights(
    make_recipe: MakeRecipe, start: Path, tmp_path: Path, stop_after: int, changes: dict[str, Any]
) -> None:
    recipe = make_recipe(epochs=3, continue_from=str(start) if "freeze_encoder" in changes else None, **changes)
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
    # Also those of the last epoch, where an earlier one was the best.
    last = [torch.load(tmp_path / n / "last.pt", weights_only=True)["network"] for n in ("whole", "broken")]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])
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


def test_patience_lets_some_epochs_pass(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    fit(make_recipe(epochs=9, patience=1, min_epochs=4, steps=1, learning_rate=0.0), run)
    assert len(list(run.metrics())) == 4


def test_a_plateau_lowers_the_rate(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    values = {"epochs": 4, "steps": 1, "schedule": "plateau", "plateau": 1, "warm_up": 0, "learning_rate": 1e-6}
    fit(make_recipe(**values), run)
    saved = torch.load(run.folder / "last.pt", weights_only=True)
    # With next to no learning the score stays as it is after the first epoch; the last fall came after the last step.
    assert saved["plateau"]["drops"] == 3
    assert saved["optimiser"]["param_groups"][0]["lr"] == pytest.approx(1e-6 / 9)


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


@pytest.mark.parametrize(("how", "rare"), [("pixels", range(10)), ("classes", range(35, 65))])
def test_rare_classes_are_drawn_as_asked(make_recipe: MakeRecipe, how: str, rare: range) -> None:
    recipe = make_recipe(foreground_share=1, foreground_draw=how, patch=[4, 4], batch=1)
    (whole,) = load_samples(recipe, ("train",))
    target = np.ones((1, 64, 64), np.int16)
    target[0, 30:33, 30:33] = 2
    sample = replace(whole, image=target.astype(np.float32), target=target)
    assert sum(bool((draw_batch(recipe, [sample], step)[1] == 2).any()) for step in range(100)) in rare


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


def test_told_that_it_is_enough_it_ends_after_the_epoch(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe, run = make_recipe(epochs=9), Run(tmp_path / "run")

    def enough(progress: Progress) -> None:
        if progress.message.startswith("Training") and progress.done == recipe.steps + 1:
            job.finish()

    job = Job(enough)
    network = fit(recipe, run, job=job)
    assert [line["epoch"] for line in run.metrics() if "epoch" in line] == [1, 2]
    assert [line["stopped"] for line in run.metrics() if "stopped" in line] == ["by hand, after epoch 2"]
    saved = torch.load(run.folder / "best.pt", weights_only=True)["average"]
    assert all(torch.equal(a, b) for a, b in zip(saved.values(), _weights(network), strict=True))


def _poison(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the images of one step hold what is no number."""

    def drawn(recipe: Recipe, samples: list[Sample], number: int) -> tuple[torch.Tensor, ...]:
        image, *rest = draw_batch(recipe, samples, number)
        return image * (float("nan") if number == step else 1), *rest

    monkeypatch.setattr("napari_bioseg.training.loop.draw_batch", drawn)


def test_a_loss_that_is_no_number_ends_it_and_the_last_good_weights_are_kept(
    make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = fit(make_recipe(epochs=3), Run(tmp_path / "good"), job=(job := _after(1, make_recipe().steps)))
    assert job.finishing
    _poison(monkeypatch, make_recipe().steps + 1)
    job, run = Job(), Run(tmp_path / "bad")
    kept = fit(make_recipe(epochs=3), run, job=job)
    assert all(torch.equal(a, b) for a, b in zip(_weights(good), _weights(kept), strict=True))
    assert "no number in epoch 2" in job.notes[0]
    assert [line.get("epoch", line.get("stopped")) for line in run.metrics()] == [1, job.notes[0][7:-21]]


def test_a_loss_that_never_was_a_number_is_refused(
    make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _poison(monkeypatch, 0)
    with pytest.raises(RecipeError, match="first epoch"):
        fit(make_recipe(), Run(tmp_path / "bad"))
    assert not (tmp_path / "bad" / "last.pt").exists()


def _after(epochs: int, steps: int) -> Job:
    """Return a job that has enough after so many epochs."""

    def enough(progress: Progress) -> None:
        if progress.message.startswith("Training") and progress.done == epochs * steps:
            job.finish()

    job = Job(enough)
    return job


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit to the size of files")
def test_a_full_disk_leaves_the_checkpoint_before_it(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    import resource

    recipe, run = make_recipe(epochs=3), Run(tmp_path / "run")
    whole = fit(recipe, Run(tmp_path / "whole"))

    def fill(progress: Progress) -> None:
        if progress.message.startswith("Training") and progress.done == recipe.steps + 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(UnwritableFileError, match=r"(best|last)\.pt"):
            fit(recipe, run, job=Job(fill))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert torch.load(run.folder / "last.pt", weights_only=True)["epoch"] == 1
    assert not list(run.folder.glob(".*part*"))
    assert all(torch.equal(a, b) for a, b in zip(_weights(whole), _weights(fit(recipe, run)), strict=True))
