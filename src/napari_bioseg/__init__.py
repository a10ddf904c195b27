"""Segment, correct, fine-tune and compare microscopy images in napari.

The public verbs (`open_image`, `load_model`, `segment`, ...) are loaded on first use, so that
``import napari_bioseg`` stays below 0.2 s and imports neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_VERBS = {
    "open_image": "napari_bioseg.io",
    "load_model": "napari_bioseg.models",
    "segment": "napari_bioseg.workflows",
    "detect": "napari_bioseg.workflows",
    "train": "napari_bioseg.workflows",
    "evaluate": "napari_bioseg.workflows",
    "compare": "napari_bioseg.workflows",
    "batch": "napari_bioseg.workflows",
    "check_drift": "napari_bioseg.workflows",
    "identify": "napari_bioseg.workflows",
    "sync": "napari_bioseg.workflows",
}

__all__ = [
    "__version__",
    "batch",
    "check_drift",
    "compare",
    "detect",
    "evaluate",
    "identify",
    "load_model",
    "open_image",
    "segment",
    "sync",
    "train",
]

if TYPE_CHECKING:
    from napari_bioseg.io import open_image
    from napari_bioseg.models import load_model
    from napari_bioseg.workflows import batch, check_drift, compare, detect, evaluate, identify, segment, sync, train


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(import_module(_VERBS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
