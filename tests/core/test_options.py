from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import Field, ValidationError

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.options import Options, read_yaml


class Some(Options):
    threshold: float = Field(0.5, ge=0, le=1, description="Where to cut.")
    folder: Path = Field(Path("µ"), description="Where to.")


def test_options_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Some().threshold = 0.2


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"threshold": 2}, "threshold: .*less than or equal to 1"),
        ({"treshold": 0.2}, "treshold"),
        ({"folder": []}, "folder"),
    ],
)
def test_a_wrong_value_is_told_in_one_line(values, what):
    with pytest.raises(RecipeError, match=what) as told:
        Some.checked(values, "recipe.yaml")
    assert str(told.value).startswith("recipe.yaml: ")
    assert "Known fields: threshold, folder" in str(told.value)
    assert "\n" not in str(told.value)


def test_yaml_there_and_back(tmp_path):
    options = Some.checked({"threshold": 0.25}, "x")
    path = tmp_path / "recipe.yaml"
    path.write_text(options.to_yaml(), encoding="utf-8")
    assert "µ" in options.to_yaml()
    assert list(yaml.safe_load(options.to_yaml())) == ["threshold", "folder"]
    assert Some.checked(read_yaml(path), "x") == options


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "cannot be read"),
        ("a: [", "not valid YAML"),
        ("- 1\n- 2", "no mapping"),
        ("", "no mapping"),
        ("a: µ", "not text in UTF-8"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path, text, what):
    path = tmp_path / "recipe.yaml"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(RecipeError, match=what) as told:
        read_yaml(path)
    assert "\n" not in str(told.value)
