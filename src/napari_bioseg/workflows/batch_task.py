"""One image of a batch, with all that must be known to work on it anywhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import napari_bioseg
from napari_bioseg.core.image import Image
from napari_bioseg.inference.checkpoint import Checkpoint
from napari_bioseg.io import open_image
from napari_bioseg.workflows.batch_items import Item, fingerprint
from napari_bioseg.workflows.batch_options import BatchOptions
from napari_bioseg.workflows.batch_record import RUN

WORK = "work"


@dataclass(frozen=True)
class Task:
    """One image, and all that must be known to work on it anywhere.

    Attributes
    ----------
    item : Item
    out : Path
        Where the batch writes to.
    options : BatchOptions
    model : Path
        Folder of the model.
    sha256 : str
        Of its weights.
    """

    item: Item
    out: Path
    options: BatchOptions
    model: Path
    sha256: str

    @cached_property
    def key(self) -> str:
        """Changes with the image, the model, the options and the version of napari-bioseg.

        Raises
        ------
        OSError
            The image cannot be looked at.
        """
        parts = (
            napari_bioseg.__version__,
            self.sha256,
            fingerprint(self.item.source),
            str(self.item.series),
            self.options.model_dump_json(exclude={"model", "device", "workers", "drift"}),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where the work on the image is kept until it is finished."""
        return self.out / RUN / WORK / self.item.name

    @property
    def checkpoint(self) -> Checkpoint:
        """The tiles that are done."""
        return Checkpoint(self.folder / "tiles")

    def image(self) -> Image:
        """Open the image."""
        return open_image(self.item.source, axes=self.options.axes, series=self.item.series)
