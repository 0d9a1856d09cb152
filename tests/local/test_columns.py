"""Columns and blocks are measured to the byte, whatever their types."""

from __future__ import annotations

import socket
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentstore.local.protocol import blocks, columns
from agentstore.local.protocol.blocks import (
    BLOCK_INFO,
    BlockShape,
    block_bounds,
    block_columns,
    header_block,
    measure_block,
    read_block,
    string_columns,
    with_types,
)
from agentstore.local.protocol.column_shapes import UnmeasurableTypeError
from agentstore.local.protocol.columns import column_of
from agentstore.local.protocol.compression import CompressionMethod, compress
from agentstore.local.protocol.type_names import TypeNameError, parse_type
from agentstore.local.protocol.wire import (
    NEED_MORE,
    ByteBuffer,
    PacketTooLargeError,
    ProtocolError,
    complete,
    text,
    varint,
)
from tests.local.conftest import PASSWORD, ServerThread
from tests.local.types import TYPES

LIMIT = 1 << 30

EXPRESSIONS = [
    "SELECT number, toString(number), toFixedString('abc', 7) FROM numbers(5)",
    "SELECT tuple() FROM numbers(3)",
    "SELECT [tuple()], [()] FROM numbers(2)",
    "SELECT []::Array(LowCardinality(String)) FROM numbers(2)",
    "SELECT if(number % 2, [toLowCardinality(toString(number))], []) FROM numbers(300)",
    "SELECT toLowCardinality(toString(number)), 'x' FROM numbers(70000)",
    "SELECT toLowCardinality(toNullable(toString(number % 3))) FROM numbers(10)",
    "SELECT CAST(NULL AS LowCardinality(Nullable(String)))",
    "SELECT NULL, [NULL], [], map(), tuple(NULL) FROM numbers(3)",
    "SELECT map('a', [1, 2], 'b', []), map(1, map('x', NULL)) FROM numbers(3)",
    "SELECT map(toLowCardinality('k'), toLowCardinality('v')) FROM numbers(3)",
    "SELECT (1, 'a', [2.5])::Tuple(a UInt8, b String, `c d` Array(Float64)) AS t FROM numbers(3)",
    "SELECT toUInt256(1), toInt128(-1), toBFloat16(1.5), true, toDecimal256(1, 3), 1::Decimal(5), 1::Decimal(19, 2)",
    "SELECT today(), toDate32('1950-01-01'), now(), now('Europe/Zurich'), now64(9, 'UTC'), 1::Time, toTime64(1, 3)",
    "SELECT 'b'::Enum8('a' = 1, 'b' = 2), 'x,)'::Enum16('x,)' = -5, 'q\\'\\\\' = 7)",
    "SELECT generateUUIDv4(), toIPv4('1.2.3.4'), toIPv6('::1'), INTERVAL 1 DAY, INTERVAL 3 QUARTER",
    "SELECT (1., 2.)::Point, [(1., 2.)]::Ring, [[(1., 2.)]]::Polygon, [[[(1., 2.)]]]::MultiPolygon",
    "SELECT [(1., 2.)]::LineString, [[(1., 2.)]]::MultiLineString",
    "SELECT CAST(1, 'SimpleAggregateFunction(sum, UInt64)')",
    "SELECT CAST([1], 'SimpleAggregateFunction(groupArrayArray, Array(UInt64))')",
    "SELECT [([1, 2], 'x')]::Nested(a Array(UInt8), b String) FROM numbers(2)",
    "SELECT multiIf(number % 3 = 0, number::Variant(UInt64, String, Array(Nullable(String))), "
    "number % 3 = 1, 'a'::Variant(UInt64, String, Array(Nullable(String))), NULL) FROM numbers(10)",
    "SELECT number::Dynamic, [number::Dynamic, 'x'::Dynamic, NULL, today()::Dynamic] FROM numbers(20)",
    "SELECT [toLowCardinality('x')::Dynamic, map('a', 1)::Dynamic] FROM numbers(3)",
    'SELECT \'{"a": 1, "b": {"c": "x", "d": [1, {"e": null}]}}\'::JSON, [\'{}\'::JSON] FROM numbers(3)',
    "SELECT concat('{\"p', toString(number), '\": [', toString(number), ']}')::JSON(max_dynamic_paths = 3) "
    "FROM numbers(50)",
    'SELECT \'{"a": 1, "b": {"c": "x"}, "z": "y"}\'::JSON(z LowCardinality(String), b.c Nullable(String), a UInt8, '
    "max_dynamic_types = 2, SKIP x.y, SKIP q, SKIP REGEXP '^a,\\\\)') FROM numbers(3)",
    "SELECT repeat('x', number * 1000) FROM numbers(100)",
    "SELECT '' FROM numbers(100000)",
]


