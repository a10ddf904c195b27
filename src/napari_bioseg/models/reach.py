"""How far a network looks, and by which steps it may be moved, found by trying it: for networks that cannot tell.

A pixel that is not a number makes one of every output that depends on it, whatever the weights are. So it shows how far
a network looks exactly, where nothing swallows it; pixels with other values are tried, too, and the farthest count.
Windowed attention is masked by large numbers, not by nothing: there the other value alone counts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

Floats = npt.NDArray[np.floating[Any]]
Run = Callable[[Floats], Floats]
"""From ``(1, 1, *space)`` to ``(1, K, *space)``; ValueError where it cannot take such sides."""

_SIDES = {1: 64, 2: 64, 3: 32}  # a multiple of any stride that is looked for
_LONGEST = {1: 2048, 2: 2048, 3: 512}  # pixels of the longest line that is tried
_EXACT = 2**20  # pixels in all, up to which each pixel of a period is tried
_SAME = {"f": 1e-5, "d": 1e-10}  # difference, in standard deviations of the output, that rounding may make
_FILLS = (np.nan, 30.0, -30.0)  # what is added to pixels, in standard deviations of the grey values


@dataclass(frozen=True)
class Reach:
    """What tiles of a network must keep to, along each axis that it sees.

    Attributes
    ----------
    halo, stride : tuple of int
        As of `Network`.
    """

    halo: tuple[int, ...]
    stride: tuple[int, ...]


def measure(run: Run, dims: int, tries: int = 1) -> Reach:
    """Find halo and stride of a network.

    The halo is exact; where it would take long to find, it is up to one pixel less than the stride too large.

    Parameters
    ----------
    run : callable
    dims : int
        1 to 3 axes.
    tries : int
        Images that are looked at; some programs swallow what is not a number, and one image may not show all.

    Raises
    ------
    ValueError
        It looks at the whole image, or no step up to 64 pixels (in 3-D 32) leaves its result the same.
    """
    line = _Line(run, _SIDES[dims], _LONGEST[dims], _beside(run, dims), tries)
    coarse, strides = [], []
    for axis in range(dims):
        coarse.append(line.coarse(axis))
        strides.append(line.stride(axis, coarse[-1]))
    return Reach(tuple(line.halo(axis, strides[axis], coarse[axis]) for axis in range(dims)), tuple(strides))


def tile_error(run: Run, halo: Sequence[int], stride: Sequence[int]) -> float:
    """Return the most by which a tile differs from the whole image, in standard deviations of the output.

    Raises
    ------
    ValueError
        It cannot take sides that are multiples of the stride.
    """
    most = 0.0
    for axis, (far, step) in enumerate(zip(halo, stride, strict=True)):
        # As long as what a border changes reaches, on both sides, and some pixels between.
        length = 2 * -(-far // step) * step + 3 * step
        whole = _noise([length + step if a == axis else 2 * s for a, s in enumerate(stride)])
        tile = run(_along(whole, axis, slice(step, step + length)))
        wanted = _along(run(whole), axis, slice(step + far, step + length - far))
        most = max(most, _difference(_along(tile, axis, slice(far, length - far)), wanted))
    return most


def runner_of(network: nn.Module) -> Run:
    """Return how a network in eval mode is tried: in float64, which shows what reaches far but is weak."""
    exact = copy.deepcopy(network).double()

    @torch.inference_mode()
    def run(grey: Floats) -> Floats:
        try:
            given: Floats = exact(torch.from_numpy(grey).double()).numpy()
        except (RuntimeError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(next(iter(str(error).splitlines()), type(error).__name__)) from error
        return given

    return run


@dataclass(frozen=True)
class _Line:
    """Images that are long along one axis only.

    Attributes
    ----------
    run : callable
    side : int
        A multiple of the stride.
    longest : int
    beside : tuple of int
        Sides along the other axes.
    tries : int
    """

    run: Run
    side: int
    longest: int
    beside: tuple[int, ...]
    tries: int

    def coarse(self, axis: int) -> int:
        """Return how far at most the network looks from any pixel of a block of `side` pixels."""
        for fills in (_FILLS, _FILLS[1:]):
            length = 4 * self.side
            while length <= self.longest:
                first = length // 2
                low, high = self._changed(axis, length, slice(first, first + self.side), fills)
                if low > 0 and high < length - 1:
                    return max(int(first - low), int(high - first) - self.side + 1, 0)
                length *= 2
        raise ValueError("looks at the whole image, as those with normalisation over an image (instance, group) do")

    def stride(self, axis: int, far: int) -> int:
        """Return the least power of two by which an image may be moved, so that the result moves with it."""
        far += self.side  # what is left of a block that was seen as one
        length = 2 * -(-far // self.side) * self.side + 2 * self.side
        whole = self._noise(axis, length + 2 * self.side)
        wanted = self.run(whole)
        for step in (1 << i for i in range(self.side.bit_length())):
            moved = _along(whole, axis, slice(step, step + length + step))
            given = self._tried(moved)
            inner = slice(far, length - far)
            there = _along(wanted, axis, slice(step + inner.start, step + inner.stop))
            if given is not None and _difference(_along(given, axis, inner), there) < _SAME[wanted.dtype.char]:
                return step
        raise ValueError(f"gives something else wherever a tile begins, up to steps of {self.side} pixels")

    def halo(self, axis: int, step: int, far: int) -> int:
        """Return how far the network looks, at the most, from a pixel of a period."""
        first = -(-(far + self.side) // self.side) * self.side
        length = 2 * first + self.side
        # Where one pixel at a time would take too long, a period at a time: each of its pixels is as far from the ends.
        width = 1 if length * prod(self.beside[1:]) * step <= _EXACT else step
        most = 0
        for start in range(first, first + step, width):
            for fills in (_FILLS, _FILLS[1:]):
                low, high = self._changed(axis, length, slice(start, start + width), fills)
                if low > 0 and high < length - 1:  # else not-a-number is no measure here
                    break
            most = max(most, start + width - 1 - low, high - start)
        return most

    def _changed(self, axis: int, length: int, span: slice, fills: Sequence[float]) -> tuple[int, int]:
        """Return the first and the last place along an axis where the result changes with the pixels of a span."""
        found = np.zeros(length, bool)
        for seed in range(self.tries):
            grey = self._noise(axis, length, seed)
            before = self.run(grey)
            if before.shape[2:] != grey.shape[2:]:
                raise ValueError(f"gives {_words(before)} pixels of {_words(grey)}")
            for fill in fills:
                other = grey.copy()
                _along(other, axis, span)[...] += np.float32(fill)
                changed = ~(self.run(other) == before)
                found |= changed.any(axis=tuple(a for a in range(changed.ndim) if a != 2 + axis))
        places = np.flatnonzero(found)
        return (int(places[0]), int(places[-1])) if places.size else (span.start, span.stop - 1)

    def _noise(self, axis: int, length: int, seed: int = 0) -> Floats:
        return _noise([length if a == axis else n for a, n in enumerate(self.beside)], seed)

    def _tried(self, grey: Floats) -> Floats | None:
        """Return what the network gives; None where it does not take such sides."""
        try:
            given = self.run(grey)
        except ValueError:
            return None
        return given if given.shape[2:] == grey.shape[2:] else None


def _beside(run: Run, dims: int) -> tuple[int, ...]:
    """Return the smallest sides that the network takes; windows may lie otherwise in still smaller ones."""
    for side in (8, 16, 32):
        try:
            run(_noise([side] * dims))
        except ValueError:
            continue
        return (side,) * dims
    return (_SIDES[dims],) * dims


def _along(values: Floats, axis: int, span: slice) -> Floats:
    part: Floats = values[(slice(None),) * (2 + axis) + (span,)]
    return part


def _words(values: Floats) -> str:
    return " x ".join(map(str, values.shape[2:]))


def _noise(shape: Sequence[int], seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((1, 1, *shape)).astype(np.float32)


def _difference(a: Floats, b: Floats) -> float:
    return float(np.abs(a - b).max() / max(float(b.std()), 1e-12)) if b.size else 0.0
