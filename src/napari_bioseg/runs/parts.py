"""Runs that are parts of another one, in folders under it: ``fold-1``, ``member-2``, ``fold-1/member-2``."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.runs.info import INFO, read_info

_PARTS = ("*", "*/*")


def with_parts(folders: Iterable[Path]) -> list[Path]:
    """Return runs with their parts, and what they are a part of before them."""
    found: dict[Path, None] = {}
    for folder in folders:
        whole = _whole(folder.absolute())
        parts = sorted(p.parent for pattern in _PARTS for p in whole.glob(f"{pattern}/{INFO}") if _is_part(p.parent))
        found |= dict.fromkeys((whole, *parts))
    return list(found)


def _is_part(folder: Path) -> bool:
    with suppress(UnreadableFileError):
        info = read_info(folder)
        return info is not None and info.parent is not None
    return False


def _whole(folder: Path) -> Path:
    """Return the run that a run is a part of; itself where it is none, or where that is not around it."""
    with suppress(UnreadableFileError):
        info = read_info(folder)
        parent = info.parent if info else None
        for above in folder.parents[:2] if parent else ():
            found = read_info(above)
            if found is not None and found.id == parent:
                return above
    return folder
