"""The line that warns, beside a running prediction, of an image unlike a model's training images."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtWidgets import QFrame, QLabel, QWidget

from napari_bioseg.plugin.drift_entries import Remedy, sentence
from napari_bioseg.widgets import building


class DriftRow(QFrame):
    """Why the image is unlike the training, a button that mends it, and one for the details; hidden without a warning.

    Parameters
    ----------
    viewer : napari.Viewer
        For its theme.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("drift")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(1)
        self.fix_button = building.button("Correct", "Do something about it")
        self.details_button = building.button("Details", "Open the panel Drift: all figures and causes of this warning")
        layout = building.column(self.words)
        layout.setContentsMargins(8, 5, 6, 5)
        layout.addLayout(building.row(self.fix_button, self.details_button))
        self.setLayout(layout)
        self.setVisible(False)
        self._mild = False
        self._theme = viewer.theme if hasattr(viewer, "theme") else "dark"
        self.show_theme(self._theme)

    def show_theme(self, theme: str) -> None:
        """Take the colours of napari's theme."""
        self._theme, colors = theme, get_theme(theme)
        color = (colors.secondary if self._mild else colors.warning).as_hex()
        self.setStyleSheet(f"#drift {{ border: 1px solid {color}; border-left: 5px solid {color}; }}")

    def warn(self, words: str, every: str, remedy: Remedy | None, *, mild: bool = False) -> None:
        """Show a warning.

        Parameters
        ----------
        words : str
            The most telling cause.
        every : str
            All of them, for the tooltip.
        remedy : Remedy or None
            Of the most telling one; none: nothing can be done.
        mild : bool
            Whether the result looks as usual all the same.
        """
        self._mild = mild
        self.show_theme(self._theme)
        self.words.setText(f"{'ℹ' if mild else '⚠'} {sentence(words)}")
        self.words.setToolTip(every)
        self.words.setAccessibleName(f"{'Note' if mild else 'Warning'}: {words}")
        self.fix_button.setVisible(remedy is not None)
        if remedy is not None:
            self.fix_button.setText(remedy.words)
            self.fix_button.setToolTip(remedy.tip)
        self.setVisible(True)
