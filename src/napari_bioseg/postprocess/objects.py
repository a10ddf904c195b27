"""From parts to objects: holes are filled, small objects dropped, and what remains is numbered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.postprocess.parts import Flags, Integers, Pairs, Parts


@dataclass(frozen=True)
class Objects:
    """What each part becomes.

    Attributes
    ----------
    lookup : ndarray of uint32
        Label of each part: the number of its object, from `first` on, or the value of its class; 0 if dropped.
    count : int
        How many objects there are.
    low, high : ndarray of int64
        Corners of the bounding box of each object, ``(count, axes)``, if those of the parts are known.
    """

    lookup: npt.NDArray[np.uint32]
    count: int
    low: Integers
    high: Integers


def resolve(
    parts: Parts, joins: Pairs, options: DecodeOptions, values: npt.NDArray[np.uint32], *, first: int = 1
) -> Objects:
    """Decide on objects by their true sizes, wherever their parts lie.

    A hole is background that foreground encloses: it does not reach the border of the image. It takes the class with
    which it shares most faces, and joins the objects around it of that class. Where lines close gaps, background
    between several objects is no hole: filled, it would join what the lines part.

    Parameters
    ----------
    parts : Parts
    joins : Pairs
        Parts of equal value in different blocks that touch.
    options : DecodeOptions
    values : ndarray of uint32
        Label value of each class index.
    first : int
        Number of the first object.
    """
    whole = _connected(len(parts), joins)
    n = int(whole.max()) + 1
    classes = np.zeros(n, np.int64)
    classes[whole] = parts.values
    sizes = np.bincount(whole, weights=parts.sizes, minlength=n).astype(np.int64)
    contacts = parts.contacts
    if options.fill_holes and len(contacts.first):
        bordering = np.zeros(n, bool)
        bordering[whole[parts.bordering]] = True
        holes = (classes == 0) & ~bordering & (sizes <= options.fill_holes)
        contacts = Pairs(whole[contacts.first], whole[contacts.second], contacts.faces)
        contacts = contacts.where(holes[contacts.first])
        if options.separate:
            contacts = contacts.where(_alone(contacts)[contacts.first])
        classes = _filled(classes, contacts, len(values))
        merged = _connected(n, contacts.where(classes[contacts.first] == classes[contacts.second]))
        whole, classes, sizes = merged[whole], _first(merged, classes), np.bincount(merged, weights=sizes)
    kept = (classes > 0) & (sizes >= options.min_size)
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    labels = np.where(kept, number + first, 0) if options.instances else np.where(kept, values[classes], 0)
    low, high = _boxes(parts, number[whole], int(kept.sum()))
    return Objects(labels.astype(np.uint32)[whole], int(kept.sum()), low, high)


def _connected(n: int, pairs: Pairs) -> npt.NDArray[Any]:
    """Return the component of each of `n` nodes, numbered in the order of their first nodes."""
    if not len(pairs.first):
        return np.arange(n)
    links = coo_array((np.ones(len(pairs.first), bool), (pairs.first, pairs.second)), shape=(n, n))
    component: npt.NDArray[Any] = connected_components(links, directed=False)[1]
    return component


def _alone(contacts: Pairs) -> Flags:
    """Return which parts touch one other only."""
    counted = Pairs.counted(contacts.first, contacts.second)
    alone: Flags = np.bincount(counted.first) == 1
    return alone


def _filled(classes: Integers, contacts: Pairs, kinds: int) -> Integers:
    votes = np.bincount(contacts.first * kinds + classes[contacts.second], weights=contacts.faces)
    holes = np.unique(contacts.first)
    filled = classes.copy()
    padded = np.zeros((int(holes.max(initial=-1)) + 1) * kinds)
    padded[: len(votes)] = votes
    filled[holes] = padded.reshape(-1, kinds)[holes].argmax(axis=1)
    return filled


def _first(merged: npt.NDArray[Any], classes: Integers) -> Integers:
    # All that was merged has one class.
    result = np.zeros(int(merged.max()) + 1, np.int64)
    result[merged] = classes
    return result


def _boxes(parts: Parts, number: Integers, count: int) -> tuple[Integers, Integers]:
    if not len(parts.low):
        return parts.low, parts.high
    mine = number >= 0
    low = np.full((count, parts.low.shape[1]), np.iinfo(np.int64).max)
    high = np.zeros((count, parts.low.shape[1]), np.int64)
    np.minimum.at(low, number[mine], parts.low[mine])
    np.maximum.at(high, number[mine], parts.high[mine])
    return low, high
