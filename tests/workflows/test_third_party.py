"""Models of others, into the zoo: what comes in gives what it should, and what cannot be used is one line."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from napari_bioseg.core import BrokenModelError, RecipeError
from napari_bioseg.core.errors import BiosegError, UnreadableFileError
from napari_bioseg.core.files import file_sha256
from napari_bioseg.core.job import Job
from napari_bioseg.models import find_model, list_models, load_model
from napari_bioseg.models.archive import export_model
from napari_bioseg.models.bioimageio import export_bioimageio
from napari_bioseg.models.onnx_network import OnnxNetwork
from napari_bioseg.models.registry import build_network
from napari_bioseg.workflows.third_party import import_file

MakeOnnx = Callable[..., Path]
CODE = {"callable": "Net", "source": "evil.py"}
CARD = {
    "input": {"axes": "YX", "pixel_size": {"Y": 0.5, "X": 0.5}, "normalisation": {"method": "zscore"}},
    "output": {"activation": "sigmoid", "threshold": 0.25},
    "classes": ["membrane"],
}
AXES = {"yx": [{"type": "space", "id": a, "size": {"min": 16, "step": 1}} for a in "yx"]}


def write_card(path: Path, **changes: Any) -> Path:
    path.write_text(yaml.safe_dump({**CARD, **changes}), encoding="utf-8")
    return path


@pytest.fixture
def package(tiny_zoo: Path, tmp_path: Path, make_onnx: MakeOnnx) -> Callable[..., Path]:
    """Return how to write a package of someone else's, format 0.5 or 0.4, with the network of `make_onnx`."""

    def make(said: dict[str, Any] | None = None, *, old: bool = False, after: str = "", error: float = 0) -> Path:
        folder = tmp_path / "package"
        folder.mkdir(exist_ok=True)
        (folder / "weights.onnx").write_bytes(make_onnx(after=after).read_bytes())
        network = OnnxNetwork(halo=(2, 2), stride=(1, 1))
        network.load(folder / "weights.onnx")
        grey = np.random.default_rng(0).uniform(0, 200, (1, 1, 32, 48)).astype(np.float32)
        given = network.run((grey - grey.mean()) / grey.std())
        np.save(folder / "in.npy", grey)
        np.save(folder / "out.npy", (given if after else 1 / (1 + np.exp(-given))) + np.float32(error))
        (folder / "evil.py").write_text("raise SystemExit('it was run')", encoding="utf-8")
        rdf = _old(folder, not after) if old else _new(folder, not after)
        (folder / "rdf.yaml").write_text(json.dumps({**rdf, **(said or {})}), encoding="utf-8")
        return folder

    return make


def _file(folder: Path, name: str) -> dict[str, str]:
    return {"source": name, "sha256": file_sha256(folder / name)}


def _new(folder: Path, logits: bool) -> dict[str, Any]:
    batch, channel = {"type": "batch"}, {"type": "channel", "channel_names": ["grey"]}
    space = [{**axis, "unit": "nanometer", "scale": 250} for axis in AXES["yx"]]
    before = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}}]
    out = {"type": "channel", "channel_names": ["nucleus"]}
    return {
        "type": "model", "format_version": "0.5.6", "name": "Nuclei of Ours!", "description": "Finds nuclei",
        "license": "CC-BY-4.0",
        "inputs": [{"id": "a", "axes": [batch, channel, *space], "preprocessing": before,
                    "test_tensor": _file(folder, "in.npy")}],
        "outputs": [{"id": "b", "axes": [batch, out, *AXES["yx"]], "test_tensor": _file(folder, "out.npy"),
                     "postprocessing": [{"id": "sigmoid"}] if logits else []}],
        "weights": {"onnx": {**_file(folder, "weights.onnx"), "opset_version": 17}},
    }  # fmt: skip


