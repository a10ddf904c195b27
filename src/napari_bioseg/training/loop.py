"""Training on one page, in the order in which it happens."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.job import Job
from napari_bioseg.models.devices import choose_device, has_bfloat16
from napari_bioseg.models.network import Network
from napari_bioseg.models.registry import build_network
from napari_bioseg.models.zoo import load_model
from napari_bioseg.runs import Run
from napari_bioseg.tasks import TASKS, weighing, weighted_loss
from napari_bioseg.training.augment import draw_patch
from napari_bioseg.training.box_patches import draw_box_patch
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.sample import Sample
from napari_bioseg.training.schedule import Average, learning_rate
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
        For progress and for stopping; after a stop the run can be resumed.

    Returns
    -------
    Network
        The chosen weights in eval mode on the CPU: the best on the val pairs, or the last ones without any.

    Raises
    ------
    RecipeError, UnreadableFileError, IncompatibleImageError, ModelNotFoundError
        Something that the recipe names is wrong.
    """
    job = job or Job()
    device = torch.device(choose_device(recipe.device))
    mixed = recipe.precision == "bfloat16" and has_bfloat16(device.type)
    recipe = freeze(recipe, run.folder)
    job.stage("Reading images")
    train = load_samples(recipe, ("train",))
    uses = [*(p.use for p in recipe.pairs), *(s.use for s in recipe.simulated)]
    val = load_samples(recipe, ("val",)) if "val" in uses else []
    task, loss = TASKS.get(recipe.task), weighted_loss(recipe.losses)

    torch.manual_seed(recipe.seed)
    network = first_network(recipe).to(device)
    network = network.to(  # type: ignore[call-overload]
        memory_format=torch.channels_last if len(recipe.patch) == 2 else torch.channels_last_3d
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    state = TrainingState(network, optimiser, Average(network, recipe.averaging))
    load_state(run.folder / "last.pt", state)
    run.keep_metrics(lambda line: line.get("epoch", 0) <= state.epoch)

    total = recipe.epochs * recipe.steps
    job.stage(f"Training {recipe.name}", total)
    job.step(state.epoch * recipe.steps)
    with ThreadPoolExecutor(1) as pool:
        coming = _prepare(pool, recipe, train, state.epoch * recipe.steps)
        while state.epoch < recipe.epochs and not _out_of_patience(recipe, state):
            began, losses = time.monotonic(), []
            network.train()
            for step in range(state.epoch * recipe.steps, (state.epoch + 1) * recipe.steps):
                # Dropout must be the same after a resume, whatever was drawn before.
                torch.manual_seed(recipe.seed * 1_000_003 + step)
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate(step, total, recipe.warm_up, recipe.learning_rate)
                image, target, weight = (t.to(device) for t in coming.result())
                coming = _prepare(pool, recipe, train, step + 1)
                with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
                    logits = network(image)
                value = task.loss(logits.float(), target, weighing(loss, weight), recipe.output.activation)
                optimiser.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), _GRADIENT_NORM)
                optimiser.step()
                state.average.update(network, step)
                losses.append(float(value.detach()))
                job.step()
            state.epoch += 1
            score = _score(recipe, state, val)
            improved = score is not None and score > state.best
            if score is not None and improved:
                state.best, state.best_epoch = score, state.epoch
            run.log(epoch=state.epoch, loss=float(np.mean(losses)), score=score, seconds=time.monotonic() - began)
            # In this order: after a crash in between, the epoch is made again.
            if improved:
                save_state(run.folder / "best.pt", state)
            save_state(run.folder / "last.pt", state)
    return chosen_network(recipe, run.folder)


def chosen_network(recipe: Recipe, folder: Path) -> Network:
    """Return the averaged weights of ``best.pt``, or of ``last.pt`` when nothing was validated."""
    network = build_network(recipe.architecture.name, recipe.architecture.arguments)
    best = folder / "best.pt"
    saved = torch.load(best if best.is_file() else folder / "last.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(saved["average"])
    return network.eval()


def first_network(recipe: Recipe) -> Network:
    """Return what the training begins with: random weights, or those of the model that the recipe continues from.

    Raises
    ------
    RecipeError, ModelNotFoundError, BrokenModelError
        The architecture does not exist, or is not that of the model to continue from.
    """
    network = build_network(recipe.architecture.name, recipe.architecture.arguments)
    if recipe.continue_from:
        start = load_model(recipe.continue_from)
        if start.card.architecture != recipe.architecture:
            problem = f"has another architecture than {recipe.name}"
            raise RecipeError(recipe.continue_from, problem, "Give the recipe the architecture of that model's card")
        network.load_state_dict(start.network.state_dict())
    return network


def _prepare(
    pool: ThreadPoolExecutor, recipe: Recipe, samples: list[Sample], step: int
) -> Future[tuple[Tensor, Tensor, Tensor]]:
    return pool.submit(draw_batch, recipe, samples, step)


def draw_batch(recipe: Recipe, samples: list[Sample], step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return images ``(N, 1, *patch)``, targets and weights ``(N, *patch)`` of one step, which alone decides them.

    Targets are ``(N, *patch)`` classes, or for boxes the ``(N, 6, *patch)`` of `tasks.detection.encode`. A weight says
    how much a pixel counts.
    """
    patches = []
    makers = {spec.group for spec in recipe.simulated}
    real = [s for s in samples if s.group not in makers]
    made = [s for s in samples if s.group in makers]
    for i in range(recipe.batch):
        generator = torch.Generator().manual_seed((recipe.seed * 1_000_003 + step) * 1009 + i)
        choice = torch.rand(3, generator=generator).tolist()
        pool = made if made and (not real or choice[0] < recipe.simulated_share) else real
        sample = _pick(pool, choice[1], recipe.draw)
        foreground = choice[2] < recipe.foreground_share
        wanted = (sample, recipe.patch, recipe.augmentation, foreground, generator)
        if isinstance(sample.target, Boxes):
            patches.append((*draw_box_patch(*wanted), torch.ones(recipe.patch)))
        else:
            patches.append(draw_patch(*wanted))
    images, targets, weights = zip(*patches, strict=True)
    return torch.stack(images), torch.stack(targets), torch.stack(weights)


def _pick(pool: list[Sample], share: float, draw: str) -> Sample:
    """Return the sample at `share` (0 to 1) of the way through the pool."""
    weights = [len(s.image) if draw == "planes" else 1 for s in pool]
    return pool[int(np.searchsorted(np.cumsum(weights), share * sum(weights), side="right"))]


def _score(recipe: Recipe, state: TrainingState, val: list[Sample]) -> float | None:
    due = state.epoch % recipe.validate_every == 0 or state.epoch == recipe.epochs
    return validate(recipe, state.average.network, val) if val and due else None


def _out_of_patience(recipe: Recipe, state: TrainingState) -> bool:
    return bool(recipe.patience) and state.best_epoch > 0 and state.epoch - state.best_epoch >= recipe.patience
