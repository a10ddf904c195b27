"""How a run keeps arrays that it must find again as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeVar
from zipfile import BadZipFile

import numpy as np

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.core.files import whole_or_nothing, writing


class Frozen(Protocol):
    """A dataclass of arrays alone, which has a checksum."""

    @property
    def sha256(self) -> str:
        """Checksum of all of it."""


Kind = TypeVar("Kind", bound=Frozen)


def write_frozen(part: Any, path: Path) -> None:
    """Write arrays, whole or not at all; raises `UnwritableFileError` when the disk is full or refuses."""
    with writing(path), whole_or_nothing(path) as temporary:
        np.savez_compressed(temporary, **vars(part))


def read_frozen(kind: type[Kind], path: Path, sha256: str) -> Kind:
    """Read arrays.

    Raises
    ------
    UnreadableFileError
        They are missing, damaged, or do not have this checksum.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            part = kind(**arrays)
    except (OSError, EOFError, ValueError, TypeError, KeyError, BadZipFile) as error:
        raise UnreadableFileError(str(path), "is missing or damaged", "Begin a new run") from error
    if part.sha256 != sha256:
        raise UnreadableFileError(str(path), "is not what the run began with", "Begin a new run")
    return part
