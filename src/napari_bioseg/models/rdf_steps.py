"""Steps before and after a network as BioImage.IO describes them, in the words of a card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel, Field, model_validator

from napari_bioseg.models.normalise import Normalisation

_FLOATS = ("float32", "float64")


class Step(BaseModel):  # type: ignore[no-redef] # mypy takes the field kwargs for those of __init__
    """One step."""

    id: str
    kwargs: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _older(cls, values: Any) -> Any:
        """Format 0.4 calls the id a name."""
        if isinstance(values, dict) and "id" not in values and "name" in values:
            return {"id": values["name"], "kwargs": values.get("kwargs") or {}}
        return values


def normalisation_of(steps: Sequence[Step], axes: str) -> Normalisation:
    """Return how grey values are brought to the range of a network.

    Parameters
    ----------
    steps : sequence of Step
    axes : str
        That it sees, ``"YX"`` or ``"ZYX"``.

    Raises
    ------
    ValueError
        A card cannot say that; the message names the step.
    """
    found: dict[str, Any] | None = None
    clip: tuple[float, float] | None = None
    for step in _counting(steps):
        if step.id == "clip" and clip is None and {"min", "max"} <= set(step.kwargs):
            clip = float(step.kwargs["min"]), float(step.kwargs["max"])
        elif step.id in _SCALINGS and found is None and clip is None:
            found = _SCALINGS[step.id](step.kwargs, axes)
        else:
            raise ValueError(_refused("preprocessing", step))
    return Normalisation(**(found or {"method": "fixed", "low": 0, "high": 1}), clip=clip)


def activation_of(steps: Sequence[Step]) -> str | None:
    """Return ``"sigmoid"`` or ``"softmax"``; None where nothing comes after the network.

    Raises
    ------
    ValueError
        Something else does; the message names the step.
    """
    counting = list(_counting(steps))
    if not counting:
        return None
    step = counting[0]
    if len(counting) > 1 or step.id not in ("sigmoid", "softmax") or step.kwargs.get("axis", "channel") != "channel":
        raise ValueError(_refused("postprocessing", counting[-1]))
    return step.id


def _counting(steps: Sequence[Step]) -> Iterable[Step]:
    """Return the steps without those that only say that numbers are floats."""
    return (step for step in steps if step.id != "ensure_dtype" or step.kwargs.get("dtype") not in _FLOATS)


def _refused(where: str, step: Step) -> str:
    return f"{where} {step.id!r} {step.kwargs or ''}".strip() + " cannot be said on a card"


def _zero_mean(kwargs: dict[str, Any], axes: str) -> dict[str, Any]:
    if kwargs.get("mode", "per_sample") == "fixed":
        return _fixed_mean(kwargs, axes)
    return {"method": "zscore", "scope": _scope("zero_mean_unit_variance", kwargs, axes)}


def _fixed_mean(kwargs: dict[str, Any], _axes: str) -> dict[str, Any]:
    mean, deviation = _number(kwargs, "mean"), _number(kwargs, "std")
    return {"method": "fixed", "low": mean, "high": mean + deviation}


def _range(kwargs: dict[str, Any], axes: str) -> dict[str, Any]:
    if kwargs.get("reference_tensor"):
        raise ValueError("preprocessing 'scale_range' by another tensor cannot be said on a card")
    low, high = kwargs.get("min_percentile", 0.0), kwargs.get("max_percentile", 100.0)
    return {"method": "percentile", "scope": _scope("scale_range", kwargs, axes), "low": low, "high": high}


def _linear(kwargs: dict[str, Any], _axes: str) -> dict[str, Any]:
    gain, offset = _number(kwargs, "gain", 1.0), _number(kwargs, "offset", 0.0)
    if gain <= 0:
        raise ValueError(f"preprocessing 'scale_linear' by {gain:g} cannot be said on a card")
    return {"method": "fixed", "low": -offset / gain, "high": (1 - offset) / gain}


def _number(kwargs: dict[str, Any], key: str, default: float | None = None) -> float:
    """Return a number that may be written as a list of one, for the one channel."""
    value = kwargs.get(key, default)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int | float):
        raise ValueError(f"preprocessing with {key} {value!r} cannot be said on a card")
    return float(value)


def _scope(name: str, kwargs: dict[str, Any], axes: str) -> str:
    jointly = {str(axis)[0] for axis in kwargs.get("axes") or ("channel", *axes.lower())}
    if kwargs.get("mode", "per_sample") != "per_sample" or "b" in jointly:
        raise ValueError(f"preprocessing {name!r} over a whole data set cannot be said on a card")
    if not {"y", "x"} <= jointly:
        raise ValueError(f"preprocessing {name!r} over {sorted(jointly)} cannot be said on a card")
    return "volume" if axes == "ZYX" and "z" in jointly else "plane"


_SCALINGS: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "zero_mean_unit_variance": _zero_mean,
    "fixed_zero_mean_unit_variance": _fixed_mean,
    "scale_range": _range,
    "scale_linear": _linear,
}
