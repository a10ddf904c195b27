"""What becomes of an image that is warned of when a change is undone: a cause is tried before it is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.drift import Figures, Profile, Tried, describe, distances, ratios, sizes_worth_trying
from napari_bioseg.drift.causes import right_when_inverted
from napari_bioseg.drift.change import may_help, unusual
from napari_bioseg.drift.distances import of_features, of_output
from napari_bioseg.drift.output import describe_output
from napari_bioseg.inference.resample import extend, to_model_taps
from napari_bioseg.inference.tiles import Axis, Span
from napari_bioseg.inference.windows import Encoder, Window
from napari_bioseg.models.normalise import apply_normalisation

if TYPE_CHECKING:
    from napari_bioseg.models.model import Model

_TRIED = 4  # windows on which it is tried whether light and dark are exchanged
_RESAMPLED = {2: 2, 3: 1}  # windows' worth of pixels, by their axes, on which each size is tried to the network's end
_LEAST = 32  # pixels of a window along Y and X from which a size is tried: in less a network sees too little
_TOGETHER = 0.1  # share of the saturated pixels that lie among such, from which they are not single ones

Floats = npt.NDArray[np.float32]


def describe_windows(windows: Sequence[Window]) -> Figures:
    """Return the figures of the windows of one image."""
    chances = [w.chances for w in windows if w.chances is not None]
    return describe([w.flat for w in windows], [w.raw for w in windows], [w.features for w in windows], chances)


def try_changes(
    windows: Sequence[Window],
    model: Model,
    encoder: Encoder,
    profile: Profile,
    figures: Figures,
    over: Mapping[str, float],
) -> Tried:
    """Undo changes of an image on some of its windows, and see how far these are from the reference then.

    Parameters
    ----------
    windows : sequence of Window
        Of the image, all of the same shape.
    model : Model
    encoder : Encoder
        Of this model.
    profile : Profile
    figures : Figures
        Of the windows.
    over : Mapping
        Their distances in units of the thresholds.
    """
    edge = min(windows[0].flat.shape)
    sizes = [size for size in sizes_worth_trying(figures, profile, over) if edge * size >= _LEAST]
    return Tried(
        _inverted(windows, model, encoder, profile, over),
        _resized(windows, encoder, profile, sizes, over),
        over["saturation"] > 1 and _scattered(windows),
    )


def _inverted(
    windows: Sequence[Window], model: Model, encoder: Encoder, profile: Profile, over: Mapping[str, float]
) -> Mapping[str, float]:
    some = windows[:: -(-len(windows) // _TRIED)]
    turned = [1 - window.grey for window in some]
    normalisation = model.card.input.normalisation
    if normalisation.method != "fixed":
        # Its percentiles need not lie as far from either end.
        figures = normalisation.fit(np.stack(turned))
        turned = [apply_normalisation(grey, *figures, normalisation.clip) for grey in turned]
    changed = [replace(w, grey=grey, chances=None) for w, grey in zip(some, turned, strict=True)]
    found = ratios(distances(describe_windows(changed), profile), profile)
    if not right_when_inverted(over, found | {"features": 0.0}):
        return over  # whatever the network would see
    return found | {"features": _of_features([encoder(grey) for grey in turned], profile)}


class _Begun(NamedTuple):
    """Windows at another size of their pixels: how far their features are, and what decodes either half."""

    features: float
    halves: list[Callable[[], list[Floats]]]


def _resized(
    windows: Sequence[Window], encoder: Encoder, profile: Profile, sizes: Sequence[float], over: Mapping[str, float]
) -> dict[float, float]:
    """Return how unusual windows are at each size of their pixels, in pixels of the training."""
    begun = {size: _begin(windows, encoder, profile, size) for size in sizes}
    found: dict[float, float] = {}
    for size in sorted(sizes, key=lambda size: begun[size].features):
        found[size] = _unusual(begun[size], profile, over, found.values())
    return found


def _begin(windows: Sequence[Window], encoder: Encoder, profile: Profile, size: float) -> _Begun:
    count = _RESAMPLED[windows[0].grey.ndim]
    wished = max(count, round(count / size**2))  # of finer pixels a window is less to see
    some = [_resampled(window.grey, size) for window in windows[:: -(-len(windows) // wished)]]
    features, halves = zip(*(encoder.halfway(half) for half in (some[::2], some[1::2]) if half), strict=True)
    return _Begun(_of_features(np.concatenate(features), profile), list(halves))


def _unusual(begun: _Begun, profile: Profile, over: Mapping[str, float], others: Collection[float]) -> float:
    """Return how unusual windows are; infinitely, if it is clear before the end that they are too much so.

    The decoder takes longest: it is not run where the features alone tell that a size does not help, or less than
    others, nor on the second half of the windows where the first tells it.
    """
    chances: list[Floats] = []
    least = begun.features
    for half in begun.halves:
        if not may_help(least, over, others):
            return inf
        chances += half()
        output = of_output(describe_output(chances), profile)
        least = unusual({"features": begun.features, **ratios(output, profile)})
    return least


def _of_features(seen: Floats | Sequence[Floats], profile: Profile) -> float:
    """Return how far the features ``(N, F)`` of some windows are from the reference, in units of the threshold."""
    mean = np.asarray(np.mean(seen, axis=0, dtype=np.float64))
    return of_features(mean, profile) / profile.thresholds["features"]


def _resampled(grey: Floats, size: float) -> Floats:
    """Return a window in the plane as the engine would resample it, of at most as many pixels."""
    for i in (grey.ndim - 2, grey.ndim - 1):
        n = grey.shape[i]
        taps = to_model_taps(Axis(n, 0, 1, 1 / size), Span(0, min(n, max(1, round(n * size)))))
        grey = taps.apply(extend(grey, i, taps.span, n, 0), i, taps.span.start)
    return np.ascontiguousarray(grey)


def _scattered(windows: Sequence[Window]) -> bool:
    """Return whether hardly any saturated pixel has only such around it: what is overexposed lies together."""
    raw = [window.raw for window in windows]
    low, high = min(values.min() for values in raw), max(values.max() for values in raw)
    edge = sum(np.count_nonzero((v == low) | (v == high)) for v in raw)
    inside = sum(
        np.count_nonzero((ndimage.minimum_filter(v, 3) == high) | (ndimage.maximum_filter(v, 3) == low)) for v in raw
    )
    return bool(inside < _TOGETHER * edge)
