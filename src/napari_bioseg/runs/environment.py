"""What a run ran on: ``RUN/environment.json``."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ENVIRONMENT = "environment.json"
_LIBRARIES = ("napari-bioseg", "torch", "numpy", "scipy", "scikit-image", "zarr", "tifffile", "openvino")


def environment() -> dict[str, Any]:
    """Return library versions and the machine."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def read_environment(folder: Path) -> dict[str, Any]:
    """Return what a run says that it ran on; nothing where it does not."""
    try:
        values = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
