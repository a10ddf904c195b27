"""The panel "Fine-tune": from what was verified to a better model, with one click and in a process of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtWidgets import QWidget

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.plugin.learning import Material, why_no_score
from napari_bioseg.plugin.training_runs import RunState
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.finetune_setup import FineTuneSetup
from napari_bioseg.widgets.finetune_view import FineTuneView
from napari_bioseg.widgets.job_panel import JobPanel
from napari_bioseg.widgets.training_control import TrainingControl
from napari_bioseg.widgets.worker import show_problem
from napari_bioseg.workflows.finetuning import FineTuneOptions, fine_tune_recipe, new_run

PLUGIN, COMPARE = "napari-bioseg", "Compare"


class FineTunePanel(JobPanel):
    """What the controls of `FineTuneView` do.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, FineTuneView(napari_viewer), parent)
        view = self.view
        self.setup = FineTuneSetup(napari_viewer, view, self)
        self.training = TrainingControl(view, self)
        view.start_button.clicked.connect(self.fine_tune)
        view.resume_button.clicked.connect(self.resume)
        view.compare_button.clicked.connect(self.compare)
        view.runs.chosen.connect(self._show_chosen)
        self.setup.changed.connect(self.update_buttons)
        self.setup.looked.connect(self._looked)
        self.training.trained.connect(self._trained)
        self.training.left.connect(self.setup.look)
        self._connections = Connections(self)
        if hasattr(napari_viewer.events, "theme"):
            self._connections.add(napari_viewer.events.theme, self._theme_changed)
        self.update_buttons()
        self.setup.look()

    def fine_tune(self) -> None:
        """Train on the ticked projects with the options shown."""
        if self.running:
            return
        try:
            projects, options = self.setup.request()
        except BiosegError as error:
            show_problem(error)
            return
        self.setup.remember(options)
        self.view.show_nothing(why_no_score(self.view.projects.lessons()))
        self.training.begin(partial(_new_run, projects, options), "Starting")

    def resume(self) -> None:
        """Go on with the training that the button names."""
        state = self.view.runs.unfinished()
        if state is not None and not self.running:
            self.training.show_state(state)
            self.training.begin(lambda: state.folder, f"Resuming {state.folder.name}")

    def compare(self) -> None:
        """Open the panel Compare on the chosen run."""
        state = self.view.runs.state()
        if state is not None and state.model is not None:
            self._compare(state)

    def cancel(self) -> None:
        """Stop the training under way; it can be resumed."""
        if self._task is not None:
            self._task.cancel()

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        view, free = self.view, not self.running
        learnt = any(lesson.split.train for lesson in view.projects.lessons())
        view.start_button.setEnabled(free and learnt and view.model.currentData() is not None)
        state, unfinished = view.runs.state(), view.runs.unfinished()
        view.compare_button.setEnabled(free and state is not None and state.model is not None and state.scored)
        view.show_resume(unfinished.told if free and unfinished is not None else None)

    def ended(self) -> None:
        """Show that no training runs."""
        super().ended()
        self.training.over()

    def _looked(self, material: Material) -> None:
        self.view.runs.show_runs(material.runs)
        self.update_buttons()

    def _show_chosen(self) -> None:
        state = self.view.runs.state()
        self.update_buttons()
        if state is not None and not self.running:
            self.training.show_state(state)

    def _trained(self, state: RunState) -> None:
        self.view.runs.choose(state.folder)
        if state.scored:
            self._compare(state)

    def _compare(self, state: RunState) -> None:
        if hasattr(self._viewer, "window"):
            _, panel = self._viewer.window.add_plugin_dock_widget(PLUGIN, COMPARE)
            panel.show_run(state.folder)

    def _theme_changed(self, event: Any) -> None:
        self.view.curves.show_theme(event.value)


def _new_run(projects: list[Path], options: FineTuneOptions) -> Path:
    return new_run(projects[0], fine_tune_recipe(projects, options))
