"""A comparison read back from the folder of its run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.metrics.paired import Difference
from napari_bioseg.workflows.comparison_result import VERSION, Comparison, Original, Region, Unit

_ROWS = TypeAdapter(tuple[Unit, ...])
_REGIONS = TypeAdapter(tuple[Region, ...])
_DIFFERENCES = TypeAdapter(dict[str, Difference])


def read_comparison(path: Path) -> Comparison:
    """Read what `Comparison.write` wrote; it has no planes.

    Raises
    ------
    UnreadableFileError
        The file is missing or damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("version") != VERSION:
            raise UnreadableFileError(str(path), "was made by another napari-bioseg", "Compare again")
        original = values["original"]
        return Comparison(
            old=values["old"],
            new=values["new"],
            metrics=tuple(values["metrics"]),
            unit=values["unit"],
            rows=_ROWS.validate_python(values["rows"]),
            differences=_differences(values["differences"]),
            verdict=values["verdict"],
            original=original and _original(original),
            regions=_REGIONS.validate_python(values["regions"]),
        )
    except UnreadableFileError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFileError(str(path), "is missing or damaged", "Compare again") from error


def _differences(values: dict[str, dict[str, Any]]) -> dict[str, Difference]:
    known = {metric: {k: math.nan if v is None else v for k, v in found.items()} for metric, found in values.items()}
    return _DIFFERENCES.validate_python(known)


def _original(values: dict[str, Any]) -> Original:
    rows, differences = _ROWS.validate_python(values["rows"]), _differences(values["differences"])
    return Original(values["on"], values["words"], rows, differences)
