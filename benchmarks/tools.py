"""How long each correction tool takes: ``python -m benchmarks.tools``.

On a plane of 2048 x 2048 and a volume of 256 x 1024 x 1024 in zarr (1 GB): on an object of 24 pixels across, and in
the volume on a network that goes through all of it. What a tool reads and computes, and then the writing. The least of
three; of the network, and of what goes through the whole scope, one.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import zarr

from napari_bioseg.core.errors import EditError
from napari_bioseg.editing.scene import EditOptions, Scene
from napari_bioseg.editing.tools import TOOLS

CELL, RADIUS, NETWORK = 64, 12, 1_000_000
CHUNKS = {2: (512, 512), 3: (64, 128, 128)}
PLANE, VOLUME = (2048, 2048), (256, 1024, 1024)


def labels(shape: tuple[int, ...]) -> zarr.Array[Any]:
    """Return two balls that touch, with a hole, in each cell of a lattice, each label twice; in a volume, tubes too."""
    ndim = len(shape)
    array = zarr.create_array(store={}, shape=shape, chunks=CHUNKS[ndim], dtype="uint32")
    axes = np.ogrid[(slice(0, CELL),) * ndim]
    balls = [sum((a - c) ** 2 for a, c in zip(axes, (24,) * (ndim - 1) + (x,), strict=True)) for x in (24, 44)]
    cell = np.any([b < RADIUS**2 for b in balls], axis=0) & (balls[0] >= 4)
    tubes = sum(((a - 56) ** 2 for a in axes[1:]), np.zeros((1,) * ndim)) < 9
    cells = list(np.ndindex(*(n // CELL for n in shape)))
    for i, index in enumerate(cells):
        block = cell * np.uint32(1 + i % (len(cells) // 2))
        if ndim == 3:
            for axis in range(3):
                block[np.broadcast_to(np.moveaxis(tubes, 0, axis), block.shape)] = NETWORK
        array[tuple(slice(k * CELL, (k + 1) * CELL) for k in index)] = block
    return array


def point(shape: tuple[int, ...], x: int, step: int = 0) -> tuple[int, ...]:
    """Return a place in the middle cell, or in one some cells further along X."""
    corner = [n // CELL // 2 * CELL for n in shape]
    corner[-1] += step * CELL
    return (*(c + 24 for c in corner[:-1]), corner[-1] + x)


def clicks(name: str, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return where to click."""
    here, twin, next_one = point(shape, 16), point(shape, 44), point(shape, 16, 1)
    return {
        "merge": [here, next_one],
        "split": [here, twin],
        "connect": [twin, next_one],
        "copy_previous": [(here[0] + 6, *here[1:])],
    }.get(name, [here])


def timed(name: str, scene: Scene, points: list[tuple[int, ...]], repeats: int) -> str:
    """Return the times of finding out what changes, and of writing it."""
    found, wrote = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        try:
            change = TOOLS[name].run(scene, points)
        except EditError as error:
            return str(error)
        found.append(time.perf_counter() - began)
        if change is None:
            return f"{found[0] * 1e3:.0f}, nothing to change"
        began = time.perf_counter()
        change.apply(scene.labels)
        wrote.append(time.perf_counter() - began)
        change.revert(scene.labels)
    return f"{min(found) * 1e3:.0f} + {min(wrote) * 1e3:.0f}"


def row(name: str, array: zarr.Array[Any], repeats: int) -> str:
    """Time one tool on one object."""
    told: dict[str, Any] = {"label": NETWORK + 1, "options": EditOptions(min_size=10**4)}
    if name in ("interpolate", "copy_previous"):
        told["label"] = int(array[point(array.shape, 16)])
    points = clicks(name, array.shape)
    if name == "interpolate":
        return with_gap(array, lambda: timed(name, scene(array, **told), points, repeats))
    return timed(name, scene(array, **told), points, repeats)


def with_gap(array: zarr.Array[Any], run: Callable[[], str]) -> str:
    """Take the planes around the middle away while a tool runs."""
    z = point(array.shape, 16)[0]
    kept = array[z - 3 : z + 4]
    array[z - 3 : z + 4] = 0
    try:
        return run()
    finally:
        array[z - 3 : z + 4] = kept


def scene(array: zarr.Array[Any], **told: Any) -> Scene:
    """Return a scene of all of the labels."""
    return Scene(array, tuple(slice(0, n) for n in array.shape), (1.0,) * array.ndim, **told)


def main() -> None:
    """Print a table."""
    plane, volume = labels(PLANE), labels(VOLUME)
    network = (56, 56, 10)
    sys.stdout.write("| tool | plane, ms | volume, ms | network in the volume, ms |\n|---|---|---|---|\n")
    for name, tool in TOOLS.items():
        flat = "" if tool.volume else row(name, plane, 3)
        once = 1 if name in ("remove_small", "keep_largest") else 3
        deep = row(name, volume, once)
        through = ""
        if tool.clicks == 1 and name != "keep_largest":
            through = timed(name, scene(volume, label=NETWORK + 1), [network], 1)
        sys.stdout.write(f"| {tool.title} | {flat} | {deep} | {through} |\n")
        sys.stdout.flush()
    sys.stdout.write(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB\n")


if __name__ == "__main__":
    main()
