"""Running a network over images of any size. Importing this loads no torch; `predict` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_bioseg.inference.options import PredictOptions

if TYPE_CHECKING:
    from napari_bioseg.inference.tiled import predict

__all__ = ["PredictOptions", "predict"]


def __getattr__(name: str) -> Any:
    if name == "predict":
        from napari_bioseg.inference.tiled import predict

        return predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
