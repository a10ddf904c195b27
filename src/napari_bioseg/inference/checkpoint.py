"""Tiles kept on disk as they are computed: whoever comes next goes on from there, also on another machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.arrays import create_array
from napari_bioseg.core.files import remove, whole_or_nothing, writing
from napari_bioseg.inference.plan import Plan

if TYPE_CHECKING:
    import zarr

_PLAN, _ARRAY, _TILES, _PROVENANCE = "plan.json", "probabilities.zarr", "tiles", "provenance.json"


class Checkpoint:
    """A folder that a prediction is computed in, by one process or by several at once that share a disk.

    A tile counts once a file of its number is there, which is made after its pixels are: a process killed at any moment
    leaves nothing that counts and is wrong. Tiles keep the edges that were chosen first, since results of
    other tiles may differ in the last bit.

    Parameters
    ----------
    folder : Path
        Made when the prediction is begun; of one image, one model and one set of options.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def begun(self) -> bool:
        """Whether tiles were chosen and the array is there."""
        return (self.folder / _PLAN).is_file()

    def begin(self, plan: Plan, channels: int) -> None:
        """Make the array of a plan with tiles; what is there of another one goes."""
        with writing(self.folder):
            remove(self.folder)
            (self.folder / _TILES).mkdir(parents=True)
            shape = (channels, *(span.length for span in plan.box))
            create_array(self.folder / _ARRAY, shape, (1, *plan.chunk_shape), "float16")
            self._write(_PLAN, {"edges": plan.edges, "chunks": plan.chunks})

    def tiled(self, plan: Plan) -> Plan:
        """Return a plan with the tiles that were chosen first."""
        values = json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))
        return replace(plan, edges=tuple(values["edges"]), chunks=tuple(values["chunks"]))

    def array(self) -> zarr.Array[Any]:
        """Return the probabilities, to read and to write."""
        import zarr

        array: zarr.Array[Any] = zarr.open_array(self.folder / _ARRAY, mode="r+")
        return array

    def seconds(self) -> dict[int, float]:
        """Return the tiles that are done, by their number, and how long the network took for each."""
        return {int(path.name): float(path.read_text(encoding="ascii")) for path in self._finished()}

    def done(self) -> frozenset[int]:
        """Return the numbers of the tiles that are done."""
        return frozenset(int(path.name) for path in self._finished())

    def mark(self, tile: int, seconds: float) -> None:
        """Say that a tile is done: its pixels are written."""
        with whole_or_nothing(self.folder / _TILES / str(tile)) as part:
            part.write_text(f"{seconds:.6f}", encoding="ascii")

    @property
    def provenance(self) -> dict[str, Any] | None:
        """What was said of the prediction when it was first complete."""
        path = self.folder / _PROVENANCE
        values: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        return values

    def complete(self, provenance: Mapping[str, Any]) -> None:
        """Keep what is said of a prediction whose tiles are all done."""
        self._write(_PROVENANCE, provenance)

    def _finished(self) -> list[Path]:
        # A temporary file of a killed process begins with a dot.
        return [path for path in (self.folder / _TILES).iterdir() if path.name.isdigit()]

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        with whole_or_nothing(self.folder / name) as part:
            part.write_text(json.dumps(values), encoding="utf-8")
