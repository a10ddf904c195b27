from __future__ import annotations

import base64
import json
import re
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.records import (
    BoxEdit,
    Redo,
    Step,
    StepLine,
    Thresholds,
    Undo,
    UnknownRecordError,
    Verify,
    decode,
    decode_light,
    encode,
)
from napari_bioseg.corrections.sealing import DamagedLineError, seal

ONE = np.array(70_000, np.uint32)


def patch(seed, shape, *, full=False):
    rng = np.random.default_rng(seed)
    before = rng.integers(0, 2**32, shape, dtype=np.uint32)
    after = before + np.uint32(1)
    if not full:
        after = np.where(rng.random(shape) < 0.5, before, after)
    return Patch.between(rng.integers(0, 9, len(shape)), before, after)


def same(one, other):
    assert one.start == other.start
    for name in ("mask", "before", "after"):
        assert getattr(one, name).dtype == getattr(other, name).dtype
        assert np.array_equal(getattr(one, name), getattr(other, name))


@given(st.integers(0, 10**6), st.lists(st.integers(2, 9), min_size=1, max_size=4), st.booleans())
def test_a_step_comes_back_exactly(seed, shape, full):
    patches = tuple(p for i in range(3) if (p := patch(seed + i, tuple(shape), full=full)) is not None)
    step = Step(7, Change("paint", patches))
    back = decode(encode(step))
    assert (back.id, back.time, back.change.tool) == (7, step.time, "paint")
    assert len(back.change.patches) == len(patches)
    for one, other in zip(back.change.patches, patches, strict=True):
        same(one, other)


def test_the_line_is_as_documented():
    mask = np.array([[True, False], [True, True]])
    many = Patch((3, 0, 5), mask[None], ONE, np.array([1, 2, 2**32 - 1], np.uint32))
    full = Patch((0, 0, 0), np.ones((1, 2, 2), bool), ONE, ONE)
    line = encode(Step(2, Change("fill", (many, full)), "2026-01-02T03:04:05.678+00:00"))
    row = json.loads(line)
    assert list(row) == ["op", "id", "time", "tool", "patches", "crc"]
    first, second = row["patches"]
    assert (first["start"], first["shape"], first["before"]) == ([3, 0, 5], [1, 2, 2], 70_000)
    assert zlib.decompress(base64.b64decode(first["mask"])) == bytes([0b1011_0000])
    assert zlib.decompress(base64.b64decode(first["after"])) == np.array([1, 2, 2**32 - 1], "<u4").tobytes()
    assert second["mask"] is None
    without = json.dumps({key: value for key, value in row.items() if key != "crc"})
    assert row["crc"] == zlib.crc32(without.encode())


@pytest.mark.parametrize(
    "record",
    [
        Undo(3),
        Redo(4),
        Verify((slice(0, 1), slice(2, 9)), True),
        Verify((slice(0, 2),), False),
        BoxEdit((0, 7), ((-1, 0, 1 / 3, 1e-300, 5e300, 0.1 + 0.2),)),
        BoxEdit((), ()),
        Thresholds({"confidence": None, "iou": 1 / 3}, "eJw="),
    ],
)
def test_other_records_come_back(record):
    assert decode(encode(record)) == decode_light(encode(record)) == record


def test_times_are_utc_to_the_millisecond():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", Undo(1).time)


def test_a_box_to_verify_says_both_ends():
    for side in (slice(None, 3), slice(2, None), slice(-1, 3)):
        with pytest.raises(ValueError, match="no box"):
            Verify((side,), True)


def test_a_light_step_has_no_pixels():
    step = Step(1, Change("paint", (patch(0, (5, 6)),)))
    assert decode_light(encode(step)) == StepLine(1, "paint", step.time)


GOOD = {"start": [0, 0], "shape": [2, 2], "mask": None, "before": 0, "after": 70_000}


