"""From the dimensions of a file to the axes of an `Image`.

The order is always the same: what is not space first, in the file's order; then ``Z``, ``Y``, ``X``; then ``S``
for RGB(A). Colour samples that are not 3 or 4 (a two-sample greyscale with alpha, a seven-band image) are channels.
"""

from __future__ import annotations

from itertools import permutations

from napari_bioseg.core.axes import KNOWN, SPATIAL, parse_axes
from napari_bioseg.core.errors import UnknownAxesError

UNKNOWN = "?"
STACKING = "ZTC"  # what an unnamed dimension of a stack usually is, the likeliest first


def choices(axes: str) -> tuple[str, ...]:
    """Return plausible names for axes of which some are unknown, the likeliest first.

    Parameters
    ----------
    axes : str
        For instance ``"?YX"``, which gives ``("ZYX", "TYX", "CYX")``.
    """
    free = [letter for letter in STACKING if letter not in axes]
    count = axes.count(UNKNOWN)
    fills = sorted(permutations(free, count), key=_oddness)
    found = []
    for fill in fills:
        letters = iter(fill)
        found.append("".join(next(letters) if a == UNKNOWN else a for a in axes))
    found = [axes for axes in found if {"Y", "X"} <= set(axes)]
    return tuple(found[:3]) if count > 1 else tuple(found)


def _oddness(fill: tuple[str, ...]) -> tuple[bool, list[int]]:
    # The order T, C, Z is the usual one; among those, a Z is likelier than not.
    usual = [KNOWN.index(letter) for letter in fill]
    return usual != sorted(usual), [STACKING.index(letter) for letter in reversed(fill)]


def resolve(axes: str, shape: tuple[int, ...], given: str | None, subject: str) -> str:
    """Settle the axes of a file: what the user says wins, then what the file says; else ask.

    Parameters
    ----------
    axes : str
        The file's own, with ``?`` for a dimension it does not name.
    shape : tuple of int
        Shape in the file.
    given : str or None
        What the user said. A trailing ``S`` the file is sure of may be left out.
    subject : str
        The file, for the error.

    Raises
    ------
    UnknownAxesError
        The file leaves an axis open and `given` is None, or `given` does not fit the shape.
    """
    if given is not None:
        short = len(given.strip()) == len(axes) - 1 and "S" in axes and "S" not in given.upper()
        return parse_axes(_insert_samples(given.strip(), axes) if short else given, len(shape), subject)
    if UNKNOWN not in axes:
        return axes
    options = choices(axes)
    shown = " × ".join(str(n) for n in shape)
    if not options:
        raise UnknownAxesError(
            subject, f"does not say what its {len(shape)} dimensions ({shown}) are", "Give --axes", shape=shape
        )
    fix = f"Give --axes {options[0]}" + (f" (or {', '.join(options[1:])})" if options[1:] else "")
    problem = f"does not say what its {len(shape)} dimensions ({shown}) are"
    raise UnknownAxesError(subject, problem, fix, shape=shape, choices=options)


def _insert_samples(given: str, axes: str) -> str:
    at = axes.index("S")
    return given[:at] + "S" + given[at:]


def arrange(axes: str, shape: tuple[int, ...], subject: str) -> tuple[tuple[int, ...], str]:
    """Return the transposition into the house order and the axes after it.

    Unknown axes (``?``) count as not spatial.

    Returns
    -------
    order : tuple of int
        For ``numpy.transpose``.
    axes : str
        The axes after it.

    Raises
    ------
    UnknownAxesError
        There are both channels and samples that are not RGB(A).
    """
    if "S" in axes and shape[axes.index("S")] not in (3, 4):
        if "C" in axes:
            raise UnknownAxesError(
                subject, "has both channels and several samples a pixel", "Save it with one sample a pixel", shape=shape
            )
        axes = axes.replace("S", "C")
    others = [i for i, a in enumerate(axes) if a not in SPATIAL and a != "S"]
    space = sorted((i for i, a in enumerate(axes) if a in SPATIAL), key=lambda i: SPATIAL.index(axes[i]))
    samples = [i for i, a in enumerate(axes) if a == "S"]
    order = (*others, *space, *samples)
    return order, "".join(axes[i] for i in order)
