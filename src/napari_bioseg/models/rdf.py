"""Packages of BioImage.IO (Ouyang et al., bioRxiv 2022.06.07.495102), formats 0.4 and 0.5, in the words of a card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError

from napari_bioseg.core.errors import BrokenModelError
from napari_bioseg.models.card import ONNX
from napari_bioseg.models.importing import check_plain
from napari_bioseg.models.monai_network import NETS
from napari_bioseg.models.rdf_files import PackageFiles
from napari_bioseg.models.rdf_steps import Step, activation_of, normalisation_of
from napari_bioseg.models.rdf_upgrade import upgraded
from napari_bioseg.models.registry import architecture_named

OWN = "napari_bioseg"
"""Where a package of ours keeps the whole card, in its ``config``."""

_SPACE = {"bcyx": "YX", "bczyx": "ZYX"}
_UNITS = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3}  # in µm
_MOST = 2**32  # bytes of weights
_NEEDED = "Ask for one with ONNX weights, or with a state dict of a network known here"


@dataclass(frozen=True)
class Foreign:
    """A model that came without a folder of ours.

    Attributes
    ----------
    source : Path
        Where it came from.
    values : dict
        What is known of its card.
    weights : Path
        ONNX file, state dict or safetensors.
    halo, stride : tuple of int or None
        As it says of itself, which is not always so.
    readme : str
    example : tuple of Path or None
        Arrays: an image, and what the model gives of it.
    """

    source: Path
    values: dict[str, Any]
    weights: Path
    halo: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    readme: str = ""
    example: tuple[Path, Path] | None = None


class _File(BaseModel):
    source: str
    sha256: str | None = None


class _Axis(BaseModel):
    type: str
    id: str = ""
    size: Any = None
    unit: str | None = None
    scale: float = 1.0
    halo: int = 0
    channel_names: list[str] | None = None

    @property
    def letter(self) -> str:
        return self.id if self.type == "space" and len(self.id) == 1 else self.type[:1]


class _Tensor(BaseModel):
    axes: list[_Axis]
    preprocessing: list[Step] | None = None
    postprocessing: list[Step] | None = None
    test_tensor: _File | None = None

    @property
    def letters(self) -> str:
        return "".join(axis.letter for axis in self.axes)

    @property
    def space(self) -> list[_Axis]:
        return self.axes[2:]


class _Weights(_File):
    architecture: dict[str, Any] = Field(default_factory=dict)


class _Rdf(BaseModel):
    name: str
    description: str = ""
    license: str | None = None
    documentation: str | None = None
    inputs: list[_Tensor]
    outputs: list[_Tensor]
    weights: dict[str, _Weights]
    config: dict[str, Any] | None = None


def read_package(files: PackageFiles, description: Path) -> Foreign:
    """Read what a package says of its model; nothing of it is run.

    Raises
    ------
    BrokenModelError
        It is damaged, or describes a model that cannot be used here; the line says why.
    """
    said = _read(files.source, description)
    subject = str(files.source)
    if len(said.inputs) != 1 or len(said.outputs) != 1:
        problem = f"has {len(said.inputs)} inputs and {len(said.outputs)} outputs"
        raise BrokenModelError(subject, problem, "Choose a model with one of each")
    grey, given = said.inputs[0], said.outputs[0]
    if grey.letters not in _SPACE or given.letters != grey.letters:
        problem = f"takes axes {grey.letters} and gives {given.letters}"
        raise BrokenModelError(subject, problem, "Choose a model from bcyx to bcyx, or from bczyx to bczyx")
    spec, weights = _weights(subject, said)
    own = (said.config or {}).get(OWN)
    values = _own_values(own) if isinstance(own, dict) else _values(subject, said, spec)
    if grey.test_tensor is None or given.test_tensor is None:
        raise BrokenModelError(
            subject, "has no test tensors, so that nothing shows whether it is read rightly", _NEEDED
        )
    return Foreign(
        source=files.source,
        values=values,
        weights=files.get(weights.source, weights.sha256, largest=_MOST),
        halo=tuple(axis.halo for axis in given.space),
        stride=_stride(grey),
        readme=_readme(files, said),
        example=(_array(files, grey.test_tensor), _array(files, given.test_tensor)),
    )


def _read(source: Path, description: Path) -> _Rdf:
    again = "Ask for the package again"
    try:
        check_plain(description)
        return _Rdf.model_validate(upgraded(yaml.safe_load(description.read_text(encoding="utf-8"))))
    except BrokenModelError as error:
        raise BrokenModelError(f"{source}: its description", error.problem, again) from error
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise BrokenModelError(f"{source}: its description", problem, again) from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise BrokenModelError(f"{source}: its description", f"cannot be read ({error})", again) from error


def _weights(subject: str, said: _Rdf) -> tuple[dict[str, Any], _Weights]:
    """Return the architecture and the weights that can be used: of a network known here, or else ONNX."""
    state = said.weights.get("pytorch_state_dict")
    known = _known(state.architecture) if state else None
    if state is not None and known is not None:
        return known, state
    if "onnx" in said.weights:
        return {"name": ONNX}, said.weights["onnx"]
    if state is not None:
        told = state.architecture
        where = told.get("source") or told.get("import_from") or "nowhere"
        problem = f"its network is code ({told.get('callable')} of {where}), which is not run"
    elif "torchscript" in said.weights:
        problem = "holds TorchScript, which is deprecated and not loaded"
    else:
        problem = f"holds weights for {', '.join(said.weights) or 'nothing'}, which are not loaded"
    raise BrokenModelError(subject, problem, _NEEDED)


def _known(told: dict[str, Any]) -> dict[str, Any] | None:
    """Return the architecture that a class stands for, by its name alone."""
    module, name, arguments = str(told.get("import_from")), str(told.get("callable")), told.get("kwargs") or {}
    if module.startswith("monai.networks.nets") and name in NETS:
        return {"name": "monai", "arguments": {"class": name, **arguments}}
    ours = architecture_named(module, name)
    return {"name": ours, "arguments": arguments} if ours else None


def _own_values(card: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in card.items() if key not in ("sha256", "version")}


def _values(subject: str, said: _Rdf, spec: dict[str, Any]) -> dict[str, Any]:
    grey, given = said.inputs[0], said.outputs[0]
    axes = _SPACE[grey.letters]
    try:
        normalisation = normalisation_of(grey.preprocessing or [], axes)
        activation = activation_of(given.postprocessing or [])
    except ValueError as error:
        raise BrokenModelError(subject, f"has {error}", "Choose another model") from error
    names = given.axes[1].channel_names
    return {
        "title": said.name,
        "summary": " ".join(said.description.split()) or "Not told",
        "architecture": spec,
        "input": {"axes": axes, "pixel_size": _pixel_size(grey), "normalisation": normalisation.model_dump()},
        "output": {"activation": activation} if activation else {},
        "classes": names,
        "licence": said.license or "not told",
        "data": "not told by the package",
        "split": "not told by the package",
    }


def _pixel_size(grey: _Tensor) -> dict[str, float]:
    return {axis.id.upper(): axis.scale * _UNITS[axis.unit] for axis in grey.space if axis.unit in _UNITS}


def _stride(grey: _Tensor) -> tuple[int, ...] | None:
    sizes = [axis.size for axis in grey.space]
    if all(isinstance(size, dict) and isinstance(size.get("step"), int) and size["step"] > 0 for size in sizes):
        return tuple(size["step"] for size in sizes)
    return None


def _array(files: PackageFiles, told: _File) -> Path:
    return files.get(told.source, told.sha256)


def _readme(files: PackageFiles, said: _Rdf) -> str:
    name = said.documentation
    if not name or not name.endswith(".md") or "://" in name:
        return f"# {said.name}\n\n{said.description}\n"
    return files.get(name, largest=2**20).read_text(encoding="utf-8", errors="replace")