def _old(folder: Path, logits: bool) -> dict[str, Any]:
    before = [{"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "cyx"}}]
    return {
        "type": "model", "format_version": "0.4.9", "name": "Nuclei of Ours!", "description": "Finds nuclei",
        "inputs": [{"name": "a", "axes": "bcyx", "shape": {"min": [1, 1, 16, 16], "step": [0, 0, 1, 1]},
                    "preprocessing": before}],
        "outputs": [{"name": "b", "axes": "bcyx", "halo": [0, 0, 2, 2], "shape": {"reference_tensor": "a"},
                     "postprocessing": [{"name": "sigmoid"}] if logits else []}],
        "test_inputs": ["in.npy"], "test_outputs": ["out.npy"],
        "weights": {"onnx": _file(folder, "weights.onnx")},
    }  # fmt: skip


@pytest.mark.parametrize("old", [False, True])
def test_a_package_comes_in_and_gives_what_it_says(package: Callable[..., Path], old: bool) -> None:
    job = Job()
    card = import_file(package(old=old), job=job)
    assert (card.name, card.version, card.architecture.name) == ("nuclei-of-ours", "1", "onnx")
    assert card.architecture.arguments == {"halo": [2, 2], "stride": [1, 1], "exact": True}
    assert (card.input.normalisation.method, card.input.normalisation.clip) == ("zscore", None)
    assert card.input.pixel_size == ({} if old else {"Y": 0.25, "X": 0.25})
    assert [c.name for c in card.classes] == (["class 0"] if old else ["nucleus"])
    assert "were measured" in job.notes[0]
    assert isinstance(load_model(card.name).network, OnnxNetwork)
    assert sorted(p.name for p in find_model(card.name).iterdir()) == ["README.md", "card.yaml", "weights.onnx"]


def test_a_zip_comes_in_with_what_a_card_adds(package: Callable[..., Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        for file in package(after="Sigmoid").iterdir():
            archive.write(file, file.name)
    (tmp_path / "more.yaml").write_text("classes: [cell]\noutput: {threshold: 0.75}\n", encoding="utf-8")
    card = import_file(tmp_path / "out.zip", "mine", tmp_path / "more.yaml")
    assert (card.name, card.classes[0].name, card.output.threshold) == ("mine", "cell", 0.75)
    assert (card.output.activation, card.output.applied) == ("sigmoid", True)


@pytest.mark.parametrize(
    ("said", "changes", "line"),
    [
        ({}, {"error": 0.02}, "differs by up to 0.02 from what it says that it gives for its own test image"),
        ({"weights": {"torchscript": {"source": "x.pt"}}}, {}, "holds TorchScript, which is deprecated and not loaded"),
        ({"weights": {"keras_v3": {"source": "x.keras"}}}, {}, "holds weights for keras_v3"),
        (
            {"weights": {"pytorch_state_dict": {"source": "x", "architecture": CODE}}},
            {},
            r"its network is code \(Net of evil.py\), which is not run",
        ),
        ({"weights": {"onnx": {"source": "../out.npy"}}}, {}, "leads out of the package"),
        ({"weights": {"onnx": {"source": "/etc/passwd"}}}, {}, "leads out of the package"),
        ({"weights": {"onnx": {"source": "https://there/net.onnx"}}}, {}, "lies on the internet"),
        ({"weights": {"onnx": {"source": "none.onnx"}}}, {}, "none.onnx: is missing"),
        ({"weights": {"onnx": {"source": "weights.onnx", "sha256": "0" * 64}}}, {}, "its sha256 is not the one"),
        ({"weights": {"onnx": {"source": "in.npy"}}}, {}, "is no ONNX file"),
        ({"inputs": []}, {}, "has 0 inputs and 1 outputs"),
        ({"format_version": "0.3.0"}, {}, "in format 0.3.0, not a model in 0.4 or 0.5"),
        ({"type": "dataset"}, {}, "describes a dataset"),
        ({"name": None}, {}, "its description: name: Input should be a valid string"),
        ({"inputs": 3}, {"old": True}, "its description: cannot be read"),
    ],
)  # fmt: skip
def test_a_package_that_cannot_be_used_is_one_line(
    package: Callable[..., Path], tiny_zoo: Path, said: dict[str, Any], changes: dict[str, Any], line: str
) -> None:
    folder, before = package(said, **changes), sorted(tiny_zoo.rglob("*"))
    with pytest.raises(BrokenModelError, match=line) as told:
        import_file(folder)
    assert str(folder) in str(told.value)
    assert "\n" not in str(told.value)
    assert sorted(tiny_zoo.rglob("*")) == before


def test_a_link_out_of_a_folder_is_not_followed(package: Callable[..., Path], tmp_path: Path) -> None:
    folder = package()
    (folder / "weights.onnx").rename(tmp_path / "outside.onnx")
    (folder / "weights.onnx").symlink_to(tmp_path / "outside.onnx")
    with pytest.raises(BrokenModelError, match=r"weights\.onnx: is missing"):
        import_file(folder)


def test_what_a_card_cannot_say_is_named(package: Callable[..., Path]) -> None:
    folder = package()
    rdf = yaml.safe_load((folder / "rdf.yaml").read_text(encoding="utf-8"))
    rdf["inputs"][0]["preprocessing"] = [{"id": "binarize", "kwargs": {"threshold": 3}}]
    (folder / "rdf.yaml").write_text(json.dumps(rdf), encoding="utf-8")
    with pytest.raises(BrokenModelError, match=r"has preprocessing 'binarize' .* cannot be said on a card"):
        import_file(folder)


def test_values_that_are_no_probabilities_need_an_activation(package: Callable[..., Path], tmp_path: Path) -> None:
    folder = package(after="Neg")
    with pytest.raises(BrokenModelError, match="which are no probabilities"):
        import_file(folder / "rdf.yaml")


@pytest.mark.parametrize("name", ["tiny2d", "tiny3d"])
def test_our_own_package_comes_back(tiny_zoo: Path, tmp_path: Path, name: str) -> None:
    card = import_file(export_bioimageio(name, tmp_path / "out.zip"), "back")
    model, back = load_model(name), load_model("back")
    same = {"name", "version", "sha256"}
    assert card.model_dump(exclude=same) == model.card.model_dump(exclude=same)
    for a, b in zip(model.network.state_dict().values(), back.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_an_onnx_model_goes_round_as_a_package_and_as_a_file(
    tiny_zoo: Path, tmp_path: Path, make_onnx: MakeOnnx
) -> None:
    write_card(tmp_path / "net.yaml")
    first = import_file(make_onnx())
    assert (first.name, first.output.threshold, first.licence) == ("net", 0.25, "not told")
    files = [export_model("net", tmp_path / "out.zip"), export_bioimageio("net", tmp_path / "package.zip")]
    for file in files:
        again = import_file(file, "again")
        same = {"name", "version"}
        assert again.model_dump(exclude=same) == first.model_dump(exclude=same)
    assert import_file(find_model("net"), "folder").sha256 == first.sha256


def test_a_halo_that_is_told_is_looked_at(tiny_zoo: Path, tmp_path: Path, make_onnx: MakeOnnx) -> None:
    told = {"name": "onnx", "arguments": {"halo": [1, 1], "stride": [1, 1]}}
    job = Job()
    card = import_file(make_onnx(), None, write_card(tmp_path / "told.yaml", architecture=told), job=job)
    assert card.architecture.arguments == {"halo": [1, 1], "stride": [1, 1], "exact": False}
    assert "with halo [1, 1] tiles differ from the whole by" in job.notes[0]


def test_weights_of_a_known_network_come_in_with_a_card(tiny_zoo: Path, tmp_path: Path) -> None:
    spec = load_model("tiny2d").card.architecture.model_dump()
    state = load_model("tiny2d").network.state_dict()
    torch.save({"state_dict": state}, tmp_path / "net.pt")
    save_file(state, tmp_path / "net.safetensors")
    write_card(tmp_path / "card.yaml", architecture=spec)
    for ending in ("pt", "safetensors"):
        card = import_file(tmp_path / f"net.{ending}")
        assert torch.equal(load_model(f"net@{card.version}").network.state_dict()["head.bias"], state["head.bias"])


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("it-was-run",)


def test_code_in_weights_is_not_run(tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"head.bias": Evil()}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Evil()))
    torch.save([1, 2], tmp_path / "c.pt")
    torch.save({"head.bias": torch.zeros(1)}, tmp_path / "d.pt")
    write_card(tmp_path / "card.yaml", architecture={"name": "unet", "arguments": {"widths": [2]}})
    for name, line in (
        ("a", "code in a pickle"),
        ("b", "code in a pickle"),
        ("c", "no state dict"),
        ("d", "not those"),
    ):
        with pytest.raises(BrokenModelError, match=line):
            import_file(tmp_path / f"{name}.pt")
    assert not (tmp_path / "it-was-run").exists()
    assert [card.name for card in list_models() if card.name in "abcd"] == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"classes": ["a", "b"]}, "gives 1 channels; 2 classes with sigmoid need 2"),
        ({"input": {"axes": "YX"}}, r"does not tell input\.normalisation"),
        ({"input": 3}, r"does not tell input\.normalisation"),
        ({"input": {"axes": "XY", "normalisation": {}}}, "input: axes: Input should be 'YX' or 'ZYX'"),
        ({"input": {"axes": "ZYX", "normalisation": {}}}, "as its card says"),
        ({"output": {"threshold": 0.5}}, "does not tell its activation"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"architecture": {"name": "onnx", "arguments": {"halo": [1, 1]}}}, "cannot be built with these arguments"),
        ({"architecture": {"name": "onnx", "arguments": {"halo": [1] * 3, "stride": [1] * 3}}}, "axes|in tiles"),
    ],
)
def test_a_card_that_is_wrong_is_one_line(
    tiny_zoo: Path, tmp_path: Path, make_onnx: MakeOnnx, changes: dict[str, Any], line: str
) -> None:
    with pytest.raises((BrokenModelError, RecipeError), match=line):
        import_file(make_onnx(), None, write_card(tmp_path / "wrong.yaml", **changes))
    assert not (tiny_zoo / "net").exists()


