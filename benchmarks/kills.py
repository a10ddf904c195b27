"""Whether a batch that is killed again and again ends with the bytes of one that was left alone.

``python -m benchmarks.kills FOLDER_OF_DATA [--kills 10] [--seed 0] [--crop PIXELS] [--tile PIXELS]``

The batch is ``bioseg batch 'FOLDER/vessels/*/image.ome.tif' --model vessels-unet3d``: once to its end; then into
another folder, where the process and all that it has started get SIGKILL at random: once at least one more tile is
done, so that the kills spread over the whole batch, after between none and twice the mean time of a tile. The same
command follows each time, and at last to its end. Every file of the results is compared byte by byte: all but ``run/``,
``summary`` and ``report.html``, which tell times. With ``--crop`` the middle of each volume is taken: so many planes,
rows and columns at most; smaller tiles then make enough of them to be killed among.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_bioseg.core.files import file_sha256
from napari_bioseg.io import open_image, write_image_tiff

_PATTERN = "*/image.ome.tif"
_TIMES = ("run", "summary.csv", "summary.parquet", "report.html")
_GLANCE = 0.05  # seconds


def crop(images: Path, folder: Path, longest: int) -> Path:
    """Write the middle of each image, at most so many pixels along each axis; return the folder."""
    for path in sorted(images.glob(_PATTERN)):
        image, target = open_image(path), folder / path.parent.name / path.name
        middle = tuple(slice(max(0, (n - longest) // 2), max(0, (n - longest) // 2) + longest) for n in image.shape)
        target.parent.mkdir(parents=True)
        write_image_tiff(target, image.data[middle], image.axes, scale=image.scale, units=image.units, metadata={})
    return folder


def start(images: Path, out: Path, flags: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the batch, in a group of processes of its own."""
    command = ["batch", str(images / _PATTERN), "--model", "vessels-unet3d", "--out", str(out), *flags]
    program = "import sys; from napari_bioseg.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", program, *command], start_new_session=True)  # noqa: S603


def finish(images: Path, out: Path, flags: Sequence[str]) -> float:
    """Run the batch to its end and return how many seconds that took.

    Raises
    ------
    RuntimeError
        It did not end well.
    """
    began = time.monotonic()
    if start(images, out, flags).wait():
        raise RuntimeError(f"the batch into {out} failed")
    return time.monotonic() - began


def kill(images: Path, out: Path, flags: Sequence[str], seconds: float) -> str:
    """Start the batch, kill it so long after one more tile is done, and return what there was then.

    Raises
    ------
    RuntimeError
        It ended before it was killed.
    """
    done, process = tiles(out), start(images, out, flags)
    moment = float("inf")
    while process.poll() is None and time.monotonic() < moment:
        if moment == float("inf") and tiles(out) > done:
            moment = time.monotonic() + seconds
        time.sleep(_GLANCE)
    if process.poll() is not None:
        raise RuntimeError("the batch ended by itself: take more tiles, or fewer kills")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return state(out)


def tiles(out: Path) -> int:
    """Return how many tiles are done, of images that are finished and of others."""
    records = [json.loads(p.read_text(encoding="utf-8")) for p in out.glob("run/items/**/[!.]*.json")]
    return sum(record["tiles"] for record in records) + sum(1 for _ in out.glob("run/work/**/tiles/tiles/[!.]*"))


def state(out: Path) -> str:
    """Say how far a batch is."""
    done = sum(1 for _ in out.glob("run/items/**/[!.]*.json"))
    half = sum(".part." in p.name for p in out.rglob("*"))
    return f"{done} images and {tiles(out)} tiles done, {half} files or folders half written"


def contents(out: Path) -> dict[str, str]:
    """Return every file of the results with its sha256."""
    files = (p for p in sorted(out.rglob("*")) if p.is_file() and p.relative_to(out).parts[0] not in _TIMES)
    return {p.relative_to(out).as_posix(): file_sha256(p) for p in files}


def tell(line: str) -> None:
    """Print a line at once: the whole takes long."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run both batches and compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crop", type=int)
    parser.add_argument("--tile", type=int)
    given = parser.parse_args()
    flags = ["--tile", str(given.tile)] if given.tile else []
    with TemporaryDirectory() as scratch:
        images, whole, broken = given.data / "vessels", Path(scratch, "whole"), Path(scratch, "broken")
        if given.crop:
            images = crop(images, Path(scratch, "images"), given.crop)
        seconds = finish(images, whole, flags)
        tell(f"undisturbed: {seconds:.0f} s, {state(whole)}")
        dice = random.Random(given.seed)  # noqa: S311 - moments, not secrets
        for number in range(1, given.kills + 1):
            found = kill(images, broken, flags, dice.uniform(0, 2 * seconds / tiles(whole)))
            tell(f"kill {number}: {found}")
        tell(f"left alone: {finish(images, broken, flags):.0f} s, {state(broken)}")
        one, other = contents(whole), contents(broken)
        if one != other:
            names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
            sys.exit(f"{len(names)} of {len(one)} files differ: {', '.join(names[:5])}")
        tell(f"equal, byte by byte: {len(one)} files, after {given.kills} kills")


if __name__ == "__main__":
    main()
