"""Inserts, all or nothing; cancelled queries; clients that go away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asynch.errors import ServerException

from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol.blocks import EMPTY_BLOCK
from agentstore.local.protocol.wire import text, varint
from agentstore.local.server.server import LocalServer
from tests.local.talk import (
    DEADLINE,
    ENDLESS,
    HELLO,
    NO_TABLES,
    Raw,
    connected,
    execute,
    query_alone,
    query_packet,
    running,
    uint8_block,
    until,
    working,
)


def uint8_pair(*names: str) -> bytes:
    columns = b"".join(text(name) + text("UInt8") + b"\x07" for name in names)
    return b"\x02" + text("") + EMPTY_BLOCK[:-2] + varint(len(names)) + varint(1) + columns


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with running(tmp_path) as started:
        yield started


# Inserts.


async def test_inserts_in_every_form(server: LocalServer) -> None:
    async with connected(server) as client:
        await execute(client, "CREATE TABLE t (a UInt8, s String DEFAULT 'd', m UInt8 MATERIALIZED a + 1) ORDER BY a")
        await execute(client, "INSERT INTO t VALUES", [(1, "one")])
        await execute(client, "INSERT INTO `t` (s, `a`) FORMAT Native", [("two", 2)])
        await execute(client, "INSERT INTO default.t(a) VALUES ;", [(3,)])
        await execute(client, "INSERT INTO t (a) SETTINGS async_insert = 0 VALUES", [(4,)])
        await execute(client, "INSERT INTO t VALUES (5, 'five'), (6, 'six')")
        await execute(client, "INSERT INTO t (a) SELECT 7")
        await execute(client, 'INSERT INTO t FORMAT JSONEachRow {"a": 8}')
        await execute(client, "INSERT INTO TABLE t (* EXCEPT (s)) VALUES", [(9,)])
        await execute(client, "INSERT INTO t VALUES", [])
        rows = await execute(client, "SELECT a, s, m FROM t ORDER BY a")
    assert rows == [
        (1, "one", 2), (2, "two", 3), (3, "d", 4), (4, "d", 5), (5, "five", 6), (6, "six", 7), (7, "d", 8),
        (8, "d", 9), (9, "d", 10),
    ]  # fmt: skip


@pytest.mark.parametrize("sql", ["INSERT INTO t (zz) VALUES", "INSERT INTO t (m) VALUES", "INSERT INTO nosuch VALUES"])
async def test_an_insert_that_cannot_work_is_refused_before_any_block(server: LocalServer, sql: str) -> None:
    async with connected(server) as client:
        await execute(client, "CREATE TABLE t (a UInt8, m UInt8 MATERIALIZED a) ORDER BY a")
        with pytest.raises(ServerException):
            await execute(client, sql, [(1,)])
        assert await execute(client, "SELECT count() FROM t") == [(0,)]


async def test_a_nested_column_that_is_one_column_arrives(server: LocalServer) -> None:
    async with connected(server) as client:
        whole = {"flatten_nested": 0}
        await execute(client, "CREATE TABLE t (k UInt8, n Nested(a UInt8, b String)) ORDER BY k", settings=whole)
        await execute(client, "INSERT INTO t VALUES", [(1, [(2, "x"), (3, "y")])])
        await execute(client, "INSERT INTO t (n, k) VALUES", [([(4, "z")], 2)])
        assert await execute(client, "SELECT * FROM t ORDER BY k") == [(1, [(2, "x"), (3, "y")]), (2, [(4, "z")])]


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([uint8_block("a", b"\x01")], b"NUMBER_OF_COLUMNS_DOESNT_MATCH"),
        ([uint8_pair("a", "b"), uint8_block("a", b"\x01"), uint8_pair("a", "b")], b"NUMBER_OF_COLUMNS_DOESNT_MATCH"),
        ([uint8_pair("a", "c")], b"Unknown column with name c"),
    ],
)
async def test_columns_that_were_not_asked_for_are_refused(
    server: LocalServer, blocks: list[bytes], error: bytes
) -> None:
    """And no column that is missing gets a default in silence."""
    await query_alone(server, "CREATE TABLE t (a UInt8, b UInt8 DEFAULT 5) ORDER BY a")
    raw = await Raw.connect(server, HELLO, query_packet("INSERT INTO t VALUES"), NO_TABLES, *blocks, NO_TABLES)
    raw.writer.write(query_packet("SELECT 'still in step'") + NO_TABLES + b"\x63")
    answer = await raw.all()
    assert error in answer
    assert b"still in step" in answer
    assert await query_alone(server, "SELECT count() FROM t") == [(0,)]


async def test_blocks_can_be_read_by_a_select(server: LocalServer) -> None:
    async with connected(server) as client:
        await execute(client, "CREATE TABLE t (a UInt8, s String) ORDER BY a")
        await execute(client, "INSERT INTO t SELECT x + 1, upper(y) FROM input('x UInt64, y String')", [(1, "b")] * 2)
        await execute(
            client, "INSERT INTO t (a) SELECT a FROM input ('a Int8') WHERE a < 9 FORMAT Native", [(7,), (9,)]
        )
        for wrong in ("INSERT INTO t (a) SELECT throwIf(x) FROM input('x Int8')", "INSERT INTO no SELECT input.x FROM "
                      "input('x Int8') AS input", "INSERT INTO t SELECT x FROM input('x Foo')"):  # fmt: skip
            with pytest.raises(ServerException):
                await execute(client, wrong, [(1,)])
        await execute(client, "INSERT INTO t SELECT 5, 'no input (''here'')'")
        rows = await execute(client, "SELECT * FROM t ORDER BY a")
        assert rows == [(2, "B"), (2, "B"), (5, "no input ('here')"), (7, "")]
        assert await execute(client, "SELECT count() FROM system.tables WHERE is_temporary") == [(0,)]


async def test_a_type_that_cannot_be_measured_is_refused_by_name_and_in_step(server: LocalServer) -> None:
    async with connected(server) as client:
        await execute(client, "CREATE TABLE t (k UInt8, s AggregateFunction(sum, UInt64)) ORDER BY k")
        with pytest.raises(ServerException, match=r"Column s has type AggregateFunction\(sum, UInt64\)"):
            await execute(client, "INSERT INTO t VALUES", [(1, b"")])
        assert await execute(client, "SELECT 1") == [(1,)]
        await execute(client, "INSERT INTO t SELECT 1, sumState(toUInt64(2))")
        assert await execute(client, "SELECT sumMerge(s) FROM t") == [(2,)]


async def test_a_deduplication_token_makes_the_second_insert_nothing(server: LocalServer) -> None:
    async with connected(server) as client:
        await execute(
            client,
            "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100",
        )
        for token in ("x", "x", "y", "x"):
            await execute(client, "INSERT INTO t VALUES", [(1,)], settings={"insert_deduplication_token": token})
        assert await execute(client, "SELECT count() FROM t") == [(2,)]


@pytest.mark.parametrize(("kind", "value", "code"), [("String", b"\x0277", None), ("String", b"\x02zz", 6)])
async def test_a_column_of_another_type_is_converted_or_refused(
    server: LocalServer, kind: str, value: bytes, code: int | None
) -> None:
    await query_alone(server, "CREATE TABLE t (a UInt8) ORDER BY a")
    block = b"\x02" + text("") + EMPTY_BLOCK[:-2] + varint(1) + varint(1) + text("a") + text(kind) + value
    raw = await Raw.connect(server, HELLO, query_packet("INSERT INTO t VALUES"), NO_TABLES, block, NO_TABLES)
    raw.writer.write(query_packet("SELECT 'still in step'") + NO_TABLES)
    raw.writer.write(b"\x63")
    answer = await raw.all()
    assert b"still in step" in answer
    assert (b"\x02" + (code or 0).to_bytes(4, "little") in answer) is (code is not None)
    assert await query_alone(server, "SELECT * FROM t") == ([] if code else [(77,)])


@pytest.mark.parametrize("blocks", [1, 40])
@pytest.mark.parametrize("cut", ["between packets", "inside a block", "abort"])
async def test_an_insert_without_its_end_leaves_no_row(server: LocalServer, blocks: int, cut: str) -> None:
    await query_alone(server, "CREATE TABLE t (a UInt8) ORDER BY a SETTINGS parts_to_throw_insert = 100000")
    settings = text("min_insert_block_size_rows") + b"\x00" + text("1")
    packets = [query_packet("INSERT INTO t VALUES", settings=settings), NO_TABLES]
    packets += [uint8_block("a", b"\x01" * 100_000)] * blocks
    if cut == "inside a block":
        packets.append(uint8_block("a", b"\x01" * 1000)[:-500])
    raw = await Raw.connect(server, HELLO, *packets)
    await raw.writer.drain()
    if cut == "abort":
        raw.writer.transport.abort()
    await raw.close()
    await until(lambda: not server._connections)
    assert await query_alone(server, "SELECT count() FROM t") == [(0,)]


async def test_a_large_insert_goes_through_the_disk_and_arrives_whole(server: LocalServer, tmp_path: Path) -> None:
    async with connected(server) as client:
        await execute(client, "CREATE TABLE t (a UInt64, s String) ORDER BY a")
        await execute(client, "INSERT INTO t VALUES", [list(range(60_000)), ["x" * 1000] * 60_000], columnar=True)
        rows = await execute(client, "SELECT count(), sum(a), sum(length(s)) FROM t")
    assert rows == [(60_000, 60_000 * 59_999 // 2, 60_000_000)]
    # The engine's own folder of that name is all there is.
    assert [path.name for path in (tmp_path / "db").glob("tmp*")] == ["tmp"]


async def test_a_scalar_is_read_past_and_an_external_table_read_from(server: LocalServer) -> None:
    external = b"\x02" + text("ext") + EMPTY_BLOCK[:-2] + varint(1) + varint(1) + text("a") + text("UInt8") + b"\x01"
    scalar = b"\x07" + text("sc") + EMPTY_BLOCK[:-2] + varint(1) + varint(1) + text("a") + text("UInt8") + b"\x01"
    raw = await Raw.connect(
        server, HELLO, query_packet("SELECT * FROM ext"), scalar, external, NO_TABLES,
        query_packet("SELECT 'still in step'"), scalar, NO_TABLES, b"\x63",
    )  # fmt: skip
    answer = await raw.all()
    assert b"\x01a\x05UInt8\x01" in answer
    assert b"still in step" in answer


# Cancelling, and clients that go away.


async def test_cancel_ends_the_query_and_the_connection_goes_on(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS), NO_TABLES)
    connection = await working(server)
    raw.writer.write(b"\x03")
    await until(lambda: connection._idle)
    raw.writer.write(b"\x03" + query_packet("SELECT 'still in step'") + NO_TABLES + b"\x63")
    answer = await raw.all()
    assert b"QUERY_WAS_CANCELLED" not in answer
    assert b"still in step" in answer


async def test_a_cancel_that_comes_with_its_query_is_heard(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS), NO_TABLES, b"\x03")
    raw.writer.write(query_packet("SELECT 'still in step'") + NO_TABLES + b"\x63")
    assert b"still in step" in await raw.all()


async def test_a_cancel_that_comes_with_its_insert_is_heard(server: LocalServer) -> None:
    """It is there before the server says which columns it expects, so no block follows."""
    await query_alone(server, "CREATE TABLE t (a UInt8) ORDER BY a")
    raw = await Raw.connect(server, HELLO, query_packet("INSERT INTO t (a) VALUES"), NO_TABLES, b"\x03")
    raw.writer.write(query_packet("SELECT 'still in step'") + NO_TABLES + b"\x63")
    assert b"still in step" in await raw.all()
    assert await query_alone(server, "SELECT count() FROM t") == [(0,)]


async def test_cancel_in_the_middle_of_a_result(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO, query_packet("SELECT number FROM numbers(10000000000)"), NO_TABLES)
    await raw.reader.readexactly(1 << 20)
    raw.writer.write(b"\x03" + query_packet("SELECT 'still in step'") + NO_TABLES + b"\x63")
    async with asyncio.timeout(DEADLINE):
        tail = b""
        while piece := await raw.reader.read(1 << 20):
            tail = tail[-1000:] + piece
    await raw.close()
    assert b"still in step" in tail


@pytest.mark.parametrize(
    "sql", [ENDLESS, "SELECT sleepEachRow(1) FROM numbers(1000)", "SELECT number FROM numbers(1e12)"]
)
async def test_a_lost_client_ends_its_query_and_leaves_no_thread(server: LocalServer, sql: str) -> None:
    # By name: how many threads there are altogether says nothing while another connection's may still be ending.
    def threads() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name.startswith(("agentstore-conn", "agentstore-tot"))]

    settings = text("function_sleep_max_microseconds_per_block") + b"\x00" + text("0")
    raw = await Raw.connect(server, HELLO, query_packet(sql, settings=settings), NO_TABLES)
    try:
        connection = await working(server)
        assert any(name.startswith(f"agentstore-{connection._queries.tag}") for name in threads())
        raw.writer.transport.abort()
    finally:
        await raw.close()
    await until(lambda: not server._connections)
    await until(lambda: not threads())
    assert await query_alone(server, "SELECT count() FROM system.processes") == [(1,)]


@pytest.fixture
def refuses_one_kill(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """The first request to end a statement fails, once it may: it has begun, and it may fail."""
    begun, may_fail, kill = threading.Event(), threading.Event(), server._engine.kill

    def refusing_once(tag: str) -> None:
        if begun.is_set():
            kill(tag)
            return
        begun.set()
        assert may_fail.wait(DEADLINE)
        raise EngineError.make(241, "MEMORY_LIMIT_EXCEEDED", "in this test")

    monkeypatch.setattr(server._engine, "kill", refusing_once)
    return begun, may_fail


async def test_a_request_to_end_a_query_is_repeated_where_it_fails(
    server: LocalServer, refuses_one_kill: tuple[threading.Event, threading.Event]
) -> None:
    begun, may_fail = refuses_one_kill
    may_fail.set()
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS), NO_TABLES)
    await working(server)
    raw.writer.write(b"\x03" + query_packet("SELECT 'still in step'") + NO_TABLES + b"\x63")
    assert b"still in step" in await raw.all()
    assert begun.is_set()


async def test_a_session_is_closed_also_where_a_late_request_to_end_its_query_fails(
    server: LocalServer, refuses_one_kill: tuple[threading.Event, threading.Event]
) -> None:
    begun, may_fail = refuses_one_kill
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS, "mine"), NO_TABLES)
    connection = await working(server)
    work = connection._queries._work
    raw.writer.transport.abort()
    await raw.close()
    await until(begun.is_set)
    await query_alone(server, "KILL QUERY WHERE query_id = 'mine'")
    await until(work.done)
    may_fail.set()
    await until(lambda: not server._connections)
    assert connection._queries._session._connection is None


@pytest.mark.parametrize("last", [b"", b"\x03"], ids=["silent", "cancels"])
async def test_a_client_that_is_gone_before_its_query_begins_leaves_nothing(server: LocalServer, last: bytes) -> None:
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS), NO_TABLES, last)
    await until(lambda: bool(server._connections))
    await raw.close()
    await until(lambda: not server._connections)
    assert await query_alone(server, "SELECT count() FROM system.processes") == [(1,)]


async def test_a_query_can_be_killed_by_the_id_its_client_chose(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS, "my-'id'"), NO_TABLES, b"\x63")
    await working(server)
    assert len(await query_alone(server, "KILL QUERY WHERE query_id = 'my-\\'id\\''")) == 1
    assert b"QUERY_WAS_CANCELLED" in await raw.all()


async def test_a_query_id_in_use_is_refused(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS, "same"), NO_TABLES)
    await working(server)
    other = await Raw.connect(server, HELLO, query_packet("SELECT 1", "same"), NO_TABLES, b"\x63")
    assert b"already running" in await other.all()
    await raw.close()


async def test_what_the_engine_refuses_after_reading_it_is_refused(server: LocalServer) -> None:
    async with connected(server) as client:
        await execute(client, "CREATE TABLE t (a UInt8, CONSTRAINT small CHECK a < 10) ORDER BY a")
        await execute(client, "INSERT INTO t (a) VALUES", [(1,), (2,)])
        with pytest.raises(ServerException) as refused:
            await execute(client, "INSERT INTO t (a) VALUES", [(3,), (99,)])
        assert refused.value.code == 469  # VIOLATED_CONSTRAINT
    async with connected(server) as client:
        assert await execute(client, "SELECT a FROM t ORDER BY a") == [(1,), (2,)]
