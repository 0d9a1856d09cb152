"""Which columns can be measured: from the name of a type to the shape it has in the Native format."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from agentstore.local.protocol.column_shapes import (
    Array,
    Column,
    Dynamic,
    Fixed,
    Json,
    LowCardinality,
    Nullable,
    Text,
    Tuple,
    UnmeasurableTypeError,
    Variant,
)
from agentstore.local.protocol.type_names import TypeName, TypeNameError, parse_type

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


# A longer name is looked through each time: thousands of different ones would stay in memory for good.
MAX_REMEMBERED = 1 << 12


def column_of(type_name: str) -> Column:
    """How to measure a column of this type. Raises UnmeasurableTypeError with the name of the type."""
    return _remembered(type_name) if len(type_name) <= MAX_REMEMBERED else _column_of(type_name)


def _column_of(type_name: str) -> Column:
    try:
        return _column(parse_type(type_name))
    except (UnmeasurableTypeError, TypeNameError) as error:
        raise UnmeasurableTypeError(type_name[:1000]) from error


_remembered = lru_cache(maxsize=4096)(_column_of)


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


def _json(parsed: TypeName) -> Column:
    return Json([_column(inner) for inner in sorted(parsed.types(), key=lambda inner: inner.field)], Dynamic(column_of))


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
    "Dynamic": lambda parsed: Dynamic(column_of),
    "JSON": _json,
}
