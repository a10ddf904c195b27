"""``bioseg drift``: whether a model knows such images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bioseg.cli.console import console_job, show, table
from napari_bioseg.cli.flags import with_flags
from napari_bioseg.workflows.options import DriftOptions

WARNED = 3


@with_flags(DriftOptions)
def drift(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Image file, folder of planes, or OME-Zarr")],
    options: Any,
    axes: Annotated[str | None, typer.Option(help="Axes, where the file does not say them, e.g. ZYX")] = None,
    series: Annotated[int, typer.Option(help="Which image of a file with several")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Compare an image with what a model was trained on; exit code 3 when it is unlike that."""
    from napari_bioseg.drift import DISTANCES
    from napari_bioseg.io import open_image
    from napari_bioseg.workflows.drift_check import check_drift

    with console_job() as job:
        found = check_drift(open_image(source, axes=axes, series=series), options, job=job)
    rows = [
        (
            name,
            f"{found.distances[name]:.3g}",
            f"{found.profile.thresholds[name]:.3g}",
            "over" * (ratio > 1),
            DISTANCES[name],
        )
        for name, ratio in found.ratios.items()
    ]
    show(found.as_dict(), f"{table(('distance', 'value', 'threshold', '', 'what it is'), rows)}\n{found}", as_json)
    if found.warned:
        raise typer.Exit(WARNED)
