"""What the panel "Models" shows of the zoo, and how panels hear that it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psygnal import Signal

from napari_bioseg.core.errors import BrokenModelError
from napari_bioseg.models.card import Card, read_card
from napari_bioseg.models.zoo import FINDS, find_model, list_families, list_models
from napari_bioseg.workflows.promotion import VersionInfo, versions


class ZooEvents:
    """Emitted in the GUI thread by the panel that has changed the zoo; others read it again."""

    changed = Signal()


zoo_events = ZooEvents()


@dataclass(frozen=True)
class Entry:
    """A model of the zoo.

    Attributes
    ----------
    name : str
    card : Card or None
        What the name stands for; None where it is damaged.
    problem : str
        What is wrong with it, else empty.
    versions : tuple of VersionInfo
        Empty for a model that was never promoted or imported.
    cards : dict of int to Card
        Of its versions, less those that are damaged.
    """

    name: str
    card: Card | None
    problem: str
    versions: tuple[VersionInfo, ...]
    cards: dict[int, Card]

    @property
    def row(self) -> tuple[str, str, str]:
        """Name, version, and what it takes."""
        if self.card is None:
            return self.name, "?", "damaged"
        count = f" of {len(self.versions)}" if self.versions else ""
        finds = FINDS.get(self.card.task, self.card.task)
        return self.name, f"{self.card.version}{count}", f"{finds}, {self.card.input.axes}"

    @property
    def version_rows(self) -> list[tuple[str, str, str, str]]:
        """Of each version its number with the mark of the champion, when it came, its first score, its parent."""
        return [
            (
                f"{'●' if v.champion else '○'} {v.version}",
                _day(v.created),
                v.scores.split(",")[0],
                v.parent.removeprefix(f"{self.name} "),
            )
            for v in self.versions
        ]


def read_entries() -> tuple[Entry, ...]:
    """Read the zoo, with what is damaged in the user's own."""
    cards = {card.name: card for card in list_models()}
    return tuple(_entry(name, cards.get(name)) for name in sorted({*cards, *list_families()}))


def _entry(name: str, card: Card | None) -> Entry:
    found = versions(name) if name in list_families() else ()
    known = {}
    for info in found:
        try:
            known[info.version] = read_card(info.path)
        except BrokenModelError:  # its row says what is wrong
            continue
    return Entry(name, card, _problem(name) if card is None else "", found, known)


def _problem(name: str) -> str:
    try:
        read_card(find_model(name))
    except BrokenModelError as error:
        return str(error)
    return ""


def _day(time: str) -> str:
    try:
        return datetime.fromisoformat(time).astimezone().date().isoformat()
    except ValueError:
        return ""
