"""Purges while others write, of sessions that were deleted before, and with ids and times that are odd."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, SessionPurgedError, WriteError
from agentstore.connection.sql import sql
from tests.builders import call, message, session
from tests.faults.proxy import Fault
from tests.live.copies import differences
from tests.live.test_writer import behind_a_proxy
from tests.servers import Server


async def contents(store: AsyncClickHouseStore, org: str) -> list[str]:
    """Every text that is in an active part, whatever a read would show."""
    query = sql("SELECT content FROM messages WHERE org_id = {org} AND content != ''", org=org)
    columns = await store._open_pool.fetch(query)
    return list(columns[0]) if columns else []


async def test_a_write_beside_a_purge_is_purged_or_refused(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0, "secret")])

    async def write() -> None:
        ordinal = 0
        while ordinal := ordinal + 1:
            await store.write_session(org, session("s"), [message(ordinal, "secret")])

    writing = asyncio.create_task(write())
    await store.purge_sessions(org, ["s"])
    with pytest.raises(SessionPurgedError):
        await writing
    assert await contents(store, org) == []
    assert await store.get_session_messages(org, "s") == []
    assert await differences(store) == []


@pytest.mark.parametrize("merged", [False, True])
async def test_a_subagent_that_was_deleted_before_is_erased_too(
    store: AsyncClickHouseStore, org: str, merged: bool
) -> None:
    started = {id: [call(0, subagent_session_id=below)] for id, below in (("parent", "child"), ("child", "grandchild"))}
    await store.write_session(org, session("parent"), [message(0, "secret")], started["parent"])
    for id, parent, kind in (
        ("child", "parent", "subagent"),
        ("grandchild", "child", ""),
        ("fork", "parent", "fork"),
        ("moved", "parent", "subagent"),
        ("moved", "elsewhere", "subagent"),
    ):
        await store.write_session(
            org,
            session(id, parent_session_id=parent, relationship_type=kind),
            [message(0, f"of {id}")],
            started.get(id, []),
        )
    await store.delete_sessions(org, ["child", "grandchild"])
    if merged:  # their rows are gone then, and what started them is not
        await store._open_pool.execute(sql("OPTIMIZE TABLE sessions FINAL"))
    purge = await store.purge_sessions(org, ["parent"])
    assert sorted(purge.session_ids) == ["child", "grandchild", "parent"]
    assert {"of fork", "of moved"} == set(await contents(store, org))


async def test_an_id_without_utf8_is_refused_by_other_stores_too(
    server: Server, database: str, store: AsyncClickHouseStore, org: str
) -> None:
    await store.purge_sessions(org, ["odd \ud800"])
    async with AsyncClickHouseStore(server.dsn, database=database) as other:
        with pytest.raises(SessionPurgedError):
            await other.write_session(org, session("odd \ud800"))
        await other.restore_sessions(org, ["odd \ud800"])
        await other.write_session(org, session("odd \ud800"))


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), None, "60"])
async def test_a_deadline_that_is_none_is_refused_before_anything_is_done(
    store: AsyncClickHouseStore, org: str, seconds: Any
) -> None:
    await store.write_session(org, session("s"))
    with pytest.raises(InvalidArgumentError, match="timeout_seconds"):
        await store.purge_sessions(org, ["s"], timeout_seconds=seconds)
    assert (await store.get_session(org, "s")).id == "s"


async def test_what_is_not_several_records_is_refused_when_submitted(store: AsyncClickHouseStore, org: str) -> None:
    one: Any = message(0)
    with pytest.raises(InvalidArgumentError, match="messages"):
        store.submit_session(org, session("s"), one)
    with pytest.raises(InvalidArgumentError, match="sessions"):
        store.submit_batch(org, one)
    with pytest.raises(InvalidArgumentError, match="links"):
        store.submit_git_links(org, one)


async def test_a_purge_keeps_its_deadline_though_the_server_hangs(server: Server, database: str, org: str) -> None:
    """And says what is not known to be purged; purging again goes on."""
    async with behind_a_proxy(server, database, write_timeout_seconds=60) as (store, proxy):
        await store.write_session(org, session("s"), [message(0, "secret")])
        hung = asyncio.Event()

        def stall(table: str) -> Fault:
            hung.set()
            return Fault("stall", seconds=3600.0)

        proxy.on_insert = stall
        began = asyncio.get_running_loop().time()
        with pytest.raises(WriteError, match="not known to be purged") as caught:
            await store.purge_sessions(org, ["s"], timeout_seconds=1)
        assert hung.is_set()
        assert asyncio.get_running_loop().time() - began < 30  # not the minute that a write may take
        assert caught.value.keys == ((org, "s"),)
        proxy.heal()
        proxy.cut_all()
        assert (await store.purge_sessions(org, ["s"])).session_ids == ["s"]
        assert await contents(store, org) == []
