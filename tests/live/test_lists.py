"""Which sessions a list shows: browsable, not deleted, filtered; in which order; counted how."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from agentstore import (
    AsyncClickHouseStore,
    InvalidArgumentError,
    InvalidCursorError,
    SessionDelete,
    SessionFilter,
)
from tests.builders import at, commit, message, pull_request, session


async def ids(store: AsyncClickHouseStore, org: str, **filter: Any) -> list[str]:
    page = await store.list_sessions(org, SessionFilter(**filter))
    assert page.total == len(page.sessions)
    assert page.next_cursor == ""
    return [found.id for found in page.sessions]


async def test_an_empty_organisation(store: AsyncClickHouseStore, org: str) -> None:
    page = await store.list_sessions(org)
    assert (page.sessions, page.next_cursor, page.total) == ([], "", 0)


async def test_newest_first_then_by_id_and_those_without_a_start_last(store: AsyncClickHouseStore, org: str) -> None:
    starts = {
        "b": at(1),
        "a": at(1),
        "z": None,
        "ä": None,
        "c": at(1, micro=1),
        "old": dt.datetime(1969, 1, 1, tzinfo=dt.UTC),
        "B": at(1),
    }
    await store.write_batch(org, [session(id, started_at=start) for id, start in starts.items()])
    assert await ids(store, org) == ["c", "b", "a", "B", "old", "ä", "z"]


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "silent": {"user_message_count": 0},
    "subagent": {"relationship_type": "subagent", "parent_session_id": "plain"},
    "orphan subagent": {"relationship_type": "subagent"},
    "child": {"parent_session_id": "plain"},
    "continuation": {"relationship_type": "continuation", "parent_session_id": "plain"},
    "fork": {"relationship_type": "fork", "parent_session_id": "plain"},
    "silent subagent": {"user_message_count": 0, "relationship_type": "subagent"},
}


async def test_continuations_and_forks_are_listed_and_subagents_on_request(
    store: AsyncClickHouseStore, org: str
) -> None:
    await store.write_batch(org, [session(kind, **fields) for kind, fields in KINDS.items()])
    listed = {"plain", "continuation", "fork"}
    assert set(await ids(store, org)) == listed
    assert set(await ids(store, org, include_subagents=True)) == listed | {"subagent", "orphan subagent", "child"}


async def test_any_session_can_be_read_by_its_id(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session(kind, **fields) for kind, fields in KINDS.items()])
    await store.write_session_deletes(org, [SessionDelete(session_id="plain")])
    for kind in KINDS:
        assert (await store.get_session(org, kind)).id == kind


async def test_a_session_that_becomes_a_subagent_leaves_the_list(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"))
    await store.write_session(org, session("s", relationship_type="subagent"))
    assert await ids(store, org) == []
    await store.write_session(org, session("s"))
    assert await ids(store, org) == ["s"]


async def test_marked_sessions_are_left_out_unless_asked_for(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session("a"), session("b"), session("child", parent_session_id="a")])
    await store.write_session_deletes(org, [SessionDelete(session_id="a"), SessionDelete(session_id="child")])
    assert await ids(store, org) == ["b"]
    assert await ids(store, org, include_deleted=True) == ["b", "a"]
    assert await ids(store, org, include_deleted=True, include_subagents=True) == ["child", "b", "a"]
    # A mark that comes before its session hides it too.
    await store.write_session_deletes(org, [SessionDelete(session_id="later")])
    await store.write_session(org, session("later"))
    assert await ids(store, org) == ["b"]


async def test_every_combination_of_filters(store: AsyncClickHouseStore, org: str) -> None:
    fields = ("user_id", "project_id", "project_name", "agent_type")
    everything = {}
    for number in range(16):
        chosen = {name: "yes" if number >> bit & 1 else "no" for bit, name in enumerate(fields)}
        everything[f"{number:02}"] = {**chosen, "started_at": at(number)}
    await store.write_batch(org, [session(id, **given) for id, given in everything.items()])
    for number in range(16):
        wanted: dict[str, Any] = {name: "yes" for bit, name in enumerate(fields) if number >> bit & 1}
        dates = {"date_from": at(3), "date_to": at(12)}
        matching = [
            id for id, given in everything.items() if all(given[name] == value for name, value in wanted.items())
        ]
        assert await ids(store, org, **wanted) == matching[::-1]
        assert await ids(store, org, **wanted, **dates) == [id for id in matching if 3 <= int(id) <= 12][::-1]


async def test_filters_are_exact(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s", user_id="Ada", project_name="a%_b", agent_type="claude"))
    assert await ids(store, org, user_id="Ada", project_name="a%_b", agent_type="claude") == ["s"]
    for wrong in ({"user_id": "ada"}, {"user_id": "Ad"}, {"user_id": "Ada "}, {"user_id": "%"}, {"project_name": "%"},
                  {"project_name": "axxb"}, {"agent_type": "claud_"}):  # fmt: skip
        assert await ids(store, org, **wrong) == []


async def test_dates_take_whole_days_both_ends_included(store: AsyncClickHouseStore, org: str) -> None:
    starts = {
        "4 last": at(23, 59, day=4, micro=999999),
        "5 first": at(0, 0, day=5),
        "5 last": dt.datetime(2026, 1, 5, 23, 59, 59, 999999, dt.UTC),
        "6 first": at(0, 0, day=6),
        "never": None,
    }
    await store.write_batch(org, [session(id, started_at=start) for id, start in starts.items()])
    day = dt.date(2026, 1, 5)
    for spelled in (day, "2026-01-05", "20260105"):
        assert await ids(store, org, date_from=spelled, date_to=spelled) == ["5 last", "5 first"]
    assert await ids(store, org, date_from=day) == ["6 first", "5 last", "5 first"]
    assert await ids(store, org, date_to=day) == ["5 last", "5 first", "4 last"]
    # A datetime is that instant, whatever its zone, and included at both ends.
    noon_in_tokyo = dt.timezone(dt.timedelta(hours=9))
    first = dt.datetime(2026, 1, 5, 9, tzinfo=noon_in_tokyo)
    assert await ids(store, org, date_from=first, date_to=first) == ["5 first"]
    assert await ids(store, org, date_from="2026-01-05T09:00:00+09:00", date_to="2026-01-05T00:00Z") == ["5 first"]
    assert await ids(store, org, date_from=first + dt.timedelta(microseconds=1), date_to=day) == ["5 last"]
    # Upside down is empty, the widest span is all that has a start.
    assert await ids(store, org, date_from=dt.date(2026, 1, 6), date_to=day) == []
    assert len(await ids(store, org, date_from=dt.date.min, date_to=dt.date.max)) == 4
    assert await ids(store, org, date_from=dt.date.max) == []
    assert await ids(store, org, date_to=dt.date.min) == []
    assert await ids(store, org, date_from="", date_to="") == await ids(store, org)


BAD_FILTERS: dict[str, dict[str, Any]] = {
    "date_from": {"date_from": "yesterday"},
    "date_to": {"date_to": dt.datetime(2026, 1, 5)},
    "naive text": {"date_from": "2026-01-05T00:00:00"},
    "a number for a date": {"date_from": 20260105},
    "no such day": {"date_to": "2026-02-30"},
    "limit 0": {"limit": 0},
    "limit 1001": {"limit": 1001},
    "limit -1": {"limit": -1},
    "limit text": {"limit": "10"},
    "limit bool": {"limit": True},
    "limit None": {"limit": None},
    "user_id": {"user_id": None},
    "agent_type": {"agent_type": 5},
    "cursor garbage": {"cursor": "no cursor"},
    "cursor None": {"cursor": None},
}


@pytest.mark.parametrize("case", BAD_FILTERS)
async def test_a_bad_filter_is_refused(store: AsyncClickHouseStore, org: str, case: str) -> None:
    [field] = BAD_FILTERS[case]
    with pytest.raises(InvalidArgumentError, match=rf"^{field}: ") as caught:
        await store.list_sessions(org, SessionFilter(**BAD_FILTERS[case]))
    assert caught.value.field == field
    assert isinstance(caught.value, InvalidCursorError) == (field == "cursor")


async def test_a_filter_of_another_type_is_refused(store: AsyncClickHouseStore, org: str) -> None:
    wrong: Any
    for wrong in (None, {}, "text", session("s")):
        with pytest.raises(InvalidArgumentError, match=r"^filter: expected SessionFilter"):
            await store.list_sessions(org, wrong)
        with pytest.raises(InvalidArgumentError, match=r"^query: expected SearchQuery"):
            await store.search(org, wrong)


async def test_the_limit_cuts_and_the_total_does_not(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session(f"{n:04}", user_id=f"{n % 2}") for n in range(60)])
    page = await store.list_sessions(org)
    assert (len(page.sessions), page.total) == (50, 60)
    page = await store.list_sessions(org, SessionFilter(limit=1, user_id="1"))
    assert ([found.id for found in page.sessions], page.total) == (["0059"], 30)
    rest = await store.list_sessions(org, SessionFilter(limit=1000, user_id="1", cursor=page.next_cursor))
    assert (len(rest.sessions), rest.total, rest.next_cursor) == (29, 30, "")
    exact = await store.list_sessions(org, SessionFilter(limit=60))
    assert (len(exact.sessions), exact.next_cursor) == (60, "")


async def test_commit_count_is_the_number_of_links(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session("a"), session("b")])
    await store.write_git_links(
        org, [commit("a", "abcd"), commit("a", "abce"), pull_request("a", "https://x/1"), commit("elsewhere", "abcd")]
    )
    await store.write_git_links(org, [commit("a", "abcd", message_ordinal=9)])
    listed = (await store.list_sessions(org)).sessions
    assert [(found.id, found.commit_count) for found in listed] == [("b", 0), ("a", 3)]
    assert (await store.get_session(org, "a")).commit_count == 3


async def test_a_session_listed_equals_the_session_read(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s", user_id="u", started_at=at(micro=7)), [message(0)])
    assert (await store.list_sessions(org)).sessions == [await store.get_session(org, "s")]
