"""Descriptions of BioImage.IO in format 0.4, written as 0.5 writes them."""

from __future__ import annotations

from typing import Any

_TYPES = {"b": "batch", "c": "channel", "t": "time", "i": "index"}


def upgraded(values: Any) -> dict[str, Any]:
    """Return a description as format 0.5 has it, as far as it is read here.

    Raises
    ------
    ValueError
        It describes no model, or in another format.
    TypeError, KeyError, AttributeError, IndexError
        It is damaged.
    """
    version = str(values.get("format_version", "none"))
    if values.get("type") != "model" or not version.startswith(("0.4.", "0.5.")):
        raise ValueError(f"describes a {values.get('type')} in format {version}, not a model in 0.4 or 0.5")
    if version.startswith("0.5."):
        return {**values, "documentation": _name(values.get("documentation"))}
    tests = {"inputs": values.get("test_inputs") or [], "outputs": values.get("test_outputs") or []}
    tensors = {
        key: [_tensor(tensor, tests[key][i] if i < len(tests[key]) else None) for i, tensor in enumerate(values[key])]
        for key in tests
    }
    return {**values, **tensors, "weights": {key: _weights(entry) for key, entry in values["weights"].items()}}


def _tensor(told: dict[str, Any], test: str | None) -> dict[str, Any]:
    axes = [{"type": _TYPES.get(a, "space"), "id": a} for a in told["axes"]]
    shape, halo = told.get("shape"), told.get("halo") or [0] * len(axes)
    for i, axis in enumerate(axes):
        step = shape["step"][i] if isinstance(shape, dict) and "step" in shape else None
        axis |= {"halo": halo[i], "size": {"step": step} if step is not None else None}
    return {**told, "axes": axes, "test_tensor": {"source": test} if test else None}


def _weights(entry: dict[str, Any]) -> dict[str, Any]:
    told = entry.get("architecture")
    if not isinstance(told, str):
        return entry
    if ":" in told:  # a file of the package
        source, _, name = told.rpartition(":")
        where = {"source": source}
    else:
        module, _, name = told.rpartition(".")
        where = {"import_from": module}
    return {**entry, "architecture": {**where, "callable": name, "kwargs": entry.get("kwargs") or {}}}


def _name(told: Any) -> Any:
    """Return the name of a file, which may be told with its checksum."""
    return told.get("source") if isinstance(told, dict) else told
