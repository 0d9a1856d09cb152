"""The narrow copies (ddl/0011) after what may go wrong: purges cut short, and copies that arrive late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, WriteError
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, identifier, sql
from agentstore.errors import QueryError
from agentstore.write.narrow import NARROW, Narrow
from agentstore.write.sweep import sweep
from tests.builders import call, commit, message, session
from tests.live.connections import connected
from tests.live.test_purge_edges import contents
from tests.servers import Server

BY_NAME = {copy.name: copy for copy in NARROW}


@pytest.fixture
async def own(server: Server, fresh_database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """A store on a database of its own: its tables are altered."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        yield store


async def fetch(store: AsyncClickHouseStore, query: Sql) -> list[tuple[Any, ...]]:
    async with connected(store) as connection:
        return list(zip(*await connection.fetch(query, {}, 60), strict=True))


async def write(store: AsyncClickHouseStore, id: str, org: str = "o") -> None:
    messages = [message(n, f"secret {n}", model="m", output_tokens=1) for n in range(3)]
    await store.write_session(org, session(id, first_message="secret"), messages, [call(1), call(2)])
    await store.write_git_links(org, [commit(id, "abcd123")])


async def copied(store: AsyncClickHouseStore, id: str, org: str = "o") -> dict[str, int]:
    """Rows of a session in each copy that are no tombstones, of all versions."""
    query = "SELECT count() FROM {copy} WHERE org_id = {org} AND {theirs} AND _deleted = 0"
    found = {}
    for copy in NARROW:
        ((count,),) = await fetch(store, sql(query, copy=identifier(copy.name), org=org, theirs=copy.of_sessions([id])))
        found[copy.name] = count
    return found


@pytest.mark.parametrize("copy", NARROW, ids=lambda copy: copy.name)
async def test_a_purge_that_ends_in_the_middle_is_finished_by_the_next(
    own: AsyncClickHouseStore, monkeypatch: pytest.MonkeyPatch, copy: Narrow
) -> None:
    await write(own, "s")
    await write(own, "stays")
    execute = Pool.execute

    async def refused(self: Pool, statement: Sql, settings: Mapping[str, Any] | None = None, **options: Any) -> Any:
        if statement.text.startswith(f"ALTER TABLE `{copy.name}` DELETE"):
            raise QueryError("in this test", code=1)
        return await execute(self, statement, settings, **options)

    with monkeypatch.context() as broken:
        broken.setattr(Pool, "execute", refused)
        with pytest.raises(WriteError, match=f"may still be in parts of {copy.name}"):
            await own.purge_sessions("o", ["s"])
    assert (await copied(own, "s"))[copy.name] > 0
    assert "secret 0" in await contents(own, "o")  # of the other session
    await own.purge_sessions("o", ["s"])
    assert set((await copied(own, "s")).values()) == {0}
    assert all((await copied(own, "stays")).values())


async def test_a_copy_that_arrives_after_its_row_was_purged_is_swept_with_the_floor(own: AsyncClickHouseStore) -> None:
    """As where a view is held up between the row and its copy: the row is erased, and nothing says it was there."""
    await write(own, "s")
    late = {}
    for copy in NARROW:
        await fetch(
            own, sql("CREATE TABLE {late} AS {copy}", late=identifier(f"late_{copy.name}"), copy=identifier(copy.name))
        )
        await fetch(
            own,
            sql(
                "INSERT INTO {late} SELECT * FROM {copy}",
                late=identifier(f"late_{copy.name}"),
                copy=identifier(copy.name),
            ),
        )
        late[copy.name] = (await copied(own, "s"))[copy.name]
    await own.purge_sessions("o", ["s"])
    for copy in NARROW:
        await fetch(
            own,
            sql(
                "INSERT INTO {copy} SELECT * FROM {late}",
                late=identifier(f"late_{copy.name}"),
                copy=identifier(copy.name),
            ),
        )
    assert await copied(own, "s") == late
    while await sweep(own._open_pool, older_than_seconds=0):
        pass
    for copy in NARROW:
        query = sql(
            "SELECT count() FROM {copy} FINAL WHERE {theirs}",
            copy=identifier(copy.name),
            theirs=copy.of_sessions(["s"]),
        )
        assert await fetch(own, query) == [(0,)], copy.name
