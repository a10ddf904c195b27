"""A model as a package for BioImage.IO (Ouyang et al., bioRxiv 2022.06.07.495102), in its format 0.5.

The weights are TorchScript, which other programs run without this package and without code from the archive, and a
state dict of an architecture of this package, which `read_package` reads back; those of an ONNX file are that file.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.files import file_sha256, whole_or_nothing, writing
from napari_bioseg.models.archive import check_zip_ending
from napari_bioseg.models.card import ONNX_FILE, README_FILE, Card
from napari_bioseg.models.model import Model, read_model
from napari_bioseg.models.normalise import Normalisation
from napari_bioseg.models.onnx_network import OnnxNetwork, opset_of
from napari_bioseg.models.rdf import OWN
from napari_bioseg.models.zoo import find_model

FORMAT = "0.5.6"
LICENCES = (
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC0-1.0",
    "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MPL-2.0",
)  # fmt: skip
"""Of SPDX, those that are common among models and data."""
_LEAST = 64  # pixels along Y and X
_CUT = (
    "Grey values are measured by the median of what is brighter than black. Where much of the background is cut to "
    "black, or that median is too bright or too dark for a background, napari-bioseg measures otherwise."
)


class _Plain(yaml.SafeDumper):
    """Writes each part out, also those that are the same: parts that stand for others are refused when read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def export_bioimageio(name: str | Path, out: Path) -> Path:
    """Write a model that gives labels as a BioImage.IO package; an archive of that name is replaced.

    Parameters
    ----------
    name : str or Path
        As for `find_model`.
    out : Path
        Ends on ``.zip``.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ModelNotFoundError, BrokenModelError
        There is no such model, or it is damaged.
    RecipeError
        It is a detector, whose boxes the format cannot describe; or `out` is no ``.zip``.
    UnwritableFileError
        It cannot be written.
    """
    check_zip_ending(out)
    model = read_model(find_model(name))
    if model.card.task == "detection":
        problem = "gives boxes, which a BioImage.IO package cannot say how to read"
        raise RecipeError(f"model {model.card.name!r}", problem, "Use bioseg export-model")
    with TemporaryDirectory(prefix="bioseg-") as temporary:
        folder = Path(temporary)
        with writing(folder):
            _write_package(model, folder)
        with writing(out), whole_or_nothing(out) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
    return out


def _write_package(model: Model, folder: Path) -> None:
    sides = _sides(model)
    # To the fourth power, since a background that is as bright as half of the range is none, see `Normalisation`.
    grey = 255 * np.random.default_rng(0).uniform(0, 1, (1, model.card.input.channels, *sides)).astype(np.float32) ** 4
    scaled = torch.from_numpy(model.card.input.normalisation.apply_to_sample(grey[0, 0]))[None, None]
    with torch.inference_mode():
        logits = model.network(scaled)
    if not model.card.output.applied:
        logits = logits.sigmoid() if model.card.output.activation == "sigmoid" else logits.softmax(1)
    if isinstance(model.network, OnnxNetwork):
        weights = _write_onnx(model.network, folder)
    else:
        weights = _write_torch(model, scaled, folder)
    np.save(folder / "test_input.npy", grey)
    np.save(folder / "test_output.npy", logits.numpy())
    (folder / README_FILE).write_text(_documentation(model), encoding="utf-8")
    description = {**_describe(model, folder, sides, logits.shape[1]), "weights": weights}
    (folder / "rdf.yaml").write_text(
        yaml.dump(description, Dumper=_Plain, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )


def _write_torch(model: Model, example: torch.Tensor, folder: Path) -> dict[str, Any]:
    """Write TorchScript for other programs, and the state dict for those that know the architecture, as we do."""
    # Its own check takes seconds; the test output is the network's, so that any validator checks the script.
    script = torch.jit.trace(model.network, example, check_trace=False)  # type: ignore[no-untyped-call]
    torch.jit.save(script, folder / "weights.pt")
    torch.save(model.network.state_dict(), folder / "state_dict.pt")
    version, made = torch.__version__.split("+")[0], type(model.network)
    arguments = model.card.architecture.model_dump(mode="json")["arguments"]
    architecture = {"import_from": made.__module__, "callable": made.__name__, "kwargs": arguments}
    state = {**_file(folder, "state_dict.pt"), "architecture": architecture, "pytorch_version": version}
    script_entry = {**_file(folder, "weights.pt"), "pytorch_version": version, "parent": "pytorch_state_dict"}
    return {"pytorch_state_dict": state, "torchscript": script_entry}


def _write_onnx(network: OnnxNetwork, folder: Path) -> dict[str, Any]:
    (folder / ONNX_FILE).write_bytes(network.data)
    return {"onnx": {**_file(folder, ONNX_FILE), "opset_version": opset_of(folder / ONNX_FILE)}}


def _file(folder: Path, name: str) -> dict[str, str]:
    return {"source": name, "sha256": file_sha256(folder / name)}


def _sides(model: Model) -> tuple[int, ...]:
    """Return the smallest sides of an image along the model's axes: multiples of the stride, with pixels to keep."""
    least = (_LEAST if axis in "YX" else 1 for axis in model.axes)
    return tuple(
        -(-max(few, 2 * halo + 1) // step) * step
        for few, halo, step in zip(least, model.halo, model.stride, strict=True)
    )


def _describe(model: Model, folder: Path, sides: tuple[int, ...], channels: int) -> dict[str, Any]:
    """Return what ``rdf.yaml`` says."""
    card = model.card

    licence = next((known for known in LICENCES if card.licence.split()[0].rstrip(";,.") == known), None)
    return {
        "type": "model",
        "format_version": FORMAT,
        "name": _plain(f"{card.title} ({card.name})")[:128],
        "version": card.version,
        "description": card.summary[:1024],
        **({"license": licence} if licence else {}),
        "documentation": README_FILE,
        "tags": ["semantic-segmentation", f"{len(model.axes)}d", "pytorch", card.architecture.name],
        "inputs": [
            {
                "id": "image",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": [f"channel{i}" for i in range(card.input.channels)]},
                    *_space(model, sides),
                ],
                "data": {"type": "float32"},
                "preprocessing": _preprocessing(card.input.normalisation, model.axes),
                "test_tensor": _file(folder, "test_input.npy"),
            }
        ],
        "outputs": [
            {
                "id": "probabilities",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": _class_names(card, channels)},
                    *_space_out(model),
                ],
                "data": {"type": "float32"},
                "postprocessing": [] if card.output.applied else [_postprocessing(card)],
                "test_tensor": _file(folder, "test_output.npy"),
            }
        ],
        # All of the card, for those who read it: thresholds, classes, scores, the profile for drift.
        "config": {OWN: card.model_dump(mode="json")},
    }


