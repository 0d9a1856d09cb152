"""``mark`` and ``write_session(replace=mark)``: what a session that comes in several calls takes away, and what not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, WriteMark
from agentstore.write.clock import HIGHEST_TIME
from agentstore.write.sweep import sweep
from tests.builders import at, call, message, session, touch
from tests.live.patience import in_the_end, swallowed
from tests.live.snapshot import snapshot
from tests.live.test_versions import far_away, others, own, swallow
from tests.live.test_writer import behind_a_proxy, contents, is_published
from tests.servers import Server

__all__ = ["own"]  # a fixture


async def test_what_is_no_mark_is_refused(store: AsyncClickHouseStore, org: str) -> None:
    soon = time.time_ns() + 60 * 10**9
    marks: list[Any] = [WriteMark(soon), WriteMark(HIGHEST_TIME), WriteMark(2**64), WriteMark(0), WriteMark(-1)]
    marks += [WriteMark(True), WriteMark("1"), WriteMark(1.5), WriteMark(None)]  # type: ignore[arg-type]
    for wrong in [*marks, 1, 0, "", "yes", None, 5]:
        with pytest.raises(InvalidArgumentError, match="replace: ") as refused:
            await store.write_session(org, session("s"), [message(0)], replace=wrong)
        assert refused.value.field == "replace"
        with pytest.raises(InvalidArgumentError, match="replace: "):
            await store.submit_session(org, session("s"), [message(0)], replace=wrong)
    await store.flush()
    assert not await is_published(store, org, "s")
    assert await contents(store, org, "s") == []
    await store.write_session(org, session("s"), [message(0, "in time")])
    assert await contents(store, org, "s") == ["in time"]


async def test_marks_grow_and_lie_between_the_calls(store: AsyncClickHouseStore, org: str) -> None:
    first, second = await store.mark(), await store.mark()
    assert 0 < first.version < second.version


async def test_what_was_submitted_before_a_mark_is_older(store: AsyncClickHouseStore, org: str) -> None:
    receipts = [store.submit_session(org, session("s"), [message(n, "before")]) for n in range(20)]
    mark = await store.mark()
    receipts.append(store.submit_session(org, session("s"), [message(3, "after")], replace=mark))
    for receipt in receipts:
        await receipt
    assert await contents(store, org, "s") == ["after"]


async def test_the_mark_of_a_store_far_away_holds_for_what_others_write_next(
    store: AsyncClickHouseStore, org: str
) -> None:
    """Its clock is ahead of the server's by as long as its questions take there."""
    await store.write_session(org, session("s"), [message(n, "old") for n in range(3)])
    async with far_away(store, 0.4, 0.0) as far:
        mark = await far.mark()
        assert (await store.mark()).version > mark.version
        await store.write_session(org, session("s"), [message(0, "new")])
        await store.write_session(org, session("s"), [message(1, "new")], replace=mark)
        assert await contents(store, org, "s") == ["new", "new"]


async def test_rows_of_another_store_written_since_stay_and_older_ones_go(
    store: AsyncClickHouseStore, org: str
) -> None:
    async with others(store) as (other,):
        await other.write_session(org, session("s"), [message(n, "old") for n in range(5)], [call(1)])
        await other.write_session(f"{org}-other", session("s"), [message(n, "theirs") for n in range(5)])
        theirs = await snapshot(store, f"{org}-other", ["s"])
        mark = await store.mark()
        await store.write_session(org, session("s"), [message(0, "mine")])
        await other.write_session(org, session("s"), [message(4, "meanwhile")], [call(4)])
        await other.write_file_touches(org, [touch("s", "a.py")])
        await store.write_session(org, session("s"), [message(1, "mine")], replace=mark)
        assert await contents(store, org, "s") == ["mine", "mine", "meanwhile"]
        assert [one.message_ordinal for one in await store.get_session_tool_calls(org, "s")] == [4]
        assert len((await store.file_history(org, "a.py")).touches) == 1
        assert await snapshot(store, f"{org}-other", ["s"]) == theirs


async def test_a_session_deleted_meanwhile_keeps_only_what_was_written_since(
    store: AsyncClickHouseStore, org: str
) -> None:
    mark = await store.mark()
    await store.write_session(org, session("s"), [message(0, "before")])
    await store.delete_sessions(org, ["s"])
    await store.write_session(org, session("s"), [message(1, "after")], replace=mark)
    assert await contents(store, org, "s") == ["after"]


