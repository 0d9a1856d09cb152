"""Lists read their keys first and the sessions then: what is written in between, or between two pages.

And what the keys have to get right: equal starts and none, hostile ids, rewritten rows in parts that are not merged.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, GitLink, Session, SessionDelete, SessionFilter
from agentstore.connection.sql import Sql, sql
from agentstore.models import SessionPage
from agentstore.protocols import Columns, Executor
from agentstore.read.keys import session_key
from agentstore.read.session_rows import PACKED
from agentstore.read.sip_hash import sip_hash_128
from tests.builders import at, call, commit, message, session, stored
from tests.hostile import TEXTS
from tests.live.model import Model
from tests.reads import ReadsThrough

Write = Callable[[], Awaitable[object]]
STARTS = [None, at(1), at(1, micro=1), at(2), at(3), at(4)]


class WritingInBetween:
    """An executor that writes once something has been read: after the keys of a page, before its sessions."""

    def __init__(self, executor: Executor, write: Write) -> None:
        self._executor = executor
        self._write: Write | None = write

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        columns = await self._executor.fetch(query, settings)
        write, self._write = self._write, None
        if write:
            await write()
        return columns

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        await self._executor.execute(query, settings, timeout_seconds=timeout_seconds)


async def listed(store: AsyncClickHouseStore, org: str, write: Write, **filter: Any) -> SessionPage:
    """A page, with this written in the middle of it."""
    reads = ReadsThrough(WritingInBetween(store._open_pool, write))
    return await reads.list_sessions(org, SessionFilter(**filter))


async def five(store: AsyncClickHouseStore, org: str) -> None:
    """Sessions "1" … "5", the last one first in a list."""
    await store.write_batch(org, [session(f"{n}", started_at=at(n)) for n in range(1, 6)])


def ids(page: SessionPage) -> list[str]:
    return [one.id for one in page.sessions]


async def walked(store: AsyncClickHouseStore, org: str, limit: int, **filter: Any) -> tuple[list[Session], set[int]]:
    found, totals, cursor = list[Session](), set[int](), ""
    while True:
        page = await store.list_sessions(org, SessionFilter(**filter, limit=limit, cursor=cursor))
        found += page.sessions
        totals.add(page.total)
        cursor = page.next_cursor
        if not cursor:
            return found, totals


# --- between the keys and the sessions --------------------------------------------------------------------------------


async def test_a_session_rewritten_in_between_is_shown_as_it_is_read(store: AsyncClickHouseStore, org: str) -> None:
    await five(store, org)
    moved = session("4", started_at=at(23), display_name="moved")
    page = await listed(store, org, lambda: store.write_session(org, moved), limit=3)
    assert page.sessions == [await store.get_session(org, id) for id in ("5", "4", "3")]
    assert page.sessions[1] == stored(moved, org)
    rest = await store.list_sessions(org, SessionFilter(cursor=page.next_cursor))
    assert (ids(rest), page.total) == (["2", "1"], 5)


@pytest.mark.parametrize("last", ["4", "3"])
async def test_a_session_removed_in_between_is_left_out(store: AsyncClickHouseStore, org: str, last: str) -> None:
    """Also where it is the last of its page, which says where the next one begins."""
    await five(store, org)
    page = await listed(store, org, lambda: store.delete_sessions(org, [last]), limit=3)
    assert ids(page) == [id for id in ("5", "4", "3") if id != last]
    assert ids(await store.list_sessions(org, SessionFilter(cursor=page.next_cursor))) == ["2", "1"]


async def test_a_page_of_which_all_are_removed_leads_to_the_next(store: AsyncClickHouseStore, org: str) -> None:
    await five(store, org)
    page = await listed(store, org, lambda: store.delete_sessions(org, ["5", "4"]), limit=2)
    assert (ids(page), page.total) == ([], 5)
    assert ids(await store.list_sessions(org, SessionFilter(cursor=page.next_cursor))) == ["3", "2", "1"]


async def test_a_session_purged_in_between_is_left_out(store: AsyncClickHouseStore, org: str) -> None:
    await five(store, org)
    assert ids(await listed(store, org, lambda: store.purge_sessions(org, ["5"]))) == ["4", "3", "2", "1"]


async def test_a_session_written_in_between_waits_for_the_next_call(store: AsyncClickHouseStore, org: str) -> None:
    await five(store, org)
    page = await listed(store, org, lambda: store.write_session(org, session("6", started_at=at(6))))
    assert (ids(page), page.total) == (["5", "4", "3", "2", "1"], 5)
    assert ids(await store.list_sessions(org))[0] == "6"


async def test_a_session_replaced_in_between_has_the_new_counts(store: AsyncClickHouseStore, org: str) -> None:
    calls = [call(n, tool_use_id=f"t{n}") for n in range(5)]
    await store.write_session(org, session("s"), [], calls)
    await store.write_git_links(org, [commit("s", "abcd")])
    page = await listed(store, org, lambda: store.write_session(org, session("s"), [], calls[3:], replace=True))
    assert [(one.tool_call_count, one.commit_count) for one in page.sessions] == [(2, 1)]


async def test_an_iterator_goes_on_where_its_keys_end(store: AsyncClickHouseStore, org: str) -> None:
    """The last session of what it fetches at a time is removed before it is read."""
    sessions = [session(f"{n:04}", started_at=None if n < 100 else at(n % 24)) for n in range(1100)]
    await store.write_batch(org, sessions)
    expected = [one.id async for one in store.iter_sessions(org)]
    write = WritingInBetween(store._open_pool, lambda: store.delete_sessions(org, [expected[499], expected[7]]))
    found = [one.id async for one in ReadsThrough(write).iter_sessions(org)]
    assert found == [id for id in expected if id not in (expected[499], expected[7])]


# --- between two pages ------------------------------------------------------------------------------------------------


async def test_a_session_that_moves_between_two_pages_moves_nobody_else(store: AsyncClickHouseStore, org: str) -> None:
    """One that was shown goes behind the cursor, and one that was not goes before it, or loses its start."""
    await five(store, org)
    page = await store.list_sessions(org, SessionFilter(limit=2))
    assert ids(page) == ["5", "4"]
    await store.write_session(org, session("5", started_at=at(0)))
    await store.write_session(org, session("3", started_at=at(23)))
    await store.write_session(org, session("2", started_at=None))
    rest = await store.list_sessions(org, SessionFilter(cursor=page.next_cursor))
    assert (ids(rest), rest.total) == (["1", "5", "2"], 5)
    assert ids(await store.list_sessions(org)) == ["3", "4", "1", "5", "2"]


async def test_marks_between_two_pages(store: AsyncClickHouseStore, org: str) -> None:
    await five(store, org)
    page = await store.list_sessions(org, SessionFilter(limit=2))
    await store.write_session_deletes(org, [SessionDelete(session_id=id) for id in ("4", "2")])
    rest = await store.list_sessions(org, SessionFilter(cursor=page.next_cursor))
    assert (ids(rest), rest.total) == (["3", "1"], 3)
    await store.remove_session_deletes(org, [SessionDelete(session_id=id) for id in ("4", "2")])
    rest = await store.list_sessions(org, SessionFilter(cursor=page.next_cursor))
    assert (ids(rest), rest.total) == (["3", "2", "1"], 5)


async def test_the_total_is_known_behind_the_last_session(store: AsyncClickHouseStore, org: str) -> None:
    await five(store, org)
    page = await store.list_sessions(org, SessionFilter(limit=3))
    await store.delete_sessions(org, ["2", "1"])
    assert await store.list_sessions(org, SessionFilter(cursor=page.next_cursor)) == SessionPage([], "", 3)
    nobody = SessionFilter(cursor=page.next_cursor, user_id="nobody")
    assert await store.list_sessions(org, nobody) == SessionPage([], "", 0)


# --- the keys ---------------------------------------------------------------------------------------------------------


async def test_hostile_ids_are_walked_read_and_counted(store: AsyncClickHouseStore, org: str) -> None:
    records = [session(id, started_at=STARTS[n % 3], git_branch=id) for n, id in enumerate(TEXTS.values())]
    calls = [call(0, session_id=one.id) for one in records]
    await store.write_batch(org, records, [], calls)
    await store.write_git_links(org, [link for one in records for link in (commit(one.id, "a1"), commit(one.id, "b2"))])
    found, totals = await walked(store, org, 2)
    assert totals == {len(records)}
    expected = [stored(one, org, tool_call_count=1, commit_count=2) for one in records]
    assert sorted(found, key=lambda one: one.id) == sorted(expected, key=lambda one: one.id)
    assert await store.get_sessions(org, [one.id for one in records]) == sorted(expected, key=lambda one: one.id)
    for one in expected:
        assert await store.get_session(org, one.id) == one
    await store.write_session_deletes(org, [SessionDelete(session_id=one.id) for one in records])
    assert (await store.list_sessions(org)).total == 0


async def test_keys_computed_here_are_those_of_the_server(store: AsyncClickHouseStore) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # shown where the test fails
    chance = random.Random(seed)
    texts = [*TEXTS.values(), *("".join(chance.choices("ab-é日😀\0'\\", k=length)) for length in range(70))]
    columns = await store._open_pool.fetch(
        sql("SELECT {key}", key=session_key(sql("arrayJoin({texts})", texts=texts))), {}
    )
    assert list(columns[0]) == [sip_hash_128(text.encode()) for text in texts]


async def test_every_field_is_read_as_it_was_written(store: AsyncClickHouseStore, org: str) -> None:
    """Rows are read packed: no field may be taken for another, and the largest numbers stay exact."""
    texts: dict[str, Any] = {name: f"{name} 'ä'\0" for name in PACKED if isinstance(getattr(session("x"), name), str)}
    full = stored(
        session("s"),
        org,
        **{**texts, "relationship_type": "fork"},
        started_at=at(1, micro=1),
        ended_at=at(year=1969, micro=999_999),
        message_count=2**32 - 1,
        user_message_count=2**32 - 2,
        total_output_tokens=2**64 - 1,
        peak_context_tokens=2**64 - 2,
    )
    plain = stored(Session("plain"), org)
    late = stored(session("late", started_at=at(year=2200), ended_at=None), org)
    await store.write_batch(org, [full, plain, late])
    assert await store.get_sessions(org, ["s", "plain", "late", "none"]) == [late, plain, full]
    assert [await store.get_session(org, id) for id in ("s", "plain", "late")] == [full, plain, late]


async def test_fields_that_are_no_text_are_read_with_replacements(store: AsyncClickHouseStore, org: str) -> None:
    """Rows that somebody else wrote into the database."""
    await five(store, org)
    foreign = "INSERT INTO sessions (org_id, id, user_message_count, first_message) SELECT {org}, 's', 7, unhex('FF')"
    await store._open_pool.execute(sql(foreign, org=org))
    found = (await store.list_sessions(org)).sessions
    assert [(one.id, one.first_message) for one in found] == [*((f"{n}", "") for n in (5, 4, 3, 2, 1)), ("s", "\ufffd")]
    assert await store.get_session(org, "s") == found[-1]
    assert found[-1].user_message_count == 7


async def test_lists_against_the_model(store: AsyncClickHouseStore, org: str) -> None:
    """Random sessions, rewritten with other starts in parts of their own, replaced, removed, marked; all filters."""
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # shown where the test fails
    chance, model = random.Random(seed), Model(org)
    names = [f"{uuid.UUID(int=chance.getrandbits(128))}" for _ in range(30)] + ["'; --", "ä", "\\", "\0"]
    choices: dict[str, list[Any]] = {
        "user_id": ["u", "v"], "date_from": STARTS, "date_to": STARTS, "title": ["T", "no"], "with_commits": [True],
        "active_from": STARTS, "id_prefix": ["a", "'", "1"], "parent_session_id": names[:3],
    }  # fmt: skip
    for _ in range(25):
        await _write_something(chance, store, model, names)
    for _ in range(30):
        filter: dict[str, Any] = {name: chance.random() < 0.5 for name in ("include_subagents", "include_deleted")}
        for name, values in choices.items():
            if chance.random() < 0.2:
                filter[name] = chance.choice(values)
        expected = model.list_sessions(**filter)
        found, totals = await walked(store, org, chance.choice([1, 2, 5, 50]), **filter)
        assert (found, totals) == (expected, {len(expected)}), filter
        assert [one async for one in store.iter_sessions(org, SessionFilter(**filter))] == expected, filter


async def _write_something(chance: random.Random, store: AsyncClickHouseStore, model: Model, names: list[str]) -> None:
    org, kind = model.org, chance.choice(["batch", "batch", "batch", "replace", "delete", "mark", "unmark", "link"])
    some = chance.sample(names, k=chance.randrange(1, 8))
    if kind in ("batch", "replace"):
        for id in some:
            one = session(
                id,
                started_at=chance.choice(STARTS),
                ended_at=chance.choice(STARTS),
                user_id=chance.choice("uv"),
                display_name=chance.choice(["", "a title"]),
                user_message_count=chance.choice([0, 1, 1]),
                relationship_type=chance.choice(["", "", "subagent", "fork"]),
                parent_session_id=chance.choice(["", "", *names[:3]]),
            )
            messages = [message(n, f"{id} {n}") for n in range(chance.randrange(2))]
            calls = [call(n, tool_use_id="t") for n in range(chance.randrange(4))]
            await store.write_session(org, one, messages, calls, replace=kind == "replace")
            model.write_session(one, messages, calls, replace=kind == "replace")
    elif kind == "delete":
        await store.delete_sessions(org, some[:3])
        model.delete_sessions(some[:3])
    elif kind == "link":
        links: list[GitLink] = [commit(id, chance.choice(["a1", "b2"])) for id in some]
        await store.write_git_links(org, links)
        for link in links:
            model.set("commits", (link.session_id, link.commit_sha))
    elif kind == "mark":
        await store.write_session_deletes(org, [SessionDelete(session_id=id) for id in some])
        for id in some:
            model.set("marked", id)
    else:
        await store.remove_session_deletes(org, [SessionDelete(session_id=id) for id in some])
        for id in some:
            model.set("marked", id, there=False)
