"""The images of a batch, and what their results are called."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeVar

from napari_bioseg.core.errors import BiosegError, RecipeError, UnreadableFileError
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.project import ENDING
from napari_bioseg.io import can_open, list_series
from napari_bioseg.io.writing import ZARR_MARKS

P = TypeVar("P", bound=PurePath)

_ENDINGS = (".ome.zarr", ".ome.tiff", ".ome.tif", ".nii.gz")


@dataclass(frozen=True)
class Item:
    """One image of a batch.

    Attributes
    ----------
    name : str
        What its results are called, with the subfolders that they go to, separated by ``/``.
    source : Path
    series : int
        Which image of a file with several.
    weight : int
        Bytes on disk: how much of the work it is, about.
    """

    name: str
    source: Path
    series: int = 0
    weight: int = 1


def find_items(
    inputs: Sequence[str | Path], out: Path, *, planes: bool = False, job: Job | None = None
) -> tuple[Item, ...]:
    """Return the images that files, folders and patterns stand for, in a fixed order.

    A folder stands for the images in it and in its subfolders; hidden files, projects and what lies in `out` are left
    out. A name tells where the image lies below the folder, below the fixed part of the pattern, or below the folder
    that all files have in common, so that the same inputs give the same names.

    Parameters
    ----------
    inputs : sequence of str or Path
        Files, folders, and patterns with ``*``, ``?``, ``[...]`` and ``**``.
    out : Path
        Where results go.
    planes : bool
        A folder of numbered planes is one image.
    job : Job, optional
        One step an image; files are opened to count what they hold.

    Raises
    ------
    UnreadableFileError
        An input is empty, or stands for nothing.
    RecipeError
        The results of two images would go to the same place.
    """
    job = job or Job()
    files = [
        Path(i)
        for i in map(os.path.expanduser, map(str, inputs))
        if not _is_pattern(i) and not _is_plain_folder(Path(i))
    ]
    common = common_folder([file.absolute() for file in files])
    found: dict[Path, Path] = {}
    for text in inputs:
        for path, root in _expanded(os.path.expanduser(str(text)), common, out.absolute(), planes):
            found.setdefault(path.absolute(), root)
    items = []
    job.stage("Looking at the images", len(found))
    for path, root in found.items():
        items += _series_of(path, root)
        job.step()
    return _named(items)


def common_folder(files: Sequence[P]) -> P | None:
    """Return the lowest folder that all files lie in, by their absolute paths; None where they are on two drives."""
    shared = set.intersection(*({*file.parents} for file in files)) if files else set[P]()
    return max(shared, key=lambda folder: len(folder.parts), default=None)


def fingerprint(source: Path) -> str:
    """Return a figure that changes when a file, or a file in a folder, is changed: by its size and time, not read."""
    files = sorted(f for f in source.rglob("*") if f.is_file()) if source.is_dir() else [source]
    states = [(f.relative_to(source).as_posix(), s.st_size, s.st_mtime_ns) for f in files for s in (f.stat(),)]
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()


def _expanded(text: str, common: Path | None, out: Path, planes: bool) -> Iterator[tuple[Path, Path]]:
    """Yield the images of an input, each with the folder that its name begins below."""
    path = Path(text)
    if not text:  # a variable of the shell that is not set; as a path it would be the whole folder one is in
        raise UnreadableFileError("an input", "is empty", "Give a file, a folder or a pattern")
    if not _is_pattern(text):
        matches, root = [path], path if _is_plain_folder(path) else common or path.parent
    else:
        matches, root = [Path(m) for m in sorted(glob.glob(text, recursive=True))], fixed_part(path)
    count = 0
    for match in matches:
        for image in _images_in(match, out, planes) if _is_plain_folder(match) else [match]:
            count += 1
            yield image, root.absolute()
    if not count and path.absolute() != out:
        problem = "no file of this pattern is there" if _is_pattern(text) else "holds no image that we can read"
        raise UnreadableFileError(text, problem, "Check the path; patterns go in quotes")


def _images_in(folder: Path, out: Path, planes: bool) -> Iterator[Path]:
    if folder.absolute() == out:
        return
    entries = sorted(e for e in folder.iterdir() if not e.name.startswith("."))
    if planes and not any(e.is_dir() for e in entries) and can_open(folder):
        yield folder
        return
    for entry in entries:
        if not entry.is_dir():
            # Of a pair of Analyze or NIfTI files, the header stands for both.
            if can_open(entry) and not (entry.suffix == ".img" and entry.with_suffix(".hdr").is_file()):
                yield entry
        elif _is_zarr(entry):
            yield entry
        elif not entry.name.endswith(ENDING):
            yield from _images_in(entry, out, planes)


def _series_of(path: Path, root: Path) -> list[Item]:
    try:
        count = len(list_series(path))
        files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
        weight = sum(f.stat().st_size for f in files)
    except (BiosegError, OSError):
        count, weight = 1, 1  # what is wrong with it is told when its turn comes
    relative = PurePosixPath(os.path.relpath(path, root).replace(os.sep, "/"))
    stem = relative.with_name(_stem(relative.name))
    endings = [""] if count == 1 else [f".s{i}" for i in range(count)]
    return [Item(f"{stem}{e}", path, i, max(1, weight // count)) for i, e in enumerate(endings)]


def _named(items: Sequence[Item]) -> tuple[Item, ...]:
    """Tell images apart that would be called the same: by their endings."""
    counts = Counter(item.name.lower() for item in items)
    named = [item if counts[item.name.lower()] == 1 else replace(item, name=_with_ending(item)) for item in items]
    for name, n in Counter(item.name.lower() for item in named).items():
        if n > 1:
            same = [str(item.source) for item in named if item.name.lower() == name]
            problem = f"their results would both be called {name}"
            raise RecipeError(" and ".join(same[:2]), problem, "Give them in two batches, or the folder above them")
    return tuple(named)


def _with_ending(item: Item) -> str:
    ending = item.source.name[len(_stem(item.source.name)) :].replace(".", "-")
    return f"{item.name}{ending}"


def _stem(name: str) -> str:
    ending = next((e for e in _ENDINGS if name.lower().endswith(e)), Path(name).suffix)
    return name[: -len(ending)] if ending else name


def fixed_part(pattern: Path) -> Path:
    """Return the folders before the first wildcard of a pattern; a path without one is returned whole."""
    parts = []
    for part in pattern.parts:
        if _is_pattern(part):
            break
        parts.append(part)
    return Path(*parts)


def _is_pattern(text: str | Path) -> bool:
    return glob.has_magic(str(text)) and not os.path.exists(text)


def _is_zarr(path: Path) -> bool:
    return any((path / mark).exists() for mark in ZARR_MARKS)


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not _is_zarr(path)