def native(sql: str, output: str = "Native", *, insert: bytes = b"") -> bytes:
    """Blocks as the engine itself writes them, through a connection beside the running server's."""
    import chdb

    path = native.path  # type: ignore[attr-defined]
    connection = chdb.connect(path)
    try:
        if insert:
            with connection.send_insert(sql, "Native") as inserter:
                inserter.append(insert)
                inserter.finish()
            return b""
        data: bytes = connection.query(sql, output).bytes()
        return data
    finally:
        connection.close()


@pytest.fixture(scope="module", autouse=True)
def _engine(local: ServerThread) -> None:
    native.path = local.server._path  # type: ignore[attr-defined]


@pytest.mark.parametrize("sql", EXPRESSIONS)
def test_engine_block_is_measured_to_its_last_byte(sql: str) -> None:
    data = native(sql)
    bounds = block_bounds(data)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == len(data)
    assert all(before[1] == after[0] for before, after in pairwise(bounds))


@pytest.mark.parametrize("sql", [sql for sql in EXPRESSIONS if "70000" not in sql and "100000" not in sql])
def test_block_in_single_bytes_is_measured_the_same(sql: str) -> None:
    data = native(sql)[:3000]
    whole = ByteBuffer(native(sql))
    expected = complete(measure_block(whole, LIMIT))
    buffer = ByteBuffer()
    reader = measure_block(buffer, LIMIT)
    for byte in data[: whole.pos]:
        assert next(reader) is NEED_MORE
        buffer.feed(bytes((byte,)))
    if whole.pos <= len(data):
        with pytest.raises(StopIteration) as stop:
            next(reader)
        assert stop.value.value == expected


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(types=st.lists(TYPES, min_size=1, max_size=4), rows=st.integers(1, 40))
def test_random_types_are_measured_to_the_last_byte(types: list[tuple[str, Any]], rows: int) -> None:
    structure = ", ".join(f"c{i} {name}" for i, (name, _) in enumerate(types)).replace("\\", "\\\\").replace("'", "\\'")
    source = f"generateRandom('{structure}', 1, 20, 4)"
    data = native(f"SELECT * FROM {source} LIMIT {rows} SETTINGS allow_suspicious_low_cardinality_types = 1")
    assert sum(count for _, _, count in block_bounds(data)) == rows
    assert block_bounds(data)[-1][1] == len(data)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(types=st.lists(TYPES, min_size=1, max_size=4), rows=st.integers(1, 40), compressed=st.booleans())
def test_random_blocks_arrive_as_they_were_sent(
    local: ServerThread, types: list[tuple[str, Any]], rows: int, compressed: bool
) -> None:
    """What the server stored of a block is what the engine stores of the same block without it."""
    columns = ", ".join(f"c{i} {name}" for i, (name, _) in enumerate(types))
    allow = "SETTINGS allow_suspicious_low_cardinality_types = 1"
    quoted = columns.replace("\\", "\\\\").replace("'", "\\'")
    data = native(f"SELECT * FROM generateRandom('{quoted}', 2, 20, 4) LIMIT {rows} {allow}")
    for table in ("sent", "direct"):
        native(f"DROP TABLE IF EXISTS {table}")
        native(f"CREATE TABLE {table} ({columns}) ENGINE = Memory {allow}")
    native("INSERT INTO direct", insert=data)
    send(local.port, "INSERT INTO sent VALUES", data, compressed)
    assert native("SELECT * FROM sent", "TSVWithNamesAndTypes") == native(
        "SELECT * FROM direct", "TSVWithNamesAndTypes"
    )
    assert native("SELECT count() FROM sent", "TSV") == f"{rows}\n".encode()


