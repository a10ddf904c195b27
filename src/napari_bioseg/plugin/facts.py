"""What the panel says of an image and of a model, in words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from napari_bioseg.core.image import Image
from napari_bioseg.models.pixel_size import model_pixels, sizes_along

if TYPE_CHECKING:
    from napari_bioseg.models.card import Card

SAME = 0.1  # sizes that differ by less are not worth a word


def describe_image(image: Image) -> str:
    """Return axes, shape, dtype and pixel size in one line."""
    shape = " × ".join(f"{a} {n}" for a, n in zip(image.axes, image.shape, strict=True))
    return f"{shape}, {image.dtype}; {describe_size(image)}"


def describe_size(image: Image) -> str:
    """Return the pixel size, or that it is not known."""
    sizes = image.pixel_size()
    if all(s is None for s in sizes):
        return "pixel size unknown"
    shown = " × ".join("?" if s is None else f"{s:.4g}" for s in sizes)
    return f"{shown} µm ({image.spatial_axes})"


def describe_resampling(card: Card, image: Image, resample: bool) -> str:
    """Say how the image's pixel size stands to the model's, and what will be done about it."""
    if not card.input.pixel_size:
        return "The model takes any pixel size."
    shown = card.input.sizes(card.input.axes).replace("x", "×").replace("-", "–")
    sizes = sizes_along(image, "".join(a for a in card.input.axes if a in card.input.pixel_size))
    if any(s is None for s in sizes.values()):
        return f"Pixel size unknown, the model expects {shown} µm: used as it is."
    factors, too_far = model_pixels(card.input, sizes)
    if too_far:
        return f"{too_far[0].upper()}{too_far[1:]}."
    if all(abs(1 / factor - 1) <= SAME for factor in factors):
        return f"Pixel size fits the model's ({shown} µm)."
    if resample:
        return f"Resampled to the model's {shown} µm, labels brought back to the image's pixels."
    return f"The model expects {shown} µm; resampling is off: results may be poor."


def describe_card(card: Card) -> str:
    """Return all that a model's card says to its user, as rich text."""
    scores = "; ".join(f"{s.metric} {s.value:.3f} on {s.on}" for s in card.scores) or "not measured"
    not_for = f"<br><b>Not for:</b> {escape(card.not_for)}" if card.not_for else ""
    return (
        f"{escape(card.summary)}{not_for}<br><b>Scores:</b> {escape(scores)}<br><b>Licence:</b> {escape(card.licence)}"
    )


def describe_lineage(card: Card) -> str:
    """Return where a version comes from and how it compares with that, as rich text; empty where that is not known."""
    if card.lineage is None:
        return ""
    facts = {
        "Made from": card.lineage.origin,
        "In the run": card.lineage.run,
        "Compared with that": str(card.lineage.comparison.get("verdict") or ""),
    }
    return "<br>".join(f"<b>{name}:</b> {escape(fact)}" for name, fact in facts.items() if fact)


def describe_card_briefly(card: Card) -> str:
    """Return what a model is for, its scores and its licence, in three short paragraphs of rich text."""
    licence = card.licence.split(";")[0]
    licence += " …" if licence != card.licence else ""
    return f"{escape(card.summary)}<br><b>Scores:</b> {escape(card.score_line)}<br><b>Licence:</b> {escape(licence)}"
