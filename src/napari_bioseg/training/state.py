"""Checkpoints: all that a training needs to go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.models.network import Network
from napari_bioseg.training.schedule import Average, Plateau


@dataclass
class TrainingState:
    """What changes during a training."""

    network: Network
    optimiser: torch.optim.Optimizer
    average: Average
    epoch: int = 0
    best: float = float("-inf")
    best_epoch: int = 0
    plateau: Plateau = field(default_factory=Plateau)

    def improves(self, score: float | None) -> bool:
        """Take in the score of the epoch, None where it was not measured; return whether it is the best so far."""
        if score is None or score <= self.best:
            return False
        self.best, self.best_epoch = score, self.epoch
        return True


def save_state(path: Path, state: TrainingState) -> None:
    """Write a checkpoint; the one before it stays until this one is complete.

    Raises
    ------
    UnwritableFileError
        The disk is full, or refuses.
    """
    with _told(path), writing(path), whole_or_nothing(path) as part:
        torch.save(
            {
                "network": state.network.state_dict(),
                "optimiser": state.optimiser.state_dict(),
                "average": state.average.network.state_dict(),
                "epoch": state.epoch,
                "best": state.best,
                "best_epoch": state.best_epoch,
                "plateau": asdict(state.plateau),
            },
            part,
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # So torch calls what the system refused it in the middle of a file.
        problem = f"cannot be written ({str(error).splitlines()[0]})"
        raise UnwritableFileError(str(path), problem, "Free some space, then resume the run") from error


def load_state(path: Path, state: TrainingState) -> None:
    """Fill `state` from a checkpoint, if there is one; only tensors and numbers are read, nothing is unpickled."""
    if not path.is_file():
        return
    saved = torch.load(path, map_location="cpu", weights_only=True)
    state.network.load_state_dict(saved["network"])
    state.optimiser.load_state_dict(saved["optimiser"])
    state.average.network.load_state_dict(saved["average"])
    state.epoch, state.best, state.best_epoch = saved["epoch"], saved["best"], saved["best_epoch"]
    state.plateau = Plateau(**saved.get("plateau", {}))
