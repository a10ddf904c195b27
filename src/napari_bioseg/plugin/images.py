"""From a napari layer back to an `Image`, whoever made the layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.axes import KNOWN, example, to_standard_unit
from napari_bioseg.core.errors import IncompatibleImageError, UnknownAxesError
from napari_bioseg.core.image import Image
from napari_bioseg.plugin.layers import KEY, Origin

if TYPE_CHECKING:
    import dask.array as da


def image_of_layer(layer: Any) -> Image:
    """Return the image that a napari Image or Labels layer shows, lazily.

    Pixels, scale, translation and units are those of the layer, so a pixel size that was set in napari counts;
    axes come from our reader, from the user's answer, or from the layer's axis labels.

    Parameters
    ----------
    layer : napari.layers.Image or napari.layers.Labels
        One channel, or RGB.

    Raises
    ------
    UnknownAxesError
        A layer with more than two dimensions that does not say what they are.
    """
    own = _own(layer)
    levels = _levels(layer)
    axes = axes_of_layer(layer)
    n = layer.ndim
    measured = [to_standard_unit(a, float(s), str(u)) for a, s, u in zip(axes, layer.scale, layer.units, strict=False)]
    # A step in a unit we do not know (a pixel) says where the layer lies, not how large a pixel is.
    image = Image(
        levels=levels,
        axes=axes,
        scale=tuple(value for value, _ in measured) + (1.0,) * (len(axes) - n),
        units=tuple(unit for _, unit in measured) + (None,) * (len(axes) - n),
        translate=_translate(layer, axes),
        name=layer.name,
        source=own["image"].source if "image" in own else _path(layer),
    )
    if "image" in own:
        image = replace(image, metadata=own["image"].metadata)
    return image


def axes_of_layer(layer: Any) -> str:
    """Return the axes of a layer's data, e.g. ``"ZYX"``, with ``S`` when it is RGB.

    Raises
    ------
    UnknownAxesError
        Nobody has said them; `choices` are the plausible ones.
    """
    samples = _samples(layer)
    own = _own(layer)
    if "axes" in own:
        return str(own["axes"])
    if "image" in own:
        image = own["image"]
        axes = image.axes if own.get("channel") is None else image.axes.replace("C", "")
        if len(axes) == layer.ndim + len(samples):
            return str(axes)
    letters = "".join(str(label)[:1].upper() for label in layer.axis_labels)
    if len(letters) == layer.ndim and len(set(letters)) == layer.ndim and {"Y", "X"} <= set(letters) <= set(KNOWN):
        return letters + samples
    if layer.ndim == 2:
        return "YX" + samples
    raise axes_question(layer)


def set_axes(layer: Any, axes: str) -> None:
    """Keep what the user said of a layer's axes, and name them in the viewer."""
    layer.metadata[KEY] = {**_own(layer), "axes": axes}
    layer.axis_labels = tuple(axes[: layer.ndim].lower())


def axes_question(layer: Any) -> UnknownAxesError:
    """Return what to ask of a layer whose axes nobody has said, or were said wrongly."""
    return _unknown(layer, _samples(layer))


def axes_answered(layer: Any) -> bool:
    """Whether the axes of a layer are the user's answer, which may be wrong, rather than the file's word."""
    return "axes" in _own(layer) or opened_with_answer(layer)


def opened_with_answer(layer: Any) -> bool:
    """Whether our reader was told the axes of a layer's file, and nobody said otherwise of the layer since."""
    own = _own(layer)
    return from_our_reader(layer) and "axes" not in own and own.get("origin", Origin()).axes is not None


def from_our_reader(layer: Any) -> bool:
    """Whether our reader made a layer of an image from a file."""
    own = _own(layer)
    return "image" in own and own["image"].source is not None


