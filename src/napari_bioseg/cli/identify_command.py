"""``bioseg identify``: what kind of image it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bioseg.cli.console import console_job, show, table
from napari_bioseg.cli.flags import with_flags
from napari_bioseg.workflows.options import IdentifyOptions


@with_flags(IdentifyOptions)
def identify(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Image file, folder of planes, or OME-Zarr")],
    options: Any,
    axes: Annotated[str | None, typer.Option(help="Axes, where the file does not say them, e.g. ZYX")] = None,
    series: Annotated[int, typer.Option(help="Which image of a file with several")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Say what kind of image it is, how sure that is, and which models are made for it."""
    from napari_bioseg.io import open_image
    from napari_bioseg.workflows.identification import identify as verb

    with console_job() as job:
        found = verb(open_image(source, axes=axes, series=series), options, job=job)
    rows = [(kind, f"{100 * p:.1f} %") for kind, p in sorted(found.probabilities.items(), key=lambda row: -row[1])]
    show(found.as_dict(), f"{table(('kind', 'probability'), rows)}\n{found}", as_json)
