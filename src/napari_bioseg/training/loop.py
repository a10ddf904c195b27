"""Training on one page, in the order in which it happens."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.job import Job
from napari_bioseg.models.devices import choose_device, memory_used, trains_in_bfloat16
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.models.registry import build_network
from napari_bioseg.runs import Run
from napari_bioseg.runs.system import Machine
from napari_bioseg.tasks import TASKS, weighing, weighted_loss
from napari_bioseg.training.batches import draw_batch
from napari_bioseg.training.distillation import find_teacher
from napari_bioseg.training.monitor import Monitor
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.sample import Sample
from napari_bioseg.training.schedule import Average, learning_rate, make_optimiser
from napari_bioseg.training.start import mixed_with_old, old_model, set_learning, take_weights
from napari_bioseg.training.state import TrainingState, load_state, save_state
from napari_bioseg.training.training_set import freeze
from napari_bioseg.training.validate import validate

_GRADIENT_NORM = 5.0


def fit(recipe: Recipe, run: Run, *, job: Job | None = None) -> Network:
    """Train a network, or go on where the run stopped.

    Parameters
    ----------
    recipe : Recipe
    run : Run
        Holds the checkpoints ``last.pt`` and ``best.pt``, and what is verified in projects as it was when the run
        began; an existing ``last.pt`` is resumed, and on the
        same machine ends at the same weights, bit for bit, as a training that was not interrupted.
    job : Job, optional
        For progress and for stopping; after a stop the run can be resumed. Told that it is enough, the training ends
        after the epoch at work.

    Returns
    -------
    Network
        The chosen weights in eval mode on the CPU: the best on the val pairs, or the last ones without any.

    Raises
    ------
    RecipeError, UnreadableFileError, IncompatibleImageError, ModelNotFoundError
        Something that the recipe names is wrong, or the loss is no number from the start.
    UnwritableFileError
        A checkpoint cannot be written; the one before it is whole.
    """
    job = job or Job()
    device = torch.device(choose_device(recipe.device))
    mixed = recipe.precision == "bfloat16" and trains_in_bfloat16(device.type, recipe.patch)
    recipe = freeze(recipe, run.folder)
    job.stage("Reading images")
    train, val = _load(recipe)
    old, monitor = old_model(recipe), Monitor(recipe, run.folder)
    teacher = find_teacher(recipe, old, device, job)
    task, loss, out = TASKS.get(recipe.task), weighted_loss(recipe.losses), recipe.output

    torch.manual_seed(recipe.seed)
    network = first_network(recipe, old).to(device)
    network = network.to(  # type: ignore[call-overload]
        memory_format=torch.channels_last if len(recipe.patch) == 2 else torch.channels_last_3d
    )
    optimiser = make_optimiser(recipe, network)
    state = TrainingState(network, optimiser, Average(network, recipe.averaging))
    load_state(run.folder / "last.pt", state)
    run.keep_metrics(lambda line: "stopped" not in line and line.get("epoch", 0) <= state.epoch)

    total, machine = recipe.epochs * recipe.steps, Machine()
    job.stage(f"Training {recipe.name}", total, state.epoch * recipe.steps)
    job.check()
    with ThreadPoolExecutor(1) as pool:
        coming = _prepare(pool, recipe, train, state.epoch * recipe.steps)
        while state.epoch < recipe.epochs and not _out_of_patience(recipe, state) and not _told_enough(job, run, state):
            began, losses = time.monotonic(), []
            set_learning(recipe, network, state.epoch)
            for step in range(state.epoch * recipe.steps, (state.epoch + 1) * recipe.steps):
                # Dropout must be the same after a resume, whatever was drawn before.
                torch.manual_seed(recipe.seed * 1_000_003 + step)
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate(recipe, step, state.plateau.drops)
                image, target, weight = (t.to(device) for t in coming.result())
                coming = _prepare(pool, recipe, train, step + 1)
                with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
                    logits = network(image)
                    held = teacher.loss(image, logits.float(), target) if teacher else 0.0
                value = task.loss(logits.float(), target, weighing(loss, weight), out.activation, out.cores > 0) + held
                losses.append(float(value.detach()))
                if not math.isfinite(losses[-1]):
                    return _last_good(recipe, run, state, old, job)
                optimiser.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), _GRADIENT_NORM)
                optimiser.step()
                state.average.update(network, step)
                job.step()
            state.epoch += 1
            result = mixed_with_old(recipe, state.average.network, old)
            score = _score(recipe, result, state.epoch, val)
            improved = state.improves(score)
            state.plateau.look(score if val else -float(np.mean(losses)), state.epoch, recipe.plateau)
            run.log(
                epoch=state.epoch,
                loss=float(np.mean(losses)),
                score=score,
                held_out=monitor.look(result, state.epoch),
                seconds=time.monotonic() - began,
                memory=memory_used(device.type),
                device=device.type,
                system=machine.figures(),
            )
            # In this order: after a crash in between, the epoch is made again.
            if improved:
                save_state(run.folder / "best.pt", state)
            save_state(run.folder / "last.pt", state)
    return chosen_network(recipe, run.folder, old)


def chosen_network(recipe: Recipe, folder: Path, old: Model | None) -> Network:
    """Return the averaged weights of ``best.pt``, or of ``last.pt`` when nothing was validated, mixed with the old."""
    network = build_network(recipe.architecture.name, recipe.architecture.arguments)
    best = folder / "best.pt"
    saved = torch.load(best if best.is_file() else folder / "last.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(saved["average"])
    return mixed_with_old(recipe, network.eval(), old)


def first_network(recipe: Recipe, old: Model | None) -> Network:
    """Return what the training begins with: random weights, or those of the model that the recipe continues from.

    Raises
    ------
    RecipeError, ModelNotFoundError, BrokenModelError
        The architecture does not exist, or is not that of the model to continue from.
    """
    network = build_network(recipe.architecture.name, recipe.architecture.arguments)
    if old is not None:
        take_weights(recipe, network, old)
    return network


def _load(recipe: Recipe) -> tuple[list[Sample], list[Sample]]:
    """Return what patches are cut from, and what the epoch is chosen on, which may be nothing."""
    wanted = ("train", "replay", "val")
    train, replay, val = (load_samples(recipe, (use,)) if use in recipe.uses else [] for use in wanted)
    return train + replay, val


def _prepare(
    pool: ThreadPoolExecutor, recipe: Recipe, samples: list[Sample], step: int
) -> Future[tuple[Tensor, Tensor, Tensor]]:
    return pool.submit(draw_batch, recipe, samples, step)


def _last_good(recipe: Recipe, run: Run, state: TrainingState, old: Model | None, job: Job) -> Network:
    """Return the weights of the epoch before the loss became no number, and tell so.

    Raises
    ------
    RecipeError
        There is none.
    """
    if not state.epoch:
        fix = "Lower learning_rate, and look at the images for values that are no numbers"
        raise RecipeError(recipe.name, "the loss is no number in the first epoch, nothing was learnt", fix)
    words = f"the loss is no number in epoch {state.epoch + 1}: stopped, the weights of epoch {state.epoch} are kept"
    run.log(stopped=words)
    job.note(f"{recipe.name}: {words}. Lower learning_rate")
    return chosen_network(recipe, run.folder, old)


def _told_enough(job: Job, run: Run, state: TrainingState) -> bool:
    if not job.finishing or not state.epoch:
        return False
    run.log(stopped=f"by hand, after epoch {state.epoch}")
    return True


def _score(recipe: Recipe, network: Network, epoch: int, val: list[Sample]) -> float | None:
    due = epoch % recipe.validate_every == 0 or epoch == recipe.epochs
    return validate(recipe, network, val) if val and due else None


def _out_of_patience(recipe: Recipe, state: TrainingState) -> bool:
    waited = state.best_epoch > 0 and state.epoch - state.best_epoch >= recipe.patience
    return bool(recipe.patience) and waited and state.epoch >= recipe.min_epochs
