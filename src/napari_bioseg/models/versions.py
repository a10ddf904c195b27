"""`Family`: a model of the user's zoo in several versions, one of which is the champion.

``ZOO/NAME/versions/1``, ``2``, ... are whole model folders, which never change. ``ZOO/NAME/aliases.yaml`` says which is
the champion, and ``ZOO/NAME/history.jsonl`` gets a line each time that a version comes or the champion changes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import Field

from napari_bioseg.core.errors import BrokenModelError, ModelNotFoundError, RecipeError, UnwritableFileError
from napari_bioseg.core.files import file_sha256, whole_or_nothing, writing
from napari_bioseg.core.options import Options, read_yaml
from napari_bioseg.models.card import CARD_FILE, README_FILE, Card, Lineage, check_weights, read_card
from napari_bioseg.models.version_history import Event, add_event, read_history

VERSIONS, ALIASES, HISTORY = "versions", "aliases.yaml", "history.jsonl"
_PATIENCE = 60.0  # seconds that another program may take to copy a model


class Aliases(Options):
    """What ``aliases.yaml`` says."""

    champion: int = Field(ge=1, description="Version that the bare name of the family stands for")


class Family:
    """The versions of a model.

    Parameters
    ----------
    folder : Path
        Need not be there. What changes it is called inside `changing`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name

    @property
    def versions(self) -> tuple[int, ...]:
        """Numbers of the versions, in order; none where the folder is no family."""
        return tuple(n for n in self._numbers() if (self.folder / VERSIONS / str(n) / CARD_FILE).is_file())

    @property
    def champion(self) -> int:
        """Which version the name stands for.

        Raises
        ------
        BrokenModelError
            The file that says it is missing or damaged, or names a version that is not there.
        """
        path = self.folder / ALIASES
        choose = f"Choose one: bioseg rollback {self.name} --version {' or '.join(map(str, self.versions))}"
        try:
            number = Aliases.checked(read_yaml(path), str(path)).champion
        except RecipeError as error:
            raise BrokenModelError(error.subject, error.problem, choose) from error
        if number not in self.versions:
            raise BrokenModelError(str(path), f"names version {number}, which is not there", choose)
        return number

    def version(self, number: int | str) -> Path:
        """Return the folder of a version.

        Raises
        ------
        ModelNotFoundError
            There is no such version.
        """
        there = [str(n) for n in self.versions]
        if str(number) not in there:
            known = f"Versions of {self.name}: {', '.join(there) or 'none'}"
            raise ModelNotFoundError(f"model '{self.name}@{number}'", "is not in the zoo", known)
        return self.folder / VERSIONS / str(number)

    def history(self) -> tuple[Event, ...]:
        """Return what happened, the oldest first."""
        return read_history(self.folder / HISTORY)

    def champion_before(self) -> int:
        """Return the version that was champion before this one.

        Raises
        ------
        ModelNotFoundError
            There was none, or it is there no more.
        BrokenModelError
            As for `champion`.
        """
        now = self.champion
        for event in reversed(self.history()):
            if event.champion != now and event.champion in self.versions:
                return event.champion
        known = f"Versions: {', '.join(map(str, self.versions))}; give one by --version"
        raise ModelNotFoundError(f"model {self.name!r}", "had no other champion before", known)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other programs from changing the family.

        Raises
        ------
        UnwritableFileError
            The folder cannot be written, or another program has held it for a minute.
        """
        lock = FileLock(self.folder / ".lock")
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=_PATIENCE)
            except Timeout as error:
                problem = "is being changed by another program"
                raise UnwritableFileError(str(self.folder), problem, "Try again later") from error
        try:
            yield
        finally:
            lock.release()

    def add(
        self,
        source: Path,
        what: str,
        *,
        lineage: Lineage | None = None,
        readme: Callable[[Card], str] | None = None,
        champion: bool = False,
        origin: Path | str | None = None,
    ) -> Card:
        """Copy a model folder in as the next version.

        Parameters
        ----------
        source : Path
        what : str
            For the history, as in `Event`.
        lineage : Lineage, optional
            Instead of the one on its card.
        readme : callable, optional
            Writes the README from the new card; none: the README of the source is copied.
        champion : bool
            Whether it becomes the champion; the first version does in any case.
        origin : Path or str, optional
            For the history, where the source is but a copy of it: a file, or an address.

        Returns
        -------
        Card
            With the name of the family and the new number.

        Raises
        ------
        BrokenModelError
            The source has no card or no weights; or as for `champion`, where that is to stay.
        UnwritableFileError
            The disk is full, or the zoo cannot be written.
        """
        number, card = self._next(), read_card(source)
        leader = number if champion or not self.versions else self.champion
        known = {"name": self.name, "version": str(number), "sha256": file_sha256(check_weights(source, card))}
        card = card.model_copy(update={**known, "lineage": lineage or card.lineage})
        self._copy(source, card, readme(card) if readme else _readme(source))
        if leader == number:
            self._crown(number)
        add_event(self.folder / HISTORY, what, number, leader, origin or source)
        return card

    def adopt(self, source: Path) -> None:
        """Copy in a model that one can go back to, unless there is a version with its weights.

        Raises
        ------
        BrokenModelError, UnwritableFileError
            As for `add`.
        """
        if self.with_weights_of(source) is None:
            card = read_card(source)
            sha256 = file_sha256(source / card.weights_file)
            origin = Lineage(parent=card.name, parent_version=card.version, parent_sha256=sha256)
            self.add(source, "copied", lineage=card.lineage or origin)

    def with_weights_of(self, source: Path) -> int | None:
        """Return the first version that has the weights of a model folder; None where none has.

        Raises
        ------
        BrokenModelError
            The folder has no card or no weights.
        """
        card = read_card(source)
        sha256 = file_sha256(check_weights(source, card))
        there = {n: self.version(n) / card.weights_file for n in self.versions}
        return next((n for n, file in there.items() if file.is_file() and file_sha256(file) == sha256), None)

    def choose(self, number: int, what: str = "rolled back") -> None:
        """Make a version the champion; `what` as in `Event`.

        Raises
        ------
        ModelNotFoundError
            There is no such version.
        UnwritableFileError
            The zoo cannot be written.
        """
        self.version(number)
        self._crown(number)
        add_event(self.folder / HISTORY, what, number, number)

    def _copy(self, source: Path, card: Card, readme: str) -> None:
        target = self.folder / VERSIONS / card.version
        with writing(target):
            target.parent.mkdir(exist_ok=True)
            with whole_or_nothing(target, overwrite=False) as part:
                part.mkdir()
                shutil.copyfile(source / card.weights_file, part / card.weights_file)
                (part / CARD_FILE).write_text(card.to_yaml(), encoding="utf-8")
                (part / README_FILE).write_text(readme, encoding="utf-8")

    def _numbers(self) -> list[int]:
        folder = self.folder / VERSIONS
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        return sorted(int(n) for n in names if n.isascii() and n.isdecimal())

    def _next(self) -> int:
        # Above those that were removed, too: a number never stands for two models.
        return max([0, *self._numbers(), *(event.version for event in self.history())]) + 1

    def _crown(self, number: int) -> None:
        path = self.folder / ALIASES
        with writing(path), whole_or_nothing(path) as part:
            part.write_text(Aliases(champion=number).to_yaml(), encoding="utf-8")


def _readme(source: Path) -> str:
    path = source / README_FILE
    return path.read_text(encoding="utf-8") if path.is_file() else ""
