"""What napari's attributes of a layer say of its axes, and where it lies, in our words and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_bioseg.core.axes import to_standard_unit
from napari_bioseg.corrections.project_info import PredictionInfo


def axes_said(ndim: int, attributes: Mapping[str, Any], known: str) -> str | None:
    """Return the axes that a layer's labels name; None unless they are different letters of `known` ending with YX."""
    letters = "".join(str(label)[:1].upper() for label in attributes.get("axis_labels", ()))
    named = len(letters) == ndim == len(set(letters)) and set(letters) <= set(known) and letters.endswith("YX")
    return letters if named else None


def placement_said(
    axes: str, attributes: Mapping[str, Any]
) -> tuple[tuple[float, ...], tuple[str | None, ...], tuple[float, ...]]:
    """Return scale, units and translation along `axes`, in µm and seconds where the units are known."""
    given = tuple(str(u) for u in attributes.get("units") or ("pixel",) * len(axes))
    scale = tuple(float(v) for v in attributes.get("scale", (1.0,) * len(axes)))
    measured = [to_standard_unit(a, s, u) for a, s, u in zip(axes, scale, given, strict=True)]
    factors = [to_standard_unit(a, 1.0, u)[0] for a, u in zip(axes, given, strict=True)]
    moved = attributes.get("translate", (0.0,) * len(axes))
    placed = tuple(float(t) * f for t, f in zip(moved, factors, strict=True))
    return tuple(v for v, _ in measured), tuple(u for _, u in measured), placed


def placement_of(layer: Any) -> dict[str, Any]:
    """Return where a layer lies, as fields of `PredictionInfo`."""
    return {
        "scale": tuple(float(v) for v in layer.scale),
        "units": tuple(str(u) for u in layer.units),
        "translate": tuple(float(v) for v in layer.translate),
        "turned": _turned(layer),
    }


def placement_again(info: PredictionInfo) -> dict[str, Any]:
    """Return the keyword arguments that lay a layer where `placement_of` found it."""
    return {
        "scale": info.scale,
        "units": info.units,
        "translate": info.translate,
        "axis_labels": tuple(info.axes.lower()),
        **{k: np.array(v) for k, v in info.turned.items()},
    }


def placement_like(layer: Any) -> dict[str, Any]:
    """Return the keyword arguments that lay a layer exactly on another of as many dimensions."""
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine.affine_matrix,
    }


def _turned(layer: Any) -> dict[str, Any]:
    n = layer.ndim
    ways: Mapping[str, tuple[Any, Any]] = {
        "rotate": (np.asarray(layer.rotate), np.eye(n)),
        "shear": (np.asarray(layer.shear), np.zeros(n * (n - 1) // 2)),
        "affine": (np.asarray(layer.affine.affine_matrix), np.eye(n + 1)),
    }
    return {k: v.tolist() for k, (v, plain) in ways.items() if v.shape != plain.shape or not np.allclose(v, plain)}
