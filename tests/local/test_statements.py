"""What statements answer: results, errors, and the state of a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asynch.errors import ServerException
from clickhouse_driver import Client as Driver

from agentstore.local.engine.connection import Chunk, EngineConnection
from agentstore.local.protocol.wire import text
from agentstore.local.server.channel import WRITE_AHEAD
from agentstore.local.server.server import LocalServer
from tests.local.talk import HELLO, NO_TABLES, Raw, connected, execute, query_alone, query_packet, running, until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with running(tmp_path) as started:
        yield started


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
    def ask() -> Any:
        client = Driver("127.0.0.1", port=server.port)
        sql = "SELECT number % 2 AS `a'b`, [toNullable(sum(number))] AS s FROM numbers(5) GROUP BY 1"
        sql += " WITH TOTALS ORDER BY 1"
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
        numbers = "SELECT number FROM numbers(3)"
        for harmless in ({"nosuch_setting": 1}, {"readonly": 1}, {"limit": 1}, {"send_logs_level": "trace"}):
            await execute(client, numbers, settings=harmless)
            assert await execute(client, show) == usual
        with pytest.raises(ServerException):
            await execute(client, numbers, settings={"max_result_rows": 1, "max_threads": "many"})
        assert await execute(client, show) == usual
        with pytest.raises(ServerException) as caught:
            await execute(client, "CREATE DATABASE x", settings={"readonly": 1})
        assert caught.value.code == 164
        await execute(client, "SET max_threads = 3", settings={"max_threads": 9})
        assert await execute(client, "SELECT getSetting('max_threads')") == [(3,)]


async def test_settings_that_change_with_every_query_cost_one_statement(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer sends a new token with each insert, and other settings with what it reads between them."""
    sent: list[str] = []
    run = EngineConnection.run

    def noted(connection: EngineConnection, sql: str) -> Chunk:
        sent.append(sql)
        return run(connection, sql)

    async with connected(server) as client:
        await execute(client, "CREATE TABLE t (a UInt8) ORDER BY a SETTINGS non_replicated_deduplication_window = 9")
        monkeypatch.setattr(EngineConnection, "run", noted)
        for count in range(3):
            token = {"insert_deduplication_token": f"token {count // 2}", "insert_deduplicate": 1, "async_insert": 0}
            sent.clear()
            await execute(client, "INSERT INTO t VALUES", [(count,)], settings=token)
            assert [sql.split()[0] for sql in sent] == ["SET", "DESCRIBE", "INSERT"]
            sent.clear()
            assert await execute(client, "SELECT getSetting('insert_deduplication_token')", settings={"max_threads": 2})
            assert [sql.split()[0] for sql in sent] == ["SET"]
            sent.clear()
            rows = await execute(client, "SELECT count() FROM t", settings={"max_threads": 2})
            assert (rows, sent) == ([(count // 2 + 1,)], [])
