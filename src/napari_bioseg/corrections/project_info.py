"""What the files of a project say: the image, each prediction, and the version of the format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from napari_bioseg.core.errors import RecipeError, UnreadableFileError
from napari_bioseg.core.options import Options, read_yaml
from napari_bioseg.core.prediction import ClassInfo

FORMAT, VERSION = "napari-bioseg project", 1

Info = TypeVar("Info", bound=Options)


class ImageReference(Options):
    """Where the image of a project is."""

    path: str = Field("", description="Relative to the project's folder; empty when there is no such way")
    absolute: str = Field("", description="Where it was when the project was made")
    axes: str | None = Field(None, description="What the user said of its axes; none: the file says them")
    series: int = Field(0, description="Which image of a file with several")
    shape: tuple[int, ...] = Field(description="Its shape, to know it by")
    name: str = Field("image", description="Name of its layer")

    def places(self, folder: Path) -> list[Path]:
        """Return where it may be, seen from the folder of the project, the likeliest first."""
        ways = [folder / self.path] if self.path else []
        return ways + ([Path(self.absolute)] if self.absolute else [])


class ProjectInfo(Options):
    """What ``project.yaml`` says."""

    format: str = FORMAT
    version: int = VERSION
    created: str
    program: str
    image: ImageReference


class BoxFacts(Options):
    """What a prediction of boxes says besides."""

    shape: tuple[int, ...] = Field(description="Of the image, along the axes of the boxes")
    thresholds: dict[str, float | None] = Field(description="Of the sliders, as the correction began")
    own_confidence: float = Field(description="Of the model: it counts where thresholds give none")
    done: bool = Field(description="Whether the detection came to its end")


class PredictionInfo(Options):
    """What ``prediction.yaml`` says."""

    name: str = Field(description="Of the layer")
    axes: str = Field(description="Of the labels")
    scale: tuple[float, ...]
    units: tuple[str | None, ...]
    translate: tuple[float, ...]
    instances: bool = Field(False, description="Whether values number objects rather than classes")
    classes: tuple[ClassInfo, ...] = ()
    activation: str = "sigmoid"
    model_axes: str = "YX"
    turned: dict[str, Any] = Field(default_factory=dict, description="Rotation, shear and affine matrix of the layer")
    provenance: dict[str, Any] = Field(default_factory=dict)
    boxes: BoxFacts | None = Field(None, description="Of boxes; none for labels")
    created: str = ""


def refer(source: Path, folder: Path, **facts: Any) -> ImageReference:
    """Return the reference from a project's folder to an image file.

    Parameters
    ----------
    source : Path
    folder : Path
        Of the project.
    **facts
        Other fields of `ImageReference`.
    """
    absolute = source.expanduser().resolve()
    try:
        path = Path(os.path.relpath(absolute, folder.resolve())).as_posix()
    except ValueError:  # another drive
        path = ""
    return ImageReference(path=path, absolute=str(absolute), **facts)


def read_info(kind: type[Info], path: Path) -> Info:
    """Read one of the files.

    Raises
    ------
    UnreadableFileError
        It is missing, damaged, or was made by a newer version.
    """
    try:
        values = read_yaml(path)
        version = values.get("version", VERSION)
        if not isinstance(version, int) or version > VERSION:
            raise UnreadableFileError(
                str(path), f"was made by a newer napari-bioseg (format {version})", "Update the plugin"
            )
        return kind.checked(values, str(path))
    except RecipeError as error:
        raise UnreadableFileError(error.subject, error.problem, error.fix) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what zarr says of a damaged array into our error."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(str(path), "is missing or damaged", "Take it from a copy of the project") from error
