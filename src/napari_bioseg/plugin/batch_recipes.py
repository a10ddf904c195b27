"""What a batch in the window does: as a panel was last run, or by a recipe in a file."""

from __future__ import annotations

from pathlib import Path

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.plugin.settings import load_settings, settings_file
from napari_bioseg.workflows.batch_options import BatchOptions, batch_recipe, read_batch_recipe
from napari_bioseg.workflows.options import DetectOptions, SegmentOptions

_LEFT_OUT = ("model", "device", "workers", "tile", "backend", "precision", "planes", "copy_image", "ome_zarr")


def recipe_for(way: str, file: str = "") -> BatchOptions:
    """Return the options of a batch.

    Parameters
    ----------
    way : str
        ``"segment"`` or ``"detect"``: as that panel was last run; ``"recipe"``: by a file.
    file : str
        The recipe.

    Raises
    ------
    RecipeError
        The panel was never run, no file is given, or an option is wrong.
    """
    if way == "recipe":
        if not file:
            raise RecipeError("recipe", "is not chosen", "Choose a file that 'Save recipe…' wrote")
        return read_batch_recipe(Path(file).expanduser())
    kind: type[SegmentOptions | DetectOptions] = DetectOptions if way == "detect" else SegmentOptions
    remembered = {k: v for k, v in getattr(load_settings(), way).items() if k in kind.model_fields}
    if not remembered.get("model"):
        raise RecipeError(f"panel {way.title()}", "has not been run yet", "Try the model on one image there first")
    return batch_recipe(kind.checked(remembered, str(settings_file())))


def describe(options: BatchOptions) -> str:
    """Return the model and the options that are not at their default, in one line."""
    fields = BatchOptions.model_fields
    changed = {
        name: getattr(options, name)
        for name in fields
        if name not in _LEFT_OUT and getattr(options, name) != fields[name].default
    }
    words = ", ".join(f"{name.replace('_', ' ')} {_word(value)}" for name, value in changed.items())
    return f"{options.model}: {words}" if words else f"{options.model}, with its own options"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
