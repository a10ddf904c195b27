"""The model of a batch, read once a process."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from napari_bioseg.inference.shared import Engines
from napari_bioseg.inference.windows import Encoder
from napari_bioseg.models.model import Model, read_model
from napari_bioseg.workflows.batch_task import Task

_READING = threading.Lock()  # two images begin at the same time


@dataclass
class Loaded:
    """A model, and what was made of it for one image and is kept for the next.

    Attributes
    ----------
    model : Model
    device : str
        That was asked for.
    engines : Engines
    """

    model: Model
    device: Literal["auto", "cpu", "cuda", "mps"]
    engines: Engines = field(default_factory=Engines)

    @cached_property
    def encoder(self) -> Encoder:
        """The network as far as its features.

        Raises
        ------
        DeviceError
            The device asked for is not here.
        """
        return Encoder(self.model, self.device)


def loaded(task: Task) -> Loaded:
    """Return the model of a task.

    Raises
    ------
    BrokenModelError
        It cannot be read.
    """
    with _READING:
        return _read_once(task.model, task.sha256, task.options.device)


@lru_cache(maxsize=1)
def _read_once(folder: Path, sha256: str, device: Literal["auto", "cpu", "cuda", "mps"]) -> Loaded:  # noqa: ARG001 - other weights, another key
    return Loaded(read_model(folder), device)
