"""Two patches beside each other, as the model in training sees them after each epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_bioseg.workflows.training_preview import MOST, PREDICTED, TRUE, Preview

GAP = 6
TALLEST = 190


class PreviewStrip(QWidget):
    """Pictures and, below, what their colours mean; hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pictures = Pictures()
        self.title = QLabel()
        self.title.setWordWrap(True)
        said = f"{_spot(PREDICTED)} blue: predicted &nbsp; {_spot(TRUE)} orange: your labels"
        legend = QLabel(f"{said}<br>dark: not verified")
        legend.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for part in (self.title, self.pictures, legend):
            layout.addWidget(part)
        self.setToolTip("Blue should come to fill the orange lines, epoch by epoch")
        self.show_preview(None)

    def show_preview(self, preview: Preview | None) -> None:
        """Show pictures, and say from where they are; hides itself for None."""
        self.setVisible(preview is not None)
        if preview is not None:
            where = "Held-out patches" if preview.held_out else "Patches it learns from"
            self.title.setText(f"{where}, epoch {preview.epoch}")
            self.pictures.show_pictures(preview.pictures)


class Pictures(QWidget):
    """Draws pictures beside each other, as large as the room allows and no pixel out of shape."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images: list[QImage] = []
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Patches with your labels and the prediction")

    def show_pictures(self, pictures: tuple[npt.NDArray[np.uint8], ...]) -> None:
        """Show arrays ``(Y, X, 3)``."""
        self.images = [_image(array) for array in pictures[:MOST]]
        self.updateGeometry()
        self.update()

    def hasHeightForWidth(self) -> bool:  # noqa: N802 - Qt names it
        """Whether the height follows the width."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt names it
        """Return the height that pictures need in this width."""
        return max((self._fitted(image, width).height() for image in self.images), default=0)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt names it
        """Return the size in a panel of usual width."""
        return QSize(320, self.heightForWidth(320))

    def places(self) -> list[QRect]:
        """Return where each picture is drawn."""
        step = self._column(self.width()) + GAP
        sizes = [self._fitted(image, self.width()) for image in self.images]
        return [QRect(i * step, 0, size.width(), size.height()) for i, size in enumerate(sizes)]

    def paintEvent(self, _event: Any) -> None:  # noqa: N802 - Qt names it
        """Draw the pictures."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for image, place in zip(self.images, self.places(), strict=True):
            painter.drawImage(place, image)

    def _column(self, width: int) -> int:
        return (width - GAP * (MOST - 1)) // MOST

    def _fitted(self, image: QImage, width: int) -> QSize:
        room = QSize(self._column(width), TALLEST)
        return image.size().scaled(room, Qt.AspectRatioMode.KeepAspectRatio)


def _image(array: npt.NDArray[np.uint8]) -> QImage:
    kept = np.ascontiguousarray(array)
    height, width, _ = kept.shape
    # A copy: Qt would go on reading memory that numpy frees.
    return QImage(kept.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def _spot(color: tuple[int, ...]) -> str:
    return f'<span style="color:rgb{color}">■</span>'
