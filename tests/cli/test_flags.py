"""Every option of a verb is a flag, with its help and its default."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from napari_bioseg.cli.flags import with_flags
from napari_bioseg.core import RecipeError
from napari_bioseg.core.options import Options


class Everything(Options):
    """One field of each kind."""

    name: str = Field(description="a required text")
    count: int | None = Field(None, description="a number or nothing")
    share: float = Field(0.5, ge=0, le=1, description="a share")
    on: bool = Field(True, description="a switch")
    way: Literal["left", "right"] = Field("left", description="a choice")
    words: tuple[str, ...] = Field(("a",), description="several words")
    table: dict[int, int] = Field(default_factory=dict, description="pairs")


def _run(*arguments: str) -> tuple[Any, Options | None]:
    app, seen = typer.Typer(), []

    @app.command()
    @with_flags(Everything)
    def command(options: Any) -> None:
        seen.append(options)

    result = CliRunner().invoke(app, list(arguments))
    return result, seen[0] if seen else None


def test_defaults_are_those_of_the_options() -> None:
    _, options = _run("--name", "x")
    assert options == Everything(name="x")


def test_every_kind_of_field_is_read() -> None:
    given = "--name x --count 3 --share 0.25 --no-on --way right --words a --words b --table 255=1 --table 0=0"
    _, options = _run(*given.split())
    assert options == Everything(
        name="x", count=3, share=0.25, on=False, way="right", words=("a", "b"), table={255: 1, 0: 0}
    )


def test_help_lists_every_field() -> None:
    result, _ = _run("--help")
    text = " ".join(result.output.split())
    for field in Everything.model_fields.values():
        assert str(field.description) in text


def test_a_missing_flag_is_wrong_usage() -> None:
    assert _run()[0].exit_code == 2


@pytest.mark.parametrize("arguments", [["--share", "2"], ["--table", "255"]])
def test_a_wrong_value_is_our_error(arguments: list[str]) -> None:
    result, _ = _run("--name", "x", *arguments)
    assert isinstance(result.exception, RecipeError)


def test_a_wrong_choice_is_wrong_usage() -> None:
    assert _run("--name", "x", "--way", "up")[0].exit_code == 2
