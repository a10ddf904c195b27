"""What one threshold for all vessel volumes can do: ``python -m benchmarks.vessel_levels``.

Grey values are brought to a range by each method of normalisation, and a volume is cut at the threshold that is best,
by mean Dice, for the five others; needs the project's data folder. What is gained by one method over another a network
need not learn.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.io import open_image
from napari_bioseg.metrics import cldice, oracle_threshold_dice
from napari_bioseg.models.normalise import Normalisation

VOLUMES = ("plaque", "bbb-disruption", "lower-res", "santos-mixed", "santos-low-contrast", "tg-mouse")
METHODS = {
    "percentile": Normalisation(method="percentile", scope="volume", low=1, high=99.7),
    "background": Normalisation(method="background", scope="volume", low=1, high=1),
}
THRESHOLDS = {"percentile": np.geomspace(0.01, 1, 500), "background": np.geomspace(0.5, 50, 500)}


def dices(scaled: npt.NDArray[Any], truth: npt.NDArray[np.bool_], thresholds: npt.NDArray[np.float64]) -> Any:
    """Return Dice of ``scaled >= threshold`` at each of the thresholds."""
    inside, total = (np.sort(v, axis=None) for v in (scaled[truth], scaled))
    above = [v.size - np.searchsorted(v, thresholds.astype(np.float32)) for v in (inside, total)]
    return 2 * above[0] / (above[1] + inside.size)


def main() -> None:
    """Print a line for each volume."""
    folder = Path(os.environ.get("BIOSEG_DATA", "../shared/data")) / "vessels"
    grey, truth = (
        [np.asarray(open_image(folder / name / f"{what}.ome.tif").data).squeeze() for name in VOLUMES]
        for what in ("image", "label")
    )
    truth = [one > 0 for one in truth]
    heads = " | ".join(f"{m}: its threshold | of the others | clDice" for m in METHODS)
    sys.stdout.write(f"| volume | oracle | {heads} |\n|---|---|{'---|' * 3 * len(METHODS)}\n")
    scaled = {m: [how.apply(one) for one in grey] for m, how in METHODS.items()}
    curves = {m: [dices(s, t, THRESHOLDS[m]) for s, t in zip(scaled[m], truth, strict=True)] for m in METHODS}
    found: list[list[float]] = []
    for i, name in enumerate(VOLUMES):
        cells = [oracle_threshold_dice(grey[i], truth[i])[0]]
        for m in METHODS:
            others = np.mean([c for j, c in enumerate(curves[m]) if j != i], axis=0)
            one = THRESHOLDS[m][others.argmax()]
            cut = cldice(scaled[m][i] >= np.float32(one), truth[i])
            cells += [THRESHOLDS[m][curves[m][i].argmax()], curves[m][i][others.argmax()], cut]
        found.append(cells)
        sys.stdout.write(f"| {name} | " + " | ".join(f"{c:.3f}" for c in cells) + " |\n")
    sys.stdout.write("| mean | " + " | ".join(f"{c:.3f}" for c in np.mean(found, axis=0)) + " |\n")


if __name__ == "__main__":
    main()
