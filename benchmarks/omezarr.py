"""Writing OME-Zarr 0.5 beside ome-zarr-py and ngff-zarr: time, number of files, bytes on disk.

``python -m benchmarks.omezarr [REPEATS] [--peers PYTHON]``

All write the same image (64 x 512 x 512, uint16) and labels (uint32) from the same ``.npy`` files: the peers as they
come, and again with our chunks, shards and levels, and means for the image as we take them. Of labels we take the
commonest value, ngff-zarr too (by its faster method), ome-zarr-py the nearest, which is less work. Each measurement is
a process of its own, and the methods take turns. The clock runs from the open ``.npy`` files to the written store,
without imports; beside it are the seconds of CPU, which other load on the machine changes less. The full level of what
each wrote is read again and compared with the source.

The peers live in an environment of their own, as they would decide which zarr and dask we are tested with::

    uv venv --python 3.11 PEERS && uv pip install --python PEERS/bin/python ome-zarr ngff-zarr
    python -m benchmarks.omezarr 5 --peers PEERS/bin/python
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

# Nothing of napari_bioseg is imported up here: the python of the peers runs this file too.

SHAPE = (64, 512, 512)
SCALE = {"z": 2.0, "y": 0.5, "x": 0.5}  # micrometers
UNITS = dict.fromkeys("zyx", "micrometer")
OURS = "bioseg"
# What `bioseg` makes of this shape: see `io.omezarr_store.layout` and `io.pyramid.plan_levels`.
CHUNKS, SHARDS = (32, 128, 128), ((64, 512, 512), (64, 256, 256))
LAYOUT = " (our layout)"


def make_source(folder: Path) -> None:
    """Write cells of another brightness each, under a slow gradient and with the noise of a camera, and their labels.

    The image uses 12 of its 16 bits, as most cameras do.
    """
    rng = np.random.default_rng(0)
    grid = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij", sparse=True)
    cells = [(axis + rng.integers(0, 8)) // size for axis, size in zip(grid, (8, 32, 32), strict=True)]
    labels = (1 + cells[0] * 10_000 + cells[1] * 100 + cells[2]).astype(np.uint32)
    centre = [np.abs((axis % size) - size / 2) / size for axis, size in zip(grid, (8, 32, 32), strict=True)]
    labels[centre[0] ** 2 + centre[1] ** 2 + centre[2] ** 2 > 0.2] = 0
    level = rng.uniform(300, 3000, int(labels.max()) + 1)
    level[0] = 100
    light = 0.7 + 0.3 * grid[2] / SHAPE[2]
    np.save(folder / "labels.npy", labels)
    np.save(folder / "image.npy", rng.poisson(level[labels] * light).clip(0, 4095).astype(np.uint16))


def _bioseg(image: Any, labels: Any, store: Path) -> None:
    from napari_bioseg.core.image import image_from_array
    from napari_bioseg.io import LabelsToWrite, write_ome_zarr

    wrapped = image_from_array(image, "ZYX", pixel_size={a.upper(): s for a, s in SCALE.items()}, name="image")
    item = LabelsToWrite(labels, "ZYX", wrapped.scale, wrapped.units, wrapped.translate)
    write_ome_zarr(store, wrapped, {"labels": item}, provenance={})


def _ome_zarr_py(image: Any, labels: Any, store: Path, ours: bool = False) -> None:
    from ome_zarr.format import FormatV05
    from ome_zarr.scale import Methods
    from ome_zarr.writer import write_image, write_labels

    common: dict[str, Any] = {"fmt": FormatV05(), "axes": "zyx", "scale": SCALE, "axes_units": UNITS}
    mean = {}
    if ours:
        common |= {"scale_factors": [2], "storage_options": [{"chunks": CHUNKS, "shards": s} for s in SHARDS]}
        mean = {"method": Methods.LOCAL_MEAN}
    write_image(image, str(store), **common, **mean)
    # Its default of a scaler, which it calls deprecated, would win over the levels that are asked for.
    write_labels(labels, str(store), name="labels", **common, **({"scaler": None} if ours else {}))


def _ngff_zarr(image: Any, labels: Any, store: Path, ours: bool = False) -> None:
    import zarr
    from ngff_zarr import Methods, to_multiscales, to_ngff_image, to_ngff_zarr

    ways = (Methods.ITKWASM_BIN_SHRINK if ours else None, Methods.DASK_IMAGE_MODE)
    for array, path, way in ((image, store, ways[0]), (labels, store / "labels" / "labels", ways[1])):
        made = to_ngff_image(array, dims="zyx", scale=SCALE, axes_units=UNITS, name="image")
        options: dict[str, Any] = {"method": way} if way else {}
        if ours:
            options |= {"scale_factors": [{"z": 1, "y": 2, "x": 2}], "chunks": dict(zip("zyx", CHUNKS, strict=True))}
        per_shard = {a: s // c for a, s, c in zip("zyx", SHARDS[0], CHUNKS, strict=True)} if ours else None
        to_ngff_zarr(
            str(path),
            to_multiscales(made, **options),
            version="0.5",
            chunks_per_shard=per_shard,
            consolidate_metadata=False,  # it would not know the labels
        )
    # It has no call for a group of labels.
    zarr.open_group(store / "labels", mode="a").attrs["ome"] = {"version": "0.5", "labels": ["labels"]}


METHODS: dict[str, tuple[str, Callable[[Any, Any, Path], None]]] = {
    OURS: ("napari-bioseg", _bioseg),
    "ome-zarr-py": ("ome-zarr", _ome_zarr_py),
    "ome-zarr-py" + LAYOUT: ("ome-zarr", lambda image, labels, store: _ome_zarr_py(image, labels, store, ours=True)),
    "ngff-zarr": ("ngff-zarr", _ngff_zarr),
    "ngff-zarr" + LAYOUT: ("ngff-zarr", lambda image, labels, store: _ngff_zarr(image, labels, store, ours=True)),
}


def measure(method: str, source: Path, store: Path) -> dict[str, Any]:
    """Return seconds, of CPU too, and version of one method, in this process; or why there are none."""
    package, write = METHODS[method]
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return {"missing": f"{package} is not installed there"}
    image, labels = (np.load(source / f"{name}.npy", mmap_mode="r") for name in ("image", "labels"))
    small = (slice(None), slice(0, 64), slice(0, 64))
    write(np.asarray(image[small]), np.asarray(labels[small]), store.with_name(f"warm-{store.name}"))  # imports
    began, cpu = time.perf_counter(), time.process_time()
    write(image, labels, store)
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "version": version}


def check(source: Path, store: Path) -> dict[str, int]:
    """Return number of files, bytes and levels of a store that holds what it should.

    Raises
    ------
    RuntimeError
        The full level is not the source.
    """
    import zarr

    root: Any = zarr.open_group(store, mode="r", use_consolidated=False)
    levels = 0
    for name, group in (("image", root), ("labels", root["labels/labels"])):
        paths = [d["path"] for d in group.attrs["ome"]["multiscales"][0]["datasets"]]
        if not np.array_equal(group[paths[0]][...], np.load(source / f"{name}.npy", mmap_mode="r")):
            raise RuntimeError(f"{store} does not hold the {name}")
        levels = max(levels, len(paths))
    sizes = [file.stat().st_size for file in store.rglob("*") if file.is_file()]
    return {"files": len(sizes), "bytes": sum(sizes), "levels": levels}


def compare(repeats: int, peers: str) -> list[str]:
    """Return lines that set the methods side by side, as ratios to ours."""
    found: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
    with TemporaryDirectory() as scratch:
        source = Path(scratch)
        make_source(source)
        size = sum((source / f"{name}.npy").stat().st_size for name in ("image", "labels")) / 1e6
        for repeat in range(repeats):
            for method in METHODS:
                with TemporaryDirectory(dir=scratch) as stores:
                    store = Path(stores) / f"{repeat}.ome.zarr"
                    python = sys.executable if method == OURS else peers
                    command = [python, __file__, "--one", method, str(source), str(store)]
                    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603
                    row = json.loads(told.splitlines()[-1])
                    found[method].append(row if "missing" in row else row | check(source, store))
    return [f"{size:.0f} MB of image and labels, median of {repeats}", *_lines(found, size)]


def _lines(found: dict[str, list[dict[str, Any]]], size: float) -> list[str]:
    ours = _median(found[OURS])
    heads = ("MB/s", "ratio", "CPU s", "ratio", "files", "ratio", "MB", "ratio", "levels")
    lines = [" " * 26 + "".join(f"{head:>7}" for head in heads)]
    for method, rows in found.items():
        if "missing" in rows[0]:
            lines.append(f"{method:26} {rows[0]['missing']}")
            continue
        row = _median(rows)
        rate, cpu = ours["seconds"] / row["seconds"], row["cpu"] / ours["cpu"]
        files, space = row["files"] / ours["files"], row["bytes"] / ours["bytes"]
        figures = f"{size / row['seconds']:7.0f}{rate:7.2f}{row['cpu']:7.1f}{cpu:7.2f}{row['files']:7.0f}{files:7.1f}"
        figures += f"{row['bytes'] / 1e6:7.1f}{space:7.2f}{row['levels']:7.0f}"
        lines.append(f"{method:26}{figures}   {rows[0]['version']}")
    return lines


def _median(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rows) for key in ("seconds", "cpu", "files", "bytes", "levels")}


def main() -> None:
    """Run one measurement, or all."""
    if sys.argv[1:2] == ["--one"]:
        method, source, store = sys.argv[2:]
        sys.stdout.write(json.dumps(measure(method, Path(source), Path(store))) + "\n")
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repeats", nargs="?", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable, help="python of the environment with the peers")
    given = parser.parse_args()
    sys.stdout.write("\n".join(compare(given.repeats, given.peers)) + "\n")


if __name__ == "__main__":
    main()
