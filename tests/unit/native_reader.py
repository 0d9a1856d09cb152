"""A reader of native blocks, written from the format's description and sharing nothing with the writer."""

from __future__ import annotations

import datetime as dt
import io
import struct
from typing import Any

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NUMBERS = {"UInt8": "B", "UInt32": "I", "UInt64": "Q", "Bool": "?"}


def read_block(data: bytes) -> dict[str, tuple[str, list[Any]]]:
    """Columns by name: type and values. Nothing may follow the block."""
    stream = io.BytesIO(data)
    assert stream.read(8) == b"\x01\x00\x02\xff\xff\xff\xff\x00"
    width, height = varint(stream), varint(stream)
    found = {}
    for _ in range(width):
        name, kind = text(stream), text(stream)
        found[name] = (kind, column(stream, kind, height))
    assert stream.read() == b""
    return found


def read_rows(data: bytes) -> list[dict[str, Any]]:
    """The block's rows."""
    columns = {name: values for name, (_, values) in read_block(data).items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def column(stream: io.BytesIO, kind: str, height: int) -> list[Any]:
    """The values of one column."""
    if kind.startswith("Nullable("):
        nulls = stream.read(height)
        assert set(nulls) <= {0, 1}
        values = column(stream, kind[len("Nullable(") : -1], height)
        return [None if null else value for null, value in zip(nulls, values, strict=True)]
    if kind == "String":
        return [text(stream) for _ in range(height)]
    if kind == "DateTime64(6, 'UTC')":
        return [EPOCH + dt.timedelta(microseconds=struct.unpack("<q", stream.read(8))[0]) for _ in range(height)]
    size = struct.calcsize(f"<{NUMBERS[kind]}")
    return [struct.unpack(f"<{NUMBERS[kind]}", stream.read(size))[0] for _ in range(height)]


def varint(stream: io.BytesIO) -> int:
    """An unsigned LEB128 number."""
    found = shift = 0
    while True:
        (byte,) = stream.read(1)
        found |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return found


def text(stream: io.BytesIO) -> str:
    """A length and so many bytes of UTF-8; others escaped."""
    size = varint(stream)
    data = stream.read(size)
    assert len(data) == size
    return data.decode("utf-8", errors="surrogateescape")