def send(port: int, sql: str, block: bytes, compressed: bool) -> None:
    """Insert one Native block by hand, in the oldest revision, which has the shortest packets."""

    def data(content: bytes) -> bytes:
        content = BLOCK_INFO + content
        return b"\x02\x00" + (compress(CompressionMethod.LZ4, content) if compressed else content)

    hello = b"\x00" + text("test") + bytes(2) + varint(54032) + text("") + text("default") + text(PASSWORD)
    query = b"\x01\x00\x00\x00\x02" + varint(compressed) + text(sql)
    end = data(b"\x00\x00")
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(hello + query + end + data(block) + end + b"\x63")
        answer = b""
        while received := client.recv(65536):
            answer += received
    # After the end of the insert only the complaint about the last byte, which closes the connection.
    assert answer.count(b"DB::Exception:") == 1, answer


@pytest.mark.parametrize("prefix", range(60))
def test_truncated_block_asks_for_more(prefix: int) -> None:
    data = native("SELECT [toLowCardinality(toString(number))], toString(number) FROM numbers(3)")
    assert prefix < len(data)
    with pytest.raises(ProtocolError, match="ends too early"):
        complete(measure_block(ByteBuffer(data[:prefix]), LIMIT))


def test_block_taken_away_in_pieces_is_complete() -> None:
    data = native("SELECT toString(number) AS s, [number] AS a FROM numbers(50000)")
    buffer = ByteBuffer()
    reader = measure_block(buffer, LIMIT)
    taken = b""
    for position in range(0, len(data), 1000):
        assert next(reader) is NEED_MORE
        taken += buffer.take()
        buffer.feed(data[position : position + 1000])
    assert complete(reader) == BlockShape(2, 50000)
    assert taken + buffer.take() == data


@pytest.mark.parametrize(
    "name",
    [
        "AggregateFunction(sum, UInt8)", "Object('json')", "QBit(Float32, 3)", "JSON(a AggregateFunction(sum, UInt8))",
        "Nullable(AggregateFunction(count))", "Foo", "", "Array(", "Array(String", "Array(String))", "Array()",
        "Map(String)" + ")", "FixedString", "FixedString(0)", "FixedString(99999999999)", "Decimal(0)",
        "Decimal(77, 1)",
        "Enum8('a' = 1" , "LowCardinality()", "String, String", "Nullable(String, String)", "(", "'x'", "\x00", "Ä",
    ],
)  # fmt: skip
def test_type_without_a_measure_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnmeasurableTypeError) as caught:
        column_of(name)
    assert name in str(caught.value)
    assert caught.value.code == 50


def test_deep_types_are_refused_without_overflowing() -> None:
    with pytest.raises(UnmeasurableTypeError):
        column_of("Array(" * 5000 + "String" + ")" * 5000)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Tuple(a UInt8, `b c` String)", ["a", "b c"]),
        ("Tuple(UInt8, String)", ["", ""]),
        ("Nested(x.y Array(String), z Enum8('a,)' = 1))", ["x.y", "z"]),
        ("Tuple(\"q\" DateTime64(3, 'Europe/Zurich'))", ["q"]),
    ],
)
def test_field_names_of_a_tuple(name: str, fields: list[str]) -> None:
    assert [inner.field for inner in parse_type(name).types()] == fields


