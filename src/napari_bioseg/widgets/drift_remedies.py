"""What the buttons of a warning of drift do: mend the image, or open the panel where it can be corrected."""

from __future__ import annotations

from functools import partial
from typing import Any

from napari.layers import Layer

from napari_bioseg.core.job import Job
from napari_bioseg.drift import Cause
from napari_bioseg.plugin.drift_entries import fixed_layer, go_to_furthest, is_sized, set_pixel_size
from napari_bioseg.plugin.first_look import Checked
from napari_bioseg.plugin.images import image_of_layer
from napari_bioseg.plugin.launch import PLUGIN
from napari_bioseg.plugin.layers import LayerData
from napari_bioseg.widgets.worker import Task
from napari_bioseg.workflows.drift_fixes import can_fix, fixed

WAIT = "The pixel size can be set once the job that is under way is done, or cancelled."
GUESSED = "The pixel size is a guess from the image: set the true one where you know it."


def apply_remedy(viewer: Any, panel: Any, checked: Checked, cause: Cause) -> None:
    """Do what the button of a cause says.

    Parameters
    ----------
    viewer : napari.Viewer
    panel : ModelPanel
        On which the button is.
    checked : Checked
    cause : Cause
        One of its drift's.
    """
    image, card = image_of_layer(checked.layer), checked.card
    if cause.action == "resample" and is_sized(image, card):
        panel.view.resample_form.set_values({"resample": True})
        panel.resample_changed()
    elif not can_fix(cause, card):
        _correct(viewer, checked)
    elif cause.action != "resample":
        _add_fixed(viewer, panel, checked, cause)
    elif panel.running:  # what arrives would lie where the image was
        panel.view.say([WAIT])
    else:
        set_pixel_size(viewer.layers, checked.layer, fixed(image, cause, card))
        viewer.reset_view()
        panel.view.say([GUESSED])


def open_panel(viewer: Any, name: str) -> Any:
    """Open a panel of ours as a tab, or bring it to the front; None where the viewer has no window."""
    if not hasattr(viewer, "window"):
        return None
    dock, panel = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    dock.show()
    dock.raise_()
    return panel


def _correct(viewer: Any, checked: Checked) -> None:
    open_panel(viewer, "Detect" if checked.card.task == "detection" else "Correct")
    go_to_furthest(viewer, checked)


def _add_fixed(viewer: Any, panel: Any, checked: Checked, cause: Cause) -> None:
    layer, card, image = checked.layer, checked.card, image_of_layer(checked.layer)

    def work(_job: Job) -> LayerData:
        return fixed_layer(layer, image, cause, card)

    task = Task(work, panel)
    task.succeeded.connect(partial(_add, viewer, layer))
    task.start()


def _add(viewer: Any, beside: Any, data: LayerData) -> None:
    layers, made = viewer.layers, Layer.create(*data)
    layers.insert(layers.index(beside) + 1 if beside in layers else len(layers), made)
    layers.selection.active = made
