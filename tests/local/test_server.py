"""The server's promises: who gets in, what a lost client leaves behind, what bad bytes do, and how it ends."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asynch.errors import ServerException
from asynch.proto.connection import Connection as Client

from agentstore.local import protocol
from agentstore.local.blocks import EMPTY_BLOCK, header_block
from agentstore.local.channel import WRITE_AHEAD
from agentstore.local.server import LocalServer
from agentstore.local.wire import text, varint

DEADLINE = 20.0
ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
HELLO = b"\x00" + text("test") + varint(1) + varint(1) + varint(54453) + text("") + text("default") + text("")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    running = LocalServer(tmp_path / "db", handshake_timeout_seconds=1.0, max_packet_bytes=1 << 26)
    await running.start()
    yield running
    await running.aclose(grace_seconds=0)


@asynccontextmanager
async def connected(server: LocalServer, **options: Any) -> AsyncIterator[Client]:
    client = Client(host="127.0.0.1", port=server.port, **options)
    await client.connect()
    try:
        yield client
    finally:
        await client.disconnect()


async def execute(client: Client, sql: str, *args: Any, **options: Any) -> Any:
    return await client.execute(sql, *args, **options)


async def query_alone(server: LocalServer, sql: str) -> Any:
    async with connected(server) as client:
        return await execute(client, sql)


class Raw:
    """A client that sends what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, server: LocalServer, *packets: bytes) -> Raw:
        raw = cls(*await asyncio.open_connection("127.0.0.1", server.port))
        raw.writer.write(b"".join(packets))
        return raw

    async def all(self) -> bytes:
        """Everything the server sends until it closes the connection."""
        async with asyncio.timeout(DEADLINE):
            data = await self.reader.read()
        await self.close()
        return data

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


def query_packet(sql: str, query_id: str = "", settings: bytes = b"") -> bytes:
    info = b"\x01" + text("") * 2 + text("0.0.0.0:0") + bytes(8) + b"\x01" + text("") * 3 + varint(1) * 3
    info += text("") + varint(0) + varint(0) + b"\x00" + varint(0) * 3
    return b"\x01" + text(query_id) + info + settings + text("") + text("") + varint(2) + varint(0) + text(sql)


NO_TABLES = b"\x02" + text("") + EMPTY_BLOCK


def uint8_block(name: str, values: bytes) -> bytes:
    body = varint(1) + varint(len(values)) + text(name) + text("UInt8") + values
    return b"\x02" + text("") + EMPTY_BLOCK[:-2] + body


# Who gets in.


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.org", ""])
def test_other_machines_need_a_password(host: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="password"):
        LocalServer(tmp_path, host=host)
    assert "secret" not in repr(LocalServer(tmp_path, host=host, password="secret"))


@pytest.mark.parametrize(("user", "password"), [("default", ""), ("nobody", ""), ("default", "wrong"), ("", "")])
async def test_wrong_credentials_get_one_exception_and_no_more(server: LocalServer, user: str, password: str) -> None:
    server._host = protected(server)
    hello = b"\x00" + text("test") + varint(1) + varint(1) + varint(54453) + text("") + text(user) + text(password)
    raw = await Raw.connect(server, hello, b"\x04", query_packet("SELECT 1"), NO_TABLES)
    answer = await raw.all()
    assert answer[:5] == b"\x02" + (516).to_bytes(4, "little")
    assert answer.endswith(b"\x00" + b"\x00")
    assert answer.count(b"AUTHENTICATION_FAILED") == 1
    assert b"secret" not in answer
    assert server.connection_count == 0


def protected(server: LocalServer) -> Any:
    from dataclasses import replace

    assert server._host is not None
    return replace(server._host, password="secret")


async def test_unknown_database_is_refused_at_the_handshake(server: LocalServer) -> None:
    with pytest.raises(ServerException) as caught:
        async with connected(server, database="nosuch"):
            raise AssertionError("connected")
    assert caught.value.code == 81


async def test_a_client_that_says_nothing_is_let_go(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO[:-3])
    assert await raw.all() == b""


async def test_http_is_told_so(server: LocalServer) -> None:
    raw = await Raw.connect(server, b"GET / HTTP/1.1\r\n\r\n")
    assert (await raw.all()).startswith(b"HTTP/1.0 400")


async def test_connection_count_and_idleness(server: LocalServer) -> None:
    loop = asyncio.get_running_loop()
    assert server.connection_count == 0
    assert server.idle_since is not None
    async with connected(server), connected(server):
        await until(lambda: server.connection_count == 2)
        assert server.idle_since is None
    await until(lambda: server.connection_count == 0)
    assert server.idle_since is not None
    assert server.idle_since <= loop.time()


# Results.


