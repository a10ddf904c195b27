"""The page of a batch report: one file of HTML that needs nothing else, neither scripts nor a network."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from napari_bioseg.core.job import format_duration

if TYPE_CHECKING:
    from napari_bioseg.workflows.batch_report import ImageRow

PICTURES = 2**26
"""Bytes of pictures that a page holds; the others are linked to, so that a browser can open the page of any batch."""

_TITLES = {"failed": "Failed", "done": "Done", "skipped": "Not done"}
_SECTIONS = {
    "failed": "Failed",
    "warned": "Unlike what the model was trained on",
    "done": "Done",
    "skipped": "Not done",
}
"""The outliers come before what is as expected."""

# Whatever a name may hold: nothing is fetched, nothing is run.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(
    folder: Path,
    rows: Sequence[ImageRow],
    *,
    title: str,
    command: str,
    provenance: Mapping[str, Any],
    seconds: float | None,
) -> Iterator[str]:
    """Yield the page piece by piece; parameters as for `write_report`."""
    style = files("napari_bioseg.workflows").joinpath("report.css").read_text(encoding="utf-8")
    yield (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<header>\n<h1>{escape(title)}</h1>\n"
    )
    yield f"{_bar(rows)}</header>\n<main>\n{_figures(rows, seconds)}"
    left = PICTURES
    for state, words in _SECTIONS.items():
        some = [row for row in rows if _section(row) == state]
        if state == "warned":
            some.sort(key=lambda row: -(row.drift or 0))
        if some:
            yield f'<section class="{state}">\n<h2>{words} <span>{len(some):,}</span></h2>\n<ul>\n'
            for row in some:
                picture, size = _picture(row, folder, left)
                left -= size
                yield f"<li>\n{picture}{_caption(row)}</li>\n"
            yield "</ul>\n</section>\n"
    yield f"<section>\n<h2>How</h2>\n<pre><code>{escape(command)}</code></pre>\n{_provenance(provenance)}</section>\n"
    yield "</main>\n</body>\n</html>\n"


def _section(row: ImageRow) -> str:
    return "warned" if row.warning and row.state == "done" else row.state


def _bar(rows: Sequence[ImageRow]) -> str:
    """Return how many images are in which state, as words and as a bar."""
    counts = {state: sum(row.state == state for row in rows) for state in _TITLES}
    known = {state: n for state, n in counts.items() if n}
    words = ", ".join(f"{n:,} {_TITLES[state].lower()}" for state, n in known.items()) or "no images"
    parts = "".join(f'<span class="{state}" style="flex-grow: {n}"></span>' for state, n in known.items())
    return f'<p>{words}</p>\n<div class="bar" aria-hidden="true">{parts}</div>\n'


def _figures(rows: Sequence[ImageRow], seconds: float | None) -> str:
    """Return what all images together come to; what is not known is left out."""
    done = [row for row in rows if row.state == "done"]
    objects, pixels = (_total([getattr(row, what) for row in done]) for what in ("objects", "pixels"))
    spent, network = (_total([getattr(row, what) for row in done]) for what in ("seconds", "network_seconds"))
    shown = {
        "objects": objects if objects is None else f"{objects:,}",
        "of the pixels in objects": _share(_weighted(done)),
        "pixels": pixels and _pixels(pixels),
        "on the clock": seconds and format_duration(seconds),
        "spent on images": spent and format_duration(spent),
        "in the network": network and format_duration(network),
        "pixels a second": pixels and spent and _pixels(pixels / spent),
    }
    items = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>\n" for name, text in shown.items() if text)
    return f'<dl class="figures">\n{items}</dl>\n' if items else ""


def _total(values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _weighted(rows: Sequence[ImageRow]) -> float | None:
    known = [(row.fraction, row.pixels) for row in rows if row.fraction is not None and row.pixels]
    return sum(f * n for f, n in known) / sum(n for _, n in known) if known else None


def _picture(row: ImageRow, folder: Path, left: int) -> tuple[str, int]:
    """Return the picture of an image, or a link to it where no more than so many bytes are left; and its bytes."""
    if row.thumbnail is None or not row.thumbnail.is_file():
        return "", 0
    size = row.thumbnail.stat().st_size
    if size > left:
        where = quote(Path(os.path.relpath(row.thumbnail, folder)).as_posix())
        return f'<p><a href="{where}">Picture</a></p>\n', 0
    text = b64encode(row.thumbnail.read_bytes()).decode()
    about = escape(f"{row.name}: the image, and what was found in it", quote=True)
    return f'<img alt="{about}" src="data:image/png;base64,{text}">\n', size


def _caption(row: ImageRow) -> str:
    reason = "".join(f'<p class="why">{escape(words)}</p>\n' for words in (row.why, row.warning) if words)
    speed = row.pixels_per_second
    facts = (
        f"{row.objects:,} objects" if row.objects is not None else "",
        f"{_share(row.fraction)} in objects" if row.fraction is not None else "",
        f"{_pixels(row.pixels)} pixels" if row.pixels is not None else "",
        format_duration(row.seconds) if row.seconds is not None else "",
        f"{_pixels(speed)} pixels/s" if speed is not None else "",
    )
    line = " · ".join(fact for fact in facts if fact)
    known = f'<p class="facts">{line}</p>\n' if line else ""
    return f'<h3>{escape(row.name)}</h3>\n{reason}{known}<p class="source">{escape(row.source)}</p>\n'


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _pixels(count: float) -> str:
    """Return a number of pixels with three digits or so: ``"12.6 million"``."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if count >= size:
            return f"{count / size:.3g} {word}"
    return f"{count:,.0f}"


def _provenance(values: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(str(k))}</th><td>{escape(_text(v))}</td></tr>\n' for k, v in values.items()
    )
    return f"<details>\n<summary>Model and options</summary>\n<table>\n{rows}</table>\n</details>\n" if rows else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
