"""The panel "Compare": what a training brought, in words, figures and pictures; then promote it or keep the old one."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QInputDialog, QWidget

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import Job
from napari_bioseg.metrics.paired import TITLES
from napari_bioseg.plugin.comparison_layers import images_missing
from napari_bioseg.plugin.layers import LayerData
from napari_bioseg.plugin.reader import read_layers
from napari_bioseg.plugin.zoo_entries import zoo_events
from napari_bioseg.runs import find_run
from napari_bioseg.widgets.compare_look import CompareLook
from napari_bioseg.widgets.compare_tables import region_rows, scores_of, unit_rows
from napari_bioseg.widgets.compare_view import CompareView
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.job_panel import JobPanel
from napari_bioseg.widgets.open_command import add_layers
from napari_bioseg.widgets.shortcuts import bind
from napari_bioseg.widgets.worker import show_problem
from napari_bioseg.workflows.comparison_result import FILE, Comparison

_ONCE_MORE = "Compared before. Press Show in viewer to see old and new on the slices."


class ComparePanel(JobPanel):
    """What the controls of `CompareView` do.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    shown = Signal(object)  # the Comparison
    promoted = Signal(object)  # the Card

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, CompareView(napari_viewer), parent)
        view = self.view
        self.found: Comparison | None = None
        self.look = CompareLook(napari_viewer, view, self)
        view.run.picked.connect(self.show_run)
        view.run.listed.connect(self.update_buttons)
        view.open_button.clicked.connect(self._open)
        view.compare_button.clicked.connect(self.compare)
        view.show_button.clicked.connect(self.show_layers)
        view.metric.activated.connect(self._show_metric)
        view.units.chosen.connect(self._go_unit)
        view.regions.chosen.connect(self._go_region)
        view.promote_button.clicked.connect(self._ask_name)
        view.keep_button.clicked.connect(self.keep_old)
        view.progress.cancelled.connect(self.cancel)
        self._connections = Connections(self)
        if hasattr(napari_viewer.events, "theme"):
            self._connections.add(napari_viewer.events.theme, self._theme_changed)
        bind(napari_viewer, self, {"blink": self.toggle_blink})
        self.update_buttons()
        view.run.find()

    def show_run(self, run: Path) -> None:
        """Show the comparison of a training: that on disk, or a new one where there is none yet."""
        if self.running:
            return
        try:
            find_run(run)
        except BiosegError as error:
            show_problem(error)
            return
        self.view.run.choose(run)
        self._show(None)
        if (run / FILE).is_file():
            self.start(partial(_read, run), "Reading", self._arrived)
        else:
            self.compare()

    def compare(self) -> None:
        """Compare the models of the chosen training."""
        run = self.view.run.run()
        if run is not None and not self.running:
            self.start(partial(_compare, run, tuple(self._viewer.layers)), "Comparing", self._arrived)

    def show_layers(self) -> None:
        """Bring old and new of a comparison that was read from disk into the viewer; its figures stay."""
        run, found = self.view.run.run(), self.found
        if run is not None and found is not None and not self.running:
            self.start(partial(_look_again, run, found, tuple(self._viewer.layers)), "Looking again", self._arrived)

    def promote_as(self, family: str) -> None:
        """Put the new model into the zoo under a name."""
        run = self.view.run.run()
        if self.found is not None and run is not None and not self.running:
            work = partial(_promote, run, family, self.found.as_dict())
            self.start(work, f"Promoting {family}", partial(self._promoted, family))

    def keep_old(self) -> None:
        """Leave everything as it was before the training."""
        self.look.clear()
        self.view.say(["The zoo is as it was. The training stays on disk, so that you can come back to it."])

    def toggle_blink(self) -> None:
        """Begin or end to blink."""
        self.look.toggle_blink()

    def cancel(self) -> None:
        """Stop the job under way."""
        if self._task is not None:
            self._task.cancel()

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        free, view = not self.running, self.view
        chosen = view.run.run() is not None
        view.run.setEnabled(free and chosen)
        view.compare_button.setEnabled(free and chosen)
        view.open_button.setEnabled(free)
        for button in (view.promote_button, view.keep_button):
            button.setEnabled(free and self.found is not None)
        view.show_button.setVisible(_without_planes(self.found))
        view.show_button.setEnabled(free)

    def _arrived(self, came: tuple[Comparison, list[LayerData]]) -> None:
        found, layers = came
        add_layers(self._viewer, layers)
        self._show(found)

    def _show(self, found: Comparison | None) -> None:
        self.found = found
        view = self.view
        view.show_verdict(found.verdict if found else "")
        view.metric.clear()
        for metric in found.metrics if found else ():
            view.metric.addItem(TITLES.get(metric, metric), metric)
        view.metric.setEnabled(view.metric.count() > 1)
        view.regions.show_rows(*region_rows(found))
        self._show_metric()
        if found is None:
            self.look.clear()
        else:
            self.look.show_comparison(found)
            view.say([_ONCE_MORE] if _without_planes(found) else [])
            self.shown.emit(found)
        self.update_buttons()

    def _show_metric(self, _index: int = 0) -> None:
        metric, found = self.view.metric.currentData(), self.found
        self.view.units.show_rows(*unit_rows(found, metric))
        self.view.plot.show_scores(scores_of(found, metric), found.differences[metric] if found and metric else None)

    def _go_unit(self, index: int) -> None:
        rows = [] if self.found is None else [r for r in self.found.rows if self.view.metric.currentData() in r.old]
        if index < len(rows) and rows[index].plane:
            self.look.go(rows[index].image, rows[index].plane)

    def _go_region(self, index: int) -> None:
        if self.found is not None and index < len(self.found.regions):
            region = self.found.regions[index]
            self.look.go(region.image, region.plane, region.box)

    def _open(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder of a training (it holds recipe.yaml)")
        if name:
            self.show_run(Path(name))

    def _ask_name(self) -> None:
        if self.found is None:
            return
        words = "Name of the model in your zoo; an earlier model of this name stays there as a version:"
        name, chosen = QInputDialog.getText(self, "Promote", words, text=self.found.new)
        if chosen and name.strip():
            self.promote_as(name.strip())

    def _promoted(self, family: str, card: Any) -> None:
        zoo_events.changed.emit()
        self.view.say([f"{family} is now version {card.version}. Back to the one before: bioseg rollback {family}"])
        self.promoted.emit(card)

    def _theme_changed(self, event: Any) -> None:
        self.view.plot.show_theme(event.value)
        self._show_metric()


def _without_planes(found: Comparison | None) -> bool:
    """Whether there is something to show that a file does not keep."""
    return found is not None and bool(found.rows) and not found.planes


def _read(run: Path, _job: Job) -> tuple[Comparison, list[LayerData]]:
    from napari_bioseg.workflows.comparison_file import read_comparison

    return read_comparison(run / FILE), []


def _compare(run: Path, open_now: tuple[Any, ...], job: Job) -> tuple[Comparison, list[LayerData]]:
    from napari_bioseg.workflows.run_comparison import compare_run

    return _opened(compare_run(run, job=job), open_now)


def _look_again(
    run: Path, found: Comparison, open_now: tuple[Any, ...], job: Job
) -> tuple[Comparison, list[LayerData]]:
    from napari_bioseg.workflows.run_comparison import look_again

    return _opened(look_again(run, found, job=job), open_now)


def _opened(found: Comparison, open_now: tuple[Any, ...]) -> tuple[Comparison, list[LayerData]]:
    """Return a comparison with the images of it that are not open yet."""
    layers: list[LayerData] = []
    for path, axes in images_missing(open_now, found):
        with suppress(BiosegError):  # then there are figures and no pictures
            layers += read_layers(path, axes=axes)
    return found, layers


def _promote(run: Path, family: str, comparison: dict[str, Any], job: Job) -> Any:
    from napari_bioseg.workflows.promotion import promote

    return promote(run, family, comparison=comparison, job=job)
