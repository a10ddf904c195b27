"""Whether a batch that is killed again and again ends with the bytes of one that was left alone.

``python -m benchmarks.kills FOLDER_OF_DATA [--kills 10] [--seed 0] [--crop PIXELS] [--tile PIXELS]``

The batch is ``bioseg batch 'FOLDER/vessels/*/image.ome.tif' --model vessels-unet3d``: once to its end; then into
another folder, where the process and all that it has started get SIGKILL at random moments of the time that the first
took, the same command following each time, and at last to its end. Every file of the results is compared byte by byte:
all but ``run/``, ``summary`` and ``report.html``, which tell times. With ``--crop`` the middle of each volume is taken:
so many planes, rows and columns at most.
"""

from __future__ import annotations

import argparse
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
_SHARE = 0.8  # of the time of an undisturbed batch that is spent up to the last kill; what is left ends alone


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


def kill_at_random(images: Path, out: Path, flags: Sequence[str], moments: Sequence[float]) -> list[str]:
    """Start the batch once for each of some moments and kill it then; return what there was each time.

    Raises
    ------
    RuntimeError
        It ended before it was killed.
    """
    told = []
    for seconds in moments:
        process = start(images, out, flags)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            told.append(f"killed after {seconds:5.1f} s: {state(out)}")
        else:
            raise RuntimeError(f"ended by itself within {seconds:.0f} s, after {len(told)} kills")
    return told


def state(out: Path) -> str:
    """Say how far a batch is."""
    run = out / "run"
    done, tiles = (
        sum(1 for p in run.glob(f"{where}") if p.is_file()) for where in ("items/**/*.json", "work/**/tiles/tiles/*")
    )
    half = sum(".part." in p.name for p in out.rglob("*"))
    return f"{done} images done, {tiles} tiles of others, {half} files half written"


def contents(out: Path) -> dict[str, str]:
    """Return every file of the results with its sha256."""
    files = (p for p in sorted(out.rglob("*")) if p.is_file() and p.relative_to(out).parts[0] not in _TIMES)
    return {p.relative_to(out).as_posix(): file_sha256(p) for p in files}


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
        sys.stdout.write(f"undisturbed: {seconds:.0f} s, {state(whole)}\n")
        dice = random.Random(given.seed)  # noqa: S311 - a test, not a secret
        moments = [dice.uniform(0, 2 * _SHARE * seconds / given.kills) for _ in range(given.kills)]
        sys.stdout.write("\n".join(kill_at_random(images, broken, flags, moments)) + "\n")
        sys.stdout.write(f"left alone: {finish(images, broken, flags):.0f} s, {state(broken)}\n")
        one, other = contents(whole), contents(broken)
        if one != other:
            names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
            sys.exit(f"{len(names)} of {len(one)} files differ: {', '.join(names[:5])}")
        sys.stdout.write(f"equal, byte by byte: {len(one)} files, after {given.kills} kills\n")


if __name__ == "__main__":
    main()
