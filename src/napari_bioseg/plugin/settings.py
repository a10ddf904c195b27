"""What the plugin remembers between sessions: one small YAML file."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pydantic import Field

from napari_bioseg.core.errors import RecipeError, UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.core.options import Options, read_yaml

log = logging.getLogger("napari_bioseg")


class Settings(Options):
    """Choices of the user that the next session starts with."""

    segment: dict[str, Any] = Field(default_factory=dict, description="Last options of the panel Segment")
    detect: dict[str, Any] = Field(default_factory=dict, description="Last options of the panel Detect")
    correct: dict[str, Any] = Field(default_factory=dict, description="Last options of the tools of the panel Correct")
    vessels: dict[str, Any] = Field(default_factory=dict, description="Last options of the panel Vessel check")
    finetune: dict[str, Any] = Field(default_factory=dict, description="Last options of the panel Fine-tune")
    batch: dict[str, Any] = Field(default_factory=dict, description="Last choices of the panel Batch")
    runs: dict[str, Any] = Field(default_factory=dict, description="Server and choices of the panel Runs")
    drift: dict[str, Any] = Field(default_factory=dict, description="Last choices of the panel Drift")
    axes: dict[str, str] = Field(default_factory=dict, description="Axes of bare stacks, by folder and dimensions")


def settings_file() -> Path:
    """Where settings are kept; the folder is ``BIOSEG_CONFIG`` when that is set."""
    from platformdirs import user_config_path

    return Path(os.environ.get("BIOSEG_CONFIG") or user_config_path("napari-bioseg")) / "settings.yaml"


def load_settings() -> Settings:
    """Read the settings; a missing or damaged file gives those of a new user (a damaged one is logged)."""
    path = settings_file()
    try:
        if not path.is_file():
            return Settings()
        return Settings.checked(read_yaml(path), str(path))
    except (RecipeError, OSError) as error:
        log.warning("%s; starting with the default settings", error)
        return Settings()


def change_settings(**changes: Any) -> None:
    """Replace fields of `Settings` and write the file.

    Raises
    ------
    UnwritableFileError
        The folder cannot be written, or the disk is full.
    """
    settings = load_settings().model_copy(update=changes)
    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as temporary:
            temporary.write_text(settings.to_yaml(), encoding="utf-8")
    except UnwritableFileError:
        raise
    except OSError as error:
        raise UnwritableFileError(
            str(path), f"cannot be written ({error.strerror})", "Set BIOSEG_CONFIG to a folder that can"
        ) from error


def remembered_axes(source: Path, ndim: int) -> str | None:
    """Return what the user said of bare stacks in this folder with `ndim` dimensions; None when never asked."""
    return load_settings().axes.get(_key(source, ndim))


def remember_axes(source: Path, axes: str) -> None:
    """Keep an answer for all files in the folder with as many dimensions.

    Raises
    ------
    UnwritableFileError
        As for `change_settings`.
    """
    change_settings(axes={**load_settings().axes, _key(source, len(axes)): axes})


def _key(source: Path, ndim: int) -> str:
    path = source.expanduser().absolute()
    return f"{(path if path.is_dir() else path.parent).as_posix()}|{ndim}"
