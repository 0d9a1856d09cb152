"""Random ClickHouse types with values, for tests that send everything through."""

from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Typed = tuple[str, st.SearchStrategy[Any]]
"""A type's name and its values as drivers take and give them."""


def _ints(bits: int, signed: bool) -> st.SearchStrategy[int]:
    low = -(1 << bits - 1) if signed else 0
    return st.integers(low, (1 << bits - signed) - 1)


TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
DATETIMES = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2105, 12, 31), timezones=st.just(dt.UTC))

SCALARS: list[Typed] = [
    *((f"{'' if s else 'U'}Int{bits}", _ints(bits, s)) for bits in (8, 16, 32, 64, 128, 256) for s in (True, False)),
    ("Float32", st.floats(width=32, allow_nan=False)),
    ("Float64", st.floats(allow_nan=False)),
    ("Bool", st.booleans()),
    ("String", TEXT),
    ("FixedString(5)", st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=5, max_size=5)),
    ("Date", st.dates(dt.date(1970, 1, 1), dt.date(2149, 6, 6))),
    ("Date32", st.dates(dt.date(1900, 1, 1), dt.date(2299, 12, 31))),
    ("DateTime('UTC')", DATETIMES.map(lambda t: t.replace(microsecond=0))),
    ("DateTime64(6, 'UTC')", DATETIMES),
    ("DateTime64(3, 'UTC')", DATETIMES.map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))),
    ("Decimal(9, 2)", st.decimals(-9_999_999, 9_999_999, places=2)),
    ("Decimal(18, 4)", st.decimals(-99_999_999, 99_999_999, places=4)),
    ("Decimal(38, 5)", st.integers(-(10**20), 10**20).map(lambda n: Decimal(n).scaleb(-5))),
    ("Decimal(76, 6)", st.integers(-(10**25), 10**25).map(lambda n: Decimal(n).scaleb(-6))),
    (r"Enum8('a' = 1, 'b\'),(' = -2, '' = 3)", st.sampled_from(["a", "b'),(", ""])),
    ("Enum16('x' = 1000, 'y' = -1000)", st.sampled_from(["x", "y"])),
    ("UUID", st.uuids().map(lambda value: uuid.UUID(int=value.int))),
    ("IPv4", st.ip_addresses(v=4)),
    ("IPv6", st.ip_addresses(v=6).filter(lambda ip: isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None)),
]  # fmt: skip

KEYS = [typed for typed in SCALARS if typed[0] in ("String", "UInt8", "Int64", "UUID", "Date")]
DICTIONARIES = [
    typed for typed in SCALARS if typed[0] in ("String", "FixedString(5)", "UInt16", "Int64", "Date", "DateTime('UTC')")
]


def _array(inner: Typed) -> Typed:
    return f"Array({inner[0]})", st.lists(inner[1], max_size=4)


def _map(key: Typed, value: Typed) -> Typed:
    return f"Map({key[0]}, {value[0]})", st.dictionaries(key[1], value[1], max_size=4)


def _tuple(inner: list[Typed]) -> Typed:
    return f"Tuple({', '.join(name for name, _ in inner)})", st.tuples(*(values for _, values in inner))


def _nullable(inner: Typed) -> Typed:
    return f"Nullable({inner[0]})", st.none() | inner[1]


def _low_cardinality(inner: Typed) -> Typed:
    return f"LowCardinality({inner[0]})", inner[1]


LEAVES: st.SearchStrategy[Typed] = st.one_of(
    st.sampled_from(SCALARS),
    st.sampled_from(SCALARS).map(_nullable),
    st.sampled_from(DICTIONARIES).map(_low_cardinality),
    st.sampled_from([typed for typed in DICTIONARIES if typed[0] == "String"]).map(_nullable).map(_low_cardinality),
)

_grow: Callable[[st.SearchStrategy[Typed]], st.SearchStrategy[Typed]] = lambda inner: st.one_of(  # noqa: E731
    inner.map(_array),
    st.tuples(st.sampled_from(KEYS), inner).map(lambda pair: _map(*pair)),
    st.lists(inner, min_size=1, max_size=3).map(_tuple),
)
TYPES: st.SearchStrategy[Typed] = st.recursive(LEAVES, _grow, max_leaves=4)

# clickhouse-driver splits the arguments of a Map at every comma and those of a Tuple at a comma after any bracket, in
# quotes too, sends a dictionary for the values of an empty Map if they may be NULL (the format has none there), and
# cannot write a tuple without elements.
_SIMPLE = LEAVES.filter(lambda typed: "," not in typed[0] and not typed[0].startswith("LowCardinality(Nullable"))
_PARTS = LEAVES.filter(lambda typed: "),(" not in typed[0])
DRIVER_TYPES: st.SearchStrategy[Typed] = st.one_of(
    LEAVES,
    LEAVES.map(_array),
    LEAVES.map(_array).map(_array),
    st.tuples(st.sampled_from(KEYS), _SIMPLE).map(lambda pair: _map(*pair)),
    st.lists(st.one_of(_PARTS, _PARTS.map(_array)), min_size=1, max_size=3).map(_tuple),
)
