"""A row of JSON as a line that shows whether it is whole.

A line ends with the CRC-32 of what is before it, so that one cut by a crash, or damaged later, is known as such.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

Row = dict[str, Any]
_CRC = b', "crc": '


class DamagedLineError(ValueError):
    """A line is not what was written."""


def seal(row: Row) -> bytes:
    """Return a row as a line that ends with its checksum: that of the line if it ended before it."""
    body = json.dumps(row).encode("ascii")
    return b"%b%b%d}\n" % (body[:-1], _CRC, zlib.crc32(body))


def unseal(line: bytes) -> Row:
    """Return the row of a line whose checksum is right.

    Raises
    ------
    DamagedLineError
    """
    body, found, tail = line.rpartition(_CRC)
    if not found or not line.endswith(b"}\n"):
        raise DamagedLineError("its end is missing")
    if tail != b"%d}\n" % zlib.crc32(b"}", zlib.crc32(body)):
        raise DamagedLineError("its checksum is wrong")
    return parse(line)


def parse(line: bytes) -> Row:
    """Return the JSON object of a line, whose checksum is not looked at.

    Raises
    ------
    DamagedLineError
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DamagedLineError("it is no JSON") from error
    if not isinstance(row, dict):
        raise DamagedLineError("it is no JSON object")
    return row
