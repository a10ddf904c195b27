"""``bioseg models``, ``promote``, ``rollback``, ``export-model`` and ``import-model``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_bioseg.cli.console import console_job, show, table
from napari_bioseg.cli.sync_command import Address
from napari_bioseg.core.errors import RecipeError

if TYPE_CHECKING:
    from napari_bioseg.models import Card
    from napari_bioseg.workflows.promotion import VersionInfo

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object")]


def models(
    name: Annotated[str | None, typer.Argument(help="Show the card of this model, or of NAME@VERSION")] = None,
    versions: Annotated[bool, typer.Option("--versions", help="Show the versions of the model instead")] = False,
    as_json: Json = False,
) -> None:
    """List the models of the zoo, or show one."""
    from napari_bioseg.models import find_model, list_models, read_card

    if name is not None and not versions:
        card = read_card(find_model(name))
        # Hundreds of numbers that no one reads here; --json has them.
        show(card.model_dump(mode="json"), card.to_yaml("profile"), as_json)
        return
    if versions:
        _show_versions(name, as_json)
        return
    cards = list_models()
    rows = [(c.name, c.version, c.input.axes, c.score_line, c.summary) for c in cards]
    found = {"models": [c.model_dump(mode="json") for c in cards]}
    show(found, table(("name", "version", "axes", "scores", "for"), rows), as_json)


def promote(
    model: Annotated[Path, typer.Argument(metavar="MODEL_OR_RUN", help="Model by name or folder, or folder of a run")],
    name: Annotated[str, typer.Option("--as", help="Name that stands for it from now on")],
    as_json: Json = False,
) -> None:
    """Make a model the champion of a name; nothing is overwritten, and rollback goes back."""
    from napari_bioseg.workflows.promotion import promote as verb

    with console_job() as job:
        card = verb(model, name, job=job)
    back = f"; bioseg rollback {card.name} goes back" if card.version != "1" else ""
    _show_card(card, f"{card.name} is version {card.version} now{back}", as_json)


def rollback(
    name: Annotated[str, typer.Argument(help="Model with versions")],
    version: Annotated[int | None, typer.Option(help="Which; none: the one that was champion before")] = None,
    as_json: Json = False,
) -> None:
    """Make another version of a model its champion, back or forward."""
    from napari_bioseg.workflows.promotion import roll_back

    card = roll_back(name, version)
    _show_card(card, f"{card.name} is version {card.version} now", as_json)


def export_model(
    name: Annotated[str, typer.Argument(help="Model, NAME@VERSION, or folder of a model")],
    out: Annotated[Path, typer.Argument(metavar="OUT.zip", help="Where to")],
    bioimageio: Annotated[
        bool, typer.Option("--bioimageio", help="As a package for BioImage.IO, which other programs can run")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a model to one file."""
    from napari_bioseg.models import archive
    from napari_bioseg.models import bioimageio as package

    written = package.export_bioimageio(name, out) if bioimageio else archive.export_model(name, out)
    show({"written": [str(written)]}, f"{written} written", as_json)


def import_model(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="FILE.zip that export-model wrote; a BioImage.IO package, .zip or folder; weights with a card: .onnx, "
            ".pt, .pth or .safetensors; or of an MLflow registry models:/NAME@champion or models:/NAME/2",
        ),
    ],
    name: Annotated[str | None, typer.Option("--as", help="Name in the zoo; none: the one that it had")] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="YAML with what the file does not say; none: of weights the .yaml of that name beside them"),
    ] = None,
    tracking_uri: Address = None,
    as_json: Json = False,
) -> None:
    """Take a model from a file or a registry into the zoo, as a new version of its name; the champion stays."""
    from napari_bioseg.workflows.third_party import import_file as verb

    if source.startswith("models:"):
        made = _pull(source, name, tracking_uri)
    else:
        with console_job() as job:
            made = verb(Path(source), name, card, job=job)
    _show_card(made, f"imported as {made.name}@{made.version}; use it with --model {made.name}@{made.version}", as_json)


def _pull(source: str, name: str | None, tracking_uri: str | None) -> Card:
    from napari_bioseg.models import read_card
    from napari_bioseg.runs.registry import parse_reference
    from napari_bioseg.workflows.pulling import pull_model

    found, version = parse_reference(source)
    with console_job() as job:
        return read_card(pull_model(found, version, tracking_uri, family=name, job=job))


def _show_card(card: Card, text: str, as_json: bool) -> None:
    lineage = card.lineage.model_dump(mode="json") if card.lineage else None
    show({"model": card.name, "version": card.version, "sha256": card.sha256, "lineage": lineage}, text, as_json)


def _show_versions(name: str | None, as_json: bool) -> None:
    from napari_bioseg.workflows.promotion import versions

    if name is None:
        raise RecipeError("bioseg models --versions", "needs a model", "Write bioseg models NAME --versions")
    found = versions(name)
    header = ("version", "champion", "created", "from", "scores", "against what it was made from")
    values = [{**asdict(info), "path": str(info.path)} for info in found]
    show({"model": name, "versions": values}, table(header, [_row(info) for info in found]), as_json)


def _row(info: VersionInfo) -> tuple[str, ...]:
    day = info.created[:16].replace("T", " ")
    return str(info.version), "*" if info.champion else "", day, info.parent, info.scores, info.verdict
