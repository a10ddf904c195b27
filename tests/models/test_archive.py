"""A model as one file: out, in, and what is refused."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from napari_bioseg.core import BrokenModelError, RecipeError
from napari_bioseg.core.errors import BiosegError, UnreadableFileError, UnwritableFileError
from napari_bioseg.core.files import file_sha256
from napari_bioseg.models import find_model, list_models, load_model, read_card
from napari_bioseg.models.archive import export_model, import_model
from napari_bioseg.models.card import Card
from napari_bioseg.models.ensemble import join
from napari_bioseg.models.model import write_model
from napari_bioseg.models.zoo import changing_family, find_family

Repack = Callable[..., Path]


@pytest.fixture
def archive(zoo: Path) -> Path:
    return export_model("tiny", zoo.parent / "tiny.zip")


@pytest.fixture
def repack(archive: Path) -> Repack:
    """Return how to write the archive again, with some of its files changed."""

    def make(changes: dict[str, Any], method: int = zipfile.ZIP_DEFLATED) -> Path:
        out = archive.with_name("changed.zip")
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w", method) as new:
            for name, data in {**{n: old.read(n) for n in old.namelist()}, **changes}.items():
                if data is not None:
                    new.writestr(name, data)
        return out

    return make


def test_a_model_goes_out_and_comes_in_as_a_new_version(zoo: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        assert sorted(file.namelist()) == ["README.md", "card.yaml", "weights.safetensors"]
    card = import_model(archive, "friend")
    assert (card.name, card.version) == ("friend", "1")
    assert import_model(archive, "friend").version == "2"
    assert find_model("friend") == zoo / "friend" / "versions" / "1"
    assert (find_model("friend@2") / "README.md").read_text(encoding="utf-8") == "# tiny\n"
    last = find_family("friend").history()[-1]
    assert (last.what, last.version, last.source) == ("imported", 2, str(archive))
    for a, b in zip(*(load_model(n).network.state_dict().values() for n in ("tiny", "friend@2")), strict=True):
        assert torch.equal(a, b)


def test_an_ensemble_goes_out_and_comes_in(zoo: Path, card: Card) -> None:
    spec, network = join([(card.architecture, load_model("tiny").network)] * 2, "sigmoid")
    write_model(zoo / "pair", card.model_copy(update={"name": "pair", "architecture": spec}), network, "# pair\n")
    assert import_model(export_model("pair", zoo.parent / "pair.zip"), "friend").architecture == spec


def test_what_comes_in_does_not_change_what_is_used(zoo: Path, archive: Path) -> None:
    weights = (zoo / "tiny" / "weights.safetensors").read_bytes()
    assert import_model(archive).version == "2"
    assert read_card(find_model("tiny")).version == "1"
    assert (zoo / "tiny" / "weights.safetensors").read_bytes() == weights


def test_a_version_goes_out(zoo: Path, tmp_path: Path) -> None:
    with changing_family("cells") as family:
        for _ in range(2):
            family.add(zoo / "tiny", "promoted", champion=True)
    (find_model("cells@1") / "README.md").unlink()
    with zipfile.ZipFile(export_model("cells@1", tmp_path / "out.zip")) as file:
        assert yaml.safe_load(file.read("card.yaml"))["version"] == "1"
        assert file.read("README.md")


def test_a_damaged_model_does_not_go_out(zoo: Path, tmp_path: Path) -> None:
    (zoo / "tiny" / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(BrokenModelError, match="sha256"):
        export_model("tiny", tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_where_it_goes_must_be_a_zip_that_can_be_written(zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"out\.doc: is no \.zip"):
        export_model("tiny", tmp_path / "out.doc")
    with pytest.raises(UnwritableFileError, match="does not exist"):
        export_model("tiny", tmp_path / "none" / "out.zip")


def nested(text: str, depth: int) -> str:
    return text + "".join(f"x{i}: &x{i} [*x{i - 1}, *x{i - 1}]\n" for i in range(1, depth))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"../card.yaml": b"x"}, "must hold"),
        ({"/etc/passwd": b"x"}, "must hold"),
        ({"sub/card.yaml": b"x", "card.yaml": None}, "must hold"),
        ({"more.txt": b"x"}, "nothing else"),
        ({"README.md": None}, "must hold"),
        ({"card.yaml": b"name: ["}, "card.yaml: is not valid YAML"),
        ({"card.yaml": b"\xff\xfe\x00"}, "card.yaml"),
        ({"card.yaml": b"name: tiny"}, "card.yaml: title: Field required"),
        ({"card.yaml": b"[" * 5000 + b"]" * 5000}, "nested too deeply"),
        ({"card.yaml": nested("x0: &x0 [1, 1]\n", 40).encode()}, "refers to itself"),
        ({"weights.safetensors": b"nothing"}, "weights.safetensors: its sha256"),
        ({"README.md": np.random.default_rng(0).bytes(2**20 + 1)}, "README.md: would be 1 MiB"),
        ({"weights.safetensors": bytes(2**22)}, "weights.safetensors: would be 4 MiB, from 0 MiB"),
    ],
)
def test_an_archive_of_anything_else_is_refused(zoo: Path, repack: Repack, changes: dict[str, Any], said: str) -> None:
    before = sorted(zoo.rglob("*"))
    with pytest.raises(BrokenModelError) as told:
        import_model(repack(changes))
    assert said in str(told.value)
    assert "changed.zip" in str(told.value)
    assert sorted(zoo.rglob("*")) == before


def test_the_weights_must_be_those_of_the_card_and_its_network(zoo: Path, archive: Path, repack: Repack) -> None:
    text = (zoo / "tiny" / "card.yaml").read_text(encoding="utf-8")
    for changed, said in (
        (text.replace("- 4\n", "- 6\n"), "does not fit its card"),
        (text.replace("- 4\n", "- 100000\n"), "does not fit its card"),  # never built: 720 GB
        (text.replace("name: unet", "name: nonet"), "Choose one of: .*unet"),
        (text.replace(f"sha256: {file_sha256(zoo / 'tiny' / 'weights.safetensors')}", "sha256: ''"), "has no sha256"),
    ):
        assert changed != text
        with pytest.raises(BrokenModelError, match=said):
            import_model(repack({"card.yaml": changed}))
    junk = b"\xff" * 64
    card = yaml.safe_load(text) | {"sha256": hashlib.sha256(junk).hexdigest()}
    with pytest.raises(BrokenModelError, match=r"weights\.safetensors: is damaged"):
        import_model(repack({"card.yaml": yaml.safe_dump(card), "weights.safetensors": junk}))


def test_names_that_come_twice_and_links_are_refused(zoo: Path, archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "twice.zip"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        with pytest.warns(UserWarning, match="Duplicate"):
            new.writestr("card.yaml", b"x")
    with pytest.raises(BrokenModelError, match="must hold"):
        import_model(out)
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o120777 if name == "README.md" else 0o100644) << 16
            new.writestr(entry, b"/etc/passwd" if name == "README.md" else old.read(name))
    with pytest.raises(BrokenModelError, match=r"README\.md: is no plain file"):
        import_model(out)


def test_other_packings_are_refused(zoo: Path, repack: Repack) -> None:
    with pytest.raises(BrokenModelError, match="is no plain file"):
        import_model(repack({}, method=zipfile.ZIP_LZMA))


def test_what_is_no_zip_or_is_damaged_is_one_line(zoo: Path, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"nothing")
    whole = archive.read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    place = whole.index(b"weights.safetensors") + 500
    (tmp_path / "changed.zip").write_bytes(whole[:place] + struct.pack("B", whole[place] ^ 255) + whole[place + 1 :])
    for name in ("no", "cut", "changed"):
        with pytest.raises(UnreadableFileError, match=rf"{name}\.zip: is no zip, or a damaged one"):
            import_model(tmp_path / f"{name}.zip")
    with pytest.raises(UnreadableFileError, match=r"cannot be read \(No such file"):
        import_model(tmp_path / "none.zip")
    with pytest.raises(BiosegError):
        import_model(tmp_path)


def test_a_wrong_name_is_told(zoo: Path, archive: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be that of a model"):
        import_model(archive, "../out")
    assert "out" not in [card.name for card in list_models()]
