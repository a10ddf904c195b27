"""What panels have in common that run a model of the zoo over the image of a layer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import napari
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget

from napari_bioseg.core.errors import BiosegError, IncompatibleImageError, RecipeError, UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.job import Job
from napari_bioseg.core.options import Options
from napari_bioseg.models import Card
from napari_bioseg.plugin.command import beside, command_line
from napari_bioseg.plugin.images import like_file, source_of
from napari_bioseg.plugin.settings import change_settings, load_settings, settings_file
from napari_bioseg.plugin.zoo_entries import zoo_events
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.job_panel import JobPanel
from napari_bioseg.widgets.warm_up import load_engine, read_zoo
from napari_bioseg.widgets.worker import Task, show_problem
from napari_bioseg.workflows.batch_options import batch_recipe

log = logging.getLogger("napari_bioseg")

NOT_REMEMBERED = {"region", "channel"}


class ModelPanel(JobPanel):
    """Models, remembered options, and the command line that does the same.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    view : ModelView
        With its ``forms``.
    """

    warmed = Signal()  # the engine is loaded

    options: ClassVar[type[Options]]
    remembered_as: ClassVar[str]  # field of `Settings`
    ending: ClassVar[str]  # of files of results, after the name of the image

    def __init__(self, napari_viewer: napari.Viewer, view: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, view, parent)
        self.warm = False  # whether the engine is loaded
        self._zoo = Connections(self)
        self._zoo.add(zoo_events.changed, self.read_zoo)

    def request(self) -> Any:
        """Return what the panel would ask of the engine now: with ``name`` and ``options``."""
        raise NotImplementedError

    def chosen(self) -> tuple[Any, Card]:
        """Return the layer and the model that are chosen.

        Raises
        ------
        IncompatibleImageError
            There is no image, or no model that takes it.
        """
        layer, card = self.view.image.layer, self.view.model.card()
        if layer is None:
            raise IncompatibleImageError("image", "none is open", "Open one first")
        if card is None:
            raise IncompatibleImageError(
                layer.name, "no model is chosen that takes it", "Choose another image or model"
            )
        return layer, card

    def copy_command(self) -> None:
        """Put the command line that does the same on the clipboard, once the image was compared with its file."""
        try:
            text, check = self._command()
        except BiosegError as error:
            show_problem(error)
            return

        def work(_job: Job) -> str:
            check()
            return text

        task = Task(work, self)
        task.succeeded.connect(self._copied)
        task.start()

    def command(self) -> str:
        """Return the command line that does what the panel would do now.

        Raises
        ------
        BiosegError
            As `request`; or the image is not in a file, or was changed since it was opened.
        """
        text, check = self._command()
        check()
        return text

    def _command(self) -> tuple[str, Callable[[], None]]:
        request, layer = self.request(), self.view.image.layer
        source, origin = source_of(layer)
        if source is None:
            raise IncompatibleImageError(request.name, "is not in a file", "Save the image first, then open it")
        return command_line(source, request.options, beside(source, self.ending), origin), like_file(layer)

    def _copied(self, text: str) -> None:
        QApplication.clipboard().setText(text)
        self.view.say([f"Copied: {text}"])

    def save_recipe(self) -> None:
        """Ask for a file, and keep model and options in it."""
        name, _ = QFileDialog.getSaveFileName(self, "Save recipe", f"{self.remembered_as}.yaml", "Recipes (*.yaml)")
        if name:
            self.save_recipe_to(Path(name).with_suffix(".yaml"))

    def save_recipe_to(self, out: Path) -> None:
        """Keep in a file what the panel would do now, for many images."""
        try:
            options = self.request().options
            _, origin = source_of(self.view.image.layer)
            with writing(out), whole_or_nothing(out) as part:
                part.write_text(batch_recipe(options, axes=origin.axes).to_yaml(), encoding="utf-8")
        except BiosegError as error:
            show_problem(error)
        else:
            self.view.say([f"Saved {out}; Batch and 'bioseg batch --recipe' take it"])

    def out_beside(self, otherwise: str) -> Path:
        """Return where results go unless the user says otherwise: beside the image, if this is in a file."""
        source = source_of(self.view.image.layer)[0] if self.view.image.layer is not None else None
        return beside(source, self.ending) if source is not None else Path(otherwise)

    def resample_changed(self, _name: str = "") -> None:
        """Let the model's lines follow the choice."""
        self.view.model.set_resample(bool(self.view.resample_form.values()["resample"]))

    def look_for_models(self) -> None:
        """Read the zoo and load the engine, both in the background."""
        self.read_zoo().finished.connect(self._warm)

    def read_zoo(self) -> Task:
        """Read the zoo in the background."""
        zoo = Task(read_zoo, self)
        zoo.succeeded.connect(self.view.model.set_models)
        return zoo.start()

    def restore(self) -> None:
        """Show the options of the last session."""
        fields = self.options.model_fields
        remembered = {k: v for k, v in getattr(load_settings(), self.remembered_as).items() if k in fields}
        try:
            self.options.checked({"model": "any", **remembered}, str(settings_file()))
        except RecipeError as error:
            show_problem(error)
            return
        self.view.model.prefer(remembered.get("model"))
        for form in self.view.forms:
            form.set_values(remembered)

    def remember(self, values: dict[str, Any]) -> None:
        """Keep options for the next session."""
        try:
            change_settings(**{self.remembered_as: {k: v for k, v in values.items() if k not in NOT_REMEMBERED}})
        except UnwritableFileError as error:  # not worth a notification at each click: only convenience is lost
            log.warning("%s; the choices are not remembered", error)

    def values(self, card: Card) -> dict[str, Any]:
        """Return what the forms say, and the model."""
        values: dict[str, Any] = {"model": card.name}
        for form in self.view.forms:
            values |= form.values()
        return values

    def _warm(self) -> None:
        engine = Task(load_engine, self)
        engine.finished.connect(self._warmed)
        engine.start()

    def _warmed(self) -> None:
        self.warm = True
        self.warmed.emit()
