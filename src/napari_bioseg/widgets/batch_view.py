"""Where the controls of the panel "Batch" stand. What they do is in `batch_panel`."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from qtpy.QtWidgets import QAbstractItemView, QComboBox, QLabel, QLineEdit, QListWidget, QWidget

from napari_bioseg.widgets import building
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.widgets.queue_table import QueueTable

WAYS = {"segment": "As Segment was last run", "detect": "As Detect was last run", "recipe": "By a recipe in a file"}


class InputList(QListWidget):
    """Files, folders and patterns; what is dropped on it is added."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Images")
        self.setToolTip("Files and folders of images; a folder stands for all images in it. Drop them here")
        self.setFixedHeight(64)
        self.setMinimumWidth(1)
        self.setTextElideMode(Qt.TextElideMode.ElideLeft)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAcceptDrops(True)

    @property
    def inputs(self) -> list[str]:
        """What is listed."""
        return [self.item(i).text() for i in range(self.count())]

    def add(self, paths: list[str]) -> None:
        """Add what is not listed yet."""
        known = self.inputs
        self.addItems([p for p in dict.fromkeys(paths) if p not in known])
        self.changed.emit()

    def remove_chosen(self) -> None:
        """Remove what is selected, or all if nothing is."""
        rows = sorted((index.row() for index in self.selectedIndexes()), reverse=True)
        for row in rows or range(self.count() - 1, -1, -1):
            self.takeItem(row)
        self.changed.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt names it
        """Take files."""
        event.setAccepted(event.mimeData().hasUrls())

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: N802
        """Take files."""
        event.setAccepted(event.mimeData().hasUrls())

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Add what was dropped."""
        self.add([str(Path(url.toLocalFile())) for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()


class BatchView(PanelView):
    """Images, what is done to them, where to, and the queue; the buttons stay in view."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.inputs = InputList()
        self.pattern = _line(
            "Pattern", "A pattern of files, e.g. /data/**/*.tif; Enter adds it", "or a pattern, e.g. /data/**/*.tif"
        )
        self.files_button = building.button("Files…", "Add images")
        self.folder_button = building.button("Folder…", "Add a folder, with all images in it and below it")
        self.remove_button = building.button("Remove", "Remove what is selected above, or all if nothing is")
        self.way = QComboBox()
        self.way.setAccessibleName("What is done")
        self.way.setToolTip("Where the model and its options come from")
        for key, words in WAYS.items():
            self.way.addItem(words, key)
        self.recipe = _line("Recipe", "A recipe that Segment or Detect saved, or of an earlier batch", "recipe.yaml")
        self.recipe_button = building.button("Choose…", "Choose a recipe")
        self.about = QLabel()
        self.about.setAccessibleName("About the recipe")
        self.about.setWordWrap(True)
        self.out = _line(
            "Results", "The folder that results go to; made when it is not there", "folder for the results"
        )
        self.out_button = building.button("Choose…", "Choose the folder for the results")
        self.scheduler = _line(
            "Cluster", "Address, scheduler file (.json) or description (.yaml) of a dask cluster", "none: this computer"
        )
        self.queue = QueueTable()
        self.why = building.notes()
        self.why.setAccessibleName("About the chosen image")
        self.why.setMinimumWidth(1)  # a long path must not make the panel wider
        self.start_button = building.button("Start", "Work on all images; what is done already is not done again")
        self.pause_button = building.button("Pause", "Wait before the next tile")
        self.open_button = building.button("Open result", "Open the chosen image with what was found in it")
        self.report_button = building.button("Report", "Look at all images on one page, in the web browser")
        self._assemble()

    def _assemble(self) -> None:
        cluster = building.collapsible("Cluster", "Many computers that share a disk", self.scheduler)
        self.recipe_row = QWidget()
        row = building.row(self.recipe)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.recipe_button)
        self.recipe_row.setLayout(row)
        out = building.row(self.out)
        out.addWidget(self.out_button)
        controls: list[building.Part] = [
            building.title("Images"), self.inputs,
            self.pattern, building.row(self.files_button, self.folder_button, self.remove_button),
            building.title("What is done"), self.way, self.recipe_row, self.about,
            building.title("Results"), out, cluster,
            building.title("Queue"), self.queue,
        ]  # fmt: skip
        results = building.row(self.open_button, self.report_button)
        footer = (self.why, building.row(self.start_button, self.pause_button), self.progress, self.notes, results)
        self.lay_out(controls, footer)


def _line(name: str, tip: str, empty: str) -> QLineEdit:
    made = QLineEdit()
    made.setAccessibleName(name)
    made.setToolTip(tip)
    made.setPlaceholderText(empty)
    return made
