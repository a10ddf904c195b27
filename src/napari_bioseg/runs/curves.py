"""``curves.png`` of a training: the loss of each epoch, and below it the scores on what is not trained on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.files import whole_or_nothing

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

CURVES = "curves.png"

# Okabe & Ito's colours; each curve has a mark of its own as well: corners of a polygon, none is a disc.
_STYLES = {"loss": ("#0072b2", 0), "held_out": ("#d55e00", 4), "score": ("#008060", 3)}
_WORDS = {"loss": "loss", "held_out": "held out", "score": "validation"}
_PANELS = (("loss",), ("score", "held_out"))
_SIZE, _SCALE = (760, 300), 2  # of a panel, and how much larger it is drawn: Pillow's lines have no soft edges
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 34, 34
_MANY = 60  # epochs, from which marks would hide the curve
_LEAST_RANGE = 0.05  # of scores: a smaller change must not look like a large one
_GREY, _INK = "#dddddd", "#333333"

Floats = npt.NDArray[np.float64]
Values = dict[str, tuple[Floats, Floats]]


def write_curves(folder: Path, lines: Iterable[Mapping[str, Any]], metric: str = "score") -> Path | None:
    """Draw the epochs of a run; nothing where there are none, as of a batch.

    Parameters
    ----------
    folder : Path
        Of the run.
    lines : iterable of mapping
        As `Run.metrics` gives them; what is None or no number in them is passed over.
    metric : str
        What the scores are.

    Raises
    ------
    OSError
        The disk is full, or the folder refuses.
    """
    values = _values(lines)
    panels = [[name for name in panel if name in values] for panel in _PANELS]
    pictures = [_panel({name: values[name] for name in panel}, metric) for panel in panels if panel]
    if not pictures:
        return None
    from PIL.Image import new

    width, height = _SIZE
    sheet = new("RGB", (width, height * len(pictures)), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (0, i * height))
    with whole_or_nothing(folder / CURVES) as part:
        sheet.save(part)
    return folder / CURVES


def _values(lines: Iterable[Mapping[str, Any]]) -> Values:
    """Return epochs and values of each curve that has any."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _STYLES}
    for line in lines:
        for name, points in found.items():
            value = line.get(name)
            if "epoch" in line and isinstance(value, int | float) and math.isfinite(value):
                points.append((float(line["epoch"]), float(value)))
    return {name: (np.array(p)[:, 0], np.array(p)[:, 1]) for name, p in found.items() if p}


@dataclass(frozen=True)
class _Frame:
    """From epochs and values to pixels of a panel that is drawn larger.

    Attributes
    ----------
    x, y : tuple of float
        What lies at the left and the right end, and at the lower and the upper one.
    """

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, epochs: Floats) -> Floats:
        """Return pixels from the left."""
        share = (epochs - self.x[0]) / (self.x[1] - self.x[0])
        return np.asarray(_SCALE * (_LEFT + share * (_SIZE[0] - _LEFT - _RIGHT)))

    def down(self, values: Floats) -> Floats:
        """Return pixels from the top."""
        share = (self.y[1] - values) / (self.y[1] - self.y[0])
        return np.asarray(_SCALE * (_TOP + share * (_SIZE[1] - _TOP - _BOTTOM)))


def _panel(curves: Values, metric: str) -> Picture:
    from PIL.Image import Resampling, new
    from PIL.ImageDraw import Draw

    picture = new("RGB", (_SIZE[0] * _SCALE, _SIZE[1] * _SCALE), "white")
    draw = Draw(picture)
    epochs = np.concatenate([x for x, _ in curves.values()])
    values = np.concatenate([y for _, y in curves.values()])
    least = max(1e-6, abs(float(values.max())) / 10) if "loss" in curves else _LEAST_RANGE
    frame = _Frame(_range(epochs, 1.0), _range(values, least))
    _draw_grid(draw, frame)
    for name, (x, y) in curves.items():
        _draw_curve(draw, name, frame.across(x), frame.down(y))
    _draw_legend(draw, {name: y[-1] for name, (_, y) in curves.items()}, metric)
    return picture.resize(_SIZE, Resampling.BOX)


def _range(values: Floats, least: float) -> tuple[float, float]:
    """Return both ends of an axis, with some room; as far apart as `least`."""
    low, high = float(values.min()), float(values.max())
    room = max(0.05 * (high - low), (least - (high - low)) / 2)
    return low - room, high + room


def _ticks(ends: tuple[float, float], most: int, whole: bool = False) -> list[float]:
    """Return round numbers between both ends."""
    rough = (ends[1] - ends[0]) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    step = max(1.0, step) if whole else step
    return [step * i for i in range(math.ceil(ends[0] / step), math.floor(ends[1] / step) + 1)]


def _draw_grid(draw: ImageDraw, frame: _Frame) -> None:
    left, right, top, bottom = (
        _SCALE * n for n in (_LEFT, _SIZE[0] - _RIGHT, _TOP, _SIZE[1] - _BOTTOM)
    )  # fmt: skip
    for value in _ticks(frame.y, 5):
        y = float(frame.down(np.array(value)))
        draw.line([(left, y), (right, y)], _GREY, _SCALE)
        draw.text((left - 6 * _SCALE, y), f"{value:.4g}", _INK, _font(11), "rm")
    for epoch in _ticks(frame.x, 10, whole=True):
        x = float(frame.across(np.array(epoch)))
        draw.text((x, bottom + 5 * _SCALE), f"{epoch:.0f}", _INK, _font(11), "mt")
    draw.text(((left + right) / 2, bottom + 30 * _SCALE), "epoch", _INK, _font(11), "mb")
    draw.rectangle([left, top, right, bottom], outline=_INK, width=1)


def _draw_curve(draw: ImageDraw, name: str, x: Floats, y: Floats) -> None:
    color = _STYLES[name][0]
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    draw.line(points, color, 2 * _SCALE, joint="curve")
    for point in points if len(points) <= _MANY else points[-1:]:
        _draw_mark(draw, name, point)


def _draw_mark(draw: ImageDraw, name: str, at: Sequence[float]) -> None:
    color, corners = _STYLES[name]
    circle = (at[0], at[1], 4 * _SCALE)
    if corners:
        draw.regular_polygon(circle, corners, fill=color)
    else:
        draw.circle(circle[:2], 3 * _SCALE, color)


def _draw_legend(draw: ImageDraw, last: Mapping[str, float], metric: str) -> None:
    x, y = _LEFT * _SCALE + 5.0 * _SCALE, _TOP * _SCALE / 2
    for name, value in last.items():
        words = _WORDS[name] if name == "loss" else f"{metric}, {_WORDS[name]}"
        text = f"{words} {value:.3f}"
        _draw_mark(draw, name, (x, y))
        draw.text((x + 9 * _SCALE, y), text, _INK, _font(12), "lm")
        x += 40 * _SCALE + draw.textlength(text, _font(12))


def _font(size: int) -> Any:
    from PIL.ImageFont import load_default

    return load_default(size * _SCALE)
