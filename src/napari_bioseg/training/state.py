"""Checkpoints: all that a training needs to go on as if nothing had happened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.models.network import Network
from napari_bioseg.training.schedule import Average


@dataclass
class TrainingState:
    """What changes during a training."""

    network: Network
    optimiser: torch.optim.Optimizer
    average: Average
    epoch: int = 0
    best: float = float("-inf")
    best_epoch: int = 0


def save_state(path: Path, state: TrainingState) -> None:
    """Write a checkpoint; the one before it stays until this one is complete."""
    with whole_or_nothing(path) as part:
        torch.save(
            {
                "network": state.network.state_dict(),
                "optimiser": state.optimiser.state_dict(),
                "average": state.average.network.state_dict(),
                "epoch": state.epoch,
                "best": state.best,
                "best_epoch": state.best_epoch,
            },
            part,
        )


def load_state(path: Path, state: TrainingState) -> None:
    """Fill `state` from a checkpoint, if there is one; only tensors and numbers are read, nothing is unpickled."""
    if not path.is_file():
        return
    saved = torch.load(path, map_location="cpu", weights_only=True)
    state.network.load_state_dict(saved["network"])
    state.optimiser.load_state_dict(saved["optimiser"])
    state.average.network.load_state_dict(saved["average"])
    state.epoch, state.best, state.best_epoch = saved["epoch"], saved["best"], saved["best_epoch"]
