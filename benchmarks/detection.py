"""How well vesicles are found, beside a Laplacian of Gaussian and DBSCAN: ``python -m benchmarks.detection``.

Frames are simulated with seeds that the detector was not trained on; with the project's data folder also the public
single-molecule movies. Ours runs with its default thresholds; of each baseline the best parameters are taken, with
the truth of these very frames in hand. ``--figure FILE`` draws the recall of both members of a pair against their
distance; ``--card FOLDER`` writes the scores of LoG onto the card of the model.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import image_from_array
from napari_bioseg.io import open_image
from napari_bioseg.metrics.bootstrap import bootstrap_interval, frames_of, weighted_f1
from napari_bioseg.metrics.detection import (
    count_error,
    f1_at,
    f1_integral,
    match_centres,
    mean_average_precision,
    precision_recall,
)
from napari_bioseg.models.card import CARD_FILE, Score, read_card
from napari_bioseg.simulate.emccd import SCENES, Vesicles, emccd_frames
from napari_bioseg.workflows.detection import LEAST_CONFIDENCE, detect
from napari_bioseg.workflows.readme import readme

RADIUS = 2.0
"""Pixels within which a centre counts as found."""

FRAMES, EDGE, SEED = 40, 192, 900_000
LOG = "LoG, best"
_SIGMAS = (1.0, 1.4, 1.8, 2.4, 3.0)


def f1(found: Boxes, truth: Boxes) -> float:
    """Return F1 at `RADIUS`."""
    return f1_at(found, truth, RADIUS)


def ours(frames: np.ndarray) -> tuple[Boxes, Boxes]:
    """Return the boxes of any confidence, for the curve, and those at the default thresholds."""
    found = detect(image_from_array(frames, "TYX"), model="cdv-yolo")
    every = found.selector.boxes[found.selector.keep(LEAST_CONFIDENCE, found.options)]
    return every, found.boxes


def log_peaks(frames: np.ndarray, sigma: float) -> Boxes:
    """Return peaks of the scale-normalised Laplacian of Gaussian (Lindeberg 1998), their height as confidence."""
    parts = []
    for t, frame in enumerate(frames.astype(float)):
        response = -(sigma**2) * ndimage.gaussian_laplace(frame, sigma)
        peaks = peak_local_max(response, min_distance=1, threshold_rel=0.0, exclude_border=False)
        height = response[tuple(peaks.T)]
        kept = height > 0
        parts.append(Boxes.of(peaks[kept], np.full((int(kept.sum()), 2), 4 * sigma), frame=t, confidence=height[kept]))
    found = Boxes.joined(parts)
    return replace(found, confidence=found.confidence / max(found.confidence.max(initial=0), 1e-9))


def best_log(frames: np.ndarray, truth: Boxes) -> tuple[Boxes, Boxes]:
    """Return the peaks at the scale with the best mAP50, and those above the threshold with the best F1."""
    found = max((log_peaks(frames, s) for s in _SIGMAS), key=lambda b: precision_recall(b, truth).average_precision)
    cuts = np.quantile(found.confidence, np.linspace(0.3, 0.999, 60)) if len(found) else [0.0]
    return found, max((found[found.confidence >= cut] for cut in cuts), key=lambda b: f1(b, truth))


def dbscan_boxes(frames: np.ndarray, cut: float, eps: float, least: int) -> Boxes:
    """Return clusters of the pixels that stand above the background by `cut` of the brightest."""
    from sklearn.cluster import DBSCAN

    parts = []
    for t, frame in enumerate(frames.astype(float)):
        smooth = ndimage.gaussian_filter(frame, 1)
        flat = smooth - ndimage.gaussian_filter(frame, 12)
        pixels = np.argwhere(flat > cut * np.percentile(flat, 99.9))
        if not len(pixels):
            continue
        cluster = DBSCAN(eps=eps, min_samples=least).fit_predict(pixels)
        for c in range(cluster.max() + 1):
            mine = pixels[cluster == c]
            low, high = mine.min(axis=0), mine.max(axis=0)
            weight = flat[tuple(mine.T)]
            parts.append(Boxes.of([(low + high) / 2], [high - low + 1], frame=t, confidence=weight.max()))
    found = Boxes.joined(parts)
    return replace(found, confidence=found.confidence / max(found.confidence.max(initial=0), 1e-9))


def best_dbscan(frames: np.ndarray, truth: Boxes) -> tuple[Boxes, Boxes]:
    """Return the clusters at the parameters with the best F1."""
    tried = (
        dbscan_boxes(frames, cut, eps, least) for cut in (0.2, 0.3, 0.4, 0.5) for eps in (1.0, 1.5) for least in (3, 5)
    )
    found = max(tried, key=lambda b: f1(b, truth))
    return found, found


def scenes() -> Iterator[tuple[str, np.ndarray, Boxes, bool]]:
    """Yield name, frames, truth, and whether the truth has true sizes."""
    for name in SCENES:
        frames, truth = emccd_frames((FRAMES, EDGE, EDGE), 0.1, SEED, vesicles=SCENES[name])
        yield name, frames, truth, True
    folder = Path(os.environ.get("BIOSEG_DATA", "../shared/data")) / "spots"
    for name in ("storm_test", "storm_test_300x200"):
        if (folder / f"{name}.tif").is_file():
            frames = np.asarray(open_image(folder / f"{name}.tif", axes="TYX").data)
            points = np.genfromtxt(folder / f"{name}_gt.csv", delimiter=",", skip_header=1)  # frame, y, x, ...
            truth = Boxes.of(points[:, 1:3], np.full((len(points), 2), 5.0), frame=points[:, 0])
            yield name, frames, truth, False


@dataclass(frozen=True)
class Line:
    """Scores of one method on one scene; no average precision where the truth has no sizes."""

    scene: str
    frames: int
    particles: int
    method: str
    average: float | None
    averages: float | None
    f1: float
    interval: tuple[float, float]
    integral: float
    counts: float

    def __str__(self) -> str:
        average, averages = ("" if v is None else f"{v:.3f}" for v in (self.average, self.averages))
        return (
            f"| {self.scene} (n = {self.frames}, {self.particles} particles) | {self.method} | {average} | {averages} "
            f"| {self.f1:.3f} ({self.interval[0]:.3f}-{self.interval[1]:.3f}) | {self.integral:.3f} "
            f"| {self.counts:.3f} |"
        )


def lines() -> Iterator[Line]:
    """Yield the scores of each method on each scene."""
    for name, frames, truth, sized in scenes():
        methods = {"ours": ours(frames), LOG: best_log(frames, truth), "DBSCAN, best": best_dbscan(frames, truth)}
        for method, (every, kept) in methods.items():
            drawn = len(frames_of(kept, truth))
            yield Line(
                name, len(frames), len(truth), method,
                precision_recall(every, truth).average_precision if sized else None,
                mean_average_precision(every, truth) if sized else None,
                f1(kept, truth),
                bootstrap_interval(weighted_f1(kept, truth, RADIUS), drawn, repeats=100),
                f1_integral(kept, truth), count_error(kept, truth),
            )  # fmt: skip


def put_on_card(folder: Path, found: Sequence[Line]) -> None:
    """Write the scores of the best LoG beside those of the model, on its card and in its README."""
    card = read_card(folder)
    log = {line.scene: line for line in found if line.method == LOG and line.average is not None}
    figures = {"map50": "average", "map": "averages", "f1": "f1"}

    def baseline(score: Score) -> float | None:
        of = [line for scene, line in log.items() if f"({scene})" in score.on] or [*log.values()]
        return float(np.mean([getattr(line, figures[score.metric]) for line in of]))

    scores = tuple(s.model_copy(update={"baseline": baseline(s)}) for s in card.scores)
    card = card.model_copy(update={"scores": scores})
    (folder / CARD_FILE).write_text(card.to_yaml(), encoding="utf-8")
    (folder / "README.md").write_text(readme(card), encoding="utf-8")


def pair_recall(find: Callable[[np.ndarray, Boxes], Boxes], distance: float) -> float:
    """Return the share of pairs of which both are found, at a distance in standard deviations of their image."""
    vesicles = Vesicles(
        density=0, clusters=0, pairs=0.6, pair_distance=(distance, distance), photons=(400.0, 0.2), defocus=0.0
    )
    frames, truth = emccd_frames((12, EDGE, EDGE), 0.1, SEED + 1, vesicles=vesicles)
    matched = set(match_centres(find(frames, truth), truth, RADIUS).truth.tolist())
    apart = np.linalg.norm(truth.centre[:, None] - truth.centre, axis=2)
    apart[truth.frame[:, None] != truth.frame] = np.inf
    np.fill_diagonal(apart, np.inf)
    other = apart.argmin(axis=1)
    pairs = {(min(i, j), max(i, j)) for i, j in enumerate(other.tolist()) if other[j] == i}
    return float(np.mean([i in matched and j in matched for i, j in pairs]))


def draw_pairs(path: Path) -> None:
    """Draw the recall of both members of a pair against their distance."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    finders = {
        "cdv-yolo, default thresholds": lambda frames, _truth: ours(frames)[1],
        "LoG, best scale and threshold": lambda frames, truth: best_log(frames, truth)[1],
        "DBSCAN, best parameters": lambda frames, truth: best_dbscan(frames, truth)[1],
    }
    distances = np.arange(1.0, 6.01, 0.5)
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for (name, find), style in zip(finders.items(), ("-o", "--s", ":^"), strict=True):
        axes.plot(distances, [pair_recall(find, d) for d in distances], style, label=name)
    axes.set(xlabel="distance of a pair / σ of one image", ylabel="both found (share of pairs)", ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print the table, or draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--card", type=Path, help="model folder, whose card is told the scores of LoG")
    chosen = parser.parse_args()
    if chosen.figure:
        draw_pairs(chosen.figure)
        return
    sys.stdout.write(f"F1 within {RADIUS:g} px; mAP by COCO; in brackets 95 % by bootstrap over frames\n")
    sys.stdout.write("| frames | method | mAP50 | mAP50-95 | F1 | mean F1, 0-3 px | count error |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    found = []
    for line in lines():
        found.append(line)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    if chosen.card:
        put_on_card(chosen.card, found)


if __name__ == "__main__":
    main()
