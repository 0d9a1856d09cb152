"""What a list can be narrowed to beyond users and projects, against plain Python; what is counted on its sessions."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, Session, SessionFilter, SessionStar
from agentstore.connection.sql import Sql, sql
from tests import reference
from tests.builders import at, call, commit, message, pull_request, session
from tests.hostile import TEXTS
from tests.live.connections import connected

TITLES = [
    "",
    "Fix the ÄRGER",
    "fix the ärger",
    "100%",
    "100",
    "a_b",
    "axb",
    "C:\\new",
    "ὈΔΥΣΣΕΎΣ",
    "Straße",
    "日本語",
    "'",
]
SPANS: list[tuple[dt.datetime | None, dt.datetime | None]] = [
    (at(1), at(3)),
    (at(1), at(1)),
    (at(2), None),
    (at(5), at(4)),
    (None, at(2)),
    (None, None),
    (at(23), at(1, day=6)),
    (at(1, day=4), at(1, day=8)),
    (at(0, day=6), at(1, day=6)),
]


def sessions() -> list[Session]:
    """Many that differ in one thing or in several."""
    found = [session(f"t{n}", display_name=title, started_at=at(n)) for n, title in enumerate(TITLES)]
    found += [session(f"f{n}", first_message=f"x {title} y", started_at=at(n)) for n, title in enumerate(TITLES)]
    found += [session(f"S{n}", started_at=span[0], ended_at=span[1]) for n, span in enumerate(SPANS)]
    found += [
        session(f"id_{n}", git_branch=text, project_path=text) for n, text in enumerate(["main", "Main", "m%", "%"])
    ]
    found += [session(f"id%{n}", parent_session_id="t1", relationship_type=kind) for n, kind in enumerate(["fork", ""])]
    return found


STARS = {"u": {"t1", "t2", "id_0", "nowhere"}, "U": {"t1"}, "%": {"f3"}}
COMMITS = {"t1": 2, "f1": 1, "id%0": 1}

BEGINS = [None, at(2), at(5), at(day=5).date(), at(day=6).date(), "2026-01-07", at(3, micro=1)]
ENDS = [None, at(0), at(2), at(5), at(day=5).date(), at(day=7).date(), "2026-01-05T02:30:00+02:00", dt.date.max]
FILTERS: list[dict[str, Any]] = [
    *({"title": title} for title in [*TITLES, "x", "ÄRGER", "σ", "ss", "SSE", "%", "_", "\\", "本", "\0"]),
    *({"id_prefix": prefix} for prefix in ("t", "t1", "T", "id_", "id%", "id", "%", "_", "\\", "t1 ")),
    *({name: text} for name in ("git_branch", "project_path") for text in ("main", "Main", "m%", "%", "_", "mai")),
    *({"starred_by": user} for user in ("u", "U", "%", "", "nobody", "'")),
    {"with_commits": True},
    {"parent_session_id": "t1"},
    {"parent_session_id": "t1", "include_subagents": True},
    {"starred_by": "u", "with_commits": True, "title": "ärger"},
    {"id_prefix": "t", "starred_by": "u", "active_from": at(2)},
    *({"active_from": begin, "active_to": end} for begin in BEGINS for end in ENDS),
    {"active_from": at(3), "date_to": at(1)},
    {"active_from": dt.date.max},
    {"active_to": dt.date.min},
    {"active_from": "", "active_to": ""},
]  # fmt: skip


def expected(filter: SessionFilter) -> list[str]:
    """By plain Python, newest first."""
    found = [
        one
        for one in sessions()
        if reference.matches(
            one,
            filter,
            starred_by={user for user, ids in STARS.items() if one.id in ids},
            commits=COMMITS.get(one.id, 0),
            marked=False,
        )
    ]
    return [one.id for one in sorted(found, key=lambda one: (one.started_at or at(year=1), one.id), reverse=True)]


async def write_all(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, sessions())
    await store.write_session_stars(
        org, [SessionStar(session_id=id, user_id=user) for user, ids in STARS.items() for id in ids]
    )
    await store.write_git_links(
        org, [commit(id, f"abcd{number}") for id, count in COMMITS.items() for number in range(count)]
    )


async def walked(store: AsyncClickHouseStore, org: str, filter: dict[str, Any], limit: int) -> list[str]:
    """The ids on all pages, whose totals agree."""
    found, totals, cursor = list[str](), set[int](), ""
    while True:
        page = await store.list_sessions(org, SessionFilter(**filter, limit=limit, cursor=cursor))
        found += [one.id for one in page.sessions]
        totals.add(page.total)
        cursor = page.next_cursor
        if not cursor:
            break
    assert totals == {len(found)}
    return found


async def test_every_filter_against_plain_python(store: AsyncClickHouseStore, org: str) -> None:
    await write_all(store, org)
    for filter in FILTERS:
        ids = expected(SessionFilter(**filter))
        assert await walked(store, org, filter, 1000) == ids, filter


async def test_every_filter_with_cursors_and_iterated(store: AsyncClickHouseStore, org: str) -> None:
    await write_all(store, org)
    for filter in FILTERS[::3]:
        ids = expected(SessionFilter(**filter))
        assert await walked(store, org, filter, max(1, len(ids) // 3)) == ids, filter
        assert [one.id async for one in store.iter_sessions(org, SessionFilter(**filter))] == ids, filter


async def test_some_filters_match_some_sessions() -> None:
    """Else the comparisons above say nothing."""
    counts = {len(expected(SessionFilter(**filter))) for filter in FILTERS}
    assert {0, 1, 2} < counts
    assert len(expected(SessionFilter(title="ärger"))) == 4
    assert expected(SessionFilter(active_from=at(4), active_to=at(3))) == []


async def test_a_filter_sees_nothing_of_another_organisation(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session("s"), session("t")])
    for other in ("", "%", f"{org}-other", org.upper()):
        await store.write_session(other, session("s", display_name="theirs"), [], [call(0)])
        await store.write_session_stars(other, [SessionStar(session_id="s", user_id="u")])
        await store.write_git_links(other, [commit("s", "abcd")])
    for filter in ({"starred_by": "u"}, {"with_commits": True}, {"title": "theirs"}):
        assert await walked(store, org, filter, 1000) == []
    assert [one.tool_call_count for one in (await store.list_sessions(org)).sessions] == [0, 0]


async def test_floors_hide_stars_links_and_calls(store: AsyncClickHouseStore, org: str) -> None:
    calls = [call(n, tool_use_id=f"t{n}") for n in range(5)]
    await store.write_session(org, session("s"), [], calls)
    await store.write_session_stars(org, [SessionStar(session_id="s", user_id="u")])
    await store.write_git_links(org, [commit("s", "abcd"), pull_request("s", "https://x/1")])
    everything: dict[str, Any] = {"starred_by": "u", "with_commits": True}
    assert await walked(store, org, everything, 10) == ["s"]
    await store.delete_sessions(org, ["s"])
    await store.write_session(org, session("s"), [], calls[:1])
    for name, value in everything.items():
        assert await walked(store, org, {name: value}, 10) == []
    assert (await store.get_session(org, "s")).tool_call_count == 1
    await store.write_session_stars(org, [SessionStar(session_id="s", user_id="u")])
    assert await walked(store, org, {"starred_by": "u"}, 10) == ["s"]
    await store.remove_session_stars(org, [SessionStar(session_id="s", user_id="u")])
    assert await walked(store, org, {"starred_by": "u"}, 10) == []


async def test_tool_calls_are_counted_as_they_are_read(store: AsyncClickHouseStore, org: str) -> None:
    """After rewrites, replaces and tombstones, with parts merged or not."""

    async def counts() -> dict[str, int]:
        listed = (await store.list_sessions(org)).sessions
        for one in listed:
            assert one == await store.get_session(org, one.id)
            assert one.tool_call_count == len(await store.get_session_tool_calls(org, one.id))
        return {one.id: one.tool_call_count for one in listed}

    calls = [call(n, tool_use_id=f"t{n}") for n in range(6)]
    await store.write_batch(org, [session("a"), session("b"), session("c")], [message(0, session_id="a")])
    assert await counts() == {"a": 0, "b": 0, "c": 0}
    for _ in range(2):
        await store.write_session(org, session("a"), [], calls)
        await store.write_session(org, session("b"), [], calls[:2])
        assert await counts() == {"a": 6, "b": 2, "c": 0}
    await store.write_session(org, session("a"), [], calls[4:], replace=True)
    assert await counts() == {"a": 2, "b": 2, "c": 0}
    await store.write_session(org, session("b"), [], [call(0), call(0), call(9)])
    assert await counts() == {"a": 2, "b": 5, "c": 0}
    await store.write_session(org, session("a"), replace=True)
    assert await counts() == {"a": 0, "b": 5, "c": 0}
    async with connected(store) as connection:
        for statement in (
            sql("INSERT INTO tool_calls (org_id, session_id, message_ordinal, tool_use_id, _deleted)"
                " SELECT {org}, 'b', 0, 't0', 1", org=org),
            Sql("OPTIMIZE TABLE tool_calls FINAL"),
        ):  # fmt: skip
            await connection.fetch(statement, {}, 60)
            assert await counts() == {"a": 0, "b": 4, "c": 0}


async def test_the_count_of_tool_calls_is_ignored_on_write(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s", tool_call_count=99))
    assert (await store.get_session(org, "s")).tool_call_count == 0


async def test_hostile_texts_mean_themselves(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(
        org,
        [
            session(text, display_name=f"a{text}b", first_message=text, git_branch=text, project_path=text)
            for text in TEXTS.values()
        ],
    )
    await store.write_session_stars(org, [SessionStar(session_id=text, user_id=text) for text in TEXTS.values()])
    for text in TEXTS.values():
        for name in ("git_branch", "project_path", "starred_by"):
            assert await walked(store, org, {name: text}, 1000) == [text], name
        begun = sorted((one for one in TEXTS.values() if one.startswith(text)), reverse=True)
        assert await walked(store, org, {"id_prefix": text}, 1000) == begun
        titled = [
            one for one in TEXTS.values() if reference.positions(f"a{one}b", text) or reference.positions(one, text)
        ]
        assert await walked(store, org, {"title": text}, 1000) == sorted(titled, reverse=True)


BAD: list[dict[str, Any]] = [
    *({name: value} for name in ("id_prefix", "parent_session_id", "title", "git_branch", "starred_by", "project_path")
      for value in (None, 5, b"x", ["x"])),
    *({"with_commits": value} for value in (None, 1, "yes")),
    *({name: value} for name in ("active_from", "active_to")
      for value in ("yesterday", 20260105, dt.datetime(2026, 1, 5), "2026-01-05T00:00:00", "2026-02-30")),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=repr)
async def test_a_bad_filter_is_refused(store: AsyncClickHouseStore, org: str, bad: dict[str, Any]) -> None:
    [field] = bad
    with pytest.raises(InvalidArgumentError, match=rf"^{field}: ") as caught:
        await store.list_sessions(org, SessionFilter(**bad))
    assert caught.value.field == field
    with pytest.raises(InvalidArgumentError, match=rf"^{field}: "):
        [one async for one in store.iter_sessions(org, SessionFilter(**bad))]
