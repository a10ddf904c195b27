"""What the views of all panels have in common: controls that scroll, and progress and notes that stay in view."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_bioseg.widgets import building
from napari_bioseg.widgets.progress_row import ProgressRow


class PanelView(QWidget):
    """Progress and notes; `lay_out` puts them and the panel's own controls in their places.

    Parameters
    ----------
    progress : type of ProgressRow
        What shows the progress.
    """

    def __init__(self, parent: QWidget | None = None, *, progress: type[ProgressRow] = ProgressRow) -> None:
        super().__init__(parent)
        self.progress = progress()
        self.notes = building.notes()

    def say(self, lines: list[str]) -> None:
        """Show what the user should know, one line each."""
        self.notes.setText("\n".join(lines))
        self.notes.setVisible(bool(lines))

    def lay_out(
        self, controls: list[building.Part], footer: Sequence[building.Part], header: Sequence[building.Part] = ()
    ) -> None:
        """Put controls from top to bottom where they can be scrolled, and around them what stays in view."""
        self.scroll = building.scroll(controls)
        # As tall as its dock; napari would fill the rest with empty space otherwise.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        for part in header:
            building.add(layout, part)
        layout.addWidget(self.scroll, 1)
        for part in footer:
            building.add(layout, part)