def packed(raw):
    return base64.b64encode(zlib.compress(raw)).decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": [2]},
        {"shape": [2, 0]},
        {"shape": [2, -1]},
        {"shape": [2, 2.0]},
        {"shape": [], "start": []},
        {"shape": "22"},
        {"shape": [2**70, 2], "mask": packed(b"\xff")},
        {"shape": [2**70, 2]},
        {"start": [-1, 0]},
        {"start": [True, 0]},
        {"start": None},
        {"mask": 5},
        {"mask": "not base64!"},
        {"mask": packed(b"\xf0") + "\n"},
        {"mask": base64.b64encode(b"no zlib").decode()},
        {"mask": packed(b"\xff\xff")},
        {"mask": packed(b"")},
        {"mask": packed(bytes(2**28))},  # a decompression bomb
        {"mask": base64.b64encode(zlib.compress(b"\xf0")[:-1]).decode()},
        {"mask": base64.b64encode(zlib.compress(b"\xf0") + b"more").decode()},
        {"after": -1},
        {"after": 2**32},
        {"after": True},
        {"after": 1.5},
        {"after": None},
        {"after": packed(bytes(4 * 3))},
        {"after": packed(bytes(2**28))},
    ],
)
def test_a_wrong_patch_is_a_damaged_line(wrong):
    line = seal({"op": "change", "id": 1, "time": "now", "tool": "paint", "patches": [GOOD, {**GOOD, **wrong}]})
    with pytest.raises(DamagedLineError):
        decode(line)


@pytest.mark.parametrize(
    "row",
    [
        {"op": "change", "id": 1, "time": "t", "tool": 5, "patches": []},
        {"op": "change", "id": "1", "time": "t", "tool": "paint", "patches": []},
        {"op": "undo", "time": "t"},
        {"op": "redo", "id": 1, "time": None},
        {"op": "verify", "time": "t", "box": [[1, 2]], "on": 1},
        {"op": "verify", "time": "t", "box": [[1]], "on": True},
        {"op": "boxes", "time": "t", "removed": [-1], "added": []},
        {"op": "boxes", "time": "t", "removed": [], "added": [[0, 0, 1, 1, 1]]},
        {"op": "boxes", "time": "t", "removed": [], "added": [[0.5, 0, 1, 1, 1, 1]]},
        {"op": "boxes", "time": "t", "removed": [], "added": [[0, 0, float("nan"), 1, 1, 1]]},
        {"op": "boxes", "time": "t", "removed": [], "added": [[0, 0, "1", 1, 1, 1]]},
        {"op": "thresholds", "time": "t", "values": {"iou": "x"}, "shown": ""},
        {"op": "thresholds", "time": "t", "values": 5, "shown": ""},
        {"op": "thresholds", "time": "t", "values": {}, "shown": None},
        {"op": 5},
    ],
)
def test_a_wrong_row_is_a_damaged_line(row):
    for read in (decode, decode_light):
        with pytest.raises(DamagedLineError):
            read(seal(row))


@pytest.mark.parametrize("patches", [{}, {"patches": None}, {"patches": ["x"]}])
def test_a_step_without_patches_is_a_damaged_line(patches):
    with pytest.raises(DamagedLineError):
        decode(seal({"op": "change", "id": 1, "time": "t", "tool": "paint", **patches}))


def test_a_step_beyond_the_labels_is_refused_before_its_pixels_are_read():
    line = seal({"op": "change", "id": 1, "time": "now", "tool": "paint", "patches": [GOOD]})
    assert decode(line, (2, 2)).id == 1
    for shape in ((2, 1), (1, 2), (2,), (2, 2, 2)):
        with pytest.raises(DamagedLineError):
            decode(line, shape)


@pytest.mark.parametrize("line", [b"", b"\n", b"[]\n", b"\0\0\0", b'{"op": "undo"}\n', b'{"crc": 5}\n', b", " * 9])
def test_no_seal_no_line(line):
    with pytest.raises(DamagedLineError):
        decode(line)


@pytest.mark.parametrize("inside", [b"[" * 100_000, b"5", b"\xff\xfe"])
def test_a_seal_does_not_make_it_json(inside):
    body = b'{"op": ' + inside
    line = b'%b, "crc": %d}\n' % (body, zlib.crc32(body + b"}"))
    with pytest.raises(DamagedLineError):
        decode(line)


def test_every_changed_byte_is_noticed():
    line = encode(Step(1, Change("paint", (patch(0, (5, 6)),))))
    for at in range(len(line)):
        damaged = bytearray(line)
        damaged[at] ^= 4
        with pytest.raises(DamagedLineError):
            decode(bytes(damaged))


def test_an_unknown_record_is_not_called_damaged():
    with pytest.raises(UnknownRecordError, match="'points'"):
        decode(seal({"op": "points", "removed": []}))
