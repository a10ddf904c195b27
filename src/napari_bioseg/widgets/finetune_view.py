"""Where the controls of the panel "Fine-tune" stand. What they do is in `finetune_panel` and `training_control`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_bioseg.core.job import Progress
from napari_bioseg.widgets import building
from napari_bioseg.widgets.curves import Curves
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.widgets.preview_strip import PreviewStrip
from napari_bioseg.widgets.progress_row import ProgressRow
from napari_bioseg.widgets.project_list import ProjectList
from napari_bioseg.widgets.run_list import RunList
from napari_bioseg.workflows.finetuning import FineTuneOptions

FIRST = ("name", "effort")
LONGEST = 34  # of a name on a button, which would make the panel wider
WORDS = {"name": "New name", "corrected_weight": "Weight of changes", "keep": "Keep what it could"}


class FineTuneView(PanelView):
    """All controls from top to bottom, in the order in which they are used.

    While a training runs, what it was started with makes room for its curves.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent, progress=TrainingRow)
        self._setup_controls()
        self.pace = building.notes()
        self.pace.setToolTip("How far the training is, how long an epoch takes, and what its process uses")
        self.curves = Curves(viewer)
        self.preview = PreviewStrip()
        self.training = _group([building.title("Training"), self.pace, self.curves, self.preview])
        self.runs = RunList()
        self.compare_button = building.button(
            "Compare…", "Compare the chosen model with the one it went on from, on the slices that are held out"
        )
        self.past = _group([building.title("Runs"), self.runs, self.compare_button])
        self.start_button = building.button(
            "Fine-tune",
            "Go on training the model on what you verified, in a process of its own; go on working meanwhile",
        )
        self.resume_button = building.button("Resume", "")
        self._run_controls()
        self._assemble()
        self.show_training(False)

    def show_training(self, on: bool) -> None:
        """Make room for a training, or for what the next one is started with."""
        self.setup.setVisible(not on)
        self.start_button.setVisible(not on)
        for button in (self.pause_button, self.stop_button, self.cancel_button):
            button.setVisible(on)
        self.past.setVisible(not on)
        self.training.setVisible(on or bool(self.curves.values["epoch"].size))

    def show_nothing(self, note: str) -> None:
        """Take the curves and patches of another run away, and say why there will be no score."""
        self.pace.setVisible(False)
        self.curves.show_lines(())
        self.curves.show_note(note)
        self.preview.show_preview(None)

    def show_resume(self, name: str | None) -> None:
        """Offer to resume a run; None: there is none."""
        self.resume_button.setVisible(name is not None)
        if name is not None:
            short = name if len(name) <= LONGEST else f"{name[: LONGEST // 3]}…{name[-LONGEST * 2 // 3 :]}"
            self.resume_button.setText(f"Resume {short}")
            self.resume_button.setToolTip(f"Go on with {name} where it was interrupted, to the same result")

    def values(self) -> dict[str, Any]:
        """Return the options as the controls show them, but for the model."""
        return {**self.form.values(), **self.more.values()}

    def _setup_controls(self) -> None:
        self.projects = ProjectList()
        self.add_button = building.button(
            "Add project…", "Learn from another folder whose name ends in .bioseg as well; its image need not be open"
        )
        self.plan = QLabel()
        self.plan.setWordWrap(True)
        self.plan.setToolTip("Slices that are held out are never trained on, in later runs neither")
        self.model = QComboBox()
        self.model.setAccessibleName("Model")
        self.model.setToolTip("Model to go on from; at first the one that made the prediction which you corrected")
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model.setMinimumContentsLength(16)
        self.form = OptionsForm(FineTuneOptions, FIRST, WORDS)
        rest = tuple(name for name in FineTuneOptions.model_fields if name not in (*FIRST, "model"))
        self.more = OptionsForm(FineTuneOptions, rest, WORDS)
        more = building.collapsible("More", "What is rarely changed", self.more)
        self.setup = _group([
            building.title("Learn from"), self.projects, self.add_button, self.plan,
            building.title("Model to go on from"), self.model, self.form, more,
        ])  # fmt: skip

    def _run_controls(self) -> None:
        self.pause_button = building.button("Pause", "Let the training wait; its memory stays in use")
        self.stop_button = building.button(
            "Stop and keep", "End after this epoch: what was learnt by then becomes the new model, and is scored"
        )
        self.cancel_button = building.button("Cancel…", "End the training; asks whether to discard it")

    def _assemble(self) -> None:
        footer: list[building.Part] = [
            self.start_button, self.resume_button, self.progress,
            building.row(self.pause_button, self.stop_button, self.cancel_button), self.notes,
        ]  # fmt: skip
        self.lay_out([self.setup, self.past, self.training], footer)


class TrainingRow(ProgressRow):
    """A bar alone: the button that cancels a training asks first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cancel_button.hide()

    def show_progress(self, progress: Progress) -> None:
        """Show where the training stands; its name would leave no room for the time left."""
        training = progress.message.startswith("Training ")
        super().show_progress(replace(progress, message="Training" if training else progress.message))


def _group(parts: list[building.Part]) -> QWidget:
    made = QWidget()
    layout = QVBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    for part in parts:
        building.add(layout, part)
    return made
