"""Words of the product that every other room uses: no torch, no napari, no Qt."""

from napari_bioseg.core.errors import (
    BiosegError,
    BrokenModelError,
    Cancelled,
    DeviceError,
    IncompatibleImageError,
    MissingDependencyError,
    ModelNotFoundError,
    RecipeError,
    UnknownAxesError,
    UnreadableFileError,
    UnwritableFileError,
)
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job, Progress, format_duration

__all__ = [
    "BiosegError",
    "BrokenModelError",
    "Cancelled",
    "DeviceError",
    "Image",
    "IncompatibleImageError",
    "Job",
    "MissingDependencyError",
    "ModelNotFoundError",
    "Progress",
    "RecipeError",
    "UnknownAxesError",
    "UnreadableFileError",
    "UnwritableFileError",
    "format_duration",
    "image_from_array",
]
