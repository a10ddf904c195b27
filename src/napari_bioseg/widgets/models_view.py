"""Where the controls of the panel "Models" stand. What they do is in `models_panel`."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from napari_bioseg.widgets import building
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.widgets.row_table import RowTable

WIDTH = 354  # of the tables without a scroll bar
NO_VERSIONS = "As it was installed. It gets versions when a training of yours is promoted, or a model imported, as {}."


class ModelsView(PanelView):
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
            "Import…",
            "Take a model from a file into your zoo, as a new version; what is in use stays in use. "
            "A model saved here, a BioImage.IO package, or weights (ONNX, state dict) with their card beside them",
        )
        self.bioimageio_button = building.button(
            "BioImage.IO…",
            "Save the chosen version as a package that other programs run, e.g. deepImageJ or ilastik",
        )
        self.progress.cancel_button.hide()  # nothing here takes long
        self._assemble()

    def _assemble(self) -> None:
        controls: list[building.Part] = [
            building.title("Models"), self.models,
            building.title("Versions"), self.about, self.versions, self.use_button,
            building.title("Card"), self.card,
        ]  # fmt: skip
        files = building.row(self.export_button, self.bioimageio_button, self.import_button)
        self.lay_out(controls, (self.progress, self.notes, files))
        self.scroll.setMinimumWidth(WIDTH)


def _words(name: str) -> QLabel:
    made = QLabel()
    made.setAccessibleName(name)
    made.setWordWrap(True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
