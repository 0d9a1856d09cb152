"""What ``changes`` tells: everything, at most once more than needed, and next to nothing read where nothing is new."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from agentstore import (
    AsyncClickHouseStore,
    Changes,
    InvalidArgumentError,
    MessagePin,
    SessionDelete,
    SessionStar,
)
from agentstore.connection.sql import Sql, sql
from agentstore.write.clock import ARRIVED_AFTER_SECONDS
from tests.builders import call, commit, message, session
from tests.faults.proxy import Fault
from tests.live.connections import connected
from tests.live.patience import swallowed
from tests.live.test_rows_read import Recorder
from tests.live.test_writer import behind_a_proxy
from tests.reads import ReadsThrough
from tests.servers import Server

Write = Callable[[AsyncClickHouseStore, str], Awaitable[Any]]
DAY = 86_400 * 10**9
STAR, PIN, MARK = SessionStar(session_id="s", user_id="u"), MessagePin(session_id="s"), SessionDelete(session_id="s")


async def purge(store: AsyncClickHouseStore, org: str) -> None:
    """What rewrites parts waits where merges are stopped."""
    await execute(store, Sql("SYSTEM START MERGES"))
    await store.purge_sessions(org, ["s"])
    await execute(store, Sql("SYSTEM STOP MERGES"))


# In this order. True: the session is gone afterwards.
WRITES: dict[str, tuple[Write, bool]] = {
    "messages alone": (lambda store, org: store.write_batch(org, [], [message(0, session_id="s")]), False),
    "calls alone": (lambda store, org: store.write_batch(org, [], [], [call(0, session_id="s")]), False),
    "session": (lambda store, org: store.write_session(org, session("s"), [message(0)], [call(0)]), False),
    "the same again": (lambda store, org: store.write_session(org, session("s"), [message(0)], [call(0)]), False),
    "replaced": (lambda store, org: store.write_session(org, session("s"), [message(0)], replace=True), False),
    "link": (lambda store, org: store.write_git_links(org, [commit("s", "abcd")]), False),
    "star": (lambda store, org: store.write_session_stars(org, [STAR]), False),
    "no star": (lambda store, org: store.remove_session_stars(org, [STAR]), False),
    "pin": (lambda store, org: store.write_message_pins(org, [PIN]), False),
    "no pin": (lambda store, org: store.remove_message_pins(org, [PIN]), False),
    "mark": (lambda store, org: store.write_session_deletes(org, [MARK]), False),
    "no mark": (lambda store, org: store.remove_session_deletes(org, [MARK]), False),
    "deleted": (lambda store, org: store.delete_sessions(org, ["s"]), True),
    "a message of a deleted one": (lambda store, org: store.write_batch(org, [], [message(1, session_id="s")]), True),
    "written after that": (lambda store, org: store.write_session(org, session("s")), False),
    "purged": (lambda store, org: purge(store, org), True),
    "restored": (lambda store, org: store.restore_sessions(org, ["s"]), True),
    "written again": (lambda store, org: store.write_session(org, session("s"), [message(0)]), False),
}  # fmt: skip


@pytest.fixture
async def own(server: Server, fresh_database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """A store on a database of its own, in which nothing is merged by itself."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        await execute(store, Sql("SYSTEM STOP MERGES"))
        try:
            yield store
        finally:
            await execute(store, Sql("SYSTEM START MERGES"))


async def execute(store: AsyncClickHouseStore, *statements: Sql) -> None:
    async with connected(store) as connection:
        for statement in statements:
            await connection.fetch(statement, {}, 60)


async def merge(store: AsyncClickHouseStore, *tables: str) -> None:
    await execute(store, Sql("SYSTEM START MERGES"), *(Sql(f"OPTIMIZE TABLE {table} FINAL") for table in tables))


def told(found: Changes) -> set[str]:
    return {*found.session_ids, *found.deleted_session_ids}


