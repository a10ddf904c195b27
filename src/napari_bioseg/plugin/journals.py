"""The journal of what is corrected in this window: begun, or gone on with. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_bioseg.corrections.contents import Contents
from napari_bioseg.corrections.journal import Journal
from napari_bioseg.corrections.project import Saved
from napari_bioseg.plugin.projects import tell


def journal_of(saved: Saved, header: Mapping[str, Any], contents: Contents | None) -> Journal:
    """Go on with the journal of a prediction, or begin it; a last line that a crash has cut is told once.

    Parameters
    ----------
    saved : Saved
    header : mapping
        What the first line of a new one says.
    contents : Contents or None
        What was just read from it; None where there is none yet.

    Raises
    ------
    UnwritableFileError
        As for `Journal`.
    """
    from napari.utils.notifications import show_warning

    if contents is None:
        return Journal(saved.journal, header, on_problem=tell)
    journal = Journal.resume(saved.journal, contents, on_problem=tell)
    if contents.cut_bytes:
        show_warning(
            f"{saved.journal}: its last line was cut off, as a crash does, so that the last step is missing. All "
            f"before it is there, and what is left of it lies in {saved.journal.name}.cut"
        )
    return journal