def test_not_a_type_name() -> None:
    with pytest.raises(TypeNameError):
        parse_type("Array(String) x")


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (b"\xff\xff\xff\xff\x7f\x01", PacketTooLargeError),  # columns
        (b"\x01\xff\xff\xff\xff\xff\xff\x7f\x01a\x06UInt64", PacketTooLargeError),  # rows
        (b"\x01\x01\xff\xff\xff\xff\x7f", PacketTooLargeError),  # a name
        (b"\x01\x01\x01a\x06String\xff\xff\xff\xff\xff\x7f", PacketTooLargeError),  # a value
        (b"\x01\x01\x01a\x0dArray(UInt64)" + b"\xff" * 5 + b"\0\0\0", PacketTooLargeError),  # elements
        (b"\x01\x01\x01a\x0dArray(UInt64)" + b"\xff" * 8, ProtocolError),
        (b"\x01\x01\x01a\x16LowCardinality(String)" + b"\x09" + b"\0" * 7, ProtocolError),  # version
        (b"\x01\x01\x01a\x16LowCardinality(String)" + b"\x01" + b"\0" * 7 + b"\xff" * 8, ProtocolError),
        (b"\x01\x01\x01a\x16LowCardinality(String)\x01" + b"\0" * 8 + b"\x02" + b"\0" * 6 + b"\xff" * 8, ProtocolError),
        # As many as may be claimed, each of 16 MB: the strings behind them are further off than a search can begin.
        (
            b"\x01\x01\x01a" + text("Array(Tuple(FixedString(16000000), String))") + b"\xff" * 6 + b"\0\0",
            PacketTooLargeError,
        ),
        (b"\x01\x01\x01a\x06String" + b"\xff" * 12, ProtocolError),  # a length of more than 64 bits
        (b"\x01\x01\x01a\x04JSON" + b"\x09" + b"\0" * 7, UnmeasurableTypeError),  # version
        (b"\x01\x01\x01a\x04JSON" + b"\x02" + b"\0" * 7 + b"\xff\xff\xff\x7f", PacketTooLargeError),  # paths
        (b"\x01\x01\x01a\x07Dynamic" + b"\x09" + b"\0" * 7, UnmeasurableTypeError),  # version
        (b"\x01\x01\x01a\x07Dynamic" + b"\x02" + b"\0" * 7 + b"\xff\x7f", PacketTooLargeError),  # types
        (b"\x01\x01\x01a\x07Dynamic" + b"\x02" + b"\0" * 7 + b"\x01\x03Foo", UnmeasurableTypeError),
        (b"\x01\x01\x01a\x07Dynamic" + (b"\x02" + b"\0" * 7 + b"\x01\x07Dynamic" + b"\0" * 8) * 99, ProtocolError),
    ],
)
def test_hostile_sizes_are_refused_before_anything_is_allocated(block: bytes, error: type[Exception]) -> None:
    buffer = ByteBuffer(block)
    with pytest.raises(error):
        complete(measure_block(buffer, LIMIT))
    assert len(buffer.data) == len(block)


def test_rows_of_a_variant_are_counted_as_they_come() -> None:
    """A claim of 2^40 values must not make the buffer hold what comes until all of them are there."""
    buffer = ByteBuffer(b"\x01\x01\x01v\x16Array(Variant(String))" + bytes(8) + (1 << 40).to_bytes(8, "little"))
    reader = measure_block(buffer, LIMIT)
    with pytest.raises(PacketTooLargeError):  # noqa: PT012 (which piece is one too many does not matter)
        for _ in range(LIMIT // (1 << 20) + 1):
            assert next(reader) is NEED_MORE
            buffer.take()
            assert len(buffer.data) == 0
            buffer.feed(b"\xff" * (1 << 20))


def test_types_of_a_block_are_renamed_and_nothing_else() -> None:
    data = native("SELECT toString(number) AS s, now() AS t, 'DateTime' AS `DateTime`, now() AS u FROM numbers(3)")
    kinds = ["String", "DateTime('Asia/Tokyo')", "String", "DateTime"]
    renamed = with_types(data, kinds)
    assert [kind for _, kind in block_columns(renamed)] == kinds
    assert with_types(renamed, [kind for _, kind in block_columns(data)]) == data
    assert with_types(header_block([("t", "DateTime")]), kinds[1:2]) == header_block([("t", kinds[1])])


def test_unknown_block_info_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="unknown info field 3"):
        complete(read_block(ByteBuffer(b"\x03\x00"), LIMIT))


def test_header_block_has_names_and_types_and_no_rows() -> None:
    buffer = ByteBuffer(header_block([("a", "UInt8"), ("ß", "Array(String)")]))
    assert complete(measure_block(buffer, LIMIT)) == BlockShape(2, 0)
    assert buffer.unread == 0


def test_string_columns_reads_what_describe_answers() -> None:
    rows = string_columns(native("DESCRIBE TABLE (SELECT 1 AS a, 'x' AS b)"))
    assert [(row["name"], row["type"]) for row in rows] == [("a", "UInt8"), ("b", "String")]


def test_long_type_names_are_not_kept_and_very_long_ones_are_refused() -> None:
    before = columns._remembered.cache_info().currsize
    long_name = "Tuple(" + ",".join(["Int8"] * 2000) + ")"
    columns.column_of(long_name)
    assert columns._remembered.cache_info().currsize == before
    block = varint(1) + varint(0) + text("c") + varint(blocks.MAX_TYPE_NAME + 1)
    with pytest.raises(PacketTooLargeError):
        complete(blocks.measure_block(ByteBuffer(block), 1 << 30))
