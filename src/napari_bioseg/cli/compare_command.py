"""``bioseg compare``: old and new on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_bioseg.cli.console import console_job, show, table
from napari_bioseg.cli.flags import with_flags
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.metrics.paired import TITLES
from napari_bioseg.workflows.options import CompareOptions

if TYPE_CHECKING:
    from napari_bioseg.workflows.comparison_result import Comparison


@with_flags(CompareOptions)
def compare(  # noqa: PLR0917 - one parameter a flag
    options: Any,
    old: Annotated[str | None, typer.Option(help="Model in the zoo, or its folder")] = None,
    new: Annotated[str | None, typer.Option(help="Model in the zoo, or its folder")] = None,
    images: Annotated[list[Path] | None, typer.Option(help="Image; give the flag once for each")] = None,
    labels: Annotated[
        list[Path] | None, typer.Option(help="Its labels, or boxes for detectors, in the same order")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Instead: folder of a training, on what it held out, with its own metrics")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Compare two models on images with known labels or boxes, or what a training made with what it began from."""
    from napari_bioseg.workflows.comparison import compare as verb
    from napari_bioseg.workflows.run_comparison import compare_run

    alone = not (old or new or images or labels) and options == CompareOptions()
    with console_job() as job:
        if run is not None and alone:
            found = compare_run(run, job=job)
        elif run is None and old and new and images:
            found = verb(old, new, images, labels or [], options, job=job)
        else:
            fix = "Give --run alone, or --old, --new, --images and --labels"
            raise RecipeError("bioseg compare", "needs a run, or two models with images and their labels", fix)
    show(found.as_dict(), f"{_tables(found)}\n\n{found.verdict}", as_json)


def _tables(found: Comparison) -> str:
    """Return a table for each metric: every unit, and their mean with its interval."""
    return "\n\n".join(_metric_table(found, metric) for metric in found.metrics if found.differences[metric].n)


def _metric_table(found: Comparison, metric: str) -> str:
    difference = found.differences[metric]
    lines = [
        (row.image, ",".join(map(str, row.plane)), *_figures(row.old[metric], row.new[metric]), "")
        for row in found.rows
        if metric in row.old and metric in row.new
    ]
    interval = f"95 % {difference.low:+.4f} to {difference.high:+.4f}" if difference.n > 1 else ""
    lines.append(("mean", "", *_figures(difference.old, difference.new), interval))
    header = (TITLES.get(metric, metric), found.unit if found.unit != "image" else "", "old", "new", "difference", "")
    return table(header, lines)


def _figures(old: float, new: float) -> tuple[str, str, str]:
    return f"{old:.4f}", f"{new:.4f}", f"{new - old:+.4f}"