async def test_every_write_is_told_and_a_deleted_session_as_deleted(own: AsyncClickHouseStore, org: str) -> None:
    began = last = await own.changes(org)
    assert told(last) == set()
    for name, (write, is_gone) in WRITES.items():
        await write(own, org)
        last = await own.changes(org, last)
        assert (last.session_ids, last.deleted_session_ids) == (([], ["s"]) if is_gone else (["s"], [])), name
        by_version = await own.changes(org, began.version)
        assert told(by_version) == {"s"}, name
        # Once more nothing is new. Whoever remembers the version only is told again.
        last = await own.changes(org, last)
        assert told(last) == set(), name
        assert told(await own.changes(org, last.version)) == {"s"}, name


async def test_a_session_that_is_gone_is_not_told_again_for_its_family(own: AsyncClickHouseStore, org: str) -> None:
    rows = [message(0, source_id="1"), message(1, source_id="2")]
    for id in ("a", "b", "c"):
        await own.write_session(org, session(id), rows)
    await own.delete_sessions(org, ["a"])
    since = await own.changes(org)
    await own.write_session(org, session("c", display_name="new"), [])
    told = await own.changes(org, since)
    assert (told.session_ids, told.deleted_session_ids) == (["b", "c"], [])


async def test_merges_lose_nothing(own: AsyncClickHouseStore, org: str) -> None:
    began = last = await own.changes(org)
    for _ in range(3):
        await own.write_batch(org, [session("a"), session("b")], [message(0, session_id="a")])
        await own.delete_sessions(org, ["b"])
    await merge(own, "sessions", "messages")
    for since in (began, began.version, last):
        found = await own.changes(org, since)
        assert (found.session_ids, found.deleted_session_ids) == (["a"], ["b"])
    await own.write_session(org, session("c"))
    assert "c" in told(await own.changes(org, last))


async def test_what_is_there_already_is_not_told_in_the_beginning(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("before"))
    began = Changes()
    for since in (None, 0, Changes()):
        began = await store.changes(org, since)
        assert told(began) == set()
        assert began.version > 0
    await store.write_session(org, session("after"))
    assert "after" in told(await store.changes(org, began))
    assert told(await store.changes(org, 1)) == {"before", "after"}


async def test_an_answer_that_went_through_json_is_as_good(store: AsyncClickHouseStore, org: str) -> None:
    began = await store.changes(org)
    await store.write_session(org, session("s"))
    last = await store.changes(org, msgspec.json.decode(msgspec.json.encode(began), type=Changes))
    assert last.session_ids == ["s"]
    assert msgspec.json.decode(msgspec.json.encode(last), type=Changes) == last
    assert all(mark < 2**53 for mark in last.seen.values())


async def test_what_somebody_took_out_of_the_tables_is_told(own: AsyncClickHouseStore, org: str) -> None:
    began = await own.changes(org)
    await own.write_session(org, session("s"))
    last = await own.changes(org, began)
    await execute(own, Sql("SYSTEM START MERGES"))
    await execute(own, Sql("ALTER TABLE sessions DELETE WHERE id = 's' SETTINGS mutations_sync = 2"))
    assert (await own.changes(org, last)).session_ids == ["s"]


async def test_another_organisation_is_never_told(store: AsyncClickHouseStore, org: str) -> None:
    mine = await store.changes(org)
    for other in ("", "%", f"{org}%", org[:-1], f"{org} ", org.upper(), f"{org}\0", f"{org}' OR '1'='1"):
        await store.write_session(other, session("theirs"), [message(0)], [call(0)])
        await store.write_git_links(other, [commit("theirs", "abcd")])
        await store.write_session_stars(other, [SessionStar(session_id="theirs", user_id="u")])
        await store.delete_sessions(other, ["theirs too"])
    for since in (mine, mine.version, 1):
        found = await store.changes(org, since)
        assert (found.session_ids, found.deleted_session_ids, found.seen) == ([], [], {})
    assert "theirs" in told(await store.changes(f"{org}\0", 1))


@pytest.mark.parametrize("bad", [-1, True, "1", 1.0, b"1", 2**62, 2**64, Changes(version=-1), [], {},
                                 Changes(version=5, seen=[])], ids=repr)  # type: ignore[arg-type]  # fmt: skip
