"""Where a column ends in the Native format: from its type, and from the data where that says more.

A ``Column`` moves a buffer's position over the column without looking at the values. Lengths, offsets and
dictionaries are read; everything of a fixed size is stepped over, also where it has not arrived yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from agentstore.local.protocol.wire import (
    NEED_MORE,
    PROGRESS,
    ByteBuffer,
    PacketTooLargeError,
    ProtocolError,
    Reader,
    read_text,
    read_uint,
    read_varint,
)


class UnmeasurableTypeError(ProtocolError):
    """The type's end in the byte stream cannot be found, so a client cannot send it."""

    def __init__(self, type_name: str) -> None:
        super().__init__(f"columns of type {type_name} cannot be sent to this server", 50, "UNKNOWN_TYPE")


MAX_DYNAMIC_DEPTH = 32
MAX_DYNAMIC_TYPES = 256
MAX_PATHS = 100_000
MAX_NAME = 1 << 20
# Elements that a column may claim: far more than fit into any block, so who claims them is told so at once.
MAX_ELEMENTS = 1 << 48
# Some milliseconds of work: a reader says then that it can go on, and whoever runs it may do something else first.
STRINGS_AT_ONCE = 1 << 13


class Column:
    """One type. ``prefix`` is what precedes the whole column, ``body`` the rows."""

    def prefix(self, buffer: ByteBuffer, depth: int) -> Reader[Column]:
        """Returns the column as this block has it: what a Dynamic or a JSON is made of is known only now.

        ``depth`` counts the types that were named by the data, each of which may name more.
        """
        yield from ()
        return self

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        raise NotImplementedError


_EMPTY_STRINGS = re.compile(rb"\0+")


class Fixed(Column):
    def __init__(self, size: int) -> None:
        self.size = size

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        buffer.pos += rows * self.size
        yield from ()


class Text(Column):
    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        while rows:
            rows -= _skip_empty_strings(buffer, rows)
            step = min(rows, STRINGS_AT_ONCE)
            missing = _skip_strings(buffer, step)
            rows -= step - missing
            if rows:
                yield NEED_MORE if missing else PROGRESS


def _skip_empty_strings(buffer: ByteBuffer, rows: int) -> int:
    """Step over the empty strings that come next; how many. Columns are empty for the most part, or all zeros as what
    is meant to inflate, and one by one each would cost as much as a long one."""
    # Only in what has arrived: wide values may have moved the position further than a search in bytes can count to.
    arrived = min(rows, buffer.unread)
    run = _EMPTY_STRINGS.match(buffer.data, buffer.pos, buffer.pos + arrived) if arrived else None
    if run is None:
        return 0
    buffer.pos = run.end()
    return run.end() - run.start()


def _skip_strings(buffer: ByteBuffer, rows: int) -> int:
    """Step over up to ``rows`` strings; returns how many remain because their length has not arrived.

    The one loop that runs per value, so it keeps to local names and has the lengths of one and two bytes unrolled.
    """
    data = buffer.data
    position = start = buffer.pos
    done = 0
    try:
        for done in range(rows):  # noqa: B007 (read after the loop)
            start = position
            size = data[position]
            if size < 0x80:
                position += size + 1
                continue
            high = data[position + 1]
            if high < 0x80:
                position += (size & 0x7F) + (high << 7) + 2
                continue
            position = _after_long_string(data, position)
    except IndexError:
        # Back to the string that is cut off: its length is read again when more has come.
        buffer.pos = start
        return rows - done
    buffer.pos = position
    return 0


def _after_long_string(data: bytearray, position: int) -> int:
    size = shift = 0
    while True:
        byte = data[position]
        position += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return position + size
        shift += 7
        if shift > 63:
            raise ProtocolError("the length of a string is longer than 64 bits")


class Nullable(Column):
    def __init__(self, inner: Column) -> None:
        self.inner = inner

    def prefix(self, buffer: ByteBuffer, depth: int) -> Reader[Column]:
        return Nullable((yield from self.inner.prefix(buffer, depth)))

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        buffer.pos += rows
        yield from self.inner.body(buffer, rows)


class Array(Column):
    def __init__(self, inner: Column) -> None:
        self.inner = inner

    def prefix(self, buffer: ByteBuffer, depth: int) -> Reader[Column]:
        return Array((yield from self.inner.prefix(buffer, depth)))

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        if rows:
            buffer.pos += (rows - 1) * 8
            yield from self.inner.body(buffer, (yield from _elements(buffer, "an array column")))


class Tuple(Column):
    def __init__(self, inner: Sequence[Column]) -> None:
        self.inner = inner

    def prefix(self, buffer: ByteBuffer, depth: int) -> Reader[Column]:
        return Tuple((yield from _prefixes(self.inner, buffer, depth)))

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        for column in self.inner:
            yield from column.body(buffer, rows)


