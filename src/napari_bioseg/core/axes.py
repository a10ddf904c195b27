"""Named axes.

Axes are one upper-case letter a dimension, as in OME-TIFF and tifffile: ``T`` time, ``C`` channel,
``Z``, ``Y``, ``X`` space, ``S`` colour samples (RGB), ``R`` position or series.
"""

from __future__ import annotations

from napari_bioseg.core.errors import UnknownAxesError

SPATIAL = "ZYX"
KNOWN = "RTCZYXS"
UNIT_OF = {"Z": "micrometer", "Y": "micrometer", "X": "micrometer", "T": "second"}

# Multipliers to µm; spellings of OME-XML, ImageJ, NIfTI, OME-Zarr (UDUNITS) and pint.
_MICROMETERS = {
    "micrometer": 1.0, "micrometre": 1.0, "micron": 1.0, "microns": 1.0, "um": 1.0, "µm": 1.0,
    "μm": 1.0, "\\u00b5m": 1.0, "nanometer": 1e-3, "nanometre": 1e-3, "nm": 1e-3,
    "angstrom": 1e-4, "å": 1e-4, "picometer": 1e-6, "pm": 1e-6, "millimeter": 1e3, "millimetre": 1e3,
    "mm": 1e3, "centimeter": 1e4, "centimetre": 1e4, "cm": 1e4, "meter": 1e6, "metre": 1e6, "m": 1e6,
    "inch": 25400.0,
}  # fmt: skip
_SECONDS = {
    "second": 1.0, "s": 1.0, "sec": 1.0, "millisecond": 1e-3, "ms": 1e-3, "msec": 1e-3,
    "microsecond": 1e-6, "µs": 1e-6, "us": 1e-6, "usec": 1e-6, "minute": 60.0, "min": 60.0,
    "hour": 3600.0, "h": 3600.0, "day": 86400.0, "d": 86400.0,
}  # fmt: skip


def parse_axes(text: str, ndim: int, subject: str = "--axes") -> str:
    """Check axes typed by a person and return them in upper case.

    Parameters
    ----------
    text : str
        For instance ``"zyx"``.
    ndim : int
        How many dimensions the array has.
    subject : str
        What an error is about: the file, or the flag.

    Raises
    ------
    UnknownAxesError
        A letter is unknown or repeated, Y or X is missing, or the number of axes is not `ndim`.
    """
    axes = text.strip().upper()
    fix = f"Give {ndim} different letters out of {KNOWN}, with Y and X among them, e.g. {example(ndim)}"
    if len(axes) != ndim:
        raise UnknownAxesError(subject, f"axes {text!r} name {len(axes)} dimensions, the array has {ndim}", fix)
    if len(set(axes)) != ndim or set(axes) - set(KNOWN) or not {"Y", "X"} <= set(axes):
        raise UnknownAxesError(subject, f"axes {text!r} are not usable", fix)
    return axes


def example(ndim: int) -> str:
    """Return plausible axes for an array of `ndim` dimensions."""
    return {2: "YX", 3: "ZYX", 4: "CZYX", 5: "TCZYX", 6: "RTCZYX"}.get(ndim, KNOWN[-ndim:])


def spatial(axes: str) -> str:
    """Return the spatial axes among `axes`, in their order."""
    return "".join(a for a in axes if a in SPATIAL)


def to_standard_unit(axis: str, value: float, unit: str | None) -> tuple[float, str | None]:
    """Turn a step along one axis into µm (space) or seconds (time).

    Returns
    -------
    value : float
        The step in the standard unit, or as given when the unit is unknown.
    unit : str or None
        ``"micrometer"``, ``"second"``, or None when the unit is not known.
    """
    table = _SECONDS if axis == "T" else _MICROMETERS if axis in SPATIAL else {}
    factor = table.get((unit or "").strip().lower())
    return (value, None) if factor is None else (value * factor, UNIT_OF[axis])
