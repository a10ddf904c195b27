"""What a batch knows of each image that it has finished; kept in ``OUT/run/items``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from napari_bioseg.core.files import tree_sha256, whole_or_nothing, writing
from napari_bioseg.core.options import Options

RUN = "run"
_ITEMS = "items"


class Record(Options):
    """One image, done or failed."""

    name: str = Field(description="What its results are called")
    source: str = Field(description="Where the image is")
    series: int = Field(0, description="Which image of its file")
    key: str = Field("", description="Changes with the image, the model, the options and the version")
    state: Literal["done", "failed"] = Field("done", description="Whether there are results")
    why: str = Field("", description="What went wrong, in one line")
    files: dict[str, str] = Field(default_factory=dict, description="Each result and the sha256 of what it holds")
    objects: int | None = Field(None, description="Instances or boxes; none: classes are not counted")
    fraction: float | None = Field(None, description="Share of the pixels that are in an object")
    pixels: int = Field(0, description="Of the image, without channels")
    tiles: int = Field(0, description="How many went through the network")
    seconds: float = Field(0.0, description="From opening the image to its last file, waiting for others included")
    network_seconds: float = Field(0.0, description="In the network, over all tiles")
    slowest_tile: float = Field(0.0, description="Seconds that the network took for it")
    drift: dict[str, float] = Field(
        default_factory=dict, description="How unlike the training it is: see `Drift`, score above 1 is warned of"
    )
    warning: str = Field("", description="Why it is unlike, in one line")
    causes: tuple[str, ...] = Field((), description="The same by name")
    finished: str = Field("", description="When, UTC")


class Records:
    """The records in a batch's folder.

    Parameters
    ----------
    out : Path
        Where the batch writes to.
    """

    def __init__(self, out: Path) -> None:
        self._out = out

    def path(self, name: str, ending: str = ".json") -> Path:
        """Return where what belongs to an image is kept; the folder is made."""
        path = self._out / RUN / _ITEMS / f"{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def read(self, name: str) -> Record | None:
        """Return the record of an image; None where there is none that can be read."""
        try:
            return Record.model_validate_json(self.path(name).read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None

    def write(self, record: Record) -> None:
        """Keep a record, in the place of an earlier one."""
        path = self.path(record.name)
        with writing(path), whole_or_nothing(path) as part:
            part.write_text(record.model_dump_json(indent=1), encoding="utf-8")

    def is_done(self, record: Record | None, key: str) -> bool:
        """Whether an image is finished: its results hold, byte by byte, what was written for this very key."""
        if record is None or record.state != "done" or record.key != key:
            return False
        return all(self._holds(name, sha256) for name, sha256 in record.files.items())

    def hashes(self, files: tuple[Path, ...]) -> dict[str, str]:
        """Return results, relative to the batch's folder, with what they hold."""
        return {file.relative_to(self._out).as_posix(): tree_sha256(file) for file in files}

    def _holds(self, name: str, sha256: str) -> bool:
        path = self._out / name
        return path.exists() and tree_sha256(path) == sha256
