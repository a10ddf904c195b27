"""What a person changed, as an overlay that follows their hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.job import Job
from napari_bioseg.corrections.change import Change
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.placing import placement_like

if TYPE_CHECKING:
    from napari.layers import Labels

ADDED, REMOVED, RELABELLED = 1, 2, 3
# Okabe & Ito's green, vermilion and blue: told apart by the colour-blind as well.
COLORS: dict[int | None, str] = {ADDED: "#009e73", REMOVED: "#d55e00", RELABELLED: "#0072b2"}


class Changes:
    """Where labels differ from the prediction, and how.

    Parameters
    ----------
    correction : Correction
    job : Job
        Told each slice that was touched.

    Attributes
    ----------
    kinds : array
        Uint8, of the shape of the labels: 0, `ADDED`, `REMOVED` or `RELABELLED`.
    counts : ndarray
        How many pixels of each kind, ``(4,)``.
    """

    def __init__(self, correction: Correction, job: Job) -> None:
        from napari_bioseg.core.arrays import create_array

        self.correction = correction
        shape = correction.labels.shape
        small = isinstance(correction.labels, np.ndarray)
        chunks = (1,) * (len(shape) - 2) + tuple(min(n, 512) for n in shape[-2:])
        self.kinds: Any = np.zeros(shape, np.uint8) if small else create_array(None, shape, chunks, "uint8")
        self.counts = np.zeros(4, np.int64)
        planes = np.argwhere(correction.touched)
        job.stage("Comparing", len(planes))
        for plane in planes:
            here = (slice(int(p), int(p) + 1) for p in plane)
            self._compare((*here, slice(0, shape[-2]), slice(0, shape[-1])))
            job.step()

    def follow(self, change: Change) -> None:
        """Compare again where a step changed pixels."""
        for patch in change.patches:
            self._compare(patch.box)

    def describe(self) -> str:
        """Return the counts in words; a line does not break within one."""
        names = {ADDED: "added", REMOVED: "removed", RELABELLED: "relabelled"}
        counts = (
            f"<font color='{COLORS[kind]}'>■</font>\u00a0{self.counts[kind]:,}\u00a0{words}"
            for kind, words in names.items()
        )
        return " ".join(counts)

    def _compare(self, box: tuple[slice, ...]) -> None:
        before = np.asarray(self.kinds[box])
        now = kinds_of(np.asarray(self.correction.base[box]), np.asarray(self.correction.labels[box]))
        self.counts += np.bincount(now.ravel(), minlength=4) - np.bincount(before.ravel(), minlength=4)
        self.kinds[box] = now


def kinds_of(base: npt.NDArray[Any], now: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return per pixel whether a label was added, removed, or became another; 0 where nothing changed."""
    kinds = np.zeros(base.shape, np.uint8)
    kinds[(base == 0) & (now != 0)] = ADDED
    kinds[(base != 0) & (now == 0)] = REMOVED
    kinds[(base != 0) & (now != 0) & (base != now)] = RELABELLED
    return kinds


def show_changes(viewer: Any, changes: Changes) -> Labels:
    """Add the overlay, above the corrected layer, which stays active."""
    from napari.utils.colormaps import DirectLabelColormap

    layer = changes.correction.layer
    colors: dict[int | None, str] = {0: "transparent", **COLORS, None: "transparent"}
    made: Labels = viewer.add_labels(
        changes.kinds,
        name=f"{layer.name} · changes",
        colormap=DirectLabelColormap(color_dict=colors),
        opacity=0.8,
        metadata={KEY: {"overlay": True}},
        **placement_like(layer),
    )
    made.editable = False
    viewer.layers.selection.active = layer
    return made
