"""Architectures by name. Adding one is one file and one `register` line, or an entry point."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.registry import Registry

if TYPE_CHECKING:
    from napari_bioseg.models.network import Network

ARCHITECTURES: Registry[Callable[..., Network]] = Registry("architecture", "napari_bioseg.architectures")


def build_network(name: str, arguments: dict[str, Any]) -> Network:
    """Build an untrained network.

    Raises
    ------
    RecipeError
        No such architecture.
    """
    from napari_bioseg.models import unet, yolo  # noqa: F401 - they register themselves

    return ARCHITECTURES.get(name)(**arguments)
