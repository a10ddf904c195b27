"""A few windows of an image as a network sees them, and what it makes of them: to tell whether it knows such images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from napari_bioseg.core.grey import grey_values
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference.engine import activated, fused
from napari_bioseg.inference.options import NetworkOptions
from napari_bioseg.inference.plan import Plan, make_plan
from napari_bioseg.inference.source import Source
from napari_bioseg.inference.tiles import Axis, Span
from napari_bioseg.models.devices import choose_device

if TYPE_CHECKING:
    from napari_bioseg.models.model import Model

_EDGE = {"YX": 256, "ZYX": 128}  # of a window in the plane, model pixels
_DEPTH = 8  # planes of a window of a volume
_PLANES = 4  # among which the windows of a stack are spread
_TO_END = 4  # windows on which a network is run to its end

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """One window.

    Attributes
    ----------
    grey : ndarray of float32
        Normalised, in model pixels, along the axes of the model.
    raw : ndarray
        The pixels of the image that it was made from.
    features : ndarray of float32
        Mean of `Network.features` over the window, ``(F,)``.
    plane : tuple of int
        Index along the axes of the prediction but Y and X; of a volume's window the middle one.
    chances : ndarray of float32 or None
        Probabilities ``(K, *space)``, see `Encoder.halfway`; None where the network was not run to its end.
    """

    grey: Floats
    raw: npt.NDArray[Any]
    features: Floats
    plane: tuple[int, ...]
    chances: Floats | None = None

    @property
    def flat(self) -> Floats:
        """``(Y, X)``: the window, or its middle plane."""
        return self.grey if self.grey.ndim == 2 else self.grey[len(self.grey) // 2]


class Encoder:
    """Runs a network as far as its features, or to its end.

    Parameters
    ----------
    model : Model
    device : str
        As in `NetworkOptions`.

    Attributes
    ----------
    tells : bool
        Whether what the network says of pixels tells how good its result is: the centres of a detector are points, of
        which it is as sure when it misses most of them (`python -m benchmarks.drift models/cdv-yolo`).

    Raises
    ------
    DeviceError
        The device asked for is not here.
    """

    def __init__(self, model: Model, device: Literal["auto", "cpu", "cuda", "mps"] = "auto") -> None:
        self._device, self._stride = choose_device(device), model.stride
        self._layout = torch.channels_last if model.axes == "YX" else torch.contiguous_format
        self._network = fused(model.network).to(self._device)
        self._network.to(memory_format=self._layout)  # type: ignore[call-overload]
        self._activation, self._shifts = model.card.output.to_apply, torch.tensor(model.card.shifts or 0.0)
        self.tells = model.card.task != "detection"

    def __call__(self, grey: Floats) -> Floats:
        """Return the mean features ``(F,)`` of a window."""
        return self.pooled(grey, tuple(range(1, grey.ndim + 1)))

    @torch.inference_mode()
    def halfway(self, windows: Sequence[Floats]) -> tuple[Floats, Callable[[], list[Floats]]]:
        """Return the mean features ``(N, F)`` of windows of one shape, and what goes on from there when it is called.

        That returns the probabilities ``(K, *space)`` of each, as they were before the classes were shifted: how sure a
        network is tells more than how its labels are chosen.
        """
        inside = (slice(None), *(slice(n) for n in windows[0].shape))
        features, finish = self._network.halfway(self._tensor(np.stack(windows)))
        shifts = self._shifts.to(self._device)

        @torch.inference_mode()
        def chances() -> list[Floats]:
            told = (logits.float() - shifts.view(-1, *(1,) * (logits.ndim - 1)) for logits in finish())
            return [activated(logits, self._activation).cpu().numpy()[inside] for logits in told]

        mean: Floats = features.mean(dim=tuple(range(2, features.ndim))).float().cpu().numpy()
        return mean, chances

    @torch.inference_mode()
    def pooled(self, grey: Floats, axes: tuple[int, ...]) -> Floats:
        """Return the mean, over some of their axes, of the features ``(F, *coarse)`` of a part of an image.

        It is mirrored out to multiples of the stride.
        """
        features: Floats = self._network.features(self._tensor(grey[None]))[0].mean(dim=axes).float().cpu().numpy()
        return features

    def _tensor(self, windows: Floats) -> torch.Tensor:
        missing = [(0, -n % stride) for n, stride in zip(windows.shape[1:], self._stride, strict=True)]
        whole = np.pad(windows, [(0, 0), *missing], mode="symmetric")
        return torch.from_numpy(whole)[:, None].to(self._device, memory_format=self._layout)


def read_windows(
    image: Image,
    model: Model,
    encoder: Encoder,
    options: NetworkOptions | None = None,
    *,
    count: int = 12,
    box: tuple[slice, ...] | None = None,
    to_end: bool = False,
    job: Job | None = None,
) -> list[Window]:
    """Read windows that are spread evenly over an image, the same ones each time.

    Parameters
    ----------
    image : Image
        As for `predict`, which has found that the model takes it.
    model : Model
    encoder : Encoder
        Of this model.
    options : NetworkOptions, optional
    count : int
        About how many; of a small image fewer.
    box : tuple of slice, optional
        The part of the image, as for `predict`.
    to_end : bool
        Whether the network is run to its end on about `_TO_END` of them, unless it does not tell by what it says of
        pixels how good its result is.
    job : Job, optional
        For progress (a step is a window) and for stopping.

    Returns
    -------
    list of Window
        At least one. A window that is larger than the image is mirrored at its border, as the engine does it.

    Raises
    ------
    Cancelled
        The job was stopped.
    RecipeError
        As for `predict`.
    """
    options, job = options or NetworkOptions(), job or Job()
    data, axes, _ = grey_values(image, options.channel)
    plan = make_plan(image, axes, model, options, box=box, job=job)
    source = Source(data, axes, model.axes, plan.grid, model.card.input.normalisation)
    places = list(_places(plan, model.axes, count))
    step = ceil(len(places) / _TO_END)
    job.stage("Looking at the image", len(places))
    found = []
    for i, (lead, spans) in enumerate(places):
        job.check()
        index = dict(zip(plan.lead_axes, lead, strict=True))
        grey, raw = source.read_both(index, spans)
        (features,), finish = encoder.halfway([grey])
        chances = finish()[0] if to_end and encoder.tells and i % step == 0 else None
        found.append(Window(grey, raw, features, _plane(plan, index, spans), chances))
        job.step()
    return found


def _plane(plan: Plan, index: dict[str, int], spans: tuple[Span, ...]) -> tuple[int, ...]:
    middle = (spans[0].start + spans[0].stop) // 2
    return tuple(index[a] if a in index else _pixel(plan.grid[0], middle) for a in plan.axes[:-2])


def _pixel(axis: Axis, i: int) -> int:
    """Return the pixel of the image at a model pixel."""
    return min(max(int((i + 0.5) * axis.factor), 0), axis.size - 1)


def _places(plan: Plan, axes: str, count: int) -> Iterator[tuple[tuple[int, ...], tuple[Span, ...]]]:
    """Yield the index along the axes that the network does not see, and model pixels along those that it does."""
    lead = plan.spans(plan.lead_axes)
    planes = [_spread(prod(s.length for s in lead), min(_PLANES, prod(s.length for s in lead)))]
    whole = [axis.needed(span) for axis, span in zip(plan.grid, plan.spans(plan.model_axes), strict=True)]
    wished = [_DEPTH if a == "Z" else _EDGE[axes] for a in axes]
    edges = [_edge(axis, min(w, span.length)) for axis, w, span in zip(plan.grid, wished, whole, strict=True)]
    fitting = [max(1, span.length // edge) for span, edge in zip(whole, edges, strict=True)]
    rows = _counts(ceil(count / len(planes[0])), fitting)
    starts = [_starts(span, edge, n) for span, edge, n in zip(whole, edges, rows, strict=True)]
    for plane, *start in product(*planes, *starts):
        index = np.unravel_index(plane, [s.length for s in lead]) if lead else ()
        at = tuple(int(i) + s.start for i, s in zip(index, lead, strict=True))
        yield at, tuple(Span(s, s + edge) for s, edge in zip(start, edges, strict=True))


def _edge(axis: Axis, wished: int) -> int:
    return max(axis.stride, wished // axis.stride * axis.stride)


def _counts(count: int, fitting: list[int]) -> list[int]:
    """Return how many windows along each axis: about `count` in all, few along Z, as many along Y as along X."""
    depth = min(fitting[0], 3) if len(fitting) == 3 else 1
    y, x = fitting[-2:]
    left = max(1.0, count / depth)
    rows = max(1, min(y, round(sqrt(left * y / x))))
    return [depth, rows, max(1, min(x, round(left / rows)))][-len(fitting) :]


def _spread(total: int, n: int) -> list[int]:
    return [(2 * i + 1) * total // (2 * n) for i in range(n)]


def _starts(span: Span, edge: int, n: int) -> list[int]:
    """Return where `n` windows start, at even distances, the outer ones as far from the border as they are apart."""
    free = max(0, span.length - edge * n)
    return [span.start + edge * i + free * (2 * i + 1) // (2 * n) for i in range(n)]