def like_file(layer: Any) -> Callable[[], None]:
    """Return a check that the layer has the shape and pixel size of the image in its file.

    The check no longer touches the layer, so that it can open the file outside the GUI thread.

    Raises
    ------
    IncompatibleImageError
        By the check: the layer was cropped, resampled or given another pixel size in napari.
    BiosegError
        By the check: as `napari_bioseg.open_image`, where another reader made the layer.
    """
    own, (path, origin), shown, name = _own(layer), source_of(layer), image_of_layer(layer), layer.name

    def check() -> None:
        from napari_bioseg.io import open_image

        if path is None:
            return
        stored = own["image"] if "image" in own else open_image(path, axes=origin.axes)
        # Of a stack that shows one of its channels, the channel is no axis of the layer.
        kept = [i for i, a in enumerate(stored.axes) if a != "C" or own.get("channel") is None]
        alike = shown.shape == tuple(stored.shape[i] for i in kept)
        sizes = [(stored.scale[i], stored.units[i]) for i in kept]
        if not alike or not _same_steps(sizes, list(zip(shown.scale, shown.units, strict=True))):
            what = "pixel size" if alike else "shape"
            raise IncompatibleImageError(name, f"its {what} differs from its file's", "Save it first, then open it")

    return check


def source_of(layer: Any) -> tuple[Path | None, Origin]:
    """Return the file behind a layer, or None, and how to open it again."""
    own = _own(layer)
    if "image" in own:
        return own["image"].source, own.get("origin", Origin())
    return _path(layer), Origin(own.get("axes"))


def image_behind(layer: Any) -> tuple[Image, int | None]:
    """Return the image that a layer shows a part of, placed as the layer is.

    Returns
    -------
    image : Image
        With all its channels when our reader made the layer; else what the layer shows.
    channel : int or None
        Which of its channels the layer shows; None when the layer has them all, or there are none.
    """
    shown = image_of_layer(layer)
    own = _own(layer)
    channel = own.get("channel")
    if channel is None or _without(own["image"], "C") != (shown.axes, shown.shape):
        return shown, None
    whole: Image = own["image"]
    at = whole.axis("C")

    def placed(values: tuple[Any, ...], missing: Any) -> tuple[Any, ...]:
        return (*values[:at], missing, *values[at:])

    return replace(
        whole,
        scale=placed(shown.scale, 1.0),
        units=placed(shown.units, None),
        translate=placed(shown.translate, 0.0),
        labels=(),
    ), int(channel)


def _same_steps(one: list[tuple[float, str | None]], other: list[tuple[float, str | None]]) -> bool:
    return all(u == v and math.isclose(a, b, rel_tol=1e-6) for (a, u), (b, v) in zip(one, other, strict=True))


def _without(image: Image, letter: str) -> tuple[str, tuple[int, ...]]:
    kept = [(a, n) for a, n in zip(image.axes, image.shape, strict=True) if a != letter]
    return "".join(a for a, _ in kept), tuple(n for _, n in kept)


def _samples(layer: Any) -> str:
    return "S" if getattr(layer, "rgb", False) else ""  # labels do not have it


def _own(layer: Any) -> Mapping[str, Any]:
    own = layer.metadata.get(KEY, {})
    return own if isinstance(own, Mapping) else {}


def _levels(layer: Any) -> tuple[da.Array, ...]:
    import dask.array as da

    levels: Sequence[Any] = list(layer.data) if layer.multiscale else [layer.data]
    return tuple(
        level if isinstance(level, da.Array) else da.from_array(level, name=False)  # type: ignore[no-untyped-call]
        for level in levels
    )


def _translate(layer: Any, axes: str) -> tuple[float, ...]:
    factors = [to_standard_unit(a, 1.0, str(u))[0] for a, u in zip(axes, layer.units, strict=False)]
    moved: tuple[float, ...] = tuple(float(t) * f for t, f in zip(layer.translate, factors, strict=True))
    return (*moved, *(0.0,) * (len(axes) - layer.ndim))


def _path(layer: Any) -> Path | None:
    path = getattr(layer.source, "path", None)
    return Path(path) if path else None


def _unknown(layer: Any, samples: str) -> UnknownAxesError:
    shape = tuple(int(n) for n in (layer.data[0] if layer.multiscale else layer.data).shape)
    options = {3: ("ZYX", "TYX", "CYX"), 4: ("TZYX", "CZYX", "TCYX")}.get(layer.ndim, (example(layer.ndim),))
    shown = " × ".join(str(n) for n in shape)
    return UnknownAxesError(
        layer.name,
        f"does not say what its {layer.ndim} dimensions ({shown}) are",
        "Choose them in the panel",
        shape=shape,
        choices=tuple(o + samples for o in options),
    )


def same_layer(one: Any, other: Any) -> bool:
    """Whether two references, maybe through napari's plugin proxies, are one layer."""
    return bool(one is other or (one is not None and one == other))
