"""Tables that a client sends along with one query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_driver import Client as Driver
from clickhouse_driver.errors import ServerException

from tests.local.conftest import PASSWORD, ServerThread

HOSTILE = ["a`b", 'q"uote', "back\\slash", "x; DROP TABLE t", "ä☃", "new\nline", "percent%s", " ", "select", "it's"]
TEMPORARY = "SELECT count() FROM system.tables WHERE is_temporary"


@pytest.fixture(params=[False, "lz4", "zstd"])
def client(local: ServerThread, request: pytest.FixtureRequest) -> Iterator[Driver]:
    made = Driver("127.0.0.1", port=local.port, password=PASSWORD, compression=request.param)
    yield made
    made.disconnect()


def table(name: str, rows: list[tuple[Any, ...]], *columns: tuple[str, str]) -> dict[str, Any]:
    names = [name for name, _ in columns]
    return {"name": name, "structure": list(columns), "data": [dict(zip(names, row, strict=True)) for row in rows]}


def test_several_tables_of_one_query(client: Driver) -> None:
    tables = [
        table("left", [(1, "a"), (2, "b")], ("id", "UInt8"), ("name", "LowCardinality(String)")),
        table("right", [(2, [1, None])], ("id", "UInt8"), ("list", "Array(Nullable(Int64))")),
        table("none", [], ("id", "UInt8")),
    ]
    sql = "SELECT name, list, (SELECT count() FROM none) FROM left JOIN right USING (id)"
    assert client.execute(sql, external_tables=tables) == [("b", [1, None], 0)]
    assert client.execute(TEMPORARY) == [(0,)]
    with pytest.raises(ServerException) as caught:
        client.execute("SELECT * FROM left")
    assert caught.value.code == 60


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_only_names(client: Driver, name: str) -> None:
    quoted = "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
    tables = [table(name, [(7,)], (name, "UInt8"))]
    assert client.execute(f"SELECT {quoted} FROM {quoted}", external_tables=tables) == [(7,)]
    assert client.execute(TEMPORARY) == [(0,)]


def test_a_large_table(client: Driver) -> None:
    rows = [(number, f"text {number} " * 20) for number in range(200_000)]
    tables = [table("large", rows, ("n", "UInt32"), ("s", "String"))]
    sql = "SELECT count(), sum(n), sum(length(s)) FROM large"
    expected = [(len(rows), sum(number for number, _ in rows), sum(len(value) for _, value in rows))]
    assert client.execute(sql, external_tables=tables, settings={"insert_block_size": 10_000}) == expected


def test_they_go_with_any_statement_and_are_gone_whatever_its_end(client: Driver) -> None:
    tables = [table("sent", [(1,), (2,)], ("a", "UInt8"))]
    client.execute("DROP TABLE IF EXISTS kept")
    client.execute("CREATE TABLE kept (a UInt8) ENGINE = Memory")
    client.execute("INSERT INTO kept SELECT a FROM sent", external_tables=tables)
    assert client.execute("SELECT a FROM kept ORDER BY a") == [(1,), (2,)]
    with pytest.raises(ServerException):
        client.execute("SELECT throwIf(a = 2) FROM sent", external_tables=tables)
    client.disconnect()  # the driver does so after an error; then a new session asks
    rows = client.execute_iter("SELECT a FROM sent, numbers(500000) AS n", external_tables=tables)
    assert next(rows) in ((1,), (2,))
    client.cancel()
    assert client.execute(TEMPORARY) == [(0,)]


def test_a_zone_is_kept(client: Driver) -> None:
    tables = [table("sent", [(n,) for n in range(3)], ("n", "UInt32"))]
    sql = "SELECT toDateTime(n, 'Asia/Tokyo') AS t, repeat('x', 600000) FROM sent"
    rows, columns = client.execute(sql, external_tables=tables, with_column_types=True, settings={"max_block_size": 1})
    assert (len(rows), columns[0]) == (3, ("t", "DateTime('Asia/Tokyo')"))


def test_a_temporary_table_of_the_session_is_not_replaced(client: Driver) -> None:
    client.execute("CREATE TEMPORARY TABLE mine (a UInt8)")
    client.execute("INSERT INTO mine VALUES", [(1,)])
    connection = client.connection
    with pytest.raises(ServerException) as caught:
        client.execute("SELECT a FROM mine", external_tables=[table("mine", [(2,)], ("a", "UInt8"))])
    assert caught.value.code == 57
    assert client.connection is connection
