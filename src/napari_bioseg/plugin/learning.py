"""What can be learnt from the projects of a window, read and told in words before anything is trained. No Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.contents import read_journal
from napari_bioseg.corrections.corrected import find_corrected
from napari_bioseg.corrections.held_out import HeldOut, Split, read_held_out, split
from napari_bioseg.corrections.project import BOXES, LABELS, Project, Saved, read_project
from napari_bioseg.corrections.verified import Verified
from napari_bioseg.models import Card, list_models
from napari_bioseg.plugin.images import source_of
from napari_bioseg.plugin.projects import held_projects, projects_of
from napari_bioseg.plugin.training_runs import RunState, read_runs

TASKS = {LABELS: "semantic", BOXES: "detection"}
"""What models learn from each kind of prediction."""

LEAST = 3  # verified slices from which one is held out; `corrections.held_out` decides


@dataclass(frozen=True)
class Lesson:
    """What a project has to learn from.

    Attributes
    ----------
    project : Path
    name : str
        Of its image.
    model : str
        That made the prediction which was corrected; empty where that is not known.
    whole, parts : int
        Slices that are verified, wholly and in part.
    trained, held_out : int
        How many were trained on and held out by runs before.
    split : Split
        What a run would do with them now.
    task : str
        Of the models that learn from it: ``semantic`` from labels, ``detection`` from boxes.
    """

    project: Path
    name: str
    model: str
    whole: int
    parts: int
    trained: int
    held_out: int
    split: Split
    task: str = "semantic"

    @property
    def verified(self) -> int:
        """Slices of which something is verified."""
        return self.whole + self.parts

    def __str__(self) -> str:
        before = [f"{n} {words}" for n, words in ((self.trained, "learnt"), (self.held_out, "held out")) if n]
        told = f" ({', '.join(before)} before)" if before else ""
        words = "verified" if self.task == "semantic" else "with checked boxes"
        return f"{self.name}: {_slices(self.whole, self.parts)} {words}{told}"


@dataclass(frozen=True)
class Material:
    """All that a fine-tuning is chosen from.

    Attributes
    ----------
    lessons : tuple of Lesson
    runs : tuple of RunState
        Of the projects of the lessons.
    cards : tuple of Card
        Models of the zoo that can go on.
    problems : tuple of str
        In one line each, why nothing can be learnt from other projects.
    """

    lessons: tuple[Lesson, ...] = ()
    runs: tuple[RunState, ...] = ()
    cards: tuple[Card, ...] = ()
    problems: tuple[str, ...] = ()


def projects_open(layers: Iterable[Any]) -> list[Path]:
    """Return the projects of the images and corrections that are open, each once.

    Parameters
    ----------
    layers : iterable of napari layers
    """
    kept = list(layers)
    found = [project.folder for project in held_projects(kept)]
    for layer in kept:
        found += [folder for what in TASKS for folder in projects_of(*source_of(layer), what)]
    return list({folder.resolve(): folder for folder in found}.values())


def read_lessons(project: Path) -> list[Lesson]:
    """Read what a project has to learn from, labels and boxes: its journals and what is held out, none of its pixels.

    Raises
    ------
    UnreadableFileError
        It is no project, nothing of it was corrected, or it is damaged.
    """
    opened, before = read_project(project), read_held_out(project)
    corrected = [what for what in TASKS if any(saved.journal.is_file() for saved in opened.predictions(what))]
    # Of a project without any, the error says what is missing.
    return [_lesson(opened, find_corrected(opened, what=what), before) for what in corrected or [LABELS]]


def _lesson(project: Project, saved: Saved, before: HeldOut) -> Lesson:
    boxes = saved.info.boxes
    shape = boxes.shape if boxes is not None else tuple(saved.labels().shape)
    states = Verified.of(read_journal(saved.journal), shape).planes()
    planes = [plane[0] if plane else 0 for plane in states]
    whole = sum(state == "all" for state in states.values())
    # The name of the file, since that of a layer may be of a channel of it.
    name = project.folder.name.removesuffix(".bioseg")
    model = str(saved.info.provenance.get("model", ""))
    trained, held_out = len(before.trained), len(before.planes)
    found, task = split(before, planes, "auto"), TASKS[BOXES if boxes is not None else LABELS]
    return Lesson(project.folder, name, model, whole, len(planes) - whole, trained, held_out, found, task)


def read_material(projects: Iterable[Path], _job: Job | None = None) -> Material:
    """Read what projects have to learn from, their runs, and the models of the zoo."""
    lessons: list[Lesson] = []
    problems = []
    # Each once, also where it is open and was added by hand.
    for project in {folder.resolve(): folder for folder in projects}.values():
        try:
            lessons += read_lessons(project)
        except BiosegError as error:
            problems.append(str(error))
    runs = read_runs(dict.fromkeys(lesson.project for lesson in lessons))
    return Material(tuple(lessons), runs, list_models(), tuple(problems))


def tell_plan(lessons: Sequence[Lesson]) -> str:
    """Say in one line what a run would learn from and what it would hold out."""
    verified = sum(lesson.verified for lesson in lessons)
    if not verified:
        where = "press V in the panel Correct on a slice whose labels are right, or check a frame in Detect"
        return f"Nothing is verified yet: {where}."
    train = sum(len(lesson.split.train) for lesson in lessons)
    test = sum(len(lesson.split.test) for lesson in lessons)
    told = f"{_slices(verified)} verified: "
    if not train:
        return told + "held out, or beside what is held out. Verify one further away to learn from."
    if test:
        between = verified - train - test
        gap = f", {between} left out between, too much alike" if between else ""
        return f"{told}{train} to learn from, {test} held out to compare on{gap}."
    which = {1: "it", 2: "both"}.get(train, f"all {train}")
    told += f"it will learn from {which} and cannot compare; "
    if len(lessons) == 1 and verified < LEAST:
        missing = LEAST - verified
        return f"{told}verify {'one' if missing == 1 else missing} more."
    return told + "verify others, not beside those that were trained on."


def why_no_score(lessons: Sequence[Lesson]) -> str:
    """Return why a run would have no score, in words; empty where it would have one."""
    if any(lesson.split.test for lesson in lessons):
        return ""
    verified = sum(lesson.verified for lesson in lessons)
    if verified < LEAST:
        return f"No score: {_slices(verified)} verified, {LEAST} are needed."
    return "No score: nothing is held out, as all was trained on before or lies beside it."


def _slices(whole: int, parts: int = 0) -> str:
    told = f"{whole} slice{'s' * (whole != 1)}"
    return told if not parts else f"{told} and {parts} in part"
