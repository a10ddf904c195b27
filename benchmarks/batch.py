"""How much of a batch is the network, and what two workers of dask change.

``python -m benchmarks.batch FOLDER_OF_DATA [--repeats N]``

Two batches, with the defaults of the command: 24 single sections of 512 x 512 (``membranes/image.tif``), and one
vessel volume of 26 x 320 x 320 (``vessels/lower-res/image.ome.tif``). Each goes here, with all cores for the network,
and over a LocalCluster of two workers of one thread of dask each: sharing the cores as a batch has them do, then (on
Linux) each bound to one core. Each measurement is a process of its own, and the ways take turns. The clock is that of
the batch, from looking for images to the report, after a first batch of two images (or the one) has read the weights
and made the engine. What all ways wrote is compared, byte by byte.

"network" is the time in the network (from handing a tile to it to having its result, over all tiles; the look at drift
is not counted) over the wall time; for two workers, over twice the wall time. Other load on the machine slows all and
blurs what is between them: the load is printed beside the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tifffile

from napari_bioseg.core.files import tree_sha256
from napari_bioseg.workflows.batching import batch

WORKERS = 2
WAYS = ("here", "dask", "bound") if sys.platform == "linux" else ("here", "dask")


@dataclass(frozen=True)
class Case:
    """Images of one kind, and the model for them.

    Attributes
    ----------
    single : bool
        Whether each plane of the file becomes an image of its own.
    """

    model: str
    image: str
    axes: str
    single: bool

    def images(self, data: Path, folder: Path) -> list[Path]:
        """Return the files of the batch."""
        if not self.single:
            return [data / self.image]
        files = []
        for i, plane in enumerate(tifffile.imread(data / self.image)):
            files.append(folder / f"section-{i:02}.tif")
            tifffile.imwrite(files[-1], plane, photometric="minisblack")
        return files


CASES = (
    Case("membranes-unet2d", "membranes/image.tif", "YX", single=True),
    Case("vessels-unet3d", "vessels/lower-res/image.ome.tif", "ZYX", single=False),
)


def measure(way: str, model: str, axes: str, images: list[str]) -> dict[str, Any]:
    """Return figures of one batch, and what its stores hold, in this process."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        scheduler = None if way == "here" else _cluster(stack, bound=way == "bound")
        options: dict[str, Any] = {"model": model, "axes": axes, "scheduler": scheduler}
        batch(images[:WORKERS], scratch / "warm", **options)
        report = batch(images, scratch / "out", **options)
        if report.failed:
            raise RuntimeError(report.failed[0].why)
        return {
            "seconds": report.seconds,
            "network": sum(record.network_seconds for record in report.records),
            "pixels": sum(record.pixels for record in report.records),
            "stores": [tree_sha256(path) for path in sorted((scratch / "out").glob("*.ome.zarr"))],
        }


def _cluster(stack: ExitStack, *, bound: bool) -> str:
    from distributed import Client, LocalCluster

    options: dict[str, Any] = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": None}
    cluster = stack.enter_context(LocalCluster(host="127.0.0.1", **options))
    if bound:
        with Client(cluster) as client:
            for core, worker in enumerate(client.scheduler_info()["workers"]):
                client.run(_bind, core, workers=[worker])
    return str(cluster.scheduler_address)


def _bind(core: int) -> None:
    """Leave this process one core; threads to come take after those that are there."""
    if sys.platform == "linux":
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), {core})


def compare(case: Case, data: Path, repeats: int) -> list[str]:
    """Return lines that set the ways side by side.

    Raises
    ------
    RuntimeError
        They wrote different bytes.
    """
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    load = []
    with TemporaryDirectory() as folder:
        images = [str(path) for path in case.images(data, Path(folder))]  # the same: a store says what it came from
        for _ in range(repeats):
            for way in WAYS:
                load.append(os.getloadavg()[0])
                command = [sys.executable, "-m", "benchmarks.batch", "--one", way, case.model, case.axes, *images]
                told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603
                found[way].append(json.loads(told.splitlines()[-1]))
    if any(row["stores"] != found["here"][0]["stores"] for rows in found.values() for row in rows):
        raise RuntimeError(f"{case.image}: not all batches wrote the same bytes")
    here = statistics.median(row["seconds"] for row in found["here"])
    lines = [f"{case.image} (median of {repeats}, load {min(load):.1f} to {max(load):.1f} on {os.cpu_count()} cores)"]
    for way, rows in found.items():
        share = statistics.median(row["network"] / row["seconds"] for row in rows) / (1 if way == "here" else WORKERS)
        seconds = statistics.median(row["seconds"] for row in rows)
        rate = rows[0]["pixels"] / seconds / 1e3
        lines.append(
            f"  {way:5} {seconds:7.1f} s   time x {seconds / here:.2f}   network {share:.1%}   {rate:.0f} kpx/s"
        )
    return [*lines, "  equal, byte by byte"]


def main() -> None:
    """Run one measurement, or all."""
    if sys.argv[1:2] == ["--one"]:
        way, model, axes, *images = sys.argv[2:]
        sys.stdout.write(json.dumps(measure(way, model, axes, images)) + "\n")
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    for case in CASES:
        sys.stdout.write("\n".join(compare(case, given.data, given.repeats)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
