"""Where the controls of the panel "Models" stand. What they do is in `models_panel`."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_bioseg.widgets import building
from napari_bioseg.widgets.progress_row import ProgressRow
from napari_bioseg.widgets.row_table import RowTable

WIDTH = 354  # of the tables without a scroll bar
NO_VERSIONS = "As it was installed. It gets versions when a training of yours is promoted, or a model imported, as {}."


class ModelsView(QWidget):
    """Models, the versions of the chosen one, its card; files and progress stay in view."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.models = RowTable(
            ("Model", "Version", "Gives"), "Models", "Models of the zoo, each as what its name stands for", 132
        )
        self.versions = RowTable(
            ("Version", "Since", "Score", "From"),
            "Versions",
            "Versions of the model; ● is the one in use, which its name stands for",
            112,
        )
        self.about = _words("About the versions")
        self.use_button = building.button(
            "Use this version", "Let the name stand for the chosen version, in all panels and on the command line"
        )
        self.card = _words("Card")
        self.export_button = building.button("Export…", "Save the chosen version as one file, for another computer")
        self.import_button = building.button(
            "Import…", "Take a model from a file into your zoo, as a new version; what is in use stays in use"
        )
        self.bioimageio_button = building.button(
            "BioImage.IO…",
            "Save the chosen version as a package that other programs run, e.g. deepImageJ or ilastik",
        )
        self.progress = ProgressRow()
        self.progress.cancel_button.hide()  # nothing here takes long
        self.notes = building.notes()
        self._assemble()

    def say(self, lines: list[str]) -> None:
        """Show what the user should know, one line each."""
        self.notes.setText("\n".join(lines))
        self.notes.setVisible(bool(lines))

    def _assemble(self) -> None:
        self.scroll = building.scroll([
            building.title("Models"), self.models,
            building.title("Versions"), self.about, self.versions, self.use_button,
            building.title("Card"), self.card,
        ])  # fmt: skip
        self.scroll.setMinimumWidth(WIDTH)
        # As tall as its dock; napari would fill the rest with empty space otherwise.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.scroll, 1)
        files = building.row(self.export_button, self.bioimageio_button, self.import_button)
        for part in (self.progress, self.notes, files):
            building.add(layout, part)


def _words(name: str) -> QLabel:
    made = QLabel()
    made.setAccessibleName(name)
    made.setWordWrap(True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
