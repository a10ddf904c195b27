"""Options of `batch`: those of `segment` and of `detect`, for a model of either kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.options import read_yaml
from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.postprocess.boxes import BoxOptions
from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.workflows.options import DetectOptions, LookOptions, SegmentOptions


class BatchOptions(BoxOptions, DecodeOptions, PredictOptions, LookOptions):
    """Options of `batch`: what the panel shows, the command line takes, a saved recipe holds and the run records."""

    model: str = Field(description="Model in the zoo, or its folder")
    axes: str | None = Field(None, description="Axes of the images, where the files do not say them, e.g. ZYX")
    planes: bool = Field(False, description="A folder of numbered planes is one stack, not many images")
    copy_image: bool = Field(True, description="Put a copy of the image beside its labels in the OME-Zarr")
    ome_zarr: Literal["0.5", "0.4"] = Field("0.5", description="Version of OME-Zarr to write; 0.4 for older readers")

    def of_task(self, task: str) -> SegmentOptions | DetectOptions:
        """Return the options of the verb that fits a task.

        Raises
        ------
        RecipeError
            An option is given that this task has no use for.
        """
        wanted, other, verb = (
            (DetectOptions, DecodeOptions, "detect") if task == "detection" else (SegmentOptions, BoxOptions, "segment")
        )
        given = [n for n in other.model_fields if getattr(self, n) != other.model_fields[n].default]
        if given:
            problem = f"does not go with {self.model}, whose images go through 'bioseg {verb}'"
            raise RecipeError(given[0], problem, "Leave it out, or choose another model")
        return wanted(**{name: getattr(self, name) for name in wanted.model_fields if hasattr(self, name)})


def batch_recipe(options: SegmentOptions | DetectOptions, *, axes: str | None = None) -> BatchOptions:
    """Return the recipe that does to many images what a panel did to one; to all of each, not to a region."""
    values = options.model_dump(exclude={"region"})
    return BatchOptions(**values, axes=axes)


def read_batch_recipe(path: Path, changes: dict[str, Any] | None = None) -> BatchOptions:
    """Read a recipe that a panel saved, or the one of an earlier batch.

    Raises
    ------
    RecipeError
        It cannot be read, or an option is unknown or wrong.
    """
    return BatchOptions.checked({**read_yaml(path), **(changes or {})}, str(path))
