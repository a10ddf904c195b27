"""Which planes of a project are trained on and which are held out, for good.

    NAME.bioseg/held_out.yaml

A plane is held out once and never trained on afterwards, nor are the planes beside it, which look like it. Until there
is such a hold-out, the file notes what was trained on: a model may go on from there, and must not be tested on it. Both
stay when a run is discarded: a hold-out that could be drawn anew would be drawn until it suits, and the note does not
say by which runs its planes were trained on, of which others may have become models elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import Field

from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.options import Options
from napari_bioseg.corrections.project_info import read_info

FILE = "held_out.yaml"
SHARE = 0.2
"""Of the verified planes, at least one of them: this much is held out."""
_LEAST = 3  # one to train on, one between, one to test on

Use = Literal["train", "test", "auto"]


class HeldOut(Options):
    """What ``held_out.yaml`` says; planes are numbered from 0 along the axis before Y and X."""

    format: str = "napari-bioseg held out"
    version: int = 1
    planes: tuple[int, ...] = Field((), description="Held out; once there are some, the file never changes again")
    trained: tuple[int, ...] = Field((), description="Trained on before anything was held out")
    created: str = Field("", description="When that was decided, UTC")
    why: str = Field("", description="In words")


@dataclass(frozen=True)
class Split:
    """What one run does with the verified planes of a project.

    Attributes
    ----------
    train, test : tuple of int
        Planes that do not touch each other.
    held_out : HeldOut
        What is known of the project from now on.
    note : str
        For the user: what is held out, or why nothing is.
    """

    train: tuple[int, ...]
    test: tuple[int, ...]
    held_out: HeldOut
    note: str


def read_held_out(project: Path) -> HeldOut:
    """Return what is held out of a project; nothing is where the file is not there.

    Raises
    ------
    UnreadableFileError
        It is damaged or was made by a newer version.
    """
    path = project / FILE
    return read_info(HeldOut, path) if path.is_file() else HeldOut()


def write_split(project: Path, verified: Sequence[int], use: Use) -> Split:
    """Split as `split` does, and note in the project what must be known in later runs.

    Raises
    ------
    UnreadableFileError
        As for `read_held_out`.
    UnwritableFileError
        The project cannot be written, so that later runs would not know what to leave out.
    """
    before = read_held_out(project)
    found = split(before, verified, use)
    # A folder that cannot be written is no harm where all is noted already.
    return found if found.held_out == before else _note(project, verified, use)


def _note(project: Path, verified: Sequence[int], use: Use) -> Split:
    path, lock = project / FILE, FileLock(project / f".{FILE}.lock")
    with writing(path):
        lock.acquire()
    try:
        # Once more: another run may just have decided.
        before = read_held_out(project)
        found = split(before, verified, use)
        if found.held_out != before:
            noted = found.held_out.model_copy(update={"created": datetime.now(UTC).isoformat(timespec="seconds")})
            with writing(path), whole_or_nothing(path) as part:
                part.write_text(noted.to_yaml(), encoding="utf-8")
    finally:
        lock.release()
    return found


def split(before: HeldOut, verified: Sequence[int], use: Use) -> Split:
    """Say which of the verified planes to train on and which to test on.

    Parameters
    ----------
    before : HeldOut
        What is known of the project.
    verified : sequence of int
        Planes of which something is verified, in order.
    use : {"train", "test", "auto"}
        ``auto`` holds out a fifth in one block where nothing is held out yet, ``test`` all that was never trained on;
        ``train`` trains on what is not held out.

    Returns
    -------
    Split
        Either part may be empty.
    """
    chosen, why = _choose(before, verified, use)
    test = tuple(p for p in verified if p in chosen) if use != "train" else ()
    train = _apart(verified, chosen) if use != "test" else ()
    trained = before.trained if chosen else tuple(sorted({*before.trained, *train}))
    known = (chosen, trained) == (before.planes, before.trained)
    after = before if known else before.model_copy(update={"planes": chosen, "trained": trained, "why": why})
    return Split(train, test, after, _told(test, verified, train) if chosen and use != "train" else why)


def _choose(before: HeldOut, verified: Sequence[int], use: Use) -> tuple[tuple[int, ...], str]:
    """Return what is held out from now on, and why that or nothing is."""
    if before.planes:
        return before.planes, f"{_planes(before.planes)} held out before"
    if use == "train":
        return (), "nothing is held out, as the recipe says use: train"
    if use == "test":
        return _apart(verified, before.trained), "the recipe says use: test"
    if len(verified) < _LEAST:
        count = f"{len(verified)} plane{'s' if len(verified) != 1 else ''}"
        return (), f"nothing is held out and no score can be given: {count} verified, {_LEAST} are needed"
    chosen = _block(verified, before.trained)
    if not chosen:
        problem = "all planes were trained on before, or are beside such ones; verify others"
        return (), f"nothing is held out and no score can be given: {problem}"
    return chosen, f"a block of {len(chosen)} of {len(verified)} verified planes, with a gap of one plane"


def _block(verified: Sequence[int], trained: Iterable[int]) -> tuple[int, ...]:
    """Return about a fifth of the planes, side by side: the block that costs the fewest planes to its gap."""
    free = set(_apart(verified, trained))
    for count in range(max(1, round(SHARE * len(verified))), 0, -1):
        windows = [tuple(verified[i : i + count]) for i in range(len(verified) - count + 1)]
        left = [(len(_apart(verified, w)), w) for w in windows if free.issuperset(w)]
        # The last of the best; without a plane to train on there is nothing to test.
        best = max(left, default=(0, ()))
        if best[0]:
            return best[1]
    return ()


def _apart(planes: Iterable[int], others: Iterable[int]) -> tuple[int, ...]:
    """Return the planes that are neither among the others nor beside one."""
    near = {p + d for p in others for d in (-1, 0, 1)}
    return tuple(p for p in planes if p not in near)


def _told(test: tuple[int, ...], verified: Sequence[int], train: tuple[int, ...]) -> str:
    if not test:
        return "no score can be given: nothing that is held out is verified any more"
    gap = len(verified) - len(train) - len(test)
    between = f", {gap} left out between" if gap and train else ""
    return f"{_planes(test)} held out, {len(train)} trained on{between}"


def _planes(planes: Sequence[int]) -> str:
    """Return planes in words, neighbours as a range."""
    starts = [p for p in planes if p - 1 not in planes]
    ends = [p for p in planes if p + 1 not in planes]
    text = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
    return f"plane{'s' if len(planes) != 1 else ''} {text}"
