"""The schema in a real database: applied once, by anybody, and refused where it is not ours."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, SchemaError
from agentstore.connection.sql import Sql, sql
from agentstore.schema.plan import load_migrations
from tests.builders import message, session
from tests.live.connections import connected
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
VERSIONS = [migration.version for migration in load_migrations()]
ENSURE = """\
import asyncio, sys
from agentstore import AsyncClickHouseStore

async def main():
    async with AsyncClickHouseStore(database=sys.argv[1]) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        print(await store.ensure_schema(), flush=True)

asyncio.run(main())
"""


async def recorded(store: AsyncClickHouseStore) -> list[tuple[int, str, str]]:
    async with connected(store) as connection:
        columns = await connection.fetch(
            sql("SELECT version, name, checksum FROM schema_migrations FINAL ORDER BY version"), {}, timeout=60
        )
    return list(zip(*columns, strict=True))


async def run(store: AsyncClickHouseStore, statement: str) -> None:
    async with connected(store) as connection:
        await connection.fetch(Sql(statement), {}, timeout=60)


async def test_applied_once_and_recorded_with_its_checksum(server: Server, fresh_database: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        assert await store.ensure_schema() == VERSIONS
        expected = [(one.version, one.name, one.checksum) for one in load_migrations()]
        assert await recorded(store) == expected
        assert await store.ensure_schema() == []
        assert await asyncio.gather(*(store.ensure_schema() for _ in range(5))) == [[]] * 5
        assert await recorded(store) == expected


async def test_many_tasks_at_once(server: Server, fresh_database: str, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        for applied in await asyncio.gather(*(store.ensure_schema() for _ in range(8))):
            assert applied in (VERSIONS, [])
        assert [version for version, _, _ in await recorded(store)] == VERSIONS
        await store.write_session(org, session("s"), [message(0)])
        assert len(await store.get_session_messages(org, "s")) == 1


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_two_processes_at_once(server: Server, fresh_database: str, org: str) -> None:
    pipe = asyncio.subprocess.PIPE
    environment = {**os.environ, "AGENTSTORE_DSN": server.dsn, "PYTHONPATH": str(ROOT)}
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", ENSURE, fresh_database, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout
            assert await process.stdout.readline() == b"ready\n"
        outcomes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    for process, (output, errors) in zip(processes, outcomes, strict=True):
        assert (process.returncode, errors) == (0, b"")
        assert output.decode().strip() in (str(VERSIONS), "[]")
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        assert [version for version, _, _ in await recorded(store)] == VERSIONS
        await store.write_session(org, session("s"))
        assert (await store.list_sessions(org)).total == 1


async def test_data_survives_a_second_run(server: Server, fresh_database: str, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        await store.write_session(org, session("s"))
        # As if a process had been killed between the tables and the record of them.
        await run(store, "TRUNCATE TABLE schema_migrations")
        assert await store.ensure_schema() == VERSIONS
        assert (await store.list_sessions(org)).total == 1


async def test_a_newer_database_is_refused_untouched(server: Server, fresh_database: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        await run(store, "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'future', 'x')")
        await run(store, "DROP TABLE message_pins SYNC")
        with pytest.raises(SchemaError, match=r"version 9999.*upgrade agentstore"):
            await store.ensure_schema()
        async with connected(store) as connection:
            assert await connection.fetch(sql("EXISTS TABLE message_pins"), {}, timeout=60) == [(0,)]
        # Starting anew is the way out.
        await store.reset_database(fresh_database)
        assert [version for version, _, _ in await recorded(store)] == VERSIONS


async def test_an_edited_migration_is_refused(server: Server, fresh_database: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        await run(store, "INSERT INTO schema_migrations (version, name, checksum) VALUES (1, 'initial', 'edited')")
        with pytest.raises(SchemaError, match="0001_initial was edited after it was applied"):
            await store.ensure_schema()


@pytest.mark.parametrize("name", ["", "agentstore", None])
async def test_only_who_names_the_database_resets_it(
    server: Server, fresh_database: str, org: str, name: str | None
) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        await store.write_session(org, session("s"), [message(0)])
        with pytest.raises(InvalidArgumentError, match="name of the database"):
            await store.reset_database(name)  # type: ignore[arg-type]
        assert (await store.list_sessions(org)).total == 1


async def test_reset_empties_everything_and_the_store_goes_on(server: Server, fresh_database: str, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.reset_database(fresh_database)
        for _ in range(2):
            await store.write_session(org, session("s"), [message(0)])
            assert (await store.list_sessions(org)).total == 1
            await store.reset_database(fresh_database)
            assert (await store.list_sessions(org)).total == 0
            assert await store.get_session_messages(org, "s") == []
        assert await store.ensure_schema() == []
