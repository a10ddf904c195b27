"""Architectures by name. Adding one is one file and one `register` line, or an entry point."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.errors import BiosegError, RecipeError
from napari_bioseg.core.registry import Registry

if TYPE_CHECKING:
    from napari_bioseg.models.network import Network

ARCHITECTURES: Registry[Callable[..., Network]] = Registry("architecture", "napari_bioseg.architectures")


def architecture_named(module: str, name: str) -> str | None:
    """Return the name of the architecture that a class of this name in a module stands for; None: none does.

    Nothing is imported by these names.
    """
    _load_own()
    classes = {key: ARCHITECTURES.get(key) for key in ARCHITECTURES}
    return next((key for key, made in classes.items() if (made.__module__, _name(made)) == (module, name)), None)


def build_network(name: str, arguments: dict[str, Any]) -> Network:
    """Build an untrained network.

    Raises
    ------
    RecipeError
        No such architecture, or it cannot be built with these arguments.
    MissingDependencyError
        It comes from a package that is not installed.
    """
    _load_own()
    architecture = ARCHITECTURES.get(name)
    try:
        return architecture(**arguments)
    except BiosegError:
        raise
    except (TypeError, ValueError, LookupError, RuntimeError) as error:
        problem = f"cannot be built with these arguments ({type(error).__name__}: {error})"
        raise RecipeError(f"architecture {name!r}", problem, "Check their names and values") from error


def _name(made: Callable[..., Network]) -> str:
    return getattr(made, "__name__", "")


def _load_own() -> None:
    from napari_bioseg.models import (  # noqa: F401 - they register themselves
        ensemble,
        kind_cnn,
        monai_network,
        onnx_network,
        swin_unet,
        unet,
        yolo,
    )
