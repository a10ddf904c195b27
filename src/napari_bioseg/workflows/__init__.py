"""One module a verb. Importing this loads no torch; a verb is loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_bioseg.workflows.batching import batch
    from napari_bioseg.workflows.comparison import compare
    from napari_bioseg.workflows.detection import detect
    from napari_bioseg.workflows.drift_check import check_drift
    from napari_bioseg.workflows.evaluation import evaluate
    from napari_bioseg.workflows.identification import identify
    from napari_bioseg.workflows.run_comparison import compare_run
    from napari_bioseg.workflows.segmentation import segment
    from napari_bioseg.workflows.synchronising import sync
    from napari_bioseg.workflows.training import train
    from napari_bioseg.workflows.vessel_check import check_vessels

# A module must not bear its verb's name: once imported, it would hide the function here.
_HOME = {
    "batch": "batching",
    "check_drift": "drift_check",
    "check_vessels": "vessel_check",
    "compare": "comparison",
    "compare_run": "run_comparison",
    "detect": "detection",
    "evaluate": "evaluation",
    "identify": "identification",
    "segment": "segmentation",
    "sync": "synchronising",
    "train": "training",
}

__all__ = [
    "batch",
    "check_drift",
    "check_vessels",
    "compare",
    "compare_run",
    "detect",
    "evaluate",
    "identify",
    "segment",
    "sync",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
