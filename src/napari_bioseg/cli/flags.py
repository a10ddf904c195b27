"""Flags made from an options class, so that no option exists in only one of them."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.options import Options, read_yaml

T = TypeVar("T", bound=Options)

_RECIPE = inspect.Parameter(
    "recipe",
    inspect.Parameter.KEYWORD_ONLY,
    default=typer.Option(None, "--recipe", help="YAML file with options, as a panel saves it; flags win over it"),
    annotation=Path | None,
)


def with_flags(options: type[T], *, recipe: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command one flag a field of `options`.

    The command is called with the checked options as ``options=``, besides its own parameters. With `recipe` there is
    a flag for a YAML file of options, and flags that are given win over it.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        flags = [_flag(name, field, open_=recipe) for name, field in options.model_fields.items()]
        if recipe:
            flags.append(_RECIPE)

        def wrapper(**given: Any) -> None:
            values = {name: _value(name, field, given.pop(name)) for name, field in options.model_fields.items()}
            path = given.pop(_RECIPE.name) if recipe else None
            if recipe:
                read = read_yaml(path) if path else {}
                values = {**read, **{name: value for name, value in values.items() if value is not None}}
            subject = f"flags and {path}" if path else "options"
            command(options=options.checked(values, subject), **given)

        parameters = [p for p in own.parameters.values() if p.name != "options"] + flags
        wrapper.__signature__ = own.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
        return wrapper

    return decorate


def _flag(name: str, field: FieldInfo, *, open_: bool) -> inspect.Parameter:
    """Return the parameter of a flag; an open one tells by None that it was not given."""
    annotation = _plain(name, field.annotation)
    default: Any = ... if field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(default, tuple | dict):
        default = [str(v) for v in default]
    shown: bool | str = default is not None
    if open_:
        shown = False if default is None or default is ... else _words(default)
        default = None
    flag = name.replace("_", "-")
    names = (f"--{flag}/--no-{flag}",) if annotation is bool else (f"--{flag}",)
    option = typer.Option(default, *names, help=field.description, show_default=shown)
    annotation = annotation | None if open_ else annotation
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _words(default: Any) -> str:
    return ("yes" if default else "no") if isinstance(default, bool) else str(default)


def _plain(name: str, annotation: Any) -> Any:
    """Return the type that typer understands."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _plain(name, next(a for a in arguments if a is not type(None))) | None
    if origin is Literal:
        return StrEnum(name, {str(a): str(a) for a in arguments})
    if origin in (tuple, list, dict):
        return list[str]
    return annotation


def _value(name: str, field: FieldInfo, given: Any) -> Any:
    if get_origin(field.annotation) is dict:
        return dict(_pairs(name, given or ()))
    if isinstance(given, StrEnum):
        return given.value
    return tuple(given) if isinstance(given, list) else given


def _pairs(name: str, texts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise RecipeError(f"--{name.replace('_', '-')} {text}", "is no pair", "Write VALUE=CLASS, e.g. 255=1")
        yield key, value
