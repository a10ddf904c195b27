from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core import UnreadableFileError
from napari_bioseg.io.lazy import GROWN_BYTES, PIECE_BYTES, MappedFile, grown_chunks, lazy, piece_chunks


def test_only_the_region_that_is_used_is_read() -> None:
    class Counting:
        shape, dtype = (6, 40, 50), np.dtype(">u2")
        read: list[object]

        def __init__(self) -> None:
            self.read = []

        def __getitem__(self, key: object) -> np.ndarray:
            self.read.append(key)
            return np.ones(self.shape, self.dtype)[key]  # type: ignore[index]

    source = Counting()
    array = lazy(source, Path("f"), (1, 40, 50))
    assert (array.shape, array.dtype) == ((6, 40, 50), np.dtype("=u2"))
    assert source.read == []
    part = array[3, 5:9].compute()
    assert (part.sum(), part.dtype) == (4 * 50, np.dtype("=u2"))
    assert len(source.read) == 1


def test_a_mapped_file_reads_a_region_in_the_files_byte_order(tmp_path: Path) -> None:
    values = np.arange(60, dtype=">i4").reshape(3, 4, 5)
    (tmp_path / "raw").write_bytes(b"header" + values.tobytes())
    mapped = MappedFile(tmp_path / "raw", 6, (3, 4, 5), values.dtype)
    np.testing.assert_array_equal(mapped[1:, 2, ::2], values[1:, 2, ::2])


def test_a_file_that_goes_between_opening_and_reading_is_our_error(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(bytes(100))
    array = lazy(MappedFile(path, 0, (10, 10), np.dtype("u1")), path, (10, 10))
    path.unlink()
    with pytest.raises(UnreadableFileError, match="raw: a part of it cannot be decoded"):
        array.compute()


@given(st.lists(st.integers(1, 5000), min_size=2, max_size=5).map(tuple), st.sampled_from([1, 2, 4, 8]))
def test_pieces_are_planes_or_rows_within_a_budget(shape: tuple[int, ...], itemsize: int) -> None:
    chunks = piece_chunks(shape, itemsize)
    assert chunks[:-2] == (1,) * (len(shape) - 2)
    assert chunks[-1] == shape[-1]
    assert 1 <= chunks[-2] <= shape[-2]
    assert prod(chunks) * itemsize <= max(PIECE_BYTES, shape[-1] * itemsize)


@given(st.tuples(*[st.integers(1, 3000)] * 3), st.tuples(*[st.integers(1, 600)] * 3))
def test_joined_tiles_keep_the_grid_of_the_file(shape: tuple[int, ...], tile: tuple[int, ...]) -> None:
    chunks = grown_chunks(tile, shape, 2, (1, 2))
    for chunk, own, n in zip(chunks, tile, shape, strict=True):
        assert chunk == n or chunk % own == 0
    assert prod(chunks) * 2 >= GROWN_BYTES or chunks[1:] == shape[1:]
    assert chunks[0] == min(tile[0], shape[0])
