"""Packages for BioImage.IO are what its own validator takes, and give what our engine gives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from napari_bioseg.core import RecipeError
from napari_bioseg.models import load_model
from napari_bioseg.models.bioimageio import export_bioimageio
from napari_bioseg.models.card import ArchitectureSpec, Card
from napari_bioseg.models.model import write_model
from napari_bioseg.models.normalise import Normalisation
from napari_bioseg.models.registry import build_network


def problems(package: Path) -> list[str]:
    """Return what the validator of BioImage.IO says is wrong; it looks at the files too, and needs no network."""
    spec = pytest.importorskip("bioimageio.spec")
    found = spec.load_description(package, perform_io_checks=True)
    errors = [f"{e.loc}: {e.msg}" for detail in found.validation_summary.details for e in detail.errors]
    return errors or ([] if isinstance(found, spec.model.v0_5.ModelDescr) else [type(found).__name__])


def unpacked(package: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], Any]:
    with zipfile.ZipFile(package) as file:
        arrays = {n: np.load(io.BytesIO(file.read(n))) for n in file.namelist() if n.endswith(".npy")}
        script = torch.jit.load(io.BytesIO(file.read("weights.pt")))
        return yaml.safe_load(file.read("rdf.yaml")), arrays, script


def put(zoo: Path, card: Card, **changes: Any) -> str:
    """Put a model like `card` into the zoo."""
    card = Card(**{**card.model_dump(), "sha256": "", **changes})
    torch.manual_seed(0)
    network = build_network(card.architecture.name, card.architecture.arguments)
    write_model(zoo / card.name, card, network, f"# {card.name}\n")
    return card.name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input": {"axes": "YX", "normalisation": {"method": "zscore"}}, "licence": "not to be given away"},
        {"input": {"axes": "YX", "normalisation": {"method": "fixed", "low": 5, "high": 255}}, "name": "a.b"},
        {"input": {"axes": "YX", "normalisation": {"method": "fixed", "low": 0, "high": 1}}},
        {
            "architecture": {"name": "unet", "arguments": {"dims": 3, "widths": [2, 4], "out_channels": 3}},
            "input": {"axes": "ZYX", "normalisation": {"scope": "volume"}, "pixel_size": {"Z": 2}},
            "classes": [{"value": 1, "name": "a"}, {"value": 2, "name": "b"}],
            "output": {"activation": "softmax"},
        },
        {"architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [2], "kernels": [[1, 1]]}}},
    ],
)
def test_its_own_validator_takes_it(zoo: Path, card: Card, tmp_path: Path, changes: dict[str, Any]) -> None:
    assert problems(export_bioimageio(put(zoo, card, **changes), tmp_path / "out.zip")) == []


def test_the_validator_sees_what_is_wrong(zoo: Path, tmp_path: Path) -> None:
    whole = export_bioimageio("tiny", tmp_path / "out.zip")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "wrong.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"other" if name == "weights.pt" else old.read(name))
    assert any("sha256" in p.lower() for p in problems(tmp_path / "wrong.zip"))


def test_the_weights_give_what_the_package_says_and_what_the_model_gives(zoo: Path, tmp_path: Path) -> None:
    said, arrays, script = unpacked(export_bioimageio("tiny", tmp_path / "out.zip"))
    grey = arrays["test_input.npy"]
    low, high = np.percentile(grey, (1, 99))
    scaled = torch.from_numpy(np.clip((grey - low) / (high - low), -10, 10).astype(np.float32))
    assert np.allclose(script(scaled).sigmoid().detach().numpy(), arrays["test_output.npy"], atol=1e-5)
    other = torch.rand(2, 1, 32, 48)
    with torch.inference_mode():
        assert torch.allclose(script(other), load_model("tiny").network(other), atol=1e-6)
    y = said["outputs"][0]["axes"][2]
    assert (y["halo"], y["scale"], y["unit"]) == (load_model("tiny").halo[0], 0.5, "micrometer")
    steps = said["inputs"][0]["preprocessing"]
    assert [s["id"] for s in steps] == ["ensure_dtype", "scale_range", "clip"]
    assert steps[1]["kwargs"] == {"axes": ["channel", "y", "x"], "min_percentile": 1.0, "max_percentile": 99.0}


def test_a_background_is_the_median_of_what_is_not_black(zoo: Path, card: Card, tmp_path: Path) -> None:
    how = Normalisation(method="background", low=1, high=25)
    name = put(zoo, card, input={"axes": "YX", "normalisation": how.model_dump()})
    whole = export_bioimageio(name, tmp_path / "out.zip")
    assert problems(whole) == []
    said, arrays, script = unpacked(whole)
    steps = {step["id"]: step.get("kwargs", {}) for step in said["inputs"][0]["preprocessing"]}
    assert list(steps) == ["ensure_dtype", "scale_range", "scale_linear", "clip"]
    # As the format says how they are done, to what our normalisation gave.
    grey, ends = arrays["test_input.npy"], steps["scale_range"]
    low, high = np.percentile(grey, (ends["min_percentile"], ends["max_percentile"]))
    scaled = (grey - low) / (high - low) * steps["scale_linear"]["gain"] + steps["scale_linear"]["offset"]
    scaled = torch.from_numpy(np.clip(scaled, steps["clip"]["min"], steps["clip"]["max"]).astype(np.float32))
    assert np.allclose(script(scaled).sigmoid().detach().numpy(), arrays["test_output.npy"], atol=1e-4)
    with zipfile.ZipFile(whole) as package:
        assert "cut to black" in package.read("README.md").decode()


def test_a_fixed_range_is_the_same_line(zoo: Path, card: Card, tmp_path: Path) -> None:
    how = Normalisation(method="fixed", low=20, high=220)
    name = put(zoo, card, input={"axes": "YX", "normalisation": how.model_dump()})
    said, _, _ = unpacked(export_bioimageio(name, tmp_path / "out.zip"))
    scale = said["inputs"][0]["preprocessing"][1]["kwargs"]
    offset, gain = how.fit(np.zeros(1))
    assert 120 * scale["gain"] + scale["offset"] == pytest.approx((120 - offset) * gain)


def test_boxes_are_refused(zoo: Path, card: Card, tmp_path: Path) -> None:
    yolo = ArchitectureSpec(name="yolo", arguments={"widths": [2, 4]})
    with pytest.raises(RecipeError, match="gives boxes"):
        export_bioimageio(put(zoo, card, task="detection", architecture=yolo), tmp_path / "out.zip")
    with pytest.raises(RecipeError, match=r"is no \.zip"):
        export_bioimageio("tiny", tmp_path / "out")
    assert not list(tmp_path.glob("out*"))
