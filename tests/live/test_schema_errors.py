"""A database that does not have the tables of this library: said as that, with the way out, by reads and writes."""

from __future__ import annotations

import re

import pytest

from agentstore import AgentStoreError, AsyncClickHouseStore, QueryError, SchemaError, WriteError
from agentstore.connection.sql import Sql, sql
from agentstore.schema import migrate
from agentstore.schema.plan import load_migrations
from tests.builders import message, session
from tests.live.conftest import drop
from tests.live.connections import connected
from tests.live.test_tenancy import ALL_READS, WRITES
from tests.servers import Server

HINT = "await store.ensure_schema()"
CASES = {**ALL_READS, **WRITES}


async def refusal(store: AsyncClickHouseStore, org: str, name: str) -> SchemaError:
    """What a method says, seen to be complete: the hint, and the server's own words as the cause."""
    with pytest.raises(AgentStoreError) as caught:
        await CASES[name](store, org, "mark")
    error: BaseException | None = caught.value
    assert caught.value.hint == HINT
    assert str(caught.value).count(HINT) == 1
    if isinstance(error, WriteError):
        assert re.search(r"were not stored|are not known to be removed", str(error))
        assert not error.retriable
        while isinstance(error, WriteError):
            error = error.__cause__
    assert isinstance(error, SchemaError), error
    assert isinstance(error.__cause__, QueryError)
    assert (error.hint, error.retriable, error.__cause__.code > 0) == (HINT, False, True)
    return error


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_database_without_tables(server: Server, fresh_database: str, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        for name in CASES:
            error = await refusal(store, org, name)
            assert error.message == f"the database {fresh_database!r} has no tables of agentstore"
            assert isinstance(error.__cause__, QueryError)
            assert (error.__cause__.code, error.__cause__.name) == (60, "UNKNOWN_TABLE")
        assert await store.ensure_schema()
        await store.write_session(org, session("s"), [message(0)])
        assert (await store.get_session(org, "s")).id == "s"


async def test_a_database_that_is_older(
    server: Server, fresh_database: str, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = load_migrations()
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        with monkeypatch.context() as old:
            old.setattr(migrate, "load_migrations", lambda: migrations[:1])
            await store.ensure_schema()
        said = f"the database {fresh_database!r} is older than this library: it is at schema version 1, not \\d+"
        assert re.fullmatch(said, (await refusal(store, org, "list_sessions")).message)
        # A column that a later version writes and this database does not have.
        async with connected(store) as connection:
            await connection.fetch(sql("ALTER TABLE messages DROP COLUMN model"), {}, 60)
            await connection.fetch(sql("DROP TABLE session_stars SYNC"), {}, 60)
        for name in ("write_batch", "write_session_stars", "list_session_stars", "get_session_messages"):
            assert re.fullmatch(said, (await refusal(store, org, name)).message)


async def test_a_database_that_is_newer(server: Server, fresh_database: str, org: str) -> None:
    """A later version may have renamed what this one asks for: then the way out is another."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        async with connected(store) as connection:
            await connection.fetch(
                sql("INSERT INTO schema_migrations (version, name, checksum) SELECT 9000, 'later', ''"), {}, 60
            )
            await connection.fetch(sql("RENAME TABLE session_stars TO stars"), {}, 60)
        with pytest.raises(SchemaError, match=r"at schema version 9000, .*upgrade agentstore"):
            await store.list_session_stars(org)


async def test_a_table_that_was_dropped_by_hand_is_no_older_schema(
    server: Server, fresh_database: str, org: str
) -> None:
    """``ensure_schema()`` would not bring it back, so nobody is sent there."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        async with connected(store) as connection:
            await connection.fetch(Sql("DROP TABLE session_stars SYNC"), {}, 60)
        with pytest.raises(QueryError, match="UNKNOWN_TABLE"):
            await store.list_session_stars(org)


@pytest.mark.parametrize("pool_size", [1, 8])
async def test_a_database_that_is_dropped_meanwhile(
    server: Server, fresh_database: str, org: str, pool_size: int
) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database, pool_size=pool_size) as store:
        await store.ensure_schema()
        await drop(server, fresh_database)
        for name in ("get_session", "write_session", "list_sessions"):
            assert fresh_database in (await refusal(store, org, name)).message
        assert await store.ensure_schema()
        await store.write_session(org, session("s"), [message(0)])
        assert (await store.get_session(org, "s")).id == "s"