def test_a_card_is_asked_for_where_there_is_none_and_refused_where_there_is_one(
    tiny_zoo: Path, tmp_path: Path, make_onnx: MakeOnnx
) -> None:
    with pytest.raises(RecipeError, match=r"Write input, output and classes to net\.yaml"):
        import_file(make_onnx())
    with pytest.raises(RecipeError, match="is not needed: this model has a card"):
        import_file(export_model("tiny2d", tmp_path / "out.zip"), None, write_card(tmp_path / "more.yaml"))
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        import_file(tmp_path / "none.onnx")
    with pytest.raises(BiosegError, match=r"holds neither rdf\.yaml nor card\.yaml"):
        import_file(tmp_path)


def test_a_network_by_the_class_of_a_library_is_known_by_name_alone(
    package: Callable[..., Path], tmp_path: Path
) -> None:
    folder = package()
    arguments = {"dims": 2, "widths": [2]}
    torch.manual_seed(0)
    network = build_network("unet", arguments).eval()
    torch.save(network.state_dict(), folder / "state.pt")
    grey = np.load(folder / "in.npy")
    with torch.inference_mode():
        given = network(torch.from_numpy((grey - grey.mean()) / grey.std())).sigmoid()
    np.save(folder / "out.npy", given.numpy())
    rdf = _new(folder, logits=True)
    known = {"import_from": "napari_bioseg.models.unet", "callable": "UNet", "kwargs": arguments}
    rdf["weights"]["pytorch_state_dict"] = {**_file(folder, "state.pt"), "architecture": known}
    (folder / "rdf.yaml").write_text(json.dumps(rdf), encoding="utf-8")
    card = import_file(folder)
    assert card.architecture.model_dump() == {"name": "unet", "arguments": arguments}
    known["import_from"] = "os"  # nothing is imported by it: the ONNX file is taken
    (folder / "rdf.yaml").write_text(json.dumps(rdf), encoding="utf-8")
    with pytest.raises(BrokenModelError, match="differs by up to"):
        import_file(folder)


@pytest.mark.xdist_group("monai")
def test_weights_of_monai_come_in_with_what_was_measured(tiny_zoo: Path, tmp_path: Path) -> None:
    nets = pytest.importorskip("monai.networks.nets")
    arguments = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "channels": [2, 4], "strides": [2]}
    torch.save(nets.UNet(**arguments, norm="batch").state_dict(), tmp_path / "net.pt")
    spec = {"name": "monai", "arguments": {"class": "UNet", **arguments, "norm": "batch"}}
    card = import_file(tmp_path / "net.pt", None, write_card(tmp_path / "net.yaml", architecture=spec))
    assert card.architecture.arguments["stride"] == [2, 2]
    assert card.architecture.arguments["exact"] is True
    torch.save(nets.UNet(**arguments).state_dict(), tmp_path / "net.pt")
    told = {"class": "UNet", **arguments, "halo": [8, 8], "stride": [2, 2]}
    spec = {"name": "monai", "arguments": told}
    card = import_file(tmp_path / "net.pt", None, write_card(tmp_path / "net.yaml", architecture=spec))
    assert card.architecture.arguments["exact"] is False
