"""Totals, extremes and the columns of a result: what the engine is asked for them, and that it runs a query once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client as Driver
from clickhouse_driver.errors import ServerException

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.engine import Engine
from agentstore.local.session.totals import _End
from tests.local.conftest import PASSWORD, ServerThread
from tests.local.server_processes import wait_until


@contextmanager
def driver(local: ServerThread) -> Iterator[Driver]:
    client = Driver("127.0.0.1", port=local.port, password=PASSWORD)
    try:
        yield client
    finally:
        client.disconnect()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that the engine is given from now on, as `how it was given: text`."""
    seen: list[str] = []

    def note(name: str) -> None:
        given = getattr(EngineConnection, name)

        def noted(connection: EngineConnection, sql: str, *more: Any) -> Any:
            seen.append(f"{name}: {sql}")
            return given(connection, sql, *more)

        monkeypatch.setattr(EngineConnection, name, noted)

    for name in ("run", "text", "stream"):
        note(name)
    return seen


def runs(sent: list[str], part: str) -> list[str]:
    """The statements with this part in them that read anything, so not those that only ask the parser or for types."""
    return [sql for sql in sent if part in sql and not sql.startswith(("run: EXPLAIN", "run: DESCRIBE"))]


# Totals and extremes.


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'extremes', number FROM numbers(3)",
        "SELECT 'a group by with totals' FROM numbers(3)",
        "SELECT number AS extremes FROM numbers(3) -- WITH TOTALS",
        'SELECT number AS "QUERY id: 0, is_group_by_with_totals: 1 with totals" FROM numbers(3)',
        "SELECT 'a\nSETTINGS extremes=1' FROM numbers(3)",
        "SELECT number FROM numbers(3) SETTINGS extremes = 0",
    ],
)
def test_a_word_in_a_text_does_not_run_a_query_again(local: ServerThread, sent: list[str], sql: str) -> None:
    with driver(local) as client:
        assert len(client.execute(sql)) == 3
    assert runs(sent, "numbers(3)") == [f"stream: {sql}"]


def test_other_statements_pay_nothing(local: ServerThread, sent: list[str]) -> None:
    with driver(local) as client:
        client.execute("SELECT 1")
        sent.clear()
        assert client.execute("SELECT number FROM numbers(2)") == [(0,), (1,)]
        assert sent == ["stream: SELECT number FROM numbers(2)"]


TOTALS = "SELECT number % 3 AS a, count() FROM numbers(10) GROUP BY a WITH /* all */ TOTALS ORDER BY a"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (TOTALS, [(0, 4), (1, 3), (2, 3), (0, 10)]),
        (f"{TOTALS} SETTINGS extremes = 1", [(0, 4), (1, 3), (2, 3), (0, 10), (0, 3), (2, 4)]),
        (f"SELECT * FROM ({TOTALS}) -- end", [(0, 4), (1, 3), (2, 3), (0, 10)]),
        ("SELECT number % 2 AS a, count() FROM numbers(0) GROUP BY a WITH TOTALS", [(0, 0)]),
        ("SELECT number FROM numbers(0) SETTINGS extremes = 1", []),
        ("SELECT count() AS c, sum(number) FROM numbers(0) WITH TOTALS", [(0, 0), (0, 0)]),
        # Longer than a statement may be, and more than one pipe holds.
        (
            "SELECT number AS n, max(repeat('x', 600000)) FROM numbers(1) GROUP BY n WITH TOTALS",
            [(0, "x" * 600_000), (0, "x" * 600_000)],
        ),
    ],
)
def test_totals_and_extremes_of_queries_that_have_them(local: ServerThread, sql: str, expected: list[Any]) -> None:
    with driver(local) as client:
        assert client.execute(sql) == expected
        assert client.execute("SELECT 1") == [(1,)]


def test_a_session_can_ask_for_extremes(local: ServerThread) -> None:
    with driver(local) as client:
        client.execute("SET extremes = 1")
        assert client.execute("SELECT number FROM numbers(3)") == [(0,), (1,), (2,), (0,), (2,)]
        client.execute("SET extremes = 0")
        assert client.execute("SELECT number FROM numbers(3)") == [(0,), (1,), (2,)]


def test_rows_come_as_a_stream_before_their_totals(local: ServerThread, sent: list[str]) -> None:
    sql = "SELECT number % 300000 AS a, count() FROM numbers(600000) GROUP BY a WITH TOTALS"
    with driver(local) as client:
        rows = client.execute(sql)
    assert (len(rows), rows[-1]) == (300_001, (0, 600_000))
    first, second = runs(sent, "numbers(600000)")
    assert first == f"stream: {sql}"
    assert second.startswith("run: ")
    assert "INTO OUTFILE" in second


def test_an_error_in_a_query_with_totals_is_told_once(local: ServerThread) -> None:
    threads = threading.active_count()
    with driver(local) as client:
        with pytest.raises(ServerException) as caught:
            client.execute("SELECT nosuch, count() GROUP BY 1 WITH TOTALS")
        assert caught.value.code == 47
        assert client.execute("SELECT 1") == [(1,)]
    # The connection's own end when the server sees that it is closed.
    wait_until(lambda: threading.active_count() <= threads, "the query's threads to end")


