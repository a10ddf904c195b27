"""Pictures of what a model in training makes of two patches: image, truth and prediction in one. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion

from napari_bioseg.core.errors import UnreadableFileError

FILE = "preview.npz"
MOST = 2  # patches shown
# Okabe & Ito's colours, told apart by the colour-blind as well.
PREDICTED, TRUE = (86, 180, 233), (230, 159, 0)
_OPACITY, _DIM, _LINES = 0.45, 0.45, 128  # of the prediction; of what is not verified; sides a line is thick


@dataclass(frozen=True, eq=False)
class Preview:
    """What a run shows after an epoch.

    Attributes
    ----------
    epoch : int
    held_out : bool
        Whether they are of what is held out; else of what is learnt from.
    pictures : tuple of ndarray
        Up to `MOST`, each ``(Y, X, 3)`` uint8: the image in grey, the prediction as a blue tint, the outline of the
        truth in orange, and dimmed where nothing is verified.
    """

    epoch: int
    held_out: bool
    pictures: tuple[npt.NDArray[np.uint8], ...]


def read_preview(run: Path, threshold: float = 0.5) -> Preview | None:
    """Read ``preview.npz`` of a run.

    Parameters
    ----------
    run : Path
    threshold : float
        Probability from which a pixel is shown as predicted.

    Returns
    -------
    Preview or None
        None where the run has written none yet.

    Raises
    ------
    UnreadableFileError
        The file is damaged.
    """
    path = run / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            patches = zip(file["image"], file["target"], file["probability"], strict=True)
            pictures = tuple(picture(*patch, threshold) for patch, _ in zip(patches, range(MOST), strict=False))
            return Preview(int(file["epoch"]), bool(file["held_out"]), pictures)
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableFileError(str(path), "is damaged", "It is written again after the next epoch") from error


def picture(
    image: npt.NDArray[Any], target: npt.NDArray[Any], probability: npt.NDArray[Any], threshold: float = 0.5
) -> npt.NDArray[np.uint8]:
    """Draw one patch.

    Parameters
    ----------
    image, target, probability : ndarray
        ``(Y, X)``: grey values, classes (-1 unknown, 0 background), probability of the foreground.
    threshold : float

    Returns
    -------
    ndarray
        ``(Y, X, 3)`` uint8.
    """
    low, high = np.percentile(image, (1, 99))
    grey = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1) * 255
    drawn = np.repeat(grey[..., None], 3, axis=2)
    tinted = probability >= threshold
    drawn[tinted] = (1 - _OPACITY) * drawn[tinted] + _OPACITY * np.array(PREDICTED)
    drawn[target < 0] *= _DIM
    true = target > 0
    # Where the truth is not known, it has no outline; neither has the border of the patch.
    inside = binary_erosion(true | (target < 0), iterations=max(1, round(min(true.shape) / _LINES)), border_value=1)
    drawn[true & ~inside] = TRUE
    return drawn.astype(np.uint8)