async def test_slow_reader_holds_the_result_back(server: LocalServer) -> None:
    sql = "SELECT number, repeat('x', 1000) FROM numbers(20000000)"
    before = rss_bytes()
    raw = await Raw.connect(server, HELLO, query_packet(sql), NO_TABLES)
    got = await raw.reader.readexactly(1 << 20)
    connection = next(iter(server._connections))
    channel = connection._channel
    await until(lambda: channel._write_paused)
    unsent = channel._transport.get_write_buffer_size()  # type: ignore[union-attr]
    await asyncio.sleep(0)
    assert len(got) == 1 << 20
    assert unsent < 200 * WRITE_AHEAD
    # The result is 20 GB; a buffer or two of blocks is held.
    assert rss_bytes() - before < 1 << 30
    assert await query_alone(server, "SELECT 1") == [(1,)]
    await raw.close()
    await until(lambda: not server._connections)


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_large_result_is_complete_and_in_order(server: LocalServer) -> None:
    async with connected(server) as client:
        (numbers,) = await execute(client, "SELECT number FROM numbers(1000000)", columnar=True)
    assert list(numbers) == list(range(1000000))


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("SELECT 1;", [(1,)]),
        ("-- c\n/* d */ SELECT 1 -- e\n;\n;", [(1,)]),
        ("SELECT ';' FORMAT JSON", [(";",)]),
        ("SELECT 1 INTO OUTFILE '/nonexistent/x' FORMAT CSV", [(1,)]),
        ("WITH 2 AS x SELECT x", [(2,)]),
        ("(SELECT 1) UNION ALL (SELECT 1)", [(1,), (1,)]),
        ("SELECT a, sum(b) FROM VALUES('a UInt8, b UInt8', (1, 2), (1, 3)) GROUP BY a WITH TOTALS", [(1, 5), (0, 5)]),
        ("EXISTS TABLE system.one", [(1,)]),
        ("SELECT 1 WHERE 0", []),
        ("SHOW TABLES", []),
        ("DESCRIBE (SELECT 1 AS a) FORMAT TSV", [("a", "UInt8", "", "", "", "", "")]),
        ("EXPLAIN AST SELECT 1", None),
        ("SYSTEM FLUSH LOGS", []),
        ("KILL QUERY WHERE query_id = 'none'", []),
        ("SELECT currentUser(), queryID() != ''", [("default", 1)]),
        ("SELECT name FROM system.databases WHERE name = 'default'", [("default",)]),
        ("SELECT 'ÿ\x00\U0001f600'", [("ÿ\x00\U0001f600",)]),
    ],
)
async def test_statements(server: LocalServer, sql: str, answer: list[Any] | None) -> None:
    async with connected(server) as client:
        got = await execute(client, sql)
        got = got[:1] if answer is None else got
        assert answer is None or got == answer
        assert await execute(client, "SELECT 1") == [(1,)]


async def test_totals_and_extremes(server: LocalServer) -> None:
    from clickhouse_driver import Client as Driver

    def ask() -> Any:
        client = Driver("127.0.0.1", port=server.port)
        sql = "SELECT number % 2 AS `a'b`, [toNullable(sum(number))] AS s FROM numbers(5) GROUP BY 1 WITH TOTALS ORDER BY 1"
        try:
            return client.execute(sql, settings={"extremes": 1}), client.execute("SELECT 1")
        finally:
            client.disconnect()

    rows, after = await asyncio.get_running_loop().run_in_executor(None, ask)
    assert rows == [(0, [6]), (1, [4]), (0, [10]), (0, [4]), (1, [6])]
    assert after == [(1,)]


async def test_a_result_of_types_without_a_measure_is_passed_on(server: LocalServer) -> None:
    sql = "SELECT sumState(number) AS s, '{\"a\": 1}'::JSON AS j FROM numbers(3)"
    raw = await Raw.connect(server, HELLO, query_packet(sql), NO_TABLES, b"\x63")
    answer = await raw.all()
    assert answer.count(text("s") + text("AggregateFunction(sum, UInt64)")) == 2  # the header, and the row
    assert answer.count(text("j") + text("JSON")) == 2


async def test_empty_results_have_columns(server: LocalServer) -> None:
    async with connected(server) as client:
        for sql, columns in [
            ("SELECT 1 AS a, 'x' AS b WHERE 0 -- c", [("a", "UInt8"), ("b", "String")]),
            ("SHOW TABLES", [("name", "String")]),
        ]:
            assert await execute(client, sql, with_column_types=True) == ([], columns)


