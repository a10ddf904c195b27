"""Commands of ``bioseg`` and their exit codes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bioseg import __version__
from napari_bioseg.cli.batch_command import batch
from napari_bioseg.cli.compare_command import compare
from napari_bioseg.cli.console import console_job, show
from napari_bioseg.cli.drift_command import drift
from napari_bioseg.cli.flags import with_flags
from napari_bioseg.cli.identify_command import identify
from napari_bioseg.cli.sync_command import sync
from napari_bioseg.cli.zoo_commands import Json, export_model, import_model, models, promote, rollback
from napari_bioseg.core.errors import BiosegError, Cancelled
from napari_bioseg.core.job import format_duration
from napari_bioseg.workflows.options import DetectOptions, EvaluateOptions, SegmentOptions

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Segment, correct, fine-tune and compare microscopy images. Exit codes: 0 done, 1 an error that you can "
    "mend, 2 wrong usage, 3 an image unlike what the model was trained on, 130 cancelled.",
)


def run() -> None:
    """Run the command line; errors of ours become one line on stderr and an exit code."""
    try:
        app()
    except (Cancelled, KeyboardInterrupt):
        typer.echo("cancelled", err=True)
        sys.exit(130)
    except (BiosegError, OSError) as error:
        # A full disk or a folder without permission is the user's to mend as well.
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version")
    ] = False,
) -> None: ...


app.command()(models)


@app.command()
@with_flags(SegmentOptions)
def segment(  # noqa: PLR0917 - one parameter a flag
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Image file, folder of planes, or OME-Zarr")],
    out: Annotated[Path, typer.Option(help="Where to: .tif, .ome.tif or .ome.zarr")],
    options: Any,
    axes: Annotated[str | None, typer.Option(help="Axes, where the file does not say them, e.g. ZYX")] = None,
    series: Annotated[int, typer.Option(help="Which image of a file with several")] = 0,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write the probabilities, beside OUT")
    ] = False,
    as_json: Json = False,
) -> None:
    """Segment an image with a model of the zoo."""
    from napari_bioseg.io import open_image
    from napari_bioseg.workflows import segmentation as verb

    verb.check_ending(out, source.expanduser())
    began = time.monotonic()
    with console_job() as job:
        image = open_image(source, axes=axes, series=series)
        result = verb.segment(image, options, job=job)
        written = verb.save(result, out, image, probabilities=probabilities, job=job)
    seconds = time.monotonic() - began
    report = {"written": [str(p) for p in written], "seconds": round(seconds, 2), **result.provenance}
    show(report, f"{', '.join(map(str, written))} written in {format_duration(seconds)}", as_json)


@app.command()
@with_flags(DetectOptions)
def detect(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Image file, folder of planes, or OME-Zarr")],
    out: Annotated[Path, typer.Option(help="Where to: .csv")],
    options: Any,
    axes: Annotated[str | None, typer.Option(help="Axes, where the file does not say them, e.g. TYX")] = None,
    series: Annotated[int, typer.Option(help="Which image of a file with several")] = 0,
    as_json: Json = False,
) -> None:
    """Find objects, and write their boxes."""
    from napari_bioseg.io import open_image
    from napari_bioseg.workflows import detection as verb

    verb.check_boxes_ending(out)
    began = time.monotonic()
    with console_job() as job:
        found = verb.detect(open_image(source, axes=axes, series=series), options, job=job)
        verb.save_detection(found, out)
    seconds, n = time.monotonic() - began, len(found.boxes)
    report = {"written": [str(out)], "boxes": n, "seconds": round(seconds, 2), **found.provenance}
    show(report, f"{n} boxes written to {out} in {format_duration(seconds)}", as_json)


@app.command()
def train(
    recipe: Annotated[Path | None, typer.Argument(metavar="RECIPE.yaml", help="What to train")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="key=value", help="Options to change")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; none: runs/NAME under the working folder")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Folder of a run to go on with, by its own recipe")] = None,
    as_json: Json = False,
) -> None:
    """Train a model by a recipe, score it on what was left out, and write it with its card."""
    from napari_bioseg.core.errors import RecipeError
    from napari_bioseg.runs import find_run
    from napari_bioseg.training.recipe import read_recipe
    from napari_bioseg.workflows import training as verb

    if (recipe is None) == (resume is None):
        raise RecipeError("bioseg train", "needs a recipe, or a run to resume", "Give RECIPE.yaml, or --resume RUN")
    if resume is not None:
        chosen, folder, wanted = read_recipe(find_run(resume).folder / "recipe.yaml"), resume, resume
    elif recipe is not None:
        chosen = read_recipe(recipe, tuple(overrides or ()))
        wanted = out or Path("runs") / chosen.name
        folder = verb.new_run_folder(wanted)
    with console_job() as job:
        if folder != wanted:
            job.note(f"{wanted} holds a run already, so this one is in {folder}; to go on with that: --resume {wanted}")
        model = verb.train(chosen, folder, job=job)
    show({"model": str(model), "run": str(folder)}, f"{model} written; use it with --model {model}", as_json)


@app.command()
@with_flags(EvaluateOptions)
def evaluate(
    options: Any,
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Image; give the flag once for each; none: what the model's own card is tested on"),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Its labels, or boxes for a detector (.csv, .txt), in the same order; or one COCO .json"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a model on images with known labels or boxes, or on those of its card."""
    from napari_bioseg.cli.scores import score_table, scores_of
    from napari_bioseg.workflows.card_scores import evaluate_held_out
    from napari_bioseg.workflows.evaluation import evaluate as verb

    with console_job() as job:
        given = images or labels
        rows = verb(images or (), labels or (), options, job=job) if given else evaluate_held_out(options, job=job)
    show(scores_of(rows), score_table(rows), as_json)


for _command in (compare, batch, drift, identify, promote, rollback, export_model, import_model, sync):
    app.command()(_command)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results")] = Path("bioseg-demo"),
    gui: Annotated[bool, typer.Option("--gui", help="Open napari on the sample")] = False,
    as_json: Json = False,
) -> None:
    """Segment the embedded sample with a shipped model: no network, no display."""
    if gui:
        from napari_bioseg.plugin.launch import launch_demo

        _in_napari(launch_demo)
        return
    from napari_bioseg.workflows.demo import run_demo

    with console_job() as job:
        result = run_demo(out, job=job)
    show(result.as_dict(), str(result), as_json)


@app.command(name="open")
def open_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Images, or a project (NAME.bioseg)")],
) -> None:
    """Open images, or a project with its corrections, in napari."""
    from napari_bioseg.core.errors import UnreadableFileError
    from napari_bioseg.corrections.project import ENDING, open_project
    from napari_bioseg.plugin.launch import launch

    for path in paths:
        if not path.exists():
            raise UnreadableFileError(str(path), "does not exist", "Check the path")
        if path.name.endswith(ENDING):
            open_project(path).close()  # what is wrong with it is told here, before a window opens
    _in_napari(partial(launch, paths))


def _in_napari(action: Callable[[], None]) -> None:
    from napari_bioseg.core.errors import MissingDependencyError

    try:
        action()
    except ImportError as error:
        raise MissingDependencyError("napari", "is not installed here", "pip install 'napari-bioseg[all]'") from error
