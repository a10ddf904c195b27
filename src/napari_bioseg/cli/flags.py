"""Flags made from an options class, so that no option exists in only one of them."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.options import Options

T = TypeVar("T", bound=Options)


def with_flags(options: type[T]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command one flag a field of `options`.

    The command is called with the checked options as ``options=``, besides its own parameters.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        flags = [_flag(name, field) for name, field in options.model_fields.items()]

        def wrapper(**given: Any) -> None:
            values = {name: _value(name, field, given.pop(name)) for name, field in options.model_fields.items()}
            command(options=options.checked(values, "options"), **given)

        parameters = [p for p in own.parameters.values() if p.name != "options"] + flags
        wrapper.__signature__ = own.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
        return wrapper

    return decorate


def _flag(name: str, field: FieldInfo) -> inspect.Parameter:
    annotation = _plain(name, field.annotation)
    default: Any = ... if field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(default, tuple | dict):
        default = [str(v) for v in default]
    flag = name.replace("_", "-")
    names = (f"--{flag}/--no-{flag}",) if annotation is bool else (f"--{flag}",)
    option = typer.Option(default, *names, help=field.description, show_default=default is not None)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


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
