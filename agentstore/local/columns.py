"""How many bytes a column takes in the Native format: from its type, and from the data where that says more.

A `Column` moves a buffer's position over the column without looking at the values. Lengths, offsets and
dictionaries are read; everything of a fixed size is stepped over, also where it has not arrived yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from .type_names import TypeName, TypeNameError, parse_type
from .wire import NEED_MORE, ByteBuffer, ProtocolError, Reader, read_uint


class UnmeasurableTypeError(ProtocolError):
    """The type's end in the byte stream cannot be found, so a client cannot send it."""

    def __init__(self, type_name: str) -> None:
        super().__init__(f"columns of type {type_name} cannot be sent to this server", 50, "UNKNOWN_TYPE")


class Column:
    """One type. `prefix` is what precedes the whole column, `body` the rows."""

    def prefix(self, buffer: ByteBuffer) -> Reader[None]:
        yield from ()

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        raise NotImplementedError


class Fixed(Column):
    def __init__(self, size: int) -> None:
        self.size = size

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        buffer.pos += rows * self.size
        yield from ()


class Text(Column):
    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        while rows:
            rows = _skip_strings(buffer, rows)
            if rows:
                yield NEED_MORE


def _skip_strings(buffer: ByteBuffer, rows: int) -> int:
    """Step over up to `rows` strings; returns how many remain because their length has not arrived.

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

    def prefix(self, buffer: ByteBuffer) -> Reader[None]:
        yield from self.inner.prefix(buffer)

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        buffer.pos += rows
        yield from self.inner.body(buffer, rows)


class Array(Column):
    def __init__(self, inner: Column) -> None:
        self.inner = inner

    def prefix(self, buffer: ByteBuffer) -> Reader[None]:
        yield from self.inner.prefix(buffer)

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        if rows:
            buffer.pos += (rows - 1) * 8
            elements = yield from read_uint(buffer, 8)
            if elements >= 1 << 48:
                raise ProtocolError(f"an array column claims {elements} elements")
            yield from self.inner.body(buffer, elements)


class Tuple(Column):
    def __init__(self, inner: Sequence[Column]) -> None:
        self.inner = inner

    def prefix(self, buffer: ByteBuffer) -> Reader[None]:
        for column in self.inner:
            yield from column.prefix(buffer)

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        for column in self.inner:
            yield from column.body(buffer, rows)


class LowCardinality(Column):
    """A dictionary, then indexes of 1, 2, 4 or 8 bytes into it."""

    def __init__(self, keys: Column) -> None:
        self.keys = keys

    def prefix(self, buffer: ByteBuffer) -> Reader[None]:
        version = yield from read_uint(buffer, 8)
        if version != 1:
            raise ProtocolError(f"a LowCardinality column has the unknown version {version}")

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        remaining = rows
        while remaining > 0:
            flags = yield from read_uint(buffer, 8)
            if flags & 0xFF > 3 or flags & 0x100:
                raise ProtocolError(f"a LowCardinality column has the unknown form {flags:#x}")
            if flags & 0x200:
                keys = yield from read_uint(buffer, 8)
                yield from self.keys.body(buffer, keys)
            indexes = yield from read_uint(buffer, 8)
            if not 0 < indexes <= remaining:
                raise ProtocolError(f"a LowCardinality column claims {indexes} of {remaining} rows")
            buffer.pos += indexes << (flags & 0xFF)
            remaining -= indexes


class Variant(Column):
    """One byte per row says which member it is (255: none); each member follows with its rows."""

    def __init__(self, members: Sequence[Column]) -> None:
        self.members = members

    def prefix(self, buffer: ByteBuffer) -> Reader[None]:
        mode = yield from read_uint(buffer, 8)
        if mode != 0:
            raise ProtocolError(f"a Variant column has the unknown form {mode}")
        for member in self.members:
            yield from member.prefix(buffer)

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        while len(buffer.data) - buffer.pos < rows:
            yield NEED_MORE
        kinds = bytes(buffer.data[buffer.pos : buffer.pos + rows])
        buffer.pos += rows
        for index, member in enumerate(self.members):
            yield from member.body(buffer, kinds.count(index))


class JsonText(Column):
    """JSON values sent as strings (version 1), the form clients use to insert them."""

    def prefix(self, buffer: ByteBuffer) -> Reader[None]:
        version = yield from read_uint(buffer, 8)
        if version != 1:
            raise UnmeasurableTypeError(f"JSON (serialization version {version}; only 1, text, is read)")

    def body(self, buffer: ByteBuffer, rows: int) -> Reader[None]:
        yield from Text().body(buffer, rows)


_SIZES = {
    "Int8": 1, "Int16": 2, "Int32": 4, "Int64": 8, "Int128": 16, "Int256": 32,
    "UInt8": 1, "UInt16": 2, "UInt32": 4, "UInt64": 8, "UInt128": 16, "UInt256": 32,
    "Float32": 4, "Float64": 8, "BFloat16": 2, "Bool": 1, "Nothing": 1,
    "Date": 2, "Date32": 4, "DateTime": 4, "DateTime32": 4, "DateTime64": 8, "Time": 4, "Time64": 8,
    "Decimal32": 4, "Decimal64": 8, "Decimal128": 16, "Decimal256": 32, "Enum8": 1, "Enum16": 2,
    "UUID": 16, "IPv4": 4, "IPv6": 16,
}  # fmt: skip

_GEOMETRY = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}


@lru_cache(maxsize=4096)
def column_of(type_name: str) -> Column:
    """How to measure a column of this type. Raises UnmeasurableTypeError with the name of the type."""
    try:
        return _column(parse_type(type_name))
    except (UnmeasurableTypeError, TypeNameError) as error:
        raise UnmeasurableTypeError(type_name[:1000]) from error


def _column(parsed: TypeName) -> Column:
    name = parsed.name
    if name in _SIZES:
        return Fixed(_SIZES[name])
    if name.startswith("Interval"):
        return Fixed(8)
    if name in _GEOMETRY:
        return column_of(_GEOMETRY[name])
    build = _BUILDERS.get(name)
    if build is None:
        raise UnmeasurableTypeError(name)
    return build(parsed)


def _only(parsed: TypeName) -> TypeName:
    types = parsed.types()
    if len(types) != 1:
        raise TypeNameError(f"{parsed.name} takes one type")
    return types[0]


def _decimal(parsed: TypeName) -> Column:
    precision = parsed.number(0)
    if not 1 <= precision <= 76:
        raise TypeNameError(f"a Decimal of {precision} digits")
    return Fixed(4 if precision <= 9 else 8 if precision <= 18 else 16 if precision <= 38 else 32)


def _fixed_string(parsed: TypeName) -> Column:
    size = parsed.number(0)
    if not 1 <= size <= 0xFFFFFF:
        raise TypeNameError(f"a FixedString of {size} bytes")
    return Fixed(size)


def _tuple(parsed: TypeName) -> Column:
    # An empty tuple still writes one byte for each row.
    return Tuple([_column(inner) for inner in parsed.types()]) if parsed.arguments else Fixed(1)


def _low_cardinality(parsed: TypeName) -> Column:
    inner = _only(parsed)
    # The dictionary of a nullable column holds the bare values: key 0 stands for NULL.
    return LowCardinality(_column(_only(inner) if inner.name == "Nullable" else inner))


def _simple_aggregate(parsed: TypeName) -> Column:
    return _column(parsed.types()[-1])


_BUILDERS: dict[str, Callable[[TypeName], Column]] = {
    "String": lambda parsed: Text(),
    "FixedString": _fixed_string,
    "Decimal": _decimal,
    "Nullable": lambda parsed: Nullable(_column(_only(parsed))),
    "Array": lambda parsed: Array(_column(_only(parsed))),
    "Tuple": _tuple,
    "Map": lambda parsed: Array(Tuple([_column(inner) for inner in parsed.types()])),
    "Nested": lambda parsed: Array(Tuple([_column(inner) for inner in parsed.types()])),
    "LowCardinality": _low_cardinality,
    "SimpleAggregateFunction": _simple_aggregate,
    "Variant": lambda parsed: Variant([_column(inner) for inner in parsed.types()]),
    "JSON": lambda parsed: JsonText(),
}
