"""The panel "Models": which version of a model is in use; models in and out as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_bioseg.core.job import Job
from napari_bioseg.models import Card
from napari_bioseg.plugin.facts import describe_card, describe_lineage
from napari_bioseg.plugin.zoo_entries import Entry, read_entries, zoo_events
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.job_panel import JobPanel
from napari_bioseg.widgets.models_view import NO_VERSIONS, ModelsView
from napari_bioseg.widgets.worker import Task

ZIP_FILTER = "Zip archives (*.zip)"
MODEL_FILTER = "Models (*.zip *.onnx *.pt *.pth *.safetensors rdf.yaml bioimageio.yaml)"


class ModelsPanel(JobPanel):
    """Models of the zoo, and one click from one version to another.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    shown = Signal()
    """The zoo has been read and is on screen."""
    done = Signal(str)
    """What was asked for has been done; the line says what."""

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, ModelsView(), parent)
        self._entries: tuple[Entry, ...] = ()
        self._entry: Entry | None = None
        self._version: int | None = None
        view = self.view
        view.models.chosen.connect(self._choose_model)
        view.versions.chosen.connect(self._choose_version)
        view.use_button.clicked.connect(self.use_version)
        view.export_button.clicked.connect(partial(self._ask_where, "Export model", "", self.export_to))
        view.bioimageio_button.clicked.connect(
            partial(self._ask_where, "Save BioImage.IO package", "-bioimageio", self.export_bioimageio_to)
        )
        view.import_button.clicked.connect(self._ask_what)
        self._connections = Connections(self)
        self._connections.add(zoo_events.changed, self.read_zoo)
        self._show(())
        self.read_zoo()

    @property
    def chosen(self) -> str | None:
        """The chosen model, with its version where it has some; None while there is none."""
        if self._entry is None:
            return None
        return self._entry.name if self._version is None else f"{self._entry.name}@{self._version}"

    def read_zoo(self) -> None:
        """Read the zoo in the background, and show it."""
        task = Task(lambda _job: read_entries(), self)
        task.succeeded.connect(self._show)
        task.start()

    def choose(self, name: str, version: int | None = None) -> None:
        """Choose a model, and a version of it; none: the one in use."""
        names = [entry.name for entry in self._entries]
        if name in names:
            self.view.models.selectRow(names.index(name))
            self._choose_model(names.index(name), version)

    def use_version(self) -> None:
        """Let the name of the chosen model stand for the chosen version."""
        if self._entry is None or self._version is None or self.running:
            return

        def work(_job: Job) -> Card:
            from napari_bioseg.workflows.promotion import roll_back

            return roll_back(name, version)

        name, version = self._entry.name, self._version
        self.start(work, f"{name}: version {version}", self._used)

    def export_to(self, out: Path) -> None:
        """Save the chosen version as one file."""

        def work(name: str, _job: Job) -> Path:
            from napari_bioseg.models.archive import export_model

            return export_model(name, out)

        self._save(work, out)

    def export_bioimageio_to(self, out: Path) -> None:
        """Save the chosen version as a BioImage.IO package."""

        def work(name: str, _job: Job) -> Path:
            from napari_bioseg.models.bioimageio import export_bioimageio

            return export_bioimageio(name, out)

        self._save(work, out)

    def import_from(self, file: Path) -> None:
        """Take a model from a file into the user's zoo."""

        def work(job: Job) -> Card:
            from napari_bioseg.workflows.third_party import import_file

            return import_file(file, job=job)

        if not self.running:
            self.start(work, f"Importing {file.name}", self._imported)

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        view, free = self.view, not self.running
        used = self._entry is not None and any(v.champion and v.version == self._version for v in self._entry.versions)
        card = self._card()
        view.use_button.setEnabled(free and self._version is not None and not used)
        view.use_button.setText("In use" if used else "Use this version")
        view.export_button.setEnabled(free and card is not None)
        view.bioimageio_button.setEnabled(free and card is not None and card.task != "detection")
        view.import_button.setEnabled(free)

    def _save(self, work: Callable[[str, Job], Path], out: Path) -> None:
        if self.chosen is not None and not self.running:
            self.start(partial(work, self.chosen), f"Saving {out.name}", lambda path: self._tell(f"Saved {path}"))

    def _used(self, card: Card) -> None:
        self._version = int(card.version)
        zoo_events.changed.emit()
        self._tell(f"{card.name} is version {card.version} now, in all panels and on the command line")

    def _imported(self, card: Card) -> None:
        self._entry, self._version = Entry(card.name, card, "", (), {}), int(card.version)
        zoo_events.changed.emit()
        self._tell(f"Imported as version {card.version} of {card.name}")

    def _tell(self, line: str) -> None:
        self.view.say([line])
        self.done.emit(line)

    def _show(self, entries: tuple[Entry, ...]) -> None:
        before, version = self._entry, self._version
        self._entries = entries
        self._entry = self._version = None
        self.view.models.show_rows([entry.row for entry in entries])
        names = [entry.name for entry in entries]
        if before is not None and before.name in names:
            self.choose(before.name, version)
        elif names:
            self.choose(names[0])
        else:
            self._show_versions()
        if entries:
            self.shown.emit()

    def _choose_model(self, row: int, version: int | None = None) -> None:
        self._entry = entry = self._entries[row]
        used = next((v.version for v in entry.versions if v.champion), None)
        numbers = [v.version for v in entry.versions]
        self._version = version if version in numbers else used if used is not None else next(iter(numbers), None)
        self._show_versions()

    def _choose_version(self, row: int) -> None:
        if self._entry is not None:
            self._version = self._entry.versions[row].version
            self._show_card()

    def _show_versions(self) -> None:
        view, entry = self.view, self._entry
        for part in (view.versions, view.use_button):
            part.setVisible(entry is not None and bool(entry.versions))
        view.versions.show_rows(entry.version_rows if entry is not None else [])
        about = entry.problem or ("" if entry.versions else NO_VERSIONS.format(entry.name)) if entry is not None else ""
        view.about.setText(about)
        view.about.setVisible(bool(about))
        if entry is not None and self._version is not None:
            view.versions.selectRow([v.version for v in entry.versions].index(self._version))
        self._show_card()

    def _show_card(self) -> None:
        card = self._card()
        if card is None:
            self.view.card.setText("It is damaged." if self._entry is not None else "Looking for models…")
        else:
            parts = (f"<b>{card.name} {card.version}</b>", describe_card(card), describe_lineage(card))
            self.view.card.setText("<br>".join(filter(None, parts)))
        self.update_buttons()

    def _card(self) -> Card | None:
        if self._entry is None:
            return None
        return self._entry.card if self._version is None else self._entry.cards.get(self._version)

    def _ask_where(self, title: str, ending: str, then: Callable[[Path], None], *_: Any) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, title, f"{(self.chosen or '').replace('@', '-v')}{ending}.zip", ZIP_FILTER
        )
        if name:
            then(Path(name) if Path(name).suffix else Path(name + ".zip"))

    def _ask_what(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Import model", "", MODEL_FILTER)
        if name:
            self.import_from(Path(name))
