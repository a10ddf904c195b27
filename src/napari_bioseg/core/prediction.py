"""`Prediction`: what a network said, kept so that thresholds can move without running it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.options import Options

if TYPE_CHECKING:
    import zarr


class ClassInfo(Options):
    """One class of a model: its value in a label image, its name and its colour (``#rrggbb``)."""

    value: int
    name: str
    color: str = "#e69f00"

    def score_of(self, metric: str) -> str:
        """Return what the score of this class alone is called, as ``iou_cell_interior``."""
        return f"{metric}_{self.name.replace(' ', '_')}"


def has_cores(channels: int, classes: Sequence[ClassInfo], activation: str) -> bool:
    """Whether labels come with a channel after those of the classes, of the cores of objects."""
    return activation == "sigmoid" and channels > len(classes)


@dataclass(frozen=True)
class Prediction:
    """Probabilities on the grid of the image.

    Attributes
    ----------
    probabilities : zarr.Array
        Float16 of shape ``(K, *shape)``, chunked; `shape` follows `axes`. With a sigmoid output K is
        the number of classes, or one more where the last channel tells of the cores of objects; with softmax channel 0
        is the background.
    axes : str
        Axes of the image without ``C`` and ``S``.
    scale, translate : tuple of float
        One an axis, in `units`. When only a box of the image was predicted, `translate` says where it lies.
    units : tuple of (str or None)
        As in `core.Image`.
    classes : tuple of ClassInfo
        The foreground classes.
    activation : str
        ``"sigmoid"`` or ``"softmax"``.
    model_axes : str
        ``"YX"`` when the model worked plane by plane, ``"ZYX"`` when it worked in 3-D; objects are
        joined along these axes only.
    done : bool
        False when the job was cancelled; then the tiles that were not reached hold zeros.
    provenance : Mapping
        Model, weights' sha256, options, version, notes.
    """

    probabilities: zarr.Array[Any]
    axes: str
    scale: tuple[float, ...]
    translate: tuple[float, ...]
    units: tuple[str | None, ...]
    classes: tuple[ClassInfo, ...]
    activation: str = "sigmoid"
    model_axes: str = "YX"
    name: str = "prediction"
    done: bool = True
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cores(self) -> bool:
        """Whether the last channel says where the cores of objects are, as `has_cores` tells."""
        return has_cores(self.probabilities.shape[0], self.classes, self.activation)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape along `axes`."""
        return tuple(self.probabilities.shape[1:])
