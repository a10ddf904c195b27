"""What a fine-tuning is started with, in the panel "Fine-tune": projects, model, name, options."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QFileDialog

from napari_bioseg.core.errors import IncompatibleImageError, RecipeError, UnwritableFileError
from napari_bioseg.corrections.project import ENDING
from napari_bioseg.plugin.learning import Material, projects_open, read_material, tell_plan
from napari_bioseg.plugin.projects import holder_of
from napari_bioseg.plugin.settings import change_settings, load_settings, settings_file
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.worker import Task, show_problem
from napari_bioseg.workflows.finetuning import FineTuneOptions, default_name

log = logging.getLogger("napari_bioseg")

LOOK_MS = 400  # after the last of several changes
NOT_REMEMBERED = {"model", "name"}  # they follow what is open


class FineTuneSetup(QObject):
    """Follows what is open and verified, and fills in the model and the name that suit it.

    Parameters
    ----------
    viewer : napari.Viewer
    view : FineTuneView
    parent : FineTunePanel
    """

    looked = Signal(object)  # the Material that has been read
    changed = Signal()

    def __init__(self, viewer: Any, view: Any, parent: Any) -> None:
        super().__init__(parent)
        self._viewer, self._view, self._panel = viewer, view, parent
        self.material = Material()
        self.added: list[Path] = []
        self._picked = False  # whether the user has chosen the model
        self._looking: Task | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look_once_saved)
        view.add_button.clicked.connect(self.add_project)
        view.projects.changed.connect(self._choose)
        view.model.activated.connect(self._model_picked)
        self._connections, self._following = Connections(parent), Connections(parent)
        for name in ("inserted", "removed"):
            self._connections.add(getattr(viewer.layers.events, name), self._layers_changed)
        self._follow()
        self._restore()
        self._choose()

    def request(self) -> tuple[list[Path], FineTuneOptions]:
        """Return what Fine-tune would learn from now, and how.

        Raises
        ------
        IncompatibleImageError
            Nothing is verified, there is no model, or labels and boxes are ticked together.
        RecipeError
            An option is wrong.
        """
        lessons = self._view.projects.lessons()
        projects = [lesson.project for lesson in lessons]
        model = self._view.model.currentData()
        if not projects:
            raise IncompatibleImageError("fine-tuning", "nothing verified is ticked", "Verify a slice, or tick one")
        if len({lesson.task for lesson in lessons}) > 1:
            problem = "labels and boxes are ticked, which one model cannot learn"
            raise IncompatibleImageError("fine-tuning", problem, "Tick one kind")
        if model is None:
            raise IncompatibleImageError("fine-tuning", "no model of the zoo can go on", "Put one into the zoo")
        return projects, FineTuneOptions.checked({"model": model, **self._view.values()}, "options of the fine-tuning")

    def add_project(self) -> None:
        """Ask for a project and learn from it as well."""
        name = QFileDialog.getExistingDirectory(self._panel, f"Add project (a folder whose name ends in {ENDING})")
        if name:
            self.added.append(Path(name))
            self.look()

    def look(self) -> None:
        """Read anew, in a worker, what there is to learn from, the models, and the runs."""
        if self._looking is not None:
            self._timer.start()
            return
        folders = [*projects_open(self._viewer.layers), *self.added]
        self._looking = task = Task(partial(read_material, folders), self._panel)
        task.succeeded.connect(self._show)
        task.finished.connect(self._looked)
        task.start()

    def remember(self, options: FineTuneOptions) -> None:
        """Keep options for the next session."""
        values = options.model_dump(mode="json", exclude=NOT_REMEMBERED)
        try:
            change_settings(finetune=values)
        except UnwritableFileError as error:  # not worth a notification: only convenience is lost
            log.warning("%s; the choices are not remembered", error)

    def _layers_changed(self, _event: Any = None) -> None:
        self._follow()
        self._timer.start()

    def _follow(self) -> None:
        """Listen to what is verified in the corrections that are open."""
        self._following.close()
        holders = (holder_of(layer) for layer in self._viewer.layers)
        for marked in (getattr(holder, "marked", None) for holder in holders):
            if marked is not None:
                self._following.add(marked, self._marked)

    def _marked(self) -> None:
        self._timer.start()

    def _look_once_saved(self) -> None:
        holders = [holder_of(layer) for layer in self._viewer.layers]
        if all(getattr(holder, "saved_all", True) for holder in holders):
            self.look()
        else:
            self._timer.start()

    def _show(self, material: Material) -> None:
        self.material = material
        self._view.projects.show_lessons(material.lessons)
        self._choose()
        self.looked.emit(material)

    def _looked(self) -> None:
        self._looking = None

    def _choose(self) -> None:
        combo, lessons = self._view.model, self._view.projects.lessons()
        made = next((lesson.model for lesson in lessons if lesson.model), None)
        wanted = combo.currentData() if self._picked else made
        combo.clear()
        task = lessons[0].task if lessons else "semantic"
        for i, card in enumerate(card for card in self.material.cards if card.task == task):
            combo.addItem(card.name, card.name)
            why = "\nIt made the prediction that you corrected" if card.name == made else ""
            combo.setItemData(i, card.summary + why, Qt.ItemDataRole.ToolTipRole)
        combo.setCurrentIndex(max(combo.findData(wanted), min(0, combo.count() - 1)))
        self._view.plan.setText("\n".join([tell_plan(lessons), *self.material.problems]))
        self._suggest_name()
        self.changed.emit()

    def _model_picked(self) -> None:
        self._picked = True
        self._suggest_name()

    def _suggest_name(self) -> None:
        """Show in the empty field what the name will be."""
        lessons, name = self._view.projects.lessons(), self._view.model.currentData()
        card = next((card for card in self.material.cards if card.name == name), None)
        suggested = default_name(lessons[0].project, card) if lessons and card is not None else ""
        self._view.form.controls["name"].inner.setPlaceholderText(suggested)

    def _restore(self) -> None:
        fields = set(FineTuneOptions.model_fields) - NOT_REMEMBERED
        remembered = {k: v for k, v in load_settings().finetune.items() if k in fields}
        try:
            FineTuneOptions.checked({"model": "any", **remembered}, str(settings_file()))
        except RecipeError as error:
            show_problem(error)
            return
        for form in (self._view.form, self._view.more):
            form.set_values(remembered)
