"""The README of a model folder, all from its card."""

from __future__ import annotations

from pathlib import Path

from napari_bioseg.models.card import Card
from napari_bioseg.models.zoo import shipped_models_folder

_BASELINES = {
    "semantic": ("oracle threshold", "the score of the single grey-value threshold with the best Dice"),
    "detection": ("best LoG", "a Laplacian of Gaussian at its best scale and threshold"),
}
_RUN = "`recipe.yaml` of its run"


def readme(card: Card) -> str:
    """Return the README of a model folder, all from its card."""
    size = ", ".join(f"{axis} {card.input.sizes(axis)} µm" for axis in card.input.pixel_size)
    size = f"{size} (other sizes are resampled)" if size else "any, taken as it is"
    return f"""# {card.name}

{card.title}.

- For: {card.summary}
- Not for: {card.not_for or "-"}
- {_found(card)}
- Axes {card.input.axes}, pixel size {size}
- Normalisation by {card.input.normalisation.method}, taken from each {card.input.normalisation.scope}
- Data: {card.data}
- Split: {card.split}
- Licence: {card.licence}
{_origin(card)}
{_score_table(card)}

Score it again: {_score_again(card)}

Make it again: {_again(card)}
{_pictures(card)}"""


def _found(card: Card) -> str:
    if card.task == "classification":
        return f"Kinds of images: {', '.join(c.name for c in card.classes)}; calibrated by a temperature"
    classes = ", ".join(f"{c.value} {c.name}" for c in card.classes)
    boxes = card.task == "detection"
    found = f"Boxes around: {card.classes[0].name}" if boxes else f"Labels: 0 {card.background}, {classes}"
    return f"{found}; {_limits(card)}"


def _origin(card: Card) -> str:
    if card.lineage is None:
        return ""
    verdict = card.lineage.comparison.get("verdict")
    facts = {
        "Made from": _with_sum(card.lineage.origin, card.lineage.parent_sha256),
        "In the run": _with_sum(card.lineage.run, card.lineage.data_sha256),
        "Compared with what it was made from": str(verdict or ""),
    }
    return "".join(f"- {name}: {fact}\n" for name, fact in facts.items() if fact)


def _with_sum(what: str, sha256: str) -> str:
    return f"{what} (sha256 {sha256[:12]}…)" if what and sha256 else what


def _limits(card: Card) -> str:
    threshold, separate = card.output.threshold, card.output.separate
    words = "confidence" if card.task == "detection" else "threshold"
    lines = f", gaps closed between cores of {separate}" if separate else ""
    parted = f", instances parted between cores of {card.output.cores}" if card.output.cores else ""
    return f"{words} {threshold}{lines}{parted}"


def _score_table(card: Card) -> str:
    name, about = _BASELINES.get(card.task, _BASELINES["semantic"])
    columns: dict[str, list[str]] = {
        "score": [s.metric for s in card.scores],
        "value": [f"{s.value:.4f}" for s in card.scores],
        "95 %": ["" if s.low is None else f"{s.low:.3f} to {s.high:.3f}" for s in card.scores],
        name: ["" if s.baseline is None else f"{s.baseline:.4f}" for s in card.scores],
        "on": [s.on for s in card.scores],
        "n": [str(s.n) for s in card.scores],
    }
    shown = {title: cells for title, cells in columns.items() if any(cells)}
    lines = [tuple(shown), ("---",) * len(shown), *zip(*shown.values(), strict=True)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = {
        "95 %": "95 %: interval over the n images, slices or frames; with few of them it says little.",
        name: f'"{name[0].upper()}{name[1:]}" is {about}, found with the truth in hand.',
    }
    return "\n\n".join([table, *(note for title, note in notes.items() if title in shown)])


def _score_again(card: Card) -> str:
    """Return how to have the scores of the card again."""
    command = evaluate_command(card)
    if command is None:
        return "the scores are of networks that are not shipped; training makes and scores them first"
    return f"`{command}`"


def evaluate_command(card: Card) -> str | None:
    """Return the command that gives the scores of a card; None where these are of networks that are not shipped."""
    tested = [part for key in ("pairs", "simulated") for part in card.recipe.get(key, ()) if part["use"] == "test"]
    return f"bioseg evaluate --model {card.name}" if tested else None


def _pictures(card: Card) -> str:
    if card.lineage is not None or not _has_recipe(card.name):
        return ""
    return f"\nPictures of a good and of a bad case: [docs/zoo.md](../../docs/zoo.md#{card.name})\n"


def _again(card: Card) -> str:
    """Return the commands that train the model once more."""
    if card.lineage is not None:
        # It may have the name of a shipped model, or of what it was made from, and is another version than these.
        return f"`bioseg train recipe.yaml`, with the {_RUN}"
    start, before = card.recipe.get("continue_from"), ""
    first = Path(start or "").name
    if start != first and _has_recipe(first):
        # Not a model of the zoo but of a run, which a recipe of its own makes.
        start, before = f"runs/{first}/{first}", f"`bioseg train models/recipes/{first}.yaml`, then "
    override = f" continue_from={start}" if start else ""
    if _has_recipe(card.name):
        return f"{before}`bioseg train models/recipes/{card.name}.yaml{override}`"
    return f"{before}`bioseg train recipe.yaml{override}`, with the {_RUN}"


def _has_recipe(name: str) -> bool:
    return (shipped_models_folder() / "recipes" / f"{name}.yaml").is_file()
