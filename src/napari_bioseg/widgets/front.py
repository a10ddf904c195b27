"""The window that a dialog belongs to."""

from qtpy.QtWidgets import QApplication, QMainWindow, QWidget


def front_window() -> QWidget | None:
    """Return the active window, or else napari's, when the user is in another program.

    A dialog without one has another theme than napari, and may open behind it.
    """
    mains = (w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow) and w.isVisible())
    return QApplication.activeWindow() or next(mains, None)