def test_of_a_text_of_any_size_only_the_end_is_kept() -> None:
    reading, writing = os.pipe()
    end = _End()
    largest = 0

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(b'{"progress":{}}\n{"meta":[{"name":"a","type":"String"}]}\n')
            for _ in range(20_000):
                file.write(b'{"row":["' + b"x" * 1000 + b'"]}\n')
            file.write(b'{"totals":["all"]}\n{"rows_before_limit_at_least":7}\n')

    class Watched(bytearray):
        def rfind(self, *given: Any) -> int:
            nonlocal largest
            largest = max(largest, len(self))
            return super().rfind(*given)

    end._kept = Watched()
    thread = threading.Thread(target=write)
    thread.start()
    end.read(reading)
    thread.join()
    os.close(reading)
    assert end.lines() == {
        "progress": {}, "meta": [{"name": "a", "type": "String"}], "totals": ["all"], "rows_before_limit_at_least": 7,
    }  # fmt: skip
    assert largest < 1 << 18


def test_rows_before_a_limit_are_told_where_the_engine_tells_them(local: ServerThread) -> None:
    with driver(local) as client:
        client.execute(f"{TOTALS} LIMIT 1")
        assert client.last_query.profile_info.applied_limit
        assert client.last_query.profile_info.rows_before_limit == 3
        client.execute("SELECT 1")
        assert not client.last_query.profile_info.applied_limit


# The columns.

ZONED = "toDateTime(number, 'Asia/Tokyo') AS t, repeat('x', 100) AS x FROM numbers(60000)"
PREPARED = [
    (),
    ("CREATE TEMPORARY TABLE mine (t DateTime('Asia/Tokyo'))",),
    ("SET session_timezone = 'Asia/Tokyo'", "CREATE DATABASE IF NOT EXISTS other", "/* c */ USE other"),
]


@pytest.mark.parametrize("before", PREPARED, ids=["", "temporary table", "settings"])
@pytest.mark.parametrize(
    ("columns", "kind"),
    [("toDateTime(number, 'Asia/Tokyo')", "DateTime('Asia/Tokyo')"), ("sumState(number)", None)],
    ids=["DateTime", "AggregateFunction"],
)
def test_a_large_result_is_made_once(
    local: ServerThread, sent: list[str], before: tuple[str, ...], columns: str, kind: str | None
) -> None:
    sql = f"SELECT {columns} AS t, repeat('x', 100) AS x FROM numbers(60000) GROUP BY number"
    with driver(local) as client:
        for statement in before:
            client.execute(statement)
        sent.clear()
        if kind is None:
            # The driver does not know the type: its packets are read over by the name of the error.
            with pytest.raises(Exception, match="AggregateFunction"):
                client.execute(sql)
        else:
            rows, described = client.execute(sql, with_column_types=True)
            assert (len(rows), described) == (60_000, [("t", kind), ("x", "String")])
    assert [how for how in runs(sent, "numbers(60000)") if how.startswith("stream: ")] == [f"stream: {sql}"]


def test_columns_are_those_of_the_session(local: ServerThread) -> None:
    """What is asked of a second connection must not differ from what the first would say."""
    tokyo = "SELECT t, x FROM zoned"
    with driver(local) as client:
        client.execute("CREATE DATABASE IF NOT EXISTS columns")
        client.execute("USE columns")
        client.execute("SET max_block_size = 10000")
        client.execute("CREATE TABLE zoned ENGINE = Memory AS SELECT " + ZONED)
        for _ in range(2):
            rows, described = client.execute(tokyo, with_column_types=True, settings={"session_timezone": "Asia/Tokyo"})
            assert (len(rows), described[0]) == (60_000, ("t", "DateTime('Asia/Tokyo')"))
        # A temporary table hides the other of the same name.
        client.execute("CREATE TEMPORARY TABLE zoned AS SELECT toDateTime(number, 'UTC') AS t, repeat('y', 100) AS x "
                       "FROM numbers(60000)")  # fmt: skip
        rows, described = client.execute(tokyo, with_column_types=True)
        assert (rows[0][1], described[0]) == ("y" * 100, ("t", "DateTime('UTC')"))
        client.execute("DROP DATABASE columns")


def test_a_session_of_very_many_settings_is_described_ahead(tmp_path: Path) -> None:
    from agentstore.local.session.state import MAX_STATEMENTS, SessionState
    from agentstore.local.sql.analysis import analyse

    twin = SessionState(Engine(str(tmp_path)))
    for number in range(MAX_STATEMENTS):
        twin.watch(analyse(f"SET max_threads = {number + 1}"))
    twin.watch(analyse("CREATE TABLE t (a UInt8) ORDER BY a"))
    assert twin.is_possible
    twin.watch(analyse("SET max_threads = 1"))
    assert not twin.is_possible
