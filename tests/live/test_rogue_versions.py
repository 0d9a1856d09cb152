"""Rows that somebody wrote by hand, with versions that are no times."""

from __future__ import annotations

import pytest

from agentstore import AsyncClickHouseStore, SessionPurgedError
from agentstore.connection.sql import Sql, sql
from tests.builders import session
from tests.servers import Server


@pytest.mark.parametrize("rogue", [2**63 - 1, 2**64 - 1])
async def test_a_row_with_the_largest_version_hides_nothing_of_others(
    server: Server, fresh_database: str, rogue: int
) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        for table, columns in (
            ("sessions", "org_id, id"),
            ("session_floors", "org_id, session_id"),
            ("session_stars", "org_id, session_id"),
        ):
            statement = "INSERT INTO {table} ({columns}, _version) SELECT 'rogue', 'x', {rogue}"
            await store._open_pool.execute(sql(statement, table=Sql(table), columns=Sql(columns), rogue=rogue))
        purged = (
            "INSERT INTO session_floors (org_id, scope, session_id, _version) SELECT 'rogue', 'purged', 'x', {rogue}"
        )
        await store._open_pool.execute(sql(purged, rogue=rogue))
        for name in ("a", "b", "c"):
            await store.write_session("o", session("s", display_name=name))
        async with AsyncClickHouseStore(server.dsn, database=fresh_database) as other:
            await other.write_session("o", session("s", display_name="other"))
            assert (await store.get_session("o", "s")).display_name == "other"
            # Another store's purge is still noticed.
            await store.purge_sessions("o", ["s"])
            other._open_writer.versions.reconnected()
            with pytest.raises(SessionPurgedError):
                await other.write_session("o", session("s"))
