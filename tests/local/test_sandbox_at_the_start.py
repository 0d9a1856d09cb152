"""What was stored while everything was allowed is withheld by a server that does not allow it."""

from __future__ import annotations

from pathlib import Path

import pytest
from asynch.errors import ServerException

from tests.local.talk import connected, execute, served


async def test_stored_views_tables_and_functions_are_withheld_and_come_back(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret\n")
    made = [
        f"CREATE VIEW v AS SELECT * FROM file('{secret}', 'LineAsString')",
        "CREATE VIEW over AS SELECT * FROM v",
        f"CREATE TABLE `f t` (line String) ENGINE = File(LineAsString, '{secret}')",
        "CREATE FUNCTION peek AS (x) -> file(x)",
        "CREATE FUNCTION over AS (x) -> peek(x)",
        "CREATE VIEW uses AS SELECT 'file(' AS x",
        "CREATE DICTIONARY d (a UInt64, b String) PRIMARY KEY a SOURCE(CLICKHOUSE(QUERY 'SELECT 1, file(\\'x\\')')) "
        "LAYOUT(FLAT()) LIFETIME(1)",
        "CREATE DATABASE fs ENGINE = Filesystem('/')",
    ]
    read = [f"SELECT over('{secret}')", f"SELECT peek('{secret}')", "SELECT * FROM over", "SELECT * FROM v"]
    read += ["SELECT * FROM `f t`"]
    async with served(tmp_path, allow_external=True) as server, connected(server) as client:
        for sql in made:
            await execute(client, sql)
        for sql in read:
            assert [str(row[0]).strip() for row in await execute(client, sql)] == ["secret"]
    async with served(tmp_path) as server, connected(server) as client:
        for sql in [*read, "SELECT dictGet('d', 'b', 1)", "SELECT * FROM d", f"SELECT * FROM fs.`{secret}`"]:
            with pytest.raises(ServerException):
                await execute(client, sql)
        for sql in ("ATTACH TABLE v", "ATTACH TABLE `f t`", "ATTACH DICTIONARY d", "ATTACH DATABASE fs"):
            with pytest.raises(ServerException, match="ACCESS_DENIED"):
                await execute(client, sql)
        assert await execute(client, "SELECT * FROM uses") == [("file(",)]
    async with served(tmp_path, allow_external=True) as server, connected(server) as client:
        for sql in read:
            assert [str(row[0]).strip() for row in await execute(client, sql)] == ["secret"]
