"""Layered recipes: what a recipe leaves out comes from the layers that it names, and from the model it continues.

From the lowest to the highest: the layers that ship, the card of the model to continue from, the user's own files in
the order of `base`, and the recipe itself. Mappings are merged deep, anything else replaces what is below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.options import read_yaml
from napari_bioseg.models.card import Card, read_card
from napari_bioseg.models.zoo import find_model

Values = dict[str, Any]

LAYERS = Path(__file__).resolve().parent.parent / "recipes"
"""Folder of the layers that ship."""

CONTINUED = ("task", "architecture", "input", "classes", "output")
"""What a recipe with `continue_from` may leave out."""


@dataclass(frozen=True)
class _Layer:
    values: Values
    shipped: bool


def effective(values: Mapping[str, Any], folder: Path) -> Values:
    """Return the values of a recipe with all that lies below them; neither `base` nor the card need be read again.

    Parameters
    ----------
    values : Mapping
        As the recipe says them, with the layers it stands on under ``base``: names of those that ship, or paths.
    folder : Path
        What paths of layers are relative to.

    Raises
    ------
    RecipeError
        A layer does not exist, is not YAML, or stands on itself.
    ModelNotFoundError, BrokenModelError
        As for `find_model` and `read_card`, where the card of the model to continue from is needed.
    """
    layers = _below(dict(values), folder, (), set())
    shipped = len(list(takewhile(lambda layer: layer.shipped, layers)))
    own = _joined(layers[shipped:])
    below = _joined(layers[:shipped])
    start = own.get("continue_from", below.get("continue_from"))
    # A recipe that gives all of it, as one that a run stores does, must mean the same whatever becomes of the model.
    if start and not own.keys() >= set(CONTINUED):
        below = merge(below, _of_card(read_card(find_model(start))))
    return merge(below, own)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """Return two mappings as one.

    Where both hold a mapping these are merged, unless they have another `name` or other `axes` and so are of different
    things: arguments of one network are none of another. A null takes away what is below it.
    """
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if value is None and key in result:
            del result[key]
        elif isinstance(value, Mapping) and isinstance(under, Mapping) and _alike(under, value):
            result[key] = merge(under, value)
        else:
            result[key] = value
    return result


def _alike(below: Mapping[str, Any], above: Mapping[str, Any]) -> bool:
    return all(key not in below or below[key] == above.get(key, below[key]) for key in ("name", "axes"))


def _joined(layers: list[_Layer]) -> Values:
    result: Values = {}
    for layer in layers:
        result = merge(result, layer.values)
    return result


def _below(
    values: Values, folder: Path, above: tuple[Path, ...], seen: set[Path], shipped: bool = False
) -> list[_Layer]:
    """Return the layers that a recipe stands on, each where it is named first, and the recipe itself as the last."""
    names, found = values.pop("base", []), []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RecipeError("base", "is no list of layers", "Write it as base: [semantic-2d]")
    for name in names:
        path = _find(name, folder)
        if path in above:
            raise RecipeError(f"layer {name!r}", "stands on itself", "Take it out of its own base")
        if path not in seen:
            seen.add(path)
            found += _below(read_yaml(path), path.parent, (*above, path), seen, path.parent == LAYERS)
    return [*found, _Layer(values, shipped)]


def _find(name: str, folder: Path) -> Path:
    path = (folder / name).resolve() if name != Path(name).stem else LAYERS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in LAYERS.glob("*.yaml")))
        raise RecipeError(f"layer {name!r}", "does not exist", f"Choose out of: {known}; or give the path of a file")
    return path


def _of_card(card: Card) -> Values:
    return card.model_dump(mode="json", include=set(CONTINUED))