@pytest.mark.parametrize(
    ("sql", "code", "part"),
    [
        ("SELECT nosuch", 47, "UNKNOWN_IDENTIFIER"),
        ("SELEC 1", 62, "SYNTAX_ERROR"),
        ("", 62, "Empty query"),
        (" ; -- c", 62, "Empty query"),
        ("1 + 1", 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 62, "Multi-statements"),
        ("CREATE DATABASE a; CREATE DATABASE b", 62, "Multi-statements"),
        ("SELECT * FROM nosuch", 60, "UNKNOWN_TABLE"),
        ("SELECT throwIf(number = 150000) FROM numbers(200000)", 395, "throwIf"),
        ("SELECT throwIf(1, unhex('FFFE'))", 395, "\\xff\\xfe"),
        ("INSERT INTO nosuch VALUES", 60, "UNKNOWN_TABLE"),
        ("SET nosuch = 1", 115, "UNKNOWN_SETTING"),
        ("USE nosuch", 81, "UNKNOWN_DATABASE"),
    ],
)
async def test_errors_have_the_engines_code_and_leave_the_connection_usable(
    server: LocalServer, sql: str, code: int, part: str
) -> None:
    async with connected(server) as client:
        with pytest.raises(ServerException) as caught:
            await execute(client, sql)
        assert caught.value.code == code
        assert part in str(caught.value)
        assert await execute(client, "SELECT 1") == [(1,)]


# The session.


async def test_session_state_lives_with_the_connection(server: LocalServer) -> None:
    async with connected(server) as one, connected(server) as other:
        await execute(one, "CREATE DATABASE `odd ``name`")
        await execute(one, "USE `odd ``name`")
        await execute(one, "CREATE TEMPORARY TABLE tmp (a UInt8)")
        await execute(one, "INSERT INTO tmp VALUES", [(1,), (2,)])
        await execute(one, "SET max_threads = 7")
        state = "SELECT currentDatabase(), getSetting('max_threads'), getSetting('max_block_size')"
        usual = (await execute(other, state))[0]
        for _ in range(2):
            assert await execute(one, state) == [("odd `name", 7, usual[2])]
            assert await execute(one, state, settings={"max_threads": 3, "max_block_size": 5}) == [("odd `name", 3, 5)]
        assert await execute(one, "SELECT sum(a) FROM tmp") == [(3,)]
        assert await execute(other, state) == [usual]
        with pytest.raises(ServerException):
            await execute(other, "SELECT * FROM tmp")
    async with connected(server, database="odd `name") as named:
        assert await execute(named, "SELECT currentDatabase()") == [("odd `name",)]


async def test_query_settings_never_outlive_their_query(server: LocalServer) -> None:
    show = "SELECT getSetting('max_query_size'), getSetting('max_result_rows'), getSetting('log_comment')"
    async with connected(server) as client:
        usual = await execute(client, show)
        narrow = {"max_query_size": 120, "max_result_rows": 5, "log_comment": "it's \\ odd"}
        assert await execute(client, show, settings=narrow) == [(120, 5, "it's \\ odd")]
        assert await execute(client, show) == usual
        for settings in ({"nosuch_setting": 1}, {"max_threads": "many"}, {"readonly": 1}, {"limit": 1}):
            try:
                await execute(client, "SELECT number FROM numbers(3)", settings=settings)
            except ServerException as error:
                assert error.code in (27, 72)
            assert await execute(client, show) == usual
        with pytest.raises(ServerException) as caught:
            await execute(client, "CREATE DATABASE x", settings={"readonly": 1})
        assert caught.value.code == 164
        await execute(client, "SET max_threads = 3", settings={"max_threads": 9})
        assert await execute(client, "SELECT getSetting('max_threads')") == [(3,)]


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


async def test_external_tables_are_refused_by_name(server: LocalServer) -> None:
    external = b"\x02" + text("ext") + EMPTY_BLOCK[:-2] + varint(1) + varint(1) + text("a") + text("UInt8") + b"\x01"
    scalar = b"\x07" + text("sc") + EMPTY_BLOCK[:-2] + varint(1) + varint(1) + text("a") + text("UInt8") + b"\x01"
    raw = await Raw.connect(
        server, HELLO, query_packet("SELECT * FROM ext"), scalar, external, NO_TABLES,
        query_packet("SELECT 'still in step'"), scalar, NO_TABLES, b"\x63",
    )  # fmt: skip
    answer = await raw.all()
    assert b"External tables are not supported: ext" in answer
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


async def working(server: LocalServer) -> Any:
    await until(lambda: any(c._queries._work is not None and not c._idle for c in server._connections))
    connection = next(iter(server._connections))
    await until(lambda: bool(server._engine.running(connection._queries.tag)))
    return connection


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


