"""Keyboard shortcuts of the panels, bound on the viewer while they are open."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtWidgets import QWidget

# napari has no function keys of its own, and Alt with a letter opens a menu.
KEYS = {
    "preview": "F8",
    "segment": "F9",
    "cancel": "Shift+F9",
    "detect": "F6",
    "cancel_detect": "Shift+F6",
    "check_frame": "F7",
    "check_drift": "F5",
    "cancel_check": "Shift+F5",
    "verify": "V",
    "next": "N",
    "blink": "B",
}
# What napari itself binds on labels and a user of the panel wants to know.
NAPARI_KEYS = {
    "1": "erase", "2": "paint", "3": "polygon", "4": "fill", "5": "pick a label", "6": "move the view",
    "M": "new label", "X": "swap label and background", "[ ]": "brush size",
    "Ctrl+Z": "undo", "Ctrl+Shift+Z": "redo",
}  # fmt: skip


def bind(viewer: Any, widget: QWidget, actions: Mapping[str, Callable[[], None]]) -> None:
    """Bind `KEYS` to bound methods of a widget, until it is destroyed.

    Parameters
    ----------
    viewer : napari.Viewer
    widget : QWidget
        Their owner.
    actions : Mapping
        By the names in `KEYS`.
    """
    for name, action in actions.items():
        # A weak reference: the viewer's key map must not keep the panel alive.
        viewer.bind_key(KEYS[name], _pressed(weakref.WeakMethod(action)), overwrite=True)
    widget.destroyed.connect(lambda *_: [viewer.bind_key(KEYS[name], None, overwrite=True) for name in actions])


def _pressed(action: weakref.WeakMethod[Any]) -> Callable[[Any], None]:
    def pressed(_viewer: Any) -> None:
        method = action()
        if method is not None:
            method()

    return pressed
