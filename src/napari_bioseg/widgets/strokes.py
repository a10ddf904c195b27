"""Wait for the user's hand: what arrives while a stroke is being drawn must not change the layers under it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_bioseg.plugin.session import stroke_under_way

LOOK_MS = 100


def after_stroke(viewer: Any, parent: QObject, then: Callable[[], None]) -> None:
    """Call `then` once nothing is being drawn: at once, or when the stroke ends, unless `parent` ends before."""
    if not stroke_under_way(viewer):
        then()
        return
    timer = QTimer(parent)

    def look() -> None:
        if not stroke_under_way(viewer):
            timer.stop()
            timer.deleteLater()
            then()

    timer.timeout.connect(look)
    timer.start(LOOK_MS)
