"""Samples that are downloaded: the window stays free, with progress and Cancel."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QProgressDialog

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Progress
from napari_bioseg.io import PUBLIC_IMAGES, PublicImage, open_public_image
from napari_bioseg.plugin.layers import image_layers
from napari_bioseg.widgets.front import front_window
from napari_bioseg.widgets.open_command import add_layers, owner
from napari_bioseg.widgets.worker import Task


def drosophila_vnc(napari_viewer: napari.Viewer) -> Task:
    """Download serial-section EM of a Drosophila larva's nerve cord."""
    return download(napari_viewer, PUBLIC_IMAGES["drosophila-vnc"])


def download(viewer: napari.Viewer, public: PublicImage) -> Task:
    """Fetch a public image in a worker and add it to a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    public : PublicImage
    """
    origin = f"{public.source}\nLicence: {public.licence}"
    dialog = QProgressDialog(f"Downloading {public.title}\n{origin}", "Cancel", 0, 0, front_window())
    dialog.setWindowTitle("BioSeg sample")
    dialog.setWindowModality(Qt.WindowModality.NonModal)
    dialog.setMinimumWidth(520)
    dialog.setAutoReset(False)
    task = Task(lambda job: image_layers(open_public_image(public, job=job)), owner(), expected=(Cancelled,))

    def progress(now: Progress) -> None:
        dialog.setMaximum(now.total)
        dialog.setValue(now.done)
        dialog.setLabelText(f"{now}\n{origin}")

    def end(*_: Any) -> None:
        dialog.close()
        dialog.deleteLater()

    task.progressed.connect(progress)
    task.succeeded.connect(lambda layers: add_layers(viewer, layers))
    task.finished.connect(end)
    dialog.canceled.connect(task.cancel)
    dialog.show()
    return task.start()