async def test_a_mark_of_before_a_purge_brings_nothing_back(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0, "purged"), message(1, "purged")])
    mark = await store.mark()
    await store.purge_sessions(org, ["s"])
    await store.restore_sessions(org, ["s"])
    await store.write_session(org, session("s"), [message(1, "new")], replace=mark)
    assert await contents(store, org, "s") == ["new"]


async def test_a_late_floor_of_a_mark_takes_away_no_more(
    server: Server, database: str, store: AsyncClickHouseStore, org: str
) -> None:
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5) as (first, proxy):
        await store.write_session(org, session("s"), [message(n, "old") for n in range(4)])
        mark = await store.mark()
        await in_the_end(lambda: first.write_session(org, session("s"), [message(0, "new")]))
        swallow(proxy, "session_floors")
        replaced = [message(1, "new")]
        await swallowed(proxy, lambda: first.write_session(org, session("s"), replaced, replace=mark))
        await store.write_session(org, session("s"), [message(3, "after")])
        assert await contents(store, org, "s") == ["new", "new", "old", "after"]
        assert await proxy.release_late() > 0
    assert await contents(store, org, "s") == ["new", "new", "after"]


async def test_a_sweep_of_a_mark_takes_away_what_is_older_than_the_mark(own: AsyncClickHouseStore, org: str) -> None:
    await own.write_session(org, session("s"), [message(n, "e old") for n in range(4)], [call(0), call(3)])
    mark = await own.mark()
    await own.write_session(org, session("s"), [message(0, "e new")], [call(0)])
    await own.write_session(org, session("s"), [message(1, "e new")], replace=mark)
    before = await snapshot(own, org, ["s"])
    while await sweep(own._open_pool, older_than_seconds=0):
        pass
    assert await snapshot(own, org, ["s"]) == before
    # Said again, as after an error: what stands since stays.
    await own.write_session(org, session("s"), [message(2, "e newer")], replace=mark)
    assert await contents(own, org, "s") == ["e new", "e new", "e newer"]


async def test_a_marked_replace_counts_as_one_in_a_single_call(store: AsyncClickHouseStore, org: str) -> None:
    """Of two sessions that share messages, the owner holds only some of them afterwards."""
    rows = [message(n, f"e {n}", source_id=f"m{n}", output_tokens=10, role="assistant") for n in range(4)]
    rows.append(message(9, "e", content_length=1, timestamp=at()))
    kept, copies = [rows[0], rows[-1]], []
    for name in ("single", "marked"):
        for id in ("first", "second"):
            await store.write_session(f"{org}-{name}", session(id, started_at=at(len(id))), rows)
        copies.append([one.copied_message_count for one in (await store.list_sessions(f"{org}-{name}")).sessions])
        mark = await store.mark()
        if name == "single":
            await store.write_session(f"{org}-{name}", session("first", started_at=at()), kept, replace=True)
        else:
            await store.write_session(f"{org}-{name}", session("first", started_at=at()), kept[:1])
            await store.write_session(f"{org}-{name}", session("first", started_at=at()), kept[1:], replace=mark)
    assert [sorted(one) for one in copies] == [[0, 5]] * 2
    single, marked = [
        [(one.id, one.copied_message_count) for one in (await store.list_sessions(f"{org}-{name}")).sessions]
        for name in ("single", "marked")
    ]
    assert single == marked
    assert sum(count for _, count in marked) == 2
    usage = [await store.token_usage_by_model(f"{org}-{name}") for name in ("single", "marked")]
    assert usage[0] == usage[1]


async def test_a_marked_replace_is_told_as_a_change(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(n, "old") for n in range(3)])
    mark = await store.mark()
    said = await store.changes(org)
    said = await store.changes(org, said)
    await store.write_session(org, session("s"), [message(0, "new")])
    said = await store.changes(org, said)
    assert said.session_ids == ["s"]
    await store.write_session(org, session("s"), replace=mark)
    assert (await store.changes(org, said)).session_ids == ["s"]
    assert await contents(store, org, "s") == ["new"]
