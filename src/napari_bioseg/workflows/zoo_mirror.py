"""The models of runs in a registry, under the names that they have in the zoo; its champions are followed."""

from __future__ import annotations

from itertools import takewhile

from napari_bioseg.core.errors import BrokenModelError
from napari_bioseg.models.card import read_card
from napari_bioseg.models.importing import files_of
from napari_bioseg.models.versions import Family
from napari_bioseg.models.zoo import find_family, list_families
from napari_bioseg.runs.mirror import Mirror
from napari_bioseg.runs.registry import crown, log_model, register
from napari_bioseg.runs.trained_model import TrainedModel
from napari_bioseg.workflows.run_contents import model_of


class ZooMirror:
    """Puts models into the registry of a mirror.

    Parameters
    ----------
    mirror : Mirror
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._families = _families()
        self._touched: set[str] = set()

    def put(self, model: TrainedModel, run: str) -> None:
        """Put what a run made there: as a version of the families of the zoo that have it, else under its own name.

        Parameters
        ----------
        model : TrainedModel
        run : str
            The server's id of the run.
        """
        families = self._families.get(model.sha256, ())
        log_model(self._mirror, model, files_of(read_card(model.folder)), run)
        for name in families or (model.name,):
            register(self._mirror, name, model, run)
        self._touched.update(families)

    def follow(self) -> None:
        """Have the alias ``champion`` mean there what it means here, in each family that something was put into."""
        for name in sorted(self._touched):
            family = find_family(name)
            try:
                folder = family.version(family.champion)
                card = read_card(folder)
            except BrokenModelError:  # there is none, for now
                continue
            model = model_of(card, folder)
            # It may be one that no run here has made.
            log_model(self._mirror, model, files_of(card))
            crown(self._mirror, name, register(self._mirror, name, model), _champion_since(family))


def _families() -> dict[str, tuple[str, ...]]:
    """Return the families that have a version with given weights, by the sha256 of these."""
    found: dict[str, tuple[str, ...]] = {}
    for name in list_families():
        family = find_family(name)
        for number in family.versions:
            try:
                sha256 = read_card(family.version(number)).sha256
            except BrokenModelError:
                continue
            found[sha256] = tuple(dict.fromkeys((*found.get(sha256, ()), name)))
    return found


def _champion_since(family: Family) -> str:
    """Return when the champion was chosen; empty where the history does not say."""
    champion = family.champion
    events = list(takewhile(lambda event: event.champion == champion, reversed(family.history())))
    return events[-1].time if events else ""
