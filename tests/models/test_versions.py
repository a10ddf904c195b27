"""Families: versions are added, chosen and found; nothing is overwritten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_bioseg.core import BrokenModelError, ModelNotFoundError, RecipeError
from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.models import find_model, list_models, load_model, read_card
from napari_bioseg.models.card import Lineage
from napari_bioseg.models.versions import Family
from napari_bioseg.models.zoo import changing_family, find_family, shipped_models_folder

SHIPPED = "membranes-unet2d"


def add(name: str, source: Path, *, champion: bool = True, times: int = 1) -> Family:
    with changing_family(name) as family:
        for _ in range(times):
            family.add(source, "promoted", champion=champion)
    return family


def listed(name: str) -> str:
    return next(card.version for card in list_models() if card.name == name)


def test_the_name_finds_the_champion_and_a_number_its_version(zoo: Path) -> None:
    family = add("cells", zoo / "tiny", times=3)
    with family.changing():
        family.choose(2)
    assert find_model("cells") == zoo / "cells" / "versions" / "2" == find_model(zoo / "cells")
    assert find_model("cells@3") == zoo / "cells" / "versions" / "3"
    card = load_model("cells@3").card
    assert (card.name, card.version) == ("cells", "3")
    assert listed("cells") == "2"
    assert listed("tiny") == "1.0.0"
    assert find_model("tiny") == zoo / "tiny"


def test_a_version_that_is_not_there_names_those_that_are(zoo: Path) -> None:
    add("cells", zoo / "tiny", times=2)
    with pytest.raises(ModelNotFoundError, match=r"'cells@7'.*Versions of cells: 1, 2"):
        find_model("cells@7")
    with pytest.raises(ModelNotFoundError, match=r"Known models: .*cells"):
        find_model("tiny@1")
    with pytest.raises(ModelNotFoundError, match="Models with versions: cells"):
        find_family("tiny")


@pytest.mark.parametrize("name", ["../cells", "../cells@1", "cells@../../tiny", "inner/../cells@1"])
def test_a_version_does_not_lead_out_of_the_zoo(zoo: Path, name: str) -> None:
    add("cells", zoo / "tiny")
    (zoo / "cells").rename(zoo.parent / "cells") if name.startswith("..") else (zoo / "inner").mkdir()
    with pytest.raises(ModelNotFoundError):
        find_model(name)
    with pytest.raises(ModelNotFoundError):
        find_family(name)


@pytest.mark.parametrize("name", ["", "a@1", "../out", ".hidden", "a/b", "line\n"])
def test_a_family_is_called_what_can_be_a_folder(zoo: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="cannot be that of a model"), changing_family(name):
        pass


def test_a_model_of_that_name_is_version_1_and_stays_as_it_was(zoo: Path) -> None:
    before = (zoo / "tiny" / "card.yaml").read_bytes()
    add("tiny", zoo / "tiny")
    assert find_model("tiny") == zoo / "tiny" / "versions" / "2"
    assert (zoo / "tiny" / "card.yaml").read_bytes() == before
    first = read_card(find_model("tiny@1"))
    assert first.lineage == Lineage(parent="tiny", parent_version="1.0.0", parent_sha256=first.sha256)
    assert (find_model("tiny@1") / "README.md").read_text(encoding="utf-8") == "# tiny\n"


def test_a_family_hides_the_shipped_model_of_its_name(zoo: Path) -> None:
    add(SHIPPED, zoo / "tiny")
    assert listed(SHIPPED) == "2"
    weights = (find_model(f"{SHIPPED}@1") / "weights.safetensors").read_bytes()
    assert weights == (shipped_models_folder() / SHIPPED / "weights.safetensors").read_bytes()


def test_a_number_is_never_given_twice(zoo: Path) -> None:
    family = add("cells", zoo / "tiny", times=2)
    (zoo / "cells" / "versions" / "2").rename(zoo.parent / "taken-out")
    with family.changing():
        assert family.add(zoo / "tiny", "promoted", champion=True).version == "3"


def test_two_programs_at_once_take_different_numbers(zoo: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from napari_bioseg.models.zoo import changing_family\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for _ in range(10):\n"
        "    with changing_family('cells') as family: family.add(Path(sys.argv[1]), 'promoted', champion=True)"
    )
    command = [sys.executable, "-c", code, str(zoo / "tiny")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as other:
        for program in (one, other):
            assert program.stdout.readline() == "ready\n"
        for program in (one, other):
            program.stdin.write("go\n")
            program.stdin.flush()
    assert (one.returncode, other.returncode) == (0, 0)
    family = find_family("cells")
    assert family.versions == tuple(range(1, 21))
    assert [event.version for event in family.history()] == list(range(1, 21))
    assert all(read_card(family.version(n)).version == str(n) for n in family.versions)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("champion: [", "not valid YAML"),
        ("champion: many", "champion"),
        ("champion: 9", "names version 9, which is not there"),
        (None, "cannot be read"),
    ],
)
def test_a_damaged_aliases_file_is_one_line_that_says_how_to_mend_it(zoo: Path, text: str | None, said: str) -> None:
    family = add(SHIPPED, zoo / "tiny")
    path = zoo / SHIPPED / "aliases.yaml"
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenModelError) as told:
        load_model(SHIPPED)
    assert said in str(told.value)
    assert str(told.value).endswith(f"Choose one: bioseg rollback {SHIPPED} --version 1 or 2")
    assert SHIPPED not in [card.name for card in list_models()]  # the shipped one is not what its name finds
    assert find_model(f"{SHIPPED}@1").is_dir()
    with pytest.raises(BrokenModelError), family.changing():
        family.add(zoo / "tiny", "imported")
    assert family.versions == (1, 2)
    with family.changing():
        family.choose(1)
    assert listed(SHIPPED) == "1"


def test_the_champion_before_is_told_by_the_history(zoo: Path) -> None:
    family = add("cells", zoo / "tiny")
    with pytest.raises(ModelNotFoundError, match="had no other champion before"):
        family.champion_before()
    add("cells", zoo / "tiny", champion=False)
    add("cells", zoo / "tiny")
    assert family.champion_before() == 1
    with (zoo / "cells" / "history.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"time": "cut by a cra')
    with family.changing():
        family.choose(2)
    assert family.champion_before() == 3
    assert [(e.what, e.version, e.champion) for e in family.history()] == [
        ("promoted", 1, 1),
        ("promoted", 2, 1),
        ("promoted", 3, 3),
        ("rolled back", 2, 2),
    ]


def test_a_full_disk_leaves_the_family_as_it_was(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = add("cells", zoo / "tiny")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(UnwritableFileError, match="No space left"):
        add("cells", zoo / "tiny")
    assert [p.name for p in (zoo / "cells" / "versions").iterdir()] == ["1"]
    assert family.champion == 1
    with pytest.raises(UnwritableFileError):
        add("new", zoo / "tiny")
    assert "new" not in [card.name for card in list_models()]


def test_a_model_without_weights_is_no_version(zoo: Path) -> None:
    (zoo / "tiny" / "weights.safetensors").unlink()
    with pytest.raises(BrokenModelError, match="is missing"):
        add("cells", zoo / "tiny")
    assert Family(zoo / "cells").versions == ()
