"""The project of an image: found, made, opened, and held as long as a layer of a window writes to it. No Qt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.core.files import remove
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.project import (
    Project,
    Saved,
    create_project,
    holds,
    is_project,
    open_project,
    project_beside,
    read_project,
)
from napari_bioseg.corrections.project_info import ImageReference, PredictionInfo, refer
from napari_bioseg.plugin.correction import tell_problems
from napari_bioseg.plugin.images import source_of
from napari_bioseg.plugin.layers import KEY, LayerData, Origin, image_layers
from napari_bioseg.plugin.reader import Ask, open_asking
from napari_bioseg.plugin.session import model_image

OWN_IMAGE = "image.ome.zarr"


@dataclass(frozen=True)
class Home:
    """What a project is of, frozen when a button was pressed.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Of the image.
    image : Image or None
        None where there is no image layer.
    source : Path or None
        Its file.
    origin : Origin
        How that was opened.
    held : tuple of Project
        Those that this window holds already.
    """

    name: str
    shape: tuple[int, ...]
    image: Image | None
    source: Path | None
    origin: Origin
    held: tuple[Project, ...]


class Holder(Protocol):
    """What belongs to a layer that is being corrected: labels or boxes."""

    project: Project
    saved: Saved
    layer: Any

    def close(self) -> None:
        """Save what is under way, and let go of the layer and the file."""


def home_of(viewer: Any, image_layer: Any, layer: Any, shape: tuple[int, ...]) -> Home:
    """Freeze what the project of a layer is of.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    image_layer : napari.layers.Image or None
    layer : napari.layers.Layer
        Labels or boxes on it.
    shape : tuple of int
        Of them: it counts where there is no image.

    Raises
    ------
    UnknownAxesError, IncompatibleImageError
        As for `model_image`.
    """
    held = held_projects(viewer.layers)
    if image_layer is None:
        return Home(layer.name, shape, None, None, Origin(), held)
    image = model_image(viewer, image_layer)[0]
    return Home(image.name, image.shape, image, *source_of(image_layer), held)


def holder_of(layer: Any) -> Holder | None:
    """Return what corrects a layer; None for others, and for copies that napari makes of one."""
    own = layer.metadata.get(KEY) if layer is not None else None
    found: Holder | None = own.get("correction") if isinstance(own, dict) else None
    return found if found is not None and found.layer == layer else None


def held_projects(layers: Iterable[Any]) -> tuple[Project, ...]:
    """Return the projects that layers of a window hold."""
    found = [holder_of(layer) for layer in layers]
    return tuple(holder.project for holder in found if holder is not None)


def layer_open(viewer: Any, folder: Path, what: str) -> Any:
    """Return the layer in which a project is being corrected here, which must not be opened twice; None without one.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    folder : Path
        Of the project.
    what : str
        `LABELS` or `BOXES`.
    """
    holders = [(layer, holder_of(layer)) for layer in viewer.layers]
    same = (layer for layer, h in holders if h and h.project.folder.resolve() == folder.resolve() and h.saved.has(what))
    return next(same, None)


def hold(viewer: Any, layer: Any) -> None:
    """Show a layer that is being corrected, unless the viewer does; its project is closed once it is removed."""
    if layer not in viewer.layers:
        viewer.add_layer(layer)
    viewer.layers.events.removed.connect(_close_removed)


@contextmanager
def closed_on_error(project: Project, held: tuple[Project, ...]) -> Iterator[None]:
    """Let others write to a project when something fails, unless this window held it before."""
    try:
        yield
    except BaseException:
        if project not in held:
            project.close()
        raise


def project_to_write(home: Home, job: Job) -> Project:
    """Open the project of an image to write, or make it.

    Raises
    ------
    UnwritableFileError, Cancelled
        It is open in another window, or cannot be written.
    """
    project = _project_for(home, job)
    if not project.writable:
        raise UnwritableFileError(str(project.folder), project.why_read_only)
    return project


def project_again(folder: Path, held: tuple[Project, ...]) -> Project:
    """Open a project, or return the one that this window holds.

    Raises
    ------
    UnreadableFileError
        As for `open_project`.
    """
    same = [p for p in held if p.folder.resolve() == folder.resolve()]
    return same[0] if same else open_project(folder)


def projects_of(source: Path | None, origin: Origin, what: str) -> list[Path]:
    """Return the projects of an image file that are there, beside it or in the user's folder.

    Parameters
    ----------
    source : Path or None
        None where the image is in no file.
    origin : Origin
    what : str
        `LABELS` or `BOXES`: a prediction of which they must have.
    """
    if source is None:
        return []
    return [folder for folder in _places(source, origin) if is_project(folder) and holds(folder, what)]


def projects_folder() -> Path:
    """Where projects go that cannot lie beside their image; ``BIOSEG_PROJECTS`` when that is set."""
    from platformdirs import user_data_path

    return Path(os.environ.get("BIOSEG_PROJECTS") or user_data_path("napari-bioseg") / "projects")


def images_of_project(folder: Path, ask: Ask | None = None) -> list[LayerData]:
    """Open the image of a project.

    Raises
    ------
    UnreadableFileError, UnknownAxesError
        It is gone, or as for `read_layers`.
    """
    project = read_project(folder)
    path, reference = project.image(), project.info.image
    image, used = open_asking(path, ask, series=reference.series, axes=reference.axes)
    return image_layers(replace(image, name=reference.name), Origin(used, reference.series))


def corrected_name(info: PredictionInfo, writable: bool) -> str:
    """Return the name of the layer in which a prediction is corrected."""
    return f"{info.name.split(' · ')[0]} · corrected" + ("" if writable else " (read only)")


def tell(error: Exception) -> None:
    """Show an error from any thread; napari brings it into its own."""
    from napari.utils.notifications import show_error

    show_error(str(error))


def _places(source: Path, origin: Origin) -> list[Path]:
    beside = project_beside(source, origin.series)
    far = re.sub(r"[^A-Za-z0-9._-]+", "-", str(source.absolute().parent))[-80:].strip("-.")
    return [beside, projects_folder() / f"{far}-{beside.name}"]


def _project_for(home: Home, job: Job) -> Project:
    if home.source is None:
        return _of_no_file(home, job)
    beside, far = _places(home.source, home.origin)
    there = [folder for folder in (beside, far) if is_project(folder)]
    if there:
        return project_again(there[0], home.held)
    folder = beside if os.access(beside.parent, os.W_OK) else far
    folder.parent.mkdir(parents=True, exist_ok=True)
    return create_project(folder, refer(home.source, folder, **_reference(home)))


def _of_no_file(home: Home, job: Job) -> Project:
    """Make a project that holds its image, which is nowhere else."""
    from napari_bioseg.io import write_ome_zarr

    name = re.sub(r"[^A-Za-z0-9._-]+", "-", home.name).strip("-.") or "image"
    folder = projects_folder()
    folder.mkdir(parents=True, exist_ok=True)
    free = next(p for i in range(1, 10**6) if not (p := project_beside(folder / f"{name}-{i}")).exists())
    project = create_project(free, ImageReference(path=OWN_IMAGE, **_reference(home)))
    try:
        if home.image is not None:
            write_ome_zarr(free / OWN_IMAGE, home.image, {}, provenance={}, job=job)
    except BaseException:
        project.close()
        remove(free)
        raise
    return project


def _reference(home: Home) -> dict[str, Any]:
    return {"axes": home.origin.axes, "series": home.origin.series, "shape": home.shape, "name": home.name}


def _close_removed(event: Any) -> None:
    holder = holder_of(event.value)
    if holder is None:
        return
    tell_problems(holder.close)
    if holder.project not in held_projects(event.source):
        holder.project.close()
