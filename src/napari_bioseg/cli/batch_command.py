"""``bioseg batch``: many images, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bioseg.cli.console import console_job, show
from napari_bioseg.cli.flags import with_flags
from napari_bioseg.workflows.batch_options import BatchOptions


@with_flags(BatchOptions, recipe=True)
def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Images, folders, and patterns in quotes, e.g. 'data/*/*.tif'"),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results")],
    options: Any,
    scheduler: Annotated[
        str | None,
        typer.Option(help="dask scheduler (tcp://HOST:PORT), scheduler file (.json) or cluster (.yaml); none: here"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Segment many images, or find objects in them; the same command again goes on where it was stopped."""
    from napari_bioseg.workflows.batching import batch as verb

    with console_job() as job:
        report = verb(inputs, out, options, scheduler=scheduler, job=job)
    show(report.as_dict(), str(report), as_json)
    for record in report.failed:
        typer.echo(f"error: {record.name}: {record.why}", err=True)
    if report.failed:
        raise typer.Exit(1)
