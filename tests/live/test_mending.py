"""Rows that are stored and not copied are found and copied, and nothing is written where all is well."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.connection.sql import Sql, identifier, sql
from agentstore.schema.plan import load_migrations
from agentstore.write.mending import Mender, mend
from agentstore.write.narrow import NARROW, Narrow
from agentstore.write.sweep import Sweeper, sweep
from tests.builders import call, commit, message, session
from tests.live.connections import connected
from tests.live.copies import differences
from tests.live.relay import until
from tests.servers import Server

STATEMENTS = [statement for migration in load_migrations() for statement in migration.statements()]

every_copy = pytest.mark.parametrize("copy", NARROW, ids=lambda copy: copy.name)


@pytest.fixture
async def own(server: Server, fresh_database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """A store on a database of its own, some sessions in it: its views are taken away."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        for id in ("a", "b"):
            await write(store, id)
        yield store


async def write(store: AsyncClickHouseStore, id: str, *, org: str = "o", count: int = 3, replace: bool = False) -> None:
    messages = [message(n, f"{id} {n}", model="m", output_tokens=n) for n in range(count)]
    calls = [call(1, tool_use_id=f"t{n}") for n in range(count)]
    await store.write_session(org, session(id, message_count=count), messages, calls, replace=replace)
    await store.write_git_links(org, [commit(id, f"abcd12{n}") for n in range(count)])


async def fetch(store: AsyncClickHouseStore, query: Sql) -> list[tuple[Any, ...]]:
    async with connected(store) as connection:
        return list(zip(*await connection.fetch(query, {}, 60), strict=True))


@asynccontextmanager
async def without(store: AsyncClickHouseStore, copy: Narrow) -> AsyncIterator[None]:
    """While it lasts, nothing is copied there."""
    (view,) = [
        text for text in STATEMENTS if text.text.startswith("CREATE MATERIALIZED") and f" {copy.view} " in text.text
    ]
    await fetch(store, sql("DROP TABLE {view} SYNC", view=identifier(copy.view)))
    yield
    await fetch(store, view)


async def uncopied_write(store: AsyncClickHouseStore, copy: Narrow, *ids: str, **how: Any) -> None:
    """As where the server is killed between the rows and their copy, and nobody sends them again."""
    async with without(store, copy):
        for id in ids:
            await write(store, id, **how)


async def parts(store: AsyncClickHouseStore) -> list[tuple[Any, ...]]:
    query = "SELECT table, name FROM system.parts WHERE database = currentDatabase() AND active ORDER BY table, name"
    return await fetch(store, Sql(query))


@every_copy
async def test_what_is_not_copied_is_found_and_copied(own: AsyncClickHouseStore, copy: Narrow) -> None:
    await uncopied_write(own, copy, "b", "c", "ä", count=4)
    await write(own, "later")
    assert await differences(own) != []
    rows = 3 if copy.of.name == "sessions" else 12
    assert [await mend(own._open_pool, one) for one in NARROW] == [rows if one is copy else 0 for one in NARROW]
    assert await differences(own) == []
    assert await Mender(own._open_pool).mend() == 0


async def test_where_all_is_well_nothing_is_written(own: AsyncClickHouseStore) -> None:
    for table in ("messages", "message_facts", "sessions", "session_rows"):
        await fetch(own, sql("SYSTEM STOP MERGES {table}", table=identifier(table)))
    for _ in range(3):  # superseded rows, some merged away in one of the two only
        await write(own, "a")
    for table in ("message_facts", "sessions"):
        await fetch(own, sql("SYSTEM START MERGES {table}", table=identifier(table)))
        await fetch(own, sql("OPTIMIZE TABLE {table} FINAL", table=identifier(table)))
    before = await parts(own)
    assert await Mender(own._open_pool).mend() == 0
    assert await parts(own) == before


async def test_a_second_look_is_at_what_is_new(own: AsyncClickHouseStore) -> None:
    mender = Mender(own._open_pool)
    assert await mender.mend() == 0
    await uncopied_write(own, NARROW[0], "c")
    assert await mender.mend() == 3
    assert await differences(own) == []


@every_copy
async def test_removals_are_mended_too(own: AsyncClickHouseStore, copy: Narrow) -> None:
    async with without(own, copy):
        await own.delete_sessions("o", ["a"])
        await own.write_session("o", session("b"), [message(0, "rest")], replace=True)
        while await sweep(own._open_pool, older_than_seconds=0):
            pass
    await Mender(own._open_pool).mend()
    assert await differences(own) == []


@every_copy
async def test_what_is_purged_does_not_come_back(own: AsyncClickHouseStore, copy: Narrow) -> None:
    await uncopied_write(own, copy, "c")
    # As in the middle of a purge: it is known, and the table's rows are there still.
    await fetch(
        own,
        Sql("INSERT INTO session_floors (org_id, scope, session_id) VALUES ('o', 'purged', 'c')"),
    )
    assert await Mender(own._open_pool).mend() == 0


async def test_random_losses_are_mended(own: AsyncClickHouseStore) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(12):
        id, count, org = rng.choice("abcd"), rng.randrange(5), rng.choice("op")
        if rng.random() < 0.5:
            await uncopied_write(own, rng.choice(NARROW), id, org=org, count=count, replace=rng.random() < 0.5)
        else:
            await write(own, id, org=org, count=count, replace=rng.random() < 0.5)
        if rng.random() < 0.2:
            table = rng.choice(NARROW)
            name = rng.choice((table.name, table.of.name))
            await fetch(own, sql("OPTIMIZE TABLE {table} FINAL", table=identifier(name)))
    await Mender(own._open_pool).mend()
    assert await differences(own) == []


async def test_a_store_that_lives_long_mends(own: AsyncClickHouseStore) -> None:
    await uncopied_write(own, NARROW[0], "c")
    sweeper = Sweeper(own._open_pool, lambda org, ids: None)
    sweeper._doubts_at = 0.0
    sweeper.start_if_due()
    assert sweeper._task is not None
    await until(lambda: sweeper._task is None or sweeper._task.done())
    assert await differences(own) == []
