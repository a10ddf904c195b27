"""Files to napari layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bioseg.core.errors import UnknownAxesError
from napari_bioseg.plugin.layers import LayerData, Origin, image_layers
from napari_bioseg.plugin.settings import remembered_axes

if TYPE_CHECKING:
    from napari_bioseg.core.image import Image

Ask = Callable[[Path, UnknownAxesError], str | None]
MOST_SERIES = 12


def can_read(path: str | Path) -> bool:
    """Whether a path is of a kind we read; nothing but its first bytes, or a folder's listing, is looked at."""
    from napari_bioseg.io import can_open

    return "://" not in str(path) and can_open(path)


def read_layers(
    path: str | Path, ask: Ask | None = None, *, axes: str | None = None, recall: bool = True
) -> list[LayerData]:
    """Open a file or folder as napari layers; every image of a file with up to `MOST_SERIES`, else the first.

    Parameters
    ----------
    path : path
        As for `napari_bioseg.open_image`.
    ask : callable, optional
        Told the path and the error when a file does not say its axes; returns them, or None to give up.
    axes : str, optional
        The answer, when it is known already.
    recall : bool
        Whether the remembered answer for the folder counts.

    Raises
    ------
    UnreadableFileError
        As for `open_image`.
    UnknownAxesError
        The file does not say its axes, and there was nobody to ask or no answer.
    """
    from napari_bioseg.io import list_series

    source = Path(path)
    count = len(list_series(source))
    layers: list[LayerData] = []
    for series in range(count if count <= MOST_SERIES else 1):
        image, used = open_asking(source, ask, series=series, axes=axes, recall=recall)
        layers += image_layers(image, Origin(used, series), visible=series == 0)
    return layers


def open_asking(
    source: Path, ask: Ask | None = None, *, series: int = 0, axes: str | None = None, recall: bool = True
) -> tuple[Image, str | None]:
    """Open an image; where it does not say its axes, use those given, the remembered ones for its folder, or ask.

    Returns
    -------
    image : Image
    axes : str or None
        The axes that were used instead of the file's own.

    Raises
    ------
    UnreadableFileError, UnknownAxesError
        As for `read_layers`.
    """
    from napari_bioseg.io import open_image

    try:
        return open_image(source, series=series), None
    except UnknownAxesError as error:
        if axes is None and recall:
            axes = remembered_axes(source, len(error.shape))
        if axes is None and ask is not None:
            axes = ask(source, error)
        if axes is None:
            raise
    return open_image(source, axes=axes, series=series), axes
