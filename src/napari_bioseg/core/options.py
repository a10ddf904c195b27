"""The base of every options object.

One options object per verb makes the form, the command-line flags, the recipe and the record in
the run, so no option exists in only one of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_bioseg.core.errors import RecipeError


class Options(BaseModel):
    """Frozen options; an unknown key is an error, each field carries a help line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, values: dict[str, Any], subject: str) -> Self:
        """Build from plain values.

        Raises
        ------
        RecipeError
            One line that names `subject`, the first wrong field and what is wrong with it.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "options"
            raise RecipeError(
                subject, f"{where}: {first['msg']}", f"Known fields: {', '.join(cls.model_fields)}"
            ) from error

    def to_yaml(self, *without: str) -> str:
        """Return the options as YAML, some fields left out."""
        values = self.model_dump(mode="json", exclude=set(without))
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    RecipeError
        The file is missing, is not UTF-8 or not YAML, or holds no mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(str(path), f"cannot be read ({error.strerror})", "Check the path") from error
    except UnicodeDecodeError as error:
        raise RecipeError(str(path), "is not text in UTF-8", "Save it as UTF-8") from error
    except yaml.YAMLError as error:
        line = str(error).splitlines()[0]
        raise RecipeError(str(path), f"is not valid YAML ({line})", "Mend the file") from error
    if not isinstance(values, dict):
        raise RecipeError(str(path), "holds no mapping of options", "Write it as 'name: value' lines")
    return values