async def test_what_is_no_answer_is_refused(store: AsyncClickHouseStore, org: str, bad: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^since: ") as caught:
        await store.changes(org, bad)
    assert caught.value.field == "since"
    with pytest.raises(InvalidArgumentError, match=r"^org_id: "):
        await store.changes("\ud800")


# --- late rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["messages", "git_links", "session_stars", "sessions"])
async def test_what_arrives_late_is_told_when_it_does(
    server: Server, database: str, store: AsyncClickHouseStore, org: str, table: str
) -> None:
    """Accepted before what others wrote and were told of, stored after it."""
    late: dict[str, Write] = {
        "messages": lambda writer, org: writer.write_batch(org, [], [message(0, session_id="late")]),
        "git_links": lambda writer, org: writer.write_git_links(org, [commit("late", "abcd")]),
        "session_stars": lambda writer, org: writer.write_session_stars(org, [SessionStar(session_id="late")]),
        "sessions": lambda writer, org: writer.write_session(org, session("late")),
    }
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5) as (writer, proxy):
        last = await store.changes(org)
        proxy.on_insert = lambda into: Fault("late", seconds=3600.0) if into == table else None
        await swallowed(proxy, lambda: late[table](writer, org))
        versions = [last.version]
        for number in range(3):
            await store.write_session(org, session(f"{number}"))
            last = await store.changes(org, last)
            versions.append(last.version)
            assert f"{number}" in told(last)
            assert "late" not in told(last)
        assert await proxy.release_late() > 0
        assert "late" in told(await store.changes(org, last))
        for version in versions:
            assert "late" in told(await store.changes(org, version))


async def test_no_change_of_concurrent_writers_is_missed(
    server: Server, database: str, store: AsyncClickHouseStore, org: str
) -> None:
    """Two stores write the same few sessions, one over a network that holds up its inserts; a third asks all the time.

    A write is told by a call that ended after the write began, and at the latest by one that began after its end.
    """
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    asked, told_by, owed, missed = 0, dict[str, int](), list[tuple[str, int]](), list[tuple[str, int]]()
    done = asyncio.Event()

    async def write(writer: AsyncClickHouseStore, count: int) -> None:
        for number in range(count):
            id, began = f"s{rng.randrange(6)}", asked
            kind = rng.randrange(4)
            if kind == 0:
                await writer.write_batch(org, [], [message(number, session_id=id)])
            elif kind == 1:
                await writer.write_session_stars(org, [SessionStar(session_id=id, user_id=f"{rng.random()}")])
            else:
                await writer.write_session(org, session(id), [message(0)], [call(0)], replace=kind == 2)
            owed.append((id, began))

    async def ask() -> None:
        nonlocal asked
        last, last_round = await store.changes(org), False
        while not last_round:
            last_round = done.is_set()
            asked, due = asked + 1, len(owed)
            last = await store.changes(org, last)
            for id in told(last):
                told_by[id] = asked
            missed.extend((id, began) for id, began in owed[:due] if told_by.get(id, -1) < began)
            del owed[:due]

    async with behind_a_proxy(server, database) as (slow, proxy):
        proxy.on_insert = lambda table: (
            Fault("stall", at_byte=1, seconds=rng.random() / 5) if rng.random() < 0.3 else None
        )
        asker = asyncio.create_task(ask())
        await asyncio.gather(*(write(writer, 15) for writer in (slow, slow, slow, store, store)))
        done.set()
        await asker
    assert asked > 3
    assert (missed, owed) == ([], [])


# --- clocks -----------------------------------------------------------------------------------------------------------


async def row(store: AsyncClickHouseStore, org: str, id: str, version: int) -> None:
    statement = "INSERT INTO sessions (org_id, id, user_message_count, _version) SELECT {org}, {id}, 1, {version}"
    await execute(store, sql(statement, org=org, id=id, version=version))


