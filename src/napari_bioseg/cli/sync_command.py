"""``bioseg sync``: runs to MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_bioseg.cli.console import console_job, show, table

Address = Annotated[
    str | None,
    typer.Option(
        help="http://SERVER:PORT or sqlite:////FOLDER/mlflow.db; none: MLFLOW_TRACKING_URI, else a store of your own. "
        "User and password come from MLFLOW_TRACKING_USERNAME and _PASSWORD, or the keyring"
    ),
]


def sync(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUN...]", help="Folders of runs; none: all of this machine")
    ] = None,
    tracking_uri: Address = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Mirror runs to MLflow; each is there once, however often this is done, and goes on where it broke off."""
    from napari_bioseg.workflows.synchronising import sync as verb

    with console_job() as job:
        report = verb(tracking_uri, runs or None, job=job)
    rows = [(run.name, run.state, run.page or str(run.folder)) for run in report.runs]
    sent = sum(run.state == "sent" for run in report.runs)
    done = f"{sent} of {len(rows)} runs sent to {report.tracking_uri}"
    show(report.as_dict(), f"{table(('run', 'state', 'where'), rows)}\n\n{done}" if rows else done, as_json)
    for name, why in ((run.name, run.why) for run in report.runs):
        if why:
            typer.echo(f"error: {name}: {why}", err=True)
    if report.why:
        typer.echo(f"error: {report.why}", err=True)
    if not report.whole:
        raise typer.Exit(1)