def _space(model: Model, sides: tuple[int, ...]) -> list[dict[str, Any]]:
    return [
        {**_axis(model.card, axis), "size": {"min": side, "step": step}}
        for axis, side, step in zip(model.axes, sides, model.stride, strict=True)
    ]


def _space_out(model: Model) -> list[dict[str, Any]]:
    # Nearer to a border than the halo, the result is not that of the whole image: readers of the package crop it.
    return [
        {
            **_axis(model.card, axis),
            "size": {"tensor_id": "image", "axis_id": axis.lower()},
            **({"halo": halo} if halo else {}),
        }
        for axis, halo in zip(model.axes, model.halo, strict=True)
    ]


def _axis(card: Card, axis: str) -> dict[str, Any]:
    size = card.input.pixel_size.get(axis)
    known = {"unit": "micrometer", "scale": size} if size else {}
    return {"type": "space", "id": axis.lower(), **known}


def _class_names(card: Card, channels: int) -> list[str]:
    names = [*(c.name for c in card.classes), *(["core"] if card.output.cores else [])]
    return names if len(names) == channels else [card.background, *names]


def _postprocessing(card: Card) -> dict[str, Any]:
    if card.output.activation == "sigmoid":
        return {"id": "sigmoid"}
    return {"id": "softmax", "kwargs": {"axis": "channel"}}


def _preprocessing(how: Normalisation, axes: str) -> list[dict[str, Any]]:
    """Return the steps that do what `Normalisation` does, but for the bounds that it sets to a background."""
    jointly = {"axes": ["channel", *(axes.lower() if how.scope == "volume" else "yx")]}
    steps: list[dict[str, Any]] = [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}]
    if how.method == "zscore":
        steps.append({"id": "zero_mean_unit_variance", "kwargs": jointly})
    elif how.method == "percentile":
        limits = {"min_percentile": how.low, "max_percentile": how.high}
        steps.append({"id": "scale_range", "kwargs": {**jointly, **limits}})
    elif how.method == "background":
        # The median of what is brighter than `low`. What this leaves out, `_documentation` says.
        limits = {"min_percentile": how.low, "max_percentile": (how.low + 100) / 2}
        steps.append({"id": "scale_range", "kwargs": {**jointly, **limits}})
        steps.append({"id": "scale_linear", "kwargs": {"gain": 1 / how.high, "offset": 0.0}})
    elif (how.low, how.high) != (0, 1):
        span = how.high - how.low
        steps.append({"id": "scale_linear", "kwargs": {"gain": 1 / span, "offset": -how.low / span}})
    if how.clip is not None:
        steps.append({"id": "clip", "kwargs": dict(zip(("min", "max"), how.clip, strict=True))})
    return steps


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_() -]", "-", name)


def _documentation(model: Model) -> str:
    card, folder = model.card, model.folder
    path = folder / README_FILE if folder else None
    text = path.read_text(encoding="utf-8") if path and path.is_file() else f"# {card.name}\n"
    decide = f"A pixel is of a class from a probability of {card.output.threshold} on."
    validation = f"Measured on images that it was not trained on: {card.score_line}. {decide}"
    if card.input.normalisation.method == "background":
        validation += f"\n\n{_CUT}"
    return f"{text}\n## Validation\n\n{validation}\n"