class LowCardinality(Column):
    """A dictionary, then indexes of 1, 2, 4 or 8 bytes into it."""

    def __init__(self, keys: Column) -> None:
        self.keys = keys

    def prefix(self, buffer: ByteBuffer, depth: int) -> Reader[Column]:
        version = yield from read_uint(buffer, 8)
        if version != 1:
            raise ProtocolError(f"a LowCardinality column has the unknown version {version}")
        return self

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        remaining = rows
        while remaining > 0:
            flags = yield from read_uint(buffer, 8)
            if flags & 0xFF > 3 or flags & 0x100:
                raise ProtocolError(f"a LowCardinality column has the unknown form {flags:#x}")
            if flags & 0x200:
                yield from self.keys.body(buffer, (yield from _elements(buffer, "a LowCardinality column")))
            indexes = yield from read_uint(buffer, 8)
            # With 0 this loop would not get on, for as long as a client sends such pieces.
            if not 0 < indexes <= remaining:
                raise ProtocolError(f"a LowCardinality column claims {indexes} of {remaining} rows")
            buffer.pos += indexes << (flags & 0xFF)
            remaining -= indexes


class Variant(Column):
    """One byte per row says which member it is (255: none); each member follows with its rows."""

    def __init__(self, members: Sequence[Column]) -> None:
        self.members = members

    def prefix(self, buffer: ByteBuffer, depth: int) -> Reader[Column]:
        mode = yield from read_uint(buffer, 8)
        if mode != 0:
            raise ProtocolError(f"a Variant column has the unknown form {mode}")
        return Variant((yield from _prefixes(self.members, buffer, depth)))

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        counts = [0] * len(self.members)
        while rows:
            # Counted as they come: a claimed number of rows must not make the buffer wait for all of them.
            kinds = bytes(buffer.data[buffer.pos : buffer.pos + rows])
            for index in range(len(counts)):
                counts[index] += kinds.count(index)
            buffer.pos += len(kinds)
            rows -= len(kinds)
            if rows:
                yield NEED_MORE
        for member, count in zip(self.members, counts, strict=True):
            yield from member.body(buffer, count)


class Dynamic(Column):
    """A Variant whose members are named by the data; what fits none of them is text in one more."""

    def __init__(self, column_of: Callable[[str], Column]) -> None:
        self.column_of = column_of

    def prefix(self, buffer: ByteBuffer, depth: int) -> Reader[Column]:
        if depth > MAX_DYNAMIC_DEPTH:
            raise ProtocolError(f"values are nested more than {MAX_DYNAMIC_DEPTH} deep")
        version = yield from read_uint(buffer, 8)
        if version not in (1, 2):
            raise UnmeasurableTypeError(f"Dynamic (serialization version {version}; only 1 and 2 are read)")
        if version == 1:
            yield from read_varint(buffer)
        members: dict[str, Column] = {"SharedVariant": Text()}
        for name in (yield from _names(buffer, "types", MAX_DYNAMIC_TYPES)):
            members[name] = self.column_of(name)
        return (yield from Variant([members[name] for name in sorted(members)]).prefix(buffer, depth + 1))


class Json(Column):
    """Paths with a declared type, paths named by the data as Dynamic, and pairs of text for all other paths.

    Clients may also send each value as text.
    """

    def __init__(self, typed: Sequence[Column], dynamic: Dynamic) -> None:
        self.typed = typed
        self.dynamic = dynamic

    def prefix(self, buffer: ByteBuffer, depth: int) -> Reader[Column]:
        version = yield from read_uint(buffer, 8)
        if version == 1:
            return Text()
        if version not in (0, 2):
            raise UnmeasurableTypeError(f"JSON (serialization version {version}; only 0 to 2 are read)")
        if version == 0:
            yield from read_varint(buffer)
        paths = yield from _names(buffer, "paths", MAX_PATHS)
        columns = yield from _prefixes([*self.typed, *[self.dynamic] * len(paths)], buffer, depth)
        return Tuple([*columns, Array(Tuple([Text(), Text()]))])


def _elements(buffer: ByteBuffer, what: str) -> Reader[int]:
    count = yield from read_uint(buffer, 8)
    if count >= MAX_ELEMENTS:
        raise ProtocolError(f"{what} claims {count} elements")
    return count


def _prefixes(columns: Sequence[Column], buffer: ByteBuffer, depth: int) -> Reader[list[Column]]:
    found: list[Column] = []
    for column in columns:
        found += [(yield from column.prefix(buffer, depth))]
    return found


def _names(buffer: ByteBuffer, what: str, limit: int) -> Reader[list[str]]:
    count = yield from read_varint(buffer)
    if count > limit:
        raise PacketTooLargeError(f"the number of {what} in a column", count, limit)
    names: list[str] = []
    for _ in range(count):
        names += [(yield from read_text(buffer, MAX_NAME, "a name in a column"))]
    return names
