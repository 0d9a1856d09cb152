"""A database of an older version, with rows in it, brought to the newest: nothing lost, everything found, indexed."""

from __future__ import annotations

import asyncio

import pytest

from agentstore import AsyncClickHouseStore, NotFoundError, SearchQuery, SessionDelete, SessionFilter
from agentstore.connection.sql import sql
from agentstore.read import hits
from agentstore.schema import migrate
from agentstore.schema.plan import load_migrations
from tests.builders import at, call, commit, message, session
from tests.live.connections import connected
from tests.servers import Server

MIGRATIONS = load_migrations()
OLDER = [migration.version for migration in MIGRATIONS[:-1]]


@pytest.fixture(params=OLDER)
def version(request: pytest.FixtureRequest) -> int:
    """A version that databases in the world may have."""
    return int(request.param)


async def test_a_database_with_rows_is_upgraded_in_place(
    server: Server, fresh_database: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        with monkeypatch.context() as old:
            old.setattr(migrate, "load_migrations", lambda: MIGRATIONS[:version])
            before = await store.ensure_schema()
        assert before == [one.version for one in MIGRATIONS[:version] if one.version in before]
        await write(store)
        applied = await store.ensure_schema()
        assert max(applied) == MIGRATIONS[-1].version
        await settled(store, indexed=2 in applied)
        await check(store)
        await store.write_session("o", session("s9", started_at=at(9)), [message(0, "ÄRGER after the upgrade")])
        assert [hit.session_id for hit in (await store.search("o", SearchQuery(query="ärger"))).results] == ["s9", "s1"]


async def write(store: AsyncClickHouseStore) -> None:
    await store.write_session(
        "o", session("s1", started_at=at(1)), [message(0, "Ärger with the quokka")], [call(0, input_json="the Wombat")]
    )
    await store.write_session("o", session("s1", started_at=at(1)), [message(1, "rewritten")], [call(1)])
    await store.write_session("o", session("s1", started_at=at(1)), [message(1, "quokka again")])
    await store.write_session("o", session("child", relationship_type="subagent"), [message(0, "a quokka below")])
    await store.write_session("o", session("fork", parent_session_id="s1", relationship_type="fork"))
    await store.write_session("o", session("orphan", parent_session_id="s1"))
    await store.write_session("o", session("silent", user_message_count=0))
    await store.write_session("o", session("marked"), [message(0, "a marked quokka")])
    await store.write_session_deletes("o", [SessionDelete(session_id="marked")])
    await store.write_session("o", session("gone"), [message(0, "a quokka that went")])
    await store.delete_sessions("o", ["gone"])
    await store.write_git_links("o", [commit("s1", "abcdef12")])


async def check(store: AsyncClickHouseStore) -> None:
    page = await store.list_sessions("o")
    assert [(one.id, one.commit_count) for one in page.sessions] == [("s1", 1), ("fork", 0)]
    assert page.total == 2
    everybody = await store.list_sessions("o", SessionFilter(include_subagents=True, include_deleted=True))
    assert {one.id for one in everybody.sessions} == {"s1", "fork", "child", "orphan", "marked"}
    found = await store.search("o", SearchQuery(query="QUOKKA"))
    assert [(hit.session_id, hit.ordinal) for hit in found.results] == [("s1", 0), ("s1", 1)]
    assert [hit.role for hit in (await store.search("o", SearchQuery(query="wombat"))).results] == ["tool"]
    assert [one.content for one in await store.get_session_messages("o", "s1")] == [
        "Ärger with the quokka",
        "quokka again",
    ]
    with pytest.raises(NotFoundError):
        await store.get_session("o", "gone")


async def settled(store: AsyncClickHouseStore, *, indexed: bool) -> None:
    """Wait until the rows written before are rewritten, and see that their parts are indexed where that is new."""
    async with connected(store) as connection, asyncio.timeout(60):
        running = 1
        while running:
            columns = await connection.fetch(
                sql("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"),
                {},
                timeout=60,
            )
            running = columns[0][0]
        if indexed:
            assert await connection.fetch(hits.unindexed_parts(), {}, timeout=60) == []