async def test_the_version_lies_before_what_may_still_arrive(own: AsyncClickHouseStore, org: str) -> None:
    began = await own.changes(org)
    await own.write_session(org, session("s"))
    last = await own.changes(org, began)
    assert began.version <= last.version <= time.time_ns() - ARRIVED_AFTER_SECONDS * 10**9


async def test_the_version_does_not_rise_above_what_is_stored(own: AsyncClickHouseStore, org: str) -> None:
    """A writer draws versions above that, and no higher ones where the server's clock is set back after this."""
    old = time.time_ns() - 10 * DAY
    await row(own, org, "old", old)
    began = await own.changes(org)
    assert began.version == old
    assert (await own.changes(org, began)).version == old
    await row(own, org, "after a step back", old + 1)
    last = await own.changes(org, began)
    assert (last.session_ids, last.version) == (["after a step back"], old + 1)


@pytest.mark.parametrize("ahead", [time.time_ns() + DAY, 2**63 - 1, 2**64 - 1], ids=["a day", "rogue", "most"])
async def test_rows_that_are_ahead_hide_nothing(own: AsyncClickHouseStore, org: str, ahead: int) -> None:
    last = await own.changes(org)
    await row(own, org, "ahead", ahead)
    last = await own.changes(org, last)
    assert last.session_ids == ["ahead"]
    for number in range(3):
        await own.write_session(org, session(f"{number}"))
        last = await own.changes(org, last)
        assert last.session_ids == [f"{number}"]
        assert {"ahead", f"{number}"} <= told(await own.changes(org, last.version))
    assert last.version < time.time_ns()


# --- cost -------------------------------------------------------------------------------------------------------------

MESSAGES = 200_000
# Rows that one entry of the index on _version stands for: 64 granules of texts.
INDEXED = 64 * 256


async def old_rows(store: AsyncClickHouseStore, org: str) -> None:
    """A day old, so that they have arrived: 2,000 sessions of 100 messages, and a call with each."""
    values = (
        "SELECT {org}, concat('s', toString(intDiv(number, 100))), number % 100, {old} + number FROM numbers({count})"
    )
    for table, ordinal in (("messages", "ordinal"), ("tool_calls", "message_ordinal")):
        statement = "INSERT INTO {table} (org_id, session_id, {ordinal}, _version) {values}"
        rows = sql(values, org=org, old=time.time_ns() - DAY, count=MESSAGES)
        await execute(store, sql(statement, table=Sql(table), ordinal=Sql(ordinal), values=rows))
    await execute(
        store,
        sql(
            "INSERT INTO sessions (org_id, id, user_message_count, _version)"
            " SELECT {org}, concat('s', toString(number)), 1, {old} + number FROM numbers(2000)",
            org=org,
            old=time.time_ns() - DAY + 10 * MESSAGES,
        ),
    )


@pytest.mark.parametrize("merged", [False, True])
async def test_where_nothing_changed_nothing_is_read(own: AsyncClickHouseStore, org: str, merged: bool) -> None:
    """By the server's plan for the statements that are sent, once the first answer is there."""
    await old_rows(own, org)
    if merged:
        await merge(own, "messages", "tool_calls", "sessions")
    recorder = Recorder(own._open_pool)
    reads = ReadsThrough(recorder)

    async def rows(since: Changes | int | None) -> tuple[Changes, int]:
        recorder.statements.clear()
        found = await reads.changes(org, since)
        return found, sum((await recorder.rows()).values())

    began, read = await rows(None)
    assert 0 < read <= 2000
    last, read = await rows(began)
    assert (told(last), read) == (set(), 0)
    assert len(recorder.statements) == 1
    _, everything = await rows(1)
    assert everything >= 2 * MESSAGES
    # What is new is read each time until it is old, and not much beside it.
    await own.write_session(org, session("s7"), [message(n) for n in range(100)])
    last, read = await rows(last)
    assert last.session_ids == ["s7"]
    assert 101 <= read <= 2 * INDEXED
    last, again = await rows(last)
    assert (told(last), again) == (set(), read)