@pytest.mark.parametrize("sql", [ENDLESS, "SELECT sleepEachRow(1) FROM numbers(1000)", "SELECT number FROM numbers(1e12)"])
async def test_a_lost_client_ends_its_query_and_leaves_no_thread(server: LocalServer, sql: str) -> None:
    assert await query_alone(server, "SELECT 1") == [(1,)]
    await until(lambda: not server._connections)
    threads = threading.active_count()
    settings = text("function_sleep_max_microseconds_per_block") + b"\x00" + text("0")
    raw = await Raw.connect(server, HELLO, query_packet(sql, settings=settings), NO_TABLES)
    await working(server)
    assert threading.active_count() > threads
    raw.writer.transport.abort()
    await raw.close()
    await until(lambda: not server._connections)
    await until(lambda: threading.active_count() <= threads)
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


# Bad bytes.

BROKEN = [
    b"\xff" * 20,
    b"\x63",
    b"\x07",
    HELLO,
    b"\x02" + text("") + EMPTY_BLOCK,
    b"\x01" + b"\xff" * 9 + b"\x01",
    query_packet("SELECT 1")[:-1] + b"\xff\xff\xff\xff\x7f",
    query_packet("SELECT 1") + b"\x02" + text("") + EMPTY_BLOCK[:-2] + b"\xff\xff\xff\x7f\x01",
    query_packet("SELECT 1") + b"\x02" + text("") + EMPTY_BLOCK[:-2] + b"\x01\x01" + text("a") + text("Foo"),
    query_packet("SELECT 1") + b"\x04",
    b"\x05" + b"\xff" * 5 + b"\x01",
]


@pytest.mark.parametrize("packet", BROKEN)
async def test_a_broken_packet_ends_its_connection_with_an_error(server: LocalServer, packet: bytes) -> None:
    raw = await Raw.connect(server, HELLO, packet + b"\xff" * 30)
    answer = await raw.all()
    assert answer[:12] == b"\x00\x0aClickHouse"
    assert b"DB::Exception" in answer
    assert await query_alone(server, "SELECT 1") == [(1,)]


async def test_random_garbage_never_ends_the_server(server: LocalServer) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    session = HELLO + query_packet("INSERT INTO t VALUES") + NO_TABLES + uint8_block("a", b"\x01\x02") + NO_TABLES
    for _ in range(60):
        data = bytearray(session)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        start = 0 if chance.random() < 0.5 else len(HELLO)
        raw = await Raw.connect(server, HELLO if start else b"", bytes(data[start:]), chance.randbytes(50))
        raw.writer.write_eof()
        await raw.all()
    await until(lambda: not server._connections)
    assert await query_alone(server, "SELECT 1") == [(1,)]


# Ending.


async def test_closing_leaves_nothing_behind(tmp_path: Path) -> None:
    threads, tasks = threading.active_count(), len(asyncio.all_tasks())
    for _ in range(2):
        server = LocalServer(tmp_path / "db")
        await server.start()
        idle = await Raw.connect(server, HELLO)
        busy = await Raw.connect(server, HELLO, query_packet(ENDLESS), NO_TABLES)
        await until(lambda s=server: s.connection_count == 2)  # type: ignore[misc]
        await until(lambda s=server: any(s._engine.running(c._queries.tag) for c in s._connections))  # type: ignore[misc]
        port = server.port
        await server.aclose(grace_seconds=0.1)
        await asyncio.gather(idle.all(), busy.all(), return_exceptions=True)
        with pytest.raises(OSError, match="."):
            await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: threading.active_count() <= threads)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def test_closing_lets_a_running_query_end(tmp_path: Path) -> None:
    server = LocalServer(tmp_path / "db")
    await server.start()
    raw = await Raw.connect(server, HELLO, query_packet("SELECT sleep(1), 'was let end'"), NO_TABLES)
    await working(server)
    began = time.monotonic()
    await server.aclose(grace_seconds=DEADLINE)
    assert b"was let end" in await raw.all()
    assert time.monotonic() - began < DEADLINE


async def test_what_was_acknowledged_is_there_at_the_next_start(tmp_path: Path) -> None:
    for count in range(3):
        server = LocalServer(tmp_path / "db")
        await server.start()
        async with connected(server) as client:
            await execute(client, "CREATE TABLE IF NOT EXISTS t (a UInt8) ORDER BY a")
            assert await execute(client, "SELECT count() FROM t") == [(count,)]
            await execute(client, "INSERT INTO t VALUES", [(count,)])
        await server.aclose()


async def test_a_port_in_use_leaves_nothing_open(tmp_path: Path) -> None:
    threads = threading.active_count()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = LocalServer(tmp_path / "db", port=taken.getsockname()[1])
        with pytest.raises(OSError, match="."):
            await server.start()
    await until(lambda: threading.active_count() <= threads)


def test_the_first_bytes_of_a_header_are_not_a_whole_block() -> None:
    assert header_block([("a", "UInt8")]) == b"\x01\x00\x01a\x05UInt8"
    assert protocol.END_OF_STREAM == b"\x05"
