"""Blocks: what a Data packet carries. An incoming block is measured, never parsed; an outgoing one passes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentstore.local.protocol.columns import column_of
from agentstore.local.protocol.wire import (
    NEED_MORE,
    PROGRESS,
    ByteBuffer,
    PacketTooLargeError,
    ProtocolError,
    Reader,
    T,
    complete,
    read_bytes,
    read_text,
    read_uint,
    read_varint,
    text,
    varint,
)

MAX_COLUMNS = 100_000
MAX_NAME = 1 << 20
# Looked through at once, while others wait.
MAX_TYPE_NAME = 1 << 18

# Not an overflow block, no bucket: what every block of a plain query says.
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
EMPTY_BLOCK = BLOCK_INFO + b"\x00\x00"


@dataclass(frozen=True, slots=True)
class BlockShape:
    """How many columns and rows a block has. No columns: the end of the data."""

    columns: int
    rows: int

    @property
    def is_end(self) -> bool:
        return self.columns == 0


class ColumnHeader(NamedTuple):
    """``at`` is where the type's name begins, counted as ``ByteBuffer.offset``."""

    name: str
    kind: str
    at: int


def read_block_info(buffer: ByteBuffer) -> Reader[None]:
    while number := (yield from read_varint(buffer)):
        if number == 1:
            yield from read_bytes(buffer, 1)
        elif number == 2:
            yield from read_bytes(buffer, 4)
        else:
            raise ProtocolError(f"a block has the unknown info field {number}", 49, "LOGICAL_ERROR")


def measure_block(buffer: ByteBuffer, limit: int, header: list[ColumnHeader] | None = None) -> Reader[BlockShape]:
    """Move over one block that begins (after its info) at the buffer's position, and wait until all of it is there.

    The bytes moved over are the block in the Native format; the caller may ``take()`` them at any time. Raises
    PacketTooLargeError as soon as a block is known to be over ``limit`` bytes, UnmeasurableTypeError for a type whose
    end cannot be found. What precedes the columns' data is added to ``header``.
    """
    start = buffer.offset
    columns = yield from read_varint(buffer)
    if columns > MAX_COLUMNS:
        raise PacketTooLargeError("the number of columns of a block", columns, MAX_COLUMNS)
    rows = yield from read_varint(buffer)
    if rows > limit:
        raise PacketTooLargeError("the number of rows of a block", rows, limit)
    for _ in range(columns):
        name = yield from read_text(buffer, MAX_NAME, "a column's name")
        at = buffer.offset
        kind = yield from read_text(buffer, MAX_TYPE_NAME, "a column's type")
        if header is not None:
            header.append(ColumnHeader(name, kind, at))
        column = column_of(kind)
        if len(kind) > MAX_NAME >> 8:
            yield PROGRESS
        # Without rows nothing follows a type's name, not even a prefix.
        if rows:
            column = yield from _within(column.prefix(buffer, 0), buffer, start, limit)
            yield from _within(column.body(buffer, rows), buffer, start, limit)
    # Columns of a fixed size are stepped over before they come; the block is there when the last byte is.
    while buffer.pos > len(buffer.data):
        yield NEED_MORE
    return BlockShape(columns, rows)


def read_block(buffer: ByteBuffer, limit: int, header: list[ColumnHeader] | None = None) -> Reader[BlockShape]:
    """The same with the block info before it, which is forgotten."""
    yield from read_block_info(buffer)
    buffer.drop()
    return (yield from measure_block(buffer, limit, header))


def _within(reader: Reader[T], buffer: ByteBuffer, start: int, limit: int) -> Reader[T]:
    while True:
        try:
            need = next(reader)
        except StopIteration as stop:
            _check_size(buffer.offset - start, limit)
            result: T = stop.value
            return result
        # At every step, by what the block claims: too large a one is refused before its bytes have come.
        _check_size(buffer.offset - start, limit)
        yield need


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise PacketTooLargeError("the size of a block", size, limit)


def header_block(columns: Sequence[tuple[str, str]]) -> bytes:
    """A block without rows: names and types of columns."""
    return varint(len(columns)) + b"\x00" + b"".join(text(name) + text(kind) for name, kind in columns)


def block_columns(data: bytes) -> list[tuple[str, str]]:
    """Names and types of the columns of the first Native block in ``data``. Raises UnmeasurableTypeError."""
    return [(column.name, column.kind) for column in _headers(data)]


def with_types(data: bytes, kinds: Sequence[str]) -> bytes:
    """The first Native block in ``data``, its columns' types named as in ``kinds``, which must mean the same bytes."""
    pieces: list[bytes] = []
    end = 0
    for column, kind in zip(_headers(data), kinds, strict=True):
        pieces += [data[end : column.at], text(kind)]
        end = column.at + len(text(column.kind))
    return b"".join([*pieces, data[end:]])


def _headers(data: bytes) -> list[ColumnHeader]:
    header: list[ColumnHeader] = []
    complete(measure_block(ByteBuffer(data), len(data), header))
    return header


def block_bounds(data: bytes) -> list[tuple[int, int, int]]:
    """Where each of the Native blocks in ``data`` begins and ends, and its rows."""
    buffer = ByteBuffer(data)
    bounds: list[tuple[int, int, int]] = []
    while buffer.unread:
        start = buffer.pos
        shape = complete(measure_block(buffer, len(data)))
        bounds.append((start, buffer.pos, shape.rows))
    return bounds


def string_columns(block: bytes) -> list[dict[str, str]]:
    """The rows of Native blocks in which every column is a String (the engine's DESCRIBE), by column name."""
    buffer = ByteBuffer(block)
    rows: list[dict[str, str]] = []
    while buffer.unread:
        rows += complete(_read_string_block(buffer))
    return rows


def string_block(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    """The opposite: a block of these columns, every one a String."""
    columns = [text(name) + text("String") + b"".join(text(row[name]) for row in rows) for name in names]
    return varint(len(names)) + varint(len(rows)) + b"".join(columns)


def _read_string_block(buffer: ByteBuffer) -> Reader[list[dict[str, str]]]:
    columns = yield from read_varint(buffer)
    count = yield from read_varint(buffer)
    rows: list[dict[str, str]] = [{} for _ in range(count)]
    for _ in range(columns):
        name = yield from read_text(buffer, MAX_NAME)
        kind = yield from read_text(buffer, MAX_NAME)
        for row in rows:
            if kind == "String":
                row[name] = yield from read_text(buffer, len(buffer.data))
            else:
                row[name] = str((yield from read_uint(buffer, _uint_size(kind))))
    return rows


def _uint_size(kind: str) -> int:
    sizes = {"UInt8": 1, "UInt32": 4, "UInt64": 8}
    if kind not in sizes:
        raise ProtocolError(f"a description has a column of type {kind}")
    return sizes[kind]
